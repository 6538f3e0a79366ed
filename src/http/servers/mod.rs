//! Servers: commands, the list, and tests on demand.

mod filters;
mod list;
mod measures;
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
use super::command::{Carried, Decision, carry_out};
use super::problem::Problem;
use crate::domain::permission::{ServersRead, ServersWrite};
use crate::domain::server::{Command, Event, Refusal, Server, Status, Window, decide, limits};
use crate::log::Head;
use crate::servers;
pub use filters::Filters;
pub use measures::Measures;
use view::{CredentialReference, NewServer, NewWindow, ServerChanges, ServerPage, ServerView, TestView, Why};

#[derive(Tags)]
enum Tag {
    /// What there is, and whether it answers.
    Servers,
}

/// The operations on servers.
pub struct Servers;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Servers")]
impl Servers {
    /// Enter a server into the inventory
    ///
    /// Its status is `pending` until it has been tested, which is at once unless `check` says otherwise.
    #[oai(path = "/servers", method = "post", operation_id = "createServer")]
    async fn create(&self, caller: Allowed<ServersWrite>, body: Json<NewServer>) -> Answer<Done<ServerView, 201>> {
        let (who, body) = (caller.clone(), body.0);
        let id = Uuid::now_v7();
        let decide = move || create(who.clone(), id, body.clone());
        done(carry_out(caller.0, decide).await)
    }

    /// List servers, by name
    ///
    /// The answer is true as of `Signalbox-Seq`: open the stream after it and miss nothing.
    #[oai(path = "/servers", method = "get", operation_id = "listServers")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn list(
        &self,
        caller: Allowed<ServersRead>,
        /// Repeat it to ask for any of several.
        status: Query<Option<Vec<view::Status>>>,
        /// `key:value`; repeat it to ask for several at once.
        label: Query<Option<Vec<String>>>,
        /// Words in name, host or description.
        q: Query<Option<String>>,
        /// The name of a filter that you keep; what else the query asks for goes before it.
        filter: Query<Option<String>>,
        /// List the deleted ones instead.
        deleted: Query<Option<bool>>,
        /// Rows of a page, 1 to 200; default 50.
        limit: Query<Option<i64>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<ServerPage>> {
        caller.app.seen(min_seq.0).await?;
        let kept = filters::kept(&caller, filter.0.as_deref()).await?;
        let asked = status.0.map(|any| any.into_iter().map(Status::from).collect::<Vec<_>>());
        let status = asked.or(Some(kept.status)).filter(|any| !any.is_empty());
        let filter = list::Filter {
            status: status.map(|any| any.into_iter().map(Status::as_str).collect()),
            labels: label.0.map_or(Ok(kept.labels), |pairs| list::labels(&pairs))?,
            words: q.0.or(kept.words),
            deleted: deleted.0.unwrap_or(false),
        };
        let (items, head) = list::page(&caller.app.database, &filter, limit.0, cursor.0.as_deref()).await?;
        Ok(Shown::bytes_of(&items, head, caller.known.as_deref()))
    }

