//! What can happen to an execution. These are the facts of the log: they are only ever added to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::state::Outcome;
use crate::domain::automation::definition::Definition;
use crate::domain::automation::schema;
use crate::domain::timestamp;

/// One table makes the enum, its names, its parser and the registry: a type is added in one line.
macro_rules! events {
    ($(#[doc = $description:literal] $event:ident = $kind:literal,)+) => {
        /// One event of an execution's stream.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $(#[doc = $description] $event(Box<$event>),)+
        }

        impl Event {
            /// The type's name in the log.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$event(_) => $kind,)+
                }
            }

            /// The payload as the log stores it.
            pub fn data(&self) -> Value {
                let data = match self {
                    $(Self::$event(event) => serde_json::to_value(event),)+
                };
                data.unwrap_or_default() // text, numbers and JSON: nothing in them can fail
            }

            /// Reads a stored event of an `execution/` stream.
            ///
            /// # Errors
            /// The type is none of an execution's, or the data are not that type's.
            pub fn parse(kind: &str, data: &str) -> Result<Event, serde_json::Error> {
                use serde::de::Error;
                Ok(match kind {
                    $($kind => Event::$event(serde_json::from_str(data)?),)+
                    other => return Err(serde_json::Error::custom(format!("{other} is no event of an execution"))),
                })
            }
        }

        $(impl From<$event> for Event {
            fn from(event: $event) -> Event {
                Event::$event(Box::new(event))
            }
        })+

        /// Name, description and JSON Schema of each type.
        pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
            vec![$(($kind, $description.trim_ascii(), schema::<$event>()),)+]
        }
    };
}

events! {
    /// A runbook is to be done; everything it needs is frozen here, except secrets.
    Queued = "automation.queued",
    /// A runner began.
    Started = "automation.started",
    /// A runner goes on: after an approval or a resumption, or because the runner before it was lost.
    Continued = "automation.continued",
    /// An attempt at a step began.
    StepStarted = "automation.step.started",
    /// An attempt at a step ended.
    StepFinished = "automation.step.finished",
    /// Nothing goes on until a person decides.
    ApprovalRequested = "automation.approval.requested",
    /// A person let it go on.
    Approved = "automation.approved",
    /// A person did not let it go on; the execution fails.
    Rejected = "automation.rejected",
    /// Somebody wants it to end; its runner ends what runs, and then says that it is cancelled.
    CancelRequested = "automation.cancel.requested",
    /// A step says something to whoever has a rule for it.
    Notified = "automation.notified",
    /// Every step is done.
    Completed = "automation.completed",
    /// It ended in failure.
    Failed = "automation.failed",
    /// A time limit passed.
    TimedOut = "automation.timed_out",
    /// Somebody ended it, and nothing of it runs any more.
    Cancelled = "automation.cancelled",
    /// Somebody lets it go on from the step that failed.
    Resumed = "automation.resumed",
}

/// What started an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Trigger {
    /// A person or a program, through the API.
    Manual,
    /// A time of its schedule.
    Schedule {
        /// Which.
        #[serde(with = "timestamp")]
        #[schemars(with = "String")]
        at: OffsetDateTime,
    },
    /// Something that happened.
    Event {
        /// Place in the log.
        seq: i64,
        /// Its type.
        #[serde(rename = "type")]
        event_type: String,
        /// Its stream.
        stream: String,
    },
}

/// The whole of what is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queued {
    /// Of which runbook.
    pub runbook_id: Uuid,
    /// In which version of it.
    pub runbook_version: i64,
    /// As the runbook was then.
    pub definition: Definition,
    /// Values, those of secrets left out.
    pub inputs: BTreeMap<String, Value>,
    /// Secrets that were given a value.
    pub secret_inputs: Vec<String>,
    /// What started it.
    pub trigger: Trigger,
    /// Why, in words.
    pub reason: String,
    /// Executions that led to this one.
    pub depth: u32,
    /// As in the envelope.
    pub correlation_id: Uuid,
}

/// By which process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// As it said when it started.
    pub runner: Uuid,
    /// Number of its lease.
    pub token: i64,
}

/// By which process, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Continued {
    /// As it said when it started.
    pub runner: Uuid,
    /// Number of its lease.
    pub token: i64,
    /// Why another begins where one has begun.
    pub reason: String,
}

/// Which step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepStarted {
    /// From 0.
    pub step: usize,
    /// Its name.
    pub name: String,
    /// From 1.
    pub attempt: u32,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepFinished {
    /// From 0.
    pub step: usize,
    /// Its name.
    pub name: String,
    /// From 1.
    pub attempt: u32,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// In words.
    pub reason: Option<String>,
    /// When the next attempt begins, if there is one.
    #[serde(with = "timestamp::option")]
    #[schemars(with = "Option<String>")]
    pub retry_at: Option<OffsetDateTime>,
    /// It failed, and the next step comes all the same.
    pub passed_over: bool,
    /// Key of the incident that the step opened or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequested {
    /// From 0.
    pub step: usize,
    /// What is to be decided.
    pub prompt: String,
    /// The last moment for it.
    #[serde(with = "timestamp")]
    #[schemars(with = "String")]
    pub deadline: OffsetDateTime,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    /// From 0.
    pub step: usize,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// From 0.
    pub step: usize,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequested {
    /// In the words of whoever did it.
    pub reason: String,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notified {
    /// From 0.
    pub step: usize,
    /// The runbook's name.
    pub runbook: String,
    /// One line.
    pub subject: String,
    /// Any number of lines.
    pub text: String,
}

/// All went well, or was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Completed {
    /// Steps that failed and were passed over.
    pub passed_over: u32,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// From 0.
    pub step: usize,
    /// In words.
    pub reason: String,
}

/// Which limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimedOut {
    /// From 0.
    pub step: usize,
    /// In words.
    pub reason: String,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancelled {
    /// In the words of whoever did it.
    pub reason: String,
}

/// From where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resumed {
    /// From 0.
    pub step: usize,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}
