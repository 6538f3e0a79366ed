//! Lists of runbooks and executions: filters and keyset pages.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::view::{ExecutionPage, ExecutionView, RunbookPage, RunbookView};
use crate::domain::automation::execution::Execution;
use crate::domain::automation::runbook::Runbook;
use crate::http::page::{self, List};
use crate::http::problem::Problem;
use crate::log::{Head, stamp};
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

/// The key of a row: when, and which.
#[derive(Serialize, Deserialize)]
struct Key(#[serde(with = "stamp")] OffsetDateTime, Uuid);

/// A page of runbooks, those changed last first, and the position it is true as of.
pub async fn runbooks(
    database: &Database,
    filter: &RunbookFilter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(RunbookPage, Head), Problem> {
    page::short(&filter.words, FILTER_CHARS)?;
    let (limit, list) = (page::limit(limit, DEFAULT_LIMIT, MOST_LIMIT)?, List::of(&("runbooks", filter)));
    let (at, id) = list.behind(cursor)?.map(|Key(at, id)| (at, id)).unzip();
    let sql = include_str!("../../../sql/queries/runbooks_list.sql");
    let rows = database.query(sql, &[&filter.words, &filter.archived, &at, &id, &(limit + 1)]).await?;
    let now = OffsetDateTime::now_utc();
    let found = |row: &Row| {
        let (state, last): (Option<Json<Runbook>>, Option<Json<Execution>>) = (row.get("state"), row.get("last"));
        let last = last.as_ref().map(|Json(last)| last);
        state.map(|Json(runbook)| (runbook.id, runbook.updated_at, RunbookView::listed(&runbook, last, now)))
    };
    let (items, next) = shown(rows.iter().filter_map(found), limit, &list)?;
    Ok((RunbookPage { items, next }, page::head(&rows)?))
}

/// A page of executions, the newest first, and the position it is true as of.
pub async fn executions(
    database: &Database,
    filter: &ExecutionFilter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(ExecutionPage, Head), Problem> {
    let (limit, list) = (page::limit(limit, DEFAULT_LIMIT, MOST_LIMIT)?, List::of(&("executions", filter)));
    let (at, id) = list.behind(cursor)?.map(|Key(at, id)| (at, id)).unzip();
    let sql = include_str!("../../../sql/queries/executions_list.sql");
    let ExecutionFilter { status, runbook, trigger, correlation } = filter;
    let rows = database.query(sql, &[status, runbook, trigger, correlation, &at, &id, &(limit + 1)]).await?;
    let found = |row: &Row| {
        let state: Option<Json<Execution>> = row.get("state");
        state.map(|Json(execution)| (execution.id, execution.queued_at, ExecutionView::of(&execution)))
    };
    let (items, next) = shown(rows.iter().filter_map(found), limit, &list)?;
    Ok((ExecutionPage { items, next }, page::head(&rows)?))
}

/// At most `limit` rows, and the cursor behind them if there are more.
fn shown<T>(
    found: impl Iterator<Item = (Uuid, OffsetDateTime, Result<T, Problem>)>,
    limit: i64,
    list: &List,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let (mut items, mut last, mut next) = (Vec::new(), None, None);
    for (id, at, view) in found {
        if items.len() == limit as usize {
            next = last.map(|(id, at)| list.cursor(Key(at, id)));
            break;
        }
        items.push(view?);
        last = Some((id, at));
    }
    Ok((items, next))
}
