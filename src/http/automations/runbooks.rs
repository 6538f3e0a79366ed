//! Runbooks: written, listed, changed, put away, started.

use poem::http::StatusCode;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::definition::DefinitionView;
use super::view::{ExecutionView, NewRun, Reason, RunbookPage, RunbookTimes, RunbookView, times};
use super::{Tag, conflict, current, execution_refused, invalid, lists, runbook_refused};
use crate::automations::{self, WAITING_MOST};
use crate::domain::automation::execution::{Command as Wish, Queue, Refusal, Trigger, decide as decide_execution};
use crate::domain::automation::runbook::{Command, Runbook, decide};
use crate::domain::automation::{Action, Definition, bind, is_note};
use crate::domain::condition::Condition;
use crate::domain::permission::{AutomationsRead, AutomationsRun, AutomationsWrite};
use crate::http::App;
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply, Shown};
use crate::http::caller::Caller;
use crate::http::command::{Carried, Decision, carry_out};
use crate::http::problem::Problem;

/// Times of a schedule that are told.
const TIMES: usize = 5;

/// The operations on runbooks.
pub struct Runbooks;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Automations")]
impl Runbooks {
    /// Write a runbook
    #[oai(path = "/runbooks", method = "post", operation_id = "createRunbook")]
    async fn create(
        &self,
        caller: Allowed<AutomationsWrite>,
        body: Json<DefinitionView>,
    ) -> Answer<Done<RunbookView, 201>> {
        let definition = body.0.definition()?;
        possible(&caller.app, &definition)?;
        let (who, id) = (caller.clone(), Uuid::now_v7());
        let decide = move || create(who.clone(), id, definition.clone());
        done(carry_out(caller.0, decide).await)
    }

    /// List runbooks
    #[oai(path = "/runbooks", method = "get", operation_id = "listRunbooks")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn list(
        &self,
        caller: Allowed<AutomationsRead>,
        /// Words in the name.
        q: Query<Option<String>>,
        /// Only those that are put away, or only the others.
        archived: Query<Option<bool>>,
        /// Rows of a page, 1 to 200; default 50.
        limit: Query<Option<i64>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<RunbookPage>> {
        caller.app.seen(min_seq.0).await?;
        let filter = lists::RunbookFilter { words: q.0, archived: archived.0 };
        let (page, head) = lists::runbooks(&caller.app.database, &filter, limit.0, cursor.0.as_deref()).await?;
        Ok(Shown::bytes_of(&page, head, caller.known.as_deref()))
    }

