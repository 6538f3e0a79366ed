//! Which streams are open, for operators.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

use super::{Filter, Viewer};

/// An open stream, as it is seen from outside.
#[derive(Debug)]
pub struct Open {
    /// Counts the streams of this process.
    pub number: u64,
    /// Who reads.
    pub viewer: Viewer,
    /// What was asked for, with the rights of then; shared with all who ask for the same.
    pub filter: Arc<Filter>,
    /// From where.
    pub peer: Option<SocketAddr>,
    /// Since when.
    pub opened_at: OffsetDateTime,
    cursor: AtomicI64,
}

impl Open {
    /// All up to here was sent or filtered.
    pub fn cursor(&self) -> i64 {
        self.cursor.load(Ordering::Relaxed)
    }

    pub(super) fn moved_to(&self, cursor: i64) {
        self.cursor.store(cursor, Ordering::Relaxed);
    }
}

/// All open streams of a process.
#[derive(Debug, Default)]
pub struct OpenStreams {
    streams: Mutex<BTreeMap<u64, Arc<Open>>>,
    count: AtomicUsize,
    opened: AtomicU64,
}

impl OpenStreams {
    /// How many.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// At most `most` of them with a number above `after`, by number.
    pub fn list(&self, after: u64, most: usize) -> Vec<Arc<Open>> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.range(after.saturating_add(1)..).take(most).map(|(_, open)| open.clone()).collect()
    }

    /// How many are at least so many events behind `head`, for each limit.
    pub fn behind<const N: usize>(&self, head: i64, limits: [i64; N]) -> [usize; N] {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        limits.map(|limit| streams.values().filter(|open| head - open.cursor() >= limit).count())
    }

    pub(super) fn add(&self, viewer: Viewer, filter: Arc<Filter>, peer: Option<SocketAddr>, cursor: i64) -> Arc<Open> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let opened_at = OffsetDateTime::now_utc();
        let open = Arc::new(Open { number, viewer, filter, peer, opened_at, cursor: AtomicI64::new(cursor) });
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(number, open.clone());
        self.count.fetch_add(1, Ordering::Relaxed);
        open
    }

    pub(super) fn remove(&self, open: &Open) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).remove(&open.number);
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
