//! PostgreSQL's main process: starting, watching and stopping it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::binaries::Binaries;
use super::find::{PidFile, holds};
use super::place::Place;
use super::poll::{POLL_INTERVAL, poll};
use super::{Error, Options, settings};

/// Until connections are accepted. An orderly start takes 30 ms; recovery reads at most
/// `max_wal_size`, 1 GiB, which a slow disk does in a minute.
pub(super) const START_LIMIT: Duration = Duration::from_secs(120);

/// For backends whose main process was killed: they end with their statement, which
/// `statement_timeout` bounds, and until then nobody may touch the data.
const ORPHAN_LIMIT: Duration = Duration::from_secs(30);

/// Between two attempts while orphans last; each attempt is a process and two lines of log.
const ORPHAN_INTERVAL: Duration = Duration::from_millis(100);

/// For a fast shutdown, which writes a checkpoint: 256 MiB at worst. Then again for an immediate
/// one, which writes nothing.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How much of the log an error shows.
const LOG_TAIL_LIMIT_BYTES: u64 = 4 << 10;

/// What PostgreSQL prints (its locale is C) when orphans hold the shared memory.
const ORPHANS_MESSAGE: &str = "pre-existing shared memory block";

/// Runs the command in `$2…`, prints its process id, and sends it the signal `$1` when our end of
/// stdin closes, however we end. Death signals of the kernel (PR_SET_PDEATHSIG) would need unsafe
/// code, fire when the spawning *thread* ends, and do not exist on macOS.
///
/// Signals to the whole group or service must not take the watchdog first. Stdin is duplicated
/// because a background job of sh reads /dev/null in its place.
const WATCHDOG: &str = r#"
    trap '' HUP INT TERM
    signal=$1
    shift
    exec 3<&0
    "$@" 3<&- >&2 &
    postmaster=$!
    echo "$postmaster"
    (read -r _ <&3; kill -s "$signal" "$postmaster") &
    guard=$!
    wait "$postmaster"
    status=$?
    kill -s KILL "$guard"
    wait "$guard" 2>/dev/null
    exit "$status"
"#;

/// PostgreSQL's main process.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: Pid,
    /// The shell that runs it; `None` when another process started it, or after the stop.
    watchdog: Option<Child>,
}

impl Postmaster {
    /// Starts PostgreSQL and waits until it accepts connections, trying again for
    /// [`ORPHAN_LIMIT`] while backends of a killed predecessor last. The caller holds the lock.
    pub(super) fn start(place: &Place, binaries: &Binaries, options: &Options) -> Result<Self, Error> {
        place.own(place.socket_directory())?;
        let mut outcome = Self::start_once(place, binaries, options);
        if orphans_remain(&outcome) {
            tracing::warn!("waiting for the backends of a killed PostgreSQL to end");
            poll(ORPHAN_INTERVAL, ORPHAN_LIMIT, || {
                outcome = Self::start_once(place, binaries, options);
                (!orphans_remain(&outcome)).then_some(())
            });
        }
        outcome
    }

    fn start_once(place: &Place, binaries: &Binaries, options: &Options) -> Result<Self, Error> {
        let log = place.open_log()?;
        let log_start = log.metadata().map_or(0, |log| log.len());
        let shell = Path::new("/bin/sh");
        let mut watchdog = place
            .command(shell)
            .args(["-c", WATCHDOG, "signalbox-watchdog"])
            .arg(if options.durable { "INT" } else { "QUIT" })
            .arg(binaries.program("postgres"))
            .arg("-D")
            .arg(place.data())
            .args(settings::arguments(place, options))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for us: PostgreSQL has to outlive our own graceful stop.
            .process_group(0)
            .spawn()
            .map_err(Error::io("run", shell))?;

        let failed = |reason| Error::Start { reason, log: place.log(), tail: log_tail(&place.log(), log_start) };
        let Some(pid) = watchdog.stdout.take().and_then(first_line_pid) else {
            let _ = watchdog.wait();
            return Err(failed("its watchdog did not run".to_owned()));
        };
        let mut postmaster = Self { pid, watchdog: Some(watchdog) };
        let ready = poll(POLL_INTERVAL, START_LIMIT, || {
            if let Some(ended) = postmaster.exit() {
                return Some(Err(ended));
            }
            let answers = UnixStream::connect(place.socket()).is_ok();
            let file = PidFile::read(place.data());
            let ready = answers && file.is_some_and(|file| file.pid == pid && file.ready);
            ready.then_some(Ok(()))
        });
        match ready {
            Some(Ok(())) => Ok(postmaster),
            Some(Err(ended)) => Err(failed(ended)),
            None => {
                postmaster.stop()?;
                Err(failed(format!("it was not ready after {START_LIMIT:?}")))
            }
        }
    }

    /// One that another process started: known, but not ours to stop.
    pub(super) fn shared(pid: Pid) -> Self {
        Self { pid, watchdog: None }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn is_ours(&self) -> bool {
        self.watchdog.is_some()
    }

    pub(super) fn is_alive(&self, place: &Place) -> bool {
        holds(self.pid, place.data())
    }

    /// Stops it if it is ours, and waits for its end. The second time it does nothing.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        // The watchdog now does what it would do after our death.
        drop(self.watchdog.as_mut().and_then(|shell| shell.stdin.take()));
        if self.has_ended_within(STOP_LIMIT) {
            return Ok(());
        }
        // The number is still its own: the watchdog has not seen its end.
        let _ = kill_process(self.pid, Signal::QUIT);
        if self.has_ended_within(STOP_LIMIT) {
            return Ok(());
        }
        self.watchdog = None; // nothing is left to try
        Err(Error::Stop { pid: self.pid.as_raw_pid(), limit: STOP_LIMIT })
    }

    fn has_ended_within(&mut self, limit: Duration) -> bool {
        let ended = poll(POLL_INTERVAL, limit, || match &mut self.watchdog {
            None => Some(()),
            Some(shell) => shell.try_wait().transpose().map(drop),
        });
        if ended.is_some() {
            self.watchdog = None;
        }
        ended.is_some()
    }

    /// How the watchdog ended, which is how PostgreSQL did; `None` while both live.
    fn exit(&mut self) -> Option<String> {
        let status = self.watchdog.as_mut()?.try_wait().transpose()?;
        Some(match status {
            Ok(status) => format!("it ended with {status}"),
            Err(error) => format!("its watchdog is lost: {error}"),
        })
    }
}

fn first_line_pid(stdout: impl Read) -> Option<Pid> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).ok()?;
    Pid::from_raw(line.trim().parse().ok()?)
}

fn orphans_remain(outcome: &Result<Postmaster, Error>) -> bool {
    matches!(outcome, Err(Error::Start { tail, .. }) if tail.contains(ORPHANS_MESSAGE))
}

/// What the log holds from `start` on, at most its last [`LOG_TAIL_LIMIT_BYTES`].
fn log_tail(log: &Path, start: u64) -> String {
    let read = || {
        let mut log = File::open(log)?;
        let end = log.metadata()?.len();
        log.seek(SeekFrom::Start(start.max(end.saturating_sub(LOG_TAIL_LIMIT_BYTES))))?;
        let mut tail = Vec::new();
        log.take(LOG_TAIL_LIMIT_BYTES).read_to_end(&mut tail)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&tail).trim().to_owned())
    };
    read().unwrap_or_else(|error| format!("(unreadable: {error})"))
}
