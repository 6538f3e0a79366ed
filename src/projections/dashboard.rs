//! Every module in figures, for one screen.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio_postgres::types::Json;

use crate::log::Head;
use crate::postgres::{Database, QueryError};

/// Events of these types change the figures.
pub const CHANGED_BY: &[&str] = &["incident."];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Hours that are looked back at.
    pub window_h: i32,
    /// Whose hours and days things are counted in.
    pub time_zone: String,
}

/// The parts of the screen, each a query of its own within the one that gives them their snapshot.
static QUERY: LazyLock<String> = LazyLock::new(|| {
    let part = |text: &str| text.trim_end().trim_end_matches(';').to_owned();
    include_str!("../../sql/queries/dashboard.sql")
        .replace("{figures}", &part(include_str!("../../sql/queries/incident_statistics.sql")))
        .replace("{incidents}", &part(include_str!("../../sql/queries/dashboard_incidents.sql")))
});

/// The figures of now for whoever has these permissions, and the position they are true as of. A part without its
/// permission is `null`.
///
/// # Errors
/// The database did not answer.
pub async fn load<T: DeserializeOwned>(
    database: Database,
    question: Question,
    permissions: Vec<&'static str>,
) -> Result<(Head, T), QueryError> {
    let row = database.query_one(&QUERY, &[&question.window_h, &question.time_zone, &permissions]).await?;
    let Json(parts) = row.try_get("parts")?;
    Ok((Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? }, parts))
}

/// Time zones that the database knows, read once.
#[derive(Default)]
pub struct TimeZones(OnceCell<HashSet<String>>);

impl TimeZones {
    /// Whether there is one of this name, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// The database did not answer; it is asked again next time.
    pub async fn know(&self, database: &Database, name: &str) -> Result<bool, QueryError> {
        let names = self.0.get_or_try_init(|| async {
            let rows = database.query("select name from pg_timezone_names", &[]).await?;
            rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_, QueryError>>()
        });
        Ok(names.await?.contains(name))
    }
}
