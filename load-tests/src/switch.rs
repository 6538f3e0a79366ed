//! The kill switch: streams are switched off at one process and end at the other, poll on, and come back.
//!
//! All streams are open at the second process; the switch is thrown at the first. Changes are published all
//! the while, also at the first. The readers are those of `returning`: told to poll, each polls on its cursor
//! and tries the stream when `retry:` and Retry-After say so. What counts is how long the last stream outlives
//! the switch, how long the last reader waits for its stream once they are back, and that each of them has
//! received each change once over the whole, whichever way it came.

use std::{
    sync::atomic::Ordering::{Acquire, Relaxed},
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    changes::{Pace, Published, Publishing},
    clock,
    http::{Connection, Request},
    report::{self, Spread, Table, thousands},
    returning::{Access, Readers, Tally},
    stage::Stage,
};

/// How long all streams may take to open, to end, or to come back.
const PATIENCE: Duration = Duration::from_secs(120);

/// Publishing before a switch and after the last stream is back.
const CALM: Duration = Duration::from_secs(2);

/// How long the last changes may take to arrive; what has not come by then counts as lost.
const DRAIN: Duration = Duration::from_secs(10);

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Streams that are open; `ulimit -n` must allow a few more.
    #[arg(long, default_value_t = 1_000)]
    streams: usize,
    /// How often streams are switched off and on again.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Seconds for which they stay off. After 13 s each reader has tried its stream once in vain.
    #[arg(long, default_value_t = 15)]
    off_s: u64,
    /// A reader without its stream polls so often, in seconds.
    #[arg(long, default_value_t = 5.0)]
    poll_every_s: f64,
    /// Changes published in a second.
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Bytes of the text inside a change.
    #[arg(long, default_value_t = 60)]
    bytes: usize,
    /// Threads that read the streams.
    #[arg(long, default_value_t = 1)]
    readers: usize,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// One time off and on.
struct Round {
    /// From the request to the last stream closed.
    closed_ms: f64,
    /// The same from its answer; negative when they were closed before.
    closed_after_answer_ms: f64,
    /// From the request to the last stream open again.
    restored_s: f64,
}

/// A figure of all rounds.
#[derive(Clone, Copy, Debug, Serialize)]
struct OfRounds {
    median: f64,
    max: f64,
}

/// What happened.
#[derive(Debug, Serialize)]
struct Figures {
    streams: usize,
    rounds: usize,
    closed_ms: OfRounds,
    closed_after_answer_ms: OfRounds,
    restored_s: OfRounds,
    /// Changes that were answered; each must reach every reader.
    published: usize,
    /// Changes times readers.
    expected: u64,
    received: u64,
    /// Of them, those that came as the answer to a poll.
    received_by_poll: u64,
    /// Changes that never came, over all readers.
    lost: u64,
    /// Changes that came again under another id, which no client can tell from new ones.
    repeated: u64,
    /// Events that came again under an id that the reader had: a good client drops them.
    duplicates: u64,
    /// Polls that were answered.
    polls: u64,
    /// Streams tried in vain while they were off.
    refused: u64,
}

/// Runs and prints.
pub async fn run(options: Options) -> Result<()> {
    let stage = Stage::set("switch", Vec::new()).await?;
    let other = stage.another_server().await?;
    let streams = options.streams as u64;
    let poll_every = Duration::from_secs_f64(options.poll_every_s);
    let access = Access { address: other.address(), token: stage.token.clone(), poll_every };
    let readers = Readers::start(&access, options.streams, options.readers)?;
    let mut readers = readers.wait("open", PATIENCE, move |progress| progress.open.load(Relaxed) == streams).await?;
    report::note(format_args!("{} streams are open at the other process", thousands(streams as f64)));
    let publishing = Publishing::begin(&stage, Pace { rate: options.rate, bytes: options.bytes }).await?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        sleep(CALM).await;
        let (back, round) = round(&stage, readers, &options, number).await?;
        report::note(format_args!("closed after {:.0} ms, restored after {:.1} s", round.closed_ms, round.restored_s));
        readers = back;
        rounds.push(round);
    }
    sleep(CALM).await;
    let published = publishing.stop().await?;
    let progress = readers.progress.clone();
    let tally = readers.drain(published.changes.len() as u64, DRAIN).await?;
    let (polls, refused) = (progress.polls.load(Relaxed), progress.refused.load(Relaxed));
    let figures = Figures { polls, refused, ..conclude(&options, &rounds, &published, &tally) };
    print(&figures);
    if options.json { report::json(&figures) } else { Ok(()) }
}

