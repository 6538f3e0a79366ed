//! Incidents in figures: what is open, what comes and goes, and how long people take.

use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::log::Head;
use crate::postgres::{Database, QueryError};

/// Events of these types change the figures.
pub const CHANGED_BY: &[&str] = &["incident."];

/// The figures of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentStatistics {
    /// Open ones: triggered, acknowledged, investigating, mitigated.
    pub by_status: [i64; 4],
    /// Open ones: P0 to P4.
    pub by_severity: [i64; 5],
    /// The open one that was reported first.
    pub oldest_open: Option<OldestOpen>,
    /// Reported in the last 24 hours.
    pub created_24h: i64,
    /// Resolved in the last 24 hours, and not open again.
    pub resolved_24h: i64,
    /// From report to acknowledgement, of those acknowledged within the window.
    pub to_acknowledge: Delay,
    /// From report to resolution, of those resolved within the window.
    pub to_resolve: Delay,
}

/// The open incident that was reported first.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct OldestOpen {
    pub id: Uuid,
    pub number: i64,
    pub created_at: OffsetDateTime,
}

/// How long something takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Delay {
    /// How many were measured.
    pub measured: i64,
    /// Mean in seconds; `None` when nothing was measured.
    pub mean_s: Option<f64>,
    /// 50th, 90th and 95th percentile in seconds, interpolated.
    pub percentiles_s: [Option<f64>; 3],
}

/// The figures of now, with delays over the last `window_h` hours, and the position they are true as of.
///
/// # Errors
/// The database did not answer.
pub async fn load(database: Database, window_h: i32) -> Result<(Head, IncidentStatistics), QueryError> {
    let sql = include_str!("../../sql/queries/incident_statistics.sql");
    let row = database.query_one(sql, &[&window_h]).await?;
    let statistics = IncidentStatistics {
        by_status: counts(row.try_get("by_status")?),
        by_severity: counts(row.try_get("by_severity")?),
        oldest_open: oldest_open(&row)?,
        created_24h: row.try_get("created_24h")?,
        resolved_24h: row.try_get("resolved_24h")?,
        to_acknowledge: delay(&row, ["acknowledged", "acknowledged_mean", "acknowledged_percentiles"])?,
        to_resolve: delay(&row, ["resolved", "resolved_mean", "resolved_percentiles"])?,
    };
    Ok((Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? }, statistics))
}

/// The query gives exactly so many.
fn counts<const N: usize>(counted: Vec<i64>) -> [i64; N] {
    counted.try_into().unwrap_or([0; N])
}

fn oldest_open(row: &Row) -> Result<Option<OldestOpen>, QueryError> {
    let Some(id) = row.try_get("oldest_id")? else { return Ok(None) };
    let (number, created_at) = (row.try_get("oldest_number")?, row.try_get("oldest_created_at")?);
    Ok(Some(OldestOpen { id, number, created_at }))
}

fn delay(row: &Row, [measured, mean, percentiles]: [&str; 3]) -> Result<Delay, QueryError> {
    let percentiles: Vec<f64> = row.try_get::<_, Option<_>>(percentiles)?.unwrap_or_default();
    Ok(Delay {
        measured: row.try_get(measured)?,
        mean_s: row.try_get(mean)?,
        percentiles_s: [0, 1, 2].map(|nth| percentiles.get(nth).copied()),
    })
}
