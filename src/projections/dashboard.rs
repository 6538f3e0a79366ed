//! Every module in figures, for one screen.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::log::Head;
use crate::postgres::{Database, QueryError};

/// Events of these types change the figures.
pub const CHANGED_BY: &[&str] = &["incident.", "server.", "automation.", "notification.", "log."];
/// Events of these types change how busy servers are.
pub const UTILIZATION_CHANGED_BY: &[&str] = &["server."];

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
        .replace("{servers}", &part(include_str!("../../sql/queries/dashboard_servers.sql")))
        .replace("{automations}", &part(include_str!("../../sql/queries/dashboard_automations.sql")))
        .replace("{notifications}", &part(include_str!("../../sql/queries/dashboard_notifications.sql")))
        .replace("{logs}", &part(include_str!("../../sql/queries/dashboard_logs.sql")))
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

/// Which servers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Busiest {
    /// Hours that are looked back at.
    pub window_h: i32,
    /// `cpu`, `memory`, `disk` or `load`: by whose average they are ordered.
    pub by: &'static str,
    /// At most so many.
    pub limit: i64,
}

/// How busy a server said it was, within a window.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Busy {
    pub server: Uuid,
    pub name: String,
    pub status: String,
    /// Reports.
    pub samples: i64,
    pub cpu: Use,
    pub memory: Use,
    pub disk: Use,
    pub load: Use,
}

/// A figure over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Use {
    pub average: f64,
    pub most: f64,
}

/// The busiest servers, and the position they are true as of.
///
/// # Errors
/// The database did not answer.
pub async fn busiest(database: Database, asked: Busiest) -> Result<(Head, Vec<Busy>), QueryError> {
    let sql = include_str!("../../sql/queries/dashboard_server_utilization.sql");
    let rows = database.query(sql, &[&asked.window_h, &asked.by, &asked.limit]).await?;
    let first = rows.first().ok_or(QueryError::NoRow)?;
    let head = Head { epoch: first.try_get("epoch")?, seq: first.try_get("seq")? };
    let mut servers = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(server) = row.try_get("server")? else { continue };
        let figure = |average, most| -> Result<Use, QueryError> {
            Ok(Use { average: row.try_get(average)?, most: row.try_get(most)? })
        };
        servers.push(Busy {
            server,
            name: row.try_get("name")?,
            status: row.try_get("status")?,
            samples: row.try_get("samples")?,
            cpu: figure("cpu_avg", "cpu_max")?,
            memory: figure("memory_avg", "memory_max")?,
            disk: figure("disk_avg", "disk_max")?,
            load: figure("load_avg", "load_max")?,
        });
    }
    Ok((head, servers))
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
