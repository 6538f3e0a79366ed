//! Fan-out: one ring of new events, and readers that are cursors into it.
//!
//! A reader has no queue. What it has not been sent yet is found behind its cursor: in the ring, or, when
//! it fell off the ring, in the log. So a slow reader costs nobody memory and loses nothing.

mod breaker;
pub mod filter;
pub mod frame;
mod level;
mod open;
pub mod protection;
mod reader;
mod ring;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use filter::Filter;
pub use frame::{Bye, Reset};
pub use level::Level;
pub use open::{Open, OpenStreams};
pub use protection::Protection;
pub use reader::{Cursor, Reader};
use ring::{Ring, Round};

use crate::log::{Event, Head};
use crate::metrics::Metrics;
use crate::postgres::Database;
use crate::projections::Accounts;

/// Readers that may page through the log at once: fewer than pooled connections, so that commands
/// and queries always find one.
const REPLAYS_AT_ONCE: usize = 4;
/// Frames in one write: large enough to catch up fast, small enough to be what one reader may cost.
const ROUND_BYTES: usize = 64 << 10;

/// Where readers subscribe.
pub struct Hub {
    ring: RwLock<Ring>,
    /// The head that readers wait on; it changes after the ring holds the events.
    head: watch::Sender<Head>,
    classes: Mutex<HashMap<Filter, Weak<Class>>>,
    database: Database,
    accounts: Arc<Accounts>,
    replays: Semaphore,
    stop: CancellationToken,
    open: OpenStreams,
    /// What streams are given, and whether there are any.
    mode: watch::Sender<Mode>,
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
    filter: Filter,
    /// The newest round and the cursor it began at.
    newest: Mutex<Option<(i64, Arc<Round>)>>,
}

impl Hub {
    /// A hub whose ring starts empty at `head`. Streams end when `stop` is cancelled.
    pub fn new(
        head: Head,
        ring_bytes: usize,
        database: Database,
        accounts: Arc<Accounts>,
        stop: CancellationToken,
        metrics: Arc<Metrics>,
    ) -> Hub {
        Hub {
            ring: RwLock::new(Ring::new(head.seq, ring_bytes)),
            head: watch::Sender::new(head),
            classes: Mutex::default(),
            database,
            accounts,
            replays: Semaphore::new(REPLAYS_AT_ONCE),
            stop,
            open: OpenStreams::default(),
            mode: watch::Sender::default(),
            metrics,
        }
    }

    /// What streams may do now.
    pub fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Changes what streams may do. Open ones follow at once.
    pub fn change_mode(&self, change: impl FnOnce(&mut Mode)) {
        self.mode.send_modify(change);
    }

    /// Hands the tail's next events to all readers. Called by one task, in order.
    pub fn publish(&self, events: Vec<Event>) {
        let seq = {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            ring.push(events);
            ring.head()
        };
        self.head.send_modify(|head| head.seq = seq);
        self.forget_empty_classes();
    }

    /// Another history: every reader is told to load its state anew.
    pub fn rewrite(&self, head: Head) {
        self.ring.write().unwrap_or_else(PoisonError::into_inner).clear(head.seq);
        self.head.send_replace(head);
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

    /// The streams that are open.
    pub fn open(&self) -> &OpenStreams {
        &self.open
    }

    /// How many of the newest events need no database.
    pub fn ring_events(&self) -> usize {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn class(&self, filter: Filter) -> Arc<Class> {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(class) = classes.get(&filter).and_then(Weak::upgrade) {
            return class;
        }
        let class = Arc::new(Class { filter: filter.clone(), newest: Mutex::default() });
        classes.insert(filter, Arc::downgrade(&class));
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
        let mut newest = class.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((start, round)) if *start == cursor && round.cursor == ring.head() => Some(round.clone()),
            _ => {
                let round = Arc::new(ring.round(cursor, &class.filter, ROUND_BYTES)?);
                *newest = Some((cursor, round.clone()));
                Some(round)
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
