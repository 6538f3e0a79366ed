//! The dashboard's answers, one at a time: from memory, and by a query of their own.
//!
//! Each window is a question of its own, so that every first answer is made by the database; asked again at once, it
//! comes from memory. Both go over the same connection in turns, so that what the machine does meanwhile is felt by both.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    http::{Connection, Request},
    report::{self, Table},
    stage::Stage,
};

/// Windows that the server takes, in hours: from 1 to this.
const WINDOWS: usize = 720;
/// Answers from memory for each that is not.
const HITS: usize = 10;

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Incidents in the database.
    #[arg(long, default_value_t = 10_000)]
    incidents: usize,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    incidents: usize,
    hit: Delays,
    miss: Delays,
}

/// In milliseconds.
#[derive(Debug, Serialize)]
struct Delays {
    answers: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Delays {
    fn of(mut took: Vec<Duration>) -> Delays {
        took.sort_unstable();
        let at = |share: f64| {
            let last = took.len().saturating_sub(1);
            took.get((last as f64 * share).round() as usize).map_or(0.0, |took| took.as_secs_f64() * 1e3)
        };
        Delays { answers: took.len(), p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

/// Runs and prints.
pub async fn run(options: Options) -> Result<()> {
    let stage = Stage::set("dashboard", Vec::new()).await?;
    stage.report_incidents(options.incidents).await?;
    let mut connection = Connection::open(stage.address).await?;
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for window_h in 1..=WINDOWS {
        let path = format!("/api/v1/dashboard/stats?window_h={window_h}");
        for nth in 0..=HITS {
            let begin = Instant::now();
            let reply = connection.send(Request::get(&path, &stage.token)).await?;
            ensure!(reply.head.status == 200, "status {}", reply.head.status);
            if nth == 0 { misses.push(begin.elapsed()) } else { hits.push(begin.elapsed()) }
        }
    }
    let figures = Figures { incidents: options.incidents, hit: Delays::of(hits), miss: Delays::of(misses) };
    print(&figures);
    if options.json { report::json(&figures) } else { Ok(()) }
}

fn print(figures: &Figures) {
    let title = format!("GET /api/v1/dashboard/stats with {} incidents", report::thousands(figures.incidents as f64));
    let mut table = Table::new(title, ["answer", "answers", "p50 ms", "p99 ms", "max ms"]);
    for (name, delays) in [("from memory", &figures.hit), ("by a query", &figures.miss)] {
        let ms = |ms: f64| format!("{ms:.2}");
        let Delays { answers, p50_ms, p99_ms, max_ms } = delays;
        table.row([name.to_owned(), report::thousands(*answers as f64), ms(*p50_ms), ms(*p99_ms), ms(*max_ms)]);
    }
    table.print();
}
