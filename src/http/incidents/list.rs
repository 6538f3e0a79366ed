//! The list: filters, orders and keyset pages.

use std::collections::HashMap;
use std::sync::LazyLock;

use poem_openapi::Enum;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::view::{IncidentPage, IncidentView};
use crate::domain::incident::Incident;
use crate::http::page::{self, List};
use crate::http::problem::Problem;
use crate::log::Head;
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

/// A page and the position it is true as of.
pub async fn page(
    database: &Database,
    filter: &Filter,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(IncidentPage, Head), Problem> {
    page::short(
        [&filter.assignee, &filter.server, &filter.words].into_iter().flatten().chain(&filter.label),
        FILTER_CHARS,
    )?;
    let (limit, list) = (page::limit(limit, DEFAULT_LIMIT, MOST_LIMIT)?, List::of(filter));
    let (key, id): (Option<String>, Option<Uuid>) = list.behind(cursor)?.unzip();
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
    let found: Vec<(Incident, String)> = rows
        .iter()
        .filter_map(|row| row.get::<_, Option<Json<Incident>>>("state").map(|state| (state.0, row.get("key"))))
        .collect();
    let shown = &found[..found.len().min(limit as usize)];
    let next = match shown.last() {
        Some((last, key)) if found.len() > shown.len() => Some(list.cursor((key, last.id))),
        _ => None,
    };
    let items = shown.iter().map(|(incident, _)| IncidentView::from(incident)).collect();
    Ok((IncidentPage { items, next }, page::head(&rows)?))
}

impl Filter {
    fn labels(&self) -> Result<Option<HashMap<&str, &str>>, Problem> {
        let pair = |label| str::split_once(label, ':');
        let labels: Option<HashMap<&str, &str>> = self.label.iter().map(|label| pair(label)).collect();
        let labels = labels.ok_or_else(|| Problem::bad_request("invalid_parameter", "label is key:value"))?;
        Ok((!labels.is_empty()).then_some(labels))
    }
}
