//! The scenario of record: commands in at one end, events out at the other, and faults in
//! between; then every promise is checked against everything that was seen.
//!
//! Two server processes on one PostgreSQL. Writers append over HTTP to both and repeat a
//! command under its key when they do not know what became of it. Readers follow the
//! streams, drop their connection at random and resume at the other process. Nobody is
//! told what the others do; `history::check` compares them afterwards.

mod log;
mod nemesis;
mod passers;
mod reader;
mod servers;
pub mod soak;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use serde::Serialize;
use signalbox::postgres::private::{Cluster, SUPERUSER};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, sleep},
};

pub use self::nemesis::Nemesis;
use self::{reader::Reader, servers::Servers, writer::Writer};
use crate::{
    history::{self, Findings, History, Invariant, Outcome},
    report::{self, thousands},
    scratch::Scratch,
    server::sign_in,
};

/// How long the last readers may take to reach the head once all faults have healed: the
/// tail's safety interval of 1 s, and 4 s for two busy cores.
const LIVENESS: Duration = Duration::from_secs(5);

/// How often the readers' positions are compared with the head.
const LOOK: Duration = Duration::from_millis(20);

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Seconds of writing.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Writers that each send one command after another.
    #[arg(long, default_value_t = 64)]
    writers: u32,
    /// Readers that each follow one stream after another.
    #[arg(long, default_value_t = 50)]
    readers: u32,
    /// Server processes.
    #[arg(long, default_value_t = 2)]
    processes: usize,
    /// What goes wrong meanwhile.
    #[arg(long, value_enum, default_value = "none")]
    nemesis: Nemesis,
    /// What a writer waits between two commands, in ms.
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What writers and readers share.
#[derive(Debug)]
struct Shared {
    servers: Servers,
    token: String,
    /// Between two commands of a writer.
    pause: Duration,
    /// Writers stop beginning commands.
    written: AtomicBool,
    /// Readers stop dropping their connections.
    settle: AtomicBool,
    /// Readers end.
    read: AtomicBool,
    /// Faults injected so far.
    faults: AtomicU64,
    /// The cursor of each reader.
    positions: Vec<AtomicU64>,
}

/// What happened, in numbers.
#[derive(Debug, Default, Serialize)]
struct Figures {
    nemesis: Nemesis,
    /// Faults injected.
    faults: u64,
    appends: usize,
    acknowledged: usize,
    refused: usize,
    /// Commands whose sender never learned what became of them.
    unknown: usize,
    /// Requests sent again under the same key.
    retries: u64,
    appends_per_s: f64,
    /// From the first try to the acknowledgement.
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    events: usize,
    connections: usize,
    deliveries: usize,
    /// From the end of writing to the last reader at the head.
    caught_up_s: f64,
    violations: usize,
}

/// Runs, checks and prints.
///
/// # Errors
/// When a promise was broken, so that the exit code says so.
pub async fn run(options: Options) -> Result<()> {
    let scratch = Scratch::new("roundtrip")?;
    let (cluster, url, shared) = set_up(&options, &scratch, Vec::new()).await?;
    let (history, figures, findings) = observe(&options, &shared, &cluster, &url).await?;
    let figures = conclude(&history, figures, findings)?;
    if options.json {
        report::json(&figures)?;
    }
    if figures.violations > 0 {
        bail!("{} violations", figures.violations);
    }
    Ok(())
}

