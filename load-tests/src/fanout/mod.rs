//! Fan-out: one event to thousands of streams, ours and a peer in turn.
//!
//! Ours is measured with all that it does: an event is a comment on an incident, sent over
//! HTTP, authorised, appended to PostgreSQL, read back by the tail and filtered by rights.
//! The peer gets messages of the same size and keeps them in memory.

pub mod ceiling;
pub(crate) mod crowd;
mod nchan;
mod ours;
mod publisher;
pub(crate) mod stamp;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use self::{
    crowd::{Crowd, Subscription},
    nchan::Nchan,
    ours::Ours,
    publisher::{Publication, Schedule, publish},
};
use crate::{
    process::{self, Cpu},
    report::{self, Table, thousands},
    scratch::Scratch,
};

/// How long all streams may take to open; 10,000 take a few seconds.
const OPEN: Duration = Duration::from_secs(120);

/// How long the last events may take to arrive; what has not come by then counts as lost.
const DRAIN: Duration = Duration::from_secs(30);

/// A pause after opening, for what servers do before streams are idle.
const SETTLE: Duration = Duration::from_secs(1);

/// Seconds for each of the two figures of the readers' ceiling.
const CEILING_SECONDS: u64 = 3;

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Streams that are open; `ulimit -n` must allow a few more.
    #[arg(long, default_value_t = 10_000)]
    streams: usize,
    /// Events published in a second; 0 is as fast as the server answers.
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Seconds of publishing.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds of silence before, in which the CPU of idle streams is measured.
    #[arg(long, default_value_t = 0)]
    idle: u64,
    /// Measure another server the same way.
    #[arg(long)]
    peer: Option<Peer>,
    /// Bytes of the text inside our events; a peer's messages are as long as our whole events.
    #[arg(long, default_value_t = 40)]
    bytes: usize,
    /// Threads that read the streams.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// A server to compare with.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Peer {
    /// nginx with libnginx-mod-nchan, in memory.
    Nchan,
}

/// What one system did.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    /// Events received by all streams in a second, from the first publish to the last arrival.
    deliveries_per_s: f64,
    /// The server's CPU for a million deliveries, publishing included.
    cpu_s_per_million: f64,
    /// The part of it in the server's own code; the rest is the kernel's, most of it writes to sockets.
    user_cpu_s_per_million: f64,
    /// PostgreSQL's, where the system has one.
    postgres_cpu_s_per_million: Option<f64>,
    /// Memory that the server's processes took for an open stream.
    bytes_per_stream: f64,
    /// Percent of a core for 1,000 idle streams, if `--idle` asked for it.
    idle_cpu_percent_per_1000: Option<f64>,
    /// From the time of the request to the read by the client: half of all deliveries.
    p50_ms: f64,
    /// The same, 99 of 100.
    p99_ms: f64,
    /// The same, the slowest.
    max_ms: f64,
    /// Accepted events times streams, less what arrived.
    lost: u64,
    /// Arrived again or out of order.
    repeated: u64,
    /// Streams that the server ended.
    closed: u64,
    /// Events accepted in a second.
    published_per_s: f64,
    /// Mean bytes of an event's data.
    event_bytes: f64,
    /// Seconds until all streams were open.
    open_s: f64,
}

/// The last line of a run.
#[derive(Debug, Serialize)]
struct Line {
    ours: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    nchan: Option<Option<Figures>>,
    /// Why the peer was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    nchan_missing: Option<&'static str>,
    #[serde(flatten)]
    ceiling: ceiling::Figures,
}

/// A started server.
struct System {
    /// Its first process; those it started count too.
    pid: u32,
    /// PostgreSQL's, where the system has one.
    postgres_pid: Option<u32>,
    subscription: Subscription,
    publication: Publication,
}

/// Measures the readers, then one system after the other, and prints all.
pub async fn run(options: Options) -> Result<()> {
    let Options { streams, readers, bytes, .. } = options;
    let bare = ceiling::Options { streams, seconds: CEILING_SECONDS, bytes, readers, json: false };
    let ceiling = tokio::task::spawn_blocking(move || ceiling::measure(bare)).await??;

    let scratch = Scratch::new("fanout")?;
    let server = Ours::start(scratch.path()).await?;
    let ours = measure(&options, server.system(options.bytes)?).await?;
    drop(server);

    let mut line = Line { ours, nchan: None, nchan_missing: None, ceiling };
    if let Some(Peer::Nchan) = options.peer {
        line.nchan_missing = Nchan::missing();
        line.nchan = Some(match line.nchan_missing {
            Some(reason) => {
                report::note(format_args!("Nchan was not measured: {reason}"));
                None
            }
            None => {
                let nchan = Nchan::start(scratch.path())?;
                Some(measure(&options, nchan.system(line.ours.event_bytes as usize)).await?)
            }
        });
    }
    print(&options, &line);
    if options.json { report::json(&line) } else { Ok(()) }
}

