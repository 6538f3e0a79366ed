//! The figures, as dashboard_*.sql count them and as the API shows them.

use poem_openapi::Object;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::http::App;
use crate::http::incidents::{Open, Time};
use crate::projections::dashboard::{Busy, Question, Use};

/// A stream so far behind is at risk of reading the log anew; metrics and alerts know the number.
const LAGGING_EVENTS: i64 = 800;

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
    /// With `servers.read`.
    servers: Option<Servers>,
    /// With `automations.read`.
    automations: Option<Automations>,
    /// With `notifications.read`.
    notifications: Option<Notifications>,
    /// With `logs.read`.
    logs: Option<Logs>,
    /// Of the process that answers; with `system.read`.
    streams: Option<Streams>,
}

/// What the database counts.
#[derive(Debug, Clone, Deserialize)]
pub struct Parts {
    incidents: Option<Incidents>,
    servers: Option<Servers>,
    automations: Option<Automations>,
    notifications: Option<Notifications>,
    logs: Option<Logs>,
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

/// Servers in figures.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "DashboardServers")]
pub struct Servers {
    /// All that were not deleted.
    total: i64,
    by_status: ByStatus,
}

/// Servers by what their last tests said.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "DashboardServersByStatus")]
pub struct ByStatus {
    up: i64,
    down: i64,
    pending: i64,
    maintenance: i64,
}

/// Executions of runbooks: those under way, and those that began within the window and have ended.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "DashboardAutomations")]
pub struct Automations {
    queued: i64,
    running: i64,
    waiting_approval: i64,
    succeeded: i64,
    failed: i64,
    timed_out: i64,
    /// Ended by a person.
    cancelled: i64,
    /// Which fraction succeeded, 0 to 1, of those that no person ended; null: there were none.
    success: Option<f64>,
}

/// Deliveries to channels, tests left out: those that wait, and those that ended within the window.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "DashboardNotifications")]
pub struct Notifications {
    pending: i64,
    sent: i64,
    /// Given up.
    failed: i64,
    /// Not tried: the channel was off, or gone.
    skipped: i64,
    /// Which fraction was sent, 0 to 1, of those that were tried to the end; null: there were none.
    success: Option<f64>,
    /// Channels that get nothing until somebody enables them.
    channels_disabled: i64,
}

/// Log lines of the last minute.
#[derive(Debug, Clone, Deserialize, Object)]
#[oai(rename = "DashboardLogs")]
pub struct Logs {
    lines_per_s: f64,
    warnings: i64,
    /// Also fatal ones.
    errors: i64,
}

/// The streams of a process, as they are now.
#[derive(Debug, Clone, Object)]
#[oai(rename = "DashboardStreams")]
pub struct Streams {
    open: usize,
    /// Of them, those that are 800 events behind and more.
    lagging: usize,
    /// What they are given: `normal` when nothing is wrong.
    level: String,
}

impl Stats {
    pub fn of(Question { window_h, time_zone }: Question, parts: &Parts, streams: Option<Streams>) -> Stats {
        let Parts { incidents, servers, automations, notifications, logs } = parts.clone();
        Stats { window_h, time_zone, incidents, servers, automations, notifications, logs, streams }
    }
}

impl Streams {
    pub fn of(app: &App) -> Streams {
        let [lagging] = app.hub.open().behind(app.hub.head().seq, [LAGGING_EVENTS]);
        Streams { open: app.hub.open().count(), lagging, level: app.hub.mode().level.as_str().to_owned() }
    }
}

/// The busiest servers.
#[derive(Debug, Object)]
#[oai(rename = "ServersUtilization")]
pub struct Utilization {
    /// Hours that are looked back at.
    window_h: i32,
    /// The busiest first.
    items: Vec<Server>,
}

/// How busy a server said it was.
#[derive(Debug, Object)]
#[oai(rename = "ServerInUse")]
pub struct Server {
    id: Uuid,
    name: String,
    /// `up`, `down`, `pending` or `maintenance`.
    status: String,
    /// Reports within the window.
    samples: i64,
    /// In percent.
    cpu: InUse,
    /// In percent.
    memory: InUse,
    /// In percent.
    disk: InUse,
    /// Processes that want to run.
    load: InUse,
}

/// A figure over the window.
#[derive(Debug, Object)]
#[oai(rename = "InUse")]
pub struct InUse {
    average: f64,
    most: f64,
}

impl Utilization {
    pub fn of(window_h: i32, servers: &[Busy]) -> Utilization {
        Utilization { window_h, items: servers.iter().map(Server::of).collect() }
    }
}

impl Server {
    fn of(busy: &Busy) -> Server {
        let in_use = |figure: Use| InUse { average: figure.average, most: figure.most };
        Server {
            id: busy.server,
            name: busy.name.clone(),
            status: busy.status.clone(),
            samples: busy.samples,
            cpu: in_use(busy.cpu),
            memory: in_use(busy.memory),
            disk: in_use(busy.disk),
            load: in_use(busy.load),
        }
    }
}
