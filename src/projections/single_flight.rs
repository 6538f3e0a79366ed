//! One question that many ask at once costs one load, and no answer outlives what the log said since.
//!
//! Whether an answer is good is decided by position, not by invalidation: it carries the `seq` it is true as
//! of, and the tail tells the `seq` of the newest event that changes such answers. An invalidation would be
//! lost on a load that is under way, whose old answer is inserted afterwards; a position cannot be.
//!
//! Limits, for each question and set of rights:
//! - at most one load every [`SETTLE`], also when events come all the time and when loads fail;
//! - an answer holds every change that this process saw [`SETTLE`] before it was asked, and all that it saw
//!   at all when the last load is longer ago than that, or when the caller prefers waiting to an old answer;
//! - none is older than [`OLDEST`] when it is asked for.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::hash::Hash;
use std::ops::Add;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::log::{Event, Head};

/// From the beginning of one load to that of the next. 167 changes a second are then one query a second.
pub const SETTLE: Duration = Duration::from_secs(1);
/// An answer that nothing changed is loaded anew after this time: `now()` stands in many questions, and a
/// tail that lost its connection hears nothing.
pub const OLDEST: Duration = Duration::from_secs(5);
/// Answers in memory, of a few hundred bytes to a few KiB each; those used least recently go first.
const MOST_ANSWERS: u64 = 4_096;

/// The answers to one family of questions `Q`, for as long as they are good.
pub struct SingleFlight<Q, A> {
    answers: Cache<Key<Q>, Loaded<A>>,
    /// How the types of those events begin that change the answers.
    changed_by: &'static [&'static str],
    seen: RwLock<Seen>,
    hits: AtomicU64,
    misses: AtomicU64,
    deduplicated: AtomicU64,
}

/// Who may do different things never shares an answer: a right that was taken away takes its answers along.
type Key<Q> = (Q, BTreeSet<&'static str>);

/// What the tail has told.
#[derive(Debug, Clone, Copy)]
struct Seen {
    epoch: Uuid,
    /// The last event.
    seq: i64,
    /// The last one that changes the answers.
    changed: i64,
}

impl Seen {
    /// Whether an answer as of there holds all that was seen.
    fn changes_nothing(self, head: Head) -> bool {
        head.epoch == self.epoch && head.seq >= self.changed
    }
}

/// What a load came to.
struct Loaded<A> {
    /// An answer is as old as the beginning of its load. A failure is as old as its end: that is when the
    /// database was seen to be away.
    at: Instant,
    outcome: Result<(Head, Arc<A>), LoadFailed>,
}

/// The question could not be answered; the log says why, once for all who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer could not be loaded")]
pub struct LoadFailed;

/// An answer and what is known of it.
#[derive(Debug)]
pub struct Told<A> {
    /// The answer, shared by all who asked.
    pub answer: Arc<A>,
    /// The position that it is true as of.
    pub head: Head,
    /// Where it came from.
    pub source: Source,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From memory.
    Hit,
    /// This caller's load.
    Miss,
    /// A load that another caller had begun.
    Shared,
}

/// What a caller puts up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// An answer at once, though changes of the last [`SETTLE`] may be missing.
    Soon,
    /// Every change that this process has seen, though a load may have to wait for [`SETTLE`].
    Newest,
}

/// How often asking cost nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Answered from memory.
    pub hits: u64,
    /// Answered by a load of their own.
    pub misses: u64,
    /// Answered by a load that another caller had begun.
    pub deduplicated: u64,
    /// Answers in memory.
    pub size: u64,
}

impl Add for CacheCounts {
    type Output = CacheCounts;

    fn add(self, other: CacheCounts) -> CacheCounts {
        CacheCounts {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            deduplicated: self.deduplicated + other.deduplicated,
            size: self.size + other.size,
        }
    }
}

