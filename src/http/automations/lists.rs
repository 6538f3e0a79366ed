//! Lists of runbooks and executions: filters and keyset pages.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::view::{ExecutionPage, ExecutionView, RunbookPage, RunbookView};
use crate::domain::automation::execution::Execution;
use crate::domain::automation::runbook::Runbook;
use crate::http::problem::Problem;
use crate::log::{Head, sha256, stamp};
use crate::postgres::Database;

/// Rows of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 50;
const MOST_LIMIT: i64 = 200;
/// Characters of any one filter.
const FILTER_CHARS: usize = 500;

/// Which runbooks.
#[derive(Debug, Serialize)]
pub struct RunbookFilter {
    pub words: Option<String>,
    pub archived: Option<bool>,
}

/// Which executions.
#[derive(Debug, Serialize)]
pub struct ExecutionFilter {
    pub status: Option<Vec<&'static str>>,
    pub runbook: Option<Uuid>,
    pub trigger: Option<&'static str>,
    pub correlation: Option<Uuid>,
}

/// The last row of a page, and of which list.
#[derive(Serialize, Deserialize)]
struct Cursor {
    list: String,
    #[serde(with = "stamp")]
    at: OffsetDateTime,
    id: Uuid,
}

/// A page of runbooks, those changed last first, and the position it is true as of.
pub async fn runbooks(
    database: &Database,
    filter: &RunbookFilter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(RunbookPage, Head), Problem> {
    if filter.words.as_ref().is_some_and(|words| words.chars().count() > FILTER_CHARS) {
        let detail = format!("a filter has at most {FILTER_CHARS} characters");
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    let (limit, list) = (checked(limit)?, digest("runbooks", filter));
    let (at, id) = Cursor::read(cursor, &list)?;
    let sql = include_str!("../../../sql/queries/runbooks_list.sql");
    let rows = database.query(sql, &[&filter.words, &filter.archived, &at, &id, &(limit + 1)]).await?;
    let found = |row: &Row| {
        let state: Option<Json<Runbook>> = row.get("state");
        state.map(|Json(runbook)| (runbook.id, runbook.updated_at, RunbookView::of(&runbook)))
    };
    let (items, next) = page(rows.iter().filter_map(found), limit, list)?;
    Ok((RunbookPage { items, next }, head(&rows)))
}

/// A page of executions, the newest first, and the position it is true as of.
pub async fn executions(
    database: &Database,
    filter: &ExecutionFilter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(ExecutionPage, Head), Problem> {
    let (limit, list) = (checked(limit)?, digest("executions", filter));
    let (at, id) = Cursor::read(cursor, &list)?;
    let sql = include_str!("../../../sql/queries/executions_list.sql");
    let ExecutionFilter { status, runbook, trigger, correlation } = filter;
    let rows = database.query(sql, &[status, runbook, trigger, correlation, &at, &id, &(limit + 1)]).await?;
    let found = |row: &Row| {
        let state: Option<Json<Execution>> = row.get("state");
        state.map(|Json(execution)| (execution.id, execution.queued_at, ExecutionView::of(&execution)))
    };
    let (items, next) = page(rows.iter().filter_map(found), limit, list)?;
    Ok((ExecutionPage { items, next }, head(&rows)))
}

/// At most `limit` rows, and the cursor behind them if there are more.
fn page<T>(
    found: impl Iterator<Item = (Uuid, OffsetDateTime, Result<T, Problem>)>,
    limit: i64,
    list: String,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let (mut items, mut last, mut next) = (Vec::new(), None, None);
    for (id, at, view) in found {
        if items.len() == limit as usize {
            next = last.map(|(id, at)| Cursor { list, at, id }.text());
            break;
        }
        items.push(view?);
        last = Some((id, at));
    }
    Ok((items, next))
}

fn checked(limit: Option<i64>) -> Result<i64, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MOST_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request("invalid_parameter", format!("limit is 1 to {MOST_LIMIT}")))
}

fn head(rows: &[Row]) -> Head {
    rows.first().map_or(Head { epoch: Uuid::nil(), seq: 0 }, |row| Head { epoch: row.get(0), seq: row.get(1) })
}

/// Names a list: a cursor is good for its own only.
fn digest(kind: &str, filter: &impl Serialize) -> String {
    let text = format!("{kind} {}", serde_json::to_string(filter).unwrap_or_default());
    BASE64_URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..9])
}

impl Cursor {
    fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(self).unwrap_or_default())
    }

    fn read(text: Option<&str>, list: &str) -> Result<(Option<OffsetDateTime>, Option<Uuid>), Problem> {
        let Some(text) = text else { return Ok((None, None)) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match serde_json::from_slice::<Cursor>(&bytes) {
            Ok(cursor) if cursor.list == list => Ok((Some(cursor.at), Some(cursor.id))),
            Ok(_other) => {
                Err(Problem::bad_request("invalid_cursor", "this cursor belongs to a list with other filters"))
            }
            Err(_malformed) => Err(Problem::bad_request("invalid_cursor", "this is not a cursor that an answer gave")),
        }
    }
}
