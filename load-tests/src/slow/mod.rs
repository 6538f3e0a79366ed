//! Readers that stop reading: what they cost, and what the others feel of it.
//!
//! Twice the same: most of the streams, read by a crowd that keeps up, and changes at a fixed
//! rate. The second time, the rest of the streams are open as well and take nothing. Their
//! buffers in the kernel fill, the server's writes stop, and sooner or later it closes them.
//!
//! The changes are large, and there are many of them: the kernel alone takes up to 4 MB of a
//! connection (net.ipv4.tcp_wmem) before a write to it stops.

mod sockets;
mod stalled;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;
use tokio::time::sleep;

use self::stalled::{Stalled, Watched};
use crate::{
    changes::{Pace, Publishing},
    fanout::crowd::{Crowd, Readers, Subscription, Tally},
    report::{self, Table, thousands},
    stage::Stage,
};

/// How long the last changes may take to arrive at the crowd.
const DRAIN: Duration = Duration::from_secs(30);

/// How often memory and queues are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The server's ring, in MiB. Small, and full before the first figure is taken: that it fills is not
/// what a stalled stream costs.
const RING_MIB: usize = 4;

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Streams that are open, the stalled ones included.
    #[arg(long, default_value_t = 1_000)]
    streams: usize,
    /// Percent of them that take nothing.
    #[arg(long, default_value_t = 5)]
    stalled_percent: usize,
    /// Changes published in a second.
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// Bytes of the text inside a change; a comment has at most 8,192 characters.
    #[arg(long, default_value_t = 8_000)]
    bytes: usize,
    /// Seconds of publishing, each time.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The server's SIGNALBOX_STALL_S.
    #[arg(long, default_value_t = 10)]
    stall_s: u64,
    /// How long to wait after the publishing until the stalled streams are closed, in seconds.
    #[arg(long, default_value_t = 30)]
    patience_s: u64,
    #[command(flatten)]
    readers: Readers,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What happened.
#[derive(Debug, Serialize)]
struct Figures {
    streams: usize,
    stalled: usize,
    /// Bytes of the texts that were published to each stream while the stalled ones were open.
    published_bytes: u64,
    p99_ms_others_without: f64,
    p99_ms_others_with: f64,
    p50_ms_others_without: f64,
    p50_ms_others_with: f64,
    /// Deliveries that the others missed, both times.
    lost_others: u64,
    /// Memory of the server and of the kernel for a stalled stream, at most.
    max_bytes_per_stalled: f64,
    /// Of it, the server's anonymous memory: its most with the stalled ones, less its most without.
    memory_bytes_per_stalled: f64,
    /// Of it, the most bytes in the kernel's send queues together, for each.
    queued_bytes_per_stalled: f64,
    /// The longest send queue of a single one.
    max_queued_bytes: u64,
    /// Stalled streams that the server closed.
    closed: usize,
    /// When it closed the first and the last, in seconds since they took nothing; null: none.
    closed_after_s: Option<[f64; 2]>,
    /// SIGNALBOX_STALL_S.
    stall_s: u64,
}

/// One of the two times.
struct Round {
    tally: Tally,
    expected: u64,
    published_bytes: u64,
    watched: Watched,
}

/// Runs and prints.
pub async fn run(options: Options) -> Result<()> {
    let stalled = options.streams * options.stalled_percent / 100;
    ensure!(stalled > 0 && stalled < options.streams, "both kinds of readers are needed");
    let settings =
        vec![("SIGNALBOX_STALL_S", options.stall_s.to_string()), ("SIGNALBOX_RING_MIB", RING_MIB.to_string())];
    let stage = Stage::set("slow", settings).await?;
    // As many bytes as the ring holds, and once as many for good measure.
    let filling = Options {
        rate: 100.0,
        seconds: (2 * RING_MIB as u64 * 1024 * 1024) / (100 * options.bytes as u64) + 1,
        ..options.clone()
    };
    report::note("the ring fills");
    round(&stage, &filling, 1, None).await?;

    let others = options.streams - stalled;
    report::note(format_args!("{others} streams, none of them stalled"));
    let without = round(&stage, &options, others, None).await?;
    report::note(format_args!("{others} streams, and {stalled} that take nothing"));
    let holdouts = Stalled::open(&stage, stalled).await?;
    let mut with = round(&stage, &options, others, Some(&holdouts)).await?;
    let deadline = Instant::now() + Duration::from_secs(options.patience_s);
    while with.watched.closed() < stalled && Instant::now() < deadline {
        holdouts.look(&stage, &mut with.watched)?;
        sleep(LOOK).await;
    }
    let figures = conclude(&options, stalled, &without, &with);
    print(&figures);
    if options.json { report::json(&figures) } else { Ok(()) }
}

