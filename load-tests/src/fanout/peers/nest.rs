//! NestJS: the server that most people would write, on node; see `peers/nest/server.js`.
//!
//! One process, as `nest start` makes it. Its packages are installed once by `npm ci`, into
//! the build directory beside the load tests' own program.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{
    Running,
    child::{Child, free_port},
};
use crate::report;

const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../../../peers/nest/package.json")),
    ("package-lock.json", include_str!("../../../peers/nest/package-lock.json")),
    ("server.js", include_str!("../../../peers/nest/server.js")),
];

/// Says that the packages of the lock file beside it are all there.
const INSTALLED: &str = "installed-package-lock.json";

/// Installs it if need be and starts it.
pub(super) fn start(directory: &Path, message_bytes: usize) -> Result<Result<Running, String>> {
    let found = |program| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found("node") || !found("npm") {
        return Ok(Err("not installed: node 20 or newer with npm must be on PATH".to_owned()));
    }
    let home = home()?;
    if let Err(reason) = install(&home)? {
        return Ok(Err(reason));
    }
    let directory = directory.join("nest");
    fs::create_dir_all(&directory)?;
    let address = free_port()?;
    let mut command = Command::new("node");
    command.arg("server.js").arg(address.port().to_string()).current_dir(&home).env("NODE_ENV", "production");
    let child = Child::start(&mut command, address, &directory)?;
    Ok(Ok(Running::new(child, ["/stream", "/publish"], (r#"{"text":""#, r#""}"#), message_bytes)))
}

/// `target/peers/nest`: this program is `target/<profile>/load-tests`.
fn home() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).context("a program in a build directory")?;
    Ok(target.join("peers").join("nest"))
}

fn install(home: &Path) -> Result<Result<(), String>> {
    fs::create_dir_all(home)?;
    for (name, text) in FILES {
        fs::write(home.join(name), text)?;
    }
    let installed = home.join(INSTALLED);
    let [_, (lock, _), _] = FILES;
    let lock = fs::read(home.join(lock))?;
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(Ok(()));
    }
    report::note(format_args!("Installing NestJS into {}", home.display()));
    let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(home).output()?;
    if !npm.status.success() {
        let said = String::from_utf8_lossy(&npm.stderr);
        let error = said.lines().find(|line| line.contains("error") || line.contains("ERR")).unwrap_or_default();
        return Ok(Err(format!("not installed: `npm ci` in {} failed: {error}", home.display())));
    }
    fs::write(installed, lock)?;
    Ok(Ok(()))
}
