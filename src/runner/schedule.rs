//! By time. Every process looks; the id of an execution is made of the runbook and the time, so that one starts it.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::start::{Start, start};
use crate::automations::execution_id_of;
use crate::domain::automation::execution::Trigger;
use crate::domain::automation::runbook::Runbook;
use crate::domain::automation::schedule::{self, Due, MISSED_MOST};
use crate::http::App;
use crate::log::{Cause, stamp};
use crate::postgres::QueryError;

/// The clock is looked at this often even when nothing is near, because clocks are set.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Where something was due and could not be started: not at once again.
const AGAIN: Duration = Duration::from_secs(5);

/// Starts what is due, until the process stops.
pub async fn keep(app: Arc<App>) {
    while !app.stop.is_cancelled() {
        let wait = match look(&app, OffsetDateTime::now_utc()).await {
            Ok(wait) => wait.clamp(Duration::from_millis(1), LOOK_EVERY),
            Err(error) => {
                tracing::debug!(%error, "schedules are looked at later");
                AGAIN
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = app.wake.runbooks.notified() => {}
            () = app.stop.cancelled() => {}
        }
    }
}

/// Starts what is due at `now`; how long until something is due next.
async fn look(app: &App, now: OffsetDateTime) -> Result<Duration, QueryError> {
    let mut wait = LOOK_EVERY;
    for row in app.background.query(include_str!("../../sql/queries/runbooks_scheduled.sql"), &[]).await? {
        let (Json(runbook), taken): (Json<Runbook>, OffsetDateTime) = (row.try_get("state")?, row.try_get("taken")?);
        let Some(times) = runbook.definition.schedule.as_ref().and_then(|one| schedule::parse(one).ok()) else {
            continue;
        };
        let mut taken = taken;
        if let Some(due) = times.due(taken, now) {
            begin(app, &runbook, due).await;
            taken = due.at;
        }
        let next = times.next(taken.max(now));
        let left = next.map_or(LOOK_EVERY, |next| (next - now).try_into().unwrap_or(Duration::ZERO));
        wait = wait.min(left);
    }
    Ok(wait)
}

async fn begin(app: &App, runbook: &Runbook, due: Due) {
    let Some(schedule) = &runbook.definition.schedule else { return };
    let missed = match due.missed {
        0 => String::new(),
        MISSED_MOST.. => format!("; more than {MISSED_MOST} times before it were missed"),
        some => format!("; {some} before it were missed"),
    };
    let at = stamp::text(due.at);
    let begun = Start {
        runbook,
        id: execution_id_of(&format!("{} at {at}", runbook.id)),
        inputs: &schedule.inputs,
        trigger: Trigger::Schedule { at: due.at },
        reason: format!("the schedule {} {} was due at {at}{missed}", schedule.cron, schedule.time_zone),
        depth: 0,
    };
    let correlation_id = Uuid::now_v7();
    let cause = Cause { correlation_id, ..Cause::system("scheduler") };
    match start(app, begun, cause).await {
        Ok(()) => {}
        Err(error) => tracing::warn!(%error, runbook = %runbook.id, at, "a scheduled execution was not started"),
    }
}
