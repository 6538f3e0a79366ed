//! The log over plain HTTP: the stream's polling twin, single events, and the registry.

use std::time::Duration;

use poem::http::StatusCode;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Any;
use poem_openapi::{Enum, Object, OpenApi, Tags};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;
use uuid::Uuid;

use super::App;
use super::allowed::Allowed;
use super::answer::{Answer, Shown};
use super::logs::Level;
use super::page;
use super::problem::Problem;
use crate::domain::logs;
use crate::domain::permission::Anyone;
use crate::hub::{Cursor, Facts, Filter, Reset};
use crate::log::{Event, Fallback, hex, read};
use crate::postgres::Database;

/// Events of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 100;
/// Longest a poll may wait, in seconds.
const MOST_WAIT_S: u64 = 30;

#[derive(Tags)]
pub(super) enum Tag {
    /// Everything that happened, in order.
    Events,
}

/// The operations on the log.
pub struct Events;

/// An event, as the stream shows it.
#[derive(Debug, Clone, Object)]
#[oai(rename = "Event")]
pub struct EventView {
    /// Place in the log, from 1, without gaps, in commit order.
    seq: i64,
    /// UUIDv7.
    id: Uuid,
    /// The aggregate, such as `incident/0198…`.
    stream: String,
    /// Place in its stream, from 1, without gaps.
    version: i64,
    /// Registered type name.
    #[oai(rename = "type")]
    kind: String,
    /// The type's own facts; `GET /api/v1/event-types` has their schema.
    data: Any<Value>,
    /// Who did it.
    actor: ActorView,
    /// Any one of these lets a reader see it; none: everybody may.
    permissions: Vec<String>,
    /// Collaboration session the command named.
    session_id: Option<String>,
    /// Shared by all of one story: what one command, schedule or check began.
    correlation_id: Uuid,
    /// The event that led to it.
    causation_id: Option<Uuid>,
    /// W3C trace id.
    trace_id: Option<String>,
    /// When it happened, by the reporter's clock.
    occurred_at: OffsetDateTime,
    /// When it was recorded, by the database's clock; never goes backwards along `seq`.
    recorded_at: OffsetDateTime,
}

/// Who did it.
#[derive(Debug, Clone, Object)]
#[oai(rename = "Actor")]
pub struct ActorView {
    /// `user:<uuid>` or `system:<part>`.
    id: String,
    /// As they were called then.
    name: String,
}

/// A page of events.
#[derive(Debug, Object)]
pub struct EventPage {
    /// In order; at most `limit`.
    items: Vec<EventView>,
    /// Ask for what is behind this position next. Events that are not for you are counted here too.
    /// Absent at the end of a list that ends.
    next: Option<i64>,
}

/// One event with its hash.
#[derive(Debug, Object)]
pub struct ProvenEvent {
    /// The event.
    event: Any<Value>,
    /// RFC 6962 leaf hash, hexadecimal; openapi/proofs.md says of what.
    leaf_hash: String,
}

/// A registered type of event.
#[derive(Debug, Object)]
#[oai(rename = "EventType")]
pub struct EventTypeView {
    /// Such as `incident.status.changed`.
    name: String,
    /// For people.
    description: String,
    /// Any one of these lets a reader see events of this type.
    permissions: Vec<String>,
    /// JSON Schema (2020-12) of `data`.
    schema: Any<Value>,
    /// Stored in the log.
    persistence: bool,
    /// Sent to streams.
    broadcast: bool,
    /// Never held back to be sent together with others.
    critical: bool,
    /// Repetitions within so many milliseconds are not sent to streams; 0: all are.
    debounce_ms: u32,
    /// What an event means for a client that shows the resource its stream names: `patch`, its `data` say all that
    /// changed; `invalidate`, load the resource again.
    fallback: FallbackView,
    /// So many seconds after it was recorded, an event keeps its place and its hash, and its `data` become
    /// `{"data_hash", "expired": true}`; null: they stay.
    ttl_s: Option<u32>,
}

/// How a client keeps what it shows current.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename = "Fallback", rename_all = "lowercase")]
#[allow(missing_docs)] // the field says what each is
pub enum FallbackView {
    Patch,
    Invalidate,
}

