//! Appends in a second: the server's log and the usual design, doing the same work on the
//! same PostgreSQL in turn.
//!
//! Rounds alternate, so that a machine that slows down or warms up does so for both. Each
//! command writes an event, checks a version, stores the current state and keeps an
//! idempotency key, durably, and somebody listens to the notifications.

mod change;
mod database;
mod writers;

mod http;
mod ours;
mod usual;

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

use self::{
    database::Databases,
    writers::{Rate, Writer, write},
};
use crate::report::{self, Spread, Table, thousands};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Writers that each send one command after another.
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Seconds of each round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds of each design; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Events in the log when the rounds begin, such as `0,1000000,10000000`: one measurement each.
    #[arg(long, alias = "preload", value_delimiter = ',', default_value = "0")]
    sizes: Vec<i64>,
    /// Measure the same appends through `POST /api/v1/incidents` too.
    #[arg(long)]
    http: bool,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// All rounds of one design at one size of the log.
#[derive(Debug)]
struct Measured {
    /// Appends in a second, round after round.
    rounds: Vec<f64>,
    latency_us: Histogram<u64>,
}

impl Measured {
    fn of(rates: &[Rate]) -> Measured {
        let mut latency_us = writers::histogram();
        for rate in rates {
            latency_us += &rate.latency_us;
        }
        Measured { rounds: rates.iter().map(|rate| rate.per_s).collect(), latency_us }
    }

    fn per_s(&self) -> f64 {
        Spread::of(&self.rounds).median
    }

    fn ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// The figures at one size of the log.
#[derive(Debug, Serialize)]
struct Figures {
    /// Events in the log at the beginning.
    events: i64,
    ours_per_s: f64,
    usual_per_s: f64,
    /// Ours divided by the usual.
    ratio: f64,
    /// Ours, from the call to the acknowledgement.
    p50_ms: f64,
    p99_ms: f64,
    usual_p50_ms: f64,
    usual_p99_ms: f64,
    /// Ours through the HTTP API, with an incident in each request.
    http_per_s: Option<f64>,
    http_p50_ms: Option<f64>,
    http_p99_ms: Option<f64>,
    /// Round after round.
    ours_rounds: Vec<f64>,
    usual_rounds: Vec<f64>,
}

/// The last line of a run: the figures at the largest size, and at all of them.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    last: &'a Figures,
    writers: usize,
    rounds: usize,
    sizes: &'a [Figures],
}

/// Measures and prints.
pub async fn run(options: Options) -> Result<()> {
    let databases = Databases::start(options.writers).await?;
    let mut figures = Vec::new();
    for &events in &options.sizes {
        databases.fill(events).await?;
        figures.push(measure(&options, &databases, events).await?);
        print(&options, figures.last());
    }
    let Some(last) = figures.last() else { return Ok(()) };
    if options.json {
        let Options { writers, rounds, .. } = options;
        report::json(&Line { last, writers, rounds, sizes: &figures })?;
    }
    Ok(())
}

/// One design's writers and what they did in each round.
struct Contender {
    writers: Vec<Writer>,
    rates: Vec<Rate>,
}

impl Contender {
    fn new(writers: Vec<Writer>) -> Contender {
        Contender { writers, rates: Vec::new() }
    }
}

async fn measure(options: &Options, databases: &Databases, events: i64) -> Result<Figures> {
    let mut usual_writers = Vec::new();
    for _ in 0..options.writers {
        usual_writers.push(Writer::Usual(usual::Usual::connect(&databases.usual_url()).await?));
    }
    let ours = ours::Ours::start(&databases.ours_url())?;
    let our_writers = (0..options.writers).map(|_| Writer::Ours(ours.clone())).collect();
    let listeners = databases.listen().await?;
    let contenders = [Contender::new(usual_writers), Contender::new(our_writers)];
    let [usual, ours] = compete(options, databases, contenders).await?;
    drop(listeners);

    let mut http = None;
    if options.http {
        // The server brings a listener of its own.
        let served = http::Served::start(&databases.ours_url()).await?;
        let mut writers = Vec::new();
        for _ in 0..options.writers {
            writers.push(Writer::Http(served.writer().await?));
        }
        let [measured] = compete(options, databases, [Contender::new(writers)]).await?;
        http = Some(measured);
    }
    Ok(figures(events, &ours, &usual, http.as_ref()))
}

/// Lets the contenders write in turn.
///
/// A round that is not counted comes first: it warms caches and plans, and it writes the
/// whole pages that follow a checkpoint. Later rounds are without, as most of a server's
/// minutes are.
async fn compete<const N: usize>(
    options: &Options,
    databases: &Databases,
    mut contenders: [Contender; N],
) -> Result<[Measured; N]> {
    let period = Duration::from_secs(options.seconds);
    databases.checkpoint().await?;
    for round in 0..=options.rounds {
        for contender in &mut contenders {
            let (rate, writers) = write(std::mem::take(&mut contender.writers), period).await?;
            contender.writers = writers;
            if round > 0 {
                contender.rates.push(rate);
            }
        }
    }
    Ok(contenders.map(|contender| Measured::of(&contender.rates)))
}

fn figures(events: i64, ours: &Measured, usual: &Measured, http: Option<&Measured>) -> Figures {
    Figures {
        events,
        ours_per_s: ours.per_s(),
        usual_per_s: usual.per_s(),
        ratio: ours.per_s() / usual.per_s(),
        p50_ms: ours.ms(0.5),
        p99_ms: ours.ms(0.99),
        usual_p50_ms: usual.ms(0.5),
        usual_p99_ms: usual.ms(0.99),
        http_per_s: http.map(|http| http.per_s()),
        http_p50_ms: http.map(|http| http.ms(0.5)),
        http_p99_ms: http.map(|http| http.ms(0.99)),
        ours_rounds: ours.rounds.clone(),
        usual_rounds: usual.rounds.clone(),
    }
}

fn print(options: &Options, figures: Option<&Figures>) {
    let Some(figures) = figures else { return };
    let Options { writers, rounds, seconds, .. } = options;
    let events = thousands(figures.events as f64);
    let title = format!("{writers} writers, {events} events in the log, median of {rounds} rounds of {seconds} s");
    let mut table = Table::new(title, ["", "appends/s (lowest to highest)", "p50 ms", "p99 ms"]);
    let ms = |ms: f64| format!("{ms:.2}");
    let Figures { usual_p50_ms, usual_p99_ms, p50_ms, p99_ms, .. } = *figures;
    table.row([
        "the usual design".into(),
        Spread::of(&figures.usual_rounds).to_string(),
        ms(usual_p50_ms),
        ms(usual_p99_ms),
    ]);
    table.row(["Signalbox's log".into(), Spread::of(&figures.ours_rounds).to_string(), ms(p50_ms), ms(p99_ms)]);
    if let (Some(per_s), Some(p50), Some(p99)) = (figures.http_per_s, figures.http_p50_ms, figures.http_p99_ms) {
        table.row(["the same over HTTP".into(), thousands(per_s), ms(p50), ms(p99)]);
    }
    table.print();
    report::note(format_args!("ratio {:.1}", figures.ratio));
}
