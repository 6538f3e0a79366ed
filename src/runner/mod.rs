//! Does executions: takes them from the queue with a lease, does their steps, and says in the log what came of each.
//!
//! | file          | what is there                                                                |
//! |---------------|------------------------------------------------------------------------------|
//! | `lease.rs`    | the right to work on one execution: taken, renewed, lost, given back         |
//! | `run.rs`      | one execution, from the lease to the end                                     |
//! | `step.rs`     | one attempt at one step                                                      |
//! | `incident.rs` | an incident that a step opens or changes                                     |
//! | `command.rs`  | a program of the allow-list, as a process group with a guard                 |
//! | `guard.rs`    | the other side: a process that outlives this one just long enough to end it  |
//! | `output.rs`   | what is printed: masked, cut, gathered into batches                          |
//! | `allowed.rs`  | the allow-list                                                               |
//! | `http.rs`     | a request, through the guard of egress                                       |
//! | `start.rs`    | new executions, by whatever starts them                                      |
//! | `schedule.rs` | by time                                                                      |
//! | `rules.rs`    | by event                                                                     |
//!
//! Guarantees
//! - Two processes never work on one execution at once. The lease lasts [`lease::LEASE`] by the database's clock;
//!   a holder that could not renew it stops before that by its own, and so does the guard of its command, even when
//!   the holder is killed or frozen. What it appends afterwards is refused: its token is too old.
//! - No execution runs for ever without anybody: a lease that ran out is taken by another process, which goes on,
//!   or, where a step may not be begun twice, ends the execution and says why.

mod allowed;
mod command;
pub mod guard;
mod http;
mod incident;
mod lease;
mod output;
mod rules;
mod run;
mod schedule;
mod start;
mod step;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use allowed::{Allowed, AllowedCommand};
pub use start::{NotStarted, started};

use crate::consumer::{Consumer, Start};
use crate::http::App;
use crate::log::Event;

/// The queue is looked at this often even when nothing wakes: for leases that run out, and for approvals too late.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For executions under way to end what they run, at the stop of the process.
const STOP_WAIT: Duration = Duration::from_secs(3);

/// Wakes this process's runner, and those executions of it that somebody wants to end.
#[derive(Default)]
pub struct Wake {
    /// There may be something to do.
    queue: Notify,
    /// Runbooks have changed.
    runbooks: Notify,
    /// Executions under way here.
    running: Mutex<HashMap<Uuid, CancellationToken>>,
}

impl Wake {
    /// Takes notice of the tail's events.
    pub fn notice(&self, events: &[Event]) {
        for event in events.iter().filter(|event| event.kind.starts_with("automation.")) {
            match event.kind.as_str() {
                "automation.cancel.requested" => self.cancel(event),
                kind if kind.starts_with("automation.runbook.") => self.runbooks.notify_one(),
                "automation.step.started" | "automation.step.finished" | "automation.started" => {}
                _ => self.queue.notify_one(),
            }
        }
    }

    fn cancel(&self, event: &Event) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancel) = event.stream_id().and_then(|id| running.get(&id)) {
            cancel.cancel();
        }
    }

    /// A token that is cancelled when somebody wants this execution to end; for as long as the answer lives.
    fn watch(self: &Arc<Self>, execution: Uuid) -> Watched {
        let cancel = CancellationToken::new();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(execution, cancel.clone());
        Watched { wake: self.clone(), execution, cancel }
    }
}

/// An execution under way here.
struct Watched {
    wake: Arc<Wake>,
    execution: Uuid,
    cancel: CancellationToken,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.wake.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.execution);
        self.wake.queue.notify_one(); // there is room again
    }
}

/// Does executions, and starts those that time and events call for, until the process stops.
pub async fn run(app: Arc<App>) {
    let rules = Consumer::new("automations", Start::Head, app.background.clone(), app.hub.clone(), app.stop.clone());
    let rules = rules.hold({
        let app = app.clone();
        move |lease| rules::follow(app.clone(), lease)
    });
    tokio::join!(take(app.clone()), schedule::keep(app.clone()), rules);
}

/// Takes executions while there is room for them here.
async fn take(app: Arc<App>) {
    let tasks = TaskTracker::new();
    while !app.stop.is_cancelled() {
        if tasks.len() < app.config.executions {
            match lease::Held::take(&app).await {
                Ok(Some(held)) => {
                    tasks.spawn(run::run(app.clone(), held));
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "no execution taken"),
            }
        }
        tokio::select! {
            () = app.wake.queue.notified() => {}
            () = sleep(LOOK_EVERY) => {}
            () = app.stop.cancelled() => {}
        }
    }
    tasks.close();
    if tokio::time::timeout(STOP_WAIT, tasks.wait()).await.is_err() {
        tracing::warn!(executions = tasks.len(), "left where they stand; their leases run out");
    }
}
