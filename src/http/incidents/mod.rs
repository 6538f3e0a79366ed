//! Incidents: commands, lists and timelines.

mod list;
mod statistics;
mod story;
mod view;

use poem::http::StatusCode;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{OpenApi, Tags};
use time::OffsetDateTime;
use uuid::Uuid;

use super::App;
use super::allowed::Allowed;
use super::answer::{Answer, Done, Reply, Shown};
use super::caller::Caller;
use super::command::{Decision, carry_out};
use super::events::{EventPage, page_json};
use super::problem::Problem;
use crate::domain::incident::{self, Command, Incident, Refusal, Transition, decide, decide_merge, decide_unmerge};
use crate::domain::permission::{IncidentsRead, IncidentsWrite};
use crate::hub::Filter;
use crate::incidents::{self, NotReported, Reported};
use crate::log::{Head, read};
use list::{Order, page};
pub use statistics::{Open, Statistics, Time};
pub use story::Stories;
use story::within;
use view::{
    Assignment, IncidentChanges, IncidentPage, IncidentView, MergeTarget, NewComment, NewIncident, Reason, StatusStep,
};

#[derive(Tags)]
enum Tag {
    /// Something is wrong, and somebody answers for it.
    Incidents,
}

/// The operations on incidents.
pub struct Incidents;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Incidents")]
impl Incidents {
    /// Report an incident
    ///
    /// With a `dedup_key` that an open incident has, that incident is the answer (200) and nothing is recorded.
    #[oai(path = "/incidents", method = "post", operation_id = "createIncident")]
    async fn create(
        &self,
        caller: Allowed<IncidentsWrite>,
        body: Json<NewIncident>,
    ) -> Answer<Done<IncidentView, 201>> {
        let (who, body) = (caller.clone(), body.0);
        let id = Uuid::now_v7();
        let decide = move || create(who.clone(), id, body.clone());
        done(carry_out(caller.0, decide).await)
    }

    /// List incidents
    ///
    /// The answer is true as of `Signalbox-Seq`: open the stream after it and miss nothing.
    #[oai(path = "/incidents", method = "get", operation_id = "listIncidents")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn list(
        &self,
        caller: Allowed<IncidentsRead>,
        /// Repeat it to ask for any of several.
        status: Query<Option<Vec<view::Status>>>,
        /// Repeat it to ask for any of several.
        severity: Query<Option<Vec<view::Severity>>>,
        /// Repeat it to ask for any of several.
        priority: Query<Option<Vec<view::Priority>>>,
        /// A user name; empty: nobody.
        assignee: Query<Option<String>>,
        /// An affected server.
        server: Query<Option<String>>,
        /// `key:value`; repeat it to ask for several at once.
        label: Query<Option<Vec<String>>>,
        /// Words in the title.
        q: Query<Option<String>>,
        /// Reported at this time or later.
        created_from: Query<Option<OffsetDateTime>>,
        /// Reported before this time.
        created_before: Query<Option<OffsetDateTime>>,
        /// Default `-updated_at`.
        order: Query<Option<Order>>,
        /// Rows of a page, 1 to 200; default 50.
        limit: Query<Option<i64>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<IncidentPage>> {
        caller.app.seen(min_seq.0).await?;
        let filter = list::Filter {
            status: status.0.map(|any| any.into_iter().map(|one| incident::Status::from(one).as_str()).collect()),
            severity: severity.0.map(|any| any.into_iter().map(|one| incident::Severity::from(one).as_str()).collect()),
            priority: priority.0.map(|any| any.into_iter().map(|one| incident::Priority::from(one).as_str()).collect()),
            assignee: assignee.0,
            server: server.0,
            label: label.0.unwrap_or_default(),
            words: q.0,
            created_from: created_from.0,
            created_before: created_before.0,
            order: order.0.unwrap_or(Order::UpdatedDescending),
        };
        let (items, head) = page(&caller.app.database, &filter, limit.0, cursor.0.as_deref()).await?;
        Ok(Shown::bytes_of(&items, head, caller.known.as_deref()))
    }

