//! Events from a command.

use time::{Duration, OffsetDateTime};

use super::command::{Command, Ended, Lease, Queue, Refusal};
use super::event::{
    ApprovalRequested, Approved, CancelRequested, Cancelled, Completed, Continued, Event, Failed, Queued, Rejected,
    Resumed, Started, StepFinished, StepStarted, TimedOut,
};
use super::next::asks;
use super::state::{Execution, Outcome, Status, StepStatus};
use crate::domain::automation::definition::{Action as StepAction, Retry};
use crate::domain::automation::is_note;

/// The longest pause between two attempts, in seconds.
const PAUSE_MOST_S: u32 = 3_600;

/// What people can do to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Let it go on.
    Approve,
    /// Do not let it go on.
    Reject,
    /// End it.
    Cancel,
    /// Go on from the step that failed.
    Resume,
}

impl Action {
    /// As it stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Approve => "approve",
            Action::Reject => "reject",
            Action::Cancel => "cancel",
            Action::Resume => "resume",
        }
    }
}

/// What people can do to it as it is now. Whether this person may is a question of permissions.
pub fn allowed_actions(execution: &Execution) -> Vec<Action> {
    match execution.status {
        _ if execution.cancel_reason.is_some() => Vec::new(),
        Status::Queued | Status::Running => vec![Action::Cancel],
        Status::WaitingApproval => vec![Action::Approve, Action::Reject, Action::Cancel],
        Status::Failed | Status::TimedOut => vec![Action::Resume],
        Status::Succeeded | Status::Cancelled => Vec::new(),
    }
}

/// The events that carry out a command at `now`; none: all is so already.
///
/// # Errors
/// [`Refusal`].
pub fn decide(state: Option<&Execution>, command: &Command, now: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
    let execution = match (state, command) {
        (None, Command::Queue(queue)) => return queued(queue),
        (None, _) => return Err(Refusal::Missing),
        (Some(_), Command::Queue(_)) => return Err(Refusal::Exists),
        (Some(execution), _) => execution,
    };
    match command {
        Command::Queue(_) => Err(Refusal::Exists),
        Command::Claim(lease) => claimed(execution, *lease, now),
        Command::StartStep(lease) => holds(execution, *lease).and_then(|()| step_started(execution, now)),
        Command::FinishStep(lease, ended) => holds(execution, *lease).map(|()| step_finished(execution, ended)),
        Command::TimeOut(lease) => holds(execution, *lease).map(|()| timed_out(execution)),
        Command::Complete(lease) => holds(execution, *lease).map(|()| completed(execution, 0)),
        Command::Cancelled(lease) => holds(execution, *lease).map(|()| cancelled(execution)),
        Command::Approve { actor, reason } => approved(execution, actor, noted(reason)?),
        Command::Reject { reason } => rejected(execution, noted(reason)?),
        Command::Cancel { reason } => cancel(execution, noted(reason)?),
        Command::Resume { reason, secrets } => resumed(execution, noted(reason)?, secrets),
    }
}

fn queued(queue: &Queue) -> Result<Vec<Event>, Refusal> {
    let Queue { runbook, inputs, trigger, reason, depth, correlation_id } = queue.clone();
    if runbook.archived {
        return Err(Refusal::Archived);
    }
    let queued = Queued {
        runbook_id: runbook.id,
        runbook_version: runbook.version,
        definition: runbook.definition,
        inputs: inputs.plain,
        secret_inputs: inputs.secret.into_keys().collect(),
        trigger,
        reason,
        depth,
        correlation_id,
    };
    Ok(vec![queued.into()])
}

