//! How busy a server says it is.
//!
//! Reports are short-lived: an hour after it was recorded, an event keeps its place and its hash and loses what it
//! said. They have a stream apart (`server-metrics/<id>`), so that a report does not move the server's own version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Violations;
use super::refusal::Refusal;

/// The type's name.
pub const REPORTED: &str = "server.metrics.reported";
/// For how long the log keeps what a report said, in seconds. `short_lived` in the database says the same.
pub const REPORT_TTL_S: u32 = 3_600;
/// More than any load average is a mistake of whoever reports it.
const MOST_LOAD: f64 = 1_000_000.0;

/// `server.metrics.reported`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Of all its processors, 0 to 100.
    pub cpu_percent: f64,
    /// Of its memory, 0 to 100.
    pub memory_percent: f64,
    /// Of its fullest disk, 0 to 100.
    pub disk_percent: f64,
    /// Load average of one minute.
    pub load: f64,
}

impl Reported {
    /// # Errors
    /// A value that cannot be.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut found = Violations::default();
        let shares = [
            ("/cpu_percent", self.cpu_percent),
            ("/memory_percent", self.memory_percent),
            ("/disk_percent", self.disk_percent),
        ];
        for (pointer, share) in shares {
            if !(0.0..=100.0).contains(&share) {
                found.add(pointer, "must be 0 to 100".to_owned());
            }
        }
        if !(0.0..=MOST_LOAD).contains(&self.load) {
            found.add("/load", format!("must be 0 to {MOST_LOAD}"));
        }
        found.finish()
    }
}