    /// Show an incident
    #[oai(path = "/incidents/:incident", method = "get", operation_id = "getIncident")]
    async fn show(
        &self,
        caller: Allowed<IncidentsRead>,
        /// Its id, or its key such as `INC-42`.
        incident: Path<String>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<IncidentView>> {
        caller.app.seen(min_seq.0).await?;
        let (head, incident) = as_of(&caller.app, &incident.0).await?;
        Ok(Shown::version(&IncidentView::from(&incident), incident.version, head, caller.known.as_deref()))
    }

    /// Change an incident's facts
    #[oai(path = "/incidents/:incident", method = "patch", operation_id = "updateIncident")]
    async fn update(
        &self,
        caller: Allowed<IncidentsWrite>,
        incident: Path<String>,
        body: Json<IncidentChanges>,
    ) -> Answer<Done<IncidentView>> {
        self.change(caller, incident.0, Command::Update(body.0.update())).await
    }

    /// Give an incident to somebody, or to nobody
    #[oai(path = "/incidents/:incident/assign", method = "post", operation_id = "assignIncident")]
    async fn assign(
        &self,
        caller: Allowed<IncidentsWrite>,
        incident: Path<String>,
        body: Json<Assignment>,
    ) -> Answer<Done<IncidentView>> {
        self.change(caller, incident.0, Command::Assign { assignee: body.0.assignee.map(String::from) }).await
    }

    /// Comment on an incident
    #[oai(path = "/incidents/:incident/comments", method = "post", operation_id = "commentIncident")]
    async fn comment(
        &self,
        caller: Allowed<IncidentsWrite>,
        incident: Path<String>,
        body: Json<NewComment>,
    ) -> Answer<Done<IncidentView>> {
        self.change(caller, incident.0, Command::Comment { comment_id: Uuid::now_v7(), text: body.0.text.0 }).await
    }

    /// Take a step of the status machine
    ///
    /// `allowed_actions` of the incident says which are possible; others are 409 with `allowed`.
    #[oai(path = "/incidents/:incident/status", method = "post", operation_id = "changeIncidentStatus")]
    async fn status(
        &self,
        caller: Allowed<IncidentsWrite>,
        incident: Path<String>,
        body: Json<StatusStep>,
    ) -> Answer<Done<IncidentView>> {
        let StatusStep { to, reason, resolution } = body.0;
        let (reason, resolution) = (reason.map(String::from), resolution.map(String::from));
        let step = Transition { to: to.into(), reason, resolution };
        self.change(caller, incident.0, Command::ChangeStatus(step)).await
    }

    /// Open an incident again
    #[oai(path = "/incidents/:incident/reopen", method = "post", operation_id = "reopenIncident")]
    async fn reopen(
        &self,
        caller: Allowed<IncidentsWrite>,
        incident: Path<String>,
        body: Json<Reason>,
    ) -> Answer<Done<IncidentView>> {
        self.change(caller, incident.0, Command::Reopen { reason: body.0.reason.map(String::from) }).await
    }

    /// Say that it was no incident
    #[oai(path = "/incidents/:incident/cancel", method = "post", operation_id = "cancelIncident")]
    async fn cancel(
        &self,
        caller: Allowed<IncidentsWrite>,
        incident: Path<String>,
        body: Json<Reason>,
    ) -> Answer<Done<IncidentView>> {
        self.change(caller, incident.0, Command::Cancel { reason: body.0.reason.map(String::from) }).await
    }

    /// Merge a duplicate into the incident that goes on
    #[oai(path = "/incidents/:incident/merge", method = "post", operation_id = "mergeIncident")]
    async fn merge(
        &self,
        caller: Allowed<IncidentsWrite>,
        incident: Path<String>,
        body: Json<MergeTarget>,
    ) -> Answer<Done<IncidentView>> {
        let caller = within(caller.0, &incident.0).await?;
        let who = caller.clone();
        let decide = move || merge(who.clone(), incident.0.clone(), body.0.into.0.clone());
        done(carry_out(caller, decide).await)
    }

    /// Undo a merge
    #[oai(path = "/incidents/:incident/unmerge", method = "post", operation_id = "unmergeIncident")]
    async fn unmerge(&self, caller: Allowed<IncidentsWrite>, incident: Path<String>) -> Answer<Done<IncidentView>> {
        let caller = within(caller.0, &incident.0).await?;
        let who = caller.clone();
        let decide = move || unmerge(who.clone(), incident.0.clone());
        done(carry_out(caller, decide).await)
    }

    /// An incident's timeline: its own events
    #[oai(path = "/incidents/:incident/timeline", method = "get", operation_id = "getIncidentTimeline")]
    async fn timeline(
        &self,
        caller: Allowed<IncidentsRead>,
        incident: Path<String>,
        /// Events behind this version of the incident; default 0.
        after: Query<Option<i64>>,
        /// At most so many, 1 to 1,000; default 100.
        limit: Query<Option<i64>>,
    ) -> Answer<Shown<EventPage>> {
        let (head, incident) = as_of(&caller.app, &incident.0).await?;
        let limit = super::events::limit(limit.0)?;
        let stream = incidents::stream(incident.id);
        let mut events = read::stream(&caller.app.database, &stream, after.0.unwrap_or(0).max(0), limit).await?;
        events.retain(|event| event.version <= incident.version); // what came after the head is the stream's
        let filter = Filter { permissions: caller.account.permissions.clone(), ..Filter::default() };
        let seen = events.iter().filter(|event| filter.admits(event));
        let next = (events.len() as i64 == limit).then(|| events.last().map(|last| last.version)).flatten();
        Ok(Shown::json(page_json(seen, next), head, caller.known.as_deref()))
    }

    async fn change(
        &self,
        caller: Allowed<IncidentsWrite>,
        name: String,
        command: Command,
    ) -> Answer<Done<IncidentView>> {
        let caller = within(caller.0, &name).await?;
        let who = caller.clone();
        let decide = move || change(who.clone(), name.clone(), command.clone());
        done(carry_out(caller, decide).await)
    }
}

async fn create(caller: Caller, id: Uuid, body: NewIncident) -> Result<Decision, Problem> {
    let events = match incidents::report(&caller.app.database, body.create()).await {
        Ok(Reported::Known(open)) => return Ok(Decision::Unchanged(shown(&open))),
        Ok(Reported::New(events)) => events,
        Err(NotReported::Refused(refusal)) => return Err(refused(refusal)),
        Err(NotReported::Query(error)) => return Err(error.into()),
    };
    let (write, state, incident) = incidents::write(None, id, &events, &caller.cause(), OffsetDateTime::now_utc());
    let mut reply = Reply::new(StatusCode::CREATED, incident.version, &IncidentView::from(&incident));
    reply.location = Some(format!("/api/v1/incidents/{id}"));
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
}

async fn change(caller: Caller, name: String, command: Command) -> Result<Decision, Problem> {
    let incident = named(&caller.app, &name).await?;
    current(&caller, &incident)?;
    let events = decide(Some(&incident), &command).map_err(refused)?;
    if events.is_empty() {
        return Ok(Decision::Unchanged(shown(&incident)));
    }
    let (write, state, after) =
        incidents::write(Some(&incident), incident.id, &events, &caller.cause(), OffsetDateTime::now_utc());
    key_is_free(&caller.app, &incident, &after).await?;
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply: shown(&after) })
}

