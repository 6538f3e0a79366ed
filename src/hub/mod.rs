//! Fan-out: one ring of new events, and readers that are cursors into it.
//!
//! A reader has no queue. What it has not been sent yet is found behind its cursor: in the ring, or, when
//! it fell off the ring, in the log. So a slow reader costs nobody memory and loses nothing.
//!
//! In the order data moves: [`Hub::publish`] → `ring` → `round` (encoded once per class) → [`Reader`], which says
//! what comes next → `writer` (sockets of our own) or `body` (a response inside an HTTP library).

mod body;
mod breaker;
mod encoding;
pub mod filter;
pub mod frame;
mod level;
mod open;
mod places;
pub mod protection;
mod reader;
mod repetitions;
mod replay;
mod ring;
mod round;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use encoding::Encoding;
pub use filter::{Facts, Filter};
pub use frame::{Bye, Reset};
pub use level::Level;
pub use open::{Open, OpenStreams};
pub use places::{Place, Places, Refused};
pub use protection::Protection;
pub use reader::{Cursor, Reader, Subscription};
pub use replay::PAGE_EVENTS as REPLAY_PAGE_EVENTS;
pub use writer::{Taken, Writers};

use repetitions::Repetitions;
use replay::{Page, Replay};
use ring::Ring;
use round::{Entry, Gathering, Round, Sent};

use crate::log::read::Swept;
use crate::log::{Event, Head, Registry};
use crate::metrics::Metrics;
use crate::postgres::Database;
use crate::projections::Accounts;

/// What a hub and its streams may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Memory for the newest events.
    pub ring_bytes: usize,
    /// A reader that takes nothing for so long is closed.
    pub stall: Duration,
}

/// Where readers subscribe.
pub struct Hub {
    stall: Duration,
    ring: RwLock<Ring>,
    repetitions: Mutex<Repetitions>,
    registry: Arc<Registry>,
    /// The head that readers wait on; it changes after the ring holds the events.
    head: watch::Sender<Head>,
    classes: Mutex<HashMap<(Filter, Encoding), Weak<Class>>>,
    database: Database,
    replay: Replay,
    accounts: Arc<Accounts>,
    stop: CancellationToken,
    open: OpenStreams,
    /// What streams are given, and whether there are any.
    mode: watch::Sender<Mode>,
    writers: OnceLock<Writers>,
    /// Held while they start, so that the first streams, which come together, start them once.
    starting: Mutex<()>,
    metrics: Arc<Metrics>,
}

/// What a process lets its streams do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// By this process's breakers.
    pub level: Level,
    /// By an administrator, for all processes.
    pub disabled: bool,
}

/// Readers with the same wish and the same rights. They are told the same bytes.
struct Class {
    filter: Arc<Filter>,
    encoding: Encoding,
    /// The newest round from each source and the cursor it began at: most readers stand at the same one.
    live: Mutex<Option<(i64, Arc<Round>)>>,
    replayed: Mutex<Option<(i64, Arc<Round>)>>,
    previewed: Mutex<Option<(i64, Arc<Round>)>>,
}

/// What readers compare themselves with; taken once for all that are looked at together.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    head: Head,
    mode: Mode,
    /// Changes of anybody's rights so far.
    rights: u64,
    stopping: bool,
}

impl Hub {
    /// A hub whose ring starts empty at `head`. Streams end when `stop` is cancelled.
    pub fn new(
        head: Head,
        bounds: Bounds,
        registry: Arc<Registry>,
        database: Database,
        accounts: Arc<Accounts>,
        stop: CancellationToken,
        metrics: Arc<Metrics>,
    ) -> Hub {
        Hub {
            stall: bounds.stall,
            ring: RwLock::new(Ring::new(head.seq, bounds.ring_bytes)),
            repetitions: Mutex::new(Repetitions::of(registry.clone())),
            registry,
            head: watch::Sender::new(head),
            classes: Mutex::default(),
            replay: Replay::of(database.clone(), stop.clone()),
            database,
            accounts,
            stop,
            open: OpenStreams::default(),
            mode: watch::Sender::default(),
            writers: OnceLock::new(),
            starting: Mutex::default(),
            metrics,
        }
    }

