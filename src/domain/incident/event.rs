//! What can happen to an incident. These are the facts of the log: they are only ever added to.
//!
//! A field may be added as an optional one; none changes its meaning or goes away. The schemas name
//! no length: the limits of `limits.rs` bind today's commands, and an event of last year must stay
//! valid when they change.

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::status::{Priority, Severity, Status};
use super::words::words;

/// One table makes the enum, its names, its parser and the registry: a type is added in one line.
macro_rules! events {
    ($(#[doc = $description:literal] $event:ident = $kind:literal,)+) => {
        /// One event of an incident's stream.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $(#[doc = $description] $event($event),)+
        }

        impl Event {
            /// The type's name in the log.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$event(_) => $kind,)+
                }
            }

            /// The payload as the log stores it.
            pub fn data(&self) -> Value {
                match self {
                    $(Self::$event(event) => to_value(event),)+
                }
            }

            /// Reads a stored event.
            ///
            /// # Errors
            /// A type this module does not have, or a payload that does not fit its type.
            pub fn parse(kind: &str, data: &Value) -> Result<Self, Unreadable> {
                match kind {
                    $($kind => from_value(kind, data).map(Self::$event),)+
                    _ => Err(Unreadable::Type(kind.to_owned())),
                }
            }
        }

        /// Every type of this module, for the registry.
        pub fn event_types() -> Vec<EventType> {
            vec![$(EventType {
                name: $kind,
                description: $description.trim_ascii(),
                schema: schema::<$event>(),
            },)+]
        }
    };
}

events! {
    /// An incident was reported; its status is triggered.
    Created = "incident.created",
    /// Facts were corrected or completed; each changed one has its old and new value.
    Updated = "incident.updated",
    /// The incident was given to somebody else, or to nobody.
    Assigned = "incident.assigned",
    /// Somebody wrote a comment.
    Commented = "incident.commented",
    /// The status changed, in whatever way: a move, a merge, another system's history.
    StatusChanged = "incident.status.changed",
    /// The incident was merged, as a duplicate, into another one.
    Merged = "incident.merged",
    /// A merge was undone; the incident stands on its own again.
    Unmerged = "incident.unmerged",
    /// Another incident was merged into this one.
    Absorbed = "incident.absorbed",
    /// An incident that had been merged into this one stands on its own again.
    Released = "incident.released",
}

/// The initial facts. The id is the stream's, the reporter is the event's actor, the status is
/// always triggered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// 42 in `INC-42`.
    pub number: i64,
    /// One line.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// How bad.
    pub severity: Severity,
    /// How soon.
    pub priority: Priority,
    /// A username.
    pub assignee: Option<String>,
    /// Host names, each once.
    pub affected_servers: Vec<String>,
    /// Free facts for filters.
    pub labels: BTreeMap<String, String>,
    /// What a monitor calls this trouble.
    pub dedup_key: Option<String>,
}

/// Which facts changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Updated {
    /// Holds only what changed, and at least one field.
    pub changes: Changes,
}

/// The changed fields; an absent one kept its value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each field is the incident's field of the same name")]
pub struct Changes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Change<Severity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Change<Priority>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affected_servers: Option<Change<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Change<BTreeMap<String, String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<Change<Option<String>>>,
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
    /// The change from what is to what is wanted; `None` when nothing is wanted or it is so
    /// already.
    pub(super) fn between(old: &T, wanted: &Option<T>) -> Option<Self> {
        let new = wanted.as_ref().filter(|wanted| *wanted != old)?;
        Some(Self { old: old.clone(), new: new.clone() })
    }
}

/// Who works on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assigned {
    /// The username before; null for nobody.
    pub old: Option<String>,
    /// The username after; null for nobody.
    pub new: Option<String>,
}

/// A comment. The author and the time are the event's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Commented {
    /// So that a link can point at it.
    pub comment_id: Uuid,
    /// Any number of lines.
    pub text: String,
}

/// Every change of status has this type, so a reader who follows the status needs no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusChanged {
    /// Before.
    pub old: Status,
    /// After; never equal to `old`.
    pub new: Status,
    /// Which rule let it happen.
    pub cause: Cause,
    /// In the words of whoever did it.
    pub reason: Option<String>,
    /// How it ended; only with resolved and closed.
    pub resolution: Option<String>,
}

words! {
    /// Which rule let a status change happen. Whoever checks the log against the status machine
    /// checks the moves only.
    Cause {
        /// A move along the status machine, reopening and cancelling included.
        Move = "move",
        /// Another system's history says so; that system's rules are not ours, so any jump is
        /// possible.
        Record = "record",
        /// Closed because it was merged into another incident.
        Merge = "merge",
        /// Given back the status it had before it was merged.
        Unmerge = "unmerge",
    }
}

/// Another incident, by both its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentRef {
    /// Its stream's id.
    pub id: Uuid,
    /// 42 in `INC-42`.
    pub number: i64,
}

/// This incident is a duplicate. A status change to closed follows, unless it is closed already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Merged {
    /// The incident that goes on for both.
    pub into: IncidentRef,
}

/// This incident is no duplicate after all. The status change that gives back its former status
/// comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unmerged {
    /// The incident it had been merged into.
    pub from: IncidentRef,
}

/// The other side of [`Merged`], in the stream of the incident that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Absorbed {
    /// The duplicate.
    pub incident: IncidentRef,
}

/// The other side of [`Unmerged`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The former duplicate.
    pub incident: IncidentRef,
}

/// A row of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct EventType {
    /// As in the log: `incident.created`.
    pub name: &'static str,
    /// One sentence or two for the AsyncAPI document.
    pub description: &'static str,
    /// JSON Schema 2020-12 of the payload, self-contained.
    pub schema: Value,
}

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// No such type here.
    #[error("`{0}` is no event type of incidents")]
    Type(String),
    /// The payload does not fit the type.
    #[error("the data does not fit `{kind}`")]
    Data {
        /// The type's name.
        kind: String,
        /// Where and how it does not fit.
        source: serde_json::Error,
    },
}

fn to_value<T: Serialize>(event: &T) -> Value {
    serde_json::to_value(event).expect("structs of text, numbers and text maps always serialise")
}

fn from_value<T: DeserializeOwned>(kind: &str, data: &Value) -> Result<T, Unreadable> {
    T::deserialize(data).map_err(|source| Unreadable::Data { kind: kind.to_owned(), source })
}

fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
