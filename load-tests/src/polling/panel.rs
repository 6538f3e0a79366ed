//! An operations panel: what it shows, and one that polls for it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    http::{Connection, Request},
};

/// What a panel shows: the newest incidents first, since their age is measured, then the lists that its
/// tabs and tiles are made of, then the statistics.
const RESOURCES: [&str; 10] = [
    "/api/v1/incidents?order=-updated_at",
    "/api/v1/incidents?status=triggered&limit=20",
    "/api/v1/incidents?status=acknowledged&limit=20",
    "/api/v1/incidents?status=investigating&limit=20",
    "/api/v1/incidents?severity=P0&limit=20",
    "/api/v1/incidents?severity=P1&limit=20",
    "/api/v1/incidents?assignee=admin&limit=20",
    "/api/v1/incidents?assignee=&limit=20",
    "/api/v1/incidents?order=severity&limit=20",
    STATISTICS,
];

/// The one resource that events alone do not keep current.
const STATISTICS: &str = "/api/v1/incidents/stats";

/// Instead of the statistics, where the server has none yet.
const ANOTHER_LIST: &str = "/api/v1/incidents?order=-created_at&limit=20";

/// Longer than any answer under load.
const ANSWER: Duration = Duration::from_secs(60);

/// A connection that has rested for longer is not used again: the server closes it after 10 s.
const MOST_REST: Duration = Duration::from_secs(8);

/// What a panel asks for, and how often.
#[derive(Clone, Debug)]
pub(super) struct Habit {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    /// In this order, over one connection.
    pub(super) resources: Arc<[&'static str]>,
    /// From one round to the next.
    pub(super) every: Duration,
}

/// An answer that showed what is new.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// All up to here is in it.
    pub(super) seq: u64,
    /// Monotonic nanoseconds at which it was read.
    pub(super) at_ns: u64,
}

/// What one panel did.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Requests answered.
    pub(super) requests: u64,
    /// Answers of the first resource.
    pub(super) news: Vec<News>,
}

/// All that a panel shows, on this server, and whether statistics are among it.
pub(super) async fn resources(address: SocketAddr, token: &str) -> Result<(Vec<&'static str>, bool)> {
    let mut connection = Connection::open(address).await?;
    let has_statistics = ask(&mut connection, token, STATISTICS).await.is_ok();
    let instead = |path| if path == STATISTICS && !has_statistics { ANOTHER_LIST } else { path };
    Ok((RESOURCES.into_iter().map(instead).collect(), has_statistics))
}

/// What a panel on streams still asks for now and then.
pub(super) fn not_in_events(resources: &[&'static str]) -> Vec<&'static str> {
    resources.last().copied().into_iter().collect()
}

/// Polls until it is stopped. A round that takes longer than the interval is followed by the next at once.
pub(super) async fn poll(habit: Habit, first: Duration, stop: CancellationToken) -> Result<Asked> {
    let mut connection = Connection::open(habit.address).await?;
    let mut asked = Asked::default();
    let mut rests_since = Instant::now();
    let mut due = rests_since + first;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(asked),
            () = sleep_until(due) => {}
        }
        if rests_since.elapsed() > MOST_REST {
            connection = Connection::open(habit.address).await?;
        }
        for (index, path) in habit.resources.iter().enumerate() {
            if stop.is_cancelled() {
                return Ok(asked);
            }
            let seq = ask(&mut connection, &habit.token, path).await?;
            asked.requests += 1;
            if index == 0 {
                asked.news.push(News { seq, at_ns: clock::now_ns() });
            }
        }
        rests_since = Instant::now();
        due = rests_since.max(due + habit.every);
    }
}

/// One answer's position.
async fn ask(connection: &mut Connection, token: &str, path: &str) -> Result<u64> {
    let reply = timeout(ANSWER, connection.send(Request::get(path, token))).await.context("no answer")??;
    if reply.head.status != 200 {
        bail!("GET {path}: status {}: {}", reply.head.status, String::from_utf8_lossy(reply.body));
    }
    reply.head.seq.context("an answer without Signalbox-Seq")
}
