//! What can happen to a server. These are the facts of the log: they are only ever added to.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::report::Reported;
use super::saved::{FilterRemoved, FilterSaved};
use super::state::{Check, Status, Window};

/// `server.created`. The id is the stream's; the status is pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// What people and incidents call it.
    pub name: String,
    /// A name or an address.
    pub host: String,
    /// The port that is tested.
    pub port: u16,
    /// May be empty.
    pub description: String,
    /// Free facts for filters.
    pub labels: BTreeMap<String, String>,
    /// How it is tested.
    pub check: Check,
}

/// `server.updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Updated {
    /// Holds only what changed, and at least one field.
    pub changes: Changes,
}

/// The changed fields; an absent one kept its value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is the server's field of the same name")]
pub struct Changes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Change<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Change<BTreeMap<String, String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Change<Check>>,
}

/// A value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change<T> {
    /// Before.
    pub old: T,
    /// After; never equal to `old`.
    pub new: T,
}

impl<T: Clone + PartialEq> Change<T> {
    pub(super) fn between(old: &T, wanted: &Option<T>) -> Option<Change<T>> {
        let new = wanted.as_ref().filter(|wanted| *wanted != old)?;
        Some(Change { old: old.clone(), new: new.clone() })
    }
}

/// `server.credential.changed`: the reference itself never stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialChanged {
    /// Whether there is one now.
    pub present: bool,
}

/// `server.status.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusChanged {
    /// Before.
    pub old: Status,
    /// After; never equal to `old`.
    pub new: Status,
    /// Why.
    pub message: String,
    /// What the server was called then, for rules and notifications; absent in events of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `server.maintenance.ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceEnded {
    /// Which window.
    pub window: Uuid,
    /// Why before its time; null when its time was over.
    pub reason: Option<String>,
}

/// `server.deleted` and `server.restored`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switched {
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// What changes a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Event {
    Created(Created),
    Updated(Updated),
    CredentialChanged(CredentialChanged),
    StatusChanged(StatusChanged),
    MaintenanceScheduled(Window),
    MaintenanceEnded(MaintenanceEnded),
    Deleted(Switched),
    Restored(Switched),
}

impl Event {
    /// Reads a stored event of a `server/` stream.
    ///
    /// # Errors
    /// The type is none of a server's, or the data are not that type's.
    pub fn parse(kind: &str, data: &str) -> Result<Event, serde_json::Error> {
        use serde::de::Error;
        Ok(match kind {
            "server.created" => Event::Created(serde_json::from_str(data)?),
            "server.updated" => Event::Updated(serde_json::from_str(data)?),
            "server.credential.changed" => Event::CredentialChanged(serde_json::from_str(data)?),
            "server.status.changed" => Event::StatusChanged(serde_json::from_str(data)?),
            "server.maintenance.scheduled" => Event::MaintenanceScheduled(serde_json::from_str(data)?),
            "server.maintenance.ended" => Event::MaintenanceEnded(serde_json::from_str(data)?),
            "server.deleted" => Event::Deleted(serde_json::from_str(data)?),
            "server.restored" => Event::Restored(serde_json::from_str(data)?),
            other => return Err(serde_json::Error::custom(format!("{other} is no event of a server"))),
        })
    }

    /// Registered type name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Created(_) => "server.created",
            Event::Updated(_) => "server.updated",
            Event::CredentialChanged(_) => "server.credential.changed",
            Event::StatusChanged(_) => "server.status.changed",
            Event::MaintenanceScheduled(_) => "server.maintenance.scheduled",
            Event::MaintenanceEnded(_) => "server.maintenance.ended",
            Event::Deleted(_) => "server.deleted",
            Event::Restored(_) => "server.restored",
        }
    }

    /// The event's facts.
    pub fn data(&self) -> Value {
        let data = match self {
            Event::Created(created) => serde_json::to_value(created),
            Event::Updated(updated) => serde_json::to_value(updated),
            Event::CredentialChanged(changed) => serde_json::to_value(changed),
            Event::StatusChanged(changed) => serde_json::to_value(changed),
            Event::MaintenanceScheduled(window) => serde_json::to_value(window),
            Event::MaintenanceEnded(ended) => serde_json::to_value(ended),
            Event::Deleted(switched) | Event::Restored(switched) => serde_json::to_value(switched),
        };
        data.unwrap_or_default() // text, numbers and times: nothing in them can fail
    }
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("server.created", "A server was entered into the inventory.", schema_for!(Created).to_value()),
        ("server.updated", "Facts of a server were corrected.", schema_for!(Updated).to_value()),
        (
            "server.credential.changed",
            "A server has another credential, or none.",
            schema_for!(CredentialChanged).to_value(),
        ),
        ("server.status.changed", "A server answers, or does not, or need not.", schema_for!(StatusChanged).to_value()),
        ("server.maintenance.scheduled", "A server may be down for a while.", schema_for!(Window).to_value()),
        ("server.maintenance.ended", "A maintenance window is over.", schema_for!(MaintenanceEnded).to_value()),
        ("server.deleted", "A server was taken out of the inventory.", schema_for!(Switched).to_value()),
        ("server.restored", "A server is in the inventory again.", schema_for!(Switched).to_value()),
        ("server.metrics.reported", "A server says how busy it is.", schema_for!(Reported).to_value()),
    ]
}

/// The same for what only its user, and who may see users, should read.
pub fn filter_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("server.filter.saved", "A user keeps a filter for the list of servers.", schema_for!(FilterSaved).to_value()),
        ("server.filter.removed", "A user keeps a filter no longer.", schema_for!(FilterRemoved).to_value()),
    ]
}
