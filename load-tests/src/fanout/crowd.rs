//! Thousands of open streams in a few threads: the readers of a fan-out measurement.
//!
//! The readers share two cores with the server they measure, so they must cost less than
//! it does. Each thread has one epoll, a slab of clients and one read buffer; a client is
//! a socket and about 120 bytes, an event is one read, one search for its stamp and one
//! entry in a histogram. `client-ceiling` measures how far that carries.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use super::{recorded::Recorded, stamp};
use crate::{
    clock,
    sse::{Frame, MAX_FRAME_BYTES, Pieces, Position, Reception},
    stream,
};

/// How long all streams may take to open; 10,000 take a few seconds.
const OPEN: Duration = Duration::from_secs(120);

/// Streams of a thread that may wait for their first answer at once. Together they stay
/// below the shortest accept queue (511 in nginx); a full one would cost a second per try.
const OPENING: usize = 128;

/// How long a thread sleeps at most before it looks whether to stop.
const STOP_CHECK: Duration = Duration::from_millis(20);

/// Longest latency that the histogram tells apart, in microseconds.
const MAX_LATENCY_US: u64 = 120_000_000;

/// A server in arrears may put megabytes of events into one frame (durable-streams does); a
/// thousand streams of it are not kept, but read as they come, to that server's advantage.
const PIECES: Pieces = Pieces { above_bytes: 64 * 1024, again_bytes: stamp::BYTES - 1 };

/// What to open, and how to know that it is open.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The request, the same for every stream.
    pub request: Vec<u8>,
    /// The stream counts as open when a frame with this `event:` has come; `None`: its head.
    pub ready_event: Option<&'static str>,
}

impl Subscription {
    /// To everything, at a Signalbox.
    pub fn to_signalbox(address: SocketAddr, token: &str) -> Subscription {
        Subscription {
            address,
            request: stream::request(address, token, None).into_bytes(),
            ready_event: Some("ready"),
        }
    }
}

/// Who reads.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Readers {
    /// Threads that read the streams.
    #[arg(long = "readers", default_value_t = 2)]
    threads: usize,
    /// Microseconds for which a thread rests after it has read what there was. The server's
    /// writes then wake nobody, which both sides pay for; latencies grow by as much.
    #[arg(long, default_value_t = 0)]
    rest_us: u64,
}

/// What all streams received together.
#[derive(Debug)]
pub struct Tally {
    /// Stamped events, repetitions not counted.
    pub received: u64,
    /// The same for each stream.
    pub by_stream: Vec<u64>,
    /// Events whose id was not above the last one of their stream.
    pub repeated: u64,
    /// Streams that the server ended.
    pub closed: u64,
    /// Bytes of `data:` in all frames with stamped events.
    pub data_bytes: u64,
    /// From the stamp to the read, in microseconds.
    pub latency_us: Histogram<u64>,
    /// From the record in the log to the read, in microseconds; empty where events do not say when they were recorded.
    pub recorded_us: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Tally> {
        let latency_us = Histogram::new_with_bounds(1, MAX_LATENCY_US, 3)?;
        let recorded_us = latency_us.clone();
        Ok(Tally { received: 0, by_stream: Vec::new(), repeated: 0, closed: 0, data_bytes: 0, latency_us, recorded_us })
    }
}

/// Open streams, read until [`Crowd::finish`].
#[derive(Debug)]
pub struct Crowd {
    threads: Vec<JoinHandle<Result<Tally>>>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    open: AtomicU64,
    received: AtomicU64,
    stop: AtomicBool,
}

impl Crowd {
    /// Opens streams and waits until all of them are open;
    /// beside the runtime, because it sleeps while it waits.
    pub async fn open_all(subscription: Subscription, streams: usize, readers: Readers) -> Result<Crowd> {
        tokio::task::spawn_blocking(move || Crowd::open(&subscription, streams, readers)).await?
    }

