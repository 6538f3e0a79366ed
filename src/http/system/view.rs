//! The system as administrators see it, and what they send.

use std::sync::Arc;

use poem_openapi::{Enum, Object};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::system::Streams;
use crate::http::App;
use crate::http::text::Text;
use crate::hub::protection::Reading;
use crate::hub::{self, Open};
use crate::log::{QUEUE_COMMANDS, read};

/// Events behind the head at which a class of lag begins. Metrics and alerts know the last two.
const LAG_CLASSES: [i64; 5] = [0, 1, 100, 800, 1_000];

/// How much a process gives its streams. Each level includes what the ones before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Level {
    /// Every event at once.
    Normal,
    /// Events are gathered for up to 50 ms.
    Batched,
    /// Only critical events are sent; all come in order when the level ends.
    EssentialOnly,
    /// Open streams stay; new ones are refused.
    NoNewStreams,
    /// All streams are closed; clients poll.
    PollingOnly,
}

/// A process, as it is now.
#[derive(Debug, Object)]
#[oai(rename = "System")]
pub struct SystemView {
    /// Names the process until it ends; its own events are in the stream `system/<process>`.
    process: Uuid,
    /// Of the program.
    version: String,
    /// When it began.
    started_at: OffsetDateTime,
    /// Since then.
    uptime_s: u64,
    /// What its streams are given now.
    level: Level,
    /// Since when.
    level_since: OffsetDateTime,
    /// Why.
    level_reason: String,
    /// What it measures of itself, once a second. The worst breaker decides the level.
    breakers: Vec<Breaker>,
    /// What administrators said, for all processes.
    control: StreamControl,
    /// Streams are off here, by the administrators' word or since the start.
    disabled: bool,
    /// It was started with streams off and nobody has enabled them since.
    disabled_at_start: bool,
    /// Its open streams.
    streams: StreamCounts,
    /// How far it has come with the log.
    log: LogView,
    /// Commands that wait to be recorded.
    append_waiting: u64,
    /// Of so many that may.
    append_most: u64,
}

/// What watches one number.
#[derive(Debug, Object)]
pub struct Breaker {
    /// `connections`, `latency`, `memory` or `errors`.
    name: String,
    /// As it was measured last.
    value: f64,
    /// Where it begins to be bad; absent where no limit is set.
    limit: Option<f64>,
    /// Of both.
    unit: String,
    /// `closed`, `open` or `half_open`: on trial.
    state: String,
    /// What it leaves to streams.
    level: Level,
}

/// Open streams.
#[derive(Debug, Object)]
pub struct StreamCounts {
    /// All.
    open: u64,
    /// By how many events they are behind; a class ends where the next begins.
    by_lag: Vec<LagClass>,
}

/// Streams that are behind by so many events.
#[derive(Debug, Object)]
pub struct LagClass {
    /// From so many events on.
    from: i64,
    /// Streams.
    streams: u64,
}

/// How far a process has come with the log.
#[derive(Debug, Object)]
pub struct LogView {
    /// Last position that it has seen.
    seq: i64,
    /// Positions behind the database that it is; absent while the database does not answer.
    lag: Option<i64>,
    /// Notifications arrive; if not, the log is polled ten times a second.
    listening: bool,
    /// So many of the newest events are in memory; streams that are further behind read the database.
    in_memory: u64,
}

/// Whether there are streams, and for whom. The same for all processes.
#[derive(Debug, Object)]
pub struct StreamControl {
    /// Switched off by an administrator.
    disabled: bool,
    /// Of the last switch, off or on.
    reason: Option<String>,
    /// Percent of users that are offered streams.
    share: u8,
    /// Grows with each change. In quotes, it is what `If-Match` takes.
    version: i64,
}

/// Why streams are switched.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct SwitchReason {
    /// 1 to 2,000 characters.
    pub reason: Text,
}

/// A share of users.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct Share {
    /// 0 to 100.
    pub percent: i64,
}

