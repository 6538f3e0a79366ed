//! The physical limit: a bare loop writes the same frames to as many sockets, from a
//! process of its own, with no server in between.
//!
//! At the rate of a measured system it is what the kernel takes for the writes alone. As
//! fast as it goes, it is what the readers can take: a system that comes close to that
//! figure is not measured by it, the readers are.

use std::{
    io::{BufRead, BufReader, Read, Write, stdin},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::{
    crowd::{Crowd, Readers, Subscription},
    load::{Load, Spent},
    print,
    publisher::Published,
    stamp,
};
use crate::{clock, report};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// Longest wait for the last frames to arrive; they are on their way when the writer has ended.
const DRAIN: Duration = Duration::from_secs(10);

/// Threads that write: a server on two cores has as many.
const WRITERS: usize = 2;

/// Frames in a write that shows what the readers take at most.
const BATCH: usize = 16;

/// How to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// Streams that are open.
    #[arg(long, default_value_t = 10_000)]
    pub streams: usize,
    /// Rounds in a second, in each of which every stream gets one frame.
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// Seconds for each of the figures.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Bytes of an event's data; ours of `fanout` have about so many.
    #[arg(long, default_value_t = 570)]
    pub bytes: usize,
    /// Who reads.
    #[command(flatten)]
    pub readers: Readers,
    /// End with one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// What the readers take as fast as the bare loop writes.
#[derive(Clone, Debug)]
pub(super) struct Ceiling {
    /// When each write carries one event.
    pub(super) single: Load,
    /// When each write carries sixteen.
    pub(super) batched: Load,
}

/// The ceiling in the last line of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CeilingFigures {
    /// Events per second when each write carries one.
    client_ceiling_per_s: f64,
    /// Events per second when each write carries sixteen.
    client_ceiling_batched_per_s: f64,
    /// The readers' own CPU for a million events, one in each write; kernel included.
    client_cpu_s_per_million: f64,
    /// The same for the bare loop that writes: the floor for any server.
    writer_cpu_s_per_million: f64,
}

impl Ceiling {
    pub(super) fn figures(&self) -> CeilingFigures {
        CeilingFigures {
            client_ceiling_per_s: self.single.deliveries_per_s,
            client_ceiling_batched_per_s: self.batched.deliveries_per_s,
            client_cpu_s_per_million: self.single.client_cpu_s_per_million,
            writer_cpu_s_per_million: self.single.cpu_s_per_million,
        }
    }
}

/// The last line of a run.
#[derive(Debug, Serialize)]
struct Line {
    floor: Load,
    saturated: Load,
    saturated_batched: Load,
    #[serde(flatten)]
    ceiling: CeilingFigures,
}

/// Measures and prints.
pub async fn run(options: Options) -> Result<()> {
    let floor = at_rate(options, Some(options.rate)).await?;
    let ceiling = ceiling(options).await?;
    let title = format!("A bare loop, {} streams, {} bytes of data", options.streams, options.bytes);
    let mut table = print::loads(title);
    print::load(&mut table, "at a rate", &floor);
    print::load(&mut table, "as fast as it goes", &ceiling.single);
    print::load(&mut table, &format!("the same, {BATCH} in a write"), &ceiling.batched);
    table.print();
    if !options.json {
        return Ok(());
    }
    let figures = ceiling.figures();
    report::json(&Line { floor, saturated: ceiling.single, saturated_batched: ceiling.batched, ceiling: figures })
}

/// The floor at so many rounds in a second, or as fast as it goes, with one frame in a write.
pub(super) async fn at_rate(options: Options, rate: Option<f64>) -> Result<Load> {
    tokio::task::spawn_blocking(move || measure(options, Round { rate, frames: 1 })).await?
}

/// What the readers take.
pub(super) async fn ceiling(options: Options) -> Result<Ceiling> {
    tokio::task::spawn_blocking(move || {
        let at = |frames| measure(options, Round { rate: None, frames });
        Ok(Ceiling { single: at(1)?, batched: at(BATCH)? })
    })
    .await?
}

