//! What an incident is now: the fold of its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::status::{Priority, Severity, Status};
use crate::domain::timestamp;

/// What comes before the number in an incident's name: `INC-42`.
const KEY_PREFIX: &str = "INC-";

/// The current state of one incident. `evolve` is the only code that makes or changes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The stream's id.
    pub id: Uuid,
    /// The number people say aloud; unique, and never given twice.
    pub number: i64,
    /// One line.
    pub title: String,
    /// Any number of lines; may be empty.
    pub description: String,
    /// How far along.
    pub status: Status,
    /// How bad.
    pub severity: Severity,
    /// How soon.
    pub priority: Priority,
    /// The username of whoever works on it.
    pub assignee: Option<String>,
    /// Host names, each once, in the order they were given.
    pub affected_servers: Vec<String>,
    /// Free facts for filters.
    pub labels: BTreeMap<String, String>,
    /// What a monitor calls this trouble; two reports with one key are the same trouble.
    pub dedup_key: Option<String>,
    /// The actor who reported it.
    pub created_by: String,
    /// How many comments its timeline holds.
    pub comments: i64,
    /// How often it came back from resolved, closed or cancelled. Undoing a merge does not count.
    pub reopened: i64,
    /// How it ended; gone when it is open again (the timeline keeps it).
    pub resolution: Option<String>,
    /// The incident this one is a duplicate of.
    pub merged_into: Option<Uuid>,
    /// The status that unmerging gives back; present exactly while `merged_into` is.
    pub status_before_merge: Option<Status>,
    /// The duplicates merged into this one, oldest merge first.
    pub absorbed: Vec<Uuid>,
    /// When it was reported.
    #[serde(with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When its last event happened. No time in this struct is later.
    #[serde(with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Since when somebody answers for it. Outlives resolving and closing; `triggered` clears it.
    #[serde(with = "timestamp::option")]
    pub acknowledged_at: Option<OffsetDateTime>,
    /// Since when the harm has stopped.
    #[serde(with = "timestamp::option")]
    pub mitigated_at: Option<OffsetDateTime>,
    /// Since when the cause is gone.
    #[serde(with = "timestamp::option")]
    pub resolved_at: Option<OffsetDateTime>,
    /// Since when it is closed.
    #[serde(with = "timestamp::option")]
    pub closed_at: Option<OffsetDateTime>,
    /// The stream's version: how many events made this state.
    pub version: i64,
}

impl Incident {
    /// The incident's name: `INC-42`.
    pub fn key(&self) -> String {
        key(self.number)
    }

    /// The status that reopening leads to: back to work if somebody once took it, else back to the
    /// start, where the pagers look.
    pub fn reopens_to(&self) -> Status {
        if self.acknowledged_at.is_some() { Status::Investigating } else { Status::Triggered }
    }

    /// What the first event is applied to. Never seen outside `evolve`.
    pub(super) fn blank(id: Uuid, created_by: &str, created_at: OffsetDateTime) -> Self {
        Self {
            id,
            number: 0,
            title: String::new(),
            description: String::new(),
            status: Status::Triggered,
            severity: Severity::P4,
            priority: Priority::Normal,
            assignee: None,
            affected_servers: Vec::new(),
            labels: BTreeMap::new(),
            dedup_key: None,
            created_by: created_by.to_owned(),
            comments: 0,
            reopened: 0,
            resolution: None,
            merged_into: None,
            status_before_merge: None,
            absorbed: Vec::new(),
            created_at,
            updated_at: created_at,
            acknowledged_at: None,
            mitigated_at: None,
            resolved_at: None,
            closed_at: None,
            version: 0,
        }
    }
}

/// The name of the incident with this number: `INC-42`.
pub fn key(number: i64) -> String {
    format!("{KEY_PREFIX}{number}")
}

/// The number in a name such as `INC-42`; `None` when it is not exactly what [`key`] writes.
pub fn number(name: &str) -> Option<i64> {
    let number = name.strip_prefix(KEY_PREFIX)?.parse().ok()?;
    (number > 0 && key(number) == name).then_some(number)
}
