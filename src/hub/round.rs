//! Rounds: what readers of one class at one cursor are told, encoded once and shared by all of them.

use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use super::{Encoding, Filter, frame};
use crate::log::Event;

/// Frames in one round: large enough to catch up fast, small enough to be what one reader may cost.
const ROUND_BYTES: usize = 64 << 10;
/// What one event costs beside its frame: the parsed event and its list entries.
const ENTRY_BYTES: usize = 1_024;

/// An event and its frame.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub event: Arc<Event>,
    pub frame: Bytes,
    /// Waits for no window and passes also where only the essential does.
    pub critical: bool,
    /// Repeats the event before it, and is left out.
    pub repetition: bool,
}

impl Entry {
    pub fn new(event: Event, critical: bool, repetition: bool) -> Entry {
        let frame = frame::event(&event);
        Entry { event: Arc::new(event), frame, critical, repetition }
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        self.frame.len() + ENTRY_BYTES
    }

    /// The same without the line that moves a reader's cursor.
    pub fn without_id(&self) -> Entry {
        let line = self.frame.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        Entry { frame: self.frame.slice(line..), ..self.clone() }
    }
}

/// What a reader at some cursor has to be told.
pub(super) struct Round {
    /// Frames of the admitted events, ready to write.
    pub frames: Bytes,
    /// The reader's cursor after them.
    pub cursor: i64,
    /// Seq of the last admitted event, if any was.
    pub last: Option<i64>,
    /// It ends for its size, not for want of events.
    pub full: bool,
    /// It was read from the log, not found in the ring.
    pub from_log: bool,
    /// When its first admitted event was recorded.
    pub recorded_at: Option<OffsetDateTime>,
    /// Admitted events by type.
    pub kinds: Vec<(String, u32)>,
}

/// A round that was written, and to how many readers.
pub(super) struct Sent {
    pub round: Arc<Round>,
    pub readers: u32,
    /// Of those, the ones that were told of events as they happened; the others caught up.
    pub live: u32,
}

impl Round {
    /// The same round as these readers want it.
    pub fn encoded(self, encoding: Encoding) -> Round {
        Round { frames: encoding.piece(&self.frames), ..self }
    }
}

/// A round in the making.
pub(super) struct Gathering {
    frames: Vec<Bytes>,
    bytes: usize,
    round: Round,
}

impl Gathering {
    pub fn new(cursor: i64) -> Gathering {
        let round = Round {
            frames: Bytes::new(),
            cursor,
            last: None,
            full: false,
            from_log: false,
            recorded_at: None,
            kinds: Vec::new(),
        };
        Gathering { frames: Vec::new(), bytes: 0, round }
    }

    /// Adds what the filter admits, up to [`ROUND_BYTES`] but at least one event.
    pub fn add<'a>(mut self, entries: impl IntoIterator<Item = &'a Entry>, filter: &Filter) -> Gathering {
        for entry in entries {
            if self.bytes >= ROUND_BYTES {
                self.round.full = true;
                break;
            }
            self.round.cursor = entry.event.seq;
            if !entry.repetition && filter.admits(&entry.event) {
                self.bytes += entry.frame.len();
                self.frames.push(entry.frame.clone());
                self.note(&entry.event);
            }
        }
        self
    }

    fn note(&mut self, event: &Event) {
        self.round.last = Some(event.seq);
        self.round.recorded_at.get_or_insert(event.recorded_at);
        match self.round.kinds.iter_mut().find(|(kind, _)| *kind == event.kind) {
            Some((_, count)) => *count += 1,
            None => self.round.kinds.push((event.kind.clone(), 1)),
        }
    }

    /// Says that its entries were read from the log.
    pub fn of_log(mut self) -> Gathering {
        self.round.from_log = true;
        self
    }

    /// Says that there is nothing more up to here.
    pub fn up_to(mut self, seq: i64) -> Gathering {
        if !self.round.full {
            self.round.cursor = seq;
        }
        self
    }

    /// One frame is shared as it is; several are joined, so that all is one write.
    pub fn finish(self) -> Round {
        let frames = match <[Bytes; 1]>::try_from(self.frames) {
            Ok([one]) => one,
            Err(frames) => Bytes::from(frames.concat()),
        };
        Round { frames, ..self.round }
    }
}
