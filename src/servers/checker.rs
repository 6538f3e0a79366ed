//! Goes round: lets maintenance begin and end, tests what is due, and says when a status changes.
//!
//! Every process runs one. What is due is taken in the database, a row each, so that of any number of processes
//! exactly one tests a server; whatever a process takes with it when it dies comes back ten seconds after its test should
//! have ended.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::types::Json;

use super::connection::{Finding, test};
use super::write;
use crate::domain::server::{Command, Server, Status, decide};
use crate::egress::Egress;
use crate::log::{AppendError, Appender, Cause, Command as Append, Event, Outcome};
use crate::postgres::{Database, QueryError};

/// Tests at once in one process: each holds a socket and a few KiB.
const TESTS_AT_ONCE: usize = 64;
/// The same for tests on demand.
const TESTS_ON_DEMAND: usize = 16;
/// A failed test that is forgiven is repeated after this time.
const RETRY_S: f64 = 10.0;
/// Longest time without a look, should every bell be lost.
const MOST_WAIT: Duration = Duration::from_secs(5);
/// Between two looks: a storm of changes costs twenty a second, not one each.
const LEAST_WAIT: Duration = Duration::from_millis(50);
/// While the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// A stream that moves on while a change is decided makes it decide anew, so many times.
const ATTEMPTS: usize = 8;
/// Behind a window's edge, since the clocks of the machines differ.
const EDGE_S: f64 = 0.05;

