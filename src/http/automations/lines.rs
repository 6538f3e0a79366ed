//! What an execution printed, page by page, both ways.

use poem_openapi::Object;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::http::page;
use crate::http::problem::Problem;
use crate::log::Head;
use crate::postgres::Database;

/// Lines of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 500;
const MOST_LIMIT: i64 = 1_000;

/// One line that an execution printed.
#[derive(Debug, Object)]
#[oai(rename = "ExecutionLine")]
pub struct LineView {
    /// `<seq>.<place>`: the event `log.added` that told of it, and its place in that event's batch.
    pub id: String,
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
    /// Pass it as `after` for the lines behind; absent where there are none yet.
    pub next: Option<String>,
    /// Pass it as `before` for the lines before; absent at the first line.
    pub previous: Option<String>,
}

/// A page, and the position it is true as of.
pub async fn page(
    database: &Database,
    execution: Uuid,
    after: Option<&str>,
    before: Option<&str>,
    limit: Option<i64>,
) -> Result<(LinePage, Head), Problem> {
    let limit = page::limit(limit, DEFAULT_LIMIT, MOST_LIMIT)?;
    let (from_seq, from_line) = place(after)?;
    let (to_seq, to_line) = place(before)?;
    let sql = include_str!("../../../sql/queries/execution_lines.sql");
    let rows = database.query(sql, &[&execution, &from_seq, &from_line, &to_seq, &to_line, &(limit + 1)]).await?;
    let head = page::head(&rows)?;
    let mut items: Vec<LineView> = rows.iter().filter_map(line).collect();
    let more = items.len() > limit as usize;
    if more && to_seq.is_some() {
        items.remove(0);
    } else {
        items.truncate(limit as usize);
    }
    let (first, last) = (items.first().map(|line| line.id.clone()), items.last().map(|line| line.id.clone()));
    let is_backward = to_seq.is_some();
    let next = last.filter(|_| more || is_backward);
    let previous = first.filter(|_| if is_backward { more } else { from_seq.is_some() });
    Ok((LinePage { items, next, previous }, head))
}

fn line(row: &tokio_postgres::Row) -> Option<LineView> {
    let (seq, line): (Option<i64>, Option<i32>) = (row.get("at_seq"), row.get("line"));
    let fields: Option<Json<Value>> = row.get("fields");
    let fields = fields.map(|fields| fields.0).unwrap_or_default();
    Some(LineView {
        id: format!("{}.{}", seq?, line?),
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