/// Starts PostgreSQL and the processes; `settings` are theirs.
async fn set_up(
    options: &Options,
    scratch: &Scratch,
    settings: Vec<(&'static str, String)>,
) -> Result<(Arc<Mutex<Cluster>>, String, Arc<Shared>)> {
    let cluster = scratch.start_postgres(Vec::new()).await?;
    let url = cluster.url("postgres", SUPERUSER);
    let servers = Servers::start(options.processes, &url, scratch.path(), settings).await?;
    let shared = Arc::new(Shared {
        token: sign_in(servers.address(0)).await?,
        pause: Duration::from_millis(options.pause_ms),
        servers,
        written: AtomicBool::new(false),
        settle: AtomicBool::new(false),
        read: AtomicBool::new(false),
        faults: AtomicU64::new(0),
        positions: (0..options.readers).map(|_| AtomicU64::new(0)).collect(),
    });
    Ok((Arc::new(Mutex::new(cluster)), url, shared))
}

/// Lets everybody work, heals, waits for the readers, and collects what each has seen.
async fn observe(
    options: &Options,
    shared: &Arc<Shared>,
    cluster: &Arc<Mutex<Cluster>>,
    url: &str,
) -> Result<(History, Figures, Findings)> {
    let mut readers = JoinSet::new();
    for number in 0..options.readers {
        readers.spawn(Reader::new(number, shared.clone()).run());
    }
    let mut writers = JoinSet::new();
    for number in 0..options.writers {
        writers.spawn(Writer::new(number, shared.clone()).run());
    }
    let nemesis = tokio::spawn(options.nemesis.haunt(cluster.clone(), shared.clone(), url.to_owned()));
    let begin = Instant::now();
    sleep(Duration::from_secs(options.seconds)).await;

    shared.written.store(true, Relaxed);
    // Writers finish while the nemesis still works: their last commands are the hardest.
    let mut figures = Figures { nemesis: options.nemesis, ..Figures::default() };
    let mut history = History::default();
    while let Some(written) = writers.join_next().await {
        let written = written.context("a writer panicked")?;
        history.appends.extend(written.appends);
        figures.retries += written.retries;
    }
    figures.appends_per_s = history.appends.len() as f64 / begin.elapsed().as_secs_f64();
    if nemesis.is_finished() {
        // Some are done at once; one that failed was no nemesis.
        nemesis.await??;
    } else {
        nemesis.abort();
    }
    nemesis::heal(cluster.clone(), shared).await?;
    figures.faults = shared.faults.load(Relaxed);

    let mut findings = Findings::default();
    shared.settle.store(true, Relaxed);
    figures.caught_up_s = catch_up(shared, log::head(url).await?, &mut findings).await;
    shared.read.store(true, Relaxed);
    while let Some(read) = readers.join_next().await {
        let read = read.context("a reader panicked")?;
        for message in read.protocol_errors {
            findings.add(Invariant::NoSkip, || message);
        }
        history.connections.extend(read.connections);
    }
    history.log = log::read(url).await?;
    Ok((history, figures, findings))
}

/// I11: waits until every reader has reached `head`; returns the seconds it took.
async fn catch_up(shared: &Shared, head: u64, findings: &mut Findings) -> f64 {
    let healed = Instant::now();
    loop {
        let behind: Vec<(usize, u64)> = shared
            .positions
            .iter()
            .map(|position| position.load(Relaxed))
            .enumerate()
            .filter(|(_, position)| *position < head)
            .collect();
        if behind.is_empty() {
            return healed.elapsed().as_secs_f64();
        }
        if healed.elapsed() > LIVENESS {
            for (reader, position) in behind {
                findings.add(Invariant::Liveness, || {
                    format!("reader {reader} is at {position} of {head}, {} s after the last fault", LIVENESS.as_secs())
                });
            }
            return healed.elapsed().as_secs_f64();
        }
        sleep(LOOK).await;
    }
}

/// Checks the history, completes the figures and prints both.
fn conclude(history: &History, mut figures: Figures, mut findings: Findings) -> Result<Figures> {
    let mut latency_us: Histogram<u64> = Histogram::new(3)?;
    for append in &history.appends {
        match append.outcome {
            Outcome::Ok { .. } => {
                figures.acknowledged += 1;
                latency_us.record((append.done_ns - append.invoke_ns) / 1_000)?;
            }
            Outcome::Fail => figures.refused += 1,
            Outcome::Unknown => figures.unknown += 1,
        }
    }
    figures.appends = history.appends.len();
    figures.p50_ms = latency_us.value_at_quantile(0.5) as f64 / 1e3;
    figures.p99_ms = latency_us.value_at_quantile(0.99) as f64 / 1e3;
    figures.max_ms = latency_us.max() as f64 / 1e3;
    figures.events = history.log.len();
    figures.connections = history.connections.len();
    figures.deliveries = history.connections.iter().map(|connection| connection.received.len()).sum();

    let checked = history::check(history);
    figures.violations = findings.total() + checked.total();
    findings.violations.extend(checked.violations);
    for violation in &findings.violations {
        report::note(violation);
    }
    print(&figures);
    Ok(figures)
}

fn print(figures: &Figures) {
    let count = |number: usize| thousands(number as f64);
    report::note(format_args!(
        "{} appends ({}/s), {} acknowledged, {} refused, {} unknown, {} retries, {} faults",
        count(figures.appends),
        thousands(figures.appends_per_s),
        count(figures.acknowledged),
        figures.refused,
        figures.unknown,
        figures.retries,
        figures.faults,
    ));
    report::note(format_args!(
        "acknowledged after p50 {:.1} ms, p99 {:.1} ms, at most {:.0} ms",
        figures.p50_ms, figures.p99_ms, figures.max_ms
    ));
    report::note(format_args!(
        "{} events read {} times over {} connections; all readers at the head after {:.2} s",
        count(figures.events),
        count(figures.deliveries),
        count(figures.connections),
        figures.caught_up_s,
    ));
    report::note(match figures.violations {
        0 => "every promise held".to_owned(),
        violations => format!("{violations} violations"),
    });
}
