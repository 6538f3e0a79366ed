//! The append queue: one task, one connection, one transaction for all commands that wait.
//!
//! While a batch commits, the next one gathers, so batches grow with the load and no timer is needed.
//! Several processes are safe: the row lock on `log_head` orders their batches.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::batch::{Columns, Prepared};
use super::{AppendError, Appended, Command, Outcome, StoredReply};
use crate::postgres::{Direct, Session, explain};

/// Parameters in the order of `Columns::parameters`.
const CALL: &str = "select * from append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
                    $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)";

/// Commands that may wait. At 10,000 events/s a full queue is 0.4 s of work; more would only be answered late.
pub const QUEUE_COMMANDS: usize = 4_096;
/// Events in one batch: bounds the time for which `log_head` stays locked to some 20 ms.
const BATCH_EVENTS: usize = 1_024;
/// Bytes of data, state and replies in one batch.
const BATCH_BYTES: usize = 4 << 20;
/// How long a caller waits for an outcome before it is told that it is unknown.
const OUTCOME_WAIT: Duration = Duration::from_secs(10);
/// How long one batch may take in the database; the server's own statement timeout is shorter.
const BATCH_WAIT: Duration = Duration::from_secs(8);
/// How long a batch waits for a connection before its callers are told that nothing was written.
const OPEN_WAIT: Duration = Duration::from_secs(2);
/// For one such connection, earlier ones ended included: even a server that was halted answers or is given up.
const OPEN_TRY: Duration = Duration::from_secs(5);
/// Between two tries to connect; doubled up to the second.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LAST: Duration = Duration::from_secs(1);
/// How long a batch whose outcome is unknown is looked for before its callers are told so.
const RESOLVE_WAIT: Duration = Duration::from_secs(30);

/// Appends commands to the log. Cheap to clone; all clones share one queue.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Pending>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    commands: AtomicU64,
    failed: AtomicU64,
}

struct Pending {
    prepared: Prepared,
    reply: oneshot::Sender<Result<Outcome, AppendError>>,
}

impl Appender {
    /// Starts the appender's task. It ends when the last clone is dropped and the queue is written.
    ///
    /// `appended` is rung after each batch, so that this process's tail need not wait for the NOTIFY.
    pub fn start(database: Direct, appended: Arc<Notify>) -> Appender {
        let (queue, commands) = mpsc::channel(QUEUE_COMMANDS);
        tokio::spawn(Writer::new(database, appended).run(commands));
        Appender { queue, counts: Arc::default() }
    }

    /// Appends one command's events, all or none.
    ///
    /// Returns the outcome, not an error, when a stream has moved on or the key was seen before.
    ///
    /// # Guarantees
    /// `seq` increases in commit order without gaps; an acknowledged event is durable and never changes.
    /// Of commands that expect the same version of a stream, one wins.
    ///
    /// # Errors
    /// [`AppendError`] says of each case whether something may have been written.
    ///
    /// # Cancellation
    /// Dropped before the reply, the append goes on: outcome unknown; the idempotency key tells.
    pub async fn append(&self, command: Command) -> Result<Outcome, AppendError> {
        let outcome = self.enqueue(Prepared::new(command)?).await;
        self.counts.commands.fetch_add(1, Ordering::Relaxed);
        // A command that PostgreSQL refuses says nothing of the database's health.
        if !matches!(outcome, Ok(_) | Err(AppendError::Refused { .. })) {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    async fn enqueue(&self, prepared: Prepared) -> Result<Outcome, AppendError> {
        let (reply, outcome) = oneshot::channel();
        self.queue.try_send(Pending { prepared, reply }).map_err(|_full_or_stopped| AppendError::Overloaded)?;
        match timeout(OUTCOME_WAIT, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_stopped)) => Err(AppendError::Unknown),
            Err(_elapsed) => Err(AppendError::Unknown),
        }
    }

    /// Commands since the start, and those of them that got no outcome.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.commands.load(Ordering::Relaxed), self.counts.failed.load(Ordering::Relaxed))
    }

    /// Commands that wait now, of [`QUEUE_COMMANDS`].
    pub fn waiting(&self) -> usize {
        QUEUE_COMMANDS - self.queue.capacity()
    }
}

/// The task behind the queue.
struct Writer {
    database: Direct,
    appended: Arc<Notify>,
    session: Option<Session>,
    /// Names this writer's sessions, so that a lost one can be found and ended.
    application: String,
    /// The last head this writer saw: its next events are behind it. `None` before the first connection.
    head: Option<i64>,
    /// Commands whose stream or key was already in the batch before.
    held: VecDeque<Pending>,
}

/// Why a batch was not written as it stands.
enum Failure {
    /// The connection broke; the batch may be committed.
    Lost,
    /// PostgreSQL refused the statement and rolled back.
    Refused(AppendError),
}

