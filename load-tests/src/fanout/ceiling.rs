//! How much the readers themselves can take: a bare loop writes the same frames to as
//! many sockets, from a process of its own, with no server in between.
//!
//! A system that comes close to this figure is not measured by it: the readers are.

use std::{
    io::{BufRead, BufReader, Read, Write, stdin},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    crowd::{Crowd, Subscription},
    stamp,
};
use crate::{process, report};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// How to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// Streams that are open.
    #[arg(long, default_value_t = 1_000)]
    pub streams: usize,
    /// Seconds for each of the figures.
    #[arg(long, default_value_t = 3)]
    pub seconds: u64,
    /// Bytes of an event's data.
    #[arg(long, default_value_t = 200)]
    pub bytes: usize,
    /// Threads that read.
    #[arg(long, default_value_t = 2)]
    pub readers: usize,
    /// End with one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// What the readers took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// Events per second when each write carries one.
    pub client_ceiling_per_s: f64,
    /// Events per second when each write carries sixteen.
    pub client_ceiling_batched_per_s: f64,
    /// The readers' own CPU for a million events, one in each write; kernel included.
    pub client_cpu_s_per_million: f64,
    /// The same for the bare loop that writes: the floor for any server.
    pub writer_cpu_s_per_million: f64,
}

/// Measures and prints.
pub fn run(options: Options) -> Result<()> {
    let figures = measure(options)?;
    let title = format!("What the readers take: {} streams, a bare loop writing", options.streams);
    let mut table = report::Table::new(title, ["events in a write", "events/s"]);
    table.row(["1".into(), report::thousands(figures.client_ceiling_per_s)]);
    table.row(["16".into(), report::thousands(figures.client_ceiling_batched_per_s)]);
    table.print();
    report::note(format_args!(
        "CPU for a million, one in each write: readers {:.2} s, writer {:.2} s",
        figures.client_cpu_s_per_million, figures.writer_cpu_s_per_million
    ));
    if options.json { report::json(&figures) } else { Ok(()) }
}

/// Measures.
pub fn measure(options: Options) -> Result<Figures> {
    let single = round(options, 1)?;
    let batched = round(options, 16)?;
    Ok(Figures {
        client_ceiling_per_s: single.per_s,
        client_ceiling_batched_per_s: batched.per_s,
        client_cpu_s_per_million: single.client_cpu_s_per_million,
        writer_cpu_s_per_million: single.writer_cpu_s_per_million,
    })
}

struct Round {
    per_s: f64,
    client_cpu_s_per_million: f64,
    writer_cpu_s_per_million: f64,
}

fn round(options: Options, frames: usize) -> Result<Round> {
    let Options { streams, seconds, bytes, readers, .. } = options;
    let arguments = [streams, frames, bytes].map(|number| number.to_string());
    let mut writer = Command::new(std::env::current_exe()?)
        .arg("ceiling-writer")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the writer")?;
    let outcome = round_with(&mut writer, streams, seconds, readers);
    // Its sockets are closed or nobody waits for it any more.
    let _ = writer.kill();
    writer.wait()?;
    outcome
}

fn round_with(writer: &mut Child, streams: usize, seconds: u64, readers: usize) -> Result<Round> {
    let mut line = String::new();
    BufReader::new(writer.stdout.take().context("a pipe")?).read_line(&mut line)?;
    let address: SocketAddr = line.trim().parse().context("the writer's address")?;
    let request = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    let subscription = Subscription { address, request, ready_event: None };
    let crowd = Crowd::open(&subscription, streams, readers, Duration::from_secs(60))?;

    let own_cpu = process::cpu_alone(std::process::id())?;
    let writer_cpu = process::cpu_alone(writer.id())?;
    let begin = Instant::now();
    // The end of its input lets the writer begin.
    drop(writer.stdin.take());
    std::thread::sleep(Duration::from_secs(seconds));
    let took = begin.elapsed();
    let received = crowd.received();
    let own_cpu = process::cpu_alone(std::process::id())?.since(own_cpu);
    let writer_cpu = process::cpu_alone(writer.id())?.since(writer_cpu);
    writer.kill()?;
    crowd.finish()?;

    let millions = received as f64 / 1e6;
    Ok(Round {
        per_s: received as f64 / took.as_secs_f64(),
        client_cpu_s_per_million: own_cpu.total_s() / millions,
        writer_cpu_s_per_million: writer_cpu.total_s() / millions,
    })
}

/// The process that writes: prints its address, takes its streams, waits for the end of
/// its input, then writes until it is killed.
pub fn write(streams: usize, frames: usize, bytes: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    report::note(listener.local_addr()?);
    let mut sockets: Vec<TcpStream> = Vec::with_capacity(streams);
    let mut request = [0; 1024];
    for _ in 0..streams {
        let (mut socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        let _ = socket.read(&mut request)?;
        socket.write_all(HEAD)?;
        sockets.push(socket);
    }
    std::io::copy(&mut stdin(), &mut std::io::sink())?;
    let mut round = Vec::new();
    for seq in (1_u64..).step_by(frames) {
        round.clear();
        for seq in seq..seq + frames as u64 {
            write!(round, "id: {seq}\nevent: load\ndata: {}\n\n", stamp::text(bytes))?;
        }
        for socket in &mut sockets {
            socket.write_all(&round)?;
        }
    }
    Ok(())
}
