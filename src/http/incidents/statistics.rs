//! Incidents in figures, for dashboards: however many ask, one query a second answers them.

use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Tag;
use crate::domain::incident;
use crate::domain::permission::IncidentsRead;
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Cached, Shown};
use crate::projections::Wants;
use crate::projections::incident_statistics::{self, Delay, IncidentStatistics, OldestOpen};

/// Hours over which delays are measured, unless the caller says otherwise.
const DEFAULT_WINDOW_H: i32 = 24;

/// The operation on incidents in figures.
pub struct Statistics;

/// Incidents in figures.
#[derive(Debug, Object)]
#[oai(rename = "IncidentStatistics")]
pub struct View {
    /// Incidents that somebody still has to do something about.
    open: Open,
    /// The open one that was reported first; absent when none is open.
    #[oai(skip_serializing_if_is_none)]
    oldest_open: Option<Oldest>,
    /// Reported in the last 24 hours, whatever became of them.
    created_24h: i64,
    /// Resolved in the last 24 hours and not open again; duplicates and cancelled ones not counted.
    resolved_24h: i64,
    /// The window of the delays below, in hours.
    window_h: i32,
    /// From report to acknowledgement, of incidents acknowledged within the window; duplicates and cancelled
    /// ones not counted.
    time_to_acknowledge: Time,
    /// From report to resolution, of incidents resolved within the window; duplicates and cancelled ones not counted.
    time_to_resolve: Time,
}

/// Open incidents.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "OpenIncidents")]
pub struct Open {
    /// All.
    total: i64,
    /// By how far along they are.
    by_status: ByStatus,
    /// By how bad they are.
    by_severity: BySeverity,
}

/// Open incidents by status.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "OpenByStatus")]
pub struct ByStatus {
    triggered: i64,
    acknowledged: i64,
    investigating: i64,
    mitigated: i64,
}

/// Open incidents by severity.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "OpenBySeverity")]
pub struct BySeverity {
    #[oai(rename = "P0")]
    #[serde(rename = "P0")]
    p0: i64,
    #[oai(rename = "P1")]
    #[serde(rename = "P1")]
    p1: i64,
    #[oai(rename = "P2")]
    #[serde(rename = "P2")]
    p2: i64,
    #[oai(rename = "P3")]
    #[serde(rename = "P3")]
    p3: i64,
    #[oai(rename = "P4")]
    #[serde(rename = "P4")]
    p4: i64,
}

/// The open incident that was reported first.
#[derive(Debug, Object)]
#[oai(rename = "OldestOpenIncident")]
pub struct Oldest {
    id: Uuid,
    /// Such as `INC-42`.
    key: String,
    created_at: OffsetDateTime,
}

/// How long something takes, in seconds; all but `measured` are absent when nothing was measured.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "IncidentTime", skip_serializing_if_is_none)]
pub struct Time {
    /// How many incidents the figures are of.
    measured: i64,
    mean_s: Option<f64>,
    /// Half of them took no longer; between two measurements it is interpolated.
    p50_s: Option<f64>,
    p90_s: Option<f64>,
    p95_s: Option<f64>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Incidents")]
impl Statistics {
    /// Show incidents in figures
    ///
    /// However many ask at once, one query answers all with the same permissions. An answer holds every change
    /// that this process had seen a second before, and every change at all if the last query was longer ago:
    /// under constant change there is one query a second. With `min_seq` it holds every change up to there, and
    /// may take up to a second longer. Without any change it is loaded anew after 5 seconds, as the time windows
    /// move. Follow the stream after `Signalbox-Seq`; when the next `incident.*` event comes, ask again.
    #[oai(path = "/incidents/stats", method = "get", operation_id = "incidentStatistics")]
    async fn show(
        &self,
        caller: Allowed<IncidentsRead>,
        /// Hours over which delays are measured, 1 to 720; default 24.
        #[oai(validator(minimum(value = "1"), maximum(value = "720")))]
        window_h: Query<Option<i32>>,
        /// Wait until this process has seen the position, and for an answer that holds it.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Cached<View>> {
        caller.app.seen(min_seq.0).await?;
        let window_h = window_h.0.unwrap_or(DEFAULT_WINDOW_H);
        let wants = if min_seq.0.is_some() { Wants::Newest } else { Wants::Soon };
        let load = || incident_statistics::load(caller.app.database.clone(), window_h);
        let told = caller.app.incident_statistics.ask(window_h, &caller.account.permissions, wants, load).await?;
        let shown = Shown::bytes_of(&View::of(&told.answer, window_h), told.head, caller.known.as_deref());
        Ok(Cached::new(shown, told.source))
    }
}

impl View {
    fn of(statistics: &IncidentStatistics, window_h: i32) -> View {
        let [triggered, acknowledged, investigating, mitigated] = statistics.by_status;
        let [p0, p1, p2, p3, p4] = statistics.by_severity;
        let open = Open {
            total: statistics.by_status.iter().sum(),
            by_status: ByStatus { triggered, acknowledged, investigating, mitigated },
            by_severity: BySeverity { p0, p1, p2, p3, p4 },
        };
        View {
            open,
            oldest_open: statistics.oldest_open.as_ref().map(Oldest::from),
            created_24h: statistics.created_24h,
            resolved_24h: statistics.resolved_24h,
            window_h,
            time_to_acknowledge: Time::from(&statistics.to_acknowledge),
            time_to_resolve: Time::from(&statistics.to_resolve),
        }
    }
}

impl From<&OldestOpen> for Oldest {
    fn from(oldest: &OldestOpen) -> Oldest {
        Oldest { id: oldest.id, key: incident::key(oldest.number), created_at: oldest.created_at }
    }
}

impl From<&Delay> for Time {
    fn from(delay: &Delay) -> Time {
        let [p50_s, p90_s, p95_s] = delay.percentiles_s;
        Time { measured: delay.measured, mean_s: delay.mean_s, p50_s, p90_s, p95_s }
    }
}
