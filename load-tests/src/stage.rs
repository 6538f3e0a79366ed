//! What a scenario plays on: a PostgreSQL that counts its statements, a server, a signed-in user, incidents.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use signalbox::postgres::private::{Cluster, SUPERUSER};
use uuid::Uuid;

use crate::{
    http::Connection,
    incidents,
    queries::{Queries, start_counting},
    scratch::Scratch,
    server::{ANY_PORT, Server, sign_in},
};

/// All of it, until it is dropped.
#[derive(Debug)]
pub struct Stage {
    // Dropped in this order: the server before its database, the files last.
    server: Option<Server>,
    /// Where the server listens, also after a restart.
    pub address: SocketAddr,
    /// Of the user `admin`, good for longer than a run.
    pub token: String,
    /// Of the database.
    pub queries: Queries,
    settings: Vec<(&'static str, String)>,
    cluster: Cluster,
    _scratch: Scratch,
}

/// A server that was killed and is there again.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// When it was killed.
    pub killed: Instant,
    /// From the start of the new process until it listens.
    pub start: Duration,
}

impl Stage {
    /// Starts everything; `settings` are the server's, by the names of their environment variables.
    pub async fn set(name: &str, settings: Vec<(&'static str, String)>) -> Result<Stage> {
        let scratch = Scratch::new(name)?;
        let options = scratch.postgres(Vec::new());
        let cluster = tokio::task::spawn_blocking(move || start_counting(&options)).await??;
        let server = Server::start_with(&cluster.url("postgres", SUPERUSER), ANY_PORT, None, &settings).await?;
        let address = server.address();
        let token = sign_in(address).await?;
        let queries = Queries::of(&cluster).await?;
        Ok(Stage { server: Some(server), address, token, queries, settings, cluster, _scratch: scratch })
    }

    /// The database, for its superuser.
    pub fn database_url(&self) -> String {
        self.cluster.url("postgres", SUPERUSER)
    }

    /// The server's process.
    pub fn pid(&self) -> Result<u32> {
        self.server.as_ref().context("a server")?.pid()
    }

    /// Kills the server without warning and starts it again at its address.
    pub async fn restart(&mut self) -> Result<Restart> {
        let killed = Instant::now();
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        let starting = Instant::now();
        let url = self.cluster.url("postgres", SUPERUSER);
        self.server = Some(Server::start_with(&url, self.address, None, &self.settings).await?);
        Ok(Restart { killed, start: starting.elapsed() })
    }

    /// One more server process on the same database, with the same settings. It must be dropped before the stage.
    pub async fn another_server(&self) -> Result<Server> {
        Server::start_with(&self.cluster.url("postgres", SUPERUSER), ANY_PORT, None, &self.settings).await
    }

    /// Reports so many incidents, over one connection.
    pub async fn report_incidents(&self, number: usize) -> Result<Vec<Uuid>> {
        let mut connection = Connection::open(self.address).await?;
        let mut ids = Vec::new();
        for index in 0..number {
            let (title, severity) = (format!("Load {index}"), format!("P{}", index % 5));
            ids.push(incidents::report(&mut connection, &self.token, &title, &severity).await?.id);
        }
        Ok(ids)
    }
}
