//! A runbook's own life: written, changed, put away, taken out again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::check::{Violation, check};
use super::definition::Definition;
use crate::domain::timestamp;

/// A runbook as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// Names the stream `runbook/<id>`.
    pub id: Uuid,
    /// What it says.
    pub definition: Definition,
    /// Put away: nothing starts it.
    pub archived: bool,
    /// Times of the schedule up to this one are no business of the schedule as it is now.
    #[serde(with = "timestamp")]
    pub scheduled_from: OffsetDateTime,
    /// Who wrote it.
    pub created_by: String,
    /// When it was written.
    #[serde(with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Events in the stream.
    pub version: i64,
}

/// `automation.runbook.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// What it says.
    pub definition: Definition,
}

/// `automation.runbook.updated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Updated {
    /// Before.
    pub old: Definition,
    /// From now on.
    pub new: Definition,
}

/// `automation.runbook.archived` and `automation.runbook.restored`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switched {
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// What happens to a runbook.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Event {
    Created(Created),
    Updated(Box<Updated>),
    Archived(Switched),
    Restored(Switched),
}

/// What can be asked of a runbook.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Write a new one.
    Create(Definition),
    /// Let it say something else.
    Update(Definition),
    /// Put it away.
    Archive {
        /// Why.
        reason: Option<String>,
    },
    /// Take it out again.
    Restore {
        /// Why.
        reason: Option<String>,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("this runbook does not exist")]
    Missing,
    /// There is one already.
    #[error("this runbook exists already")]
    Exists,
    /// Limits are broken.
    #[error("the runbook is not acceptable: errors says why")]
    Invalid(Vec<Violation>),
    /// Restore it first.
    #[error("this runbook is archived; restore it first")]
    Archived,
}

/// The events that carry out a command; none: all is so already.
///
/// # Errors
/// [`Refusal`].
pub fn decide(state: Option<&Runbook>, command: &Command) -> Result<Vec<Event>, Refusal> {
    match (state, command) {
        (None, Command::Create(definition)) => {
            acceptable(definition)?;
            Ok(vec![Event::Created(Created { definition: definition.clone() })])
        }
        (None, _) => Err(Refusal::Missing),
        (Some(_), Command::Create(_)) => Err(Refusal::Exists),
        (Some(Runbook { archived: true, .. }), Command::Update(_)) => Err(Refusal::Archived),
        (Some(runbook), Command::Update(new)) => {
            acceptable(new)?;
            if runbook.definition == *new {
                return Ok(Vec::new());
            }
            let updated = Updated { old: runbook.definition.clone(), new: new.clone() };
            Ok(vec![Event::Updated(Box::new(updated))])
        }
        (Some(runbook), Command::Archive { reason }) => {
            let archived = Event::Archived(Switched { reason: noted(reason)? });
            Ok(if runbook.archived { Vec::new() } else { vec![archived] })
        }
        (Some(runbook), Command::Restore { reason }) => {
            let restored = Event::Restored(Switched { reason: noted(reason)? });
            Ok(if runbook.archived { vec![restored] } else { Vec::new() })
        }
    }
}

fn acceptable(definition: &Definition) -> Result<(), Refusal> {
    let violations = check(definition);
    if violations.is_empty() { Ok(()) } else { Err(Refusal::Invalid(violations)) }
}

fn noted(reason: &Option<String>) -> Result<Option<String>, Refusal> {
    if reason.as_deref().is_none_or(super::is_note) {
        return Ok(reason.clone());
    }
    let message = format!("has at most {} characters, none of them a control character", super::NOTE_CHARS);
    Err(Refusal::Invalid(vec![Violation { pointer: "/reason".to_owned(), message }]))
}

/// The runbook after an event. `None` when the first event of a stream is not its creation.
pub fn evolve(
    state: Option<Runbook>,
    id: Uuid,
    event: &Event,
    actor: &str,
    occurred_at: OffsetDateTime,
) -> Option<Runbook> {
    let at = timestamp::micros(occurred_at);
    if let Event::Created(created) = event {
        return Some(Runbook {
            id,
            definition: created.definition.clone(),
            archived: false,
            scheduled_from: at,
            created_by: actor.to_owned(),
            created_at: at,
            updated_at: at,
            version: 1,
        });
    }
    let mut runbook = state?;
    runbook.version += 1;
    runbook.updated_at = runbook.updated_at.max(at);
    match event {
        Event::Created(_) => {}
        Event::Updated(updated) => {
            if updated.old.schedule != updated.new.schedule {
                runbook.scheduled_from = runbook.updated_at;
            }
            runbook.definition = updated.new.clone();
        }
        Event::Archived(_) => runbook.archived = true,
        Event::Restored(_) => {
            runbook.archived = false;
            runbook.scheduled_from = runbook.updated_at;
        }
    }
    Some(runbook)
}

impl Event {
    /// Reads a stored event of a `runbook/` stream.
    ///
    /// # Errors
    /// The type is none of a runbook's, or the data are not that type's.
    pub fn parse(kind: &str, data: &str) -> Result<Event, serde_json::Error> {
        use serde::de::Error;
        Ok(match kind {
            "automation.runbook.created" => Event::Created(serde_json::from_str(data)?),
            "automation.runbook.updated" => Event::Updated(serde_json::from_str(data)?),
            "automation.runbook.archived" => Event::Archived(serde_json::from_str(data)?),
            "automation.runbook.restored" => Event::Restored(serde_json::from_str(data)?),
            other => return Err(serde_json::Error::custom(format!("{other} is no event of a runbook"))),
        })
    }

    /// Registered type name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Created(_) => "automation.runbook.created",
            Event::Updated(_) => "automation.runbook.updated",
            Event::Archived(_) => "automation.runbook.archived",
            Event::Restored(_) => "automation.runbook.restored",
        }
    }

    /// The event's facts.
    pub fn data(&self) -> Value {
        let data = match self {
            Event::Created(created) => serde_json::to_value(created),
            Event::Updated(updated) => serde_json::to_value(updated),
            Event::Archived(switched) | Event::Restored(switched) => serde_json::to_value(switched),
        };
        data.unwrap_or_default() // text, numbers and JSON: nothing in them can fail
    }
}

pub(super) fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    use super::schema;
    vec![
        ("automation.runbook.created", "There is a new runbook.", schema::<Created>()),
        ("automation.runbook.updated", "A runbook says something else.", schema::<Updated>()),
        ("automation.runbook.archived", "A runbook was put away; nothing starts it.", schema::<Switched>()),
        ("automation.runbook.restored", "A runbook was taken out again.", schema::<Switched>()),
    ]
}
