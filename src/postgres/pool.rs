//! Pooled queries. Reads only: whatever changes state goes through the append queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::{CONNECT_WAIT, Direct, explain};

/// Until a pooled connection is free; then the request is answered 503.
const POOL_WAIT: Duration = Duration::from_secs(2);
/// For an answer; longer than the server's own statement timeout, so that it speaks first.
const ANSWER_WAIT: Duration = Duration::from_secs(8);

/// Runs queries on pooled connections. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    queries: AtomicU64,
    failed: AtomicU64,
}

/// Why a query got no rows.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No free connection in time.
    #[error("no database connection: {0}")]
    Pool(#[from] PoolError),
    /// No answer in time, not even a refusal: the server is halted or the network is gone.
    #[error("no answer within {} s", ANSWER_WAIT.as_secs())]
    TimedOut,
    /// The query failed.
    #[error("{}", explain(.0))]
    Query(#[from] tokio_postgres::Error),
    /// A row that is always there is not.
    #[error("the database lacks a row that is always there")]
    NoRow,
}

impl QueryError {
    /// Class 22: a value that PostgreSQL cannot take, such as a forged cursor.
    pub fn is_the_client_s(&self) -> bool {
        matches!(self, QueryError::Query(error) if error.code().is_some_and(|code| code.code().starts_with("22")))
    }

    /// PostgreSQL ended it for the time that it took.
    pub fn is_too_slow(&self) -> bool {
        matches!(self, QueryError::Query(error) if error.code() == Some(&SqlState::QUERY_CANCELED))
    }
}

impl Database {
    /// A pool of at most `size` connections.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn new(direct: &Direct, size: usize) -> anyhow::Result<Database> {
        Database::named("signalbox", direct, size)
    }

    /// The same, with sessions of this name in the eyes of PostgreSQL.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn named(name: &str, direct: &Direct, size: usize) -> anyhow::Result<Database> {
        let mut config = direct.config.clone();
        config.application_name(name);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, direct.tls.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(CONNECT_WAIT))
            .recycle_timeout(Some(CONNECT_WAIT));
        Ok(Database { pool: pool.build()?, counts: Arc::default() })
    }

    /// Rows of one statement, which stays prepared on its connection: pass constant text only.
    ///
    /// A connection that died in the pool is noticed here and the statement is sent once more.
    /// So it must not matter whether it ran: reads, and writes that say the same thing twice.
    ///
    /// # Errors
    /// [`QueryError`].
    ///
    /// # Cancellation
    /// The statement still ends on the server, within its statement timeout, and the connection is kept.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, QueryError> {
        self.counted(sql, parameters, |error| !error.is_the_client_s()).await
    }

    /// The same for a statement that reads as much as a client asks: that it took too long tells nothing of the
    /// database's health.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn query_broad(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, QueryError> {
        self.counted(sql, parameters, |error| !error.is_the_client_s() && !error.is_too_slow()).await
    }

    async fn counted(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        is_failure: fn(&QueryError) -> bool,
    ) -> Result<Vec<Row>, QueryError> {
        let first = self.attempt(sql, parameters).await;
        let answer = match first {
            Err(QueryError::Query(error)) if died(&error) => self.attempt(sql, parameters).await,
            answer => answer,
        };
        self.counts.queries.fetch_add(1, Ordering::Relaxed);
        if answer.as_ref().is_err_and(is_failure) {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Queries since the start, and those of them that failed for no fault of a client.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.queries.load(Ordering::Relaxed), self.counts.failed.load(Ordering::Relaxed))
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, QueryError> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// The one row of a statement that always has one.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, QueryError> {
        self.query_opt(sql, parameters).await?.ok_or(QueryError::NoRow)
    }

    async fn attempt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, QueryError> {
        let client = self.pool.get().await?;
        let answer = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        let Ok(answer) = timeout(ANSWER_WAIT, answer).await else {
            drop(Object::take(client)); // whoever got it next would wait behind this query
            return Err(QueryError::TimedOut);
        };
        if answer.as_ref().is_err_and(died) {
            drop(Object::take(client)); // do not lend a dead connection again
        }
        Ok(answer?)
    }
}

fn died(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.code().is_some_and(|code| matches!(code.code(), "57P01" | "57P02" | "57P03"))
}
