//! Finding lines: pages in time's order, neighbours of a line, and how many there are.

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use crate::domain::logs::Level;
use crate::log::Head;
use crate::postgres::{Database, QueryError};

/// Searches of a process at once, each of which may read for seconds: fewer than it has pooled connections, so that
/// commands and other queries always find one. More wait.
const SEARCHES_AT_ONCE: usize = 4;
static TURNS: Semaphore = Semaphore::const_new(SEARCHES_AT_ONCE);

/// What to find; each wish that is absent admits any line. Equal for all pages of a list: a cursor is bound to it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Search {
    /// Written at this time or later.
    pub since: Option<OffsetDateTime>,
    /// Written before this time.
    pub before: Option<OffsetDateTime>,
    /// At least as bad.
    pub level: Option<Level>,
    /// By this source.
    pub source: Option<String>,
    /// On this server.
    pub server: Option<String>,
    /// By this execution of an automation.
    pub execution: Option<Uuid>,
    /// Pieces of text, all of them somewhere in the message, in any case.
    pub words: Vec<String>,
    /// Members of the fields, all of them.
    pub fields: Vec<Field>,
    /// Told of by the event with this `seq`.
    pub batch: Option<i64>,
    /// Recorded up to this position of the log.
    pub upto: Option<i64>,
}

impl Search {
    fn fields(&self) -> Option<Json<&[Field]>> {
        (!self.fields.is_empty()).then_some(Json(&self.fields))
    }
}

/// A member of a line's fields, by its name and what it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    key: String,
    text: String,
    /// The text as a number, if it is one: 200, 200.0 and 2e2 are one number, compared as doubles.
    number: Option<f64>,
}

impl Field {
    /// Of `key:value`; the key ends at the first colon.
    pub fn parse(pair: &str) -> Option<Field> {
        let (key, text) = pair.split_once(':').filter(|(key, _)| !key.is_empty())?;
        let is_bare = text.trim() == text; // JSON allows white space around a number
        let number = serde_json::from_str::<serde_json::Number>(text).ok().filter(|_| is_bare);
        let number = number.and_then(|number| number.as_f64());
        Some(Field { key: key.to_owned(), text: text.to_owned(), number })
    }
}

/// Where a line stands in the order of all lists: time, then the order of recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was written.
    pub at: OffsetDateTime,
    /// Of the event that told of it.
    pub seq: i64,
    /// In that event's batch, from 1.
    pub line: i32,
}

/// A line as it is stored.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its place; `seq` and `line` name it.
    pub place: Place,
    /// When it was recorded.
    pub recorded_at: OffsetDateTime,
    /// How bad.
    pub level: Level,
    /// Who wrote it.
    pub source: String,
    /// Where.
    pub server: Option<String>,
    /// As the output of which execution.
    pub execution: Option<Uuid>,
    /// What it says.
    pub message: String,
    /// What it says to programs.
    pub fields: Option<serde_json::Value>,
}

/// Lines of one level in one bucket of time.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// Where the bucket begins.
    pub beginning: OffsetDateTime,
    /// Of the lines.
    pub level: Level,
    /// How many.
    pub lines: i64,
}

/// At most `most` lines behind a place, from the oldest or the newest on, and the position this is true as of.
///
/// # Errors
/// The database did not answer, or not within its statement timeout.
pub async fn page(
    database: &Database,
    search: &Search,
    behind: Option<Place>,
    newest_first: bool,
    most: i64,
) -> Result<(Vec<Found>, Head), QueryError> {
    let rows = ask(
        database,
        include_str!("../../sql/queries/logs_list.sql"),
        &[
            &search.since,
            &search.before,
            &search.level.map(Level::number),
            &search.source,
            &search.server,
            &search.execution,
            &search.words,
            &search.fields(),
            &search.batch,
            &search.upto,
            &behind.map(|place| place.at),
            &behind.map(|place| place.seq),
            &behind.map(|place| place.line),
            &newest_first,
            &most,
        ],
    )
    .await?;
    found(&rows)
}

/// A line by its name and its neighbours of the same source, in order. Empty: there is no such line.
///
/// # Errors
/// The database did not answer.
pub async fn context(
    database: &Database,
    (seq, line): (i64, i32),
    before: i64,
    after: i64,
) -> Result<(Vec<Found>, Head), QueryError> {
    let sql = include_str!("../../sql/queries/logs_context.sql");
    found(&ask(database, sql, &[&seq, &line, &before, &after]).await?)
}

/// How many lines there are in each `width_s` seconds, by level. Buckets and levels without lines are left out.
///
/// # Errors
/// The database did not answer, or not within its statement timeout.
pub async fn histogram(database: &Database, search: &Search, width_s: i64) -> Result<(Vec<Bucket>, Head), QueryError> {
    let rows = ask(
        database,
        include_str!("../../sql/queries/logs_histogram.sql"),
        &[
            &search.since,
            &search.before,
            &search.level.map(Level::number),
            &search.source,
            &search.server,
            &search.execution,
            &search.words,
            &search.fields(),
            &width_s,
        ],
    )
    .await?;
    let bucket = |row: &Row| -> Result<Option<Bucket>, tokio_postgres::Error> {
        let Some(beginning) = row.try_get("beginning")? else { return Ok(None) };
        Ok(Some(Bucket { beginning, level: level(row)?, lines: row.try_get("lines")? }))
    };
    let buckets = rows.iter().filter_map(|row| bucket(row).transpose()).collect::<Result<_, _>>()?;
    Ok((buckets, head(&rows)?))
}

async fn ask(database: &Database, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, QueryError> {
    let _turn = TURNS.acquire().await; // never closed
    database.query_broad(sql, parameters).await
}

fn found(rows: &[Row]) -> Result<(Vec<Found>, Head), QueryError> {
    let lines = rows.iter().filter_map(|row| line(row).transpose()).collect::<Result<_, _>>()?;
    Ok((lines, head(rows)?))
}

/// The row that says the position has no line where there is none.
fn line(row: &Row) -> Result<Option<Found>, tokio_postgres::Error> {
    let Some(at) = row.try_get("at")? else { return Ok(None) };
    let fields: Option<Json<serde_json::Value>> = row.try_get("fields")?;
    Ok(Some(Found {
        place: Place { at, seq: row.try_get("seq")?, line: row.try_get("line")? },
        recorded_at: row.try_get("recorded_at")?,
        level: level(row)?,
        source: row.try_get("source")?,
        server: row.try_get("server")?,
        execution: row.try_get("execution")?,
        message: row.try_get("message")?,
        fields: fields.map(|Json(fields)| fields),
    }))
}

fn level(row: &Row) -> Result<Level, tokio_postgres::Error> {
    Ok(Level::from_number(row.try_get("level")?).unwrap_or_default()) // 1 to 6, written by us
}

fn head(rows: &[Row]) -> Result<Head, QueryError> {
    let row = rows.first().ok_or(QueryError::NoRow)?;
    Ok(Head { epoch: row.try_get("epoch")?, seq: row.try_get("head")? })
}
