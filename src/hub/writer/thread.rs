//! One thread: waits for sockets and for news, and goes through its streams when there are some.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::stream::{Stream, Turn};
use super::{Letter, Mailbox, Taken};
use crate::hub::reader::Step;
use crate::hub::{Hub, Level, Moment, Sent};

/// Stands for the mailbox among the tokens of sockets.
pub(super) const WAKE: Token = Token(usize::MAX);
/// Every stream is looked at this often even when nothing happens: ticks, expiry, stalled readers.
const LOOK: Duration = Duration::from_secs(1);
/// Longest that events are gathered, so that one write carries several of them.
const LONGEST_WINDOW: Duration = Duration::from_millis(50);
/// A look that takes less is no load.
const SHORT_LOOK: Duration = Duration::from_millis(2);
/// Readiness reports taken from the kernel at once.
const REPORTS: usize = 1_024;

pub(super) struct Thread {
    /// Weak: streams keep the hub alive, and without streams the thread shall not.
    hub: Weak<Hub>,
    runtime: Handle,
    poll: Poll,
    mailbox: Arc<Mailbox>,
    stall: Duration,
    streams: Slab<Stream>,
    /// Those that gave way to others and have more to write.
    unfinished: Vec<usize>,
    /// Rounds written since the last account of them.
    sent: Vec<Sent>,
    looked_at: Instant,
    /// No look before this time, unless it is urgent.
    window_ends: Instant,
    head_seen: i64,
}

impl Thread {
    pub fn new(hub: &Arc<Hub>, poll: Poll, mailbox: Arc<Mailbox>) -> Thread {
        let now = Instant::now();
        Thread {
            hub: Arc::downgrade(hub),
            runtime: Handle::current(),
            poll,
            mailbox,
            stall: hub.stall,
            streams: Slab::new(),
            unfinished: Vec::new(),
            sent: Vec::new(),
            looked_at: now,
            window_ends: now,
            head_seen: hub.head().seq,
        }
    }

