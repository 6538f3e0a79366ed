//! The list: filters and keyset pages, by name.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::view::{ServerPage, ServerView};
use crate::domain::server::Server;
use crate::domain::server::saved::WORDS_CHARS;
use crate::http::problem::Problem;
use crate::log::{Head, sha256};
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

/// The last row of a page, and of which list.
#[derive(Serialize, Deserialize)]
struct Cursor {
    list: String,
    name: String,
    id: Uuid,
}

/// A page and the position it is true as of.
pub async fn page(
    database: &Database,
    filter: &Filter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(ServerPage, Head), Problem> {
    let long = |text: &String| text.chars().count() > WORDS_CHARS;
    if filter.words.iter().chain(filter.labels.values()).chain(filter.labels.keys()).any(long) {
        let detail = format!("a filter has at most {WORDS_CHARS} characters");
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST_LIMIT).contains(&limit) {
        return Err(Problem::bad_request("invalid_parameter", format!("limit is 1 to {MOST_LIMIT}")));
    }
    let list = filter.digest();
    let after = cursor.map(|text| Cursor::read(text, &list)).transpose()?;
    let (name, id) = after.map_or((None, None), |cursor| (Some(cursor.name), Some(cursor.id)));
    let labels = (!filter.labels.is_empty()).then_some(Json(&filter.labels));
    let rows = database
        .query(
            include_str!("../../../sql/queries/servers_list.sql"),
            &[&filter.status, &labels, &filter.words, &filter.deleted, &name, &id, &(limit + 1)],
        )
        .await?;
    let head =
        rows.first().map_or(Head { epoch: Uuid::nil(), seq: 0 }, |row| Head { epoch: row.get(0), seq: row.get(1) });
    let found: Vec<Server> =
        rows.iter().filter_map(|row| row.get::<_, Option<Json<Server>>>("state")).map(|state| state.0).collect();
    let shown = &found[..found.len().min(limit as usize)];
    let next = match shown.last() {
        Some(last) if found.len() > shown.len() => Some(Cursor { list, name: last.name.clone(), id: last.id }.text()),
        _ => None,
    };
    Ok((ServerPage { items: shown.iter().map(ServerView::from).collect(), next }, head))
}

impl Filter {
    fn digest(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..9])
    }
}

/// `key:value` pairs as a query has them.
pub fn labels(pairs: &[String]) -> Result<BTreeMap<String, String>, Problem> {
    let pair = |pair: &String| pair.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels: Option<BTreeMap<String, String>> = pairs.iter().map(pair).collect();
    labels.ok_or_else(|| Problem::bad_request("invalid_parameter", "label is key:value"))
}

impl Cursor {
    fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(self).unwrap_or_default())
    }

    fn read(text: &str, list: &str) -> Result<Cursor, Problem> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match serde_json::from_slice::<Cursor>(&bytes) {
            Ok(cursor) if cursor.list == list => Ok(cursor),
            Ok(_other) => {
                Err(Problem::bad_request("invalid_cursor", "this cursor belongs to a list with other filters"))
            }
            Err(_malformed) => Err(Problem::bad_request("invalid_cursor", "this is not a cursor that an answer gave")),
        }
    }
}
