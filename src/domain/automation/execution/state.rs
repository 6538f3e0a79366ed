//! What an execution is now: the fold of its events.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::event::Trigger;
use crate::domain::automation::definition::{Definition, Step};
use crate::domain::timestamp;

/// How far along an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a runner that has room.
    Queued,
    /// A runner is at it.
    Running,
    /// Waits for a person.
    WaitingApproval,
    /// Every step is done.
    Succeeded,
    /// A step failed, or was rejected, or nobody knows how far it came.
    Failed,
    /// A time limit passed.
    TimedOut,
    /// Somebody ended it.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 7] = [
        Status::Queued,
        Status::Running,
        Status::WaitingApproval,
        Status::Succeeded,
        Status::Failed,
        Status::TimedOut,
        Status::Cancelled,
    ];

    /// As it stands in events and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::WaitingApproval => "waiting_approval",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::TimedOut => "timed_out",
            Status::Cancelled => "cancelled",
        }
    }

    /// Nothing more happens by itself.
    pub fn is_ended(self) -> bool {
        matches!(self, Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled)
    }
}

/// How an attempt at a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Succeeded,
    /// Not as it should.
    Failed,
    /// Its time was over.
    TimedOut,
    /// Its process was lost, and nobody knows how far it came.
    Interrupted,
    /// Somebody ended the execution.
    Cancelled,
}

/// How far along a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun, or between two attempts.
    Pending,
    /// An attempt is under way.
    Running,
    /// Done.
    Succeeded,
    /// Its last attempt failed.
    Failed,
    /// Its last attempt took too long.
    TimedOut,
    /// It was lost on the way.
    Interrupted,
    /// It was ended on the way.
    Cancelled,
}

/// A step of this execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRun {
    /// How far along.
    pub status: StepStatus,
    /// Attempts begun.
    pub attempt: u32,
    /// Of these, before the execution was last resumed: they no longer count.
    pub attempts_before: u32,
    /// When the last attempt began.
    #[serde(with = "timestamp::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When the last attempt ended.
    #[serde(with = "timestamp::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// Until when nothing happens: the pause before the next attempt, or the last moment for a decision.
    #[serde(with = "timestamp::option")]
    pub due_at: Option<OffsetDateTime>,
    /// What came of the last attempt, in words.
    pub reason: Option<String>,
    /// Key of the incident that it opened or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
}

impl StepRun {
    /// Not begun.
    pub(super) fn pending(attempt: u32) -> StepRun {
        StepRun {
            status: StepStatus::Pending,
            attempt,
            attempts_before: attempt,
            started_at: None,
            finished_at: None,
            due_at: None,
            reason: None,
            incident: None,
        }
    }
}

/// The current state of one execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Names the stream `execution/<id>`.
    pub id: Uuid,
    /// Of which runbook.
    pub runbook_id: Uuid,
    /// In which version of it.
    pub runbook_version: i64,
    /// As the runbook was then.
    pub definition: Definition,
    /// Values, those of secrets left out.
    pub inputs: BTreeMap<String, Value>,
    /// Secrets that have a value.
    pub secret_inputs: Vec<String>,
    /// What started it.
    pub trigger: Trigger,
    /// Why, in words.
    pub reason: String,
    /// Executions that led to this one.
    pub depth: u32,
    /// Shared by everything of one story: what one command, schedule or check began.
    pub correlation_id: Uuid,
    /// How far along.
    pub status: Status,
    /// One for each of the definition's.
    pub steps: Vec<StepRun>,
    /// The step that is under way or comes next, from 0; the number of steps at the end.
    pub step: usize,
    /// Somebody wants it to end, and its runner has been told.
    pub cancel_reason: Option<String>,
    /// Why it ended as it did.
    pub end_reason: Option<String>,
    /// The process that runs it, or ran it last.
    pub runner: Option<Uuid>,
    /// Number of that process's lease; only ever larger.
    pub token: i64,
    /// The actor who started it.
    pub queued_by: String,
    /// When it was queued.
    #[serde(with = "timestamp")]
    pub queued_at: OffsetDateTime,
    /// When the first step could begin.
    #[serde(with = "timestamp::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "timestamp::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Until when it must end; from the start, or from when it was last resumed.
    #[serde(with = "timestamp::option")]
    pub deadline: Option<OffsetDateTime>,
    /// When a runner has something to do: nothing before that.
    #[serde(with = "timestamp")]
    pub due_at: OffsetDateTime,
    /// When its last event happened.
    #[serde(with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Events in the stream.
    pub version: i64,
}

impl Execution {
    /// The step under way or next, with what the runbook says of it.
    pub fn current(&self) -> Option<(&Step, &StepRun)> {
        self.definition.steps.get(self.step).zip(self.steps.get(self.step))
    }
}
