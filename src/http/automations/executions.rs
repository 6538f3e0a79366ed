//! Executions: listed, shown, ended, approved, resumed, read.

use std::collections::BTreeMap;

use poem::http::StatusCode;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::lines::{LinePage, Wanted, page as lines_page};
use super::view::{ExecutionPage, ExecutionStatus, ExecutionView, Reason, Resumption, TriggerKind};
use super::{Tag, current, execution_refused, invalid, lists};
use crate::automations;
use crate::domain::automation::execution::{Command, decide};
use crate::domain::automation::{Definition, bind};
use crate::domain::permission::{AutomationsApprove, AutomationsRead, AutomationsRun};
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply, Shown};
use crate::http::caller::Caller;
use crate::http::command::{Decision, carry_out};
use crate::http::problem::Problem;

/// The operations on executions.
pub struct Executions;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Automations")]
impl Executions {
    /// List executions
    ///
    /// The newest first. The answer is true as of `Signalbox-Seq`: open the stream after it and miss nothing.
    #[oai(path = "/executions", method = "get", operation_id = "listExecutions")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn list(
        &self,
        caller: Allowed<AutomationsRead>,
        /// Repeat it to ask for any of several.
        status: Query<Option<Vec<ExecutionStatus>>>,
        /// Of one runbook.
        runbook: Query<Option<Uuid>>,
        /// Started by what.
        trigger: Query<Option<TriggerKind>>,
        /// All of one story: what shares this correlation id.
        correlation: Query<Option<Uuid>>,
        /// Rows of a page, 1 to 200; default 50.
        limit: Query<Option<i64>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<ExecutionPage>> {
        caller.app.seen(min_seq.0).await?;
        let filter = lists::ExecutionFilter {
            status: status.0.map(|any| any.into_iter().map(ExecutionStatus::word).collect()),
            runbook: runbook.0,
            trigger: trigger.0.map(TriggerKind::word),
            correlation: correlation.0,
        };
        let (page, head) = lists::executions(&caller.app.database, &filter, limit.0, cursor.0.as_deref()).await?;
        Ok(Shown::bytes_of(&page, head, caller.known.as_deref()))
    }

