//! What a server is now: the fold of its events.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::timestamp;

/// Whether it answers.
///
/// ```text
/// pending --> up <--> down      a test decides
///    ^------- maintenance <---- any, while a window is open
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not tested since it is what it is.
    Pending,
    /// The last test was answered.
    Up,
    /// No test of the last few was answered.
    Down,
    /// It may be down: nobody is told, and nothing is tested.
    Maintenance,
}

impl Status {
    /// As it stands in events, in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Up => "up",
            Status::Down => "down",
            Status::Maintenance => "maintenance",
        }
    }
}

/// How a server is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A connection is enough.
    Tcp,
    /// And whoever answers must speak SSH, up to the first packet of the key exchange.
    Ssh,
}

/// How and how often a server is tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Whether it is tested by itself; on demand it always is.
    pub enabled: bool,
    /// What counts as an answer.
    pub method: Method,
    /// Seconds from test to test.
    pub interval_s: u32,
    /// Seconds for one test, looking up the name included.
    pub timeout_s: u32,
    /// So many more tests must fail, one every ten seconds, before an unanswered one means down.
    pub retries: u32,
}

impl Default for Check {
    fn default() -> Check {
        Check { enabled: true, method: Method::Ssh, interval_s: 60, timeout_s: 10, retries: 2 }
    }
}

/// A time in which it may be down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// So that it can be ended.
    pub id: Uuid,
    /// Its beginning.
    #[serde(with = "timestamp")]
    #[schemars(with = "String")]
    pub starts_at: OffsetDateTime,
    /// Its end; the window is over at this very moment.
    #[serde(with = "timestamp")]
    #[schemars(with = "String")]
    pub ends_at: OffsetDateTime,
    /// Why.
    pub reason: Option<String>,
}

impl Window {
    pub(super) fn is_open(&self, now: OffsetDateTime) -> bool {
        self.starts_at <= now && now < self.ends_at
    }
}

/// The current state of one server. `evolve` is the only code that makes or changes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// The stream's id.
    pub id: Uuid,
    /// What people and incidents call it; unique among those that are not deleted.
    pub name: String,
    /// A name or an address, where it is tested.
    pub host: String,
    /// The port that is tested.
    pub port: u16,
    /// Any number of lines; may be empty.
    pub description: String,
    /// Free facts for filters.
    pub labels: BTreeMap<String, String>,
    /// How it is tested.
    pub check: Check,
    /// Whether a reference to a credential is kept. The reference itself stands in no event and in no answer.
    pub has_credential: bool,
    /// Whether it answers.
    pub status: Status,
    /// Why it has this status.
    pub message: String,
    /// Since when it has this status.
    #[serde(with = "timestamp")]
    pub status_since: OffsetDateTime,
    /// Windows that are open or to come, as they were scheduled.
    pub maintenance: Vec<Window>,
    /// Out of the inventory; its past stays, and it can come back.
    pub deleted: bool,
    /// The actor who entered it.
    pub created_by: String,
    /// When it was entered.
    #[serde(with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When its last event happened.
    #[serde(with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// How many events made this state.
    pub version: i64,
}

impl Server {
    /// What the first event is applied to. Never seen outside `evolve`.
    pub(super) fn blank(id: Uuid, created_by: &str, created_at: OffsetDateTime) -> Server {
        Server {
            id,
            name: String::new(),
            host: String::new(),
            port: 0,
            description: String::new(),
            labels: BTreeMap::new(),
            check: Check::default(),
            has_credential: false,
            status: Status::Pending,
            message: "not tested yet".to_owned(),
            status_since: created_at,
            maintenance: Vec::new(),
            deleted: false,
            created_by: created_by.to_owned(),
            created_at,
            updated_at: created_at,
            version: 0,
        }
    }
}
