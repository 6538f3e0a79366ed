//! Reading the log for readers that are behind the ring.
//!
//! Pages begin at multiples of their length, so that readers that catch up side by side share them:
//! ten thousand that missed the same thousand events cost five queries.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Bye;
use super::round::Entry;
use crate::log::read;
use crate::postgres::{Database, QueryError};

/// Events of a page: some 250 KiB as a rule, four rounds. Readers of a page that is kept cost no query.
pub const PAGE_EVENTS: i64 = 250;
/// Queries at once: fewer than pooled connections, so that commands and other queries always find one.
const QUERIES_AT_ONCE: usize = 4;
/// Full pages that are kept, and for how long after their last use.
const KEPT_BYTES: u64 = 16 << 20;
const KEPT_FOR: Duration = Duration::from_secs(10);
/// While the database is away, a reader that must replay waits this long before it is sent off.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Consecutive events that begin right behind a multiple of [`PAGE_EVENTS`].
#[derive(Debug)]
pub(super) struct Page {
    entries: Vec<Entry>,
}

impl Page {
    /// What is behind a cursor that lies within the page.
    pub fn behind(&self, cursor: i64) -> impl Iterator<Item = &Entry> {
        let behind = self.entries.partition_point(|entry| entry.event.seq <= cursor);
        self.entries.iter().skip(behind)
    }

    fn bytes(&self) -> u32 {
        let bytes: usize = self.entries.iter().map(Entry::bytes).sum();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// The log, page by page.
#[derive(Clone)]
pub(super) struct Replay {
    database: Database,
    full: Cache<i64, Arc<Page>>,
    turns: Arc<Semaphore>,
    stop: CancellationToken,
}

/// What a load gives that is not kept.
#[derive(Debug, Clone, thiserror::Error)]
enum NotKept {
    #[error("the last page still grows")]
    Partial(Arc<Page>),
    #[error("{0}")]
    Query(Arc<QueryError>),
    #[error("the log has a hole behind {0}")]
    Hole(i64),
    #[error("{0}")]
    Ended(Arc<JoinError>),
}

impl Replay {
    pub fn of(database: Database, stop: CancellationToken) -> Replay {
        let full = Cache::builder()
            .weigher(|_, page: &Arc<Page>| page.bytes())
            .max_capacity(KEPT_BYTES)
            .time_to_idle(KEPT_FOR)
            .build();
        Replay { database, full, turns: Arc::new(Semaphore::new(QUERIES_AT_ONCE)), stop }
    }

    /// Forgets all pages: they belong to another history.
    pub fn forget(&self) {
        self.full.invalidate_all();
    }

    /// The page with the events behind `cursor`.
    ///
    /// # Errors
    /// The farewell for the reader, once the database has not answered for 10 s.
    ///
    /// # Cancellation
    /// Safe; others that wait for the same page get it.
    pub async fn page(&self, cursor: i64) -> Result<Arc<Page>, Bye> {
        let start = cursor - cursor.rem_euclid(PAGE_EVENTS);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.load(start).await {
                Ok(page) | Err(NotKept::Partial(page)) => return Ok(page),
                Err(NotKept::Hole(position)) => {
                    tracing::error!(position, "the log has a hole: a stream ends rather than pass over it");
                    return Err(Bye::Unavailable);
                }
                Err(error) if Instant::now() > deadline => {
                    tracing::warn!(%error, "replay given up");
                    return Err(Bye::Unavailable);
                }
                Err(error) => tracing::debug!(%error, "replay not possible yet"),
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = self.stop.cancelled() => return Err(Bye::Shutdown),
            }
        }
    }

    /// One query for all that ask at once.
    async fn load(&self, start: i64) -> Result<Arc<Page>, NotKept> {
        if let Some(page) = self.full.get(&start).await {
            return Ok(page);
        }
        let replay = self.clone();
        // In a task of its own: the reader that asked first may leave without ending it for the others.
        let loading = tokio::spawn(async move { replay.full.try_get_with(start, replay.query(start)).await });
        let loaded = loading.await.map_err(|ended| NotKept::Ended(ended.into()))?;
        loaded.map_err(|not_kept| (*not_kept).clone())
    }

    async fn query(&self, start: i64) -> Result<Arc<Page>, NotKept> {
        let _turn = self.turns.acquire().await;
        let events = read::after(&self.database, start, PAGE_EVENTS).await;
        let events = events.map_err(|error| NotKept::Query(error.into()))?;
        if let Some((_, found)) = (start + 1..).zip(&events).find(|(expected, event)| *expected != event.seq) {
            return Err(NotKept::Hole(found.seq - 1));
        }
        let is_full = events.len() == PAGE_EVENTS as usize;
        // Whether an event is critical or a repetition matters to live readers only.
        let entries = events.into_iter().map(|event| Entry::new(event, false, false)).collect();
        let page = Arc::new(Page { entries });
        if is_full { Ok(page) } else { Err(NotKept::Partial(page)) }
    }
}
