//! The list: filters, orders and keyset pages.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem_openapi::Enum;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::view::{IncidentPage, IncidentView};
use crate::domain::incident::Incident;
use crate::http::problem::Problem;
use crate::log::{Head, sha256};
use crate::postgres::Database;

/// Rows of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 50;
const MOST_LIMIT: i64 = 200;
/// Characters of any one filter.
const FILTER_CHARS: usize = 500;

/// In which order; `-` is descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Order {
    #[oai(rename = "updated_at")]
    Updated,
    #[oai(rename = "-updated_at")]
    UpdatedDescending,
    #[oai(rename = "created_at")]
    Created,
    #[oai(rename = "-created_at")]
    CreatedDescending,
    #[oai(rename = "severity")]
    Severity,
    #[oai(rename = "-severity")]
    SeverityDescending,
    #[oai(rename = "priority")]
    Priority,
    #[oai(rename = "-priority")]
    PriorityDescending,
    #[oai(rename = "number")]
    Number,
    #[oai(rename = "-number")]
    NumberDescending,
}

impl Order {
    const ALL: [Order; 10] = [
        Order::Updated,
        Order::UpdatedDescending,
        Order::Created,
        Order::CreatedDescending,
        Order::Severity,
        Order::SeverityDescending,
        Order::Priority,
        Order::PriorityDescending,
        Order::Number,
        Order::NumberDescending,
    ];

    /// Column, its type, and whether descending.
    fn column(self) -> (&'static str, &'static str, bool) {
        match self {
            Order::Updated => ("updated_at", "timestamptz", false),
            Order::UpdatedDescending => ("updated_at", "timestamptz", true),
            Order::Created => ("created_at", "timestamptz", false),
            Order::CreatedDescending => ("created_at", "timestamptz", true),
            Order::Severity => ("severity", "text", false),
            Order::SeverityDescending => ("severity", "text", true),
            Order::Priority => ("urgency", "smallint", false),
            Order::PriorityDescending => ("urgency", "smallint", true),
            Order::Number => ("number", "bigint", false),
            Order::NumberDescending => ("number", "bigint", true),
        }
    }

    /// One constant statement per order: nothing a client sends becomes SQL.
    fn sql(self) -> &'static str {
        static STATEMENTS: LazyLock<HashMap<Order, String>> = LazyLock::new(|| {
            let statement = |order: Order| {
                let (column, kind, descending) = order.column();
                let (direction, beyond) = if descending { ("desc", "<") } else { ("asc", ">") };
                include_str!("../../../sql/queries/incidents_list.sql")
                    .replace("{key}", column)
                    .replace("{type}", kind)
                    .replace("{order}", direction)
                    .replace("{beyond}", beyond)
            };
            Order::ALL.into_iter().map(|order| (order, statement(order))).collect()
        });
        STATEMENTS.get(&self).map_or("", String::as_str)
    }
}

/// What to list. Equal for all pages of a list: a cursor is bound to it.
#[derive(Debug, Serialize)]
pub struct Filter {
    pub status: Option<Vec<&'static str>>,
    pub severity: Option<Vec<&'static str>>,
    pub priority: Option<Vec<&'static str>>,
    pub assignee: Option<String>,
    pub server: Option<String>,
    /// `key:value` pairs that must all be there.
    pub label: Vec<String>,
    pub words: Option<String>,
    pub created_from: Option<OffsetDateTime>,
    pub created_before: Option<OffsetDateTime>,
    pub order: Order,
}

/// The last row of a page, and of which list.
#[derive(Serialize, Deserialize)]
struct Cursor {
    list: String,
    key: String,
    id: Uuid,
}

/// A page and the position it is true as of.
pub async fn page(
    database: &Database,
    filter: &Filter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(IncidentPage, Head), Problem> {
    filter.check()?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST_LIMIT).contains(&limit) {
        return Err(Problem::bad_request("invalid_parameter", format!("limit is 1 to {MOST_LIMIT}")));
    }
    let list = filter.digest();
    let after = cursor.map(|text| Cursor::read(text, &list)).transpose()?;
    let (key, id) = after.map_or((None, None), |cursor| (Some(cursor.key), Some(cursor.id)));
    let labels = filter.labels()?;
    let rows = database
        .query(
            filter.order.sql(),
            &[
                &filter.status,
                &filter.severity,
                &filter.priority,
                &filter.assignee,
                &filter.server,
                &labels.map(Json),
                &filter.words,
                &filter.created_from,
                &filter.created_before,
                &key,
                &id,
                &(limit + 1),
            ],
        )
        .await?;
    let head =
        rows.first().map_or(Head { epoch: Uuid::nil(), seq: 0 }, |row| Head { epoch: row.get(0), seq: row.get(1) });
    let found: Vec<(Incident, String)> = rows
        .iter()
        .filter_map(|row| row.get::<_, Option<Json<Incident>>>("state").map(|state| (state.0, row.get("key"))))
        .collect();
    let shown = &found[..found.len().min(limit as usize)];
    let next = match shown.last() {
        Some((last, key)) if found.len() > shown.len() => Some(Cursor { list, key: key.clone(), id: last.id }.text()),
        _ => None,
    };
    let items = shown.iter().map(|(incident, _)| IncidentView::from(incident)).collect();
    Ok((IncidentPage { items, next }, head))
}

impl Filter {
    fn check(&self) -> Result<(), Problem> {
        let texts = [&self.assignee, &self.server, &self.words];
        if texts.into_iter().flatten().chain(&self.label).any(|text| text.chars().count() > FILTER_CHARS) {
            return Err(Problem::bad_request(
                "invalid_parameter",
                format!("a filter has at most {FILTER_CHARS} characters"),
            ));
        }
        Ok(())
    }

    fn labels(&self) -> Result<Option<HashMap<&str, &str>>, Problem> {
        let pair = |label| str::split_once(label, ':');
        let labels: Option<HashMap<&str, &str>> = self.label.iter().map(|label| pair(label)).collect();
        let labels = labels.ok_or_else(|| Problem::bad_request("invalid_parameter", "label is key:value"))?;
        Ok((!labels.is_empty()).then_some(labels))
    }

    fn digest(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..9])
    }
}

impl Cursor {
    fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(self).unwrap_or_default())
    }

    fn read(text: &str, list: &str) -> Result<Cursor, Problem> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match serde_json::from_slice::<Cursor>(&bytes) {
            Ok(cursor) if cursor.list == list => Ok(cursor),
            Ok(_other) => Err(Problem::bad_request(
                "invalid_cursor",
                "this cursor belongs to a list with other filters or another order",
            )),
            Err(_malformed) => Err(Problem::bad_request("invalid_cursor", "this is not a cursor that an answer gave")),
        }
    }
}