    /// The same for a thread of one's own.
    pub fn open(subscription: &Subscription, streams: usize, readers: Readers) -> Result<Crowd> {
        let Readers { threads, rest_us } = readers;
        let progress = Arc::new(Progress::default());
        let mut crowd = Crowd { threads: Vec::new(), progress };
        for index in 0..threads {
            let reader = Reader {
                subscription: subscription.clone(),
                first: streams * index / threads,
                streams: streams * (index + 1) / threads - streams * index / threads,
                rest: Duration::from_micros(rest_us),
                progress: crowd.progress.clone(),
                poll: Poll::new()?,
                clients: Vec::new(),
                open: 0,
                buffer: vec![0; 2 * MAX_FRAME_BYTES],
                tally: Tally::new()?,
                recorded: Recorded::default(),
            };
            crowd.threads.push(std::thread::spawn(|| reader.run()));
        }
        let deadline = Instant::now() + OPEN;
        while crowd.progress.open.load(Relaxed) < streams as u64 {
            let open = crowd.progress.open.load(Relaxed);
            if crowd.threads.iter().any(JoinHandle::is_finished) {
                crowd.finish().context("while the streams were opened")?;
                bail!("a reader ended early with {open} of {streams} streams open");
            }
            if Instant::now() > deadline {
                bail!("{open} of {streams} streams were open after {} s", OPEN.as_secs());
            }
            std::thread::sleep(STOP_CHECK);
        }
        Ok(crowd)
    }

    /// What has been received so far, for others to follow.
    pub fn received(&self) -> Received {
        Received(self.progress.clone())
    }

