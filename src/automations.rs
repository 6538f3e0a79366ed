//! Automations between the rules and the log: decided events as writes, stored states as runbooks and executions.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::json;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use crate::domain::automation::execution::{self, Execution};
use crate::domain::automation::runbook::{self, Runbook};
use crate::domain::permission::AUTOMATIONS_READ;
use crate::log::{Cause, Event, Head, NewEvent, State, Write, sha256, stamp};
use crate::postgres::{Database, QueryError};

/// Executions of one runbook that may wait or run; what comes on top is refused, or skipped by a trigger.
pub const WAITING_MOST: i64 = 100;
/// Executions in a row, each started by an event of the one before. Rules that start each other are stopped here.
pub const CHAIN_MOST: i32 = 8;
/// Executions of one story in all. Rules that start several each are stopped here.
pub const FOLLOWING_MOST: i64 = 64;
/// Of events of executions, before the id of theirs.
pub const ACTOR: &str = "automation:";

/// The name of a runbook's stream.
pub fn runbook_stream(id: Uuid) -> String {
    format!("runbook/{id}")
}

/// The name of an execution's stream.
pub fn execution_stream(id: Uuid) -> String {
    format!("execution/{id}")
}

/// What to append and store after `events` were decided on `before`, and the runbook after them.
pub fn write_runbook(
    before: Option<&Runbook>,
    id: Uuid,
    events: &[runbook::Event],
    cause: &Cause,
    now: OffsetDateTime,
) -> (Write, State, Option<Runbook>) {
    let now = stamp::micros(now);
    let after =
        events.iter().fold(before.cloned(), |runbook, event| runbook::evolve(runbook, id, event, &cause.actor, now));
    let events = events.iter().map(|event| new(event.kind(), event.data(), now)).collect();
    let expected = Some(before.map_or(0, |runbook| runbook.version));
    let state = State { kind: "runbook", json: text(&after) };
    (Write { stream: runbook_stream(id), expected, events }, state, after)
}

/// The same for an execution.
pub fn write_execution(
    before: Option<&Execution>,
    id: Uuid,
    events: &[execution::Event],
    cause: &Cause,
    now: OffsetDateTime,
) -> (Write, State, Option<Execution>) {
    let now = stamp::micros(now);
    let after = events
        .iter()
        .fold(before.cloned(), |execution, event| execution::evolve(execution, id, event, &cause.actor, now));
    let events = events.iter().map(|event| new(event.kind(), event.data(), now)).collect();
    let expected = Some(before.map_or(0, |execution| execution.version));
    let state = State { kind: "execution", json: text(&after) };
    (Write { stream: execution_stream(id), expected, events }, state, after)
}

fn new(kind: &'static str, data: serde_json::Value, occurred_at: OffsetDateTime) -> NewEvent {
    NewEvent { id: Uuid::now_v7(), kind, data, occurred_at, permissions: &[AUTOMATIONS_READ] }
}

/// As it is stored; a rebuild gives the same bytes.
fn text<T: serde::Serialize>(state: &Option<T>) -> String {
    serde_json::to_string(state).unwrap_or_default() // text, numbers and JSON: nothing in it can fail
}

/// Secrets as they are kept beside the log until the execution ends.
pub fn secret_states(execution: Uuid, secrets: &BTreeMap<String, String>) -> Vec<State> {
    let state = |(name, value): (&String, &String)| State {
        kind: "execution_secret",
        json: json!({ "execution_id": execution, "name": name, "value": value }).to_string(),
    };
    secrets.iter().map(state).collect()
}

/// A state that stores nothing and lets the append happen only while the lease is this one.
pub fn fence(execution: Uuid, token: i64) -> State {
    State { kind: "execution_fence", json: json!({ "execution_id": execution, "token": token }).to_string() }
}

/// The id of the execution that something starts once and no more, such as one time of a schedule: whoever starts
/// it, it is the same, and the second append of its first event is refused.
pub fn execution_id_of(what: &str) -> Uuid {
    let hash = sha256(what.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

/// One runbook as it is now.
///
/// # Errors
/// The database did not answer.
pub async fn find_runbook(database: &Database, id: Uuid) -> Result<Option<Runbook>, QueryError> {
    one(database, include_str!("../sql/queries/runbook_find.sql"), &[&id]).await
}

/// One execution as it is now.
///
/// # Errors
/// The database did not answer.
pub async fn find_execution(database: &Database, id: Uuid) -> Result<Option<Execution>, QueryError> {
    one(database, include_str!("../sql/queries/execution_find.sql"), &[&id]).await
}

/// One runbook, and the position that is true as of.
///
/// # Errors
/// The database did not answer.
pub async fn show_runbook(database: &Database, id: Uuid) -> Result<(Head, Option<Runbook>), QueryError> {
    shown(database, include_str!("../sql/queries/runbook_show.sql"), id).await
}

/// One execution, and the position that is true as of.
///
/// # Errors
/// The database did not answer.
pub async fn show_execution(database: &Database, id: Uuid) -> Result<(Head, Option<Execution>), QueryError> {
    shown(database, include_str!("../sql/queries/execution_show.sql"), id).await
}

/// Executions of a runbook that have not ended.
///
/// # Errors
/// The database did not answer.
pub async fn waiting(database: &Database, runbook: Uuid) -> Result<i64, QueryError> {
    Ok(database.query_one(include_str!("../sql/queries/executions_waiting.sql"), &[&runbook]).await?.get(0))
}

/// How deep in a chain an execution would be that this event starts, and how many there are in the chain.
///
/// What a person does begins a chain; the rest is found by who did it, or else by the correlation id.
///
/// # Errors
/// The database did not answer.
pub async fn chain(database: &Database, event: &Event) -> Result<(i32, i64), QueryError> {
    if event.actor.id.starts_with("user:") {
        return Ok((0, 0));
    }
    let parent: Option<Uuid> = event.actor.id.strip_prefix(ACTOR).and_then(|id| id.parse().ok());
    let sql = include_str!("../sql/queries/executions_chain.sql");
    let row = database.query_one(sql, &[&event.correlation_id, &event.seq, &parent]).await?;
    Ok((row.try_get("depth")?, row.try_get("following")?))
}

/// The secrets of an execution that has not ended.
///
/// # Errors
/// The database did not answer.
pub async fn secrets(database: &Database, execution: Uuid) -> Result<BTreeMap<String, String>, QueryError> {
    let rows = database.query(include_str!("../sql/queries/execution_secrets.sql"), &[&execution]).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("value")?))).collect()
}

async fn one<T: DeserializeOwned>(
    database: &Database,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Option<T>, QueryError> {
    let found = database.query_opt(sql, parameters).await?;
    Ok(found.map(|row| row.try_get("state").map(|Json(state)| state)).transpose()?)
}

async fn shown<T: DeserializeOwned>(database: &Database, sql: &str, id: Uuid) -> Result<(Head, Option<T>), QueryError> {
    let row = database.query_one(sql, &[&id]).await?;
    let state: Option<Json<T>> = row.try_get("state")?;
    Ok((Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? }, state.map(|Json(state)| state)))
}
