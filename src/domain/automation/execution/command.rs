//! What can be asked of an execution, by people and by its runner.

use time::OffsetDateTime;
use uuid::Uuid;

use super::decide::Action;
use super::event::Trigger;
use super::state::{Outcome, Status};
use crate::domain::automation::inputs::Inputs;
use crate::domain::automation::runbook::Runbook;

/// A command for one execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Do a runbook.
    Queue(Box<Queue>),
    /// Take it, with a lease that this runner has just been given.
    Claim(Lease),
    /// Begin the current step's next attempt.
    StartStep(Lease),
    /// Say how the attempt under way went.
    FinishStep(Lease, Ended),
    /// Say that its time is over.
    TimeOut(Lease),
    /// Say that all steps are done.
    Complete(Lease),
    /// Say that nothing of it runs any more.
    Cancelled(Lease),
    /// Let it go on.
    Approve {
        /// Who decides.
        actor: String,
        /// Why.
        reason: Option<String>,
    },
    /// Do not let it go on.
    Reject {
        /// Why.
        reason: Option<String>,
    },
    /// End it.
    Cancel {
        /// Why.
        reason: Option<String>,
    },
    /// Go on from the step that failed.
    Resume {
        /// Why.
        reason: Option<String>,
        /// Secrets given anew: those of before were forgotten.
        secrets: Vec<String>,
    },
}

/// What a new execution is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Of which runbook.
    pub runbook: Runbook,
    /// Fitted to it.
    pub inputs: Inputs,
    /// What starts it.
    pub trigger: Trigger,
    /// Why, in words.
    pub reason: String,
    /// Executions that led to this one.
    pub depth: u32,
    /// As in the envelope.
    pub correlation_id: Uuid,
}

/// A runner's right to work on an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Process.
    pub runner: Uuid,
    /// Fencing token: whoever has a larger one has taken over.
    pub token: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// In one word.
    pub outcome: Outcome,
    /// In words.
    pub reason: Option<String>,
    /// Key of the incident that it opened or changed.
    pub incident: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

impl Ended {
    /// An end that touched no incident.
    pub fn new(outcome: Outcome, reason: Option<String>, at: OffsetDateTime) -> Ended {
        Ended { outcome, reason, incident: None, at }
    }
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("this execution does not exist")]
    Missing,
    /// There is one already.
    #[error("this execution exists already")]
    Exists,
    /// Nothing starts it.
    #[error("this runbook is archived; restore it first")]
    Archived,
    /// A reason that cannot be kept.
    #[error("the reason has at most 2,000 characters, none of them a control character")]
    Reason,
    /// Not as it is now.
    #[error("an execution that is {} cannot do this", .status.as_str())]
    Illegal {
        /// As it is.
        status: Status,
        /// What it could do instead.
        allowed: Vec<Action>,
    },
    /// Four eyes.
    #[error("whoever started this execution may not approve it")]
    OwnApproval,
    /// Forgotten at its end.
    #[error("the secrets {} were forgotten when it ended; give them again", .0.join(", "))]
    SecretsForgotten(Vec<String>),
    /// Another runner has taken over.
    #[error("another runner has taken over")]
    Fenced,
}
