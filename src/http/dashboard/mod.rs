//! Every module in figures, for one screen: however many ask, one query a second answers them.

mod view;

use poem_openapi::param::Query;
use poem_openapi::{Enum, OpenApi, Tags};

use super::allowed::Allowed;
use super::answer::{Answer, Cached, Shown};
use super::problem::Problem;
use crate::domain::permission::{Anyone, SYSTEM_READ, ServersRead};
use crate::projections::Wants;
use crate::projections::dashboard::{self, Busiest, Question};
pub use view::Parts;
use view::{Stats, Streams, Utilization};

/// Hours that are looked back at, unless the caller says otherwise.
const DEFAULT_WINDOW_H: i32 = 24;
const DEFAULT_TIME_ZONE: &str = "UTC";
/// Servers that are shown, unless the caller says otherwise.
const DEFAULT_SERVERS: i64 = 20;

/// What a server can be busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum By {
    Cpu,
    Memory,
    Disk,
    Load,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            By::Cpu => "cpu",
            By::Memory => "memory",
            By::Disk => "disk",
            By::Load => "load",
        }
    }
}

#[derive(Tags)]
enum Tag {
    /// Everything in figures.
    Dashboard,
}

/// The operations of the dashboard.
pub struct Dashboard;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Dashboard")]
impl Dashboard {
    /// Show everything in figures
    ///
    /// One part per module that you may read; the others are absent. However many ask at once, one query answers all
    /// with the same permissions, window and time zone: at most one a second while things change. An answer is never
    /// older than 5 seconds. Follow the stream after `Signalbox-Seq` and ask again when something happens.
    #[oai(path = "/dashboard/stats", method = "get", operation_id = "dashboardStats")]
    async fn stats(
        &self,
        caller: Allowed<Anyone>,
        /// Hours that are looked back at, 1 to 720; default 24. Up to 48 of them are shown hour by hour, more day by day.
        #[oai(validator(minimum(value = "1"), maximum(value = "720")))]
        window_h: Query<Option<i32>>,
        /// Whose hours and days they are, such as `Europe/Berlin`; default `UTC`.
        time_zone: Query<Option<String>>,
        /// Wait until this process has seen the position, and for an answer that holds it.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Cached<Stats>> {
        let app = &caller.app;
        let time_zone = time_zone.0.unwrap_or_else(|| DEFAULT_TIME_ZONE.to_owned());
        if time_zone != DEFAULT_TIME_ZONE && !app.time_zones.know(&app.database, &time_zone).await? {
            let wrong = ("query/time_zone".to_owned(), "not a name of the IANA time zone database".to_owned());
            return Err(Problem::bad_request("invalid_parameter", "there is no such time zone").errors([wrong]));
        }
        app.seen(min_seq.0).await?;
        let question = Question { window_h: window_h.0.unwrap_or(DEFAULT_WINDOW_H), time_zone };
        let wants = if min_seq.0.is_some() { Wants::Newest } else { Wants::Soon };
        let permissions = &caller.account.permissions;
        let load = || dashboard::load(app.database.clone(), question.clone(), permissions.iter().copied().collect());
        let told = app.dashboard.ask(question.clone(), permissions, wants, load).await?;
        let streams = permissions.contains(SYSTEM_READ).then(|| Streams::of(app));
        let stats = Stats::of(question, &told.answer, streams);
        Ok(Cached::new(Shown::bytes_of(&stats, told.head, caller.known.as_deref()), told.source))
    }

    /// Show the busiest servers
    ///
    /// As their agents reported. However many ask at once, one query a second answers them.
    #[oai(path = "/dashboard/server-utilization", method = "get", operation_id = "dashboardServerUtilization")]
    async fn utilization(
        &self,
        caller: Allowed<ServersRead>,
        /// Hours that are looked back at, 1 to 720; default 24.
        #[oai(validator(minimum(value = "1"), maximum(value = "720")))]
        window_h: Query<Option<i32>>,
        /// By whose average they are ordered; default `cpu`.
        by: Query<Option<By>>,
        /// At most so many, 1 to 100; default 20.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<i64>>,
        /// Wait until this process has seen the position, and for an answer that holds it.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Cached<Utilization>> {
        let app = &caller.app;
        app.seen(min_seq.0).await?;
        let asked = Busiest {
            window_h: window_h.0.unwrap_or(DEFAULT_WINDOW_H),
            by: by.0.unwrap_or(By::Cpu).as_str(),
            limit: limit.0.unwrap_or(DEFAULT_SERVERS),
        };
        let wants = if min_seq.0.is_some() { Wants::Newest } else { Wants::Soon };
        let load = || dashboard::busiest(app.database.clone(), asked);
        let told = app.utilization.ask(asked, &caller.account.permissions, wants, load).await?;
        let shown = Utilization::of(asked.window_h, &told.answer);
        Ok(Cached::new(Shown::bytes_of(&shown, told.head, caller.known.as_deref()), told.source))
    }
}