    /// Waits until that many events were received; false when it took too long or a reader failed.
    pub fn wait_for(&self, events: u64, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.received().events() < events {
            if Instant::now() > deadline || self.threads.iter().any(JoinHandle::is_finished) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Waits for that many events, then closes all streams; beside the runtime. What does not come within
    /// `patience` is lost.
    pub async fn drain(self, events: u64, patience: Duration) -> Result<Tally> {
        let draining = move || {
            self.wait_for(events, patience);
            self.finish()
        };
        tokio::task::spawn_blocking(draining).await?
    }

    /// Closes all streams and adds up what they received.
    pub fn finish(mut self) -> Result<Tally> {
        self.progress.stop.store(true, Relaxed);
        let mut sum = Tally::new()?;
        for thread in std::mem::take(&mut self.threads) {
            let Ok(tally) = thread.join() else { bail!("a reader thread panicked") };
            let tally = tally?;
            sum.received += tally.received;
            sum.by_stream.extend(tally.by_stream);
            sum.repeated += tally.repeated;
            sum.closed += tally.closed;
            sum.data_bytes += tally.data_bytes;
            sum.latency_us.add(tally.latency_us)?;
            sum.recorded_us.add(tally.recorded_us)?;
        }
        Ok(sum)
    }
}

/// Stamped events that all streams together have received so far.
#[derive(Clone, Debug)]
pub struct Received(Arc<Progress>);

impl Received {
    /// Their number, repetitions not counted.
    pub fn events(&self) -> u64 {
        self.0.received.load(Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // After an error elsewhere: nobody will ask for the tally.
        self.progress.stop.store(true, Relaxed);
    }
}

/// One thread.
struct Reader {
    subscription: Subscription,
    /// Number of its first stream among all.
    first: usize,
    streams: usize,
    rest: Duration,
    progress: Arc<Progress>,
    poll: Poll,
    clients: Vec<Client>,
    /// How many of the clients are open.
    open: usize,
    buffer: Vec<u8>,
    tally: Tally,
    recorded: Recorded,
}

/// One stream.
struct Client {
    socket: TcpStream,
    reception: Reception,
    last: Position,
    received: u64,
    open: bool,
}

impl Reader {
    fn run(mut self) -> Result<Tally> {
        let mut events = Events::with_capacity(1024);
        while !self.progress.stop.load(Relaxed) {
            while self.clients.len() < self.streams.min(self.open + OPENING) {
                self.connect()?;
            }
            let (open_before, received_before) = (self.open, self.tally.received);
            match self.poll.poll(&mut events, Some(STOP_CHECK)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                self.read(event.token().0)?;
            }
            self.progress.open.fetch_add((self.open - open_before) as u64, Relaxed);
            self.progress.received.fetch_add(self.tally.received - received_before, Relaxed);
            if !self.rest.is_zero() && self.open == self.streams {
                std::thread::sleep(self.rest);
            }
        }
        self.tally.by_stream = self.clients.iter().map(|client| client.received).collect();
        Ok(self.tally)
    }

    fn connect(&mut self) -> Result<()> {
        let socket = stream::socket(self.first + self.clients.len())?;
        socket.connect(&self.subscription.address.into()).context("connect a stream")?;
        let mut socket = std::net::TcpStream::from(socket);
        // Fits into the empty send buffer, so it does not block.
        socket.write_all(&self.subscription.request)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        let token = Token(self.clients.len());
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        let reception = Reception::in_pieces(PIECES);
        self.clients.push(Client { socket, reception, last: Position::default(), received: 0, open: false });
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        let Reader { clients, buffer, tally, recorded, subscription, open, .. } = self;
        let Some(client) = clients.get_mut(index) else { return Ok(()) };
        loop {
            let begun = client.reception.begin(buffer)?;
            let room = buffer.get_mut(begun..).unwrap_or_default();
            let (length, asked) = match client.socket.read(room) {
                Ok(0) => {
                    tally.closed += 1;
                    return Ok(());
                }
                Ok(length) => (length, room.len()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    tally.closed += 1;
                    return Ok(());
                }
                Err(error) => return Err(error).context("read from a stream"),
            };
            let now_ns = clock::now_ns();
            let bytes = buffer.get_mut(..begun + length).unwrap_or_default();
            let Client { reception, last, received, open: is_open, .. } = client;
            let mut ready = false;
            reception.end(bytes, begun, |frame| {
                ready |= subscription.ready_event.is_some_and(|name| frame.event == name.as_bytes());
                *received += note(&frame, last, tally, recorded, now_ns)?;
                Ok(())
            })?;
            ready |= subscription.ready_event.is_none() && reception.is_open();
            if ready && !*is_open {
                *is_open = true;
                *open += 1;
            }
            // A read that did not fill the buffer has emptied the socket: epoll(7), question 9.
            if length < asked {
                return Ok(());
            }
        }
    }
}

/// Notes one frame of one stream and returns how many new events are in it. A frame without
/// a stamp, such as `ready`, only moves the stream's cursor; one without an id is new.
fn note(
    frame: &Frame<'_>,
    last: &mut Position,
    tally: &mut Tally,
    recorded: &mut Recorded,
    now_ns: u64,
) -> Result<u64> {
    let mut is_new = true;
    if !frame.id.is_empty() {
        let position = Position::parse(frame.id).context("an SSE id that is no position")?;
        is_new = position > *last;
        *last = position.max(*last);
    }
    let mut events = 0;
    for sent_ns in stamp::each(frame.data) {
        events += 1;
        if is_new {
            tally.latency_us.saturating_record(now_ns.saturating_sub(sent_ns) / 1_000);
            if let Some(recorded_ns) = recorded.of(sent_ns, frame.data) {
                tally.recorded_us.saturating_record(now_ns.saturating_sub(recorded_ns) / 1_000);
            }
        }
    }
    if !is_new {
        tally.repeated += events;
        return Ok(0);
    }
    if events > 0 {
        tally.received += events;
        tally.data_bytes += frame.data.len() as u64;
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one stream after the other with these bytes, and ends each.
    fn answer(listener: &TcpListener, answers: [String; 3]) -> Result<()> {
        for answer in answers {
            let (mut socket, _) = listener.accept()?;
            // What nobody had read would turn the end into a reset.
            let _ = socket.read(&mut [0; 1024])?;
            socket.write_all(answer.as_bytes())?;
        }
        Ok(())
    }

    #[test]
    fn each_stream_is_counted_by_itself_whatever_its_coding() -> Result<()> {
        let text = stamp::text(clock::now_ns(), 0);
        let event = |id| format!("id: {id}\ndata: {text}\n\n");
        let (one, two) = (event(1), event(2));
        let head = "HTTP/1.1 200 OK\r\n";
        let answers = [
            format!("{head}Connection: close\r\n\r\n{one}{two}{two}{one}"),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n0\r\n\r\n", one.len()),
            format!("{head}\r\ndata: [{text},{text},{text}]\n\nevent: control\ndata: {{}}\n\n"),
        ];
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = std::thread::spawn(move || answer(&listener, answers));
        let subscription = Subscription { address, request: b"GET / HTTP/1.1\r\n\r\n".to_vec(), ready_event: None };
        let crowd = Crowd::open(&subscription, 3, Readers { threads: 1, rest_us: 0 })?;
        assert!(crowd.wait_for(6, Duration::from_secs(10)), "{} of 6 events", crowd.received().events());
        let tally = crowd.finish()?;
        assert_eq!((tally.by_stream, tally.received, tally.repeated), (vec![2, 1, 3], 6, 2));
        assert_eq!(tally.latency_us.len(), 6);
        server.join().expect("the server")
    }
}
