//! `signalbox import incidents`: a service desk's export becomes incidents in the log.
//!
//! ```text
//! reader      a thread: the file, row by row, each to the desk that its number chooses
//! row         one line translated: what it says of its incident, and when
//! translate   the service desk's words for states, scales and times in ours
//! changes     what a row says that the row before it did not: commands
//! desk        a task: commands decided and appended, one append per row, one incident's rows in order
//! history     an incident as the log has it, and which rows made it so
//! ```
//!
//! Invariants
//! - The importer is a writer like any other: rules, expected versions, states, numbers from the sequence.
//! - A row is in the log whole or not at all, and never twice. Its events carry the row's own id as their
//!   correlation id, and an incident's id follows from its number; so the log itself tells a second run, or
//!   one that resumes after a crash, where to go on. No file and no table remembers the progress.
//! - Memory is bounded by the number of incidents (some 40 bytes each), not of rows.

mod changes;
mod desk;
mod history;
mod reader;
mod report;
mod row;
mod translate;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::log::Appender;
use crate::postgres::Database;
use desk::Desk;
use report::Tally;
pub use report::{BadRow, Report};

/// Tasks that append. While a batch commits, each of them has its next row ready: batches of 32 events.
const DESKS: usize = 32;
/// Rows that wait at one desk. 32 × 64 rows of 1 KiB are 2 MiB.
const ROWS_WAITING: usize = 64;

/// What to do with a row that cannot be taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnBadRow {
    /// End before it; the rows above it are in the log, and the next run goes on there.
    #[default]
    Stop,
    /// Count it, say why, and go on.
    Skip,
}

/// How to import.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ImportOptions {
    /// What to do with a row that cannot be taken in.
    #[arg(long, value_enum, default_value_t)]
    pub on_bad_row: OnBadRow,
    /// Read, translate and decide everything; write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Opens a file whose reading moves a progress bar on stderr, if that is a terminal.
///
/// # Errors
/// The file cannot be opened.
pub fn open(path: &Path) -> anyhow::Result<impl Read + Send + use<>> {
    let read = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(read)?;
    let bytes = file.metadata().with_context(read)?.len();
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {binary_bytes_per_sec}, {eta} left")?;
    let bar = ProgressBar::new(bytes).with_style(style).with_finish(ProgressFinish::AndClear);
    Ok(bar.wrap_read(file))
}

/// Imports a service desk's export: CSV, its columns found by name, one row per update of an incident.
///
/// Returns what was done, also when it stopped at a bad row ([`Report::stopped`]).
///
/// # Errors
/// The file cannot be read or lacks columns, or the database did not write in spite of retries. Rows
/// appended until then stay; running it again goes on behind them.
///
/// # Cancellation
/// As an error: a row under way is appended or not, and the next run knows which.
pub async fn incidents(
    file: impl Read + Send + 'static,
    options: &ImportOptions,
    database: &Database,
    appender: &Appender,
) -> anyhow::Result<Report> {
    let tally = Arc::new(Tally::new(options));
    let mut desks = JoinSet::new();
    let mut queues = Vec::with_capacity(DESKS);
    for _ in 0..DESKS {
        let (queue, rows) = mpsc::channel(ROWS_WAITING);
        queues.push(queue);
        desks.spawn(Desk::new(database.clone(), appender.clone(), tally.clone()).work(rows));
    }
    let reading = tokio::task::spawn_blocking({
        let tally = tally.clone();
        move || reader::read(file, &queues, &tally)
    });
    while let Some(done) = desks.join_next().await {
        done.context("a desk panicked")??;
    }
    reading.await.context("the reader panicked")??;
    Ok(tally.report())
}