    /// Show a server
    #[oai(path = "/servers/:server", method = "get", operation_id = "getServer")]
    async fn show(
        &self,
        caller: Allowed<ServersRead>,
        /// Its id, or the name of one that is not deleted.
        server: Path<String>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<ServerView>> {
        caller.app.seen(min_seq.0).await?;
        let (head, server) = as_of(&caller.app, &server.0).await?;
        Ok(Shown::version(&ServerView::from(&server), server.version, head, caller.known.as_deref()))
    }

    /// Change a server's facts
    ///
    /// Another host, port or method makes the status `pending` until it has been tested.
    #[oai(path = "/servers/:server", method = "patch", operation_id = "updateServer")]
    async fn update(
        &self,
        caller: Allowed<ServersWrite>,
        server: Path<String>,
        body: Json<ServerChanges>,
    ) -> Answer<Done<ServerView>> {
        self.change(caller.0, server.0, Command::Update(body.0.update())).await
    }

    /// Take a server out of the inventory
    ///
    /// Its past stays, it is not tested any more, and its name is free.
    #[oai(path = "/servers/:server/delete", method = "post", operation_id = "deleteServer")]
    async fn delete(
        &self,
        caller: Allowed<ServersWrite>,
        server: Path<String>,
        body: Json<Why>,
    ) -> Answer<Done<ServerView>> {
        self.change(caller.0, server.0, Command::Delete { reason: body.0.reason.map(String::from) }).await
    }

    /// Take a deleted server into the inventory again
    #[oai(path = "/servers/:server/restore", method = "post", operation_id = "restoreServer")]
    async fn restore(
        &self,
        caller: Allowed<ServersWrite>,
        server: Path<String>,
        body: Json<Why>,
    ) -> Answer<Done<ServerView>> {
        self.change(caller.0, server.0, Command::Restore { reason: body.0.reason.map(String::from) }).await
    }

    /// Plan a maintenance window
    ///
    /// While it is open the status is `maintenance`, and nothing is tested.
    #[oai(path = "/servers/:server/maintenance", method = "post", operation_id = "scheduleMaintenance")]
    async fn schedule(
        &self,
        caller: Allowed<ServersWrite>,
        server: Path<String>,
        body: Json<NewWindow>,
    ) -> Answer<Done<ServerView>> {
        let NewWindow { starts_at, ends_at, reason } = body.0;
        let starts_at = starts_at.unwrap_or_else(OffsetDateTime::now_utc);
        let window = Window { id: Uuid::now_v7(), starts_at, ends_at, reason: reason.map(String::from) };
        self.change(caller.0, server.0, Command::Schedule(window)).await
    }

    /// End a maintenance window before its time, or cancel one to come
    #[oai(path = "/servers/:server/maintenance/:window/end", method = "post", operation_id = "endMaintenance")]
    async fn end(
        &self,
        caller: Allowed<ServersWrite>,
        server: Path<String>,
        window: Path<Uuid>,
        body: Json<Why>,
    ) -> Answer<Done<ServerView>> {
        let reason = body.0.reason.map(String::from);
        self.change(caller.0, server.0, Command::EndMaintenance { window: window.0, reason }).await
    }

    /// Say where a server's credential is kept
    ///
    /// Write-only: no answer and no event shows the reference.
    #[oai(path = "/servers/:server/credential", method = "put", operation_id = "setServerCredential")]
    async fn set_credential(
        &self,
        caller: Allowed<ServersWrite>,
        server: Path<String>,
        body: Json<CredentialReference>,
    ) -> Answer<Done<ServerView>> {
        let reference = body.0.reference.0;
        limits::credential(&reference).map_err(refused)?;
        let who = caller.clone();
        let decide = move || credential(who.clone(), server.0.clone(), Some(reference.clone()));
        done(carry_out(caller.0, decide).await)
    }

    /// Forget where a server's credential is kept
    #[oai(path = "/servers/:server/credential", method = "delete", operation_id = "removeServerCredential")]
    async fn remove_credential(&self, caller: Allowed<ServersWrite>, server: Path<String>) -> Answer<Done<ServerView>> {
        let who = caller.clone();
        let decide = move || credential(who.clone(), server.0.clone(), None);
        done(carry_out(caller.0, decide).await)
    }

    /// Test the connection to a server, now
    ///
    /// The answer comes with the test's end, within `timeout_s` of its check. The test decides the status at once,
    /// without the retries that periodic ones have; during maintenance it only tells.
    #[oai(path = "/servers/:server/test", method = "post", operation_id = "testServer")]
    async fn test(&self, caller: Allowed<ServersWrite>, server: Path<String>) -> Answer<Done<TestView>> {
        let who = caller.clone();
        let decide = move || test(who.clone(), server.0.clone());
        let carried = carry_out(caller.0, decide).await?;
        Ok(Done::new(carried.reply, carried.seq, carried.replayed))
    }

    async fn change(&self, caller: Caller, name: String, command: Command) -> Answer<Done<ServerView>> {
        let who = caller.clone();
        let decide = move || change(who.clone(), name.clone(), command.clone());
        done(carry_out(caller, decide).await)
    }
}

async fn create(caller: Caller, id: Uuid, body: NewServer) -> Result<Decision, Problem> {
    let facts = body.facts();
    let (name, host) = (facts.name.clone(), facts.host.clone());
    let now = OffsetDateTime::now_utc();
    let events = decide(None, &Command::Create(facts), now).map_err(refused)?;
    reachable(&caller.app, &host)?;
    name_is_free(&caller.app, &name, id).await?;
    let (write, state, server) = servers::write(None, id, &events, &caller.cause(), now);
    let mut reply = Reply::new(StatusCode::CREATED, server.version, &ServerView::from(&server));
    reply.location = Some(format!("/api/v1/servers/{id}"));
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
}

async fn change(caller: Caller, name: String, command: Command) -> Result<Decision, Problem> {
    let (_, server) = as_of(&caller.app, &name).await?;
    current(&caller, &server)?;
    let now = OffsetDateTime::now_utc();
    let events = decide(Some(&server), &command, now).map_err(refused)?;
    if events.is_empty() {
        return Ok(Decision::Unchanged(shown(&server)));
    }
    let (write, state, after) = servers::write(Some(&server), server.id, &events, &caller.cause(), now);
    if after.host != server.host {
        reachable(&caller.app, &after.host)?;
    }
    if after.name != server.name || after.deleted != server.deleted && !after.deleted {
        name_is_free(&caller.app, &after.name, after.id).await?;
    }
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply: shown(&after) })
}

