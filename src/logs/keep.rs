//! What happens to lines by time alone: days to come are made, days that are over are indexed, old days go.

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

use crate::domain::logs::Expired;
use crate::domain::permission::LOGS_READ;
use crate::log::{Appender, Cause, Command, NewEvent, Write};
use crate::postgres::{Database, Direct, QueryError};

/// How often it is looked whether a day is over.
const KEEP_EVERY: Duration = Duration::from_secs(3_600);
/// Until it is tried again where something was in the way.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// Makes the partitions of the days to come, and drops those of days before the last `retention_days`;
/// 0 keeps all. Returns the days that were dropped, such as `2026-11-21`.
///
/// One process does it at a time; for the others there is nothing to do.
///
/// # Errors
/// The database did not answer, or a partition was in use; ask again later.
pub async fn keep(database: &Database, retention_days: u32) -> Result<Vec<String>, QueryError> {
    let days = i32::try_from(retention_days).unwrap_or(i32::MAX);
    let rows = database.query(include_str!("../../sql/queries/log_partitions.sql"), &[&days]).await?;
    rows.iter().map(|row| Ok(row.try_get("dropped")?)).collect()
}

/// Gives each day that is over its index of words. While a day grows it has none: kept current within the append,
/// it would make every command wait ten times as long (load-tests/README.md has the figures).
///
/// # Errors
/// The database did not answer, or cannot index now.
///
/// # Cancellation
/// PostgreSQL still ends the index that it is at.
pub async fn index_words(direct: &Direct) -> anyhow::Result<()> {
    let session = direct.session("signalbox-logs", include_str!("../../sql/queries/log_words_index.sql")).await?;
    session.client.batch_execute("set statement_timeout = 0").await?; // a day of a million lines takes a minute
    loop {
        let indexed: Option<String> = session.client.query_one(&session.statement, &[]).await?.get("indexed");
        match indexed {
            Some(partition) => tracing::info!(partition, "words are indexed"),
            None => return Ok(()),
        }
    }
}

/// Does all of it, until the task is ended.
pub async fn keep_on(database: Database, direct: Direct, appender: Appender, retention_days: u32) {
    let mut untold = Vec::new();
    loop {
        let kept = async {
            untold.extend(keep(&database, retention_days).await?);
            if !untold.is_empty() {
                appender.append(expired(&untold)).await?;
                untold.clear();
            }
            index_words(&direct).await
        };
        match kept.await {
            Ok(()) => sleep(KEEP_EVERY).await,
            Err(error) => {
                tracing::debug!(%error, "partitions of log lines are looked after later");
                sleep(TRY_AGAIN).await;
            }
        }
    }
}

/// Says what is gone.
fn expired(days: &[String]) -> Command {
    let event = NewEvent {
        id: Uuid::now_v7(),
        kind: "log.expired",
        data: json!(Expired { days: days.to_vec() }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[LOGS_READ],
    };
    let writes = vec![Write { stream: "logs/retention".to_owned(), expected: None, events: vec![event] }];
    Command { cause: Cause::system("logs"), writes, states: Vec::new(), idempotency: None }
}
