//! Several server processes on one database, each on an address that it keeps.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use tokio::sync::Mutex;

use crate::server::{ANY_PORT, Server};

/// The processes; one that was killed leaves its place empty.
#[derive(Debug)]
pub(super) struct Servers {
    database_url: String,
    /// Where the processes log to.
    directory: PathBuf,
    /// The processes' own, by the names of their environment variables.
    settings: Vec<(&'static str, String)>,
    addresses: Vec<SocketAddr>,
    places: Vec<Mutex<Option<Server>>>,
}

impl Servers {
    /// Starts so many, one after the other.
    pub(super) async fn start(
        number: usize,
        database_url: &str,
        directory: &Path,
        settings: Vec<(&'static str, String)>,
    ) -> Result<Servers> {
        ensure!(number > 0, "at least one process");
        let (database_url, directory) = (database_url.to_owned(), directory.to_owned());
        let mut servers = Servers { database_url, directory, settings, addresses: Vec::new(), places: Vec::new() };
        for process in 0..number {
            let server = servers.start_one(process, ANY_PORT).await?;
            servers.addresses.push(server.address());
            servers.places.push(Mutex::new(Some(server)));
        }
        Ok(servers)
    }

    /// The address of one of them; numbers go round.
    pub(super) fn address(&self, process: usize) -> SocketAddr {
        self.addresses.get(process % self.addresses.len()).copied().unwrap_or(ANY_PORT)
    }

    /// The process id of one of them.
    pub(super) async fn pid(&self, process: usize) -> Result<u32> {
        let place = self.places.get(process).context("a process")?.lock().await;
        place.as_ref().context("a process that is there")?.pid()
    }

    /// Kills one without warning and starts it again at its old address.
    pub(super) async fn kill_and_start(&self, process: usize) -> Result<()> {
        let process = process % self.places.len();
        let mut place = self.places.get(process).context("a process")?.lock().await;
        if let Some(server) = place.take() {
            server.kill().await?;
        }
        *place = Some(self.start_one(process, self.address(process)).await?);
        Ok(())
    }

    /// Starts those that are not there.
    pub(super) async fn start_missing(&self) -> Result<()> {
        for (process, place) in self.places.iter().enumerate() {
            let mut place = place.lock().await;
            if place.is_none() {
                *place = Some(self.start_one(process, self.address(process)).await?);
            }
        }
        Ok(())
    }

    async fn start_one(&self, process: usize, listen: SocketAddr) -> Result<Server> {
        let log = self.directory.join(format!("server-{process}.log"));
        Server::start_with(&self.database_url, listen, Some(&log), &self.settings).await
    }
}
