//! Connections: the pool for queries, and direct ones for what a pooler cannot carry.

pub mod migrate;
mod pool;
pub mod private;
mod tls;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, Connection, Socket, Statement};

pub use pool::{Database, QueryError};
pub use tls::Tls;

/// The role that serves. `sql/grants.sql` says what it may do.
pub const APP_ROLE: &str = "signalbox_app";

/// Until a connection stands, TLS and sign-in included.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// Server-side limits of every session: a statement, a lock, a transaction left open. In ms.
const STATEMENT_TIMEOUT_MS: u32 = 5_000;
const LOCK_TIMEOUT_MS: u32 = 2_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS: u32 = 5_000;
/// A backend that a lost session left behind is ended within this time. In ms.
const END_WAIT_MS: i64 = 3_000;

/// How to reach the database directly, never through a pooler: for LISTEN, the append queue and migrations.
#[derive(Clone)]
pub struct Direct {
    config: Config,
    tls: Tls,
}

/// A direct connection with one prepared statement. Ends when dropped.
pub struct Session {
    /// For queries.
    pub client: Client,
    /// The statement it was opened for.
    pub statement: Statement,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An error with what PostgreSQL says about it; the library's own text is only "db error".
pub fn explain(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}

/// No connection, or none in time.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// PostgreSQL refused, or could not be reached.
    #[error("{}", explain(.0))]
    Refused(#[from] tokio_postgres::Error),
    /// Nobody answered in [`CONNECT_WAIT`].
    #[error("no connection within {} s", CONNECT_WAIT.as_secs())]
    TimedOut,
}

impl Direct {
    /// Connects as the role that serves, whoever the URL signs in as.
    ///
    /// # Errors
    /// A URL that PostgreSQL's clients would not understand.
    pub fn serving(url: &str) -> anyhow::Result<Direct> {
        let mut direct = Direct::migrating(url)?;
        let mut options = format!(
            "-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} \
             -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS} -c timezone=UTC"
        );
        if direct.config.get_user() != Some(APP_ROLE) {
            options += &format!(" -c role={APP_ROLE}");
        }
        direct.config.options(options);
        Ok(direct)
    }

    /// Connects as the URL says, without limits: for migrations.
    ///
    /// # Errors
    /// A URL that PostgreSQL's clients would not understand.
    pub fn migrating(url: &str) -> anyhow::Result<Direct> {
        let (mut config, tls) = tls::parse(url)?;
        config
            .connect_timeout(CONNECT_WAIT)
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(3))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10))
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Direct { config, tls })
    }

    /// A client and the connection that somebody must drive.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self, application: &str) -> Result<(Client, Connection<Socket, tls::Stream>), ConnectError> {
        let mut config = self.config.clone();
        config.application_name(application);
        match timeout(CONNECT_WAIT, config.connect(self.tls.clone())).await {
            Ok(connected) => Ok(connected?),
            Err(_elapsed) => Err(ConnectError::TimedOut),
        }
    }

    /// Opens a session for one statement.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn session(&self, application: &str, statement: &str) -> Result<Session, ConnectError> {
        let (client, connection) = self.connect(application).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "session ended");
            }
        });
        let statement = client.prepare(statement).await?;
        Ok(Session { client, statement, driver })
    }
}

impl Session {
    /// Returns when the connection has ended; to be awaited once.
    ///
    /// # Cancellation
    /// Safe.
    pub async fn ended(&mut self) {
        let _ = (&mut self.driver).await; // a driver that panicked has ended, too
    }

    /// Ends every other session of this name and waits until it is gone, so that none of them can
    /// commit after this call.
    ///
    /// # Errors
    /// One of them is still there, or the database did not answer.
    pub async fn end_others(&self, application: &str) -> Result<(), EndError> {
        let ended = "select pg_terminate_backend(pid, $2) from pg_stat_activity \
                     where application_name = $1 and pid <> pg_backend_pid()";
        // The right to end a session comes with the role that signed in, not with the one that serves.
        self.client.batch_execute("set role none").await?;
        let rows = self.client.query(ended, &[&application, &END_WAIT_MS]).await?;
        self.client.batch_execute("reset role").await?;
        let left = "select from pg_stat_activity where application_name = $1 and pid <> pg_backend_pid()";
        if !rows.is_empty() && !self.client.query(left, &[&application]).await?.is_empty() {
            return Err(EndError::StillThere);
        }
        Ok(())
    }
}

/// Why a lost session could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The database did not answer.
    #[error("{}", explain(.0))]
    Database(#[from] tokio_postgres::Error),
    /// It did not end in time.
    #[error("an earlier session is still there")]
    StillThere,
}
