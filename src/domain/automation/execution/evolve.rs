//! State from events. No rule is checked here: what happened, happened.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::event::{Event, Queued, StepFinished, StepStarted};
use super::state::{Execution, Outcome, Status, StepRun, StepStatus};
use crate::domain::timestamp;

/// The execution after an event. `None` when the first event of a stream is not `automation.queued`.
pub fn evolve(
    state: Option<Execution>,
    id: Uuid,
    event: &Event,
    actor: &str,
    occurred_at: OffsetDateTime,
) -> Option<Execution> {
    let at = timestamp::micros(occurred_at);
    if let Event::Queued(queued) = event {
        return Some(Execution::queued(id, queued, actor, at));
    }
    let mut execution = state?;
    execution.version += 1;
    // Time within a stream does not run backwards, whatever two servers' clocks say.
    execution.updated_at = execution.updated_at.max(at);
    let at = execution.updated_at;
    execution.due_at = at;
    match event {
        Event::Queued(_) => {}
        Event::Started(started) => {
            execution.started_at = Some(at);
            execution.deadline = execution.deadline_from(at);
            execution.taken(started.runner, started.token);
        }
        Event::Continued(continued) => {
            if execution.deadline.is_none() {
                execution.deadline = execution.deadline_from(at);
            }
            let waits = execution.status == Status::WaitingApproval;
            execution.taken(continued.runner, continued.token);
            if waits {
                execution.status = Status::WaitingApproval;
            }
        }
        Event::StepStarted(started) => execution.step_started(started, at),
        Event::StepFinished(finished) => execution.step_finished(finished, at),
        Event::ApprovalRequested(asked) => {
            execution.status = Status::WaitingApproval;
            execution.due_at = asked.deadline;
            if let Some(run) = execution.steps.get_mut(asked.step) {
                run.due_at = Some(asked.deadline);
            }
        }
        Event::Approved(_) => execution.status = Status::Queued,
        Event::Rejected(_) | Event::Notified(_) => {}
        Event::CancelRequested(asked) => execution.cancel_reason = Some(asked.reason.clone()),
        Event::Completed(_) => execution.end(Status::Succeeded, None, at),
        Event::Failed(failed) => execution.end(Status::Failed, Some(&failed.reason), at),
        Event::TimedOut(timed_out) => execution.end(Status::TimedOut, Some(&timed_out.reason), at),
        Event::Cancelled(cancelled) => execution.end(Status::Cancelled, Some(&cancelled.reason), at),
        Event::Resumed(_) => execution.resumed(),
    }
    Some(execution)
}

impl Execution {
    fn queued(id: Uuid, queued: &Queued, actor: &str, at: OffsetDateTime) -> Execution {
        let queued = queued.clone();
        Execution {
            id,
            runbook_id: queued.runbook_id,
            runbook_version: queued.runbook_version,
            steps: queued.definition.steps.iter().map(|_| StepRun::pending(0)).collect(),
            definition: queued.definition,
            inputs: queued.inputs,
            secret_inputs: queued.secret_inputs,
            trigger: queued.trigger,
            reason: queued.reason,
            depth: queued.depth,
            correlation_id: queued.correlation_id,
            status: Status::Queued,
            step: 0,
            cancel_reason: None,
            end_reason: None,
            runner: None,
            token: 0,
            queued_by: actor.to_owned(),
            queued_at: at,
            started_at: None,
            ended_at: None,
            deadline: None,
            due_at: at,
            updated_at: at,
            version: 1,
        }
    }

    fn taken(&mut self, runner: Uuid, token: i64) {
        self.status = Status::Running;
        self.runner = Some(runner);
        self.token = token;
    }

    fn deadline_from(&self, at: OffsetDateTime) -> Option<OffsetDateTime> {
        self.definition.timeout_s.map(|seconds| at + Duration::seconds(seconds.into()))
    }

    fn step_started(&mut self, started: &StepStarted, at: OffsetDateTime) {
        let Some(run) = self.steps.get_mut(started.step) else { return };
        run.status = StepStatus::Running;
        run.attempt = started.attempt;
        run.started_at = Some(at);
        run.finished_at = None;
        run.due_at = None;
        run.reason = None;
        run.incident = None;
    }

    fn step_finished(&mut self, finished: &StepFinished, at: OffsetDateTime) {
        let Some(run) = self.steps.get_mut(finished.step) else { return };
        run.finished_at = Some(at);
        run.due_at = finished.retry_at;
        run.reason.clone_from(&finished.reason);
        run.incident.clone_from(&finished.incident);
        run.status = match finished.outcome {
            _ if finished.retry_at.is_some() => StepStatus::Pending,
            Outcome::Succeeded => StepStatus::Succeeded,
            Outcome::Failed => StepStatus::Failed,
            Outcome::TimedOut => StepStatus::TimedOut,
            Outcome::Interrupted => StepStatus::Interrupted,
            Outcome::Cancelled => StepStatus::Cancelled,
        };
        if finished.outcome == Outcome::Succeeded || finished.passed_over {
            self.step = finished.step + 1;
        }
    }

    fn end(&mut self, status: Status, reason: Option<&String>, at: OffsetDateTime) {
        self.status = status;
        self.end_reason = reason.cloned();
        self.ended_at = Some(at);
        self.cancel_reason = None;
    }

    /// The steps from the failed one on are as if they had not begun; their attempts are counted on.
    fn resumed(&mut self) {
        self.status = Status::Queued;
        self.end_reason = None;
        self.ended_at = None;
        self.deadline = None;
        for run in self.steps.iter_mut().skip(self.step) {
            *run = StepRun::pending(run.attempt);
        }
    }
}
