//! The hidden subcommand `serve`: the server itself, in a process that is measured.

use anyhow::Result;
use signalbox::{
    config::{DatabaseConfig, ServeConfig},
    postgres::migrate::migrate,
    server::{Backend, Server},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::report;

/// What to serve; `server.rs` says it in the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    serve: ServeConfig,
}

/// Migrates, prints the address and serves until it is killed.
pub async fn run(options: Options) -> Result<()> {
    let filter = EnvFilter::try_from_env("SIGNALBOX_LOG")?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let backend = Backend::open(&options.database).await?;
    migrate(&backend.migrating).await?;
    let server = Server::prepare(options.serve, &backend, CancellationToken::new()).await?;
    report::note(format_args!("Signalbox listens on http://{}", server.address));
    server.run().await
}
