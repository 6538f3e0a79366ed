//! A reconnect storm: the server is killed under thousands of streams and started again.
//!
//! The readers come back by themselves, as `returning` says. Changes are published all the while, each under a key until it is
//! answered. What counts is when the last stream has all that was committed up to a change made
//! after the restart, and that each of them has received each change once.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    changes::{Pace, Published, Publishing},
    http::Connection,
    incidents,
    queries::{self, Source, Statement},
    report::{self, Table, thousands},
    returning::{Access, Progress, Readers, Tally},
    stage::{Restart, Stage},
};

/// How long all streams may take to open, or to be current again.
const PATIENCE: Duration = Duration::from_secs(120);

/// Publishing before the kill and after the last stream is current.
const CALM: Duration = Duration::from_secs(3);

/// How long the last changes may take to arrive; what has not come by then counts as lost.
const DRAIN: Duration = Duration::from_secs(10);

/// What a reader waits between two polls, should the server refuse streams to protect itself.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// How a read of the log begins, in sql/queries/events_after.sql.
const LOG_READ: &str = "from events where seq >";

/// Statements that are shown.
const SHOWN: usize = 6;

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Streams that are open; `ulimit -n` must allow a few more.
    #[arg(long, default_value_t = 10_000)]
    streams: usize,
    /// Changes published in a second.
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Bytes of the text inside a change.
    #[arg(long, default_value_t = 60)]
    bytes: usize,
    /// Streams that the server opens in a second, its SIGNALBOX_STREAM_OPENS_PER_S; 0 sets no limit.
    #[arg(long, default_value_t = 2_000)]
    opens_per_s: u32,
    /// Threads that read the streams.
    #[arg(long, default_value_t = 1)]
    readers: usize,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What happened.
#[derive(Debug, Serialize)]
struct Figures {
    streams: usize,
    /// From the kill until the last stream had all up to a change made after the restart.
    current_s: f64,
    /// The same of half of the streams.
    current_p50_s: f64,
    /// Of it, until the new process listened: it waits for nobody.
    start_s: f64,
    /// Changes that were answered; each must reach every stream.
    published: usize,
    /// Requests of publishers that were sent again under the same key.
    publish_retries: u64,
    /// Changes times streams.
    expected: u64,
    received: u64,
    /// Changes that never came, over all streams.
    lost: u64,
    /// Changes that came again under another id, which no client can tell from new ones.
    repeated: u64,
    /// Events that came again under an id that the reader had: a good client drops them.
    duplicates: u64,
    /// Connections begun after the kill.
    tries: u64,
    /// Answers 503 and 429 after the kill.
    refused: u64,
    /// Statements that PostgreSQL carried out from the kill until the last stream was current,
    /// those of the start and of publishing included.
    queries: i64,
    /// Of them, reads of the log: the tail's and those of streams behind the ring.
    log_reads: i64,
    /// Who counted.
    queries_by: Source,
}

/// What was noted between the kill and the moment at which all streams were current.
struct Storm {
    restart: Restart,
    statements: Vec<Statement>,
    tries: u64,
    refused: u64,
}

/// Runs and prints.
pub async fn run(options: Options) -> Result<()> {
    let settings = vec![("SIGNALBOX_STREAM_OPENS_PER_S", options.opens_per_s.to_string())];
    let mut stage = Stage::set("storm", settings).await?;
    let streams = options.streams as u64;
    let access = Access { address: stage.address, token: stage.token.clone(), poll_every: POLL_EVERY };
    let readers = Readers::start(&access, options.streams, options.readers)?;
    let readers = readers.wait("open", PATIENCE, move |progress| progress.open.load(Relaxed) == streams).await?;
    report::note(format_args!("{} streams are open", thousands(streams as f64)));
    let publishing = Publishing::begin(&stage, Pace { rate: options.rate, bytes: options.bytes }).await?;
    sleep(CALM).await;
    let (readers, storm) = rage(&mut stage, readers, streams).await?;
    sleep(CALM).await;
    let published = publishing.stop().await?;
    let changes = published.changes.len() as u64;
    let tally = readers.drain(changes, DRAIN).await?;
    let figures = conclude(&options, &storm, &published, &tally, stage.queries.source())?;
    print(&figures, &storm);
    if options.json { report::json(&figures) } else { Ok(()) }
}

