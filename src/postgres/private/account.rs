//! As whom PostgreSQL runs: it refuses root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;

/// Who runs PostgreSQL: ourselves, or another user when we are root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// Ourselves; as root the owner of `data`, else whom Debian's package made for it, else the
    /// user without rights that every system has. PostgreSQL insists on a name in /etc/passwd.
    pub(super) fn owning(data: &Path) -> Result<Self, Error> {
        let us = Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
        let existing = fs::symlink_metadata(data).ok().map(|found| Self { uid: found.uid(), gid: found.gid() });
        match existing {
            Some(owner) if us.uid == 0 && owner.uid != 0 => Ok(owner),
            Some(owner) if us.uid != 0 && owner.uid != us.uid => {
                Err(Error::Owner { path: data.to_owned(), owner: owner.uid, account: us.uid })
            }
            _ if us.uid != 0 => Ok(us),
            _ => Self::named("postgres").or_else(|| Self::named("nobody")).ok_or(Error::NoAccount),
        }
    }

    /// From a line of /etc/passwd, `name:password:uid:gid:…`.
    fn named(name: &str) -> Option<Self> {
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        fields
            .filter(|fields| fields.first() == Some(&name))
            .find_map(|fields| Some(Self { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? }))
    }

    /// As root std also gives up the supplementary groups; for ourselves nothing changes.
    pub(super) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Asks the kernel, by trying: mode bits do not tell of access lists and read-only mounts.
    pub(super) fn can_enter(self, directory: &Path) -> Result<bool, Error> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"cd "$1""#, "sh"]).arg(directory).current_dir("/").stderr(Stdio::null());
        self.run(&mut shell);
        let status = shell.status().map_err(Error::io("run", Path::new("/bin/sh")))?;
        Ok(status.success())
    }
}