/// Switches streams off, waits for the last farewell, lets the readers poll, and switches them on again.
async fn round(stage: &Stage, readers: Readers, options: &Options, number: u64) -> Result<(Readers, Round)> {
    let streams = options.streams as u64;
    let off = switch(stage, "/api/v1/system/streams/disable").await?;
    // A stream that ends without its farewell is not among them, and the wait fails.
    let all = streams * number;
    let readers = readers.wait("closed", PATIENCE, move |progress| progress.disabled.load(Acquire) == all).await?;
    let closed_ns = readers.progress.disabled_ns.load(Relaxed);
    sleep(Duration::from_secs(options.off_s)).await;
    let on = switch(stage, "/api/v1/system/streams/enable").await?;
    let readers = readers.wait("back", PATIENCE, move |progress| progress.open.load(Acquire) == streams).await?;
    let opened_ns = readers.progress.opened_ns.load(Relaxed);
    let since = |then_ns: u64, now_ns: u64| (now_ns as f64 - then_ns as f64) / 1e6;
    let round = Round {
        closed_ms: since(off.sent_ns, closed_ns),
        closed_after_answer_ms: since(off.answered_ns, closed_ns),
        restored_s: since(on.sent_ns, opened_ns) / 1e3,
    };
    Ok((readers, round))
}

/// When the switch was thrown, in monotonic nanoseconds.
struct Thrown {
    sent_ns: u64,
    answered_ns: u64,
}

/// Throws it at the first process. The connection stands before the clock runs.
async fn switch(stage: &Stage, path: &str) -> Result<Thrown> {
    let mut connection = Connection::open(stage.address).await?;
    let request = Request::post(path, &stage.token, br#"{"reason":"A load test"}"#);
    let sent_ns = clock::now_ns();
    connection.send(request).await?.json::<serde::de::IgnoredAny>().context("throw the switch")?;
    Ok(Thrown { sent_ns, answered_ns: clock::now_ns() })
}

/// All but what only the progress tells.
fn conclude(options: &Options, rounds: &[Round], published: &Published, tally: &Tally) -> Figures {
    let of = |figure: fn(&Round) -> f64| {
        let spread = Spread::of(&rounds.iter().map(figure).collect::<Vec<_>>());
        OfRounds { median: spread.median, max: spread.high }
    };
    Figures {
        streams: options.streams,
        rounds: rounds.len(),
        closed_ms: of(|round| round.closed_ms),
        closed_after_answer_ms: of(|round| round.closed_after_answer_ms),
        restored_s: of(|round| round.restored_s),
        published: published.changes.len(),
        expected: published.changes.len() as u64 * options.streams as u64,
        received: tally.counts.received,
        received_by_poll: tally.counts.polled,
        lost: tally.lost,
        repeated: tally.counts.repeated,
        duplicates: tally.counts.duplicates,
        polls: 0,
        refused: 0,
    }
}

fn print(figures: &Figures) {
    let Figures { rounds, streams, .. } = figures;
    let title = format!("{} streams switched off and on, {rounds} times", thousands(*streams as f64));
    let mut table = Table::new(title, ["", "median", "max"]);
    let mut row = |name: &str, OfRounds { median, max }: OfRounds, digits: usize| {
        table.row([name.to_owned(), format!("{median:.digits$}"), format!("{max:.digits$}")]);
    };
    row("last stream closed, ms after the request", figures.closed_ms, 1);
    row("the same after its answer", figures.closed_after_answer_ms, 1);
    row("all streaming again, s after the request", figures.restored_s, 2);
    table.print();

    let mut table = Table::new("Over the whole", ["", ""]);
    let mut row = |name: &str, count: u64| table.row([name.to_owned(), thousands(count as f64)]);
    row("changes published", figures.published as u64);
    row("deliveries due", figures.expected);
    row("of them by polls", figures.received_by_poll);
    row("lost", figures.lost);
    row("repeated", figures.repeated);
    row("known by id and dropped", figures.duplicates);
    row("polls", figures.polls);
    row("streams tried in vain", figures.refused);
    table.print();
}
