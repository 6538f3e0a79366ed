//! A process looks after itself: measures once a second, follows its breakers, and says so in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use crate::domain::permission::SYSTEM_READ;
use crate::domain::system::LevelChanged;
use crate::http::App;
use crate::hub::protection::{Change, Measures};
use crate::log::{AppendError, Cause, Command, Idempotency, NewEvent, Write, sha256};
use crate::metrics::resident_bytes;

/// How often a process is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// Changes of level that may wait for a database to record them. Breakers hold for 10 s and more, so these are
/// hours of an outage.
const UNRECORDED: usize = 1_000;
/// Between two tries to record one.
const RECORD_PAUSE: Duration = Duration::from_secs(1);

/// A change that is to be recorded, once.
struct Changed {
    id: Uuid,
    at: OffsetDateTime,
    change: Change,
}

/// Measures, and lets streams follow, until the task is ended.
pub async fn protect(app: Arc<App>) {
    let (changed, changes) = mpsc::channel(UNRECORDED);
    tokio::spawn(record(app.clone(), changes)); // ends with its sender
    let mut ticks = interval(MEASURE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let at = OffsetDateTime::now_utc();
        let Some(change) = app.protection.observe(Instant::now(), at, measure(&app)) else { continue };
        tracing::warn!(old = change.old.as_str(), new = change.new.as_str(), change.reason, "level of streams");
        app.hub.change_mode(|mode| mode.level = change.new);
        if changed.try_send(Changed { id: Uuid::now_v7(), at, change }).is_err() {
            tracing::error!("a change of level is never recorded: too many wait");
        }
    }
}

fn measure(app: &App) -> Measures {
    let (ended, ended_badly) = app.metrics.endings();
    let work = [app.database.counts(), app.appender.counts(), app.metrics.answers()];
    Measures {
        ended,
        ended_badly,
        latency_ms: app.metrics.delays.mean().map_or(0.0, |mean| mean.as_secs_f64() * 1_000.0),
        resident_mib: resident_bytes().map_or(0.0, |bytes| bytes as f64 / f64::from(1 << 20)),
        asked: work.iter().map(|(all, _)| all).sum(),
        failed: work.iter().map(|(_, failed)| failed).sum(),
    }
}

/// Records each change, however long the database is away: it may be the very reason of the change.
async fn record(app: Arc<App>, mut changes: mpsc::Receiver<Changed>) {
    while let Some(changed) = changes.recv().await {
        loop {
            match app.appender.append(changed.command(app.process)).await {
                Ok(_recorded) => break,
                Err(error @ (AppendError::Refused { .. } | AppendError::Malformed(_))) => {
                    tracing::error!(%error, "a change of level is never recorded");
                    break;
                }
                Err(error) => tracing::debug!(%error, "a change of level is not recorded yet"),
            }
            tokio::select! {
                () = sleep(RECORD_PAUSE) => {}
                () = app.stop.cancelled() => return,
            }
        }
    }
}

impl Changed {
    /// Its key makes a second try harmless where the first one's outcome is unknown.
    fn command(&self, process: Uuid) -> Command {
        let Change { old, new, reason } = &self.change;
        let data = LevelChanged { process, old: old.as_str(), new: new.as_str(), reason: reason.clone() };
        let event = NewEvent {
            id: self.id,
            kind: "system.level.changed",
            data: json!(data),
            occurred_at: self.at,
            permissions: &[SYSTEM_READ],
        };
        let cause = Cause::system("protection");
        let idempotency = Idempotency {
            principal: cause.actor.clone(),
            key: self.id.to_string(),
            body_hash: sha256(self.id.as_bytes()).to_vec(),
            reply: "{}".to_owned(),
        };
        let writes = vec![Write { stream: format!("system/{process}"), expected: None, events: vec![event] }];
        Command { cause, writes, states: Vec::new(), idempotency: Some(idempotency) }
    }
}
