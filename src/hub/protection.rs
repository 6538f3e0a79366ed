//! What a process measures of itself, and what it takes from its streams when that is bad.
//!
//! | breaker | measures | from | streams are given |
//! |---|---|---|---|
//! | `connections` | of the streams that ended within a minute, those that stalled or broke, if 20 ended | 30 % | `batched` |
//! | | | 60 % | `no_new_streams` |
//! | `latency` | mean of the last 100 delays from commit to send, none older than a minute | 100 ms | `batched` |
//! | | | 100 ms for a minute | `essential_only` |
//! | `memory` | resident memory | 9/10 of the limit | `batched` |
//! | | | the limit | `no_new_streams` |
//! | | | 5/4 of the limit | `polling_only` |
//! | `errors` | of the queries, appends and answers within 10 s, those that failed, if there were 20 | 20 % | `batched` |
//!
//! The worst level counts. A breaker opens when its number has been bad for 3 s; `breaker.rs` says how it
//! closes. Errors neither close streams nor hold anything back: events go out of memory, and a client that polls, or
//! that catches up later, would only ask the ailing database more.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::Level;
use super::breaker::{Breaker, State, Step};

/// A number has to be bad for so long.
const STAYS: Duration = Duration::from_secs(3);
/// Latency has to be bad for so long before most events are held back.
const LASTS: Duration = Duration::from_secs(60);
/// Ended streams are looked at for so many seconds, failures for so many.
const ENDED_S: usize = 60;
const FAILED_S: usize = 10;
/// A share of fewer than this says nothing.
const LEAST: u64 = 20;
/// A step is left below this share of where it begins; memory is given back slowly and in part.
const LEAVE: f64 = 0.8;
const LEAVE_MEMORY: f64 = 0.95;

/// The breakers of a process.
pub struct Protection(Mutex<Inner>);

struct Inner {
    breakers: [Watch; 4],
    ended: Share,
    failed: Share,
    report: Report,
}

struct Watch {
    name: &'static str,
    unit: &'static str,
    breaker: Breaker,
    value: f64,
}

/// Totals since the process began, and two numbers of now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measures {
    /// Streams that ended.
    pub ended: u64,
    /// Of those, the ones that stalled or broke.
    pub ended_badly: u64,
    /// Mean delay from commit to send, in ms; 0 when nothing was sent.
    pub latency_ms: f64,
    /// Resident memory, in MiB.
    pub resident_mib: f64,
    /// Queries, appends and answers.
    pub asked: u64,
    /// Of those, the ones that failed. What this process refuses to protect itself is neither.
    pub failed: u64,
}

/// Another level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub old: Level,
    /// From now on.
    pub new: Level,
    /// Which breaker, and what it measured.
    pub reason: String,
}

/// How a process is protected now.
#[derive(Debug, Clone)]
pub struct Report {
    /// The worst of all.
    pub level: Level,
    /// When that began.
    pub since: OffsetDateTime,
    /// Why.
    pub reason: String,
    /// Each breaker.
    pub breakers: Vec<Reading>,
}

/// What a breaker measured, and what follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// `connections`, `latency`, `memory` or `errors`.
    pub name: &'static str,
    /// Of value and limit.
    pub unit: &'static str,
    /// As it was measured last.
    pub value: f64,
    /// Where it begins to be bad, if anywhere.
    pub limit: Option<f64>,
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// What it leaves to streams.
    pub level: Level,
}

