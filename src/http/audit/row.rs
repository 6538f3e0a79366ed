//! Events in the lines of a file.

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

use crate::log::{Event, hex, stamp};

/// The columns of CSV, in order. New ones come at the end.
const COLUMNS: [&str; 16] = [
    "seq",
    "id",
    "stream",
    "version",
    "type",
    "actor_id",
    "actor_name",
    "permissions",
    "session_id",
    "correlation_id",
    "causation_id",
    "trace_id",
    "occurred_at",
    "recorded_at",
    "data",
    "leaf_hash",
];

/// In each line what `GET /api/v1/events/{seq}` shows: the program in openapi/proofs.md reads it.
pub fn ndjson(events: &[Event]) -> Vec<u8> {
    let mut lines = String::new();
    for event in events {
        lines += "{\"event\":";
        lines += &event.json();
        lines += ",\"leaf_hash\":\"";
        lines += &hex(&event.leaf_hash);
        lines += "\"}\n";
    }
    lines.into_bytes()
}

/// The first line of CSV.
pub fn titles() -> Vec<u8> {
    written(|writer| writer.write_record(COLUMNS))
}

/// A line per event, without the first one.
pub fn csv(events: &[Event]) -> Vec<u8> {
    written(|writer| events.iter().try_for_each(|event| writer.write_record(fields(event).iter().map(harmless))))
}

/// By RFC 4180. Every field is quoted, so that no other separator, such as a spreadsheet's `;`, cuts one.
fn written(write: impl FnOnce(&mut Writer<Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut writer =
        WriterBuilder::new().quote_style(QuoteStyle::Always).terminator(Terminator::CRLF).from_writer(Vec::new());
    // Records of one length into memory: neither can fail.
    let _ = write(&mut writer);
    writer.into_inner().unwrap_or_default()
}

fn fields(event: &Event) -> [String; COLUMNS.len()] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        event.seq.to_string(),
        event.id.to_string(),
        event.stream.clone(),
        event.version.to_string(),
        event.kind.clone(),
        event.actor.id.clone(),
        event.actor.name.clone(),
        event.permissions.join(" "),
        text(&event.session_id),
        event.correlation_id.to_string(),
        event.causation_id.map_or_else(String::new, |id| id.to_string()),
        text(&event.trace_id),
        stamp::text(event.occurred_at),
        stamp::text(event.recorded_at),
        event.data.get().to_owned(),
        hex(&event.leaf_hash),
    ]
}

/// What a spreadsheet does not take for a formula. Reversible: a field that begins with `'` has one too many.
#[allow(clippy::ptr_arg)] // as an iterator over the fields hands it out
fn harmless(field: &String) -> String {
    match field.chars().next() {
        Some('=' | '+' | '-' | '@' | '\'') => format!("'{field}"),
        Some(first) if first.is_control() => format!("'{field}"),
        _ => field.clone(),
    }
}
