//! What goes wrong, again and again, while the others work.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use signalbox::postgres::private::Cluster;
use tokio::{sync::Mutex, time::sleep};

use super::{Shared, log::connect};

/// Between two kills of a backend.
const BACKEND_PAUSE: Duration = Duration::from_millis(200);

/// Between the restart of a process and its next kill.
const PROCESS_PAUSE: Duration = Duration::from_secs(5);

/// A kind of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Nemesis {
    /// Nothing.
    #[default]
    None,
    /// The trigger that notifies is off for the whole run: only the safety timer is left.
    NoNotify,
    /// The tails' connections are ended five times a second.
    KillListener,
    /// The appenders' connections are ended five times a second, most often inside a transaction.
    KillAppender,
    /// PostgreSQL is killed without warning and started again.
    KillPostgres,
    /// Server processes are killed without warning, one after another, and started again.
    KillServer,
}

impl Nemesis {
    /// Does its worst until it is aborted.
    pub(super) async fn haunt(self, cluster: Arc<Mutex<Cluster>>, shared: Arc<Shared>, url: String) -> Result<()> {
        match self {
            Nemesis::None => Ok(()),
            Nemesis::NoNotify => {
                let client = connect(&url).await?;
                client.batch_execute("alter table events disable trigger events_notify").await?;
                shared.faults.fetch_add(1, Relaxed);
                Ok(())
            }
            Nemesis::KillListener => kill_backends(&url, &shared, "signalbox-tail%", BACKEND_PAUSE).await,
            Nemesis::KillAppender => kill_backends(&url, &shared, "signalbox-append%", BACKEND_PAUSE).await,
            Nemesis::KillPostgres => loop {
                sleep(PROCESS_PAUSE).await;
                kill_postgres(cluster.clone()).await?;
                shared.faults.fetch_add(1, Relaxed);
            },
            Nemesis::KillServer => {
                for process in 0.. {
                    sleep(PROCESS_PAUSE).await;
                    shared.servers.kill_and_start(process).await?;
                    shared.faults.fetch_add(1, Relaxed);
                }
                Ok(())
            }
        }
    }
}

/// Puts right what a nemesis left broken when it was aborted. A trigger that was switched off
/// stays off: without it everything must still arrive in time.
pub(super) async fn heal(cluster: Arc<Mutex<Cluster>>, shared: &Shared) -> Result<()> {
    tokio::task::spawn_blocking(move || cluster.blocking_lock().restart()).await??;
    shared.servers.start_missing().await
}

/// Ends all backends of that name, again after each pause, without end.
pub(super) async fn kill_backends(url: &str, shared: &Shared, name: &str, pause: Duration) -> Result<()> {
    let client = connect(url).await?;
    loop {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like $1";
        let killed = client.execute(sql, &[&name]).await?;
        shared.faults.fetch_add(killed, Relaxed);
        sleep(pause).await;
    }
}

/// SIGKILL to the main process of the private cluster, which is this process's own child.
async fn kill_postgres(cluster: Arc<Mutex<Cluster>>) -> Result<()> {
    tokio::task::spawn_blocking(move || -> Result<()> {
        let mut cluster = cluster.blocking_lock();
        ensure!(cluster.started_here(), "this PostgreSQL belongs to another process");
        let postmaster = Pid::from_raw(cluster.postmaster_pid()).context("a process id")?;
        kill_process(postmaster, Signal::KILL)?;
        while cluster.is_running() {
            std::thread::yield_now();
        }
        Ok(cluster.restart()?)
    })
    .await?
}
