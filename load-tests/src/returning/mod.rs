//! Thousands of streams that come back by themselves, in a few threads.
//!
//! Every reader does as a good client does. It comes back when `retry:` said so, then with full
//! jitter, and not before Retry-After; told to poll, it polls on the same cursor until then.
//!
//! Each thread has one epoll, a slab of clients, one read buffer, and a heap of those that wait
//! for their next try. There is no limit to how many connect at once: clients do not know of each
//! other either.

mod backoff;
mod client;
mod page;
mod seen;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, Release},
        },
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use mio::{Events, Interest, Poll, Token};

use self::client::{Bye, Client, Event, Over};
use crate::{clock, sse::MAX_FRAME_BYTES};

pub(crate) use self::client::{Access, Counts};

/// At the very beginning, streams come one after the other: so many in a second.
const FIRST_OPENS_PER_S: f64 = 1_000.0;

/// How long a thread sleeps at most before it looks whether to stop.
const STOP_CHECK: Duration = Duration::from_millis(20);

/// How often the scenario looks at the readers.
const LOOK: Duration = Duration::from_millis(10);

/// What the threads tell while they work.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Streams that are open.
    pub(crate) open: AtomicU64,
    /// Streams that have received all up to `target`.
    pub(crate) current: AtomicU64,
    /// The position to reach; 0 while there is none.
    pub(crate) target: AtomicU64,
    /// Changes that came, each one once per stream.
    pub(crate) received: AtomicU64,
    /// Connections that were begun.
    pub(crate) tries: AtomicU64,
    /// Answers 429 and 503.
    pub(crate) refused: AtomicU64,
    /// Polls that were answered.
    pub(crate) polls: AtomicU64,
    /// Streams closed with `bye` and the reason `disabled`, each time counted.
    pub(crate) disabled: AtomicU64,
    /// When the last of them was, in monotonic nanoseconds.
    pub(crate) disabled_ns: AtomicU64,
    /// When the last stream opened, the same.
    pub(crate) opened_ns: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// Counts the end of a connection. The moment comes before the count, so that who sees all counted sees the last moment.
    fn note(&self, over: Over) {
        match over {
            Over::Told(Bye::Disabled) => {
                self.disabled_ns.fetch_max(clock::now_ns(), Relaxed);
                self.open.fetch_sub(1, Relaxed);
                self.disabled.fetch_add(1, Release);
            }
            Over::Lost | Over::Told(_) => {
                self.open.fetch_sub(1, Relaxed);
            }
            Over::Refused => {
                self.refused.fetch_add(1, Relaxed);
            }
            Over::Polled => {
                self.polls.fetch_add(1, Relaxed);
            }
            Over::Failed => {}
        }
    }
}

/// What all streams received together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What the streams counted.
    pub(crate) counts: Counts,
    /// Changes times streams, less what came.
    pub(crate) lost: u64,
    /// When each stream reached the target.
    pub(crate) current_at: Vec<Instant>,
}

/// The threads.
#[derive(Debug)]
pub(crate) struct Readers {
    threads: Vec<JoinHandle<Result<Thread>>>,
    streams: usize,
    pub(crate) progress: Arc<Progress>,
}

