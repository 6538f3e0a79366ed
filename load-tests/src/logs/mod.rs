//! Log lines: how many in a second, how soon they are found again, and what an index of their words would cost.
//!
//! Rounds of ours and of plain inserts alternate on one PostgreSQL. Searches are asked through the API over a day that
//! is over, before and after it has its index of words.

mod ingest;
mod lines;
mod search;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

pub(crate) use self::ingest::{PLAIN, connect};
use self::{lines::Lines, search::Searched};
use crate::{
    report::{self, Spread, Table, thousands},
    stage::Stage,
};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Connections that each send one batch after another.
    #[arg(long, default_value_t = 2)]
    senders: usize,
    /// Lines of a batch.
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Seconds of each round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds of each way; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Lines to search in.
    #[arg(long, default_value_t = 1_000_000)]
    lines: i64,
    /// Folder with real logs, `*.log`; without it, lines are made up.
    #[arg(long)]
    from: Option<PathBuf>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// How long things took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    /// The middle.
    pub p50_ms: f64,
    /// One of twenty took longer.
    pub p95_ms: f64,
    /// One of a hundred did.
    pub p99_ms: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Times {
        times.sort();
        let at = |share: f64| {
            let place = (times.len() as f64 * share).ceil() as usize;
            times.get(place.saturating_sub(1)).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Times { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) }
    }
}

/// The last line of a run.
#[derive(Debug, Serialize)]
struct Line {
    lines_per_s: f64,
    insert_lines_per_s: f64,
    /// Ours divided by plain inserts.
    ratio: f64,
    batch: Times,
    insert_batch: Times,
    lines: i64,
    indexes: Vec<search::Index>,
    words_index_s: f64,
    without_words_index: Vec<Searched>,
    with_words_index: Vec<Searched>,
}

/// Measures and prints.
pub async fn run(options: Options) -> Result<()> {
    let lines = Lines::from(options.from.as_deref())?;
    let stage = Stage::set("logs", Vec::new()).await?;
    let (url, period) = (stage.database_url(), Duration::from_secs(options.seconds));
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let api = (stage.address, stage.token.as_str());
        ours.push(ingest::api(api, &lines, options.senders, options.batch, period).await?);
        plain.push(ingest::insert(&url, &lines, options.senders, options.batch, period).await?);
    }
    let per_s = |rates: &[ingest::Rate]| Spread::of(&rates.iter().map(|rate| rate.lines_per_s).collect::<Vec<_>>());
    let (ours_per_s, plain_per_s) = (per_s(&ours), per_s(&plain));
    let (ours_last, plain_last) = (ours[ours.len() - 1].times, plain[plain.len() - 1].times);
    print_rates([("POST /api/v1/logs", ours_per_s, ours_last), ("plain inserts", plain_per_s, plain_last)]);

    let client = connect(&url).await?;
    client.batch_execute("truncate log_lines").await?;
    search::fill(&client, &lines, options.lines).await?;
    let indexes = search::indexes(&client).await?;
    print_indexes(&indexes, options.lines);
    let without_words_index = search::searches(&stage, &client).await?;
    let begin = Instant::now();
    client.batch_execute("select log_words_index()").await?;
    let words_index_s = begin.elapsed().as_secs_f64();
    let with_words_index = search::searches(&stage, &client).await?;
    print_searches(&without_words_index, &with_words_index, options.lines);
    if !options.json {
        return Ok(());
    }
    report::json(&Line {
        lines_per_s: ours_per_s.median,
        insert_lines_per_s: plain_per_s.median,
        ratio: ours_per_s.median / plain_per_s.median,
        batch: ours_last,
        insert_batch: plain_last,
        lines: options.lines,
        indexes,
        words_index_s,
        without_words_index,
        with_words_index,
    })
}

fn print_rates(rates: [(&str, Spread, Times); 2]) {
    let mut table = Table::new("Ingest", ["", "lines/s", "batch p50 ms", "p95 ms", "p99 ms"]);
    for (name, per_s, times) in rates {
        let ms = |ms: f64| format!("{ms:.1}");
        table.row([name.to_owned(), per_s.to_string(), ms(times.p50_ms), ms(times.p95_ms), ms(times.p99_ms)]);
    }
    table.print();
}

fn print_indexes(indexes: &[search::Index], lines: i64) {
    let title = format!("An index over {} lines", thousands(lines as f64));
    let mut table = Table::new(title, ["", "built in s", "MiB", "1,000 lines written with it, ms"]);
    for index in indexes {
        table.row([
            index.name.to_owned(),
            format!("{:.1}", index.build_s),
            format!("{:.1}", index.mib),
            format!("{:.1}", index.kept_ms),
        ]);
    }
    table.print();
}

fn print_searches(without: &[Searched], with: &[Searched], lines: i64) {
    let title = format!("Searches over {} lines, p50 and p95 in ms", thousands(lines as f64));
    let mut table = Table::new(title, ["", "without", "", "with words index", ""]);
    for (without, with) in without.iter().zip(with) {
        let ms = |ms: f64| format!("{ms:.1}");
        let (before, after) = (without.times, with.times);
        table.row([without.name.to_owned(), ms(before.p50_ms), ms(before.p95_ms), ms(after.p50_ms), ms(after.p95_ms)]);
    }
    table.print();
}