/// Opens the streams, publishes, and waits for the last arrival.
async fn measure(options: &Options, system: System) -> Result<Figures> {
    let memory_before = process::memory_bytes(system.pid)?;
    let opening = Instant::now();
    let (subscription, streams, readers) = (system.subscription.clone(), options.streams, options.readers);
    let crowd = tokio::task::spawn_blocking(move || Crowd::open(&subscription, streams, readers, OPEN)).await??;
    let open_s = opening.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let memory = process::memory_bytes(system.pid)?.saturating_sub(memory_before);

    let idle_before = process::cpu(system.pid)?;
    tokio::time::sleep(Duration::from_secs(options.idle)).await;
    let idle_s = process::cpu(system.pid)?.since(idle_before).total_s();

    let schedule =
        Schedule { rate: (options.rate > 0.0).then_some(options.rate), period: Duration::from_secs(options.seconds) };
    let postgres_cpu = || system.postgres_pid.map(process::cpu).transpose();
    let (cpu_before, postgres_before) = (process::cpu(system.pid)?, postgres_cpu()?);
    let begin = Instant::now();
    let published = publish(&system.publication, schedule).await?;
    let expected = published.accepted * streams as u64;
    let crowd = tokio::task::spawn_blocking(move || {
        crowd.wait_for(expected, DRAIN);
        crowd
    })
    .await?;
    let took_s = begin.elapsed().as_secs_f64();
    let cpu = process::cpu(system.pid)?.since(cpu_before);
    let postgres: Option<Cpu> = postgres_cpu()?.zip(postgres_before).map(|(after, before)| after.since(before));

    let tally = crowd.finish()?;
    let millions = tally.received as f64 / 1e6;
    let latency_ms = |quantile| tally.latency_us.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Figures {
        deliveries_per_s: tally.received as f64 / took_s,
        cpu_s_per_million: cpu.total_s() / millions,
        user_cpu_s_per_million: cpu.user_s / millions,
        postgres_cpu_s_per_million: postgres.map(|cpu| cpu.total_s() / millions),
        bytes_per_stream: memory as f64 / streams as f64,
        idle_cpu_percent_per_1000: (options.idle > 0)
            .then(|| idle_s / options.idle as f64 * 100.0 * 1e3 / streams as f64),
        p50_ms: latency_ms(0.5),
        p99_ms: latency_ms(0.99),
        max_ms: tally.latency_us.max() as f64 / 1e3,
        lost: expected.saturating_sub(tally.received),
        repeated: tally.repeated,
        closed: tally.closed,
        published_per_s: published.accepted as f64 / published.took.as_secs_f64(),
        event_bytes: tally.data_bytes as f64 / tally.received as f64,
        open_s,
    })
}

fn print(options: &Options, line: &Line) {
    let Options { streams, seconds, .. } = options;
    let title = format!("{} streams, {seconds} s of publishing", thousands(*streams as f64));
    let heads =
        ["", "events/s", "deliveries/s", "CPU s for 1 M", "bytes a stream", "p50 ms", "p99 ms", "lost", "repeated"];
    let mut table = Table::new(title, heads);
    let mut row = |name: &str, figures: &Figures| {
        table.row([
            name.to_owned(),
            thousands(figures.published_per_s),
            thousands(figures.deliveries_per_s),
            format!("{:.1}", figures.cpu_s_per_million),
            thousands(figures.bytes_per_stream),
            format!("{:.1}", figures.p50_ms),
            format!("{:.1}", figures.p99_ms),
            figures.lost.to_string(),
            figures.repeated.to_string(),
        ]);
    };
    row("Signalbox", &line.ours);
    if let Some(Some(nchan)) = &line.nchan {
        row("Nchan", nchan);
    }
    table.print();
    if let Some(cpu) = line.ours.postgres_cpu_s_per_million {
        report::note(format_args!("PostgreSQL's CPU for a million deliveries: {cpu:.2} s"));
    }
    if let Some(percent) = line.ours.idle_cpu_percent_per_1000 {
        report::note(format_args!("1,000 idle streams: {percent:.2} % of a core"));
    }
    report::note(format_args!(
        "{:.0} bytes of data in an event; the readers themselves take {} events/s, {} when 16 come in one write",
        line.ours.event_bytes,
        thousands(line.ceiling.client_ceiling_per_s),
        thousands(line.ceiling.client_ceiling_batched_per_s),
    ));
}
