//! Log lines between the rules and the database: a batch as a write, and days that come and go.

mod keep;
mod search;

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::logs::{Batch, Line};
use crate::domain::permission::LOGS_READ;
use crate::log::{NewEvent, State, Write, stamp};

pub use keep::{index_words, keep, keep_on};
pub use search::{Bucket, Field, Found, Place, Search, context, histogram, page};

/// The name of a source's stream. A command writes each stream once, so it has one batch of each source.
pub fn stream(source: &str) -> String {
    format!("log/{source}")
}

/// What to append and what to store for a batch that passed [`Batch::check`].
///
/// The lines are stored in the transaction of the append. They are not derived from the log, which
/// does not carry them all.
pub fn write(batch: &Batch, occurred_at: OffsetDateTime) -> (Write, State) {
    let event = NewEvent {
        id: Uuid::now_v7(),
        kind: "log.added",
        data: json!(batch.added()),
        occurred_at: stamp::micros(occurred_at),
        permissions: &[LOGS_READ],
    };
    let stream = stream(&batch.source);
    let stored = Stored {
        stream: &stream,
        source: &batch.source,
        server: batch.server.as_deref(),
        execution: batch.execution,
        lines: batch.lines.iter().map(StoredLine::of).collect(),
    };
    // Text, numbers and times: nothing in it can fail to serialise.
    let state = State { kind: "log_lines", json: serde_json::to_string(&stored).unwrap_or_default() };
    (Write { stream, expected: None, events: vec![event] }, state)
}

/// What `state_log_lines` takes.
#[derive(Serialize)]
struct Stored<'a> {
    stream: &'a str,
    source: &'a str,
    server: Option<&'a str>,
    execution: Option<Uuid>,
    lines: Vec<StoredLine<'a>>,
}

#[derive(Serialize)]
struct StoredLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    level: i16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a serde_json::Map<String, serde_json::Value>>,
}

impl StoredLine<'_> {
    fn of(line: &Line) -> StoredLine<'_> {
        StoredLine {
            at: line.at.map(stamp::text),
            level: line.level.number(),
            message: &line.message,
            fields: Some(&line.fields).filter(|fields| !fields.is_empty()),
        }
    }
}
