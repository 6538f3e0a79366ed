//! Thousands of streams that come back by themselves, in a few threads.
//!
//! Each thread has one epoll, a slab of clients, one read buffer, and a heap of those that wait
//! for their next try. There is no limit to how many connect at once: clients do not know of each
//! other either.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::ErrorKind,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use mio::{Events, Interest, Poll, Token};

use super::client::{Client, Counts, Event, Over};
use crate::sse::MAX_FRAME_BYTES;

/// At the very beginning, streams come one after the other: so many in a second.
const FIRST_OPENS_PER_S: f64 = 1_000.0;

/// How long a thread sleeps at most before it looks whether to stop.
const STOP_CHECK: Duration = Duration::from_millis(20);

/// How often the scenario looks at the readers.
const LOOK: Duration = Duration::from_millis(10);

/// What the threads tell while they work.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Streams that are open.
    pub(super) open: AtomicU64,
    /// Streams that have received all up to `target`.
    pub(super) current: AtomicU64,
    /// The position to reach; 0 while there is none.
    pub(super) target: AtomicU64,
    /// Changes that came, each one once per stream.
    pub(super) received: AtomicU64,
    /// Connections that were begun.
    pub(super) tries: AtomicU64,
    /// Answers 429 and 503.
    pub(super) refused: AtomicU64,
    stop: AtomicBool,
}

/// What all streams received together.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// What the streams counted.
    pub(super) counts: Counts,
    /// Changes times streams, less what came.
    pub(super) lost: u64,
    /// When each stream reached the target.
    pub(super) current_at: Vec<Instant>,
}

/// The threads.
#[derive(Debug)]
pub(super) struct Readers {
    threads: Vec<JoinHandle<Result<Thread>>>,
    streams: usize,
    pub(super) progress: Arc<Progress>,
}

impl Readers {
    /// Starts threads that open the streams. `request` lacks the cursor and the empty line.
    pub(super) fn start(address: SocketAddr, request: &str, streams: usize, threads: usize) -> Result<Readers> {
        let mut readers = Readers { threads: Vec::new(), streams, progress: Arc::default() };
        for index in 0..threads {
            let numbers = streams * index / threads..streams * (index + 1) / threads;
            let begin = Instant::now();
            let first_try = |(index, _)| {
                let after = Duration::from_secs_f64(index as f64 * threads as f64 / FIRST_OPENS_PER_S);
                Reverse((begin + after, index))
            };
            let thread = Thread {
                address,
                request: request.to_owned(),
                progress: readers.progress.clone(),
                poll: Poll::new()?,
                waiting: numbers.clone().enumerate().map(first_try).collect(),
                current_at: vec![None; numbers.len()],
                clients: numbers.map(Client::new).collect(),
                buffer: vec![0; 2 * MAX_FRAME_BYTES],
            };
            readers.threads.push(std::thread::spawn(|| thread.run()));
        }
        Ok(readers)
    }

    /// Waits until `reached` says so.
    ///
    /// # Errors
    /// When it takes too long, or a thread failed.
    pub(super) fn wait(self, what: &str, patience: Duration, reached: impl Fn(&Progress) -> bool) -> Result<Readers> {
        if self.reach(patience, reached) {
            return Ok(self);
        }
        let progress = format!("{:?}", self.progress);
        self.finish(0)?;
        bail!("not all streams were {what} within {} s: {progress}", patience.as_secs())
    }

    /// Waits until `reached` says so; false when it took too long or a thread ended.
    fn reach(&self, patience: Duration, reached: impl Fn(&Progress) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while !reached(&self.progress) {
            if Instant::now() > deadline || self.threads.iter().any(JoinHandle::is_finished) {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Waits for so many changes on each stream, closes all and adds up what came. What does not come within
    /// `patience` is lost.
    pub(super) fn drain(self, changes: u64, patience: Duration) -> Result<Tally> {
        let expected = changes * self.streams as u64;
        self.reach(patience, |progress| progress.received.load(Relaxed) >= expected);
        self.finish(changes)
    }

    /// Closes all streams and adds up what they received of so many changes.
    fn finish(self, changes: u64) -> Result<Tally> {
        self.progress.stop.store(true, Relaxed);
        let mut tally = Tally::default();
        for thread in self.threads {
            let Ok(thread) = thread.join() else { bail!("a thread of readers panicked") };
            let thread = thread?;
            tally.current_at.extend(thread.current_at.into_iter().flatten());
            for client in thread.clients {
                tally.counts.received += client.counts.received;
                tally.counts.duplicates += client.counts.duplicates;
                tally.counts.repeated += client.counts.repeated;
                tally.lost += client.seen.missing(changes);
            }
        }
        tally.current_at.sort_unstable();
        Ok(tally)
    }
}

/// One thread.
#[derive(Debug)]
struct Thread {
    address: SocketAddr,
    request: String,
    progress: Arc<Progress>,
    poll: Poll,
    /// Who tries next, and when.
    waiting: BinaryHeap<Reverse<(Instant, usize)>>,
    current_at: Vec<Option<Instant>>,
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

impl Thread {
    fn run(mut self) -> Result<Thread> {
        let mut events = Events::with_capacity(1024);
        let mut target_noticed = false;
        while !self.progress.stop.load(Relaxed) {
            let now = Instant::now();
            while let Some(Reverse((due, index))) = self.waiting.peek().copied()
                && due <= now
            {
                self.waiting.pop();
                self.connect(index)?;
            }
            let pause = self.waiting.peek().map_or(STOP_CHECK, |Reverse((due, _))| {
                due.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), STOP_CHECK)
            });
            match self.poll.poll(&mut events, Some(pause)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                self.turn(event.token().0)?;
            }
            if !target_noticed && self.progress.target.load(Relaxed) > 0 {
                target_noticed = true;
                (0..self.clients.len()).for_each(|index| self.note_current(index));
            }
        }
        Ok(self)
    }

    fn connect(&mut self, index: usize) -> Result<()> {
        let Some(client) = self.clients.get_mut(index) else { return Ok(()) };
        self.progress.tries.fetch_add(1, Relaxed);
        match client.connect(self.address)? {
            Some(socket) => {
                self.poll.registry().register(socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            }
            None => self.waiting.push(Reverse((Instant::now() + client.failed(), index))),
        }
        Ok(())
    }

    fn turn(&mut self, index: usize) -> Result<()> {
        let Some(client) = self.clients.get_mut(index) else { return Ok(()) };
        let received_before = client.counts.received;
        let event = client.turn(&self.request, &mut self.buffer)?;
        self.progress.received.fetch_add(client.counts.received - received_before, Relaxed);
        match event {
            Event::Nothing => {}
            Event::Opened => {
                self.progress.open.fetch_add(1, Relaxed);
            }
            Event::Over(over, pause) => {
                match over {
                    Over::Lost => self.progress.open.fetch_sub(1, Relaxed),
                    Over::Refused => self.progress.refused.fetch_add(1, Relaxed),
                    Over::Failed => 0,
                };
                self.waiting.push(Reverse((Instant::now() + pause, index)));
            }
        }
        self.note_current(index);
        Ok(())
    }

    /// Notes the moment at which a stream has all up to the target.
    fn note_current(&mut self, index: usize) {
        let target = self.progress.target.load(Relaxed);
        let (Some(client), Some(current_at)) = (self.clients.get(index), self.current_at.get_mut(index)) else {
            return;
        };
        if target > 0 && current_at.is_none() && client.last >= Some(target) {
            *current_at = Some(Instant::now());
            self.progress.current.fetch_add(1, Relaxed);
        }
    }
}
