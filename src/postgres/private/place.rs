//! Where the cluster lives, and what belongs to it there.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Error;
use super::account::Account;
use super::binaries::leading_number;
use super::poll::{POLL_INTERVAL, poll};

/// How long to wait for another process that starts the same cluster: its initdb (1 s) and its
/// recovery (`START_LIMIT`, 120 s).
const LOCK_LIMIT: Duration = Duration::from_secs(130);

/// The log is emptied when it has outgrown this. PostgreSQL writes warnings and errors only, some
/// 200 bytes each, so this is the tail of at least 50,000 mishaps.
const LOG_LIMIT_BYTES: u64 = 10 << 20;

/// `sun_path` holds 104 bytes on macOS and 108 on Linux, one of them for the final NUL.
const SOCKET_PATH_LIMIT_BYTES: usize = 103;

/// PostgreSQL derives the socket's name from the port.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// The cluster's directory, made ready for its account.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    data: PathBuf,
    socket_directory: PathBuf,
    account: Account,
}

impl Place {
    /// `wanted`, created when missing, or its replacement in `/var/lib`.
    pub(super) fn choose(wanted: &Path) -> Result<Self, Error> {
        let wanted = create(wanted)?;
        let place = Self::at(wanted)?;
        // Data that is there already is never traded for an empty cluster elsewhere: then
        // PostgreSQL itself says what it cannot reach.
        if place.data.exists() || place.account.can_enter(&place.directory)? {
            return Ok(place);
        }
        let name = format!("/var/lib/signalbox-{:016x}", fnv1a(&place.directory));
        let replacement = Self::at(create(Path::new(&name))?)?;
        tracing::warn!(
            wanted = %place.directory.display(),
            directory = %replacement.directory.display(),
            uid = replacement.account.uid,
            "PostgreSQL's user cannot reach the wanted directory; the private cluster lives elsewhere"
        );
        Ok(replacement)
    }

    fn at(directory: PathBuf) -> Result<Self, Error> {
        let data = directory.join("data");
        let account = Account::owning(&data)?;
        let beside = directory.join("socket");
        let fits = beside.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_LIMIT_BYTES;
        // PostgreSQL takes the path as a setting, which is text.
        let socket_directory = if fits && beside.to_str().is_some() {
            beside
        } else {
            PathBuf::from(format!("/tmp/signalbox-{:016x}", fnv1a(&directory)))
        };
        Ok(Self { directory, data, socket_directory, account })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn socket_directory(&self) -> &Path {
        &self.socket_directory
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket_directory.join(SOCKET_NAME)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("postgres.log")
    }

    /// The right to start the cluster, until the file is dropped. Holds the process id of the one
    /// who last did.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let path = self.directory.join("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        let locked = poll(POLL_INTERVAL, LOCK_LIMIT, || match file.try_lock() {
            Ok(()) => Some(Ok(())),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(source)) => Some(Err(source)),
        });
        match locked {
            Some(result) => result.map(|()| file).map_err(Error::io("lock", &path)),
            None => Err(Error::Locked { path, limit: LOCK_LIMIT }),
        }
    }

    /// The log, for appending, emptied when it has outgrown [`LOG_LIMIT_BYTES`]. PostgreSQL appends
    /// to the same file, so it goes on at the new end.
    pub(super) fn open_log(&self) -> Result<File, Error> {
        let path = self.log();
        let open = || {
            let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            if log.metadata()?.len() > LOG_LIMIT_BYTES {
                log.set_len(0)?;
            }
            Ok(log)
        };
        open().map_err(Error::io("open", &path))
    }

    /// The major version that made the data; `None` when there is no cluster yet.
    pub(super) fn cluster_major(&self) -> Result<Option<u32>, Error> {
        if !self.data.exists() {
            return Ok(None);
        }
        let path = self.data.join("PG_VERSION");
        let version = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        Ok(Some(leading_number(&version).unwrap_or_default()))
    }

    /// Makes a directory that only the account and root may enter, or checks that it is one.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        let Account { uid, gid } = self.account;
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Error::io("create", path)(source)),
        }
        // Not following a link: in /tmp it could be anybody's.
        let found = fs::symlink_metadata(path).map_err(Error::io("inspect", path))?;
        let made_by_us = found.uid() == rustix::process::geteuid().as_raw();
        if !found.is_dir() || !(made_by_us || found.uid() == uid) {
            return Err(Error::Owner { path: path.to_owned(), owner: found.uid(), account: uid });
        }
        lchown(path, Some(uid), Some(gid)).map_err(Error::io("change the owner of", path))
    }

    /// A program run as the account, from `/`, without our environment: PG* variables would change
    /// what it does, and a locale may be missing in a small image.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").stdin(Stdio::null());
        self.account.run(&mut command);
        command
    }
}

/// The directory's absolute path. A new one may be passed through by everybody but listed by
/// nobody else, whatever the umask: as root the account has to get to its own part below.
fn create(directory: &Path) -> Result<PathBuf, Error> {
    if !directory.exists() {
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        fs::set_permissions(directory, Permissions::from_mode(0o711))
            .map_err(Error::io("set the permissions of", directory))?;
    }
    directory.canonicalize().map_err(Error::io("find", directory))
}

/// FNV-1a, 64 bits. Names directories, so it must be the same for ever, which std's hasher is not.
fn fnv1a(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
