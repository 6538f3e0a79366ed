//! Servers between the rules and the log, and the one that goes round and tests them.

mod checker;
mod connection;
mod ssh;

use time::OffsetDateTime;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::domain::permission::{SERVERS_READ, USERS_READ};
use crate::domain::server::report::{REPORTED, Reported};
use crate::domain::server::saved::{self, Filters};
use crate::domain::server::{Event, Meta, Server, evolve};
use crate::log::{Cause, Head, NewEvent, State, Write, stamp};
use crate::postgres::{Database, QueryError};

pub use checker::Checker;
pub use connection::{Finding, test};
pub use ssh::Peer;

/// The name of a server's stream.
pub fn stream(id: Uuid) -> String {
    format!("server/{id}")
}

/// What to append and what to store after `events` were decided on `before`, and the server after them.
///
/// `before` is `None` for a new server, whose stream must then not exist yet.
///
/// # Panics
/// When there is neither a server nor an event.
pub fn write(
    before: Option<&Server>,
    id: Uuid,
    events: &[Event],
    cause: &Cause,
    occurred_at: OffsetDateTime,
) -> (Write, State, Server) {
    let occurred_at = stamp::micros(occurred_at);
    let meta = Meta { stream_id: id, actor: cause.actor.clone(), occurred_at };
    let after = events.iter().fold(before.cloned(), |server, event| Some(evolve(server, event, &meta)));
    let after = after.expect("a write of a server has events");
    let new = |event: &Event| NewEvent {
        id: Uuid::now_v7(),
        kind: event.kind(),
        data: event.data(),
        occurred_at,
        permissions: &[SERVERS_READ],
    };
    let write = Write {
        stream: stream(id),
        expected: Some(before.map_or(0, |server| server.version)),
        events: events.iter().map(new).collect(),
    };
    let state = State { kind: "server", json: json(&after) };
    (write, state, after)
}

/// As it is stored; a rebuild gives the same bytes.
pub fn json(server: &Server) -> String {
    // Text, numbers and times: nothing in it can fail to serialise.
    serde_json::to_string(server).unwrap_or_default()
}

/// The reference to a server's credential, or that there is none any more: stored beside the log, never in it.
pub fn credential(server: Uuid, reference: Option<&str>) -> State {
    let json = serde_json::json!({ "server_id": server, "reference": reference });
    State { kind: "server_credential", json: json.to_string() }
}

/// What to append and what to add up for a report. Reports of one server are in no particular order, so any version
/// of their stream will do.
pub fn report(server: Uuid, reported: &Reported, at: OffsetDateTime) -> (Write, State) {
    let at = stamp::micros(at);
    let data = serde_json::to_value(reported).unwrap_or_default(); // finite numbers
    let mut sum = data.clone();
    sum["server_id"] = serde_json::json!(server);
    sum["at"] = serde_json::json!(stamp::text(at));
    let event = NewEvent { id: Uuid::now_v7(), kind: REPORTED, data, occurred_at: at, permissions: &[SERVERS_READ] };
    let write = Write { stream: format!("server-metrics/{server}"), expected: None, events: vec![event] };
    (write, State { kind: "server_utilization", json: sum.to_string() })
}

/// What to append and what to store when something happens to a user's filters, and the filters after it.
pub fn filters_write(before: Filters, event: &saved::Event) -> (Write, State, Filters) {
    let happened = NewEvent {
        id: Uuid::now_v7(),
        kind: event.kind(),
        data: event.data(),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[USERS_READ],
    };
    let stream = format!("server-filters/{}", before.user);
    let write = Write { stream, expected: Some(before.version), events: vec![happened] };
    let after = before.after(event);
    let state = State { kind: "server_filters", json: filters_json(&after) };
    (write, state, after)
}

/// As they are stored; a rebuild gives the same bytes.
pub fn filters_json(filters: &Filters) -> String {
    serde_json::to_string(filters).unwrap_or_default() // text
}

/// One server by its id or else its name, and the position it is true as of. A name is that of a server that is
/// not deleted.
///
/// # Errors
/// The database did not answer.
pub async fn show(
    database: &Database,
    id: Option<Uuid>,
    name: Option<&str>,
) -> Result<(Head, Option<Server>), QueryError> {
    let row = database.query_one(include_str!("../../sql/queries/server_show.sql"), &[&id, &name]).await?;
    let state: Option<Json<Server>> = row.try_get("state")?;
    Ok((Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? }, state.map(|Json(server)| server)))
}

/// The filters that a user keeps.
///
/// # Errors
/// The database did not answer.
pub async fn filters(database: &Database, user: Uuid) -> Result<(Head, Filters), QueryError> {
    let row = database.query_one(include_str!("../../sql/queries/server_filters_find.sql"), &[&user]).await?;
    let state: Option<Json<Filters>> = row.try_get("state")?;
    let head = Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? };
    Ok((head, state.map_or_else(|| Filters::of(user), |Json(filters)| filters)))
}

/// Keeps what a test on demand measured.
///
/// # Errors
/// The database did not answer.
pub async fn keep_measure(database: &Database, server: Uuid, finding: &Finding) -> Result<(), QueryError> {
    let sql = include_str!("../../sql/queries/server_probed.sql");
    let (connect, handshake) = (finding.connect_us(), finding.handshake_us());
    database.query(sql, &[&server, &finding.answers, &connect, &handshake]).await.map(|_none| ())
}

/// Drops measurements past their day and roll-ups past their 30 days. Returns how many.
///
/// # Errors
/// The database did not answer.
pub async fn forget_measures(database: &Database) -> Result<usize, QueryError> {
    Ok(database.query(include_str!("../../sql/queries/server_measures_forget.sql"), &[]).await?.len())
}