/// Kills the server, starts it again, and waits until all streams are current.
async fn rage(stage: &mut Stage, readers: Readers, streams: u64) -> Result<(Readers, Storm)> {
    let before = stage.queries.count().await?;
    let counted = |progress: &Progress| (progress.tries.load(Relaxed), progress.refused.load(Relaxed));
    let (tries, refused) = counted(&readers.progress);
    let restart = stage.restart().await?;
    report::note(format_args!("killed; the new process listens {:.2} s after its start", restart.start.as_secs_f64()));
    readers.progress.target.store(change_something(stage).await?, Relaxed);
    let readers = readers.wait("current", PATIENCE, move |progress| progress.current.load(Relaxed) == streams).await?;
    let statements = stage.queries.count().await?.since(&before);
    let (tries_now, refused_now) = counted(&readers.progress);
    Ok((readers, Storm { restart, statements, tries: tries_now - tries, refused: refused_now - refused }))
}

/// A change of the scenario's own; its position is one that nobody could have had before.
async fn change_something(stage: &Stage) -> Result<u64> {
    let mut connection = Connection::open(stage.address).await?;
    let reported = incidents::report(&mut connection, &stage.token, "After the restart", "P4").await;
    Ok(reported.context("the server took no change after its restart")?.seq)
}

fn conclude(
    options: &Options,
    storm: &Storm,
    published: &Published,
    tally: &Tally,
    queries_by: Source,
) -> Result<Figures> {
    let since_kill = |at: &Instant| at.duration_since(storm.restart.killed).as_secs_f64();
    let reads = |statement: &&Statement| statement.query.contains(LOG_READ);
    Ok(Figures {
        streams: options.streams,
        current_s: tally.current_at.last().map(since_kill).context("a stream")?,
        current_p50_s: tally.current_at.get(tally.current_at.len() / 2).map(since_kill).context("a stream")?,
        start_s: storm.restart.start.as_secs_f64(),
        published: published.changes.len(),
        publish_retries: published.retries,
        expected: published.changes.len() as u64 * options.streams as u64,
        received: tally.counts.received,
        lost: tally.lost,
        repeated: tally.counts.repeated,
        duplicates: tally.counts.duplicates,
        tries: storm.tries,
        refused: storm.refused,
        queries: queries::total(&storm.statements),
        log_reads: storm.statements.iter().filter(reads).map(|statement| statement.calls).sum(),
        queries_by,
    })
}

fn print(figures: &Figures, storm: &Storm) {
    let title = format!("A reconnect storm of {} streams", thousands(figures.streams as f64));
    let count = |number: u64| thousands(number as f64);
    let mut table = Table::new(title, ["", ""]);
    let mut row = |name: &str, figure: String| table.row([name.to_owned(), figure]);
    row("all streams current, s after the kill", format!("{:.2}", figures.current_s));
    row("half of them", format!("{:.2}", figures.current_p50_s));
    row("start of the new process, s", format!("{:.2}", figures.start_s));
    row("connections begun", count(figures.tries));
    row("of them refused by 503 or 429", count(figures.refused));
    row("changes published", count(figures.published as u64));
    row("deliveries due", count(figures.expected));
    row("lost", count(figures.lost));
    row("repeated", count(figures.repeated));
    row("known by id and dropped", count(figures.duplicates));
    row("database queries", count(figures.queries.unsigned_abs()));
    row("of them reads of the log", count(figures.log_reads.unsigned_abs()));
    table.print();

    let mut table = Table::new("Queries from the kill until all were current", ["statement", "calls"]);
    for Statement { query, calls, .. } in storm.statements.iter().take(SHOWN) {
        table.row([query.clone(), thousands(*calls as f64)]);
    }
    table.print();
}
