//! What a process counts, in the names of `GET /metrics`. The only code that knows the metrics library.
//!
//! Counting costs the hot path next to nothing: a round is counted once, with the number of its events times
//! its readers, never per event or per reader; a stream once when it opens and once when it ends. What
//! others count already (queries, appends, the head) is read when somebody asks, not copied as it happens.
//!
//! OpenMetrics adds `_total` to a counter's name: `sse_connections` is exposed as `sse_connections_total`.

mod clients;
mod delays;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

pub use clients::Clients;
pub use delays::Delays;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The reader left.
    Left,
    /// The last frame said so: `shutdown`, `token_expired`, …
    Bye(&'static str),
    /// The reader took nothing for too long.
    Stalled,
    /// The connection broke, or the database did not answer.
    Broken,
}

impl Ended {
    /// By a `bye` of this reason. A reader that stalled, or that the database failed, did not end in order.
    pub fn of(reason: &'static str) -> Ended {
        match reason {
            "stalled" => Ended::Stalled,
            "unavailable" => Ended::Broken,
            in_order => Ended::Bye(in_order),
        }
    }
}

/// Where a stream that opened began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// With what happens from then on.
    Fresh,
    /// All it had missed was in memory.
    Ring,
    /// It was read from the log.
    Log,
    /// Its cursor meant nothing.
    Reset,
}

/// Reasons for which streams end.
const ENDINGS: [&str; 8] =
    ["left", "broken", "stalled", "shutdown", "token_expired", "revoked", "disabled", "degraded"];
/// Names of [`Resumed`], in its order.
const RESUMED: [&str; 4] = ["fresh", "ring", "log", "reset"];

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Type {
    r#type: String,
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Name {
    name: &'static str,
}

/// What this process counts. Handles are atomics: cheap to write from anywhere.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// The latency breaker's numbers.
    pub delays: Delays,
    /// What clients report.
    pub clients: Clients,
    /// Streams open.
    pub sse_connections_active: Gauge,
    /// Streams opened.
    pub sse_connections: Counter,
    /// Events written to streams, by type. Use [`Metrics::sent`].
    sse_events_sent: Family<Type, Counter>,
    /// Streams opened by a client that had one before.
    pub sse_reconnections: Counter,
    /// How long streams were open, in seconds.
    sse_connection_duration: Histogram,
    commit_to_send_seconds: Histogram,
    /// Rounds found in the ring.
    pub ring_hits: Counter,
    /// Rounds that had to be read from the log.
    pub ring_misses: Counter,
    replay_events: Histogram,
    resumes: Family<Name, Counter>,
    /// Bytes of frames written to streams.
    pub sent_bytes: Counter,
    streams_closed: Family<Name, Counter>,
    append_seconds: Histogram,
    observed: Observed,
    answers: Counter,
    answers_failed: Counter,
    closed: Counter,
    closed_badly: Counter,
}

/// Numbers that others keep; brought here when somebody asks.
#[derive(Default)]
struct Observed {
    dedup_cache_hits: Counter,
    dedup_cache_misses: Counter,
    dedup_requests_deduplicated: Counter,
    dedup_cache_size: Gauge,
    log_head: Gauge,
    log_lag: Gauge,
    listening: Gauge,
    append_queue: Gauge,
    appends: Counter,
    appends_failed: Counter,
    queries: Counter,
    queries_failed: Counter,
    streams_lagging: Family<Name, Gauge>,
    streams_disabled: Gauge,
    level: Gauge,
    breaker_level: Family<Name, Gauge>,
    resident_bytes: Gauge,
}