impl<Q, A> SingleFlight<Q, A>
where
    Q: Hash + Eq + Clone + Send + Sync + 'static,
    A: Send + Sync + 'static,
{
    /// Nothing is known yet, and `head` is seen. Events whose type begins with one of `changed_by` change the answers.
    pub fn new(head: Head, changed_by: &'static [&'static str]) -> Self {
        let answers = Cache::builder()
            .max_capacity(MOST_ANSWERS)
            .eviction_policy(EvictionPolicy::lru()) // the default may decline a new answer, and each ask would load
            .time_to_live(OLDEST); // frees memory; age itself is judged by `Loaded::good`
        SingleFlight {
            answers: answers.build(),
            changed_by,
            seen: RwLock::new(Seen { epoch: head.epoch, seq: head.seq, changed: head.seq }),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            deduplicated: AtomicU64::new(0),
        }
    }

    /// Takes notice of the tail's events. Call it before streams hear of them: who asks because of an event
    /// then asks for what is behind it.
    pub fn notice(&self, events: &[Event]) {
        let changes = |event: &&Event| self.changed_by.iter().any(|family| event.kind.starts_with(family));
        let Some(last) = events.last() else { return };
        let changed = events.iter().rev().find(changes);
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        seen.seq = last.seq;
        seen.changed = changed.map_or(seen.changed, |event| event.seq);
    }

    /// The database holds another history: no answer of the old one is good.
    pub fn rewrite(&self, head: Head) {
        let seen = Seen { epoch: head.epoch, seq: head.seq, changed: head.seq };
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// The answer to a question for somebody who may do this; from memory, or by `load`, which says the
    /// position that its answer is true as of. The caller must have checked that it may ask.
    ///
    /// # Errors
    /// [`LoadFailed`], for the next [`SETTLE`] without another load.
    ///
    /// # Cancellation
    /// Safe: a load goes on without the caller that began it, for all who share it.
    pub async fn ask<F, E>(
        &self,
        question: Q,
        rights: &BTreeSet<&'static str>,
        wants: Wants,
        load: impl Fn() -> F,
    ) -> Result<Told<A>, LoadFailed>
    where
        F: Future<Output = Result<(Head, A), E>> + Send + 'static,
        E: Display + 'static,
    {
        let key = (question, rights.clone());
        let seen = *self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let asked = Instant::now();
        let good = move |loaded: &Loaded<A>| loaded.good(asked, seen, wants);
        if let Some(known) = self.answers.get(&key).await.filter(good) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return known.told(seen, Source::Hit);
        }
        let mut source = Source::Shared;
        loop {
            // In a task of its own: moka begins the load again when the caller that began it goes away, and
            // panics when 200 have.
            let (answers, key, load) = (self.answers.clone(), key.clone(), Loaded::by(load()));
            let replaced = move |known: &Loaded<A>| !good(known) && known.at.elapsed() >= SETTLE;
            let flight = tokio::spawn(async move { answers.entry(key).or_insert_with_if(load, replaced).await });
            let landed = flight.await.map_err(|_stopping| LoadFailed)?;
            if landed.is_fresh() {
                source = Source::Miss;
            }
            let loaded = landed.into_value();
            if good(&loaded) {
                let counter = if source == Source::Miss { &self.misses } else { &self.deduplicated };
                counter.fetch_add(1, Ordering::Relaxed);
                return loaded.told(seen, source);
            }
            // It began before the change that this caller knows of. The next one begins after it.
            sleep_until(loaded.at + SETTLE).await;
        }
    }

    /// How often asking cost nothing.
    pub async fn counts(&self) -> CacheCounts {
        self.answers.run_pending_tasks().await; // until then the size is an estimate
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            deduplicated: self.deduplicated.load(Ordering::Relaxed),
            size: self.answers.entry_count(),
        }
    }
}

impl<A> Clone for Loaded<A> {
    fn clone(&self) -> Self {
        Loaded { at: self.at, outcome: self.outcome.clone() }
    }
}

impl<A> Loaded<A> {
    /// Runs a load. Failures and panics become outcomes that are kept for a while like answers: a database
    /// that is down is not asked by everybody who would like to know.
    async fn by<E: Display>(load: impl Future<Output = Result<(Head, A), E>>) -> Loaded<A> {
        let began = Instant::now();
        match AssertUnwindSafe(load).catch_unwind().await {
            Ok(Ok((head, answer))) => return Loaded { at: began, outcome: Ok((head, Arc::new(answer))) },
            Ok(Err(error)) => tracing::warn!(%error, "an answer could not be loaded"),
            Err(_reported) => tracing::error!("loading an answer panicked"),
        }
        Loaded { at: Instant::now(), outcome: Err(LoadFailed) }
    }

    /// Whether this answers one who asked then, when so much was seen.
    fn good(&self, asked: Instant, seen: Seen, wants: Wants) -> bool {
        let age = asked.saturating_duration_since(self.at);
        match &self.outcome {
            Err(LoadFailed) => age < SETTLE,
            Ok((head, _)) if seen.changes_nothing(*head) => age < OLDEST,
            Ok(_) if wants == Wants::Soon => age < SETTLE,
            Ok(_) => self.at > asked, // of a history that the tail has not come to yet
        }
    }

    fn told(self, seen: Seen, source: Source) -> Result<Told<A>, LoadFailed> {
        let (head, answer) = self.outcome?;
        // Nothing that was seen since changes it, so it is true as of there too.
        let seq = if seen.changes_nothing(head) { head.seq.max(seen.seq) } else { head.seq };
        Ok(Told { answer, head: Head { seq, ..head }, source })
    }
}
