//! What a holder works with: the events behind its checkpoint, and the ways to move it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::Consumer;
use crate::log::{AppendError, Event, State, read};
use crate::postgres::QueryError;

/// The log is looked at this often even when nothing wakes.
const SAFETY_INTERVAL: Duration = Duration::from_secs(5);
/// A checkpoint behind which nothing had an effect is stored this often: events in between may be seen again.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Behind each page, for more events to gather: at most 100 pages/s, and 10 ms for an event that comes in between.
const GATHER: Duration = Duration::from_millis(10);
/// PostgreSQL's code, made by `sql/functions/state_consumer.sql`.
const STALE_CONSUMER: &str = "SB001";

/// The right to work, and the place in the log.
pub struct Lease {
    consumer: Consumer,
    fence: i64,
    /// Last event that was handed out and settled.
    position: i64,
    /// The same as the database has it.
    stored: i64,
    store_at: Instant,
}

/// Why the work of a holder ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// This process stops.
    #[error("stopping")]
    Stopping,
    /// Another process has taken over, or may have.
    #[error("another process has taken over")]
    Lost,
    /// The database did not answer.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The log did not take what followed; whether it did is unknown where the error says so.
    #[error("{0}")]
    Append(AppendError),
}

impl From<AppendError> for Ended {
    fn from(error: AppendError) -> Ended {
        match error {
            AppendError::Refused { sqlstate, .. } if sqlstate == STALE_CONSUMER => Ended::Lost,
            other => Ended::Append(other),
        }
    }
}

impl Lease {
    pub(super) fn new(consumer: Consumer, fence: i64, position: i64) -> Lease {
        let store_at = Instant::now() + CHECKPOINT_EVERY;
        Lease { consumer, fence, position, stored: position, store_at }
    }

    /// The number of this holder: what an older one stores is refused.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Last event that was settled.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Waits for events behind the position; at least one, at most a page, in order and without a gap.
    ///
    /// # Errors
    /// [`Ended`]: hand it back from the work.
    ///
    /// # Cancellation
    /// Safe: the position does not move.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, Ended> {
        loop {
            if self.consumer.stop.is_cancelled() {
                self.store(Vec::new()).await?;
                return Err(Ended::Stopping);
            }
            let events = self.behind().await?;
            if !events.is_empty() {
                return Ok(events);
            }
            let unstored = self.stored < self.position;
            tokio::select! {
                () = self.consumer.hub.reached(self.position + 1) => sleep(GATHER).await,
                () = sleep_until(self.store_at), if unstored => self.store(Vec::new()).await?,
                () = sleep(SAFETY_INTERVAL) => {}
                () = self.consumer.stop.cancelled() => {}
            }
        }
    }

    /// From memory where this process still has them; from the log otherwise.
    async fn behind(&self) -> Result<Vec<Arc<Event>>, Ended> {
        match self.consumer.hub.newest(self.position, read::PAGE_EVENTS as usize) {
            Some(events) => Ok(events),
            None => {
                let page = read::after(&self.consumer.database, self.position, read::PAGE_EVENTS).await?;
                Ok(page.into_iter().map(Arc::new).collect())
            }
        }
    }

    /// Settles the events up to `to` with rows that the SQL function `consumed_<name>(json[])` stores in the same
    /// transaction. Without rows the checkpoint is stored later, within [`CHECKPOINT_EVERY`].
    ///
    /// # Errors
    /// [`Ended`]; nothing was stored, except where the database did not answer: then the next holder finds out.
    pub async fn advance(&mut self, to: i64, rows: Vec<String>) -> Result<(), Ended> {
        self.position = to;
        if rows.is_empty() && Instant::now() < self.store_at {
            return Ok(());
        }
        self.store(rows).await
    }

    async fn store(&mut self, rows: Vec<String>) -> Result<(), Ended> {
        self.store_at = Instant::now() + CHECKPOINT_EVERY;
        if self.stored == self.position {
            return Ok(());
        }
        let sql = include_str!("../../sql/queries/consumer_advance.sql");
        let database = self.consumer.database.clone();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&self.consumer.name, &self.fence, &self.stored, &self.position, &rows];
        let stored: bool = database.query_one(sql, &parameters).await?.get(0);
        if !stored {
            return Err(Ended::Lost);
        }
        self.stored = self.position;
        Ok(())
    }

    /// The same as a state for an append: the events up to `to` are settled if and only if the command is appended.
    /// Call [`Lease::appended`] behind it.
    pub fn step(&self, to: i64) -> State {
        state(self.consumer.name, self.fence, Some((self.stored, to)))
    }

    /// For the other things that a holder appends.
    pub fn guard(&self) -> Guard {
        Guard { name: self.consumer.name, fence: self.fence }
    }

    /// A command with [`Lease::step`] is in the log.
    pub fn appended(&mut self, to: i64) {
        (self.position, self.stored) = (to, to);
    }
}

/// What a holder shows with an append that moves no checkpoint. Cheap to clone, for tasks beside the one that reads.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    name: &'static str,
    fence: i64,
}

impl Guard {
    /// A state that changes nothing: the append is refused when another process has taken over.
    pub fn state(&self) -> State {
        state(self.name, self.fence, None)
    }
}

fn state(name: &str, fence: i64, step: Option<(i64, i64)>) -> State {
    let (from, to) = step.unzip();
    let wish = json!({ "name": name, "fence": fence, "from_seq": from, "to_seq": to });
    State { kind: "consumer", json: wish.to_string() }
}
