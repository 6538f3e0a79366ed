//! Delay: one stream, and one event at a time on a server that has nothing else to do.
//!
//! What a reader waits for after the writer knows that its event is recorded. A frame may
//! come before the answer does; such a wait counts as 0, and their number is said.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::{sync::mpsc, time::timeout};

use super::{crowd::Subscription, ours::Ours, peers::Peer, publisher::Publisher, stamp, system::System};
use crate::{
    clock,
    report::{self, Table},
    scratch::Scratch,
    sse::{MAX_FRAME_BYTES, Reception},
};

/// Longest wait for one event, or for the stream to open.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pause after opening.
const SETTLE: Duration = Duration::from_secs(1);

/// Events that are not counted: connections, caches and plans are cold.
const WARM_UP: usize = 20;

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Events, one after the other.
    #[arg(long, default_value_t = 500)]
    events: usize,
    /// Milliseconds of silence between an event's arrival and the next one.
    #[arg(long, default_value_t = 5)]
    pause_ms: u64,
    /// Measure another server the same way; may be given several times.
    #[arg(long)]
    peer: Vec<Peer>,
    /// Bytes of the text inside our events; a peer's messages are as long as our whole events.
    #[arg(long, default_value_t = 40)]
    bytes: usize,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What one system did.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    /// From the answer to the writer until the reader has the frame.
    after_answer_p50_ms: f64,
    after_answer_p99_ms: f64,
    /// Frames that came before the answer; they count as 0 above.
    before_answer: u64,
    /// From the request until the reader has the frame.
    after_request_p50_ms: f64,
    after_request_p99_ms: f64,
    /// Events measured.
    events: u64,
    /// Bytes of the last event's data.
    event_bytes: usize,
}

/// Measures one system after the other and prints.
pub async fn run(options: Options) -> Result<()> {
    let scratch = Scratch::new("delay")?;
    let server = Ours::start(&scratch, 1).await?;
    let ours = measure(&options, &server.system(options.bytes)?).await?;
    drop(server);
    let mut table = Table::new(
        format!("One stream, {} events, {} ms between them", options.events, options.pause_ms),
        ["", "answer to frame: p50 ms", "p99 ms", "before the answer", "request to frame: p50 ms", "p99 ms"],
    );
    row(&mut table, "Signalbox", &ours);
    let bytes = ours.event_bytes;
    let mut line = Map::from_iter([("ours".to_owned(), serde_json::to_value(ours)?)]);
    for peer in Peer::chosen(&options.peer) {
        let measured = match peer.start(scratch.path(), bytes).await? {
            // A peer that fails does not take the others' figures with it.
            Ok(running) => measure(&options, &running.system).await.map_err(|error| format!("it failed: {error:#}")),
            Err(reason) => Err(reason),
        };
        let figures = match measured {
            Ok(figures) => {
                row(&mut table, peer.name(), &figures);
                serde_json::to_value(figures)?
            }
            Err(reason) => {
                report::note(format_args!("{} was not measured: {reason}", peer.name()));
                line.insert(format!("{}_missing", peer.key()), reason.into());
                Value::Null
            }
        };
        line.insert(peer.key().to_owned(), figures);
    }
    table.print();
    if options.json { report::json(&line) } else { Ok(()) }
}

fn row(table: &mut Table, name: &str, figures: &Figures) {
    let ms = |ms: f64| format!("{ms:.3}");
    table.row([
        name.to_owned(),
        ms(figures.after_answer_p50_ms),
        ms(figures.after_answer_p99_ms),
        figures.before_answer.to_string(),
        ms(figures.after_request_p50_ms),
        ms(figures.after_request_p99_ms),
    ]);
}