impl Readers {
    /// Starts threads that open the streams.
    pub(crate) fn start(access: &Access, streams: usize, threads: usize) -> Result<Readers> {
        let mut readers = Readers { threads: Vec::new(), streams, progress: Arc::default() };
        for index in 0..threads {
            let numbers = streams * index / threads..streams * (index + 1) / threads;
            let begin = Instant::now();
            let first_try = |(index, _)| {
                let after = Duration::from_secs_f64(index as f64 * threads as f64 / FIRST_OPENS_PER_S);
                Reverse((begin + after, index))
            };
            let thread = Thread {
                access: access.clone(),
                progress: readers.progress.clone(),
                poll: Poll::new()?,
                waiting: numbers.clone().enumerate().map(first_try).collect(),
                current_at: vec![None; numbers.len()],
                clients: numbers.map(|number| Client::new(number, access.poll_every)).collect(),
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
    pub(crate) async fn wait(
        self,
        what: &'static str,
        patience: Duration,
        reached: impl Fn(&Progress) -> bool + Send + 'static,
    ) -> Result<Readers> {
        let waiting = move || {
            if self.reach(patience, reached) {
                return Ok(self);
            }
            let progress = format!("{:?}", self.progress);
            self.finish(0)?;
            bail!("not all streams were {what} within {} s: {progress}", patience.as_secs())
        };
        tokio::task::spawn_blocking(waiting).await?
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
    pub(crate) async fn drain(self, changes: u64, patience: Duration) -> Result<Tally> {
        let draining = move || {
            let expected = changes * self.streams as u64;
            self.reach(patience, |progress| progress.received.load(Relaxed) >= expected);
            self.finish(changes)
        };
        tokio::task::spawn_blocking(draining).await?
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
                tally.counts.polled += client.counts.polled;
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
    access: Access,
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
        match client.connect(self.access.address)? {
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
        let event = client.turn(&self.access, &mut self.buffer)?;
        self.progress.received.fetch_add(client.counts.received - received_before, Relaxed);
        match event {
            Event::Nothing => {}
            Event::Opened => {
                self.progress.opened_ns.fetch_max(clock::now_ns(), Relaxed);
                self.progress.open.fetch_add(1, Release);
            }
            Event::Over(over, pause) => {
                self.progress.note(over);
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        sync::mpsc,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn event(seq: u64, number: u64) -> String {
        format!(r#"{{"seq":{seq},"data":{{"text":"number={number:010} "}}}}"#)
    }

    fn frame(seq: u64, number: u64) -> String {
        format!("id: {seq}\nevent: change\ndata: {}\n\n", event(seq, number))
    }

    fn answer(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nRetry-After: 1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// A server for one reader: the connections that it has taken, by what they asked for.
    struct Played {
        listener: TcpListener,
        asked: Vec<String>,
    }

    impl Played {
        /// The next request.
        fn next(&mut self) -> Result<TcpStream> {
            let (mut socket, _) = self.listener.accept()?;
            let mut request = [0; 1024];
            let length = socket.read(&mut request)?;
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let cursor = request.lines().find(|line| line.starts_with("Last-Event-ID")).unwrap_or_default();
            let path = request.split(' ').nth(1).unwrap_or_default();
            self.asked.push(format!("{path} {cursor}"));
            Ok(socket)
        }

        /// A stream, and when it is told so its farewell; a refusal; polls; a stream again, until it is told to end.
        fn play(mut self, told: &mpsc::Receiver<()>) -> Result<Vec<String>> {
            const STREAM: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nretry: 0\n\n";
            let mut socket = self.next()?;
            socket.write_all(format!("{STREAM}id: 0\nevent: ready\n\n{}", frame(1, 0)).as_bytes())?;
            told.recv()?;
            // In one piece with the end: who has read the farewell must not wait for a word of the end.
            let bye = "retry: 0\nevent: bye\ndata: {\"reason\":\"disabled\"}\n\n";
            socket.write_all(format!("{}{bye}", frame(2, 1)).as_bytes())?;
            drop(socket);
            self.next()?.write_all(answer("503 Service Unavailable", r#"{"allowed":["polling"]}"#).as_bytes())?;
            let page = format!(r#"{{"items":[{}],"next":4}}"#, event(3, 2));
            self.next()?.write_all(answer("200 OK", &page).as_bytes())?;
            loop {
                let mut socket = self.next()?;
                if self.asked.last().is_some_and(|path| path.contains("stream")) {
                    socket.write_all(format!("{STREAM}id: 4\nevent: ready\n\n{}", frame(5, 3)).as_bytes())?;
                    told.recv()?;
                    return Ok(self.asked);
                }
                socket.write_all(answer("200 OK", r#"{"items":[],"next":4}"#).as_bytes())?;
            }
        }
    }

    #[tokio::test]
    async fn who_is_told_to_poll_polls_on_its_cursor_until_there_are_streams() -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let poll_every = Duration::from_millis(300);
        let access = Access { address: listener.local_addr()?, token: "token".to_owned(), poll_every };
        let (tell, told) = mpsc::channel();
        let server = std::thread::spawn(move || Played { listener, asked: Vec::new() }.play(&told));

        let readers = Readers::start(&access, 1, 1)?;
        let readers = readers.wait("open", PATIENCE, |progress| progress.open.load(Relaxed) == 1).await?;
        tell.send(())?;
        let readers = readers.wait("closed", PATIENCE, |progress| progress.disabled.load(Relaxed) == 1).await?;
        let readers = readers.wait("back", PATIENCE, |progress| progress.open.load(Relaxed) == 1).await?;
        let polls = readers.progress.polls.load(Relaxed);
        let tally = readers.drain(4, PATIENCE).await?;
        tell.send(())?;

        let Counts { received, polled, duplicates, repeated } = tally.counts;
        assert_eq!((received, polled, duplicates, repeated, tally.lost), (4, 1, 0, 0, 0));
        let mut asked = server.join().expect("the server")?;
        let streams = ["/api/v1/events/stream ", "/api/v1/events/stream Last-Event-ID: 2"];
        assert_eq!(asked.drain(..2).collect::<Vec<_>>(), streams);
        assert_eq!(asked.remove(0), "/api/v1/events?after=2&limit=100 ");
        assert_eq!(asked.pop().as_deref(), Some("/api/v1/events/stream Last-Event-ID: 4"));
        assert!(asked.iter().all(|path| path == "/api/v1/events?after=4&limit=100 "), "{asked:?}");
        // One second of Retry-After, and a poll every 300 ms after a first one within as much.
        assert_eq!(polls, asked.len() as u64 + 1);
        assert!((3..=4).contains(&polls), "{polls} polls");
        Ok(())
    }
}
