//! The history checker: what clients saw against what the log holds.
//!
//! A scenario records three things and changes none of them afterwards: every append with
//! the time it was sent and answered, everything each reader received on each connection,
//! and, when all is over, the log itself. [`check`] then looks for one counterexample after
//! another. It knows nothing of HTTP or PostgreSQL, so a simulation can use it too.
//!
//! The invariants bear the numbers of the project's list (I1 to I20). A checker that
//! accepts everything is worse than none, hence `tests.rs`: one broken history each.

mod appends;
mod deliveries;
mod log;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use uuid::Uuid;

/// Violations of one invariant that are described one by one; the rest are only counted.
///
/// A single skipped event can break 50 readers at once, and the first lines tell the story.
const DESCRIBED_PER_INVARIANT: usize = 20;

/// Everything that was observed in one run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every append that was sent, in any order.
    pub appends: Vec<Append>,
    /// Every connection; those of one reader in the order in which it opened them.
    pub connections: Vec<Connection>,
    /// The events table, read after the last append was answered or given up, by `seq`.
    pub log: Vec<Event>,
}

/// One command as its sender saw it, retries of the same key included.
#[derive(Clone, Debug)]
pub struct Append {
    /// The idempotency key, the same for each retry.
    pub key: String,
    /// What the sender asked to be written.
    pub request: Digest,
    /// Monotonic nanoseconds just before the first try was sent.
    pub invoke_ns: u64,
    /// Monotonic nanoseconds just after the last answer, or when the sender gave up.
    pub done_ns: u64,
    /// What the sender knows.
    pub outcome: Outcome,
}

/// What the sender of an append knows about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged at this position.
    Ok {
        /// The position that the answer named.
        seq: u64,
    },
    /// Refused for good: it must never show in the log.
    Fail,
    /// A timeout or a lost connection: it may be in the log or not.
    Unknown,
}

/// One connection of one reader, from its request to its end.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Which reader; its connections together are one uninterrupted reading of the log.
    pub reader: u32,
    /// The last id that the reader had when it connected; `None` asks for live events only.
    pub cursor: Option<u64>,
    /// What came, in the order in which it came.
    pub received: Vec<Received>,
}

/// One thing that moved a reader's cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// An event.
    Event {
        /// The SSE id.
        seq: u64,
        /// Its content, made as [`Event::digest`] is made.
        digest: Digest,
    },
    /// A frame with an id and no event: all up to this id was delivered or filtered.
    Bookmark {
        /// The SSE id.
        seq: u64,
    },
}

/// One row of the final log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Position in the log, from 1.
    pub seq: u64,
    /// The event's own id.
    pub id: Uuid,
    /// The stream it belongs to.
    pub stream: String,
    /// Position in that stream, from 1.
    pub version: u64,
    /// The idempotency key of the command that wrote it, if a recorded append wrote it.
    pub key: Option<String>,
    /// What the command asked to be written, as far as the row tells; see [`Append::request`].
    pub request: Digest,
    /// The whole content that a reader gets.
    pub digest: Digest,
}

/// A 64-bit stand-in for a value; two values with the same digest count as equal.
///
/// SipHash with fixed keys: nobody attacks this hash, and a run keeps millions of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(u64);

impl Digest {
    /// The digest of a value; equal values give equal digests within one build.
    pub fn of(value: impl Hash) -> Digest {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Digest(hasher.finish())
    }
}

/// A promise that the checker knows how to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: what was acknowledged is in the log, at its place, as it was sent.
    AckedIsDurable,
    /// I2: what was delivered is in the log, and what failed is not.
    NothingFromNowhere,
    /// I3: a position has one content for everybody, at all times.
    OnePositionOneValue,
    /// I4: positions are 1..n, and so are the versions of every stream.
    GaplessLog,
    /// I5: acknowledged before another was sent means an earlier position.
    RealTimeOrder,
    /// I6: no connection skips an event that its reader may see, not even by a bookmark.
    NoSkip,
    /// I7: no event comes twice, on one connection or after a resume.
    NoRepeat,
    /// I11: once faults have healed, every reader reaches the head in time.
    Liveness,
    /// I13: an idempotency key writes one event at most.
    IdempotentAppend,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::AckedIsDurable => "I1 acked is durable",
            Invariant::NothingFromNowhere => "I2 nothing from nowhere",
            Invariant::OnePositionOneValue => "I3 one position, one value",
            Invariant::GaplessLog => "I4 gapless log",
            Invariant::RealTimeOrder => "I5 real-time order",
            Invariant::NoSkip => "I6 no skip",
            Invariant::NoRepeat => "I7 no repeat",
            Invariant::Liveness => "I11 liveness",
            Invariant::IdempotentAppend => "I13 idempotent append",
        })
    }
}

/// One counterexample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was promised.
    pub invariant: Invariant,
    /// What happened instead, with the positions and names to look for.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.message)
    }
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The first counterexamples of each invariant, in the order in which they were found.
    pub violations: Vec<Violation>,
    counts: HashMap<Invariant, usize>,
}

impl Findings {
    /// How many counterexamples there were, the undescribed ones included.
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// Adds one counterexample; `message` is only built while it will be described.
    pub fn add(&mut self, invariant: Invariant, message: impl FnOnce() -> String) {
        let count = self.counts.entry(invariant).or_default();
        *count += 1;
        if *count <= DESCRIBED_PER_INVARIANT {
            let message = message();
            self.violations.push(Violation { invariant, message });
        }
    }
}

/// Checks a history in which every reader may see every event.
pub fn check(history: &History) -> Findings {
    check_filtered(history, |_, _| true)
}

/// Checks a history in which `visible(reader, event)` says what a reader may see.
///
/// Time is proportional to the log plus all that was received; 10 million deliveries take
/// a few seconds.
pub fn check_filtered(history: &History, visible: impl Fn(u32, &Event) -> bool) -> Findings {
    let mut findings = Findings::default();
    let mut by_seq: Vec<&Event> = history.log.iter().collect();
    by_seq.sort_by_key(|event| event.seq);
    log::check(&by_seq, &mut findings);
    appends::check(&history.appends, &by_seq, &mut findings);
    deliveries::check(&history.connections, &by_seq, visible, &mut findings);
    findings
}

/// The event at a position of a log sorted by position.
fn find<'a>(log: &[&'a Event], seq: u64) -> Option<&'a Event> {
    let index = log.binary_search_by_key(&seq, |event| event.seq).ok()?;
    log.get(index).copied()
}
