//! The one task of a process that tells the others what it has open, and asks for places.
//!
//! While a batch is on its way, the next one gathers, so that a storm of streams costs few queries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Counts, Place, Refused};
use crate::postgres::{ConnectError, Direct, EndError, Session, explain};

/// Parameters in the order of `Batch`.
const TAKE: &str = "select user_id, granted, open from places_take($1, $2, $3, $4, $5)";
const REGISTER: &str = "select places_register($1, $2, $3)";
/// PostgreSQL notices within 19 s that this machine is gone; by itself it would take two hours.
const NOTICE_DEATH: &str =
    "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 3; set tcp_keepalives_count = 3";

/// Takes in one batch, and users whose counts are told: bounds the time for which the places of all are locked to
/// some 10 ms. 10,000 streams that come back at once are ten batches.
const BATCH: usize = 1_024;
/// Behind each batch, for the next one to gather: at most 50 queries/s, and 20 ms for a stream that comes in between.
const GATHER: Duration = Duration::from_millis(20);
/// How long one batch may take; the server's own statement timeout is shorter.
const BATCH_WAIT: Duration = Duration::from_secs(8);
/// For a session, an earlier one ended included.
const OPEN_WAIT: Duration = Duration::from_secs(8);
/// Between two tries to connect, with jitter; doubled up to the second.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LAST: Duration = Duration::from_secs(2);

pub(super) struct Keeper {
    database: Direct,
    counts: Arc<Counts>,
    /// Names this process's sessions, so that a lost one can be found and ended.
    application: String,
}

/// A session that stands for this process, and its number.
pub(super) struct Registered {
    session: Session,
    process: i32,
}

/// Why a session is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{0}")]
    End(#[from] EndError),
    #[error("{}", explain(.0))]
    Query(#[from] tokio_postgres::Error),
    #[error("no answer in time")]
    TimedOut(#[from] Elapsed),
    #[error("the connection ended")]
    Ended,
    #[error("another process has drawn the same number")]
    NumberTaken,
}

/// What is told and asked in one query.
#[derive(Default)]
struct Batch {
    users: Vec<Uuid>,
    held: Vec<i32>,
    wanted: Vec<i32>,
    takes: HashMap<Uuid, Vec<oneshot::Sender<Result<Place, Refused>>>>,
}

impl Keeper {
    pub fn new(database: Direct, counts: Arc<Counts>) -> Keeper {
        let application = format!("signalbox-places-{}", Uuid::new_v4().simple());
        Keeper { database, counts, application }
    }

    /// Never ends; dropped, its session ends and all places come back.
    pub async fn run(self, mut registered: Registered) {
        loop {
            let lost = self.keep(&mut registered).await;
            tracing::warn!(%lost, "this process counts its users' streams alone for now");
            self.counts.disconnected();
            registered = self.register_again().await;
            tracing::info!("streams are counted over all processes again");
        }
    }

    /// A new session, with all that this process has open.
    ///
    /// # Errors
    /// [`Lost`]; then this process counts alone.
    pub async fn register(&self) -> Result<Registered, Lost> {
        let register = async {
            let session = self.database.session(&self.application, TAKE).await?;
            session.end_others(&self.application).await?; // its places would count beside the same ones here
            session.client.batch_execute(NOTICE_DEATH).await?;
            let process = rand::random_range(1..=i32::MAX);
            let (users, held) = self.counts.all();
            let free = session.client.query_one(REGISTER, &[&process, &users, &held]).await?.get(0);
            if free { Ok(Registered { session, process }) } else { Err(Lost::NumberTaken) }
        };
        let registered = timeout(OPEN_WAIT, register).await??;
        self.counts.connected();
        Ok(registered)
    }

    async fn register_again(&self) -> Registered {
        let mut pause = PAUSE_FIRST;
        loop {
            sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
            match self.register().await {
                Ok(registered) => return registered,
                Err(lost) => tracing::debug!(%lost, "places"),
            }
            pause = (pause * 2).min(PAUSE_LAST);
        }
    }

    /// Tells and asks until the session is lost.
    async fn keep(&self, Registered { session, process }: &mut Registered) -> Lost {
        let most = signed(self.counts.most);
        loop {
            tokio::select! {
                () = self.counts.work.notified() => {}
                () = session.ended() => return Lost::Ended,
            }
            let batch = self.counts.batch();
            if batch.users.is_empty() {
                continue;
            }
            let parameters: [&(dyn ToSql + Sync); 5] = [process, &batch.users, &batch.held, &batch.wanted, &most];
            // Whether it was carried out does not matter when it fails: the next session tells the whole count.
            match timeout(BATCH_WAIT, session.client.query(&session.statement, &parameters)).await {
                Ok(Ok(rows)) => self.counts.settle(batch, &rows),
                Ok(Err(error)) => return error.into(),
                Err(elapsed) => return elapsed.into(),
            }
            sleep(GATHER).await;
        }
    }
}

impl Counts {
    /// Everything, for a session that is new.
    fn all(&self) -> (Vec<Uuid>, Vec<i32>) {
        let mut held = self.held();
        held.changed.clear();
        held.open.iter().map(|(user, open)| (*user, signed(*open))).unzip()
    }

    fn connected(&self) {
        self.held().connected = true;
        self.work.notify_one(); // for what changed meanwhile
    }

    /// Nobody answers those who wait, so they decide alone.
    fn disconnected(&self) {
        let mut held = self.held();
        held.connected = false;
        held.waiting.clear();
    }

    fn batch(&self) -> Batch {
        let mut held = self.held();
        let mut batch = Batch::default();
        let most = held.waiting.len().min(BATCH);
        for take in held.waiting.drain(..most).filter(|take| !take.answer.is_closed()) {
            batch.takes.entry(take.user).or_default().push(take.answer);
        }
        let mut users: Vec<Uuid> = held.changed.iter().take(BATCH).copied().collect();
        for user in &users {
            held.changed.remove(user);
        }
        users.extend(batch.takes.keys());
        users.sort_unstable();
        users.dedup();
        batch.held = users.iter().map(|user| signed(held.open(*user))).collect();
        batch.wanted = users.iter().map(|user| batch.takes.get(user).map_or(0, |takes| takes.len() as i32)).collect();
        batch.users = users;
        if !held.waiting.is_empty() || !held.changed.is_empty() {
            self.work.notify_one();
        }
        batch
    }

    /// Gives out what was granted, to the first who asked.
    fn settle(self: &Arc<Counts>, mut batch: Batch, rows: &[Row]) {
        let mut answers = Vec::new();
        let mut held = self.held();
        for row in rows {
            let user = row.get("user_id");
            let (granted, open): (i32, i32) = (row.get("granted"), row.get("open"));
            let refused = Refused { open: open.unsigned_abs(), most: self.most };
            for (nth, take) in (0..).zip(batch.takes.remove(&user).unwrap_or_default()) {
                let decided = if nth < granted { Ok(self.place(&mut held, user)) } else { Err(refused) };
                answers.push((take, decided));
            }
        }
        // Unlocked first: a place whose taker has gone comes back here.
        drop(held);
        for (take, decided) in answers {
            let _ = take.send(decided);
        }
    }
}

fn signed(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
