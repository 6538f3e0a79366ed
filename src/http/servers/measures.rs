//! What is measured of servers: latency, uptime, and how busy they say they are.

use poem::http::StatusCode;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Tag, as_of, refused};
use crate::domain::permission::{ServersRead, ServersReport};
use crate::domain::server::Refusal;
use crate::domain::server::report::Reported;
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply, Shown};
use crate::http::caller::Caller;
use crate::http::command::{Decision, carry_out};
use crate::http::problem::Problem;
use crate::postgres::QueryError;
use crate::servers;

/// The operations on measurements.
pub struct Measures;

/// How far back, for what is kept a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "LatencyWindow")]
#[allow(missing_docs)]
pub enum OfDay {
    #[oai(rename = "1h")]
    Hour,
    #[oai(rename = "6h")]
    SixHours,
    #[oai(rename = "24h")]
    Whole,
}

impl OfDay {
    /// Window and step in seconds: 120 steps each.
    fn seconds(self) -> (f64, f64) {
        match self {
            OfDay::Hour => (3_600.0, 30.0),
            OfDay::SixHours => (21_600.0, 180.0),
            OfDay::Whole => (86_400.0, 720.0),
        }
    }
}

/// How far back, for what is kept 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "UtilizationWindow")]
#[allow(missing_docs)]
pub enum OfMonth {
    #[oai(rename = "1h")]
    Hour,
    #[oai(rename = "24h")]
    Day,
    #[oai(rename = "7d")]
    Week,
    #[oai(rename = "30d")]
    Whole,
}

impl OfMonth {
    /// Window and step in seconds: at most 288 steps of whole five minutes.
    fn seconds(self) -> (f64, f64) {
        match self {
            OfMonth::Hour => (3_600.0, 300.0),
            OfMonth::Day => (86_400.0, 300.0),
            OfMonth::Week => (604_800.0, 3_600.0),
            OfMonth::Whole => (2_592_000.0, 14_400.0),
        }
    }
}

/// What the tests within one step measured.
#[derive(Debug, Object)]
pub struct LatencyPoint {
    /// The step's beginning.
    at: OffsetDateTime,
    /// Tests within it.
    tests: i64,
    /// Those of them that were not answered.
    failures: i64,
    /// Until a connection stood; null: none did.
    connect_avg_ms: Option<f64>,
    /// The longest.
    connect_max_ms: Option<f64>,
    /// From there until the key exchange had been offered; null: it was not asked for, or did not come so far.
    handshake_avg_ms: Option<f64>,
    /// The longest.
    handshake_max_ms: Option<f64>,
}

/// How long a server's answers took.
#[derive(Debug, Object)]
pub struct Latency {
    /// Seconds from point to point. Steps without a test have none.
    step_s: f64,
    /// At most 121, in order.
    points: Vec<LatencyPoint>,
}

/// For how long a server had each status.
#[derive(Debug, Object)]
pub struct Uptime {
    /// Up, of the time in which it was up or down, in percent; null: it was neither.
    percent: Option<f64>,
    /// Seconds.
    up_s: f64,
    /// Seconds.
    down_s: f64,
    /// Seconds that count as neither.
    maintenance_s: f64,
    /// Seconds that count as neither.
    pending_s: f64,
}

/// Uptime of two lengths.
#[derive(Debug, Object)]
pub struct Uptimes {
    /// Of the last 24 hours.
    last_24h: Uptime,
    /// Of the last 30 days.
    last_30d: Uptime,
}

/// How busy a server is.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct UtilizationReport {
    /// Of all its processors, 0 to 100.
    cpu_percent: f64,
    /// Of its memory, 0 to 100.
    memory_percent: f64,
    /// Of its fullest disk, 0 to 100.
    disk_percent: f64,
    /// Load average of one minute.
    load: f64,
}

/// A report was taken.
#[derive(Debug, Object)]
pub struct ReportTaken {
    /// Whose.
    server: Uuid,
    /// For how long the log keeps what it says, in seconds. Averages stay for 30 days.
    ttl_s: u32,
}

/// What a server said within one step.
#[derive(Debug, Object)]
#[allow(missing_docs)]
pub struct UtilizationPoint {
    /// The step's beginning.
    at: OffsetDateTime,
    /// Reports within it.
    samples: i64,
    cpu_avg: f64,
    cpu_max: f64,
    memory_avg: f64,
    memory_max: f64,
    disk_avg: f64,
    disk_max: f64,
    load_avg: f64,
    load_max: f64,
}