/// What one round of the loop is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Round {
    /// How many in a second; `None` is one after the other.
    rate: Option<f64>,
    /// Frames that a stream gets in one write.
    frames: usize,
}

/// What the writing process is told on its command line.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Writing {
    streams: usize,
    bytes: usize,
    frames: usize,
    seconds: u64,
    rate: Option<f64>,
}

fn measure(options: Options, round: Round) -> Result<Load> {
    let numbers = [options.streams, options.bytes, round.frames].map(|number| number.to_string());
    let mut writer = Command::new(std::env::current_exe()?)
        .arg("floor-writer")
        .args(numbers)
        .arg(options.seconds.to_string())
        .args(round.rate.map(|rate| rate.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the writer")?;
    let load = measure_with(&mut writer, options, round);
    // Its sockets are closed or nobody waits for it any more.
    let _ = writer.kill();
    writer.wait()?;
    load
}

fn measure_with(writer: &mut Child, options: Options, round: Round) -> Result<Load> {
    let mut said = BufReader::new(writer.stdout.take().context("a pipe")?);
    let address: SocketAddr = line(&mut said)?.parse().context("the writer's address")?;
    let request = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    let subscription = Subscription { address, request, ready_event: None };
    let crowd = Crowd::open(&subscription, options.streams, options.readers)?;

    let before = Spent::so_far(writer.id(), None)?;
    let begin = Instant::now();
    // The end of its input lets the writer begin.
    drop(writer.stdin.take());
    let accepted: u64 = line(&mut said)?.parse().context("the number of events written")?;
    let published = Published { accepted, took: begin.elapsed() };
    crowd.wait_for(accepted * options.streams as u64, DRAIN);
    let took = begin.elapsed();
    let spent = Spent::so_far(writer.id(), None)?.since(&before);
    Ok(Load::of(round.rate, published, &crowd.finish()?, &spent, took))
}

fn line(said: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    said.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// The process that writes: prints its address, takes its streams, waits for the end of its
/// input, writes for the time given, prints how many events each stream got, and waits to be killed.
pub fn write(writing: Writing) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    report::note(listener.local_addr()?);
    let mut sockets: Vec<TcpStream> = Vec::with_capacity(writing.streams);
    let mut request = [0; 1024];
    for _ in 0..writing.streams {
        let (mut socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        let _ = socket.read(&mut request)?;
        socket.write_all(HEAD)?;
        sockets.push(socket);
    }
    std::io::copy(&mut stdin(), &mut std::io::sink())?;

    let begin = Instant::now();
    let end = begin + Duration::from_secs(writing.seconds);
    let (mut rounds, mut seq) = (0_u64, 0_u64);
    let mut bytes = Vec::new();
    loop {
        let due = writing.rate.map_or(begin, |rate| begin + Duration::from_secs_f64(rounds as f64 / rate));
        if due.max(Instant::now()) >= end {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        bytes.clear();
        for _ in 0..writing.frames {
            seq += 1;
            let text = stamp::text(clock::now_ns(), writing.bytes);
            write!(bytes, "id: {seq}\nevent: incident.commented\ndata: {text}\n\n")?;
        }
        write_to_all(&mut sockets, &bytes)?;
        rounds += 1;
    }
    report::note(seq);
    loop {
        std::thread::park();
    }
}

fn write_to_all(sockets: &mut [TcpStream], bytes: &[u8]) -> Result<()> {
    let share = sockets.len().div_ceil(WRITERS).max(1);
    std::thread::scope(|scope| {
        let write = |sockets: &mut [TcpStream]| sockets.iter_mut().try_for_each(|socket| socket.write_all(bytes));
        let writers: Vec<_> = sockets.chunks_mut(share).map(|sockets| scope.spawn(move || write(sockets))).collect();
        for writer in writers {
            let Ok(written) = writer.join() else { bail!("a writing thread panicked") };
            written?;
        }
        Ok(())
    })
}