/// An open stream.
#[derive(Debug, Object)]
#[oai(rename = "OpenStream")]
pub struct OpenStreamView {
    /// Counts the streams of this process.
    number: u64,
    /// Whose.
    user: Uuid,
    /// What they sign in with.
    username: Option<String>,
    /// Their sign-in.
    session: Uuid,
    /// Address and port it is written to: of the proxy, if one is in between.
    remote: Option<String>,
    /// Since when.
    opened_at: OffsetDateTime,
    /// All up to here was written or was not for it.
    cursor: i64,
    /// Events that it is behind.
    lag: i64,
    /// Type names it asked for; none: all.
    types: Vec<String>,
    /// The one aggregate it asked for.
    stream: Option<String>,
    /// The one collaboration session it asked for.
    collaboration: Option<String>,
}

/// A page of open streams.
#[derive(Debug, Object)]
pub struct OpenStreamPage {
    /// By number.
    items: Vec<OpenStreamView>,
    /// Ask for what is behind it next; absent at the end.
    next: Option<u64>,
}

impl SystemView {
    /// This process, now.
    pub async fn of(app: &App) -> SystemView {
        let head = read::head(&app.database).await.ok();
        let (seq, word) = (app.hub.head().seq, app.control.word());
        let uptime = OffsetDateTime::now_utc() - app.started_at;
        let report = app.protection.report();
        SystemView {
            process: app.process,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: app.started_at,
            uptime_s: u64::try_from(uptime.whole_seconds()).unwrap_or(0),
            level: report.level.into(),
            level_since: report.since,
            level_reason: report.reason,
            breakers: report.breakers.iter().map(Breaker::from).collect(),
            control: StreamControl::from(&word.streams),
            disabled: app.hub.mode().disabled,
            disabled_at_start: word.held,
            streams: StreamCounts { open: app.hub.open().count() as u64, by_lag: by_lag(app, seq) },
            log: LogView {
                seq,
                lag: head.map(|head| (head.seq - seq).max(0)),
                listening: *app.listening.borrow(),
                in_memory: app.hub.ring_events() as u64,
            },
            append_waiting: app.appender.waiting() as u64,
            append_most: QUEUE_COMMANDS as u64,
        }
    }
}

fn by_lag(app: &App, head: i64) -> Vec<LagClass> {
    let at_least = app.hub.open().behind(head, LAG_CLASSES);
    let beyond = at_least.iter().skip(1).chain(&[0]);
    let class = |((from, at_least), beyond): ((i64, &usize), &usize)| LagClass {
        from,
        streams: at_least.saturating_sub(*beyond) as u64,
    };
    LAG_CLASSES.into_iter().zip(&at_least).zip(beyond).map(class).collect()
}

impl OpenStreamPage {
    /// Behind the stream of this number.
    pub fn of(app: &App, after: u64, limit: usize) -> OpenStreamPage {
        let (streams, head) = (app.hub.open().list(after, limit), app.hub.head().seq);
        let next = streams.last().filter(|_| streams.len() == limit).map(|last| last.number);
        let view = |open: &Arc<Open>| OpenStreamView {
            number: open.number,
            user: open.viewer.user,
            username: app.accounts.active(open.viewer.user).map(|account| account.user.username.clone()),
            session: open.viewer.session,
            remote: open.peer.map(|peer| peer.to_string()),
            opened_at: open.opened_at,
            cursor: open.cursor(),
            lag: (head - open.cursor()).max(0),
            types: open.filter.types.iter().map(|&name| name.to_owned()).collect(),
            stream: open.filter.stream.clone(),
            collaboration: open.filter.session.clone(),
        };
        OpenStreamPage { items: streams.iter().map(view).collect(), next }
    }
}

impl From<&Streams> for StreamControl {
    fn from(streams: &Streams) -> StreamControl {
        let Streams { disabled, reason, share, version } = streams.clone();
        StreamControl { disabled, reason, share, version }
    }
}

impl From<&Reading> for Breaker {
    fn from(reading: &Reading) -> Breaker {
        let Reading { name, unit, value, limit, state, level } = *reading;
        let (name, unit, state) = (name.to_owned(), unit.to_owned(), state.to_owned());
        Breaker { name, value, limit, unit, state, level: level.into() }
    }
}

impl From<hub::Level> for Level {
    fn from(level: hub::Level) -> Level {
        match level {
            hub::Level::Normal => Level::Normal,
            hub::Level::Batched => Level::Batched,
            hub::Level::EssentialOnly => Level::EssentialOnly,
            hub::Level::NoNewStreams => Level::NoNewStreams,
            hub::Level::PollingOnly => Level::PollingOnly,
        }
    }
}
