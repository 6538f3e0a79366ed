//! The newest events in memory, bounded in bytes, shared by all readers.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Filter;
use super::round::{Entry, Gathering, Round};
use crate::log::Event;

/// Consecutive events up to the head.
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    most_bytes: usize,
    /// Seq of the newest event, also when the ring is empty.
    head: i64,
}

impl Ring {
    pub fn new(head: i64, most_bytes: usize) -> Ring {
        Ring { entries: VecDeque::new(), bytes: 0, most_bytes, head }
    }

    /// Takes the next events; the oldest make room.
    pub fn push(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.head = entry.event.seq;
            self.bytes += entry.bytes();
            self.entries.push_back(entry);
        }
        while self.bytes > self.most_bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// Drops the newest event of which this holds, and all that are older. Whether there was one.
    pub fn forget_through(&mut self, holds: impl Fn(&Event) -> bool) -> bool {
        let Some(last) = self.entries.iter().rposition(|entry| holds(&entry.event)) else { return false };
        self.bytes -= self.entries.drain(..=last).map(|entry| entry.bytes()).sum::<usize>();
        true
    }

    /// Starts again with another history.
    pub fn clear(&mut self, head: i64) {
        self.entries.clear();
        self.bytes = 0;
        self.head = head;
    }

    pub fn head(&self) -> i64 {
        self.head
    }

    /// How many of the newest events are held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// What a reader at `cursor` has to be told; `None` when the cursor has fallen off the ring.
    pub fn round(&self, cursor: i64, filter: &Filter) -> Option<Round> {
        let start = self.entries.len().checked_sub(usize::try_from(self.head - cursor).ok()?)?;
        Some(Gathering::new(cursor).add(self.entries.range(start..), filter).finish())
    }

    /// The events themselves; `None` when `position` has fallen off the ring or is ahead of it.
    pub fn behind(&self, position: i64, most: usize) -> Option<Vec<Arc<Event>>> {
        let start = self.entries.len().checked_sub(usize::try_from(self.head - position).ok()?)?;
        Some(self.entries.range(start..).take(most).map(|entry| entry.event.clone()).collect())
    }

    /// The critical events behind `cursor`, without ids, as far as the ring still has them.
    pub fn preview(&self, cursor: i64, filter: &Filter) -> Round {
        let behind = usize::try_from(self.head - cursor).unwrap_or(0);
        let start = self.entries.len().saturating_sub(behind);
        let critical = self.entries.range(start..).filter(|entry| entry.critical).map(Entry::without_id);
        Gathering::new(cursor).add(&Vec::from_iter(critical), filter).up_to(self.head).finish()
    }
}
