//! Why there is no private cluster. Each message ends in what a person can do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A private cluster that could not be started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable PostgreSQL is installed, or it is where nobody looked.
    #[error(
        "no PostgreSQL {oldest} or newer found to run a private database with. Looked in: {searched}. \
         Install it (Debian, Ubuntu: `apt install postgresql`; Fedora: `dnf install postgresql-server`; \
         macOS: `brew install postgresql`), or set SIGNALBOX_PG_BIN to the directory of `postgres` and \
         `initdb`, or set DATABASE_URL to use a database of your own."
    )]
    NoBinaries {
        /// The oldest major version that would do.
        oldest: u32,
        /// Every directory tried, with the reason where it held something.
        searched: String,
    },

    /// The cluster was made by another major version than the one found.
    #[error(
        "the cluster in {} was made by PostgreSQL {cluster}, but only {found} was found. Install PostgreSQL \
         {cluster} and set SIGNALBOX_PG_BIN to its directory, move the data over with pg_upgrade, or start \
         with another directory.",
        data.display()
    )]
    WrongVersion {
        /// The data directory.
        data: PathBuf,
        /// The major version in its `PG_VERSION`.
        cluster: u32,
        /// What was found, with the directory.
        found: String,
    },

    /// Started as root, and there is nobody to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root, and /etc/passwd names neither `postgres` nor `nobody`. \
         Start as another user, or set DATABASE_URL."
    )]
    NoAccount,

    /// A directory is somebody else's, so PostgreSQL would refuse it.
    #[error(
        "{} belongs to user id {owner}, but PostgreSQL would run as {account}. Start as that user or as \
         root, or choose another directory.",
        path.display()
    )]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// The user id that PostgreSQL would run as.
        account: u32,
    },

    /// Another process has been starting the same cluster for too long.
    #[error("another process has held {} for {limit:?}: it is starting the same cluster", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        limit: Duration,
    },

    /// A process holds the data directory but does not serve our socket.
    #[error(
        "process {pid} holds the cluster in {} but accepts no connections after {limit:?}. If it is not \
         PostgreSQL, remove postmaster.pid there.",
        data.display()
    )]
    Busy {
        /// The process in `postmaster.pid`.
        pid: i32,
        /// The data directory.
        data: PathBuf,
        /// How long we waited.
        limit: Duration,
    },

    /// `initdb` failed.
    #[error("initdb could not make a new cluster:\n{output}")]
    Initdb {
        /// What it printed.
        output: String,
    },

    /// PostgreSQL ended, or was not ready in time.
    #[error("PostgreSQL did not start: {reason}. The end of {}:\n{tail}", log.display())]
    Start {
        /// Which of the two.
        reason: String,
        /// The log file.
        log: PathBuf,
        /// What this start wrote there.
        tail: String,
    },

    /// PostgreSQL survived even an immediate shutdown.
    #[error("PostgreSQL (process {pid}) is still there after {limit:?}")]
    Stop {
        /// Its main process.
        pid: i32,
        /// How long we waited for each way of stopping.
        limit: Duration,
    },

    /// The operating system refused something.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: says what was tried, and on what.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
