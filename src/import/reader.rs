//! The file, row by row, each to the desk that its number chooses. Blocks: it has a thread of its own.

use std::io::Read;

use anyhow::{Context, anyhow};
use csv::{ByteRecord, ReaderBuilder, StringRecord};
use tokio::sync::mpsc;

use super::report::Tally;
use super::row::{Columns, Row};

/// Reads until the end, a stop, or the end of a desk.
///
/// # Errors
/// The file cannot be read, or lacks columns.
pub(super) fn read(file: impl Read, desks: &[mpsc::Sender<Row>], tally: &Tally) -> anyhow::Result<()> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
    let columns =
        Columns::find(reader.headers().context("cannot read the header")?).map_err(|missing| anyhow!(missing))?;
    let mut bytes = ByteRecord::new();
    while reader.read_byte_record(&mut bytes).context("cannot read the file")? {
        let line = bytes.position().map_or(0, |position| position.line());
        if tally.stopped_before(line) {
            break;
        }
        tally.row();
        let text = StringRecord::from_byte_record(bytes.clone()).map_err(|error| error.utf8_error().to_string());
        match text.and_then(|record| columns.read(line, &record)) {
            // A desk that is gone has failed, and its error is told.
            Ok(row) => match desks[row.incident.as_u128() as usize % desks.len()].blocking_send(row) {
                Ok(()) => {}
                Err(_gone) => break,
            },
            Err(reason) => tally.bad(line, reason),
        }
    }
    Ok(())
}
