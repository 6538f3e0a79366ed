//! Reading the log by position or by stream.

use tokio_postgres::Row;

use super::{Event, Head, Idempotency, StoredReply};
use crate::postgres::{Database, QueryError};

/// Most events in one page, whatever is asked.
pub const PAGE_EVENTS: i64 = 1_000;
/// How much of the log one sweep goes over: some 20 ms, were all of it short-lived.
pub const EXPIRE_EVENTS: i32 = 2_000;

/// The end of the log.
///
/// # Errors
/// The database did not answer.
pub async fn head(database: &Database) -> Result<Head, QueryError> {
    let rows = database.query(include_str!("../../sql/queries/log_head.sql"), &[]).await?;
    Ok(rows
        .first()
        .map_or(Head { epoch: uuid::Uuid::nil(), seq: 0 }, |row| Head { epoch: row.get(0), seq: row.get(1) }))
}

/// Events behind `position`, in order, at most `limit` and [`PAGE_EVENTS`].
///
/// # Errors
/// The database did not answer.
pub async fn after(database: &Database, position: i64, limit: i64) -> Result<Vec<Event>, QueryError> {
    let limit = limit.min(PAGE_EVENTS);
    events(database.query(include_str!("../../sql/queries/events_after.sql"), &[&position, &limit]).await?)
}

/// Events of one stream behind `version`, in order, at most `limit` and [`PAGE_EVENTS`].
///
/// # Errors
/// The database did not answer.
pub async fn stream(database: &Database, stream: &str, version: i64, limit: i64) -> Result<Vec<Event>, QueryError> {
    let limit = limit.min(PAGE_EVENTS);
    events(database.query(include_str!("../../sql/queries/events_of_stream.sql"), &[&stream, &version, &limit]).await?)
}

/// What a command with this key was answered, if it is in the log.
///
/// # Errors
/// The database did not answer.
pub async fn reply(database: &Database, key: &Idempotency) -> Result<Option<StoredReply>, QueryError> {
    let found = database.query_opt(include_str!("../../sql/queries/idempotency_find.sql"), &[&key.id()]).await?;
    Ok(found.map(|row| {
        let reply: tokio_postgres::types::Json<_> = row.get("reply");
        StoredReply { body_hash: row.get("body_hash"), reply: reply.0, seq: row.get("seq") }
    }))
}

/// Forgets replies older than the 24 hours for which they are promised. Returns how many.
///
/// # Errors
/// The database did not answer.
pub async fn forget_replies(database: &Database) -> Result<usize, QueryError> {
    Ok(database.query(include_str!("../../sql/queries/idempotency_forget.sql"), &[]).await?.len())
}

/// How far events of a short-lived type have lost their data.
#[derive(Debug, Clone)]
pub struct Swept {
    /// The type's name.
    pub kind: String,
    /// All of its events up to here.
    pub seq: i64,
    /// There is more to go over at once.
    pub more: bool,
}

/// Lets events of short-lived types that had their time lose their data, over the next [`EXPIRE_EVENTS`] of the log.
/// Of several processes one does it; each is told how far it is done.
///
/// # Errors
/// The database did not answer.
pub async fn expire(database: &Database) -> Result<Vec<Swept>, QueryError> {
    let rows = database.query(include_str!("../../sql/queries/events_expire.sql"), &[&EXPIRE_EVENTS]).await?;
    let swept = |row: &Row| Swept { kind: row.get("type"), seq: row.get("swept_seq"), more: row.get("more") };
    Ok(rows.iter().map(swept).collect())
}

fn events(rows: Vec<Row>) -> Result<Vec<Event>, QueryError> {
    rows.iter().map(|row| Event::from_row(row).map_err(QueryError::from)).collect()
}