/// A crowd that reads, changes for a while, and somebody who looks.
async fn round(stage: &Stage, options: &Options, others: usize, stalled: Option<&Stalled>) -> Result<Round> {
    let subscription = Subscription::to_signalbox(stage.address, &stage.token);
    let crowd = Crowd::open_all(subscription, others, options.readers).await?;
    let nobody = Stalled::open(stage, 0).await?;
    let stalled = stalled.unwrap_or(&nobody);
    let mut watched = Watched::default();
    let publishing = Publishing::begin(stage, Pace { rate: options.rate, bytes: options.bytes }).await?;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    while Instant::now() < end {
        stalled.look(stage, &mut watched)?;
        sleep(LOOK).await;
    }
    let published = publishing.stop().await?;
    let expected = published.changes.len() as u64 * others as u64;
    let tally = crowd.drain(expected, DRAIN).await?;
    stalled.look(stage, &mut watched)?;
    Ok(Round { tally, expected, published_bytes: published.bytes, watched })
}

fn conclude(options: &Options, stalled: usize, without: &Round, with: &Round) -> Figures {
    let latency_ms = |round: &Round, quantile| round.tally.latency_us.value_at_quantile(quantile) as f64 / 1e3;
    let lost = |round: &Round| round.expected.saturating_sub(round.tally.received);
    let memory = with.watched.memory_bytes.saturating_sub(without.watched.memory_bytes) as f64 / stalled as f64;
    let queued = with.watched.queued_bytes as f64 / stalled as f64;
    Figures {
        streams: options.streams,
        stalled,
        published_bytes: with.published_bytes,
        p99_ms_others_without: latency_ms(without, 0.99),
        p99_ms_others_with: latency_ms(with, 0.99),
        p50_ms_others_without: latency_ms(without, 0.5),
        p50_ms_others_with: latency_ms(with, 0.5),
        lost_others: lost(without) + lost(with),
        max_bytes_per_stalled: memory + queued,
        memory_bytes_per_stalled: memory,
        queued_bytes_per_stalled: queued,
        max_queued_bytes: with.watched.queued_bytes_of_one,
        closed: with.watched.closed(),
        closed_after_s: with.watched.closed_after_s(),
        stall_s: options.stall_s,
    }
}

fn print(figures: &Figures) {
    let Figures { streams, stalled, .. } = figures;
    let title = format!("{streams} streams, {stalled} of them stalled in the second column");
    let mut table = Table::new(title, ["", "without", "with"]);
    let ms = |ms: f64| format!("{ms:.1}");
    table.row(["p50 of the others, ms".to_owned(), ms(figures.p50_ms_others_without), ms(figures.p50_ms_others_with)]);
    table.row(["p99 of the others, ms".to_owned(), ms(figures.p99_ms_others_without), ms(figures.p99_ms_others_with)]);
    table.print();
    report::note(format_args!("lost by the others: {}", figures.lost_others));
    report::note(format_args!(
        "a stalled stream costs {} bytes: {} of the server's memory, {} in the kernel's queue (at most {})",
        thousands(figures.max_bytes_per_stalled),
        thousands(figures.memory_bytes_per_stalled),
        thousands(figures.queued_bytes_per_stalled),
        thousands(figures.max_queued_bytes as f64),
    ));
    let published = thousands(figures.published_bytes as f64);
    let closed = match figures.closed_after_s {
        Some([first, last]) => format!("{} closed, after {first:.1} to {last:.1} s", figures.closed),
        None => "none closed".to_owned(),
    };
    report::note(format_args!(
        "{published} bytes published to each; deadline {} s; of {stalled} stalled streams, {closed}",
        figures.stall_s
    ));
}
