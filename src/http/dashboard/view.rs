//! The figures, as dashboard_*.sql count them and as the API shows them.

use poem_openapi::Object;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::http::incidents::{Open, Time};
use crate::projections::dashboard::Question;

/// Everything in figures. A part is absent without the permission to read its module.
#[derive(Debug, Object)]
#[oai(rename = "DashboardStats", skip_serializing_if_is_none)]
pub struct Stats {
    /// Hours that are looked back at.
    window_h: i32,
    /// Whose hours and days they are.
    time_zone: String,
    /// With `incidents.read`.
    incidents: Option<Incidents>,
}

/// What the database counts.
#[derive(Debug, Clone, Deserialize)]
pub struct Parts {
    incidents: Option<Incidents>,
}

/// Incidents in figures; what was cancelled or merged into another is neither resolved nor measured.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "DashboardIncidents")]
pub struct Incidents {
    /// Incidents that somebody still has to do something about.
    open: Open,
    /// From report to acknowledgement, of incidents acknowledged within the window.
    time_to_acknowledge: Time,
    /// From report to resolution, of incidents resolved within the window.
    time_to_resolve: Time,
    /// How many came and went, from the oldest hour or day to the present one, which is not over yet.
    trend: Vec<Came>,
}

/// Incidents of an hour or a day.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "DashboardIncidentTrend")]
pub struct Came {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Reported.
    created: i64,
    /// Resolved, and not open again.
    resolved: i64,
}

impl Stats {
    pub fn of(Question { window_h, time_zone }: Question, parts: &Parts) -> Stats {
        let Parts { incidents } = parts.clone();
        Stats { window_h, time_zone, incidents }
    }
}
