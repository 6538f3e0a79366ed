//! Incidents between the rules and the log: decided events as writes, stored states as incidents.

use time::OffsetDateTime;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::domain::incident::{self, Command, Create, Event, Incident, Meta, Refusal, decide, evolve};
use crate::domain::permission::INCIDENTS_READ;
use crate::log::{Cause, Head, NewEvent, State, Write, stamp};
use crate::postgres::{Database, QueryError};

/// The name of an incident's stream.
pub fn stream(id: Uuid) -> String {
    format!("incident/{id}")
}

/// What to append and what to store after `events` were decided on `before`, and the incident after them.
///
/// `before` is `None` for a new incident, whose stream must then not exist yet.
///
/// # Panics
/// When there is neither an incident nor an event.
pub fn write(
    before: Option<&Incident>,
    id: Uuid,
    events: &[Event],
    cause: &Cause,
    occurred_at: OffsetDateTime,
) -> (Write, State, Incident) {
    let occurred_at = stamp::micros(occurred_at);
    let meta = Meta { stream_id: id, actor: cause.actor.clone(), occurred_at };
    let after = events.iter().fold(before.cloned(), |incident, event| Some(evolve(incident, event, &meta)));
    let after = after.expect("a write of an incident has events");
    let new = |event: &Event| NewEvent {
        id: Uuid::now_v7(),
        kind: event.kind(),
        data: event.data(),
        occurred_at,
        permissions: &[INCIDENTS_READ],
    };
    let write = Write {
        stream: stream(id),
        expected: Some(before.map_or(0, |incident| incident.version)),
        events: events.iter().map(new).collect(),
    };
    let state = State { kind: "incident", json: json(&after) };
    (write, state, after)
}

/// What a report comes to.
#[derive(Debug)]
pub enum Reported {
    /// There is an open incident with its dedup key: the same trouble, and nothing is to be recorded.
    Known(Box<Incident>),
    /// What makes the new incident.
    New(Vec<Event>),
}

/// Why a report came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotReported {
    /// The rules refuse it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The database did not answer.
    #[error("{0}")]
    Query(#[from] QueryError),
}

/// Decides about a report, whose number is drawn here.
///
/// Another report with the same key may come first: the append is then refused by the index
/// `incidents_open_dedup_key`, and decided anew this finds that one.
///
/// # Errors
/// [`NotReported`].
pub async fn report(database: &Database, report: Create) -> Result<Reported, NotReported> {
    if let Some(key) = &report.dedup_key
        && let Some(open) = find_open(database, key).await?
    {
        return Ok(Reported::Known(Box::new(open)));
    }
    // Before a number is drawn, so that a refused report leaves no gap.
    decide(None, &Command::Create(report.clone()))?;
    let number = next_number(database).await?;
    Ok(Reported::New(decide(None, &Command::Create(Create { number, ..report }))?))
}

/// As it is stored; a rebuild gives the same bytes.
pub fn json(incident: &Incident) -> String {
    // Text, numbers and times: nothing in it can fail to serialise.
    serde_json::to_string(incident).unwrap_or_default()
}

/// One incident by its id, as it is now.
///
/// # Errors
/// The database did not answer.
pub async fn find(database: &Database, id: Uuid) -> Result<Option<Incident>, QueryError> {
    one(database, include_str!("../sql/queries/incident_find.sql"), &id).await
}

/// One incident by its number.
///
/// # Errors
/// The database did not answer.
pub async fn find_number(database: &Database, number: i64) -> Result<Option<Incident>, QueryError> {
    one(database, include_str!("../sql/queries/incident_find_number.sql"), &number).await
}

/// One incident by its id, or by its key such as `INC-42`.
///
/// # Errors
/// The database did not answer.
pub async fn named(database: &Database, name: &str) -> Result<Option<Incident>, QueryError> {
    match (name.parse(), incident::number(name)) {
        (Ok(id), _) => find(database, id).await,
        (_, Some(number)) => find_number(database, number).await,
        _ => Ok(None),
    }
}

/// One incident by its id or else its number, and the position it is true as of.
///
/// # Errors
/// The database did not answer.
pub async fn show(
    database: &Database,
    id: Option<Uuid>,
    number: Option<i64>,
) -> Result<(Head, Option<Incident>), QueryError> {
    let found = database.query_opt(include_str!("../sql/queries/incident_show.sql"), &[&id, &number]).await?;
    let Some(row) = found else { return Ok((Head { epoch: Uuid::nil(), seq: 0 }, None)) };
    let state: Option<Json<Incident>> = row.try_get("state")?;
    Ok((Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? }, state.map(|Json(incident)| incident)))
}

/// The open incident with this deduplication key.
///
/// # Errors
/// The database did not answer.
pub async fn find_open(database: &Database, dedup_key: &str) -> Result<Option<Incident>, QueryError> {
    one(database, include_str!("../sql/queries/incident_find_open.sql"), &dedup_key).await
}

/// Draws the number of a new incident. One that is not used leaves a gap; none is given twice.
///
/// # Errors
/// The database did not answer.
pub async fn next_number(database: &Database) -> Result<i64, QueryError> {
    let rows = database.query(include_str!("../sql/queries/incident_number.sql"), &[]).await?;
    Ok(rows.first().map_or(0, |row| row.get(0)))
}

async fn one(
    database: &Database,
    sql: &str,
    key: &(dyn tokio_postgres::types::ToSql + Sync),
) -> Result<Option<Incident>, QueryError> {
    let found = database.query_opt(sql, &[key]).await?;
    Ok(found.map(|row| row.try_get("state").map(|Json(incident)| incident)).transpose()?)
}
