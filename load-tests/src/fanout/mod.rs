//! Fan-out: one event to thousands of streams, ours and its peers in turn.
//!
//! Ours is measured with all that it does: an event is a comment on an incident, sent over
//! HTTP, authorised, appended to PostgreSQL, read back by the tail and filtered by rights.
//! The peers get messages of the same size and keep them in memory. Below them all stands
//! the `floor`, a bare loop that only writes.

pub(crate) mod crowd;
pub mod delay;
pub mod floor;
mod idle;
mod load;
mod ours;
mod peers;
mod print;
mod publisher;
mod recorded;
pub(crate) mod stamp;
mod system;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use self::{
    crowd::Readers,
    floor::Ceiling,
    idle::{Idle, idle},
    load::{Load, load},
    ours::Ours,
    peers::Peer,
    system::System,
};
use crate::{report, scratch::Scratch};

/// Seconds for each of the two figures of the readers' ceiling.
const CEILING_SECONDS: u64 = 3;

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Streams that are open; `ulimit -n` must allow a few more. [default: 10000, with --saturate 1000]
    #[arg(long)]
    streams: Option<usize>,
    /// Events published in a second.
    #[arg(long, default_value_t = 10.0, conflicts_with_all = ["saturate", "rates"])]
    rate: f64,
    /// Several rates, one row for each: latency against load.
    #[arg(long, value_delimiter = ',', conflicts_with = "saturate")]
    rates: Vec<f64>,
    /// Publish as fast as the server answers and delivers.
    #[arg(long)]
    saturate: bool,
    /// With --saturate: events that may be on their way at once, not yet with all streams. Many let
    /// a server write several in one go, and each waits longer.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,
    /// Connections that publish, each one event at a time. As fast as it goes, latency grows with
    /// their number; at a rate they must be enough to keep it.
    #[arg(long, default_value_t = 8)]
    publishers: usize,
    /// Seconds of publishing.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds of silence before, in which the CPU of idle streams is measured.
    #[arg(long, default_value_t = 0)]
    idle: u64,
    /// Open and close all streams once before the opening whose memory is measured.
    #[arg(long)]
    warm: bool,
    /// Measure another server the same way; may be given several times.
    #[arg(long)]
    peer: Vec<Peer>,
    /// Measure a bare loop the same way, that writes as many bytes at the same rate.
    #[arg(long)]
    floor: bool,
    /// Bytes of the text inside our events; a peer's messages are as long as our whole events.
    #[arg(long, default_value_t = 40)]
    bytes: usize,
    #[command(flatten)]
    readers: Readers,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn streams(&self) -> usize {
        self.streams.unwrap_or(if self.saturate { 1_000 } else { 10_000 })
    }

    /// The loads to measure one after the other; `None` is as fast as it goes.
    fn schedule(&self) -> Vec<Option<f64>> {
        match (self.saturate, self.rates.as_slice()) {
            (true, _) => vec![None],
            (false, []) => vec![Some(self.rate)],
            (false, rates) => rates.iter().copied().map(Some).collect(),
        }
    }
}

/// One system's figures.
#[derive(Debug)]
struct Measured {
    /// For people.
    name: &'static str,
    /// For programs.
    key: &'static str,
    idle: Option<Idle>,
    /// For each rate.
    loads: Vec<Load>,
    /// Why it was not measured.
    missing: Option<String>,
}

/// Figures at one rate.
#[derive(Serialize)]
struct Figures<'a> {
    #[serde(flatten)]
    load: &'a Load,
    #[serde(flatten)]
    idle: Option<&'a Idle>,
}

/// Measures one system after the other, then the readers, and prints all.
pub async fn run(options: Options) -> Result<()> {
    let scratch = Scratch::new("fanout")?;
    let server = Ours::start(&scratch, options.publishers).await?;
    let mut systems = vec![measure(&options, "Signalbox", "ours", &server.system(options.bytes)?).await?];
    drop(server);
    let event_bytes = systems.iter().flat_map(|ours| &ours.loads).map(|load| load.event_bytes as usize).next_back();
    let bytes = event_bytes.unwrap_or(options.bytes);

    for peer in Peer::chosen(&options.peer) {
        let (name, key) = (peer.name(), peer.key());
        let measured = match peer.start(scratch.path(), bytes).await? {
            // A peer that breaks down under the load does not take the others' figures with it.
            Ok(running) => {
                measure(&options, name, key, &running.system).await.map_err(|error| format!("it failed: {error:#}"))
            }
            Err(reason) => Err(reason),
        };
        systems.push(measured.unwrap_or_else(|reason| {
            report::note(format_args!("{name} was not measured: {reason}"));
            Measured { name, key, idle: None, loads: Vec::new(), missing: Some(reason) }
        }));
    }

    let Options { seconds, readers, json, .. } = options;
    let bare = floor::Options { streams: options.streams(), rate: options.rate, seconds, bytes, readers, json };
    let ceiling = floor::ceiling(floor::Options { seconds: CEILING_SECONDS, ..bare }).await?;
    if options.floor {
        let mut loads = Vec::new();
        for rate in options.schedule() {
            loads.push(floor::at_rate(bare, rate).await?);
        }
        systems.push(Measured { name: "bare loop", key: "floor", idle: None, loads, missing: None });
    }
    print::run(&options, &systems, &ceiling);
    if options.json { report::json(&line(&options, &systems, &ceiling)?) } else { Ok(()) }
}

async fn measure(options: &Options, name: &'static str, key: &'static str, system: &System) -> Result<Measured> {
    let idle = Some(idle(options, system).await?);
    let mut loads = Vec::new();
    for rate in options.schedule() {
        loads.push(load(options, system, rate).await?);
    }
    Ok(Measured { name, key, idle, loads, missing: None })
}

/// The last line of a run: every system's figures at the last rate, and at all of them.
fn line(options: &Options, systems: &[Measured], ceiling: &Ceiling) -> Result<Map<String, Value>> {
    let schedule = options.schedule();
    let mut line = at(systems, schedule.len() - 1)?;
    for system in systems {
        if let Some(reason) = &system.missing {
            line.insert(format!("{}_missing", system.key), reason.as_str().into());
        }
    }
    let ours = systems.iter().find_map(|system| system.idle.as_ref());
    line.insert("idle_bytes_per_stream".into(), ours.map(|idle| idle.bytes_per_stream).into());
    line.insert("ours_to_floor".into(), serde_json::to_value(print::ratio(systems))?);
    line.insert("streams".into(), options.streams().into());
    line.insert("publishers".into(), options.publishers.into());
    line.insert("in_flight".into(), options.saturate.then_some(options.in_flight).into());
    if let Value::Object(figures) = serde_json::to_value(ceiling.figures())? {
        line.extend(figures);
    }
    if schedule.len() > 1 {
        let rates: Result<Vec<_>> = (0..schedule.len()).map(|index| at(systems, index)).collect();
        line.insert("rates".into(), serde_json::to_value(rates?)?);
    }
    Ok(line)
}

/// Every system's figures at the rate of that number; null for one that was not measured.
fn at(systems: &[Measured], index: usize) -> Result<Map<String, Value>> {
    let mut row = Map::new();
    for system in systems {
        let figures = system.loads.get(index).map(|load| Figures { load, idle: system.idle.as_ref() });
        row.insert(system.key.to_owned(), serde_json::to_value(figures)?);
    }
    Ok(row)
}