impl Writer {
    fn new(database: Direct, appended: Arc<Notify>) -> Writer {
        let application = format!("signalbox-append-{}", Uuid::new_v4().simple());
        Writer { database, appended, session: None, application, head: None, held: VecDeque::new() }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Pending>) {
        loop {
            let first = match self.held.pop_front() {
                Some(held) => held,
                None => match commands.recv().await {
                    Some(command) => command,
                    None => return,
                },
            };
            let batch = self.gather(first, &mut commands);
            self.write(batch).await;
            self.appended.notify_one();
        }
    }

    /// All that waits, up to the limits, each stream and each key once.
    fn gather(&mut self, first: Pending, commands: &mut mpsc::Receiver<Pending>) -> Vec<Pending> {
        let mut seen = HashSet::new();
        let (mut events, mut bytes) = (0, 0);
        let mut batch = Vec::new();
        let mut held = VecDeque::new();
        let mut next = Some(first);
        while let Some(pending) = next {
            let names = names(&pending.prepared.command);
            // A held command's names count as seen too: commands of one stream keep their order.
            let repeated = names.iter().any(|name| seen.contains(name));
            seen.extend(names);
            if repeated {
                held.push_back(pending);
            } else {
                events += pending.prepared.len();
                bytes += pending.prepared.bytes;
                batch.push(pending);
            }
            if events >= BATCH_EVENTS || bytes >= BATCH_BYTES || held.len() >= BATCH_EVENTS {
                break;
            }
            next = self.held.pop_front().or_else(|| commands.try_recv().ok());
        }
        held.append(&mut self.held);
        self.held = held;
        batch
    }

    /// Writes a batch. If PostgreSQL refuses it, halves are tried until the guilty command stands alone.
    async fn write(&mut self, batch: Vec<Pending>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.execute(&part).await {
                Ok(outcomes) => {
                    for (pending, outcome) in part.into_iter().zip(outcomes) {
                        // A caller that left does not matter: its events are in the log.
                        let _ = pending.reply.send(Ok(outcome));
                    }
                }
                Err(Failure::Refused(error @ AppendError::Refused { .. })) if part.len() > 1 => {
                    tracing::warn!(%error, commands = part.len(), "batch refused, looking for the command");
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Err(Failure::Refused(error)) => {
                    tracing::warn!(%error, commands = part.len(), "append refused");
                    answer_all(part, &error);
                }
                Err(Failure::Lost) => {
                    let missing = self.resolve(part).await;
                    if !missing.is_empty() {
                        parts.push(missing);
                    }
                }
            }
        }
    }

    async fn execute(&mut self, batch: &[Pending]) -> Result<Vec<Outcome>, Failure> {
        if self.session.is_none() {
            let opened = self.reopen(OPEN_WAIT).await;
            self.session = Some(opened.map_err(Failure::Refused)?);
        }
        let Some(session) = &self.session else { return Err(Failure::Lost) };
        let columns = Columns::of(batch.iter().map(|pending| &pending.prepared));
        let answer = timeout(BATCH_WAIT, session.client.query(&session.statement, &columns.parameters())).await;
        match answer {
            Ok(Ok(rows)) => Ok(self.outcomes(batch, &rows)),
            Ok(Err(error)) => match refusal(&error) {
                Some(refused) => {
                    if matches!(refused, AppendError::Unavailable(_)) {
                        self.session = None; // it may lead to a server that only reads by now
                    }
                    Err(Failure::Refused(refused))
                }
                None => Err(self.lost(&error)),
            },
            Err(elapsed) => Err(self.lost(&elapsed)),
        }
    }

    fn lost(&mut self, error: &dyn std::fmt::Display) -> Failure {
        tracing::warn!(%error, "append connection lost; looking whether the batch was committed");
        self.session = None;
        Failure::Lost
    }

    /// A session, however often it takes within this time.
    async fn reopen(&mut self, wait: Duration) -> Result<Session, AppendError> {
        let deadline = Instant::now() + wait;
        let mut pause = PAUSE_FIRST;
        loop {
            let opened = timeout(OPEN_TRY, self.open()).await;
            match opened.unwrap_or_else(|elapsed| Err(AppendError::Unavailable(elapsed.to_string()))) {
                Err(_) if Instant::now() + pause < deadline => sleep(pause).await,
                opened => return opened,
            }
            pause = (pause * 2).min(PAUSE_LAST);
        }
    }

    /// A session of this writer, after every earlier one has ended: none can commit behind our back.
    async fn open(&mut self) -> Result<Session, AppendError> {
        let unavailable = |error: &dyn std::fmt::Display| AppendError::Unavailable(error.to_string());
        let session = self.database.session(&self.application, CALL).await.map_err(|error| unavailable(&error))?;
        session.end_others(&self.application).await.map_err(|error| unavailable(&error))?;
        if self.head.is_none() {
            let row = session.client.query_one(include_str!("../../sql/queries/log_head.sql"), &[]).await;
            self.head = Some(row.map_err(|error| unavailable(&explain(&error)))?.get("seq"));
        }
        Ok(session)
    }

