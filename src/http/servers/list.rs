//! The list: filters and keyset pages, by name.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::view::{ServerPage, ServerView};
use crate::domain::server::Server;
use crate::domain::server::saved::WORDS_CHARS;
use crate::http::page::{self, List};
use crate::http::problem::Problem;
use crate::log::Head;
use crate::postgres::Database;

/// Rows of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 50;
const MOST_LIMIT: i64 = 200;

/// What to list. Equal for all pages of a list: a cursor is bound to it.
#[derive(Debug, Serialize)]
pub struct Filter {
    /// Any of these; `None`: all.
    pub status: Option<Vec<&'static str>>,
    /// All of these.
    pub labels: BTreeMap<String, String>,
    pub words: Option<String>,
    pub deleted: bool,
}

/// A page and the position it is true as of.
pub async fn page(
    database: &Database,
    filter: &Filter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(ServerPage, Head), Problem> {
    page::short(filter.words.iter().chain(filter.labels.values()).chain(filter.labels.keys()), WORDS_CHARS)?;
    let (limit, list) = (page::limit(limit, DEFAULT_LIMIT, MOST_LIMIT)?, List::of(filter));
    let (name, id): (Option<String>, Option<Uuid>) = list.behind(cursor)?.unzip();
    let labels = (!filter.labels.is_empty()).then_some(Json(&filter.labels));
    let rows = database
        .query(
            include_str!("../../../sql/queries/servers_list.sql"),
            &[&filter.status, &labels, &filter.words, &filter.deleted, &name, &id, &(limit + 1)],
        )
        .await?;
    let found: Vec<Server> =
        rows.iter().filter_map(|row| row.get::<_, Option<Json<Server>>>("state")).map(|state| state.0).collect();
    let shown = &found[..found.len().min(limit as usize)];
    let next = match shown.last() {
        Some(last) if found.len() > shown.len() => Some(list.cursor((&last.name, last.id))),
        _ => None,
    };
    Ok((ServerPage { items: shown.iter().map(ServerView::from).collect(), next }, page::head(&rows)?))
}

/// `key:value` pairs as a query has them.
pub fn labels(pairs: &[String]) -> Result<BTreeMap<String, String>, Problem> {
    let pair = |pair: &String| pair.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels: Option<BTreeMap<String, String>> = pairs.iter().map(pair).collect();
    labels.ok_or_else(|| Problem::bad_request("invalid_parameter", "label is key:value"))
}
