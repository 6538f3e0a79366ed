//! A peer's process.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{self, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a peer may take to accept its first connection.
const START: Duration = Duration::from_secs(10);

/// How long it may take to end when it is asked to.
const STOP: Duration = Duration::from_secs(5);

/// How often both are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A process that listens; when this is dropped it is asked to end, and then made to.
#[derive(Debug)]
pub(super) struct Child {
    process: process::Child,
    address: SocketAddr,
}

/// A port of the loopback address that is free, and most likely still is a moment later;
/// for servers that cannot be asked to choose one.
pub(super) fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Child {
    /// Starts it and waits until it accepts connections. What it prints goes to a file in `directory`.
    pub(super) fn start(command: &mut Command, address: SocketAddr, directory: &Path) -> Result<Child> {
        let log = directory.join("output.log");
        let file = File::create(&log)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {:?}", command.get_program()))?;
        let mut child = Child { process, address };
        let deadline = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline || child.process.try_wait()?.is_some() {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("{:?} does not answer on {address}: {said}", command.get_program());
            }
            std::thread::sleep(LOOK);
        }
        Ok(child)
    }

    /// The process; its workers, if it has any, are its children.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Killed at once, nginx would leave its workers behind; asked to, it ends them.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let deadline = Instant::now() + STOP;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}
