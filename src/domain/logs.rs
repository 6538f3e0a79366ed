//! Log lines: what systems write about themselves, and the event that tells of a batch of them.
//!
//! The lines are not the log. The log has one event per batch; its lines stand beside it in a table of their
//! own, from which they go when they are old.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

/// Lines of a batch. A request's body has 256 KiB, so they are short when they are so many.
pub const LINES: usize = 2_000;
/// A line's message, in bytes: a long stack trace. Beyond it the line is a file.
pub const MESSAGE_BYTES: usize = 16 << 10;
/// A line's structured fields, in bytes of their JSON.
pub const FIELDS_BYTES: usize = 4 << 10;
/// A source's name, in characters.
pub const SOURCE_CHARS: usize = 100;
/// A server's name, in characters: the longest DNS name.
pub const SERVER_CHARS: usize = 253;
/// How far ahead of the clock a line's time may be, in seconds: clocks differ. Searches count on it: lines of
/// a time were recorded at that time less this, or later.
pub const AHEAD_S: i64 = 3_600;
/// Lines that the event itself carries, if they are so few,
pub const FEW_LINES: usize = 20;
/// and so small: bytes of all messages and fields together.
pub const FEW_BYTES: usize = 8 << 10;
/// Faults of a batch that are told at once.
const FAULTS: usize = 20;

/// How bad it is, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the usual words
pub enum Level {
    Trace,
    Debug,
    #[default]
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    /// All, in ascending order.
    pub const ALL: [Level; 6] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

    /// As it stands in events and in the API.
    pub fn as_str(self) -> &'static str {
        ["trace", "debug", "info", "warn", "error", "fatal"][self as usize]
    }

    /// As it is stored: 1 to 6.
    pub fn number(self) -> i16 {
        self as i16 + 1
    }

    /// As it was stored.
    pub fn from_number(number: i16) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.number() == number)
    }

    /// This one and worse.
    pub fn or_worse(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| *level >= self)
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When it was written, as far as its writer says; else it counts as written when it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub at: Option<OffsetDateTime>,
    /// How bad.
    #[serde(default)]
    pub level: Level,
    /// What it says. May hold line breaks and other control characters, but not U+0000.
    pub message: String,
    /// What it says to programs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

impl Line {
    /// A line of a program's output, whatever its bytes: what is not UTF-8 and U+0000 become U+FFFD, and
    /// what is too long is cut at [`MESSAGE_BYTES`].
    pub fn of_output(level: Level, bytes: &[u8]) -> Line {
        let mut message = String::from_utf8_lossy(&bytes[..bytes.len().min(MESSAGE_BYTES)]).replace('\0', "\u{fffd}");
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES)); // a replacement is longer than its byte
        Line { level, message, ..Line::default() }
    }

    fn bytes(&self) -> usize {
        self.message.len() + if self.fields.is_empty() { 0 } else { json_bytes(&self.fields) }
    }
}

/// Lines that came together from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The program or file that wrote them: `sshd`, `nova-api`. Names the stream `log/<source>`.
    pub source: String,
    /// The server that they come from.
    pub server: Option<String>,
    /// The execution of an automation whose output they are.
    pub execution: Option<Uuid>,
    /// In the order in which they were written.
    pub lines: Vec<Line>,
}

/// Input that is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer} {message}")]
pub struct Fault {
    /// JSON Pointer.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Batch {
    /// What is wrong with it, at most 20 faults; nothing of a batch with a fault is taken.
    ///
    /// # Errors
    /// [`Fault`]s, at least one.
    pub fn check(&self, now: OffsetDateTime) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut add = |pointer: String, message: String| faults.push(Fault { pointer, message });
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte);
        if !(1..=SOURCE_CHARS).contains(&self.source.len()) || !self.source.bytes().all(named) {
            add("/source".into(), format!("has 1 to {SOURCE_CHARS} characters of `A-Z a-z 0-9 . _ : / @ -`"));
        }
        if let Some(server) = &self.server
            && (!(1..=SERVER_CHARS).contains(&server.chars().count()) || server.chars().any(char::is_control))
        {
            add("/server".into(), format!("has 1 to {SERVER_CHARS} characters, none of them a control character"));
        }
        if !(1..=LINES).contains(&self.lines.len()) {
            add("/lines".into(), format!("has 1 to {LINES} lines"));
        }
        let wrong = |(place, line): (usize, &Line)| line.fault(now).map(|(field, message)| (place, field, message));
        for (place, field, message) in self.lines.iter().take(LINES).enumerate().filter_map(wrong).take(FAULTS) {
            add(format!("/lines/{place}/{field}"), message);
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// The event that tells of it.
    pub fn added(&self) -> Added {
        let mut levels = BTreeMap::new();
        self.lines.iter().for_each(|line| *levels.entry(line.level).or_insert(0) += 1);
        let is_few = self.lines.len() <= FEW_LINES && self.lines.iter().map(Line::bytes).sum::<usize>() <= FEW_BYTES;
        Added {
            source: self.source.clone(),
            server: self.server.clone(),
            execution: self.execution,
            count: self.lines.len(),
            levels,
            lines: is_few.then(|| self.lines.clone()),
        }
    }
}

impl Line {
    /// The first thing that is wrong with it: which field, and what.
    fn fault(&self, now: OffsetDateTime) -> Option<(&'static str, String)> {
        if self.message.len() > MESSAGE_BYTES {
            return Some(("message", format!("has {} bytes, at most {MESSAGE_BYTES} can be", self.message.len())));
        }
        if self.message.contains('\0') {
            return Some(("message", "must not contain the character U+0000".into()));
        }
        if !self.fields.is_empty() && json_bytes(&self.fields) > FIELDS_BYTES {
            let message = format!("has {} bytes, at most {FIELDS_BYTES} can be", json_bytes(&self.fields));
            return Some(("fields", message));
        }
        let at = self.at?;
        // Years that PostgreSQL, JSON and every client can write.
        if !(1970..=9998).contains(&at.year()) || (at - now).whole_seconds() > AHEAD_S {
            return Some(("at", format!("lies between 1970 and {} minutes from now", AHEAD_S / 60)));
        }
        None
    }
}

fn json_bytes(fields: &Map<String, Value>) -> usize {
    serde_json::to_string(fields).map_or(usize::MAX, |json| json.len())
}

/// `log.added`: lines of one source were recorded. They are named by the event's `seq` and their place in the
/// batch, from 1: `4711.1`, `4711.2` …; `GET /api/v1/logs?seq=4711` has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Added {
    /// The program or file that wrote them.
    pub source: String,
    /// The server that they come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The execution of an automation whose output they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Uuid>,
    /// How many.
    pub count: usize,
    /// How many of each level.
    pub levels: BTreeMap<Level, usize>,
    /// The lines themselves, while they are few and small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<Line>>,
}

/// `log.expired`: lines that were recorded before a day are gone; the events that told of them stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expired {
    /// Days of which all lines are gone, by the database's clock, in UTC.
    pub days: Vec<String>,
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("log.added", "Lines of a source were recorded.", schema_for!(Added).to_value()),
        ("log.expired", "Old lines are gone.", schema_for!(Expired).to_value()),
    ]
}
