//! Durable consumers of the log: one process at a time works, and another goes on where it was lost.
//!
//! In the order things happen: [`Consumer::hold`] takes the lease → [`Lease::next`] waits and reads → the work
//! decides → [`Lease::advance`], or an append with [`Lease::step`], stores what follows and the checkpoint at once.
//!
//! Guarantees
//! - Order: events come in the order of the log, without a gap.
//! - Effects in the database happen exactly once: the checkpoint moves in their transaction, or neither does.
//! - Effects elsewhere (mail, HTTP) happen at least once: the work is repeated from the checkpoint.
//! - One at a time: a holder that was taken over from can store nothing, because each holder has a fence, a
//!   number of its own, and what comes with an older one is refused in the transaction that would have stored it.
//! - A holder that was killed is taken over from within [`LEASE`] and [`TRY_EVERY`]; one that stops in order, at
//!   the next try.
//! - Only the database's clock counts. A clock that jumps moves a take-over, and breaks none of the above.

mod lease;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use lease::{Ended, Guard, Lease};

use crate::hub::Hub;
use crate::postgres::{Database, QueryError};

/// A holder that says nothing for so long is taken over from.
pub const LEASE: Duration = Duration::from_secs(5);
/// Four times in a lease, so that three lost ones harm nobody.
const RENEW_EVERY: Duration = Duration::from_millis(1_250);
/// The other processes ask this often, with jitter, whether it is their turn.
pub const TRY_EVERY: Duration = Duration::from_secs(1);
/// Work that was told to stop and does not is left where it stands; the next holder repeats it.
const STOP_WAIT: Duration = Duration::from_secs(5);
/// For giving a lease back; nothing is lost when that does not succeed.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// Where a consumer that nobody has run before begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Behind the newest event.
    Head,
    /// Before the first.
    Beginning,
}

/// Somebody who takes part in a consumer's work.
#[derive(Clone)]
pub struct Consumer {
    name: &'static str,
    start: Start,
    /// Names this participant.
    holder: Uuid,
    database: Database,
    hub: Arc<Hub>,
    stop: CancellationToken,
}

impl Consumer {
    /// A participant in the consumer of this name. `stop` ends it in order.
    ///
    /// Give it a pool that requests do not use: a lease must not be lost because many ask.
    pub fn new(name: &'static str, start: Start, database: Database, hub: Arc<Hub>, stop: CancellationToken) -> Self {
        Consumer { name, start, holder: Uuid::now_v7(), database, hub, stop }
    }

    /// Works whenever it is this process's turn, until the stop; returns when the lease is given back.
    ///
    /// `work` is begun with each lease and ends with an [`Ended`], most simply the one that a method of the lease
    /// gives. When the lease is lost it is dropped at its next await: what it then has under way elsewhere is
    /// repeated by the next holder.
    pub async fn hold<W, F>(&self, work: W)
    where
        W: Fn(Lease) -> F,
        F: Future<Output = Ended>,
    {
        while !self.stop.is_cancelled() {
            match self.take().await {
                Ok(Some(lease)) => self.work(&work, lease).await,
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, consumer = self.name, "no lease"),
            }
            tokio::select! {
                () = sleep(TRY_EVERY.mul_f64(rand::random_range(0.75..1.25))) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// The lease, unless another process has it.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn take(&self) -> Result<Option<Lease>, QueryError> {
        let sql = include_str!("../../sql/queries/consumer_take.sql");
        let from_head = self.start == Start::Head;
        let taken = self.database.query_opt(sql, &[&self.name, &self.holder, &milliseconds(LEASE), &from_head]).await?;
        Ok(taken.map(|row| Lease::new(self.clone(), row.get("fence"), row.get("seq"))))
    }

    async fn work<W, F>(&self, work: &W, lease: Lease)
    where
        W: Fn(Lease) -> F,
        F: Future<Output = Ended>,
    {
        let (fence, seq) = (lease.fence(), lease.position());
        tracing::info!(consumer = self.name, fence, seq, "works");
        let overdue = async {
            self.stop.cancelled().await;
            sleep(STOP_WAIT).await;
        };
        let ended = tokio::select! {
            ended = work(lease) => ended,
            () = self.renew(fence) => Ended::Lost,
            () = overdue => Ended::Stopping,
        };
        match &ended {
            Ended::Stopping => tracing::debug!(consumer = self.name, "stops"),
            Ended::Lost => tracing::warn!(consumer = self.name, fence, "another process goes on"),
            Ended::Query(_) | Ended::Append(_) => tracing::warn!(error = %ended, consumer = self.name, "begins again"),
        }
        // Refused when it is another's already; then nothing has to be given back.
        let given_back = timeout(RELEASE_WAIT, self.keep(fence, Duration::ZERO)).await;
        if !matches!(given_back, Ok(Ok(_))) {
            tracing::debug!(?given_back, consumer = self.name, "the lease runs out by itself");
        }
    }

    /// Returns when the lease is lost, or may be: nobody answered for as long as it lasts.
    async fn renew(&self, fence: i64) {
        let mut renewed = Instant::now();
        loop {
            sleep(RENEW_EVERY).await;
            let asked = Instant::now();
            let answer = tokio::select! {
                answer = self.keep(fence, LEASE) => answer,
                () = sleep_until(renewed + LEASE) => return,
            };
            match answer {
                Ok(true) => renewed = asked,
                Ok(false) => return,
                Err(error) => tracing::debug!(%error, consumer = self.name, "lease not renewed"),
            }
        }
    }

    async fn keep(&self, fence: i64, lease: Duration) -> Result<bool, QueryError> {
        let sql = include_str!("../../sql/queries/consumer_renew.sql");
        Ok(self.database.query_one(sql, &[&self.name, &fence, &milliseconds(lease)]).await?.get(0))
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
