//! The scenario of record at a walking pace and for long: streams come and go, some take nothing, the
//! tail's connection is ended now and then. At the end every promise is checked on sampled readers,
//! and the server's memory must have stayed where it was.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Result, bail};
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Figures, Nemesis, Shared, conclude,
    nemesis::kill_backends,
    observe,
    passers::{Visits, pass_by},
    set_up,
};
use crate::{
    process,
    report::{self, Table, thousands},
    scratch::Scratch,
};

/// Between two ends of the tail's connection.
const FAULT_PAUSE: Duration = Duration::from_secs(15);

/// How often the memory is looked at.
const SAMPLE: Duration = Duration::from_secs(1);

/// The first part of a run is no part of the slope: ring, pools and the allocator's own reserves fill.
const WARM_UP: f64 = 1.0 / 3.0;

/// How much the memory may grow over the rest of the run.
const MOST_GROWTH_PERCENT: f64 = 5.0;

/// The server's ring in MiB: full long before the end of the warm-up.
const RING_MIB: usize = 2;

/// The server's deadline for streams that take nothing, in seconds: several of them end in a run.
const STALL_S: usize = 10;

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Minutes of writing.
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Streams that come and go.
    #[arg(long, default_value_t = 200)]
    streams: u64,
    /// Percent of them that take nothing.
    #[arg(long, default_value_t = 10)]
    stalled_percent: u64,
    /// Readers whose every event is checked.
    #[arg(long, default_value_t = 10)]
    readers: u32,
    /// Writers.
    #[arg(long, default_value_t = 8)]
    writers: u32,
    /// What a writer waits between two commands, in ms.
    #[arg(long, default_value_t = 50)]
    pause_ms: u64,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The server's memory, and the line through it.
#[derive(Clone, Copy, Debug, Serialize)]
struct Memory {
    /// Looks at it after the warm-up.
    memory_samples: usize,
    /// Where the line begins and ends.
    memory_first_bytes: f64,
    memory_last_bytes: f64,
    memory_slope_bytes_per_min: f64,
    /// From the beginning of the line to its end.
    memory_growth_percent: f64,
}

/// The last line of a run.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    figures: Figures,
    streams_opened: u64,
    streams_stalled: u64,
    streams_failed: u64,
    #[serde(flatten)]
    memory: Memory,
    memory_stays: bool,
}

/// Runs, checks and prints.
///
/// # Errors
/// When a promise was broken or memory grew, so that the exit code says so.
pub async fn run(options: Options) -> Result<()> {
    let scratch = Scratch::new("soak")?;
    let roundtrip = super::Options {
        seconds: (options.minutes * 60.0).ceil() as u64,
        writers: options.writers,
        readers: options.readers,
        processes: 1,
        nemesis: Nemesis::None,
        pause_ms: options.pause_ms,
        json: false,
    };
    let settings = vec![("SIGNALBOX_RING_MIB", RING_MIB.to_string()), ("SIGNALBOX_STALL_S", STALL_S.to_string())];
    let (cluster, url, shared) = set_up(&roundtrip, &scratch, settings).await?;

    let visits = Arc::new(Visits::default());
    let mut passing = JoinSet::new();
    for number in 0..options.streams {
        let stalls = number * 100 < options.streams * options.stalled_percent;
        passing.spawn(pass_by(shared.clone(), visits.clone(), stalls));
    }
    let faults = tokio::spawn({
        let (url, shared) = (url.clone(), shared.clone());
        async move { kill_backends(&url, &shared, "signalbox-tail%", FAULT_PAUSE).await }
    });
    let samples = tokio::spawn(sample(shared.clone()));
    let (history, figures, findings) = observe(&roundtrip, &shared, &cluster, &url).await?;
    if faults.is_finished() {
        // It has no end of its own: this is its failure.
        faults.await??;
    } else {
        faults.abort();
    }
    passing.join_all().await;

    let memory = Memory::of(&samples.await??)?;
    let figures = conclude(&history, figures, findings)?;
    let memory_stays = memory.memory_growth_percent <= MOST_GROWTH_PERCENT;
    let violations = figures.violations;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed);
    let (streams_opened, streams_stalled) = (count(&visits.streams), count(&visits.stalled));
    let streams_failed = count(&visits.failed);
    let line = Line { figures, streams_opened, streams_stalled, streams_failed, memory, memory_stays };
    print(&line);
    if options.json {
        report::json(&line)?;
    }
    if violations > 0 || !memory_stays {
        bail!("{violations} violations; memory grew by {:.1} %", memory.memory_growth_percent);
    }
    Ok(())
}

