//! New executions that no request asks for: by time and by event.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::automations::{self, WAITING_MOST};
use crate::domain::automation::bind;
use crate::domain::automation::execution::{Command as Wish, Queue, Trigger, decide};
use crate::domain::automation::runbook::Runbook;
use crate::http::App;
use crate::log::{AppendError, Cause, Command, State, Write};
use crate::postgres::QueryError;

/// Why an execution was not started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The inputs that the trigger gives do not fit.
    #[error("its inputs do not fit: {0}")]
    Inputs(String),
    /// The queue is long enough.
    #[error("{WAITING_MOST} executions of it wait or run already")]
    Full,
    /// The rules refuse it.
    #[error("{0}")]
    Refused(String),
    /// The database did not answer.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The log did not take it.
    #[error("{0}")]
    Append(#[from] AppendError),
}

/// What starts an execution.
pub struct Start<'a> {
    /// Of which runbook.
    pub runbook: &'a Runbook,
    /// The same for whatever is started once.
    pub id: Uuid,
    /// Values that the trigger gives.
    pub inputs: &'a BTreeMap<String, Value>,
    /// What starts it.
    pub trigger: Trigger,
    /// Why, in words.
    pub reason: String,
    /// Executions that led to this one.
    pub depth: u32,
}

/// What to append for a new execution, if it may start.
///
/// # Errors
/// [`NotStarted`].
pub async fn started(app: &App, start: Start<'_>, cause: &Cause) -> Result<(Write, State), NotStarted> {
    let Start { runbook, id, inputs, trigger, reason, depth } = start;
    let inputs = bind(&runbook.definition, inputs).map_err(|wrong| {
        let phrases = wrong.iter().map(|wrong| format!("{} {}", wrong.pointer, wrong.message));
        NotStarted::Inputs(phrases.collect::<Vec<_>>().join("; "))
    })?;
    if automations::waiting(&app.background, runbook.id).await? >= WAITING_MOST {
        return Err(NotStarted::Full);
    }
    let queue =
        Queue { runbook: runbook.clone(), inputs, trigger, reason, depth, correlation_id: cause.correlation_id };
    let now = OffsetDateTime::now_utc();
    let events = decide(None, &Wish::Queue(Box::new(queue)), now);
    let events = events.map_err(|refusal| NotStarted::Refused(refusal.to_string()))?;
    let (write, state, _) = automations::write_execution(None, id, &events, cause, now);
    Ok((write, state))
}

/// The same, appended. One that was started before, by whichever process, is started once.
///
/// # Errors
/// [`NotStarted`].
pub async fn start(app: &App, start: Start<'_>, cause: Cause) -> Result<(), NotStarted> {
    let (write, state) = started(app, start, &cause).await?;
    let command = Command { cause, writes: vec![write], states: vec![state], idempotency: None };
    app.appender.append(command).await?; // a conflict: another process was first
    Ok(())
}
