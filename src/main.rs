//! The command line.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use signalbox::compare::{self, CompareOptions};
use signalbox::config::{DatabaseConfig, ServeConfig};
use signalbox::demo::{self, DemoOptions};
use signalbox::import::{self, ImportOptions};
use signalbox::log::Appender;
use signalbox::postgres::Database;
use signalbox::postgres::migrate::migrate;
use signalbox::projections::rebuild;
use signalbox::runner::guard;
use signalbox::server::{Backend, Server};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Signalbox: one PostgreSQL log; every screen hears of a change in milliseconds and misses none.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(subcommand)]
    command: Option<Subcommands>,
}

/// What `SIGNALBOX_LOG` says when it is not set. The migrator says twice what we say once.
const DEFAULT_LOG: &str = "info,refinery_core=warn,tokio_postgres=warn,deadpool=error";

#[derive(Subcommand)]
enum Subcommands {
    /// Migrate, then serve; the default.
    Serve(Box<ServeConfig>),
    /// Bring the database to this version, and end.
    Migrate,
    /// Rebuild every current state from the log and compare it, byte for byte, with what is stored.
    Rebuild,
    /// Take in another system's history.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Play synthetic operations traffic until interrupted.
    Demo(DemoOptions),
    /// Follow the stream and its polling twin at once and report every difference; exit code 1 if there is one.
    Compare(CompareOptions),
    /// Write the OpenAPI document to standard output.
    Openapi,
}

#[derive(Subcommand)]
enum ImportCommand {
    /// A service desk's export of incidents. Run it again to resume; nothing doubles.
    Incidents {
        /// CSV, with the columns that the README names.
        file: PathBuf,
        #[command(flatten)]
        options: ImportOptions,
    },
}

/// A guard is this program too, but no server: it has no runtime, no settings and no log.
fn main() -> anyhow::Result<ExitCode> {
    if guard::is_called() {
        return Ok(guard::main());
    }
    carry_out()?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn carry_out() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("SIGNALBOX_LOG").unwrap_or_else(|_unset| EnvFilter::new(DEFAULT_LOG));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
    let cli = Cli::parse();
    match cli.command {
        None => {
            let serve = Cli::parse_from(["signalbox", "serve"]);
            let Some(Subcommands::Serve(config)) = serve.command else { anyhow::bail!("no configuration") };
            run(&cli.database, *config).await
        }
        Some(Subcommands::Serve(config)) => run(&cli.database, *config).await,
        Some(Subcommands::Migrate) => {
            let backend = Backend::open(&cli.database).await?;
            let migrated = migrate(&backend.migrating).await;
            backend.close().await;
            migrated
        }
        Some(Subcommands::Import(ImportCommand::Incidents { file, options })) => {
            import(&cli.database, &file, &options).await
        }
        Some(Subcommands::Demo(options)) => demo(&cli.database, options).await,
        Some(Subcommands::Rebuild) => rebuild(&cli.database).await,
        Some(Subcommands::Compare(options)) => {
            let report = compare::compare(&options).await?;
            say(&format!("{report}\n"))?;
            anyhow::ensure!(report.differences.is_empty(), "the stream and its polling twin differ");
            Ok(())
        }
        Some(Subcommands::Openapi) => say(&signalbox::http::docs::text()),
    }
}

async fn run(database: &DatabaseConfig, config: ServeConfig) -> anyhow::Result<()> {
    let backend = Backend::open(database).await?;
    let served = async {
        migrate(&backend.migrating).await?;
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone())?;
        let server = Server::prepare(config, &backend, stop).await?;
        if let Some(password) = &server.admin_password {
            say(&format!("First start: sign in as admin with the password {password} (shown this once)\n"))?;
        }
        say(&format!("Signalbox listens on http://{}\n", server.address))?;
        server.run().await
    };
    let served = served.await;
    backend.close().await;
    served
}

/// SIGTERM or SIGINT ends in order; the second one at once.
fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(130);
            }
            tracing::info!("stopping");
            stop.cancel();
        }
    });
    Ok(())
}

/// A migrated database and an append queue on it.
async fn writing(backend: &Backend) -> anyhow::Result<(Database, Appender)> {
    migrate(&backend.migrating).await?;
    Ok((Database::new(&backend.pooled, 10)?, Appender::start(backend.direct.clone(), Arc::default())))
}

async fn import(config: &DatabaseConfig, file: &Path, options: &ImportOptions) -> anyhow::Result<()> {
    let backend = Backend::open(config).await?;
    let imported = async {
        let (database, appender) = writing(&backend).await?;
        import::incidents(import::open(file)?, options, &database, &appender).await
    };
    let imported = imported.await;
    backend.close().await;
    let report = imported?;
    say(&format!("{report}\n"))?;
    anyhow::ensure!(report.stopped.is_none(), "stopped at a bad row; run it again to go on, or with --on-bad-row skip");
    Ok(())
}

async fn demo(config: &DatabaseConfig, options: DemoOptions) -> anyhow::Result<()> {
    let backend = Backend::open(config).await?;
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let played = async {
        let (database, appender) = writing(&backend).await?;
        demo::run(options, database, appender, stop).await;
        Ok(())
    };
    let played = played.await;
    backend.close().await;
    played
}

async fn rebuild(config: &DatabaseConfig) -> anyhow::Result<()> {
    let backend = Backend::open(config).await?;
    let compared = async {
        let database = Database::new(&backend.pooled, 1)?;
        rebuild::compare(&database).await
    };
    let compared = compared.await;
    backend.close().await;
    let (rebuilt, differences) = compared?;
    for difference in differences.iter().take(20) {
        say(&format!("{difference:?}\n"))?;
    }
    say(&format!("{} states rebuilt from {} events; {} differ\n", rebuilt.len(), rebuilt.seq, differences.len()))?;
    anyhow::ensure!(differences.is_empty(), "stored states differ from the log");
    Ok(())
}

/// To standard output, which is for results; the log goes to standard error.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output is closed")
}
