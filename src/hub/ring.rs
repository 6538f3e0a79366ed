//! The newest events in memory, bounded in bytes, shared by all readers.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::{Filter, frame};
use crate::log::Event;

/// What one event costs beside its frame: the parsed event and its list entries.
const ENTRY_BYTES: usize = 1_024;

struct Entry {
    event: Arc<Event>,
    frame: Bytes,
}

/// Consecutive events up to the head.
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    most_bytes: usize,
    /// Seq of the newest event, also when the ring is empty.
    head: i64,
}

/// What a reader at some cursor has to be told.
pub(super) struct Round {
    /// Frames of the admitted events, ready to write.
    pub frames: Bytes,
    /// The reader's cursor after them.
    pub cursor: i64,
    /// Seq of the last admitted event, if any was.
    pub last: Option<i64>,
}

impl Ring {
    pub fn new(head: i64, most_bytes: usize) -> Ring {
        Ring { entries: VecDeque::new(), bytes: 0, most_bytes, head }
    }

    /// Takes the next events; the oldest make room.
    pub fn push(&mut self, events: Vec<Event>) {
        for event in events {
            let frame = frame::event(&event);
            self.head = event.seq;
            self.bytes += frame.len() + ENTRY_BYTES;
            self.entries.push_back(Entry { event: Arc::new(event), frame });
        }
        while self.bytes > self.most_bytes {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.frame.len() + ENTRY_BYTES;
        }
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

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The round behind `cursor`, at most `most_bytes` of frames but at least one event;
    /// `None` when the cursor has fallen off the ring.
    pub fn round(&self, cursor: i64, filter: &Filter, most_bytes: usize) -> Option<Round> {
        let behind = usize::try_from(self.head - cursor).ok()?;
        let start = self.entries.len().checked_sub(behind)?;
        let mut round = Collected::new(cursor);
        for entry in self.entries.range(start..) {
            round.add(&entry.event, filter, || entry.frame.clone());
            if round.bytes >= most_bytes {
                break;
            }
        }
        Some(round.finish())
    }
}

/// The round of a page read from the log instead.
pub(super) fn round_of(events: &[Event], cursor: i64, filter: &Filter) -> Round {
    let mut round = Collected::new(cursor);
    for event in events {
        round.add(event, filter, || frame::event(event));
    }
    round.finish()
}

struct Collected {
    frames: Vec<Bytes>,
    bytes: usize,
    cursor: i64,
    last: Option<i64>,
}

impl Collected {
    fn new(cursor: i64) -> Collected {
        Collected { frames: Vec::new(), bytes: 0, cursor, last: None }
    }

    fn add(&mut self, event: &Event, filter: &Filter, frame: impl FnOnce() -> Bytes) {
        self.cursor = event.seq;
        if filter.admits(event) {
            let frame = frame();
            self.bytes += frame.len();
            self.last = Some(event.seq);
            self.frames.push(frame);
        }
    }

    /// One frame is shared as it is; several are joined, so that all is one write.
    fn finish(self) -> Round {
        let frames = match <[Bytes; 1]>::try_from(self.frames) {
            Ok([one]) => one,
            Err(frames) => Bytes::from(frames.concat()),
        };
        Round { frames, cursor: self.cursor, last: self.last }
    }
}