/// A runner takes over. What the one before it left unfinished, and what cannot be begun again, ends here.
fn claimed(execution: &Execution, lease: Lease, now: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
    if execution.status.is_ended() || lease.token <= execution.token {
        return Err(Refusal::Fenced);
    }
    let Lease { runner, token } = lease;
    let reason = match (execution.status, execution.runner) {
        (Status::Queued, None) => return Ok(vec![Started { runner, token }.into()]),
        (Status::Queued, Some(_)) => "it is its turn again".to_owned(),
        (Status::WaitingApproval, _) => "nobody has decided in time".to_owned(),
        (_, lost) => format!("the process {} no longer holds it", lost.map_or_else(String::new, |id| id.to_string())),
    };
    let mut events: Vec<Event> = vec![Continued { runner, token, reason }.into()];
    let unfinished = execution.current().filter(|(_, run)| run.status == StepStatus::Running);
    if let Some((step, _)) = unfinished.filter(|(step, _)| !step.is_repeatable()) {
        if execution.cancel_reason.is_some() {
            events.extend(cancelled(execution));
            return Ok(events);
        }
        let said = "its process was lost on the way; nobody knows how far it came, and it is not repeatable";
        let ended = Ended::new(Outcome::Interrupted, Some(said.to_owned()), now);
        events.push(finished(execution, &ended, None, false));
        let reason = format!("the step {} was interrupted: {said}", step.name);
        events.push(Failed { step: execution.step, reason }.into());
    }
    Ok(events)
}

fn holds(execution: &Execution, lease: Lease) -> Result<(), Refusal> {
    let holds = lease.token == execution.token && !execution.status.is_ended();
    if holds { Ok(()) } else { Err(Refusal::Fenced) }
}

fn step_started(execution: &Execution, now: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
    let Some((step, run)) = execution.current() else { return Ok(Vec::new()) };
    let (name, attempt) = (step.name.clone(), run.attempt + 1);
    let mut events: Vec<Event> = vec![StepStarted { step: execution.step, name, attempt }.into()];
    if let StepAction::Approval(approval) = &step.action {
        let deadline = now + Duration::seconds(step.timeout_s.into());
        let deadline = execution.deadline.map_or(deadline, |all| all.min(deadline));
        let prompt = approval.prompt.clone();
        events.push(ApprovalRequested { step: execution.step, prompt, deadline }.into());
    }
    Ok(events)
}

fn step_finished(execution: &Execution, ended: &Ended) -> Vec<Event> {
    let Some((step, run)) = execution.current().filter(|(_, run)| run.status == StepStatus::Running) else {
        return Vec::new();
    };
    if ended.outcome == Outcome::Succeeded {
        let mut events = vec![finished(execution, ended, None, false)];
        events.extend(completed(execution, 1));
        return events;
    }
    if ended.outcome == Outcome::Cancelled {
        return cancelled(execution);
    }
    let used = run.attempt - run.attempts_before;
    if used < step.attempts() {
        let retry_at = step.retry.map(|retry| ended.at + pause(retry, used));
        return vec![finished(execution, ended, retry_at, false)];
    }
    let mut events = vec![finished(execution, ended, None, step.continue_on_failure)];
    if step.continue_on_failure {
        events.extend(completed(execution, 1));
        return events;
    }
    let said = ended.reason.clone().unwrap_or_default();
    let reason = format!("the step {} {}: {said}", step.name, if used > 1 { "failed at last" } else { "failed" });
    events.push(match ended.outcome {
        Outcome::TimedOut => TimedOut { step: execution.step, reason }.into(),
        _ => Failed { step: execution.step, reason }.into(),
    });
    events
}

fn finished(execution: &Execution, ended: &Ended, retry_at: Option<OffsetDateTime>, passed_over: bool) -> Event {
    let (name, attempt) =
        execution.current().map_or((String::new(), 0), |(step, run)| (step.name.clone(), run.attempt));
    let Ended { outcome, reason, incident, .. } = ended.clone();
    StepFinished { step: execution.step, name, attempt, outcome, reason, retry_at, passed_over, incident }.into()
}

/// Doubled with each attempt, up to [`PAUSE_MOST_S`].
fn pause(retry: Retry, used: u32) -> Duration {
    let doubled = retry.pause_s.saturating_mul(1u32.checked_shl(used.saturating_sub(1)).unwrap_or(u32::MAX));
    Duration::seconds(doubled.min(PAUSE_MOST_S).into())
}

/// The end of it all, if `behind` steps from the current one there is none left.
fn completed(execution: &Execution, behind: usize) -> Vec<Event> {
    if execution.step + behind < execution.steps.len() {
        return Vec::new();
    }
    let failed = |status| matches!(status, StepStatus::Failed | StepStatus::TimedOut);
    let passed_over = execution.steps.iter().filter(|run| failed(run.status)).count();
    vec![Completed { passed_over: u32::try_from(passed_over).unwrap_or(u32::MAX) }.into()]
}

