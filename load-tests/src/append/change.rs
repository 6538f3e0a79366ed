//! The commands that all designs carry out: ten changes to an incident, then a new one.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

/// Changes to one incident before its writer goes on to a new one.
///
/// A real incident has about as many, so one command in ten inserts a current state and
/// nine update one.
const CHANGES_PER_INCIDENT: i64 = 10;

/// Numbers of incidents, unique in a run; above what a preload uses.
static NEXT_NUMBER: AtomicI64 = AtomicI64::new(1 << 40);

/// Text of a change: with the rest, an event of about 200 bytes of data.
const TEXT: &str = "Replication lag of the payments database is above 30 s on two of three replicas; \
                    the primary's disk queue is full since the nightly export began.";

/// The person who makes every change.
pub const ACTOR: &str = "user:0198f000-0000-7000-8000-000000000001";

/// One command.
#[derive(Clone, Debug)]
pub struct Change {
    /// The incident's id.
    pub incident: Uuid,
    /// The number that people call it by.
    pub number: i64,
    /// The version that the change was decided on; 0 creates the incident.
    pub expected: i64,
    /// When it was decided.
    pub at: OffsetDateTime,
    /// The idempotency key.
    pub key: Uuid,
}

impl Change {
    /// A writer's first command.
    pub fn first() -> Change {
        Change {
            incident: Uuid::now_v7(),
            number: NEXT_NUMBER.fetch_add(1, Relaxed),
            expected: 0,
            at: OffsetDateTime::now_utc(),
            key: Uuid::new_v4(),
        }
    }

    /// The command after this one.
    pub fn next(&self) -> Change {
        if self.expected + 1 == CHANGES_PER_INCIDENT {
            return Change::first();
        }
        let (at, key) = (OffsetDateTime::now_utc(), Uuid::new_v4());
        Change { expected: self.expected + 1, at, key, ..*self }
    }

    /// The stream it appends to.
    pub fn stream(&self) -> String {
        format!("incident/{}", self.incident)
    }

    /// The event's type.
    pub fn kind(&self) -> &'static str {
        if self.expected == 0 { "incident.created" } else { "incident.commented" }
    }

    /// The event's data.
    pub fn data(&self) -> Value {
        json!({ "number": self.number, "text": TEXT, "severity": "P2" })
    }

    /// The answer that the idempotency key keeps.
    pub fn reply(&self) -> Value {
        json!({ "id": self.incident, "key": self.name(), "version": self.expected + 1 })
    }

    /// `INC-42`.
    pub fn name(&self) -> String {
        format!("INC-{}", self.number)
    }

    /// The incident after the change, with the fields of the server's own current state.
    pub fn state(&self) -> Value {
        let at = self.at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        json!({
            "id": self.incident, "number": self.number, "title": "Replication lag of the payments database",
            "description": TEXT, "status": "triggered", "severity": "P2", "priority": "normal",
            "assignee": null, "dedup_key": null, "affected_servers": [], "labels": {},
            "created_at": at, "updated_at": at, "version": self.expected + 1,
        })
    }
}
