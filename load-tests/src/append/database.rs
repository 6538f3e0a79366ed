//! The two databases, side by side in one private PostgreSQL that is gone after the run.

use std::future::poll_fn;

use anyhow::{Context, Result};
use signalbox::postgres::{
    Direct,
    migrate::migrate,
    private::{Cluster, SUPERUSER},
};
use tokio_postgres::{Client, NoTls};

use super::usual;
use crate::{report, scratch::Scratch};

/// Connections that are not writers': superuser slots, the tail, the pool, this module's.
const OTHER_CONNECTIONS: usize = 30;

/// Events that one statement of a preload writes: some 500 MB of WAL and 10 s.
const PRELOAD_EVENTS: i64 = 250_000;

/// The cluster and a session in each database.
#[derive(Debug)]
pub struct Databases {
    ours: Client,
    usual: Client,
    cluster: Cluster,
    // Removed after the cluster has stopped: fields are dropped in this order.
    _scratch: Scratch,
}

impl Databases {
    /// Starts PostgreSQL as durable as the server's own, with a connection for each writer.
    pub async fn start(writers: usize) -> Result<Databases> {
        let scratch = Scratch::new("append")?;
        let connections = ("max_connections".to_owned(), (writers + OTHER_CONNECTIONS).to_string());
        let cluster = scratch.start_postgres(vec![connections]).await?;
        let first = connect(&cluster.url("postgres", SUPERUSER)).await?;
        first.batch_execute("create database ours").await?;
        first.batch_execute("create database usual").await?;

        migrate(&Direct::migrating(&cluster.url("ours", SUPERUSER))?).await?;
        let ours = connect(&cluster.url("ours", SUPERUSER)).await?;
        ours.batch_execute(include_str!("preload_ours.sql")).await.context("preload_ours.sql")?;

        let usual = connect(&cluster.url("usual", SUPERUSER)).await?;
        usual::create(&usual).await?;
        usual.batch_execute(include_str!("preload_usual.sql")).await.context("preload_usual.sql")?;
        Ok(Databases { ours, usual, cluster, _scratch: scratch })
    }

    /// Where the server's log is.
    pub fn ours_url(&self) -> String {
        self.cluster.url("ours", SUPERUSER)
    }

    /// Where the usual design's tables are.
    pub fn usual_url(&self) -> String {
        self.cluster.url("usual", SUPERUSER)
    }

    /// Fills both logs up to a number of events, with streams, states and keys to match.
    pub async fn fill(&self, events: i64) -> Result<()> {
        for (name, client) in [("ours", &self.ours), ("usual", &self.usual)] {
            let row = client.query_one("select coalesce(max(seq), 0) from events", &[]).await?;
            let mut head: i64 = row.get(0);
            while head < events {
                let last = events.min(head + PRELOAD_EVENTS);
                client.execute("select pg_temp.preload($1, $2)", &[&(head + 1), &last]).await?;
                head = last;
                report::note(format_args!("preload: {name} has {} events", report::thousands(head as f64)));
            }
            client.batch_execute("vacuum analyze").await?;
        }
        Ok(())
    }

    /// Writes out what was dirtied so far, so that no round pays for a preload.
    pub async fn checkpoint(&self) -> Result<()> {
        Ok(self.ours.batch_execute("checkpoint").await?)
    }

    /// One listening session in each database: a notification costs most when somebody hears it.
    pub async fn listen(&self) -> Result<[Client; 2]> {
        Ok([listen(&self.ours_url()).await?, listen(&self.usual_url()).await?])
    }
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A session that takes notifications and forgets them, until it is dropped.
async fn listen(url: &str) -> Result<Client> {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move { while let Some(Ok(_)) = poll_fn(|context| connection.poll_message(context)).await {} });
    client.batch_execute("listen events").await?;
    Ok(client)
}
