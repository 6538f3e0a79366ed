//! Making a new cluster.

use std::fs;
use std::path::Path;

use super::binaries::Binaries;
use super::place::Place;
use super::{Error, SUPERUSER};

/// How the directories begin in which initdb works, so that a later start finds the abandoned ones.
const UNFINISHED: &str = "initdb-";

/// Makes the cluster beside its final place and renames it there when complete: initdb writes
/// PG_VERSION early, so half a cluster looks like a whole one. The caller holds the lock.
///
/// Checksums are on. Sorting is by bytes, the same everywhere and after any upgrade of libc.
/// Everybody who can reach the socket is trusted, and that is what its directory's mode is for.
pub(super) fn run(place: &Place, binaries: &Binaries, durable: bool) -> Result<(), Error> {
    remove_unfinished(place.directory());
    let unfinished = place.directory().join(format!("{UNFINISHED}{}", std::process::id()));
    place.own(&unfinished)?;
    let program = binaries.program("initdb");
    let mut initdb = place.command(&program);
    initdb.arg("--pgdata").arg(&unfinished).args(["--username", SUPERUSER, "--auth=trust"]).args([
        "--encoding=UTF8",
        "--no-locale",
        "--data-checksums",
    ]);
    if !durable {
        initdb.arg("--no-sync");
    }
    let output = initdb.output().map_err(Error::io("run", &program))?;
    if !output.status.success() {
        let _ = fs::remove_dir_all(&unfinished);
        return Err(Error::Initdb { output: String::from_utf8_lossy(&output.stderr).trim().to_owned() });
    }
    fs::rename(&unfinished, place.data()).map_err(Error::io("rename", &unfinished))
}

/// What processes killed during initdb left behind. Failing here harms nobody.
fn remove_unfinished(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
