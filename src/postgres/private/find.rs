//! Whether somebody runs the cluster already, by its `postmaster.pid`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::{Pid, test_kill_process};

use super::Error;
use super::place::Place;
use super::poll::{POLL_INTERVAL, poll};
use super::postmaster::START_LIMIT;

/// What is known of a cluster before starting it.
#[derive(Debug)]
pub(super) enum Found {
    /// It accepts connections; another process started it.
    Running(Pid),
    /// Nobody runs it.
    Nothing,
}

/// Looks for a running postmaster, and waits for one that is just starting or stopping. Removes
/// the files of a dead one where PostgreSQL would be misled by them. The caller holds the lock.
pub(super) fn find(place: &Place) -> Result<Found, Error> {
    let mut holder = None;
    let found = poll(POLL_INTERVAL, START_LIMIT, || {
        // In this order: a postmaster writes its file before it listens, so while it answers, the
        // file is its own, not one left by a killed predecessor that also says "ready".
        let answers = UnixStream::connect(place.socket()).is_ok();
        let file = PidFile::read(place.data());
        holder = file.as_ref().map(|file| file.pid);
        match file {
            None => Some(Found::Nothing),
            Some(file) if !holds(file.pid, place.data()) => Some(Found::Nothing),
            Some(file) if answers && file.ready => Some(Found::Running(file.pid)),
            Some(_) => None,
        }
    });
    if let (Some(Found::Nothing), Some(pid)) = (&found, holder)
        && test_kill_process(pid).is_ok()
    {
        // The number now belongs to another process, as after a reboot. PostgreSQL would take
        // that for its predecessor. (If nobody has the number, the file stays: PostgreSQL reads
        // from it which shared memory orphans might still use.)
        let lock = place.socket().with_added_extension("lock");
        for path in [place.data().join("postmaster.pid"), lock] {
            let _ = fs::remove_file(path);
        }
    }
    found.ok_or_else(|| Error::Busy {
        pid: holder.map_or(0, Pid::as_raw_pid),
        data: place.data().to_owned(),
        limit: START_LIMIT,
    })
}

/// What we read of `postmaster.pid`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PidFile {
    pub(super) pid: Pid,
    pub(super) ready: bool,
}

impl PidFile {
    /// Its first line is the process id, its eighth the status.
    pub(super) fn read(data: &Path) -> Option<Self> {
        let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = file.lines();
        Some(Self {
            pid: Pid::from_raw(lines.next()?.trim().parse().ok()?)?,
            ready: lines.nth(6).is_some_and(|status| status.trim() == "ready"),
        })
    }
}

/// Whether `pid` is a live process that works in `data`, as PostgreSQL does. Where /proc cannot
/// tell, being alive is enough.
pub(super) fn holds(pid: Pid, data: &Path) -> bool {
    // A process that we may not signal is another user's, hence not our PostgreSQL.
    if test_kill_process(pid).is_err() {
        return false;
    }
    let works_in = fs::metadata(format!("/proc/{}/cwd", pid.as_raw_pid()));
    match (works_in, fs::metadata(data)) {
        (Ok(found), Ok(data)) => (found.dev(), found.ino()) == (data.dev(), data.ino()),
        _ => true,
    }
}