async fn merge(caller: Caller, source: String, target: String) -> Result<Decision, Problem> {
    let source = named(&caller.app, &source).await?;
    current(&caller, &source)?;
    let target = named(&caller.app, &target).await.map_err(|_missing| {
        Problem::unacceptable("no_such_target", "the incident to merge into does not exist")
            .errors([("/into".to_owned(), "names no incident".to_owned())])
    })?;
    let events = decide_merge(&source, &target).map_err(refused)?;
    both(&caller, &source, &target, events).await
}

async fn unmerge(caller: Caller, source: String) -> Result<Decision, Problem> {
    let source = named(&caller.app, &source).await?;
    current(&caller, &source)?;
    let Some(into) = source.merged_into else { return Ok(Decision::Unchanged(shown(&source))) };
    let target = named(&caller.app, &into.to_string()).await?;
    let events = decide_unmerge(&source, &target).map_err(refused)?;
    both(&caller, &source, &target, events).await
}

/// A merge or its opposite: two streams, one transaction.
async fn both(
    caller: &Caller,
    source: &Incident,
    target: &Incident,
    (of_source, of_target): (Vec<incident::Event>, Vec<incident::Event>),
) -> Result<Decision, Problem> {
    if of_source.is_empty() {
        return Ok(Decision::Unchanged(shown(source)));
    }
    let (cause, now) = (caller.cause(), OffsetDateTime::now_utc());
    let (source_write, source_state, after) = incidents::write(Some(source), source.id, &of_source, &cause, now);
    let (target_write, target_state, _) = incidents::write(Some(target), target.id, &of_target, &cause, now);
    key_is_free(&caller.app, source, &after).await?;
    Ok(Decision::Append {
        writes: vec![source_write, target_write],
        states: vec![source_state, target_state],
        reply: shown(&after),
    })
}