/// The same numbers, as they are now.
pub struct Now {
    /// Answers that came from the cache, that did not, that were shared while they were made, and those in it.
    pub kept: (u64, u64, u64, u64),
    /// Streams open.
    pub streams: u64,
    /// Last position this process has seen.
    pub head: i64,
    /// Behind the database; `None` while that cannot be known.
    pub lag: Option<i64>,
    /// Notifications arrive.
    pub listening: bool,
    /// Commands that wait.
    pub append_queue: usize,
    /// Commands recorded, and not recorded for no fault of theirs, since the start.
    pub appends: (u64, u64),
    /// Queries, and those that failed.
    pub queries: (u64, u64),
    /// Streams 800 and 1,000 events behind.
    pub lagging: (u64, u64),
    /// Switched off.
    pub disabled: bool,
    /// 0 is normal, 4 polling only.
    pub level: u8,
    /// The same of each breaker.
    pub breakers: Vec<(&'static str, u8)>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let metrics = Metrics {
            registry: Mutex::default(),
            delays: Delays::default(),
            clients: Clients::default(),
            sse_connections_active: Gauge::default(),
            sse_connections: Counter::default(),
            sse_events_sent: Family::default(),
            sse_reconnections: Counter::default(),
            // A second to nine hours.
            sse_connection_duration: Histogram::new(exponential_buckets(1.0, 2.0, 16)),
            // Half a millisecond to 16 s.
            commit_to_send_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 16)),
            ring_hits: Counter::default(),
            ring_misses: Counter::default(),
            // One event to a million.
            replay_events: Histogram::new(exponential_buckets(1.0, 4.0, 11)),
            resumes: Family::default(),
            sent_bytes: Counter::default(),
            streams_closed: Family::default(),
            append_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 16)),
            observed: Observed::default(),
            answers: Counter::default(),
            answers_failed: Counter::default(),
            closed: Counter::default(),
            closed_badly: Counter::default(),
        };
        // Each with its line from the beginning: a rate over it is then 0 and not unknown.
        ENDINGS.iter().for_each(|&name| drop(metrics.streams_closed.get_or_create(&Name { name })));
        RESUMED.iter().for_each(|&name| drop(metrics.resumes.get_or_create(&Name { name })));
        *metrics.registry.lock().unwrap_or_else(PoisonError::into_inner) = metrics.registered();
        metrics
    }
}

