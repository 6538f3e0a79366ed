//! What open streams cost while nothing is published: memory, CPU, and what stays when they close.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::{Options, crowd::Crowd, system::System};
use crate::process;

/// How often memory is read until it has settled.
const READ: Duration = Duration::from_millis(500);

/// Change over so many readings, in percent, below which memory has settled: allocators give back in steps.
const SETTLED_PERCENT: f64 = 0.5;
const SETTLED_READINGS: usize = 6;

/// Readings after which it counts as settled all the same.
const MOST_READINGS: usize = 40;

/// What streams cost that only wait.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Idle {
    /// Anonymous memory that the server's processes took for an open stream.
    pub(super) bytes_per_stream: f64,
    /// The same when the crowd came for the first time, if `--warm` had it come twice.
    pub(super) cold_bytes_per_stream: Option<f64>,
    /// Above the server's memory before the first crowd: what an allocator had kept from that
    /// one and uses again is in here, and not in `bytes_per_stream`.
    pub(super) above_start_bytes_per_stream: f64,
    /// What of it was still taken after all streams had closed.
    pub(super) left_bytes_per_stream: f64,
    /// The server's memory then, above what it was before, in percent of that.
    pub(super) memory_left_percent: f64,
    /// The server's memory before the streams.
    memory_before_bytes: u64,
    /// Whether the server had noticed within 30 s that all streams were closed.
    closed_in_time: bool,
    /// Percent of a core for 1,000 idle streams, if `--idle` asked for it.
    pub(super) idle_cpu_percent_per_1000: Option<f64>,
    /// Seconds until all streams were open.
    open_s: f64,
}

/// Opens all streams, leaves them alone, and closes them.
///
/// With `--warm` they have been open once before: a server keeps buffers, threads and pages
/// of its allocator that the first crowd of its life pays for.
pub(super) async fn idle(options: &Options, system: &System) -> Result<Idle> {
    let cold = if options.warm { Some(open_and_close(options, system, 0).await?) } else { None };
    let measured = open_and_close(options, system, options.idle).await?;
    let Some(cold) = cold else { return Ok(measured) };
    let kept = measured.memory_before_bytes as f64 - cold.memory_before_bytes as f64;
    Ok(Idle {
        cold_bytes_per_stream: Some(cold.bytes_per_stream),
        above_start_bytes_per_stream: measured.bytes_per_stream + kept / options.streams() as f64,
        ..measured
    })
}

async fn open_and_close(options: &Options, system: &System, idle_s: u64) -> Result<Idle> {
    let streams = options.streams() as f64;
    let before = settled_bytes(system.pid).await?;
    // Not sooner: nginx accepts connections while its workers still open their files.
    let files = process::open_files(system.pid)?;
    let opening = Instant::now();
    let crowd = Crowd::open_all(system.subscription.clone(), options.streams(), options.readers).await?;
    let open_s = opening.elapsed().as_secs_f64();
    let open = settled_bytes(system.pid).await?;

    let cpu = process::cpu(system.pid)?;
    tokio::time::sleep(Duration::from_secs(idle_s)).await;
    let cpu_s = process::cpu(system.pid)?.since(cpu).total_s();

    crowd.finish()?;
    let closed_in_time = system.closed(files).await?;
    let after = settled_bytes(system.pid).await?;
    let left = after as f64 - before as f64;
    let bytes_per_stream = (open as f64 - before as f64) / streams;
    Ok(Idle {
        bytes_per_stream,
        cold_bytes_per_stream: None,
        above_start_bytes_per_stream: bytes_per_stream,
        left_bytes_per_stream: left / streams,
        memory_left_percent: left / before as f64 * 100.0,
        memory_before_bytes: before,
        closed_in_time,
        idle_cpu_percent_per_1000: (idle_s > 0).then(|| cpu_s / idle_s as f64 * 100.0 * 1e3 / streams),
        open_s,
    })
}

/// Memory once it stays nearly the same: servers go on for a moment after a stream has opened or closed.
async fn settled_bytes(pid: u32) -> Result<u64> {
    let mut readings = vec![process::memory_bytes(pid)?];
    for _ in 0..MOST_READINGS {
        tokio::time::sleep(READ).await;
        readings.push(process::memory_bytes(pid)?);
        let Some(last) = readings.last_chunk::<SETTLED_READINGS>() else { continue };
        let (least, most) =
            last.iter().fold((u64::MAX, 0), |(least, most), &bytes| (least.min(bytes), most.max(bytes)));
        if (most - least) as f64 <= least as f64 * SETTLED_PERCENT / 100.0 {
            break;
        }
    }
    Ok(readings.last().copied().unwrap_or_default())
}
