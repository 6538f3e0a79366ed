//! Which installed PostgreSQL to run.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::Place;
use super::{Error, OLDEST_MAJOR};

/// Where packages put `postgres` and `initdb`, which few of them add to PATH: the parent of one
/// directory per major version, how such a directory's name begins, and what follows below it.
const INSTALL_PLACES: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),          // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                   // PGDG's packages for Fedora and RHEL
    ("/opt/homebrew/opt", "postgresql@", "bin"), // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql@", "bin"),    // Homebrew on Intel
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// One installation of PostgreSQL.
#[derive(Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// The installation in `given` and nowhere else; without it the first in PATH, then the newest
    /// of [`INSTALL_PLACES`]. A cluster that exists is run by the first of its own major version,
    /// so that installing a newer PostgreSQL beside the old one changes nothing.
    pub(super) fn find(given: Option<&Path>, place: &Place) -> Result<Self, Error> {
        let directories = match given {
            Some(directory) => vec![directory.to_owned()],
            None => path_directories(),
        };
        let mut searched = Vec::new();
        let mut usable = Vec::new();
        for directory in directories {
            searched.push(inspect(directory, &mut usable));
        }
        if given.is_none() {
            let mut packaged = Vec::new();
            for (parent, prefix, below) in INSTALL_PLACES {
                searched.push(format!("{parent}/{prefix}*/{below}"));
                for directory in versions_in(Path::new(parent), prefix) {
                    let note = inspect(directory.join(below), &mut packaged);
                    searched.push(note);
                }
            }
            packaged.sort_by_key(|found| Reverse(found.major));
            usable.append(&mut packaged);
        }

        if usable.is_empty() {
            return Err(Error::NoBinaries { oldest: OLDEST_MAJOR, searched: searched.join(", ") });
        }
        let Some(cluster) = place.cluster_major()? else {
            return Ok(usable.swap_remove(0));
        };
        let found: Vec<String> = usable.iter().map(Self::described).collect();
        usable.into_iter().find(|binaries| binaries.major == cluster).ok_or_else(|| Error::WrongVersion {
            data: place.data().to_owned(),
            cluster,
            found: found.join(", "),
        })
    }

    /// The full path of `postgres` or `initdb`.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn described(&self) -> String {
        format!("PostgreSQL {} in {}", self.major, self.directory.display())
    }
}

/// Adds the installation in `directory` to `usable`, or says in the result why it is not.
fn inspect(directory: PathBuf, usable: &mut Vec<Binaries>) -> String {
    let shown = directory.display().to_string();
    if !directory.join("postgres").exists() {
        return shown;
    }
    match major_version(&directory.join("postgres")) {
        None => format!("{shown} (its `postgres --version` does not answer)"),
        Some(major) if major < OLDEST_MAJOR => format!("{shown} (PostgreSQL {major})"),
        Some(_) if !directory.join("initdb").exists() => {
            format!("{shown} (no initdb beside postgres)")
        }
        Some(major) => {
            usable.push(Binaries { directory, major });
            shown
        }
    }
}

/// 15 for `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, 19 for `… 19beta1`.
fn major_version(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    leading_number(text.split_once("(PostgreSQL) ")?.1)
}

/// The number that `text` begins with.
pub(super) fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// PATH's absolute directories that hold a `postgres`; a relative one would mean another program
/// after the change of directory.
fn path_directories() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).filter(|directory| directory.is_absolute() && directory.join("postgres").exists()).collect()
}

fn versions_in(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()))
        .map(|entry| entry.path())
        .collect()
}
