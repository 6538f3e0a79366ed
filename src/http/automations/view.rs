//! Runbooks and executions as clients see them, and what starts and moves them on.

use std::collections::BTreeMap;

use poem::http::StatusCode;
use poem_openapi::types::ParseFromJSON;
use poem_openapi::{Enum, Object};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::definition::DefinitionView;
use crate::domain::automation::execution::{Execution, allowed_actions};
use crate::domain::automation::runbook::Runbook;
use crate::domain::automation::schedule;
use crate::http::problem::Problem;
use crate::http::text::Text;
use crate::log::stamp;

/// A runbook as it is now.
#[derive(Debug, Object)]
#[oai(rename = "Runbook")]
pub struct RunbookView {
    /// Its stream is `runbook/<id>`.
    id: Uuid,
    definition: DefinitionView,
    /// Put away: nothing starts it.
    archived: bool,
    /// The actor who wrote it.
    created_by: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    /// How many events made this state; the ETag.
    version: i64,
    /// In lists: when its schedule starts it next.
    #[oai(skip_serializing_if_is_none)]
    next_at: Option<OffsetDateTime>,
    /// In lists: its newest execution.
    #[oai(skip_serializing_if_is_none)]
    last_execution: Option<LastExecutionView>,
}

/// What became of a runbook's newest execution.
#[derive(Debug, Object)]
#[oai(rename = "LastExecution")]
pub struct LastExecutionView {
    id: Uuid,
    status: ExecutionStatus,
    queued_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

/// When a schedule starts a runbook.
#[derive(Debug, Object)]
pub struct RunbookTimes {
    /// The next ones, at most five; none without a schedule, or put away.
    pub items: Vec<OffsetDateTime>,
}

/// A page of runbooks.
#[derive(Debug, Object)]
pub struct RunbookPage {
    /// At most `limit`.
    pub items: Vec<RunbookView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub next: Option<String>,
}

/// Values, and why.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct NewRun {
    #[oai(default)]
    inputs: BTreeMap<String, Value>,
    /// At most 2,000 characters.
    pub reason: Option<Text>,
}

impl NewRun {
    /// As they were given.
    pub fn inputs(&self) -> BTreeMap<String, Value> {
        self.inputs.clone()
    }
}

/// Why.
#[derive(Debug, Clone, Object)]
#[oai(rename = "AutomationReason", deny_unknown_fields)]
pub struct Reason {
    /// At most 2,000 characters.
    pub reason: Option<Text>,
}

/// Why, and what was forgotten.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct Resumption {
    /// At most 2,000 characters.
    pub reason: Option<Text>,
    /// Values for the execution's secret inputs.
    #[oai(default)]
    secrets: BTreeMap<String, Text>,
}

impl Resumption {
    /// As they were given.
    pub fn secrets(&self) -> BTreeMap<String, Value> {
        self.secrets.iter().map(|(name, value)| (name.clone(), Value::String(value.0.clone()))).collect()
    }
}

macro_rules! word {
    ($(#[$about:meta])* $name:ident { $($value:ident = $word:literal),+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        pub enum $name { $(#[oai(rename = $word)] #[allow(missing_docs)] $value),+ }

        impl $name {
            /// As it is stored; not every one of these is asked for in a filter.
            #[allow(dead_code)]
            pub fn word(self) -> &'static str {
                match self { $($name::$value => $word),+ }
            }
        }
    };
}

word! {
    /// How far along an execution is.
    ExecutionStatus {
        Queued = "queued", Running = "running", WaitingApproval = "waiting_approval", Succeeded = "succeeded",
        Failed = "failed", TimedOut = "timed_out", Cancelled = "cancelled"
    }
}
word! {
    /// What started an execution.
    TriggerKind { Manual = "manual", Schedule = "schedule", Event = "event" }
}
word! {
    /// How far along a step is.
    StepStatus {
        Pending = "pending", Running = "running", Succeeded = "succeeded", Failed = "failed", TimedOut = "timed_out",
        Interrupted = "interrupted", Cancelled = "cancelled"
    }
}
word! {
    /// What people can do to an execution as it is now.
    ExecutionAction { Approve = "approve", Reject = "reject", Cancel = "cancel", Resume = "resume" }
}

/// What started an execution.
#[derive(Debug, Object)]
#[oai(rename = "ExecutionTrigger", skip_serializing_if_is_none)]
pub struct TriggerView {
    kind: TriggerKind,
    /// Of a schedule: which of its times.
    at: Option<OffsetDateTime>,
    /// Of an event: its place in the log.
    seq: Option<i64>,
    /// Of an event.
    #[oai(rename = "type")]
    event_type: Option<String>,
    /// Of an event.
    stream: Option<String>,
}

