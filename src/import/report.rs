//! What an import did, counted while it runs.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ImportOptions, OnBadRow};

/// Bad rows that are told one by one; of more, only the number.
const BAD_ROWS_TOLD: usize = 100;

/// What an import did, or with `dry_run`, what it would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows read, bad ones included.
    pub rows: u64,
    /// Different incidents that the good rows belong to.
    pub incidents: u64,
    /// Events written.
    pub events: u64,
    /// Rows that an earlier run had taken in.
    pub already: u64,
    /// Rows that said nothing new of their incident.
    pub unchanged: u64,
    /// Rows that were skipped.
    pub skipped: u64,
    /// The first hundred of those.
    pub skipped_rows: Vec<BadRow>,
    /// The row before which the import stopped.
    pub stopped: Option<BadRow>,
    /// Nothing was written.
    pub dry_run: bool,
}

/// A row that was not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Where it begins in the file; the header is line 1.
    pub line: u64,
    /// A phrase for people.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.reason)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = if self.dry_run { "would be written" } else { "written" };
        write!(out, "{} rows of {} incidents: {} events {written}", self.rows, self.incidents, self.events)?;
        write!(out, ", {} rows were in the log already, {} said nothing new", self.already, self.unchanged)?;
        if self.skipped > 0 {
            write!(out, ", {} were skipped", self.skipped)?;
        }
        for row in &self.skipped_rows {
            write!(out, "\n  {row}")?;
        }
        let untold = self.skipped - self.skipped_rows.len() as u64;
        if untold > 0 {
            write!(out, "\n  and {untold} more")?;
        }
        if let Some(row) = &self.stopped {
            write!(out, "\nstopped at {row}\nWhat is above it is done. Mend the row and run the same command again, ")?;
            write!(out, "or run it with --on-bad-row skip.")?;
        }
        Ok(())
    }
}

/// What became of a row.
pub(super) enum Done {
    /// So many events.
    Written(usize),
    Already,
    Unchanged,
}

/// The report in the making, shared by the reader and the desks.
pub(super) struct Tally {
    pub dry_run: bool,
    on_bad_row: OnBadRow,
    report: Mutex<Report>,
}

impl Tally {
    pub fn new(options: &ImportOptions) -> Tally {
        let report = Report { dry_run: options.dry_run, ..Report::default() };
        Tally { dry_run: options.dry_run, on_bad_row: options.on_bad_row, report: Mutex::new(report) }
    }

    pub fn row(&self) {
        self.lock().rows += 1;
    }

    pub fn incident(&self) {
        self.lock().incidents += 1;
    }

    pub fn done(&self, done: Done) {
        let mut report = self.lock();
        match done {
            Done::Written(events) => report.events += events as u64,
            Done::Already => report.already += 1,
            Done::Unchanged => report.unchanged += 1,
        }
    }

    /// Skips a row, or stops at it, as was asked for.
    pub fn bad(&self, line: u64, reason: String) {
        let mut report = self.lock();
        let row = BadRow { line, reason };
        if self.on_bad_row == OnBadRow::Stop {
            // Desks are ahead of one another: of two bad rows, the upper one counts.
            if report.stopped.as_ref().is_none_or(|stopped| line < stopped.line) {
                report.stopped = Some(row);
            }
            return;
        }
        report.skipped += 1;
        if report.skipped_rows.len() < BAD_ROWS_TOLD {
            report.skipped_rows.push(row);
        }
    }

    /// Whether the import has stopped at an earlier line.
    pub fn stopped_before(&self, line: u64) -> bool {
        self.lock().stopped.as_ref().is_some_and(|stopped| stopped.line < line)
    }

    pub fn report(&self) -> Report {
        let mut report = self.lock().clone();
        report.skipped_rows.sort_by_key(|row| row.line);
        report
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