async fn measure(options: &Options, system: &System) -> Result<Figures> {
    let mut stream = Stream::open(&system.subscription)?;
    stream.next().await.context("the stream did not open")?;
    // A response head does not promise that the stream hears of events from here on.
    tokio::time::sleep(SETTLE).await;
    let mut publisher = Publisher::connect(&system.publication, 0).await?;
    let mut after_answer_us = Histogram::<u64>::new(3)?;
    let mut after_request_us = Histogram::<u64>::new(3)?;
    let (mut before_answer, mut event_bytes) = (0, 0);
    for number in 0..WARM_UP + options.events {
        let sent_ns = clock::now_ns();
        publisher.post(sent_ns).await?;
        let answered_ns = clock::now_ns();
        let arrival = stream.next().await.with_context(|| format!("event {number} was answered"))?;
        if arrival.sent_ns != sent_ns {
            bail!("another event than the one that was sent");
        }
        event_bytes = arrival.data_bytes;
        if number >= WARM_UP {
            before_answer += u64::from(arrival.at_ns < answered_ns);
            after_answer_us.record(arrival.at_ns.saturating_sub(answered_ns) / 1_000)?;
            after_request_us.record(arrival.at_ns.saturating_sub(sent_ns) / 1_000)?;
        }
        tokio::time::sleep(Duration::from_millis(options.pause_ms)).await;
    }
    stream.close()?;
    let ms = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Figures {
        after_answer_p50_ms: ms(&after_answer_us, 0.5),
        after_answer_p99_ms: ms(&after_answer_us, 0.99),
        before_answer,
        after_request_p50_ms: ms(&after_request_us, 0.5),
        after_request_p99_ms: ms(&after_request_us, 0.99),
        events: after_answer_us.len(),
        event_bytes,
    })
}

/// One open stream, read by a thread that does nothing else: a task would wait for its turn.
struct Stream {
    socket: TcpStream,
    arrivals: mpsc::Receiver<Arrival>,
    thread: JoinHandle<Result<()>>,
}

/// An event as it came off the socket; the first one of a stream is its opening, without a stamp.
struct Arrival {
    sent_ns: u64,
    at_ns: u64,
    data_bytes: usize,
}

impl Stream {
    fn open(subscription: &Subscription) -> Result<Stream> {
        let mut socket = TcpStream::connect(subscription.address)?;
        socket.write_all(&subscription.request)?;
        let (arrived, arrivals) = mpsc::channel(16);
        let (reading, ready_event) = (socket.try_clone()?, subscription.ready_event);
        let thread = std::thread::spawn(move || read(reading, ready_event, &arrived));
        Ok(Stream { socket, arrivals, thread })
    }

    async fn next(&mut self) -> Result<Arrival> {
        timeout(PATIENCE, self.arrivals.recv()).await.context("nothing came")?.context("the stream has ended")
    }

    fn close(self) -> Result<()> {
        self.socket.shutdown(Shutdown::Both)?;
        let Ok(read) = self.thread.join() else { bail!("the reading thread panicked") };
        read
    }
}

/// Reads until the connection ends.
fn read(mut socket: TcpStream, ready_event: Option<&str>, arrived: &mpsc::Sender<Arrival>) -> Result<()> {
    let mut reception = Reception::default();
    let mut buffer = vec![0; 2 * MAX_FRAME_BYTES];
    let mut is_open = false;
    loop {
        let begun = reception.begin(&mut buffer)?;
        let length = socket.read(buffer.get_mut(begun..).unwrap_or_default())?;
        if length == 0 {
            return Ok(());
        }
        let at_ns = clock::now_ns();
        let bytes = buffer.get_mut(..begun + length).unwrap_or_default();
        let mut ready = false;
        reception.end(bytes, begun, |frame| {
            ready |= ready_event.is_some_and(|name| frame.event == name.as_bytes());
            for sent_ns in stamp::each(frame.data) {
                arrived.blocking_send(Arrival { sent_ns, at_ns, data_bytes: frame.data.len() })?;
            }
            Ok(())
        })?;
        ready |= ready_event.is_none() && reception.is_open();
        if ready && !is_open {
            is_open = true;
            arrived.blocking_send(Arrival { sent_ns: 0, at_ns, data_bytes: 0 })?;
        }
    }
}