async fn credential(caller: Caller, name: String, reference: Option<String>) -> Result<Decision, Problem> {
    let (_, server) = as_of(&caller.app, &name).await?;
    current(&caller, &server)?;
    let now = OffsetDateTime::now_utc();
    let command = Command::SetCredential { present: reference.is_some() };
    let events = decide(Some(&server), &command, now).map_err(refused)?;
    if events.is_empty() {
        return Ok(Decision::Unchanged(shown(&server)));
    }
    let (write, state, after) = servers::write(Some(&server), server.id, &events, &caller.cause(), now);
    let kept = servers::credential(server.id, reference.as_deref());
    Ok(Decision::Append { writes: vec![write], states: vec![state, kept], reply: shown(&after) })
}

async fn test(caller: Caller, name: String) -> Result<Decision, Problem> {
    let (_, server) = as_of(&caller.app, &name).await?;
    current(&caller, &server)?;
    if server.deleted {
        return Err(refused(Refusal::Deleted));
    }
    let busy = || Problem::unavailable("busy", "as many tests as may are under way; none was begun", 2);
    let turn = caller.app.checker.turn().ok_or_else(busy)?;
    let finding = servers::test(&caller.app.egress, &server).await;
    drop(turn);
    servers::keep_measure(&caller.app.database, server.id, &finding).await?;
    let now = OffsetDateTime::now_utc();
    let observed = Command::Observe { answers: finding.answers, message: finding.message.clone() };
    let events: Vec<Event> = decide(Some(&server), &observed, now).map_err(refused)?;
    let told = |server: &Server| Reply::new(StatusCode::OK, server.version, &TestView::of(&finding, server));
    if events.is_empty() {
        return Ok(Decision::Unchanged(told(&server)));
    }
    let (write, state, after) = servers::write(Some(&server), server.id, &events, &caller.cause(), now);
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply: told(&after) })
}

/// Refuses a host that no test could ever reach. What a name resolves to is looked at when it is tested.
fn reachable(app: &App, host: &str) -> Result<(), Problem> {
    app.egress.check(host).map_err(|refused| {
        Problem::unacceptable("host_refused", refused.to_string()).errors([("/host".to_owned(), refused.to_string())])
    })
}

/// The index `servers_name` decides; this says it in words, and before anything is drawn or appended.
async fn name_is_free(app: &App, name: &str, id: Uuid) -> Result<(), Problem> {
    match servers::show(&app.database, None, Some(name)).await? {
        (_, Some(other)) if other.id != id => {
            let detail = format!("there is a server called {}", other.name);
            Err(Problem::new(StatusCode::CONFLICT, "name_taken", detail))
        }
        _ => Ok(()),
    }
}

/// A server by its id or its name, with the position it is true as of.
async fn as_of(app: &App, name: &str) -> Result<(Head, Server), Problem> {
    let id = name.parse().ok();
    let (head, found) = servers::show(&app.database, id, id.is_none().then_some(name)).await?;
    Ok((head, found.ok_or_else(|| Problem::not_found("there is no such server"))?))
}

/// `If-Match`: the caller decided on what it saw, so it must still be so.
fn current(caller: &Caller, server: &Server) -> Result<(), Problem> {
    if caller.expected.is_none_or(|expected| expected == server.version) {
        return Ok(());
    }
    let detail = format!("the server has changed: it is at version {} now", server.version);
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail).current_version(server.version))
}

fn shown(server: &Server) -> Reply {
    Reply::new(StatusCode::OK, server.version, &ServerView::from(server))
}

fn done<const STATUS: u16>(carried: Result<Carried, Problem>) -> Answer<Done<ServerView, STATUS>> {
    carried.map(|carried| Done::new(carried.reply, carried.seq, carried.replayed))
}

fn refused(refusal: Refusal) -> Problem {
    let conflict = |code| Problem::new(StatusCode::CONFLICT, code, refusal.to_string());
    match &refusal {
        Refusal::Missing => Problem::not_found(refusal.to_string()),
        Refusal::Exists => conflict("exists"),
        Refusal::Deleted => conflict("deleted").allowed(["restore"]),
        Refusal::NoSuchWindow => Problem::not_found(refusal.to_string()),
        Refusal::Invalid(violations) => {
            Problem::unacceptable("invalid", "the input is not acceptable: errors says why")
                .errors(violations.iter().map(|violation| (violation.pointer.clone(), violation.message.clone())))
        }
    }
}