impl Protection {
    /// All breakers closed at `now`. `memory_mib` 0 sets no limit.
    pub fn new(memory_mib: u32, now: OffsetDateTime) -> Protection {
        use Level::{Batched, EssentialOnly, NoNewStreams, PollingOnly};
        let watch = |name, unit, leave, steps: &[(f64, Duration, Level)]| {
            let steps = steps.iter().map(|&(at, stays, level)| Step { at, stays, level });
            Watch { name, unit, breaker: Breaker::new(steps.collect(), leave), value: 0.0 }
        };
        let most = f64::from(memory_mib);
        let memory = [(most * 0.9, STAYS, Batched), (most, STAYS, NoNewStreams), (most * 1.25, STAYS, PollingOnly)];
        let breakers = [
            watch("connections", "%", LEAVE, &[(30.0, STAYS, Batched), (60.0, STAYS, NoNewStreams)]),
            watch("latency", "ms", LEAVE, &[(100.0, STAYS, Batched), (100.0, LASTS, EssentialOnly)]),
            watch("memory", "MiB", LEAVE_MEMORY, if memory_mib == 0 { &[] } else { &memory }),
            watch("errors", "%", LEAVE, &[(20.0, STAYS, Batched)]),
        ];
        let readings = breakers.iter().map(Watch::reading).collect();
        let report = Report { level: Level::Normal, since: now, reason: "started".to_owned(), breakers: readings };
        Protection(Mutex::new(Inner { breakers, ended: Share::over(ENDED_S), failed: Share::over(FAILED_S), report }))
    }

    /// Takes notice of what was measured. To be called once a second. Gives the change of level, if there is one.
    pub fn observe(&self, now: Instant, at: OffsetDateTime, measures: Measures) -> Option<Change> {
        let inner = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = [
            inner.ended.percent(measures.ended, measures.ended_badly),
            measures.latency_ms,
            measures.resident_mib,
            inner.failed.percent(measures.asked, measures.failed),
        ];
        for (watch, value) in inner.breakers.iter_mut().zip(values) {
            watch.value = value;
            watch.breaker.observe(now, value);
        }
        inner.report.breakers = inner.breakers.iter().map(Watch::reading).collect();
        let new = inner.breakers.iter().map(|watch| watch.breaker.level()).max().unwrap_or_default();
        let old = std::mem::replace(&mut inner.report.level, new);
        if old == new {
            return None;
        }
        inner.report.since = at;
        inner.report.reason = match inner.breakers.iter().find(|watch| watch.breaker.level() == new) {
            Some(watch) if new > Level::Normal => watch.to_string(),
            _ => "every breaker has closed or is on trial".to_owned(),
        };
        Some(Change { old, new, reason: inner.report.reason.clone() })
    }

    /// How the process is protected now.
    pub fn report(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).report.clone()
    }
}

impl Watch {
    fn reading(&self) -> Reading {
        let state = match self.breaker.state() {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen { .. } => "half_open",
        };
        let (limit, level) = (self.breaker.limit(), self.breaker.level());
        Reading { name: self.name, unit: self.unit, value: self.value, limit, state, level }
    }
}

impl std::fmt::Display for Watch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Watch { name, unit, value, .. } = self;
        write!(out, "{name}: {value:.1} {unit}, limit {:.1} {unit}", self.breaker.limit().unwrap_or_default())
    }
}

/// The share of bad ones among all within the last seconds, from totals that only grow.
struct Share {
    seconds: usize,
    totals: VecDeque<(u64, u64)>,
}

impl Share {
    fn over(seconds: usize) -> Share {
        Share { seconds, totals: VecDeque::new() }
    }

