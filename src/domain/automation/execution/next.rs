//! What a runner does next.

use time::OffsetDateTime;

use super::state::{Execution, Status, StepStatus};
use crate::domain::automation::definition::Action;

/// What a runner does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Begin the current step.
    Start,
    /// Do what the current step says: it has begun, and may have been begun before.
    Act,
    /// Nothing until then.
    Pause(OffsetDateTime),
    /// Say that the time is over.
    TimeOut,
    /// Say that all steps are done.
    Complete,
    /// Say that it is cancelled.
    Cancel,
    /// It is not a runner's now: it has ended, or waits for a person.
    Leave,
}

/// What a runner that holds the lease does at `now`.
pub fn next(execution: &Execution, now: OffsetDateTime) -> Next {
    let expired = execution.deadline.is_some_and(|deadline| deadline <= now);
    match execution.status {
        status if status.is_ended() => Next::Leave,
        _ if execution.cancel_reason.is_some() => Next::Cancel,
        Status::WaitingApproval if execution.due_at > now => Next::Leave,
        Status::WaitingApproval => Next::TimeOut,
        _ if expired => Next::TimeOut,
        Status::Queued => Next::Leave, // it must be claimed first
        _ => match execution.current() {
            None => Next::Complete,
            Some((_, run)) if run.status == StepStatus::Running => Next::Act,
            Some((_, run)) => match run.due_at {
                Some(due_at) if due_at > now => Next::Pause(execution.deadline.map_or(due_at, |at| at.min(due_at))),
                _ => Next::Start,
            },
        },
    }
}

/// Whether the step waits for a person.
pub(super) fn asks(action: &Action) -> bool {
    matches!(action, Action::Approval(_))
}