    /// Show an execution
    #[oai(path = "/executions/:execution", method = "get", operation_id = "getExecution")]
    async fn show(
        &self,
        caller: Allowed<AutomationsRead>,
        execution: Path<Uuid>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<ExecutionView>> {
        caller.app.seen(min_seq.0).await?;
        let (head, found) = automations::show_execution(&caller.app.database, execution.0).await?;
        let execution = found.ok_or_else(missing)?;
        Ok(Shown::version(&ExecutionView::of(&execution)?, execution.version, head, caller.known.as_deref()))
    }

    /// Read what an execution printed
    ///
    /// Lines in order, secrets masked. To miss none and repeat none of an execution that is under way, read pages
    /// until `next` is absent and follow the stream's `log.added` behind `Signalbox-Seq`.
    #[oai(path = "/executions/:execution/lines", method = "get", operation_id = "listExecutionLines")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn lines(
        &self,
        caller: Allowed<AutomationsRead>,
        execution: Path<Uuid>,
        /// Lines behind this one, such as `4711.2`.
        after: Query<Option<String>>,
        /// Lines before this one, the nearest.
        before: Query<Option<String>>,
        /// Lines from this number on, counted from 1.
        from: Query<Option<i64>>,
        /// Only lines that hold this text, in any case. To go on, ask `from` behind the last one's number.
        q: Query<Option<String>>,
        /// At most so many, 1 to 1,000; default 500.
        limit: Query<Option<i64>>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<LinePage>> {
        caller.app.seen(min_seq.0).await?;
        let database = &caller.app.database;
        automations::find_execution(database, execution.0).await?.ok_or_else(missing)?;
        let wanted = Wanted { after: after.0, before: before.0, from: from.0, words: q.0, limit: limit.0 };
        let (page, head) = lines_page(database, execution.0, &wanted).await?;
        Ok(Shown::bytes_of(&page, head, caller.known.as_deref()))
    }

    /// End an execution
    ///
    /// One that runs is `cancelled` when nothing of it runs any more: its processes and all that they started.
    #[oai(path = "/executions/:execution/cancel", method = "post", operation_id = "cancelExecution")]
    async fn cancel(
        &self,
        caller: Allowed<AutomationsRun>,
        execution: Path<Uuid>,
        body: Json<Reason>,
    ) -> Answer<Done<ExecutionView>> {
        change(caller.0, execution.0, Command::Cancel { reason: body.0.reason.map(String::from) }).await
    }

    /// Let an execution go on that waits for a person
    #[oai(path = "/executions/:execution/approve", method = "post", operation_id = "approveExecution")]
    async fn approve(
        &self,
        caller: Allowed<AutomationsApprove>,
        execution: Path<Uuid>,
        body: Json<Reason>,
    ) -> Answer<Done<ExecutionView>> {
        let actor = caller.cause().actor;
        change(caller.0, execution.0, Command::Approve { actor, reason: body.0.reason.map(String::from) }).await
    }

    /// Do not let an execution go on that waits for a person
    #[oai(path = "/executions/:execution/reject", method = "post", operation_id = "rejectExecution")]
    async fn reject(
        &self,
        caller: Allowed<AutomationsApprove>,
        execution: Path<Uuid>,
        body: Json<Reason>,
    ) -> Answer<Done<ExecutionView>> {
        change(caller.0, execution.0, Command::Reject { reason: body.0.reason.map(String::from) }).await
    }

    /// Let an execution go on from the step that failed
    ///
    /// Secrets were forgotten when it ended and are given again.
    #[oai(path = "/executions/:execution/resume", method = "post", operation_id = "resumeExecution")]
    async fn resume(
        &self,
        caller: Allowed<AutomationsRun>,
        execution: Path<Uuid>,
        body: Json<Resumption>,
    ) -> Answer<Done<ExecutionView>> {
        let caller = within(caller.0, execution.0).await?;
        let who = caller.clone();
        let decide = move || resume(who.clone(), execution.0, body.0.clone());
        let carried = carry_out(caller, decide).await?;
        Ok(Done::new(carried.reply, carried.seq, carried.replayed))
    }
}

/// Whoever acts on an execution goes on with its story.
async fn within(caller: Caller, id: Uuid) -> Result<Caller, Problem> {
    // That there is none is the command's to say: a key that was used for something else comes first.
    let execution = automations::find_execution(&caller.app.database, id).await?;
    Ok(caller.within(execution.map(|execution| execution.correlation_id)))
}

async fn change(caller: Caller, id: Uuid, command: Command) -> Answer<Done<ExecutionView>> {
    let caller = within(caller, id).await?;
    let who = caller.clone();
    let decide = move || changed(who.clone(), id, command.clone(), BTreeMap::new());
    let carried = carry_out(caller, decide).await?;
    Ok(Done::new(carried.reply, carried.seq, carried.replayed))
}

async fn changed(
    caller: Caller,
    id: Uuid,
    command: Command,
    secrets: BTreeMap<String, String>,
) -> Result<Decision, Problem> {
    let before = automations::find_execution(&caller.app.database, id).await?.ok_or_else(missing)?;
    current(&caller, before.version)?;
    let now = OffsetDateTime::now_utc();
    let events = decide(Some(&before), &command, now).map_err(execution_refused)?;
    if events.is_empty() {
        let reply = Reply::new(StatusCode::OK, before.version, &ExecutionView::of(&before)?);
        return Ok(Decision::Unchanged(reply));
    }
    let (write, state, after) = automations::write_execution(Some(&before), id, &events, &caller.cause(), now);
    let after = after.ok_or_else(missing)?;
    let reply = Reply::new(StatusCode::OK, after.version, &ExecutionView::of(&after)?);
    let states = [state].into_iter().chain(automations::secret_states(id, &secrets)).collect();
    Ok(Decision::Append { writes: vec![write], states, reply })
}

async fn resume(caller: Caller, id: Uuid, body: Resumption) -> Result<Decision, Problem> {
    let before = automations::find_execution(&caller.app.database, id).await?.ok_or_else(missing)?;
    // Only what was given the first time is asked for again, and nothing else is taken.
    let asked = |name: &String| before.secret_inputs.contains(name);
    let mut definition: Definition = before.definition.clone();
    definition.inputs.retain(|input| asked(&input.name));
    definition.inputs.iter_mut().for_each(|input| input.required = false);
    let given = bind(&definition, &body.secrets()).map_err(|wrong| {
        let mut wrong = wrong;
        wrong.iter_mut().for_each(|one| one.pointer = one.pointer.replacen("/inputs", "/secrets", 1));
        invalid(&wrong)
    })?;
    let secrets = given.secret.keys().cloned().collect();
    let command = Command::Resume { reason: body.reason.map(String::from), secrets };
    changed(caller, id, command, given.secret).await
}

fn missing() -> Problem {
    Problem::not_found("there is no such execution")
}
