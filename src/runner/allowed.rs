//! The allow-list: which programs a runbook may run on this machine. A file of the configuration, never a request.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// What a command may print, in KiB, unless its entry says less or more.
const OUTPUT_KIB: u64 = 64 << 10;

/// All of them, by the name that runbooks use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Allowed(BTreeMap<String, AllowedCommand>);

/// One program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedCommand {
    /// Absolute path.
    pub program: PathBuf,
    /// In front of those of the runbook.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Its whole environment; nothing is taken from the server's.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Where it begins.
    #[serde(default = "root")]
    pub directory: PathBuf,
    /// What it may print, in KiB; then it is ended.
    #[serde(default = "output_kib")]
    pub output_kib: u64,
}

fn root() -> PathBuf {
    PathBuf::from("/")
}

fn output_kib() -> u64 {
    OUTPUT_KIB
}

impl Allowed {
    /// Reads the file, if there is one to read.
    ///
    /// # Errors
    /// It cannot be read, or names a program that cannot be found without searching.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Allowed> {
        let Some(file) = file else { return Ok(Allowed::default()) };
        let named = || format!("the commands in {}", file.display());
        let text = std::fs::read_to_string(file).with_context(named)?;
        let allowed: Allowed = serde_json::from_str(&text).with_context(named)?;
        for (name, command) in &allowed.0 {
            ensure!(command.program.is_absolute(), "the program of the command {name} is not an absolute path");
        }
        Ok(allowed)
    }

    /// One by its name.
    pub fn get(&self, name: &str) -> Option<&AllowedCommand> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