impl Metrics {
    /// All types of event, so that each has its line from the beginning.
    pub fn know_types<'a>(&self, types: impl Iterator<Item = &'a str>) {
        types.for_each(|name| drop(self.sse_events_sent.get_or_create(&Type { r#type: name.to_owned() })));
    }

    /// So many events of a type were written: of a round, times its readers. Per round and type, not per reader.
    pub fn sent(&self, kind: &str, count: u64) {
        self.sse_events_sent.get_or_create(&Type { r#type: kind.to_owned() }).inc_by(count);
    }

    /// A live round went out, so long after its oldest event was committed. Per round and class, not per reader.
    pub fn delivered(&self, after: Duration) {
        self.delays.record(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
        self.commit_to_send_seconds.observe(after.as_secs_f64());
    }

    /// A stream opened and has seen where it begins, after a replay of so many events.
    pub fn resumed(&self, outcome: Resumed, replayed: u64) {
        self.resumes.get_or_create(&Name { name: RESUMED[outcome as usize] }).inc();
        if matches!(outcome, Resumed::Ring | Resumed::Log) {
            self.replay_events.observe(replayed as f64);
        }
    }

    /// A stream ended.
    pub fn ended(&self, how: Ended, after: Duration) {
        let name = match how {
            Ended::Left => "left",
            Ended::Bye(reason) => reason,
            Ended::Stalled => "stalled",
            Ended::Broken => "broken",
        };
        self.streams_closed.get_or_create(&Name { name }).inc();
        self.sse_connection_duration.observe(after.as_secs_f64());
        self.closed.inc();
        if matches!(how, Ended::Stalled | Ended::Broken) {
            self.closed_badly.inc();
        }
    }

    /// Streams that ended, and those of them that stalled or broke.
    pub fn endings(&self) -> (u64, u64) {
        (self.closed.get(), self.closed_badly.get())
    }

    /// A request was answered. What this process refuses to protect itself has not failed.
    pub fn answered(&self, failed: bool) {
        self.answers.inc();
        self.answers_failed.inc_by(failed.into());
    }

    /// Requests that were answered, and those of them where the server failed.
    pub fn answers(&self) -> (u64, u64) {
        (self.answers.get(), self.answers_failed.get())
    }

    /// A command of the API was answered by the log.
    pub fn appended(&self, after: Duration) {
        self.append_seconds.observe(after.as_secs_f64());
    }

    /// All of it, in OpenMetrics' text.
    pub fn exposition(&self, now: &Now) -> String {
        // Whoever asks at the same time waits: totals of others are brought here by their difference.
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.bring(now);
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &registry) {
            tracing::error!(%error, "metrics cannot be written"); // writing to a String does not fail
        }
        text
    }

    fn bring(&self, now: &Now) {
        let total = |counter: &Counter, total: u64| counter.inc_by(total.saturating_sub(counter.get()));
        let to = &self.observed;
        self.sse_connections_active.set(now.streams as i64);
        let (hits, misses, shared, size) = now.kept;
        total(&to.dedup_cache_hits, hits);
        total(&to.dedup_cache_misses, misses);
        total(&to.dedup_requests_deduplicated, shared);
        to.dedup_cache_size.set(size as i64);
        to.log_head.set(now.head);
        to.log_lag.set(now.lag.unwrap_or(-1));
        to.listening.set(now.listening.into());
        to.append_queue.set(now.append_queue as i64);
        total(&to.appends, now.appends.0);
        total(&to.appends_failed, now.appends.1);
        total(&to.queries, now.queries.0);
        total(&to.queries_failed, now.queries.1);
        to.streams_lagging.get_or_create(&Name { name: "800" }).set(now.lagging.0 as i64);
        to.streams_lagging.get_or_create(&Name { name: "1000" }).set(now.lagging.1 as i64);
        to.streams_disabled.set(now.disabled.into());
        to.level.set(now.level.into());
        for (name, level) in &now.breakers {
            to.breaker_level.get_or_create(&Name { name }).set((*level).into());
        }
        to.resident_bytes.set(resident_bytes().map_or(0, |bytes| bytes as i64));
    }

    fn registered(&self) -> Registry {
        let now = &self.observed;
        let lines = Lines::default()
            .line("sse_connections_active", "Streams open", &self.sse_connections_active)
            .line("sse_connections", "Streams opened", &self.sse_connections)
            .line("sse_events_sent", "Events written to streams, by type", &self.sse_events_sent)
            .line("sse_reconnections", "Streams opened by clients that had one before", &self.sse_reconnections)
            .line("sse_connection_duration", "How long streams were open, in seconds", &self.sse_connection_duration)
            .line(
                "signalbox_commit_to_send_seconds",
                "From an event's commit to its first write to a stream",
                &self.commit_to_send_seconds,
            )
            .line("signalbox_ring_hits", "Rounds found in memory", &self.ring_hits)
            .line("signalbox_ring_misses", "Rounds read from the log", &self.ring_misses)
            .line("signalbox_replay_events", "Events that streams had missed when they opened", &self.replay_events)
            .line("signalbox_resumes", "Streams opened, by where they began: fresh, ring, log, reset", &self.resumes)
            .line("signalbox_sent_bytes", "Bytes of frames written to streams", &self.sent_bytes)
            .line("signalbox_streams_closed", "Streams that ended, by reason", &self.streams_closed)
            .line("signalbox_append_seconds", "From a command of the API to its outcome", &self.append_seconds)
            .line("signalbox_answers", "Requests answered", &self.answers)
            .line("signalbox_answer_failures", "Requests where the server failed", &self.answers_failed)
            .line("dedup_cache_hits", "Answers from the cache", &now.dedup_cache_hits)
            .line("dedup_cache_misses", "Answers that were not in the cache", &now.dedup_cache_misses)
            .line(
                "dedup_requests_deduplicated",
                "Requests that shared the answer of another",
                &now.dedup_requests_deduplicated,
            )
            .line("dedup_cache_size", "Answers in the cache", &now.dedup_cache_size)
            .line("signalbox_log_head", "Last position this process has seen", &now.log_head)
            .line("signalbox_log_lag", "Positions behind the database; -1 while it does not answer", &now.log_lag)
            .line("signalbox_listening", "1 while notifications arrive", &now.listening)
            .line("signalbox_append_queue", "Commands that wait to be recorded", &now.append_queue)
            .line("signalbox_appends", "Commands that got an outcome", &now.appends)
            .line("signalbox_append_failures", "Commands that got none", &now.appends_failed)
            .line("signalbox_queries", "Queries", &now.queries)
            .line("signalbox_query_failures", "Queries that failed", &now.queries_failed)
            .line("signalbox_streams_lagging", "Streams at least so many events behind", &now.streams_lagging)
            .line("signalbox_streams_disabled", "1 while streams are switched off", &now.streams_disabled)
            .line(
                "signalbox_level",
                "0 normal, 1 batched, 2 essential only, 3 no new streams, 4 polling only",
                &now.level,
            )
            .line("signalbox_breaker_level", "The level that each breaker asks for", &now.breaker_level)
            .line("process_resident_memory_bytes", "Resident memory", &now.resident_bytes);
        self.clients.lines(lines).0
    }
}

/// A registry that is written line by line.
#[derive(Default)]
struct Lines(Registry);

impl Lines {
    fn line(mut self, name: &str, help: &str, metric: &(impl Metric + Clone)) -> Lines {
        self.0.register(name, help, metric.clone());
        self
    }
}

/// Resident memory of this process; `None` where the kernel does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
