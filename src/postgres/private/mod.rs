//! The private PostgreSQL cluster: what the server runs on when no `DATABASE_URL` is given.
//!
//! ```text
//! account     as whom it runs
//! place       where it lives; one starter at a time
//! find        running already? share it
//! binaries    which installed PostgreSQL
//! initdb      only the first time, renamed into place when complete
//! postmaster  postgres with its settings, under a watchdog, until it accepts connections
//! ```
//!
//! On disk, below [`Options::directory`]: `data/` (the cluster), `socket/` (0700: only the cluster's
//! account and root may enter), `postgres.log`, `lock`.
//!
//! Invariants
//! - PostgreSQL never runs as root and never listens on TCP; whoever may enter `socket/` is trusted.
//! - A cluster ends with the process that started it, even one killed by SIGKILL: a watchdog shell
//!   waits for the end of a pipe that only this process holds open.
//! - `data/` is either absent or complete, because initdb works beside it.
//! - Nothing is ever downloaded, and nobody else's directory changes its owner.
//!
//! All of it blocks: call it from `spawn_blocking`.

mod account;
mod binaries;
mod error;
mod find;
mod initdb;
mod place;
mod poll;
mod postmaster;
mod settings;

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use binaries::Binaries;
pub use error::Error;
use find::Found;
use place::Place;
use postmaster::Postmaster;

/// The role that initdb creates; the only one in a new cluster.
pub const SUPERUSER: &str = "signalbox_superuser";

/// The oldest major version with everything our SQL uses.
pub const OLDEST_MAJOR: u32 = 14;

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Home of the cluster, created when missing, e.g. `./.signalbox`.
    pub directory: PathBuf,
    /// The directory of `postgres` and `initdb` (`SIGNALBOX_PG_BIN`); `None` searches for it.
    pub binaries: Option<PathBuf>,
    /// `false` for a throw-away test cluster: nothing is synced to disk, and it is stopped by
    /// SIGQUIT. Its files stay; whoever made the directory removes it.
    pub durable: bool,
    /// More settings of PostgreSQL, as `postgres -c name=value`. They win over the defaults of
    /// this module, except over those that keep it reachable and private.
    pub settings: Vec<(String, String)>,
}

/// A running cluster.
///
/// Dropping it is [`Cluster::stop`] with the error logged.
///
/// # Sharing
/// A second process that starts the same directory shares the running cluster, and is told so in
/// a warning. It does not stop the cluster, but loses it when the process that started it ends:
/// [`Cluster::is_running`] then says so, and [`Cluster::restart`] makes the sharer the owner.
#[derive(Debug)]
pub struct Cluster {
    options: Options,
    place: Place,
    postmaster: Postmaster,
}

impl Cluster {
    /// Starts the cluster in `options.directory`, or shares it when it runs already; returns when
    /// it accepts connections. A new cluster takes about 0.6 s, an existing one 30 ms.
    ///
    /// As root it runs as the owner of the existing data, else as the user `postgres`, else as
    /// `nobody`. A directory that this user cannot reach, as below `/root`, is replaced by
    /// `/var/lib/signalbox-<hash of the path>`, with a note in the log.
    ///
    /// # Errors
    /// Each one says what was found and what to do; see [`Error`].
    pub fn start(options: &Options) -> Result<Self, Error> {
        let place = Place::choose(&options.directory)?;
        let mut lock = place.lock()?;
        let postmaster = match find::find(&place)? {
            Found::Running(pid) => {
                let mut owner = String::new();
                let _ = lock.read_to_string(&mut owner); // only for the message
                tracing::warn!(
                    directory = %place.directory().display(),
                    "sharing the PostgreSQL cluster of process {owner}: it stops when that process ends"
                );
                Postmaster::shared(pid)
            }
            Found::Nothing => {
                let binaries = Binaries::find(options.binaries.as_deref(), &place)?;
                if place.cluster_major()?.is_none() {
                    initdb::run(&place, &binaries, options.durable)?;
                }
                let postmaster = Postmaster::start(&place, &binaries, options)?;
                let _ =
                    lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
                postmaster
            }
        };
        Ok(Self { options: options.clone(), place, postmaster })
    }

    /// A connection URL, `postgresql://user@%2Fsocket%2Fdirectory/database`, as tokio-postgres and
    /// psql parse it. Neither the user nor the database need exist: see [`SUPERUSER`].
    pub fn url(&self, database: &str, user: &str) -> String {
        format!(
            "postgresql://{}@{}/{}",
            percent_encoded(user.as_bytes()),
            percent_encoded(self.socket_directory().as_os_str().as_encoded_bytes()),
            percent_encoded(database.as_bytes()),
        )
    }

    /// The process id of PostgreSQL's main process; another one after each restart.
    pub fn postmaster_pid(&self) -> i32 {
        self.postmaster.pid().as_raw_nonzero().get()
    }

    /// What PostgreSQL answers to `show data_directory`.
    pub fn data_directory(&self) -> &Path {
        self.place.data()
    }

    /// Where the unix socket is: `data_directory/../socket`, or in `/tmp` when that is too long.
    pub fn socket_directory(&self) -> &Path {
        self.place.socket_directory()
    }

    /// Whether the cluster ends with this value; `false` when another process started it.
    pub fn started_here(&self) -> bool {
        self.postmaster.is_ours()
    }

    /// Whether PostgreSQL's main process is alive. A few system calls: fit for once a second.
    pub fn is_running(&self) -> bool {
        self.postmaster.is_alive(&self.place)
    }

    /// Starts the cluster again when its main process has died; does nothing while it lives.
    ///
    /// Waits for orphaned backends of the dead one, at most `ORPHAN_LIMIT`. Afterwards
    /// [`Cluster::started_here`] tells whether this process or another one was first.
    ///
    /// # Errors
    /// As [`Cluster::start`]; the value can be asked again.
    pub fn restart(&mut self) -> Result<(), Error> {
        if !self.is_running() {
            *self = Self::start(&self.options)?;
        }
        Ok(())
    }

    /// Empties `postgres.log` when it has outgrown `LOG_LIMIT_BYTES` (starting does so too). To be
    /// called now and then; once a second is cheap.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn trim_log(&self) -> Result<(), Error> {
        self.place.open_log().map(drop)
    }

    /// Ends the cluster if this process started it, with a fast shutdown: sessions are cut, what
    /// was committed is on disk. After `STOP_LIMIT` it is ended the hard way, which costs the next
    /// start a recovery and loses nothing.
    ///
    /// # Errors
    /// PostgreSQL is still there after that.
    pub fn stop(mut self) -> Result<(), Error> {
        self.postmaster.stop()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.postmaster.stop() {
            tracing::error!(%error, "the private PostgreSQL cluster did not stop");
        }
    }
}

/// Every byte but RFC 3986's unreserved ones as `%XX`, so that a path can be the host of a URL.
fn percent_encoded(bytes: &[u8]) -> String {
    let encoded = bytes.iter().map(|&byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}
