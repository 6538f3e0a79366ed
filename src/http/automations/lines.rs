//! What an execution printed, page by page, both ways, from any line on, and searched.

use poem_openapi::Object;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::http::page;
use crate::http::problem::Problem;
use crate::log::Head;
use crate::postgres::Database;

/// Lines of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 500;
const MOST_LIMIT: i64 = 1_000;
/// Characters that are searched for.
const SEARCH_CHARS: usize = 200;

/// One line that an execution printed.
#[derive(Debug, Object)]
#[oai(rename = "ExecutionLine")]
pub struct LineView {
    /// `<seq>.<place>`: the event `log.added` that told of it, and its place in that event's batch.
    pub id: String,
    /// Its place among all lines of the execution, from 1.
    pub number: i64,
    /// When it was recorded.
    pub at: OffsetDateTime,
    /// From 0.
    pub step: i64,
    /// From 1.
    pub attempt: i64,
    /// `stdout`, `stderr`, or `system` for what Signalbox itself says.
    pub stream: String,
    /// Secrets masked.
    pub text: String,
}

/// A page of lines, in order.
#[derive(Debug, Object)]
#[oai(rename = "ExecutionLinePage", skip_serializing_if_is_none)]
pub struct LinePage {
    /// At most `limit`.
    pub items: Vec<LineView>,
    /// Lines that the execution has printed so far.
    pub total: i64,
    /// Pass it as `after` for the lines behind; absent where there are none yet.
    pub next: Option<String>,
    /// Pass it as `before` for the lines before; absent at the first line.
    pub previous: Option<String>,
}

/// Which lines.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Behind this one.
    pub after: Option<String>,
    /// Before this one, the nearest.
    pub before: Option<String>,
    /// From this number on.
    pub from: Option<i64>,
    /// That hold this text, in any case.
    pub words: Option<String>,
    /// At most so many.
    pub limit: Option<i64>,
}

/// A page, and the position it is true as of.
pub async fn page(database: &Database, execution: Uuid, wanted: &Wanted) -> Result<(LinePage, Head), Problem> {
    let limit = page::limit(wanted.limit, DEFAULT_LIMIT, MOST_LIMIT)?;
    let from = page::within("from", wanted.from, 1, 1..=i64::MAX)?;
    let has_place = wanted.after.is_some() || wanted.before.is_some();
    if has_place && (wanted.from.is_some() || wanted.words.is_some()) {
        let detail = "from and q go together, but not with after and before";
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    if let Some(words) = &wanted.words {
        return search(database, execution, words, from, limit).await;
    }
    let (from_seq, from_line) = place(wanted.after.as_deref())?;
    let (to_seq, to_line) = place(wanted.before.as_deref())?;
    let sql = include_str!("../../../sql/queries/execution_lines.sql");
    let rows =
        database.query(sql, &[&execution, &from_seq, &from_line, &to_seq, &to_line, &(limit + 1), &from]).await?;
    let (mut items, total, head) = read(&rows)?;
    let more = items.len() > limit as usize;
    if more && to_seq.is_some() {
        items.remove(0);
    } else {
        items.truncate(limit as usize);
    }
    let next = items.last().filter(|_| more || to_seq.is_some()).map(|line| line.id.clone());
    let previous = items.first().filter(|line| line.number > 1).map(|line| line.id.clone());
    Ok((LinePage { items, total, next, previous }, head))
}

/// Lines that hold a text. There is no index for it: all lines of the execution are read.
async fn search(
    database: &Database,
    execution: Uuid,
    words: &str,
    from: i64,
    limit: i64,
) -> Result<(LinePage, Head), Problem> {
    if !(1..=SEARCH_CHARS).contains(&words.chars().count()) || words.contains('\0') {
        let detail = format!("q has 1 to {SEARCH_CHARS} characters, none of them NUL");
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    let sql = include_str!("../../../sql/queries/execution_lines_search.sql");
    let rows = database.query(sql, &[&execution, &words, &from, &limit]).await?;
    let (items, total, head) = read(&rows)?;
    Ok((LinePage { items, total, next: None, previous: None }, head))
}

fn read(rows: &[Row]) -> Result<(Vec<LineView>, i64, Head), Problem> {
    let total = rows.first().map_or(0, |row| row.get("total"));
    Ok((rows.iter().filter_map(line).collect(), total, page::head(rows)?))
}

fn line(row: &Row) -> Option<LineView> {
    let (seq, line): (Option<i64>, Option<i32>) = (row.get("at_seq"), row.get("line"));
    let fields: Option<Json<Value>> = row.get("fields");
    let fields = fields.map(|fields| fields.0).unwrap_or_default();
    Some(LineView {
        id: format!("{}.{}", seq?, line?),
        number: row.get("number"),
        at: row.get("at"),
        step: fields["step"].as_i64().unwrap_or_default(),
        attempt: fields["attempt"].as_i64().unwrap_or_default(),
        stream: fields["stream"].as_str().unwrap_or("stdout").to_owned(),
        text: row.get("message"),
    })
}

/// `4711.2`.
fn place(text: Option<&str>) -> Result<(Option<i64>, Option<i32>), Problem> {
    let Some(text) = text else { return Ok((None, None)) };
    let parts = text.split_once('.').and_then(|(seq, line)| Some((seq.parse().ok()?, line.parse().ok()?)));
    let (seq, line) =
        parts.ok_or_else(|| Problem::bad_request("invalid_cursor", "a line is named as in 4711.2: seq and place"))?;
    Ok((Some(seq), Some(line)))
}