    /// Takes the totals of this second.
    fn percent(&mut self, all: u64, bad: u64) -> f64 {
        self.totals.push_back((all, bad));
        if self.totals.len() > self.seconds + 1 {
            self.totals.pop_front();
        }
        let (all_then, bad_then) = self.totals.front().copied().unwrap_or_default();
        let (all, bad) = (all.saturating_sub(all_then), bad.saturating_sub(bad_then));
        if all < LEAST { 0.0 } else { bad as f64 / all as f64 * 100.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets seconds pass, each with its measures, and collects the changes.
    fn pass(
        protection: &Protection,
        start: Instant,
        seconds: std::ops::Range<u64>,
        of: impl Fn(u64) -> Measures,
    ) -> Vec<Change> {
        let at = OffsetDateTime::UNIX_EPOCH;
        let observe = |second| protection.observe(start + Duration::from_secs(second), at, of(second));
        seconds.filter_map(observe).collect()
    }

    fn ends(changes: &[Change]) -> Vec<Level> {
        changes.iter().map(|change| change.new).collect()
    }

    #[test]
    fn each_number_opens_its_own_levels_and_all_close_by_themselves() {
        use Level::{Batched, EssentialOnly, NoNewStreams, Normal, PollingOnly};
        let none = Measures::default();
        type Case = (&'static str, fn(u64) -> Measures, &'static [Level]);
        let bad: [Case; 7] = [
            (
                "half of the streams stall",
                |s| Measures { ended: s * 10, ended_badly: s * 5, ..Measures::default() },
                &[Batched],
            ),
            (
                "all streams stall",
                |s| Measures { ended: s * 10, ended_badly: s * 10, ..Measures::default() },
                &[NoNewStreams],
            ),
            ("slow", |_| Measures { latency_ms: 101.0, ..Measures::default() }, &[Batched, EssentialOnly]),
            ("nearly full", |_| Measures { resident_mib: 91.0, ..Measures::default() }, &[Batched]),
            ("full", |_| Measures { resident_mib: 100.0, ..Measures::default() }, &[NoNewStreams]),
            ("overfull", |_| Measures { resident_mib: 130.0, ..Measures::default() }, &[PollingOnly]),
            ("failing", |s| Measures { asked: s * 10, failed: s * 5, ..Measures::default() }, &[Batched]),
        ];
        for (name, measures, expected) in bad {
            let (protection, start) = (Protection::new(100, OffsetDateTime::UNIX_EPOCH), Instant::now());
            let opened = pass(&protection, start, 0..90, measures);
            assert_eq!(ends(&opened), expected, "{name}");
            assert!(opened.iter().all(|change| change.reason.contains("limit")), "{name}: {opened:?}");
            let last = measures(89);
            let quiet = Measures {
                ended: last.ended,
                ended_badly: last.ended_badly,
                asked: last.asked,
                failed: last.failed,
                ..none
            };
            let closed = pass(&protection, start, 90..300, |_| quiet);
            assert_eq!(ends(&closed).last(), Some(&Normal), "{name}");
            let report = protection.report();
            assert!(report.breakers.iter().all(|reading| reading.state == "closed"), "{name}: {report:?}");
        }
    }

    #[test]
    fn the_worst_level_counts_and_is_named() {
        let (protection, start) = (Protection::new(100, OffsetDateTime::UNIX_EPOCH), Instant::now());
        let both = Measures { latency_ms: 150.0, resident_mib: 105.0, ..Measures::default() };
        let changes = pass(&protection, start, 0..10, |_| both);
        let named = Change {
            old: Level::Normal,
            new: Level::NoNewStreams,
            reason: "memory: 105.0 MiB, limit 90.0 MiB".to_owned(),
        };
        assert_eq!(changes, [named]);
    }

    #[test]
    fn a_handful_of_failures_says_nothing() {
        let protection = Protection::new(0, OffsetDateTime::UNIX_EPOCH);
        let measures = |second| Measures { asked: second, failed: second, resident_mib: 1e6, ..Measures::default() };
        assert_eq!(pass(&protection, Instant::now(), 0..600, measures), []);
    }

    #[test]
    fn a_change_follows_from_the_one_before() {
        let (protection, start) = (Protection::new(100, OffsetDateTime::UNIX_EPOCH), Instant::now());
        let swing = |second: u64| Measures { resident_mib: (second % 400) as f64 / 2.0, ..Measures::default() };
        let changes = pass(&protection, start, 0..4_000, swing);
        assert!(changes.len() > 10, "{changes:?}");
        assert!(changes.windows(2).all(|pair| pair[0].new == pair[1].old && pair[0].new != pair[1].new));
    }
}