/// A step of an execution.
#[derive(Debug, Object)]
#[oai(rename = "ExecutionStep")]
pub struct StepRunView {
    name: String,
    status: StepStatus,
    /// Attempts begun.
    attempt: u32,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    /// The end of a pause, or the last moment for a decision.
    due_at: Option<OffsetDateTime>,
    /// What came of the last attempt.
    reason: Option<String>,
    /// Key of the incident that it opened or changed.
    #[oai(skip_serializing_if_is_none)]
    incident: Option<String>,
}

/// An execution as it is now.
#[derive(Debug, Object)]
#[oai(rename = "Execution")]
pub struct ExecutionView {
    /// Its stream is `execution/<id>`.
    id: Uuid,
    runbook_id: Uuid,
    runbook_version: i64,
    /// As the runbook was when this was queued.
    definition: DefinitionView,
    /// Values; those of secrets are masked.
    inputs: BTreeMap<String, Value>,
    trigger: TriggerView,
    /// Why it was started.
    reason: String,
    /// Executions that led to this one.
    depth: u32,
    /// Shared by everything of one story: what one command, schedule or check began.
    correlation_id: Uuid,
    status: ExecutionStatus,
    steps: Vec<StepRunView>,
    /// The step under way or next, from 0.
    step: u32,
    /// Somebody wants it to end.
    cancel_reason: Option<String>,
    /// Why it ended as it did.
    end_reason: Option<String>,
    /// The process that runs it, or ran it last.
    runner: Option<Uuid>,
    /// The actor who started it.
    queued_by: String,
    queued_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    /// Until when it must end.
    deadline: Option<OffsetDateTime>,
    updated_at: OffsetDateTime,
    /// How many events made this state; the ETag.
    version: i64,
    /// What people can do to it as it is now.
    allowed_actions: Vec<ExecutionAction>,
}

/// A page of executions.
#[derive(Debug, Object)]
pub struct ExecutionPage {
    /// At most `limit`.
    pub items: Vec<ExecutionView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub next: Option<String>,
}

impl RunbookView {
    /// As clients see it.
    pub fn of(runbook: &Runbook) -> Result<RunbookView, Problem> {
        Ok(RunbookView {
            id: runbook.id,
            definition: DefinitionView::of(&runbook.definition)?,
            archived: runbook.archived,
            created_by: runbook.created_by.clone(),
            created_at: runbook.created_at,
            updated_at: runbook.updated_at,
            version: runbook.version,
            next_at: None,
            last_execution: None,
        })
    }

    /// The same as a list shows it at `now`, with its newest execution.
    pub fn listed(
        runbook: &Runbook,
        last_execution: Option<&Execution>,
        now: OffsetDateTime,
    ) -> Result<RunbookView, Problem> {
        let last = |last: &Execution| {
            let status = ExecutionStatus::parse_from_json(Some(json!(last.status))).ok()?;
            Some(LastExecutionView { id: last.id, status, queued_at: last.queued_at, ended_at: last.ended_at })
        };
        let next_at = times(runbook, now).next();
        Ok(RunbookView { next_at, last_execution: last_execution.and_then(last), ..RunbookView::of(runbook)? })
    }
}

/// When the schedule starts a runbook, from `now` on.
pub fn times(runbook: &Runbook, now: OffsetDateTime) -> impl Iterator<Item = OffsetDateTime> {
    let schedule = runbook.definition.schedule.as_ref().filter(|_| !runbook.archived);
    let times = schedule.and_then(|schedule| schedule::parse(schedule).ok());
    let next = move |after: &OffsetDateTime| times.as_ref()?.next(*after);
    std::iter::successors(next(&now), next)
}

impl ExecutionView {
    /// As clients see it.
    pub fn of(execution: &Execution) -> Result<ExecutionView, Problem> {
        let mut inputs = execution.inputs.clone();
        let masked = || Value::String(crate::domain::automation::MASKED.to_owned());
        inputs.extend(execution.secret_inputs.iter().map(|name| (name.clone(), masked())));
        let mut json = json!(execution);
        let names = execution.definition.steps.iter().map(|step| step.name.clone());
        for (step, name) in json["steps"].as_array_mut().into_iter().flatten().zip(names) {
            step["name"] = Value::String(name);
        }
        json["inputs"] = json!(inputs);
        json["updated_at"] = json!(stamp::text(execution.updated_at));
        json["allowed_actions"] =
            allowed_actions(execution).into_iter().map(|action| Value::from(action.as_str())).collect();
        shape(json)
    }
}

/// What has the shape already.
pub fn shape<T: ParseFromJSON>(json: Value) -> Result<T, Problem> {
    T::parse_from_json(Some(json)).map_err(|error| {
        tracing::error!(error = error.message(), "a state has another shape than the contract");
        let detail = "this was written by a newer version of the server";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    })
}
