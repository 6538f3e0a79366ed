//! The queues: of each channel the first delivery, when it is due; never two of one channel at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_postgres::types::Json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::record::{Of, record};
use super::{Message, store};
use crate::consumer::{Ended, Guard};
use crate::domain::notification::{Channel, Rule};
use crate::http::App;
use crate::log::read;

/// The queues are looked at this often, so a retry is late by no more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Deliveries that ended long ago are dropped this often.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Works off the queues until `enough`, then lets what is under way end.
pub(super) async fn dispatch(app: Arc<App>, guard: Guard, queued: Arc<Notify>, enough: CancellationToken) -> Ended {
    let mut dispatcher = Dispatcher { app, guard, enough, busy: HashSet::new(), tasks: JoinSet::new() };
    let mut forget_at = Instant::now();
    loop {
        if Instant::now() >= forget_at {
            forget_at = Instant::now() + FORGET_EVERY;
            if let Err(error) = dispatcher.forget().await {
                return error;
            }
        }
        if let Err(ended) = dispatcher.look().await {
            return ended;
        }
        tokio::select! {
            Some(done) = dispatcher.tasks.join_next() => match done {
                Ok((channel, Ok(()))) => _ = dispatcher.busy.remove(&channel),
                Ok((_, Err(ended))) => return ended,
                Err(error) => {
                    tracing::error!(%error, "an attempt failed to come to an end");
                    return Ended::Lost;
                }
            },
            () = queued.notified() => {}
            () = sleep(LOOK_EVERY) => {}
            () = dispatcher.enough.cancelled() => {
                while dispatcher.tasks.join_next().await.is_some() {}
                return Ended::Stopping;
            }
        }
    }
}

struct Dispatcher {
    app: Arc<App>,
    guard: Guard,
    enough: CancellationToken,
    /// Channels with a task; as many as there are channels, which are limited.
    busy: HashSet<Uuid>,
    tasks: JoinSet<(Uuid, Result<(), Ended>)>,
}

impl Dispatcher {
    /// Begins with every channel whose turn it is.
    async fn look(&mut self) -> Result<(), Ended> {
        for row in self.app.background.query(include_str!("../../sql/queries/notification_due.sql"), &[]).await? {
            let channel: Uuid = row.get("id");
            if self.busy.insert(channel) {
                let (app, guard, enough) = (self.app.clone(), self.guard, self.enough.clone());
                self.tasks.spawn(async move { (channel, work_off(&app, guard, channel, &enough).await) });
            }
        }
        Ok(())
    }

    async fn forget(&self) -> Result<(), Ended> {
        self.app.background.query(include_str!("../../sql/queries/notification_forget.sql"), &[]).await?;
        Ok(())
    }
}

/// One channel's queue, in order, as long as its first delivery is due.
async fn work_off(app: &App, guard: Guard, channel: Uuid, enough: &CancellationToken) -> Result<(), Ended> {
    while !enough.is_cancelled() {
        let first = include_str!("../../sql/queries/notification_first.sql");
        let Some(row) = app.background.query_opt(first, &[&channel]).await? else { return Ok(()) };
        let Json(channel): Json<Channel> = row.get("channel");
        let rule = row.get::<_, Option<Json<Rule>>>("rule").map(|Json(rule)| rule);
        let (id, seq, attempts): (Uuid, i64, i32) = (row.get("id"), row.get("seq"), row.get("attempts"));
        let page = read::after(&app.background, seq - 1, 1).await?;
        let Some(event) = page.first().filter(|event| event.seq == seq) else {
            tracing::error!(seq, "an event that was matched is not in the log");
            return Err(Ended::Lost);
        };
        let message = Message::of(id, event, rule.as_ref());
        let secrets = store::secrets(&row);
        let outcome = app.sender.send(&app.egress, &channel.facts.target, &message, &secrets).await;
        let failing_s: Option<f64> = row.get("failing_s");
        let of = Of { delivery: id, channel, event, attempt: attempts + 1, failing_s, guard };
        record(app, of, &outcome).await?;
    }
    Ok(())
}
