//! The right to work on one execution.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::automation::execution::Lease;
use crate::http::App;
use crate::postgres::QueryError;

/// A holder that says nothing for so long is taken over from, by the database's clock.
pub const LEASE: Duration = Duration::from_secs(6);
/// Three times in a lease.
const RENEW_EVERY: Duration = Duration::from_millis(1_500);
/// The holder counts from before it asked, and ends so long before the database would give it to another: for what
/// it runs to be ended, too.
const MARGIN: Duration = Duration::from_secs(1);

/// An execution that this process works on.
pub struct Held {
    /// Which.
    pub execution: Uuid,
    /// With which right.
    pub lease: Lease,
    /// Until when it is certainly ours.
    pub until: watch::Receiver<Instant>,
    /// Cancelled when it may be another's, or when this process stops.
    pub lost: CancellationToken,
}

impl Held {
    /// Takes one from the queue, if one has something to do, and renews it until [`Held`] is dropped.
    ///
    /// # Errors
    /// The database did not answer. If it gave a lease all the same, that runs out unused.
    pub async fn take(app: &Arc<App>) -> Result<Option<Held>, QueryError> {
        let asked = Instant::now();
        let sql = include_str!("../../sql/queries/execution_claim.sql");
        let taken = app.background.query_opt(sql, &[&app.process, &milliseconds(LEASE)]).await?;
        let Some(row) = taken else { return Ok(None) };
        let (execution, token) = (row.try_get("execution_id")?, row.try_get("token")?);
        let lease = Lease { runner: app.process, token };
        let (extend, until) = watch::channel(asked + LEASE - MARGIN);
        let lost = app.stop.child_token();
        tokio::spawn(renew(app.clone(), execution, lease, extend, lost.clone()));
        Ok(Some(Held { execution, lease, until, lost }))
    }
}

/// Renews until the execution is left, which drops the receiver, or lost; then gives back what is still ours.
async fn renew(app: Arc<App>, execution: Uuid, lease: Lease, until: watch::Sender<Instant>, lost: CancellationToken) {
    let _ends = lost.clone().drop_guard();
    loop {
        let certain = *until.borrow();
        tokio::select! {
            () = sleep(RENEW_EVERY) => {}
            () = until.closed() => break,
        }
        let asked = Instant::now();
        let kept = tokio::select! {
            kept = keep(&app, execution, lease, LEASE) => kept,
            () = sleep_until(certain) => return tracing::warn!(%execution, "the lease could not be renewed in time"),
            () = until.closed() => break,
        };
        match kept {
            Ok(true) => drop(until.send(asked + LEASE - MARGIN)),
            Ok(false) => break, // it has ended, or is another's
            Err(error) => tracing::debug!(%error, %execution, "lease not renewed"),
        }
    }
    if let Err(error) = keep(&app, execution, lease, Duration::ZERO).await {
        tracing::debug!(%error, %execution, "the lease runs out by itself");
    }
}

async fn keep(app: &App, execution: Uuid, lease: Lease, time: Duration) -> Result<bool, QueryError> {
    let sql = include_str!("../../sql/queries/execution_renew.sql");
    let kept = app.background.query_opt(sql, &[&execution, &lease.token, &app.process, &milliseconds(time)]).await?;
    Ok(kept.is_some())
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