    /// Until the hub stops and the last stream has said goodbye.
    pub fn run(mut self) {
        let mut reports = Events::with_capacity(REPORTS);
        loop {
            if let Err(error) = self.poll.poll(&mut reports, Some(self.patience()))
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a writer thread cannot wait for its sockets");
            }
            let Some(hub) = self.hub.upgrade() else { break };
            let moment = hub.moment();
            for report in reports.iter().filter(|report| report.token() != WAKE) {
                self.ready(report, &moment);
            }
            for letter in self.mailbox.collect() {
                self.open(letter, &moment);
            }
            self.go_on(&moment);
            if self.is_due(moment.at) {
                // Swapped and not stored: whoever found it set, and did not ring, is then seen with what they did.
                self.mailbox.urgent.swap(false, Ordering::AcqRel);
                self.mailbox.moved.swap(false, Ordering::AcqRel);
                // Taken after that: what happens from here on rings again.
                self.look(&hub.moment());
            }
            hub.account(&std::mem::take(&mut self.sent));
            if moment.stopping && self.streams.is_empty() && self.mailbox.close() {
                break;
            }
        }
    }

    /// Each of those that gave way has one turn, however often it did.
    fn go_on(&mut self, moment: &Moment) {
        let mut unfinished = std::mem::take(&mut self.unfinished);
        unfinished.sort_unstable();
        unfinished.dedup();
        for key in unfinished {
            self.turn(key, moment, None);
        }
    }

    fn patience(&self) -> Duration {
        if !self.unfinished.is_empty() {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let due = match self.mailbox.moved.load(Ordering::Acquire) {
            true => self.window_ends,
            false => self.looked_at + LOOK,
        };
        due.saturating_duration_since(now)
    }

    fn is_due(&self, now: Instant) -> bool {
        // Urgent first: whoever sets it has set it before it says that something moved.
        let urgent = self.mailbox.urgent.load(Ordering::Acquire);
        let moved = self.mailbox.moved.load(Ordering::Acquire);
        (moved && (urgent || now >= self.window_ends)) || now >= self.looked_at + LOOK
    }

    /// Goes through all streams.
    fn look(&mut self, moment: &Moment) {
        for key in 0..self.streams.capacity() {
            if self.streams.contains(key) {
                self.turn(key, moment, None);
            }
        }
        let (began, ended) = (moment.at, Instant::now());
        self.looked_at = began;
        self.window_ends = began + self.window(moment, ended - began);
        self.head_seen = moment.head.seq;
    }

    /// From the beginning of this look to the next one. It is open only while there is more to tell than
    /// one event a look and telling it takes its time: then half as long again is left to whoever has to read it.
    fn window(&self, moment: &Moment, took: Duration) -> Duration {
        if moment.mode.level >= Level::Batched {
            return LONGEST_WINDOW;
        }
        let is_loaded = moment.head.seq - self.head_seen > 1 && took > SHORT_LOOK;
        if is_loaded { (took * 3 / 2).min(LONGEST_WINDOW) } else { Duration::ZERO }
    }

    fn ready(&mut self, report: &mio::event::Event, moment: &Moment) {
        let Token(key) = report.token();
        let Some(stream) = self.streams.get_mut(key) else { return };
        if report.is_error() || (report.is_readable() && !stream.listen()) {
            return self.close(key);
        }
        if report.is_writable() && stream.is_blocked() {
            self.turn(key, moment, None);
        }
    }

    fn open(&mut self, letter: Letter, moment: &Moment) {
        match letter {
            Letter::Stream(taken) => self.admit(*taken, moment),
            Letter::Page { token: Token(key), stream: number, page } => {
                let Some(stream) = self.streams.get_mut(key).filter(|stream| stream.reader.number() == number) else {
                    return; // it left meanwhile
                };
                stream.awaits_page = false;
                let given = match page {
                    Ok(page) => stream.reader.replay(&page, moment),
                    Err(reason) => Some(stream.reader.bye(reason)),
                };
                self.turn(key, moment, given);
            }
        }
    }

    fn admit(&mut self, taken: Taken, moment: &Moment) {
        let mut stream = Stream::open(taken, moment);
        let entry = self.streams.vacant_entry();
        let (key, interest) = (entry.key(), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = self.poll.registry().register(&mut stream.socket, Token(key), interest) {
            return tracing::warn!(%error, "a stream cannot be watched and is closed");
        }
        entry.insert(stream);
        self.turn(key, moment, None);
    }

    fn turn(&mut self, key: usize, moment: &Moment, given: Option<Step>) {
        let Thread { streams, sent, .. } = self;
        let Some(stream) = streams.get_mut(key) else { return };
        let turn = stream.write(moment, given, &mut |round, is_live| {
            let live = u32::from(is_live);
            match sent.last_mut() {
                Some(last) if Arc::ptr_eq(&last.round, round) => {
                    last.readers += 1;
                    last.live += live;
                }
                _ => sent.push(Sent { round: round.clone(), readers: 1, live }),
            }
        });
        match turn {
            Turn::Idle => stream.lags = false,
            Turn::Blocked => self.blocked(key, moment),
            Turn::More => self.unfinished.push(key),
            Turn::Page(cursor) => self.fetch(key, cursor),
            Turn::Over => self.close(key),
        }
    }

    /// A socket that takes nothing: its reader falls behind, and is closed when that lasts.
    fn blocked(&mut self, key: usize, moment: &Moment) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        if stream.reader.blocked(moment.head) && !stream.lags {
            stream.lags = true;
            tracing::warn!(stream = stream.reader.number(), "a reader is 800 events behind and does not take more");
        }
        if moment.at.saturating_duration_since(stream.moved_at) >= self.stall {
            tracing::info!(stream = stream.reader.number(), "a reader that took nothing for too long is closed");
            stream.reader.stalled();
            self.close(key);
        }
    }

    /// Reads the log for a stream, and lets it go on with a letter.
    fn fetch(&mut self, key: usize, cursor: i64) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        stream.awaits_page = true;
        let (token, number, mailbox) = (Token(key), stream.reader.number(), self.mailbox.clone());
        let replay = stream.reader.hub().replay.clone();
        self.runtime.spawn(async move {
            let page = replay.page(cursor).await;
            mailbox.post(Letter::Page { token, stream: number, page });
        });
    }

    fn close(&mut self, key: usize) {
        if let Some(mut stream) = self.streams.try_remove(key) {
            // The socket is closed right after; failing means that it is closed already.
            let _ = self.poll.registry().deregister(&mut stream.socket);
        }
        if self.streams.is_empty() {
            self.streams.shrink_to_fit();
        }
    }
}
