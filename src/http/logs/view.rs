//! Log lines as clients see and send them.

use std::collections::BTreeMap;

use poem_openapi::types::Any;
use poem_openapi::{Enum, Object};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::logs::{self, Batch, Line};
use crate::http::text::Text;
use crate::logs::{Bucket, Found};

/// How bad it is, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "LogLevel", rename_all = "lowercase")]
#[allow(missing_docs)] // the usual words
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl From<Level> for logs::Level {
    fn from(level: Level) -> logs::Level {
        logs::Level::ALL[level as usize] // both in ascending order
    }
}

/// Lines that come together from one source.
#[derive(Debug, Object)]
#[oai(rename = "NewLogLines", deny_unknown_fields)]
pub struct NewBatch {
    /// The program or file that wrote them: 1 to 100 characters of `A-Z a-z 0-9 . _ : / @ -`.
    source: Text,
    /// The server that they come from; at most 253 characters.
    server: Option<Text>,
    /// The execution of an automation whose output they are.
    execution: Option<Uuid>,
    /// 1 to 2,000, in the order in which they were written.
    lines: Vec<NewLine>,
}

/// One line.
#[derive(Debug, Object)]
#[oai(rename = "NewLogLine", deny_unknown_fields)]
pub struct NewLine {
    /// When it was written; absent: when it is recorded. At most an hour ahead.
    at: Option<OffsetDateTime>,
    /// Default `info`.
    level: Option<Level>,
    /// At most 16,384 bytes, of any characters but U+0000.
    message: Text,
    /// What it says to programs; at most 4,096 bytes of JSON. The event has its numbers as doubles.
    fields: Option<Any<Map<String, Value>>>,
}

impl From<NewBatch> for Batch {
    fn from(batch: NewBatch) -> Batch {
        let line = |line: NewLine| Line {
            at: line.at,
            level: line.level.map(logs::Level::from).unwrap_or_default(),
            message: line.message.0,
            fields: line.fields.map(|fields| fields.0).unwrap_or_default(),
        };
        Batch {
            source: batch.source.0,
            server: batch.server.map(String::from),
            execution: batch.execution,
            lines: batch.lines.into_iter().map(line).collect(),
        }
    }
}

/// What was taken.
#[derive(Debug, Object)]
#[oai(rename = "LogReceipt")]
pub struct Receipt {
    /// Its events are in the stream `log/<source>`.
    pub source: String,
    /// Lines that were recorded; their ids are `SEQ.1` and so on, with the `Signalbox-Seq` of this answer.
    pub count: usize,
}

/// A line.
#[derive(Debug, Object)]
#[oai(rename = "LogLine")]
pub struct LineView {
    /// The event's `seq` and the place in its batch: `4711.3`.
    pub id: String,
    /// When it was written.
    at: OffsetDateTime,
    /// When it was recorded.
    recorded_at: OffsetDateTime,
    /// How bad.
    level: String,
    /// Who wrote it.
    source: String,
    /// Where.
    #[oai(skip_serializing_if_is_none)]
    server: Option<String>,
    /// As the output of which execution of an automation.
    #[oai(skip_serializing_if_is_none)]
    execution: Option<Uuid>,
    /// What it says.
    pub message: String,
    /// What it says to programs.
    #[oai(skip_serializing_if_is_none)]
    fields: Option<Any<Value>>,
}

impl From<Found> for LineView {
    fn from(found: Found) -> LineView {
        LineView {
            id: format!("{}.{}", found.place.seq, found.place.line),
            at: found.place.at,
            recorded_at: found.recorded_at,
            level: found.level.as_str().to_owned(),
            source: found.source,
            server: found.server,
            execution: found.execution,
            message: found.message,
            fields: found.fields.map(Any),
        }
    }
}

/// A page of lines.
#[derive(Debug, Object)]
#[oai(rename = "LogPage")]
pub struct Page {
    /// At most `limit`.
    pub items: Vec<LineView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub next: Option<String>,
}

/// A line among its neighbours.
#[derive(Debug, Object)]
#[oai(rename = "LogContext")]
pub struct Context {
    /// Lines of the same source around it, in order; of the same server and execution, if it has them.
    pub items: Vec<LineView>,
    /// Its own place in `items`, from 0.
    pub place: usize,
}

/// How many lines there are, over time.
#[derive(Debug, Object)]
#[oai(rename = "LogHistogram")]
pub struct Histogram {
    /// Seconds of a bucket; buckets begin at multiples of it since 1970.
    bucket_s: i64,
    /// All lines.
    total: i64,
    /// Those that have lines, in order.
    items: Vec<BucketView>,
}

/// Lines of one bucket.
#[derive(Debug, Object)]
#[oai(rename = "LogBucket")]
pub struct BucketView {
    /// Where it begins.
    at: OffsetDateTime,
    /// How many of each level that has any.
    levels: BTreeMap<String, i64>,
}

impl Histogram {
    /// Of buckets in order.
    pub fn of(buckets: &[Bucket], bucket_s: i64) -> Histogram {
        let view = |bucket: &[Bucket]| BucketView {
            at: bucket[0].beginning,
            levels: bucket.iter().map(|bucket| (bucket.level.as_str().to_owned(), bucket.lines)).collect(),
        };
        Histogram {
            bucket_s,
            total: buckets.iter().map(|bucket| bucket.lines).sum(),
            items: buckets.chunk_by(|one, next| one.beginning == next.beginning).map(view).collect(),
        }
    }
}