    /// The threads that write to sockets; started at the first stream that is given to them.
    ///
    /// # Errors
    /// The system gives no thread or no epoll.
    pub fn writers(self: &Arc<Hub>) -> std::io::Result<&Writers> {
        if let Some(writers) = self.writers.get() {
            return Ok(writers);
        }
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writers) = self.writers.get() {
            return Ok(writers);
        }
        let started = Writers::start(self)?;
        Ok(self.writers.get_or_init(|| started))
    }

    /// What streams may do now.
    pub fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Changes what streams may do. Open ones follow at once.
    pub fn change_mode(&self, change: impl FnOnce(&mut Mode)) {
        self.mode.send_modify(change);
        self.wake(true);
    }

    /// Takes the log's newest events from before this process, so that streams that come back after a restart
    /// find in memory what they missed. `events` end at the head.
    pub fn remember(&self, events: Vec<Event>) {
        let entries = self.entries(events);
        self.ring.write().unwrap_or_else(PoisonError::into_inner).push(entries);
    }

    /// Hands the tail's next events to all readers. Called by one task, in order.
    pub fn publish(&self, events: Vec<Event>) {
        let entries = self.entries(events);
        let critical = entries.iter().any(|entry| entry.critical);
        let seq = {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            ring.push(entries);
            ring.head()
        };
        self.head.send_modify(|head| head.seq = seq);
        self.wake(critical);
        self.forget_empty_classes();
    }

    fn entries(&self, events: Vec<Event>) -> Vec<Entry> {
        let mut repetitions = self.repetitions.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = |event: Event| {
            let critical = self.registry.get(&event.kind).is_some_and(|kind| kind.critical);
            let repetition = repetitions.notice(&event);
            Entry::new(event, critical, repetition)
        };
        events.into_iter().map(entry).collect()
    }

    /// Forgets what events of short-lived types said that have lost their data in the log. Whoever stands before them
    /// reads them there.
    pub fn expire(&self, swept: &[Swept]) {
        let gone = |event: &Event| swept.iter().any(|swept| swept.kind == event.kind && event.seq <= swept.seq);
        if !self.ring.write().unwrap_or_else(PoisonError::into_inner).forget_through(gone) {
            return;
        }
        self.replay.forget();
        self.forget_rounds();
    }

    /// Another history: every reader is told to load its state anew.
    pub fn rewrite(&self, head: Head) {
        self.ring.write().unwrap_or_else(PoisonError::into_inner).clear(head.seq);
        self.replay.forget();
        self.forget_rounds();
        self.head.send_replace(head);
        self.wake(true);
    }

    fn forget_rounds(&self) {
        for class in self.classes.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade) {
            class.forget();
        }
    }

    /// The end of the log as this process knows it.
    pub fn head(&self) -> Head {
        *self.head.borrow()
    }

    /// Waits until this process has seen `seq`.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn reached(&self, seq: i64) {
        // The sender lives as long as self, so waiting cannot fail.
        let _ = self.head.subscribe().wait_for(|head| head.seq >= seq).await;
    }

    /// Events behind `position` that are still in memory, at most `most`; `None`: the log has them.
    pub fn newest(&self, position: i64, most: usize) -> Option<Vec<Arc<Event>>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).behind(position, most)
    }

    /// The streams that are open.
    pub fn open(&self) -> &OpenStreams {
        &self.open
    }

    /// How many of the newest events need no database.
    pub fn ring_events(&self) -> usize {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Counts rounds that were written.
    fn account(&self, sent: &[Sent]) {
        for Sent { round, readers, live } in sent {
            let readers = u64::from(*readers);
            round.kinds.iter().for_each(|(kind, events)| self.metrics.sent(kind, u64::from(*events) * readers));
            self.metrics.sent_bytes.inc_by(round.frames.len() as u64 * readers);
            if !round.from_log {
                self.metrics.ring_hits.inc_by(readers);
            }
            // By the database's clock: on another machine's, this is as exact as the two agree.
            let since = round.recorded_at.filter(|_| *live > 0).map(|at| OffsetDateTime::now_utc() - at);
            since.and_then(|since| since.try_into().ok()).into_iter().for_each(|since| self.metrics.delivered(since));
        }
    }

    fn wake(&self, urgent: bool) {
        if let Some(writers) = self.writers.get() {
            writers.wake(urgent);
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            at: Instant::now(),
            head: self.head(),
            mode: self.mode(),
            rights: self.accounts.changes(),
            stopping: self.stop.is_cancelled(),
        }
    }

    fn class(&self, filter: Filter, encoding: Encoding) -> Arc<Class> {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (filter, encoding);
        if let Some(class) = classes.get(&key).and_then(Weak::upgrade) {
            return class;
        }
        let class = Arc::new(Class {
            filter: Arc::new(key.0.clone()),
            encoding,
            live: Mutex::default(),
            replayed: Mutex::default(),
            previewed: Mutex::default(),
        });
        classes.insert(key, Arc::downgrade(&class));
        class
    }

    fn forget_empty_classes(&self) {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if classes.len() > 64 {
            classes.retain(|_, class| class.strong_count() > 0);
        }
    }

    /// What follows `cursor` in the ring, encoded once for all of the class that stand there.
    fn round(&self, class: &Class, cursor: i64) -> Option<Arc<Round>> {
        let mut newest = class.live.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((start, round)) if *start == cursor && (round.full || round.cursor == ring.head()) => {
                Some(round.clone())
            }
            _ => {
                let round = Arc::new(ring.round(cursor, &class.filter)?.encoded(class.encoding));
                *newest = Some((cursor, round.clone()));
                Some(round)
            }
        }
    }

    /// The critical events behind `cursor`, without ids.
    fn preview(&self, class: &Class, cursor: i64) -> Arc<Round> {
        let mut newest = class.previewed.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((start, round)) if *start == cursor && round.cursor == ring.head() => round.clone(),
            _ => {
                let round = Arc::new(ring.preview(cursor, &class.filter).encoded(class.encoding));
                *newest = Some((cursor, round.clone()));
                round
            }
        }
    }
}

impl Class {
    fn forget(&self) {
        for newest in [&self.live, &self.replayed, &self.previewed] {
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// What follows `cursor` in a page of the log.
    fn replay(&self, page: &Page, cursor: i64) -> Arc<Round> {
        let mut newest = self.replayed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((start, round)) if *start == cursor && round.cursor > cursor => round.clone(),
            _ => {
                let gathering = Gathering::new(cursor).add(page.behind(cursor), &self.filter).of_log();
                let round = Arc::new(gathering.finish().encoded(self.encoding));
                *newest = Some((cursor, round.clone()));
                round
            }
        }
    }
}

/// Names who reads, so that what they may see can be looked up again.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    /// Whose rights count.
    pub user: Uuid,
    /// Their sign-in; the stream ends with it.
    pub session: Uuid,
    /// Of their token, in Unix seconds.
    pub expires_at: i64,
}