/// Looks at the memory until writing is over: seconds and bytes.
async fn sample(shared: Arc<Shared>) -> Result<Vec<(f64, f64)>> {
    let begin = Instant::now();
    let mut samples = Vec::new();
    while !shared.written.load(Relaxed) {
        let bytes = process::memory_bytes(shared.servers.pid(0).await?)?;
        samples.push((begin.elapsed().as_secs_f64(), bytes as f64));
        sleep(SAMPLE).await;
    }
    Ok(samples)
}

impl Memory {
    /// The line with the least squares through the samples after the warm-up.
    fn of(samples: &[(f64, f64)]) -> Result<Memory> {
        let after = samples.get((samples.len() as f64 * WARM_UP) as usize..).unwrap_or_default();
        let (Some((first_s, _)), Some((last_s, _))) = (after.first(), after.last()) else {
            bail!("the run was too short to look at the memory");
        };
        let number = after.len() as f64;
        let mean_s = after.iter().map(|(at_s, _)| at_s).sum::<f64>() / number;
        let mean_bytes = after.iter().map(|(_, bytes)| bytes).sum::<f64>() / number;
        let covariance: f64 = after.iter().map(|(at_s, bytes)| (at_s - mean_s) * (bytes - mean_bytes)).sum();
        let variance: f64 = after.iter().map(|(at_s, _)| (at_s - mean_s).powi(2)).sum();
        let slope = if variance > 0.0 { covariance / variance } else { 0.0 };
        let at = |at_s: f64| mean_bytes + slope * (at_s - mean_s);
        Ok(Memory {
            memory_samples: after.len(),
            memory_first_bytes: at(*first_s),
            memory_last_bytes: at(*last_s),
            memory_slope_bytes_per_min: slope * 60.0,
            memory_growth_percent: (at(*last_s) / at(*first_s) - 1.0) * 100.0,
        })
    }
}

fn print(line: &Line) {
    let Memory { memory_samples, memory_first_bytes, memory_last_bytes, .. } = line.memory;
    let mib = |bytes: f64| format!("{:.1}", bytes / 1_048_576.0);
    let mut table = Table::new(format!("Memory of the server, a line through {memory_samples} samples"), ["", "MiB"]);
    table.row(["at its beginning".to_owned(), mib(memory_first_bytes)]);
    table.row(["at its end".to_owned(), mib(memory_last_bytes)]);
    table.row(["in a minute".to_owned(), mib(line.memory.memory_slope_bytes_per_min)]);
    table.print();
    report::note(format_args!(
        "{} streams came and went, {} of them took nothing, {} were refused or broke before they were open",
        thousands(line.streams_opened as f64),
        thousands(line.streams_stalled as f64),
        thousands(line.streams_failed as f64),
    ));
    let verdict = if line.memory_stays { "stays" } else { "does not stay" };
    report::note(format_args!(
        "memory {verdict} within {MOST_GROWTH_PERCENT:.0} %: {:+.1} %",
        line.memory.memory_growth_percent
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_shows_through_noise_and_a_warm_up_does_not() -> Result<()> {
        let growth = |bytes: fn(f64) -> f64| -> Result<f64> {
            let samples: Vec<(f64, f64)> =
                (0..300).map(|second| (f64::from(second), bytes(f64::from(second)))).collect();
            Ok(Memory::of(&samples)?.memory_growth_percent)
        };

        assert!(growth(|second| 5e7 + (second * 7.0) % 5.0 * 1e5 + second * 5e4)? > MOST_GROWTH_PERCENT);
        let filling = growth(|second| 5e7 + (second * 7.0) % 5.0 * 1e5 + second.min(90.0) * 1e6)?;
        assert!(filling.abs() < 1.0, "{filling} %");
        Ok(())
    }
}
