//! Whether this process lives and can work.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, Tags};

use super::App;
use crate::hub::Level;
use crate::log::{QUEUE_COMMANDS, read};

/// Further behind than a page of the log, in events, the tail is degraded.
const MOST_LAG: i64 = read::PAGE_EVENTS;
/// Fuller than half, the append queue is.
const MOST_WAITING: usize = QUEUE_COMMANDS / 2;

#[derive(Tags)]
pub(super) enum Tag {
    /// For load balancers and operators.
    Health,
}

/// The operations on the process itself.
pub struct Health;

/// How the process is.
#[derive(Debug, Object)]
#[oai(rename = "Health")]
pub struct State {
    /// `ok` or `unavailable`.
    status: String,
    /// The database answers.
    database: bool,
    /// Notifications arrive; if not, the log is polled ten times a second.
    listening: bool,
    /// Last position that this process has seen.
    seq: i64,
    /// Positions behind the database that it is.
    lag: Option<i64>,
    /// Streams open.
    streams: u64,
    /// Commands waiting to be recorded.
    waiting: u64,
    /// What was looked at, each with its state; only where `verbose` asks for it.
    checks: Option<Vec<Check>>,
}

/// One thing that was looked at.
#[derive(Debug, Object)]
pub struct Check {
    /// `database`, `process`, `listening`, `tail`, `append_queue` or `level`.
    name: String,
    /// A `failed` one makes the process unavailable; a `degraded` one is for operators.
    state: CheckState,
    /// In words.
    detail: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// It works, but slower or with less.
    Degraded,
    /// It does not work.
    Failed,
}

#[derive(ApiResponse)]
enum Ready {
    /// Send requests here.
    #[oai(status = 200)]
    Ok(Json<State>),
    /// Do not, for now.
    #[oai(status = 503)]
    Unavailable(Json<State>),
}

#[OpenApi(tag = "Tag::Health")]
impl Health {
    /// The process lives
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    async fn live(&self) -> poem_openapi::payload::PlainText<&'static str> {
        poem_openapi::payload::PlainText("ok")
    }

    /// The process can work
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn ready(
        &self,
        app: Data<&Arc<App>>,
        /// With it, `checks` lists what was looked at.
        verbose: Query<Option<String>>,
    ) -> Ready {
        let head = read::head(&app.database).await.ok();
        let seq = app.hub.head().seq;
        let well = head.is_some() && !app.stop.is_cancelled();
        let lag = head.map(|head| (head.seq - seq).max(0));
        let state = State {
            status: if well { "ok" } else { "unavailable" }.to_owned(),
            database: head.is_some(),
            listening: *app.listening.borrow(),
            seq,
            lag,
            streams: app.hub.open().count() as u64,
            waiting: app.appender.waiting() as u64,
            checks: verbose.0.map(|_any| checks(&app, lag)),
        };
        if well { Ready::Ok(Json(state)) } else { Ready::Unavailable(Json(state)) }
    }
}

/// Everything that can be looked at without waiting. `lag` is `None` while the database does not answer.
fn checks(app: &App, lag: Option<i64>) -> Vec<Check> {
    let check = |name: &str, well: bool, otherwise: CheckState, detail: String| {
        let state = if well { CheckState::Ok } else { otherwise };
        Check { name: name.to_owned(), state, detail }
    };
    let (waiting, mode, listening) = (app.appender.waiting(), app.hub.mode(), *app.listening.borrow());
    let database = if lag.is_some() { "it answers" } else { "it does not answer" };
    let process = if app.stop.is_cancelled() { "it stops" } else { "it serves" };
    let notified = if listening { "notifications arrive" } else { "notifications do not arrive; the log is polled" };
    let behind = lag.map_or_else(|| "unknown".to_owned(), |lag| format!("{lag} events behind"));
    let level = match (mode.disabled, mode.level) {
        (true, _) => "streams are switched off".to_owned(),
        (false, level) => level.as_str().to_owned(),
    };
    use CheckState::{Degraded, Failed};
    vec![
        check("database", lag.is_some(), Failed, database.to_owned()),
        check("process", !app.stop.is_cancelled(), Failed, process.to_owned()),
        check("listening", listening, Degraded, notified.to_owned()),
        check("tail", lag.is_some_and(|lag| lag <= MOST_LAG), Degraded, behind),
        check("append_queue", waiting <= MOST_WAITING, Degraded, format!("{waiting} of {QUEUE_COMMANDS} wait")),
        check("level", mode.level == Level::Normal && !mode.disabled, Degraded, level),
    ]
}