/// How busy a server said it was.
#[derive(Debug, Object)]
pub struct Utilization {
    /// Seconds from point to point. Steps without a report have none.
    step_s: f64,
    /// At most 290, in order.
    points: Vec<UtilizationPoint>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Servers")]
impl Measures {
    /// How long a server's answers took
    #[oai(path = "/servers/:server/latency", method = "get", operation_id = "getServerLatency")]
    async fn latency(
        &self,
        caller: Allowed<ServersRead>,
        server: Path<String>,
        /// Default `1h`.
        window: Query<Option<OfDay>>,
    ) -> Answer<Shown<Latency>> {
        let (head, server) = as_of(&caller.app, &server.0).await?;
        let (window_s, step_s) = window.0.unwrap_or(OfDay::Hour).seconds();
        let sql = include_str!("../../../sql/queries/server_latency.sql");
        let rows = caller.app.database.query(sql, &[&server.id, &window_s, &step_s]).await?;
        let point = |row: &tokio_postgres::Row| -> Result<LatencyPoint, tokio_postgres::Error> {
            Ok(LatencyPoint {
                at: row.try_get("at")?,
                tests: row.try_get("tests")?,
                failures: row.try_get("failures")?,
                connect_avg_ms: row.try_get("connect_avg_ms")?,
                connect_max_ms: row.try_get("connect_max_ms")?,
                handshake_avg_ms: row.try_get("handshake_avg_ms")?,
                handshake_max_ms: row.try_get("handshake_max_ms")?,
            })
        };
        let points = rows.iter().map(point).collect::<Result<_, _>>().map_err(QueryError::from)?;
        Ok(Shown::bytes_of(&Latency { step_s, points }, head, caller.known.as_deref()))
    }

    /// For how much of the time a server was up
    #[oai(path = "/servers/:server/uptime", method = "get", operation_id = "getServerUptime")]
    async fn uptime(&self, caller: Allowed<ServersRead>, server: Path<String>) -> Answer<Shown<Uptimes>> {
        let (head, server) = as_of(&caller.app, &server.0).await?;
        let last_24h = uptime(&caller, server.id, 24).await?;
        let last_30d = uptime(&caller, server.id, 720).await?;
        Ok(Shown::bytes_of(&Uptimes { last_24h, last_30d }, head, caller.known.as_deref()))
    }

    /// How busy a server said it was
    #[oai(path = "/servers/:server/utilization", method = "get", operation_id = "getServerUtilization")]
    async fn utilization(
        &self,
        caller: Allowed<ServersRead>,
        server: Path<String>,
        /// Default `24h`.
        window: Query<Option<OfMonth>>,
    ) -> Answer<Shown<Utilization>> {
        let (head, server) = as_of(&caller.app, &server.0).await?;
        let (window_s, step_s) = window.0.unwrap_or(OfMonth::Day).seconds();
        let sql = include_str!("../../../sql/queries/server_utilization.sql");
        let rows = caller.app.database.query(sql, &[&server.id, &window_s, &step_s]).await?;
        let point = |row: &tokio_postgres::Row| -> Result<UtilizationPoint, tokio_postgres::Error> {
            Ok(UtilizationPoint {
                at: row.try_get("at")?,
                samples: row.try_get("samples")?,
                cpu_avg: row.try_get("cpu_avg")?,
                cpu_max: row.try_get("cpu_max")?,
                memory_avg: row.try_get("memory_avg")?,
                memory_max: row.try_get("memory_max")?,
                disk_avg: row.try_get("disk_avg")?,
                disk_max: row.try_get("disk_max")?,
                load_avg: row.try_get("load_avg")?,
                load_max: row.try_get("load_max")?,
            })
        };
        let points = rows.iter().map(point).collect::<Result<_, _>>().map_err(QueryError::from)?;
        Ok(Shown::bytes_of(&Utilization { step_s, points }, head, caller.known.as_deref()))
    }

    /// Say how busy a server is
    ///
    /// For the agent or cron job on it. The event is short-lived: after an hour the log keeps that it was there, and
    /// forgets what it said.
    #[oai(path = "/servers/:server/utilization", method = "post", operation_id = "reportServerUtilization")]
    async fn report(
        &self,
        caller: Allowed<ServersReport>,
        server: Path<String>,
        body: Json<UtilizationReport>,
    ) -> Answer<Done<ReportTaken>> {
        let UtilizationReport { cpu_percent, memory_percent, disk_percent, load } = body.0;
        let reported = Reported { cpu_percent, memory_percent, disk_percent, load };
        reported.check().map_err(refused)?;
        let who = caller.clone();
        let decide = move || report(who.clone(), server.0.clone(), reported);
        carry_out(caller.0, decide).await.map(|carried| Done::new(carried.reply, carried.seq, carried.replayed))
    }
}

async fn report(caller: Caller, name: String, reported: Reported) -> Result<Decision, Problem> {
    let (_, server) = as_of(&caller.app, &name).await?;
    if server.deleted {
        return Err(refused(Refusal::Deleted));
    }
    let (write, state) = servers::report(server.id, &reported, OffsetDateTime::now_utc());
    let ttl_s = crate::domain::server::report::REPORT_TTL_S;
    let reply = Reply::new(StatusCode::OK, server.version, &ReportTaken { server: server.id, ttl_s });
    Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
}

async fn uptime(caller: &Caller, server: Uuid, window_h: i32) -> Result<Uptime, QueryError> {
    let sql = include_str!("../../../sql/queries/server_uptime.sql");
    let row = caller.app.database.query_one(sql, &[&server, &window_h]).await?;
    let (up_s, down_s): (f64, f64) = (row.try_get("up_s")?, row.try_get("down_s")?);
    let percent = (up_s + down_s > 0.0).then(|| up_s / (up_s + down_s) * 100.0);
    let (maintenance_s, pending_s) = (row.try_get("maintenance_s")?, row.try_get("pending_s")?);
    Ok(Uptime { percent, up_s, down_s, maintenance_s, pending_s })
}