/// What a process needs to go round.
#[derive(Clone)]
pub struct Checker {
    database: Database,
    appender: Appender,
    egress: Egress,
    turns: Arc<Semaphore>,
    /// For people, apart from the round: neither waits for the other.
    on_demand: Arc<Semaphore>,
    bell: Arc<Notify>,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum NotRecorded {
    #[error("{0}")]
    Query(#[from] QueryError),
    #[error("{0}")]
    Append(#[from] AppendError),
    #[error("the server changes too fast")]
    Busy,
}

impl Checker {
    /// On this database, within this guard.
    pub fn new(database: Database, appender: Appender, egress: Egress) -> Checker {
        let turns = Arc::new(Semaphore::new(TESTS_AT_ONCE));
        let on_demand = Arc::new(Semaphore::new(TESTS_ON_DEMAND));
        Checker { database, appender, egress, turns, on_demand, bell: Arc::default() }
    }

    /// A turn for a test on demand; `None` when as many as may are under way.
    pub fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.on_demand.clone().try_acquire_owned().ok()
    }

    /// Looks again at once when something happened to a server.
    pub fn notice(&self, events: &[Event]) {
        if events.iter().any(|event| event.stream.starts_with("server/")) {
            self.bell.notify_one();
        }
    }

    /// Never ends. Dropped, its tests end with it and come due elsewhere.
    pub async fn run(self) {
        let mut tests = JoinSet::new();
        loop {
            while tests.try_join_next().is_some() {} // they have said in the log how they ended
            let wait = self.round(&mut tests).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "servers are not tested for now");
                PAUSE
            });
            let _ = timeout(wait, self.bell.notified()).await; // the bell, or the time
            sleep(LEAST_WAIT).await;
        }
    }

    /// Takes what is due and begins its tests; gives how long nothing is.
    async fn round(&self, tests: &mut JoinSet<()>) -> Result<Duration, QueryError> {
        let free = self.turns.available_permits();
        let due = include_str!("../../sql/queries/servers_due.sql");
        let rows = if free == 0 { Vec::new() } else { self.database.query(due, &[&(free as i64)]).await? };
        for row in &rows {
            let (Json(server), failures) = (row.try_get::<_, Json<Server>>("state")?, row.try_get("failures")?);
            let Ok(turn) = self.turns.clone().acquire_owned().await else { break };
            let checker = self.clone();
            tests.spawn(async move {
                checker.look_at(server, failures).await;
                drop(turn);
            });
        }
        let row = self.database.query_one(include_str!("../../sql/queries/servers_next.sql"), &[]).await?;
        let wait_s = row.try_get::<_, Option<f64>>("wait_s")?.unwrap_or(f64::MAX);
        Ok(Duration::try_from_secs_f64(wait_s.max(0.0)).map_or(MOST_WAIT, |wait| wait.min(MOST_WAIT)))
    }

    async fn look_at(&self, server: Server, failures: i32) {
        let id = server.id;
        if let Err(error) = self.try_look_at(server, failures).await {
            tracing::warn!(%error, server = %id, "not looked at; it comes due again within a minute");
        }
    }

    /// One server: first the windows, then a test unless it needs none, then when to come again.
    async fn try_look_at(&self, server: Server, failures: i32) -> Result<(), NotRecorded> {
        let server = self.change(server, &Command::KeepTime, |_server| true).await?;
        if server.deleted || !server.check.enabled || server.status == Status::Maintenance {
            let next_s = window_edge_s(&server);
            return Ok(self.come_again(&server, None, 0, next_s).await?);
        }
        let finding = test(&self.egress, &server).await;
        let failures = if finding.answers { 0 } else { failures.saturating_add(1) };
        let forgiven = !finding.answers && i64::from(failures) <= i64::from(server.check.retries);
        let interval_s = f64::from(server.check.interval_s);
        // One that is down already is asked in its own time.
        let next_s = if forgiven && server.status != Status::Down { RETRY_S.min(interval_s) } else { interval_s };
        let server = if forgiven { server } else { self.settle(server, &finding).await? };
        let next_s = window_edge_s(&server).map_or(next_s, |edge_s| edge_s.min(next_s));
        Ok(self.come_again(&server, Some(&finding), failures, Some(next_s)).await?)
    }

    /// Lets a test decide, unless what was tested is not what the server is by now.
    async fn settle(&self, tested: Server, finding: &Finding) -> Result<Server, NotRecorded> {
        let target = |server: &Server| (server.host.clone(), server.port, server.check.method);
        let was = target(&tested);
        let observed = Command::Observe { answers: finding.answers, message: finding.message.clone() };
        self.change(tested, &observed, |server| target(server) == was).await
    }

    /// Decides and appends; decides anew when somebody else came first. Gives the server after it.
    async fn change(
        &self,
        mut server: Server,
        command: &Command,
        holds: impl Fn(&Server) -> bool,
    ) -> Result<Server, NotRecorded> {
        for _ in 0..ATTEMPTS {
            if !holds(&server) {
                return Ok(server);
            }
            let now = OffsetDateTime::now_utc();
            // A deleted server refuses: then there is nothing to say of it.
            let events = decide(Some(&server), command, now).unwrap_or_default();
            if events.is_empty() {
                return Ok(server);
            }
            let cause = Cause::system("checker");
            let (written, state, after) = write(Some(&server), server.id, &events, &cause, now);
            let append = Append { cause, writes: vec![written], states: vec![state], idempotency: None };
            if let Outcome::Appended(_) = self.appender.append(append).await? {
                return Ok(after);
            }
            let (_, found) = super::show(&self.database, Some(server.id), None).await?;
            server = found.ok_or(NotRecorded::Busy)?;
        }
        Err(NotRecorded::Busy)
    }

    /// Keeps what was measured, and says when it is due again; `None`: not before it changes.
    async fn come_again(
        &self,
        server: &Server,
        finding: Option<&Finding>,
        failures: i32,
        next_s: Option<f64>,
    ) -> Result<(), QueryError> {
        let (measured, answered) = (finding.is_some(), finding.is_some_and(|finding| finding.answers));
        let connect_us = finding.and_then(Finding::connect_us);
        let handshake_us = finding.and_then(Finding::handshake_us);
        self.database
            .query(
                include_str!("../../sql/queries/server_looked_at.sql"),
                &[&server.id, &server.version, &next_s, &failures, &measured, &answered, &connect_us, &handshake_us],
            )
            .await
            .map(|_none| ())
    }
}

/// Seconds until a window begins or ends.
fn window_edge_s(server: &Server) -> Option<f64> {
    let now = OffsetDateTime::now_utc();
    let edges = server.maintenance.iter().flat_map(|window| [window.starts_at, window.ends_at]);
    let next = edges.filter(|edge| *edge > now).min()?;
    (!server.deleted).then(|| (next - now).as_seconds_f64() + EDGE_S)
}