/// Refuses what would make a second open incident with one dedup key.
async fn key_is_free(app: &App, before: &Incident, after: &Incident) -> Result<(), Problem> {
    let held = |incident: &Incident| incident.dedup_key.clone().filter(|_| incident.status.is_open());
    let Some(key) = held(after).filter(|_| held(before) != held(after)) else { return Ok(()) };
    match incidents::find_open(&app.database, &key).await? {
        Some(other) if other.id != after.id => {
            let detail = format!("{} is open and has this dedup_key", other.key());
            Err(Problem::new(StatusCode::CONFLICT, "dedup_key_taken", detail))
        }
        _ => Ok(()),
    }
}

/// An incident by its id or its key.
async fn named(app: &App, name: &str) -> Result<Incident, Problem> {
    incidents::named(&app.database, name).await?.ok_or_else(|| Problem::not_found("there is no such incident"))
}

/// The same, with the position it is true as of.
async fn as_of(app: &App, name: &str) -> Result<(Head, Incident), Problem> {
    let (head, found) = incidents::show(&app.database, name.parse().ok(), incident::number(name)).await?;
    Ok((head, found.ok_or_else(|| Problem::not_found("there is no such incident"))?))
}

/// `If-Match`: the caller decided on what it saw, so it must still be so.
fn current(caller: &Caller, incident: &Incident) -> Result<(), Problem> {
    if caller.expected.is_none_or(|expected| expected == incident.version) {
        return Ok(());
    }
    let detail = format!("the incident has changed: it is at version {} now", incident.version);
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail).current_version(incident.version))
}

fn shown(incident: &Incident) -> Reply {
    Reply::new(StatusCode::OK, incident.version, &IncidentView::from(incident))
}

fn done<const STATUS: u16>(carried: Result<super::command::Carried, Problem>) -> Answer<Done<IncidentView, STATUS>> {
    carried.map(|carried| Done::new(carried.reply, carried.seq, carried.replayed))
}

fn refused(refusal: Refusal) -> Problem {
    let conflict = |code| Problem::new(StatusCode::CONFLICT, code, refusal.to_string());
    match &refusal {
        Refusal::Missing => Problem::not_found(refusal.to_string()),
        Refusal::Exists => conflict("exists"),
        Refusal::Invalid(violations) => {
            Problem::unacceptable("invalid", "the input is not acceptable: errors says why")
                .errors(violations.iter().map(|violation| (violation.pointer.clone(), violation.message.clone())))
        }
        Refusal::IllegalTransition { allowed, .. } => {
            conflict("illegal_transition").allowed(allowed.iter().map(|action| action.as_str()))
        }
        Refusal::Merged { .. } => conflict("merged").allowed(["comment", "unmerge"]),
        Refusal::MergeIntoItself
        | Refusal::MergeIntoMerged { .. }
        | Refusal::MergeIntoEnded { .. }
        | Refusal::MergeIntoFull => conflict("merge_refused"),
    }
}