/// All registered types.
#[derive(Debug, Object)]
pub struct EventTypes {
    /// By name.
    items: Vec<EventTypeView>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Events")]
impl Events {
    /// Read events behind a position
    ///
    /// The polling twin of the stream: the same events, in the same order, with the same filters and rights.
    /// 410 where the stream says `reset`.
    #[oai(path = "/events", method = "get", operation_id = "listEvents")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn list(
        &self,
        caller: Allowed<Anyone>,
        /// The last position you have; default 0, the beginning.
        after: Query<Option<i64>>,
        /// The history that position belongs to.
        epoch: Query<Option<Uuid>>,
        /// Type names, also families such as `incident.*`; separated by commas.
        types: Query<Option<String>>,
        /// One aggregate's stream.
        stream: Query<Option<String>>,
        /// One collaboration session.
        session: Query<Option<String>>,
        /// Whose data name this `server`.
        server: Query<Option<String>>,
        /// Whose data name this `execution`.
        execution: Query<Option<Uuid>>,
        /// With log lines at least as bad.
        level: Query<Option<Level>>,
        /// At most so many, 1 to 1,000; default 100.
        limit: Query<Option<i64>>,
        /// Wait so many seconds, 0 to 30, when there is nothing yet.
        wait: Query<Option<u64>>,
    ) -> Answer<Shown<EventPage>> {
        let limit = self::limit(limit.0)?;
        let wait_s = wait.0.unwrap_or(0);
        if wait_s > MOST_WAIT_S {
            return Err(Problem::bad_request("invalid_parameter", format!("wait is 0 to {MOST_WAIT_S} seconds")));
        }
        let facts = facts(server.0, execution.0, level.0);
        let filter = filter(&caller.app, types.0.as_deref(), stream.0, session.0, facts)?;
        let filter = filter.within(&caller.account.permissions);
        let after = position(after.0)?;
        let cursor = Cursor { after: Some(after), epoch: epoch.0 };
        let head = read::head(&caller.app.database).await?;
        if let Some(reason) = cursor.refused_by(head) {
            return Err(gone(reason));
        }
        // Whatever is committed from here on moves the hub beyond this page.
        let (mut items, mut next) = page(&caller.app, after, limit, &filter).await?;
        if items.is_empty() && wait_s > 0 {
            let wait = async {
                while items.is_empty() {
                    caller.app.hub.reached(next + 1).await;
                    (items, next) = page(&caller.app, next, limit, &filter).await?;
                }
                Ok::<_, Problem>(())
            };
            tokio::select! {
                waited = timeout(Duration::from_secs(wait_s), wait) => waited.unwrap_or(Ok(()))?,
                () = caller.app.stop.cancelled() => {}
            }
        }
        let head = crate::log::Head { seq: head.seq.max(next), ..head };
        Ok(Shown::json(page_json(items.iter(), Some(next)), head, caller.known.as_deref()))
    }

    /// Show one event with its hash
    #[oai(path = "/events/:seq", method = "get", operation_id = "getEvent")]
    async fn show(
        &self,
        caller: Allowed<Anyone>,
        /// Its place in the log.
        seq: Path<i64>,
    ) -> Answer<Shown<ProvenEvent>> {
        let filter = Filter { permissions: caller.account.permissions.clone(), ..Filter::default() };
        let head = read::head(&caller.app.database).await?;
        let event = find(&caller.app.database, seq.0, &filter).await?;
        let shown = ProvenEvent {
            event: Any(serde_json::from_str(&event.json()).unwrap_or_default()),
            leaf_hash: hex(&event.leaf_hash),
        };
        Ok(Shown::bytes_of(&shown, head, caller.known.as_deref()))
    }

