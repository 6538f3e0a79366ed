//! Notifications: from the log to people and programs elsewhere.
//!
//! In the order data moves: `matching` (events → deliveries in the queues of their channels, with the checkpoint) →
//! `dispatch` (the first of each queue, when it is due) → `webhook` or `mail` → `record` (attempt, event and the
//! queue at once). `replay` puts events of the past into a queue again.
//!
//! One process at a time does this, as `consumer` says. What that means for a receiver:
//! - At least once: a process that dies between an answer and its record sends again, with the same `webhook-id`.
//! - In the order of the log, per channel: a delivery waits until the one before it was taken, or given up.
//! - A channel that fails holds up no other.

mod dispatch;
mod mail;
mod matching;
mod message;
mod record;
mod replay;
mod sender;
pub mod store;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use message::Message;
pub use record::tested;
pub use sender::{Outcome, Sender};
pub use webhook::target_host;

use crate::consumer::{Consumer, Ended, Lease, Start};
use crate::http::App;

/// The consumer's name; `sql/functions/consumed_notifications.sql` stores what it decides.
const NAME: &str = "notifications";
/// Attempts that are under way when this process stops may end; those that do not are repeated elsewhere.
const LAST_ATTEMPTS_WAIT: Duration = Duration::from_secs(4);

/// Notifies, whenever it is this process's turn, until the stop.
pub async fn notify(app: Arc<App>) {
    let (database, hub, stop) = (app.background.clone(), app.hub.clone(), app.stop.clone());
    Consumer::new(NAME, Start::Head, database, hub, stop).hold(|lease| work(app.clone(), lease)).await;
}

async fn work(app: Arc<App>, lease: Lease) -> Ended {
    let queued = Arc::new(Notify::new());
    let enough = CancellationToken::new();
    let (guard, fence) = (lease.guard(), lease.fence());
    let dispatching = dispatch::dispatch(app.clone(), guard, queued.clone(), enough.clone());
    tokio::pin!(dispatching);
    let ended = tokio::select! {
        ended = matching::follow(&app, lease, &queued) => ended,
        ended = replay::follow(&app, fence, &queued) => ended,
        ended = &mut dispatching => return ended,
    };
    enough.cancel();
    if timeout(LAST_ATTEMPTS_WAIT, dispatching).await.is_err() {
        tracing::warn!("attempts that were under way will be repeated");
    }
    ended
}