    fn outcomes(&mut self, batch: &[Pending], rows: &[tokio_postgres::Row]) -> Vec<Outcome> {
        let (mut seq, mut recorded_at) = (0, time::OffsetDateTime::UNIX_EPOCH);
        let mut refused: Vec<Option<Outcome>> = batch.iter().map(|_| None).collect();
        for row in rows {
            let command = row.get::<_, Option<i32>>("command").map(|number| number as usize);
            match (row.get("outcome"), command) {
                ("duplicate", Some(command)) => {
                    let reply: tokio_postgres::types::Json<_> = row.get("reply");
                    refused[command] = Some(Outcome::Duplicate(StoredReply {
                        body_hash: row.get("body_hash"),
                        reply: reply.0,
                        seq: row.get("seq"),
                    }));
                }
                // A key seen before tells more than a stream that moved on: it was moved by that very command.
                ("conflict", Some(command)) if refused[command].is_none() => {
                    refused[command] =
                        Some(Outcome::Conflict { stream: row.get("stream"), actual: row.get("version") });
                }
                ("head", _) => (seq, recorded_at) = (row.get("seq"), row.get("recorded_at")),
                _ => {}
            }
        }
        let outcomes = batch.iter().zip(refused).map(|(pending, refused)| {
            refused.unwrap_or_else(|| {
                let first_seq = seq + 1;
                seq += pending.prepared.len() as i64;
                Outcome::Appended(Appended { first_seq, last_seq: seq, recorded_at })
            })
        });
        let outcomes = outcomes.collect();
        self.head = Some(seq);
        outcomes
    }

    /// Finds out on a new connection which commands of a lost batch are in the log, and answers those.
    /// Gives back the others, which are certainly not.
    async fn resolve(&mut self, batch: Vec<Pending>) -> Vec<Pending> {
        let found = match self.find(&batch).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, commands = batch.len(), "outcome of a batch stays unknown");
                answer_all(batch, &AppendError::Unknown);
                return Vec::new();
            }
        };
        let mut missing = Vec::new();
        for (pending, found) in batch.into_iter().zip(found) {
            match found {
                Some(appended) => drop(pending.reply.send(Ok(Outcome::Appended(appended)))),
                None => missing.push(pending),
            }
        }
        missing
    }

    /// Where each command's events are in the log; as often as it takes within [`RESOLVE_WAIT`].
    async fn find(&mut self, batch: &[Pending]) -> Result<Vec<Option<Appended>>, AppendError> {
        let deadline = Instant::now() + RESOLVE_WAIT;
        let ids: Vec<Uuid> = batch.iter().filter_map(|pending| pending.prepared.ids().next()).collect();
        let rows = loop {
            let session = self.reopen(deadline.saturating_duration_since(Instant::now())).await?;
            let sql = include_str!("../../sql/queries/events_find.sql");
            match timeout(OPEN_TRY, session.client.query(sql, &[&self.head, &ids])).await {
                Ok(Ok(rows)) => {
                    self.session = Some(session);
                    break rows;
                }
                failed if Instant::now() > deadline => {
                    return Err(AppendError::Unavailable(format!("looking for a batch: {failed:?}")));
                }
                failed => tracing::debug!(?failed, "looking for the batch again"),
            }
        };
        let found = |pending: &Pending| {
            let id = pending.prepared.ids().next();
            let row = rows.iter().find(|row| Some(row.get::<_, Uuid>("id")) == id)?;
            let first_seq = row.get("seq");
            let last_seq = first_seq + pending.prepared.len() as i64 - 1;
            Some(Appended { first_seq, last_seq, recorded_at: row.get("recorded_at") })
        };
        Ok(batch.iter().map(found).collect())
    }
}

fn answer_all(batch: Vec<Pending>, error: &AppendError) {
    for pending in batch {
        let _ = pending.reply.send(Err(error.clone()));
    }
}

/// What may appear only once in a batch: versions and keys are checked before any of it is written.
fn names(command: &Command) -> Vec<String> {
    let streams = command.writes.iter().map(|write| write.stream.clone());
    let key = command.idempotency.as_ref().map(|key| key.id().to_string());
    streams.chain(key).collect()
}

/// An error after which the transaction is certainly rolled back; `None` when that is not certain.
fn refusal(error: &tokio_postgres::Error) -> Option<AppendError> {
    let refused = error.as_db_error()?;
    let code = refused.code();
    match code.code().get(..2) {
        // The session was ended from outside, or the server goes down: COMMIT may have been under way.
        Some("57") if *code != SqlState::QUERY_CANCELED => None,
        Some("08" | "XX") => None,
        // No space, no memory, no connections; a lock or the statement took too long.
        Some("53" | "55" | "57" | "40" | "58" | "25") => Some(AppendError::Unavailable(refused.to_string())),
        _ => Some(AppendError::Refused {
            sqlstate: code.code().to_owned(),
            constraint: refused.constraint().map(str::to_owned),
            message: refused.to_string(),
        }),
    }
}
