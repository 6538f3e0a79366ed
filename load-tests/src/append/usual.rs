//! The usual design, as most competent people would write it.
//!
//! A transaction per command on the writer's own connection, prepared statements, rows
//! numbered by a sequence, and a trigger that notifies of each row. Statements that do not
//! need each other's answer are sent together, which is more than most do.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::try_join;
use tokio_postgres::{Client, NoTls, Statement, types::ToSql};
use uuid::Uuid;

use super::change::{ACTOR, Change};

/// Tables and trigger.
const SCHEMA: &str = include_str!("usual.sql");

/// The server's own table of current states, with its own indexes.
const STATES: &str = include_str!("../../../migrations/V3__incidents.sql");

const INSERT_KEY: &str = "insert into idempotency (principal, key, body_hash, reply) values ($1, $2, $3, $4)
    on conflict do nothing";

const LOCK_STATE: &str = "select version from incidents where id = $1 for update";

const INSERT_EVENT: &str = "insert into events
    (id, stream, version, type, data, actor, actor_name, permissions, correlation_id, occurred_at)
    values ($1, $2, $3, $4, $5, $6, 'Load', $7, $8, $9) returning seq";

const UPSERT_STATE: &str = "insert into incidents as i
    (id, number, title, status, severity, priority, urgency, affected_servers, labels, created_at, updated_at,
     version, state)
    values ($1, $2, $3, 'triggered', 'P2', 'normal', 2, '{}', '{}', $4, $4, $5, $6)
    on conflict (id) do update set title = excluded.title, status = excluded.status, severity = excluded.severity,
      priority = excluded.priority, urgency = excluded.urgency, affected_servers = excluded.affected_servers,
      labels = excluded.labels, updated_at = excluded.updated_at, version = excluded.version,
      state = excluded.state";

/// Named, so that they live until the statements sent together are answered.
type Parameters<'a, const N: usize> = [&'a (dyn ToSql + Sync); N];

/// Creates the tables in an empty database.
pub async fn create(client: &Client) -> Result<()> {
    client.batch_execute(STATES).await?;
    client.batch_execute(SCHEMA).await.context("the usual design's tables")
}

/// One writer with its own connection.
#[derive(Debug)]
pub struct Usual {
    client: Client,
    insert_key: Statement,
    lock_state: Statement,
    insert_event: Statement,
    upsert_state: Statement,
}

impl Usual {
    /// Connects and prepares the statements.
    pub async fn connect(url: &str) -> Result<Usual> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Usual {
            insert_key: client.prepare(INSERT_KEY).await?,
            lock_state: client.prepare(LOCK_STATE).await?,
            insert_event: client.prepare(INSERT_EVENT).await?,
            upsert_state: client.prepare(UPSERT_STATE).await?,
            client,
        })
    }

    /// Carries out one command in a transaction of its own and returns the event's `seq`.
    pub async fn append(&mut self, change: &Change, body_hash: &[u8]) -> Result<i64> {
        let (reply, key) = (change.reply(), change.key.to_string());
        let transaction = self.client.transaction().await?;

        let inserted_key: Parameters<'_, 4> = [&ACTOR, &key, &body_hash, &reply];
        let locked: Parameters<'_, 1> = [&change.incident];
        let (fresh, current) = try_join!(
            transaction.execute(&self.insert_key, &inserted_key),
            transaction.query_opt(&self.lock_state, &locked),
        )?;
        ensure!(fresh == 1, "the key was used before");
        let version: i64 = current.map_or(0, |row| row.get("version"));
        ensure!(version == change.expected, "the incident is at version {version}");

        let (stream, kind, data, version) = (change.stream(), change.kind(), change.data(), version + 1);
        let (state, permissions): (Value, &[&str]) = (change.state(), &["incidents.read"]);
        let title = state.get("title").and_then(Value::as_str);
        let (id, correlation_id) = (Uuid::now_v7(), Uuid::now_v7());
        let event: Parameters<'_, 9> =
            [&id, &stream, &version, &kind, &data, &ACTOR, &permissions, &correlation_id, &change.at];
        let upserted: Parameters<'_, 6> = [&change.incident, &change.number, &title, &change.at, &version, &state];
        let (inserted, _) = try_join!(
            transaction.query_one(&self.insert_event, &event),
            transaction.execute(&self.upsert_state, &upserted),
        )?;
        transaction.commit().await?;
        Ok(inserted.get("seq"))
    }
}
