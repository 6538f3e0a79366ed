//! A PostgreSQL of a test's own, to be broken.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use signalbox::postgres::Direct;
use signalbox::postgres::migrate::migrate;
use signalbox::postgres::private::{Cluster, Options, SUPERUSER};

use super::{DIRECTORY, World, execute};

/// The database in it.
const DATABASE: &str = "broken";

#[derive(Clone)]
pub struct OwnPostgres {
    cluster: Arc<Mutex<Cluster>>,
    _directory: Arc<Directory>,
}

/// Removed with the last user of the cluster.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A directory for one cluster; a later run removes what this one leaves.
pub fn own_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("{DIRECTORY}{}.{count}", std::process::id()))
}

impl OwnPostgres {
    /// Started, with a migrated database.
    pub async fn start(settings: &[(&str, &str)]) -> (OwnPostgres, World) {
        OwnPostgres::start_in(own_directory(), settings).await
    }

    pub async fn start_in(directory: PathBuf, settings: &[(&str, &str)]) -> (OwnPostgres, World) {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let options = Options { directory: directory.clone(), binaries: None, durable: false, settings };
        let cluster = tokio::task::spawn_blocking(move || Cluster::start(&options)).await.unwrap().unwrap();
        let postgres = Direct::migrating(&cluster.url("postgres", SUPERUSER)).unwrap();
        execute(&postgres, &format!("create database {DATABASE}")).await;
        migrate(&Direct::migrating(&cluster.url(DATABASE, SUPERUSER)).unwrap()).await.unwrap();
        let world = World::on(&cluster, DATABASE).await;
        (OwnPostgres { cluster: Arc::new(Mutex::new(cluster)), _directory: Arc::new(Directory(directory)) }, world)
    }

    pub fn data_directory(&self) -> PathBuf {
        self.cluster.lock().unwrap().data_directory().to_owned()
    }

    /// A signal to the postmaster, which is this process's own grandchild.
    pub fn signal(&self, signal: Signal) {
        let cluster = self.cluster.lock().unwrap();
        assert!(cluster.started_here() && cluster.is_running());
        kill_process(Pid::from_raw(cluster.postmaster_pid()).unwrap(), signal).unwrap();
    }

    /// Starts it again when its postmaster has died or, as it was told to, is about to.
    pub async fn restart(&self) {
        let cluster = self.cluster.clone();
        let restart = move || {
            let mut cluster = cluster.lock().unwrap();
            while cluster.is_running() {
                std::thread::yield_now();
            }
            cluster.restart().unwrap();
        };
        tokio::task::spawn_blocking(restart).await.unwrap();
    }

    /// Starts it again if it does not run.
    pub async fn revive(&self) {
        let cluster = self.cluster.clone();
        tokio::task::spawn_blocking(move || cluster.lock().unwrap().restart().unwrap()).await.unwrap();
    }
}

/// The process that serves a session of this application name; asserted to be one of `data_directory`.
pub async fn backend(world: &World, application: &str, data_directory: &Path) -> Pid {
    let found = "select coalesce((select pid from pg_stat_activity where datname = current_database()";
    let pid: i32 = loop {
        let pid = world.value(&format!("{found} and application_name like '{application}' limit 1), 0)")).await;
        if pid != 0 {
            break pid;
        }
    };
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), data_directory);
    Pid::from_raw(pid).unwrap()
}