fn timed_out(execution: &Execution) -> Vec<Event> {
    let Some((step, run)) = execution.current() else { return Vec::new() };
    let reason = match execution.status {
        Status::WaitingApproval => format!("nobody has decided about the step {} in time", step.name),
        _ => format!("the whole took longer than {} s", execution.definition.timeout_s.unwrap_or_default()),
    };
    let ended = Ended::new(Outcome::TimedOut, Some(reason.clone()), execution.updated_at);
    let unfinished = run.status == StepStatus::Running;
    let finished = unfinished.then(|| finished(execution, &ended, None, false));
    finished.into_iter().chain([TimedOut { step: execution.step, reason }.into()]).collect()
}

fn cancelled(execution: &Execution) -> Vec<Event> {
    let reason = execution.cancel_reason.clone().unwrap_or_default();
    let ended = Ended::new(Outcome::Cancelled, None, execution.updated_at);
    let unfinished = execution.current().is_some_and(|(_, run)| run.status == StepStatus::Running);
    let finished = unfinished.then(|| finished(execution, &ended, None, false));
    finished.into_iter().chain([Cancelled { reason }.into()]).collect()
}

fn approved(execution: &Execution, actor: &str, reason: Option<String>) -> Result<Vec<Event>, Refusal> {
    let step = waiting(execution)?;
    if let Some((StepAction::Approval(approval), _)) = execution.current().map(|(step, run)| (&step.action, run))
        && approval.by_another
        && execution.queued_by == actor
    {
        return Err(Refusal::OwnApproval);
    }
    let ended = Ended::new(Outcome::Succeeded, reason.clone(), execution.updated_at);
    let mut events = vec![Approved { step, reason }.into(), finished(execution, &ended, None, false)];
    events.extend(completed(execution, 1));
    Ok(events)
}

fn rejected(execution: &Execution, reason: Option<String>) -> Result<Vec<Event>, Refusal> {
    let step = waiting(execution)?;
    let name = execution.current().map_or("", |(step, _)| step.name.as_str());
    let why = reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
    let said = format!("the step {name} was rejected{why}");
    let ended = Ended::new(Outcome::Failed, Some(said.clone()), execution.updated_at);
    let failed = Failed { step, reason: said };
    Ok(vec![Rejected { step, reason }.into(), finished(execution, &ended, None, false), failed.into()])
}

/// The step that waits for a person.
fn waiting(execution: &Execution) -> Result<usize, Refusal> {
    let asked = execution.current().is_some_and(|(step, _)| asks(&step.action));
    if execution.status == Status::WaitingApproval && asked { Ok(execution.step) } else { Err(illegal(execution)) }
}

fn cancel(execution: &Execution, reason: Option<String>) -> Result<Vec<Event>, Refusal> {
    let reason = reason.unwrap_or_else(|| "no reason was given".to_owned());
    match execution.status {
        Status::Cancelled => Ok(Vec::new()),
        status if status.is_ended() => Err(illegal(execution)),
        _ if execution.cancel_reason.is_some() => Ok(Vec::new()),
        // Nothing runs: it is at its end.
        Status::Queued | Status::WaitingApproval => {
            let mut asked = execution.clone();
            asked.cancel_reason = Some(reason);
            Ok(cancelled(&asked))
        }
        _ => Ok(vec![CancelRequested { reason }.into()]),
    }
}

fn resumed(execution: &Execution, reason: Option<String>, secrets: &[String]) -> Result<Vec<Event>, Refusal> {
    if !matches!(execution.status, Status::Failed | Status::TimedOut) {
        return Err(illegal(execution));
    }
    let missing = |name: &&String| !secrets.contains(name);
    let missing: Vec<String> = execution.secret_inputs.iter().filter(missing).cloned().collect();
    if !missing.is_empty() {
        return Err(Refusal::SecretsForgotten(missing));
    }
    Ok(vec![Resumed { step: execution.step, reason }.into()])
}

fn illegal(execution: &Execution) -> Refusal {
    Refusal::Illegal { status: execution.status, allowed: allowed_actions(execution) }
}

fn noted(reason: &Option<String>) -> Result<Option<String>, Refusal> {
    if reason.as_deref().is_none_or(is_note) { Ok(reason.clone()) } else { Err(Refusal::Reason) }
}