    /// Show a runbook
    #[oai(path = "/runbooks/:runbook", method = "get", operation_id = "getRunbook")]
    async fn show(
        &self,
        caller: Allowed<AutomationsRead>,
        runbook: Path<Uuid>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<RunbookView>> {
        caller.app.seen(min_seq.0).await?;
        let (head, found) = automations::show_runbook(&caller.app.database, runbook.0).await?;
        let runbook = found.ok_or_else(missing)?;
        Ok(Shown::version(&RunbookView::of(&runbook)?, runbook.version, head, caller.known.as_deref()))
    }

    /// Show when a runbook's schedule starts it
    #[oai(path = "/runbooks/:runbook/times", method = "get", operation_id = "listRunbookTimes")]
    async fn times(
        &self,
        caller: Allowed<AutomationsRead>,
        runbook: Path<Uuid>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<RunbookTimes>> {
        caller.app.seen(min_seq.0).await?;
        let (head, found) = automations::show_runbook(&caller.app.database, runbook.0).await?;
        let items = times(&found.ok_or_else(missing)?, OffsetDateTime::now_utc()).take(TIMES).collect();
        Ok(Shown::bytes_of(&RunbookTimes { items }, head, caller.known.as_deref()))
    }

    /// Let a runbook say something else
    ///
    /// The whole of it is replaced. Executions that are queued or under way go on with what they began with.
    #[oai(path = "/runbooks/:runbook", method = "put", operation_id = "updateRunbook")]
    async fn update(
        &self,
        caller: Allowed<AutomationsWrite>,
        runbook: Path<Uuid>,
        body: Json<DefinitionView>,
    ) -> Answer<Done<RunbookView>> {
        let definition = body.0.definition()?;
        possible(&caller.app, &definition)?;
        change(caller.0, runbook.0, Command::Update(definition)).await
    }

    /// Put a runbook away
    #[oai(path = "/runbooks/:runbook/archive", method = "post", operation_id = "archiveRunbook")]
    async fn archive(
        &self,
        caller: Allowed<AutomationsWrite>,
        runbook: Path<Uuid>,
        body: Json<Reason>,
    ) -> Answer<Done<RunbookView>> {
        change(caller.0, runbook.0, Command::Archive { reason: body.0.reason.map(String::from) }).await
    }

    /// Take a runbook out again
    #[oai(path = "/runbooks/:runbook/restore", method = "post", operation_id = "restoreRunbook")]
    async fn restore(
        &self,
        caller: Allowed<AutomationsWrite>,
        runbook: Path<Uuid>,
        body: Json<Reason>,
    ) -> Answer<Done<RunbookView>> {
        change(caller.0, runbook.0, Command::Restore { reason: body.0.reason.map(String::from) }).await
    }

    /// Do a runbook
    ///
    /// The answer is the execution, which is queued: follow the stream, or ask for it again.
    #[oai(path = "/runbooks/:runbook/run", method = "post", operation_id = "runRunbook")]
    async fn run(
        &self,
        caller: Allowed<AutomationsRun>,
        runbook: Path<Uuid>,
        body: Json<NewRun>,
    ) -> Answer<Done<ExecutionView, 201>> {
        let (who, id) = (caller.clone(), Uuid::now_v7());
        let decide = move || run(who.clone(), runbook.0, id, body.0.clone());
        let carried = carry_out(caller.0, decide).await?;
        Ok(Done::new(carried.reply, carried.seq, carried.replayed))
    }
}

/// What only this process knows: which commands there are, and what a condition is.
fn possible(app: &App, definition: &Definition) -> Result<(), Problem> {
    let mut wrong = Vec::new();
    for (index, step) in definition.steps.iter().enumerate() {
        if let Action::Command(command) = &step.action
            && app.allowed.get(&command.name).is_none()
        {
            let allowed: Vec<&str> = app.allowed.names().collect();
            let message = match allowed.is_empty() {
                true => "is a command, and none is configured: SIGNALBOX_COMMANDS names the file".to_owned(),
                false => format!("is none of the configured commands: {}", allowed.join(", ")),
            };
            wrong.push((format!("/steps/{index}/command/name"), message));
        }
    }
    if let Some(trigger) = &definition.on_event {
        if !trigger.condition.trim().is_empty()
            && let Err(error) = Condition::parse(&trigger.condition)
        {
            wrong.push(("/on_event/condition".to_owned(), error.to_string()));
        }
        for (nth, pattern) in trigger.types.iter().enumerate() {
            if app.registry.matching(pattern).is_empty() {
                wrong.push((format!("/on_event/types/{nth}"), "names no registered type of event".to_owned()));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Problem::unacceptable("invalid", "the input is not acceptable: errors says why").errors(wrong))
}

async fn create(caller: Caller, id: Uuid, definition: Definition) -> Result<Decision, Problem> {
    name_is_free(&caller.app, &definition.name, id).await?;
    let events = decide(None, &Command::Create(definition)).map_err(runbook_refused)?;
    let (write, state, after) =
        automations::write_runbook(None, id, &events, &caller.cause(), OffsetDateTime::now_utc());
    let mut reply = shown(StatusCode::CREATED, &after.ok_or_else(missing)?)?;
    reply.location = Some(format!("/api/v1/runbooks/{id}"));
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
}

async fn change(caller: Caller, id: Uuid, command: Command) -> Answer<Done<RunbookView>> {
    let who = caller.clone();
    let decide = move || changed(who.clone(), id, command.clone());
    done(carry_out(caller, decide).await)
}

async fn changed(caller: Caller, id: Uuid, command: Command) -> Result<Decision, Problem> {
    let before = automations::find_runbook(&caller.app.database, id).await?.ok_or_else(missing)?;
    current(&caller, before.version)?;
    let events = decide(Some(&before), &command).map_err(runbook_refused)?;
    if events.is_empty() {
        return Ok(Decision::Unchanged(shown(StatusCode::OK, &before)?));
    }
    let (write, state, after) =
        automations::write_runbook(Some(&before), id, &events, &caller.cause(), OffsetDateTime::now_utc());
    let after = after.ok_or_else(missing)?;
    if !after.archived {
        name_is_free(&caller.app, &after.definition.name, id).await?;
    }
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply: shown(StatusCode::OK, &after)? })
}

async fn run(caller: Caller, runbook: Uuid, id: Uuid, body: NewRun) -> Result<Decision, Problem> {
    let app = &caller.app;
    let runbook = automations::find_runbook(&app.database, runbook).await?.ok_or_else(missing)?;
    current(&caller, runbook.version)?;
    let inputs = bind(&runbook.definition, &body.inputs()).map_err(|wrong| invalid(&wrong))?;
    if automations::waiting(&app.database, runbook.id).await? >= WAITING_MOST {
        let detail = format!("{WAITING_MOST} executions of it wait or run already");
        return Err(conflict("too_many_executions", detail));
    }
    let cause = caller.cause();
    let reason = body.reason.map_or_else(|| format!("{} asked for it", cause.actor_name), String::from);
    if !is_note(&reason) {
        return Err(execution_refused(Refusal::Reason));
    }
    let secrets = automations::secret_states(id, &inputs.secret);
    let (trigger, depth, correlation_id) = (Trigger::Manual, 0, cause.correlation_id);
    let queue = Queue { runbook, inputs, trigger, reason, depth, correlation_id };
    let now = OffsetDateTime::now_utc();
    let events = decide_execution(None, &Wish::Queue(Box::new(queue)), now).map_err(execution_refused)?;
    let (write, state, after) = automations::write_execution(None, id, &events, &cause, now);
    let after = after.ok_or_else(missing)?;
    let mut reply = Reply::new(StatusCode::CREATED, after.version, &ExecutionView::of(&after)?);
    reply.location = Some(format!("/api/v1/executions/{id}"));
    let states = [state].into_iter().chain(secrets).collect();
    Ok(Decision::Append { writes: vec![write], states, reply })
}

async fn name_is_free(app: &App, name: &str, id: Uuid) -> Result<(), Problem> {
    let taken = app.database.query_opt(include_str!("../../../sql/queries/runbook_name.sql"), &[&name, &id]).await?;
    if taken.is_none() { Ok(()) } else { Err(conflict("name_taken", "another runbook has this name")) }
}

fn missing() -> Problem {
    Problem::not_found("there is no such runbook")
}

fn shown(status: StatusCode, runbook: &Runbook) -> Result<Reply, Problem> {
    Ok(Reply::new(status, runbook.version, &RunbookView::of(runbook)?))
}

fn done<const STATUS: u16>(carried: Result<Carried, Problem>) -> Answer<Done<RunbookView, STATUS>> {
    carried.map(|carried| Done::new(carried.reply, carried.seq, carried.replayed))
}
