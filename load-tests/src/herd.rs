//! Many users ask for the same dashboard in the same moment, just after a change made the kept answer old.
//!
//! The queries are counted by PostgreSQL. What else goes on in such a window is counted before in one
//! like it in which nobody asks; statements seen there are not the herd's.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Barrier,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    http::{Connection, Request},
    incidents,
    queries::{self, Source, Statement},
    report::{self, Table, thousands},
    stage::Stage,
};

/// What everybody asks for.
const DASHBOARD: &str = "/api/v1/dashboard/stats";

/// Incidents to count.
const INCIDENTS: usize = 500;

/// How long a user waits for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Before and after a window, for what belongs to the one before: longer than the server keeps an
/// answer without a change, 5 s, and than PostgreSQL takes to show what it counted.
const SETTLE: Duration = Duration::from_secs(6);

/// Between the last answer and the change: no answer so old may be shown once the change is known, and none
/// so young is too old by itself.
const KEPT: Duration = Duration::from_secs(2);

/// Statements that are shown.
const SHOWN: usize = 5;

/// How to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Users, a connection each; without it, 50 and then 1,000.
    #[arg(long)]
    users: Option<usize>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What one herd did.
#[derive(Debug, Serialize)]
struct Figures {
    users: usize,
    requests: usize,
    /// Calls of statements that do not occur while nobody asks.
    queries: i64,
    queries_by: Source,
    /// Answers from before the change.
    stale: usize,
    /// From the barrier to the middle answer and to the last.
    p50_ms: f64,
    max_ms: f64,
    /// The statements.
    statements: Vec<Statement>,
}

/// The last line of a run.
#[derive(Debug, Serialize)]
struct Line {
    herds: Vec<Figures>,
    /// Of the largest herd.
    #[serde(flatten)]
    largest: Largest,
}

#[derive(Debug, Serialize)]
struct Largest {
    users: usize,
    requests: usize,
    queries: i64,
}

/// Runs and prints.
pub async fn run(options: Options) -> Result<()> {
    let stage = Stage::set("herd", Vec::new()).await?;
    let mut connection = Connection::open(stage.address).await?;
    require_dashboard(&stage, &mut connection).await?;
    stage.report_incidents(INCIDENTS).await?;
    let mut herds = Vec::new();
    for users in options.users.map_or(vec![50, 1_000], |users| vec![users]) {
        herds.push(herd(&stage, &mut connection, users).await?);
    }
    print(&herds);
    let largest = herds.last().context("a herd")?;
    let largest = Largest { users: largest.users, requests: largest.requests, queries: largest.queries };
    if options.json { report::json(&Line { herds, largest }) } else { Ok(()) }
}

/// Fails with a clear message where the server has no dashboard.
async fn require_dashboard(stage: &Stage, connection: &mut Connection) -> Result<()> {
    let reply = connection.send(get(&stage.token)).await?;
    if reply.head.status != 200 {
        bail!("this server has no GET {DASHBOARD}: it answered {}", reply.head.status);
    }
    Ok(())
}

fn get(token: &str) -> Request<'_> {
    Request::get(DASHBOARD, token)
}

async fn herd(stage: &Stage, connection: &mut Connection, users: usize) -> Result<Figures> {
    // Nobody asks: what a change costs by itself.
    connection.send(get(&stage.token)).await?;
    sleep(SETTLE).await;
    let before = stage.queries.count().await?;
    change(stage, connection).await?;
    sleep(SETTLE).await;
    let quiet = stage.queries.count().await?.since(&before);

    // Not before: the server closes connections that rest for 10 s.
    let barrier = Arc::new(Barrier::new(users + 1));
    let mut asking = JoinSet::new();
    for _ in 0..users {
        let connection = Connection::open(stage.address).await?;
        asking.spawn(ask(connection, stage.token.clone(), barrier.clone()));
    }

    // A kept answer, a change, and all at once.
    connection.send(get(&stage.token)).await?;
    sleep(KEPT).await;
    let before = stage.queries.count().await?;
    let changed = change(stage, connection).await?;
    barrier.wait().await;
    let mut answers = Vec::with_capacity(users);
    while let Some(answer) = asking.join_next().await {
        answers.push(answer.context("a user panicked")??);
    }
    sleep(SETTLE).await;
    let asked = stage.queries.count().await?.since(&before);

    let statements = match stage.queries.source() {
        Source::Statements => queries::without(&asked, &quiet),
        // One number for all: what is more than without the herd.
        Source::Transactions => asked,
    };
    let background = if stage.queries.source() == Source::Transactions { queries::total(&quiet) } else { 0 };
    answers.sort_by_key(|answer| answer.took);
    let at_ms = |index: usize| answers.get(index).map_or(0.0, |answer| answer.took.as_secs_f64() * 1e3);
    Ok(Figures {
        users,
        requests: answers.len(),
        queries: queries::total(&statements) - background,
        queries_by: stage.queries.source(),
        stale: answers.iter().filter(|answer| answer.seq < changed).count(),
        p50_ms: at_ms(answers.len() / 2),
        max_ms: at_ms(answers.len().saturating_sub(1)),
        statements,
    })
}

/// Reports one more incident, and waits until this process has heard of it: the kept answer is old now.
async fn change(stage: &Stage, connection: &mut Connection) -> Result<u64> {
    #[derive(Deserialize)]
    struct Page {
        next: Option<u64>,
    }
    let seq = incidents::report(connection, &stage.token, "One more", "P1").await?.seq;
    let path = format!("/api/v1/events?after={}&wait=5", seq - 1);
    let page: Page = connection.send(Request::get(&path, &stage.token)).await?.json()?;
    if page.next < Some(seq) {
        bail!("the server has not heard of its own change within 5 s");
    }
    Ok(seq)
}

/// What one user got.
struct Answer {
    seq: u64,
    took: Duration,
}

async fn ask(mut connection: Connection, token: String, barrier: Arc<Barrier>) -> Result<Answer> {
    barrier.wait().await;
    let begin = Instant::now();
    let reply = timeout(ANSWER, connection.send(get(&token))).await.context("no answer")??;
    if reply.head.status != 200 {
        bail!("status {}: {}", reply.head.status, String::from_utf8_lossy(reply.body));
    }
    let seq = reply.head.seq.context("an answer without Signalbox-Seq")?;
    Ok(Answer { seq, took: begin.elapsed() })
}

fn print(herds: &[Figures]) {
    let heads = ["users", "requests", "queries", "stale answers", "p50 ms", "max ms"];
    let mut table = Table::new(format!("GET {DASHBOARD}, all at once after a change"), heads);
    for herd in herds {
        table.row([
            thousands(herd.users as f64),
            thousands(herd.requests as f64),
            herd.queries.to_string(),
            herd.stale.to_string(),
            format!("{:.1}", herd.p50_ms),
            format!("{:.1}", herd.max_ms),
        ]);
    }
    table.print();
    for Statement { query, calls, .. } in herds.iter().flat_map(|herd| herd.statements.iter().take(SHOWN)) {
        report::note(format_args!("{calls} times: {query}"));
    }
}
