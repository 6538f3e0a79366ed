//! A directory for one run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use signalbox::postgres::private::{Cluster, Options};

/// A new directory that is removed when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one below the system's directory for temporary files, which every user can enter:
    /// PostgreSQL and nginx give up root.
    pub fn new(name: &str) -> Result<Scratch> {
        let path = std::env::temp_dir().join(format!("signalbox-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Scratch(path))
    }

    /// What a PostgreSQL in it is started with, as durable as the server's own.
    pub fn postgres(&self, settings: Vec<(String, String)>) -> Options {
        Options { directory: self.0.join("postgres"), binaries: None, durable: true, settings }
    }

    /// Starts it.
    pub async fn start_postgres(&self, settings: Vec<(String, String)>) -> Result<Cluster> {
        let options = self.postgres(settings);
        Ok(tokio::task::spawn_blocking(move || Cluster::start(&options)).await??)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}
