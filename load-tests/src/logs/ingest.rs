//! Lines in a second: through the API, and beside it what PostgreSQL takes of the same lines at most.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};
use tokio_postgres::{Client, NoTls};

use super::{
    Times,
    lines::{Line, Lines},
};
use crate::http::{Connection, Request};

/// A table with the columns and indexes of `log_lines`, and no event, no key, no partition.
pub(crate) const PLAIN: &str = "create table plain (like log_lines including all);
    create index on plain (at, seq, line) include (level);
    create index on plain (source, at, seq, line);
    create index on plain (execution, at, seq, line) where execution is not null;
    create index on plain (seq)";

/// Batches that are drawn before the clock runs, and sent again and again.
const BATCHES: usize = 50;

/// What one way of writing came to.
#[derive(Debug)]
pub struct Rate {
    /// In a second, durable.
    pub lines_per_s: f64,
    /// Of each batch.
    pub times: Times,
}

/// Who writes.
enum Sender {
    Api { connection: Connection, token: String, bodies: Vec<String> },
    Insert { client: Client, batches: Vec<Vec<Line>> },
}

impl Sender {
    async fn send(&mut self, nth: usize) -> Result<()> {
        match self {
            Sender::Api { connection, token, bodies } => {
                let body = bodies[nth % bodies.len()].as_bytes();
                let reply = connection.send(Request::post("/api/v1/logs", token, body)).await?;
                ensure!(reply.head.status == 201, "{}: {}", reply.head.status, String::from_utf8_lossy(reply.body));
            }
            Sender::Insert { client, batches } => {
                let batch = &batches[nth % batches.len()];
                let levels: Vec<i16> = batch.iter().map(|line| line.level_number).collect();
                let messages: Vec<&str> = batch.iter().map(|line| line.message.as_str()).collect();
                let insert = "insert into plain (at, recorded_at, seq, line, level, source, message)
                    select now(), now(), $1, l.line, l.level, $2, l.message
                      from unnest($3::smallint[], $4::text[]) with ordinality l (level, message, line)";
                client.execute(insert, &[&(nth as i64), &batch[0].source, &levels, &messages]).await?;
            }
        }
        Ok(())
    }
}

/// Through `POST /api/v1/logs`: a source for each sender.
pub async fn api(
    (address, token): (SocketAddr, &str),
    lines: &Lines,
    senders: usize,
    batch: usize,
    period: Duration,
) -> Result<Rate> {
    let mut all = Vec::new();
    for number in 0..senders {
        let body = |_| {
            let line = |_| lines.draw();
            let lines: Vec<Line> = (0..batch).map(line).collect();
            let line = |line: &Line| json!({ "level": line.level, "message": line.message });
            let lines: Vec<_> = lines.iter().map(line).collect();
            json!({ "source": format!("source-{number}"), "server": format!("host-{number}"), "lines": lines })
                .to_string()
        };
        let bodies = (0..BATCHES).map(body).collect();
        all.push(Sender::Api { connection: Connection::open(address).await?, token: token.to_owned(), bodies });
    }
    run(all, batch, period).await
}

/// Straight into a plain table with the same columns and indexes: a statement and a transaction per batch.
pub async fn insert(url: &str, lines: &Lines, senders: usize, batch: usize, period: Duration) -> Result<Rate> {
    let first = connect(url).await?;
    first.batch_execute("drop table if exists plain").await?;
    first.batch_execute(PLAIN).await?;
    let mut all = Vec::new();
    for _ in 0..senders {
        let batches = (0..BATCHES).map(|_| (0..batch).map(|_| lines.draw()).collect()).collect();
        all.push(Sender::Insert { client: connect(url).await?, batches });
    }
    let rate = run(all, batch, period).await;
    first.batch_execute("drop table plain").await?;
    rate
}

async fn run(senders: Vec<Sender>, batch: usize, period: Duration) -> Result<Rate> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for mut sender in senders {
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut sent = Instant::now();
            while sent < begin + period {
                sender.send(times.len()).await?;
                let answered = Instant::now();
                times.push(answered - sent);
                sent = answered;
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        times.extend(ended.context("a sender panicked")??);
    }
    let lines_per_s = (times.len() * batch) as f64 / begin.elapsed().as_secs_f64();
    Ok(Rate { lines_per_s, times: Times::of(times) })
}

/// A session.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