    /// List the registered types of events
    #[oai(path = "/event-types", method = "get", operation_id = "listEventTypes")]
    async fn types(&self, caller: Allowed<Anyone>) -> Answer<Shown<EventTypes>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let view = |kind: &crate::log::EventType| EventTypeView {
            name: kind.name.to_owned(),
            description: kind.description.to_owned(),
            permissions: owned(kind.permissions),
            schema: Any(kind.schema.clone()),
            persistence: kind.persistence,
            broadcast: kind.broadcast,
            critical: kind.critical,
            debounce_ms: kind.debounce_ms,
            fallback: match kind.fallback {
                Fallback::Patch => FallbackView::Patch,
                Fallback::Invalidate => FallbackView::Invalidate,
            },
            ttl_s: kind.ttl_s,
        };
        let types = EventTypes { items: caller.app.registry.all().map(view).collect() };
        Ok(Shown::bytes_of(&types, caller.app.hub.head(), caller.known.as_deref()))
    }
}

/// One event. What one may not see is no different from what is not there.
pub(super) async fn find(database: &Database, seq: i64, filter: &Filter) -> Result<Event, Problem> {
    let before = seq.checked_sub(1).filter(|before| *before >= 0);
    let found = match before {
        Some(before) => read::after(database, before, 1).await?,
        None => Vec::new(),
    };
    let event = found.into_iter().find(|event| event.seq == seq && filter.admits(event));
    event.ok_or_else(|| Problem::not_found("there is no such event"))
}

/// One page of the log, filtered, and the position behind it.
async fn page(app: &App, after: i64, limit: i64, filter: &Filter) -> Result<(Vec<Event>, i64), Problem> {
    let mut events = read::after(&app.database, after, limit).await?;
    let next = events.last().map_or(after, |last| last.seq);
    events.retain(|event| filter.admits(event));
    Ok((events, next))
}

/// What a reader asks for; without any rights yet.
pub(super) fn filter(
    app: &App,
    types: Option<&str>,
    stream: Option<String>,
    session: Option<String>,
    facts: Facts,
) -> Result<Filter, Problem> {
    let mut filter = Filter { stream, session, facts, ..Filter::default() };
    for pattern in types.into_iter().flat_map(|types| types.split(',')).map(str::trim) {
        let names = app.registry.matching(pattern);
        if names.is_empty() {
            let detail = "types names a type that is not registered; GET /api/v1/event-types lists them";
            return Err(Problem::bad_request("unknown_event_type", detail)
                .errors([("query/types".to_owned(), format!("no such type: {}", printable(pattern)))]));
        }
        filter.types.extend(names);
    }
    Ok(filter)
}

/// What a reader asks of events' data.
pub(super) fn facts(server: Option<String>, execution: Option<Uuid>, level: Option<Level>) -> Facts {
    let levels = level.into_iter().flat_map(|level| logs::Level::from(level).or_worse()).map(logs::Level::as_str);
    Facts { server, execution: execution.map(|id| id.to_string()), levels: levels.collect() }
}

/// A client's text within a message: short, and nothing that moves a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(80).collect()
}

/// The problem that a stream's `reset` is here.
pub(super) fn gone(reason: Reset) -> Problem {
    let detail = match reason {
        Reset::Future => "this position lies behind the end of the log; load the state anew",
        Reset::Epoch => "this position belongs to another history of the log; load the state anew",
    };
    Problem::new(StatusCode::GONE, "cursor_gone", detail)
}

/// A position that a client sends: a number from 0 on.
pub(super) fn position(after: Option<i64>) -> Result<i64, Problem> {
    let after = after.unwrap_or(0);
    match after {
        0.. => Ok(after),
        _ => Err(Problem::bad_request("invalid_cursor", "a position is a whole number from 0 on")),
    }
}

/// A page's size.
pub(super) fn limit(limit: Option<i64>) -> Result<i64, Problem> {
    page::limit(limit, DEFAULT_LIMIT, read::PAGE_EVENTS)
}

/// Bytes of events' data.
pub(super) fn bytes(events: &[Event]) -> i64 {
    events.iter().map(|event| event.data.get().len() as i64).sum()
}

/// An [`EventPage`] in the bytes that the stream sends for the same events.
pub(super) fn page_json<'a>(events: impl Iterator<Item = &'a Event>, next: Option<i64>) -> String {
    let items: Vec<String> = events.map(Event::json).collect();
    let next = next.map_or_else(String::new, |next| format!(",\"next\":{next}"));
    format!("{{\"items\":[{}]{next}}}", items.join(","))
}
