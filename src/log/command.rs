//! What can be asked of the log, and what it can answer.

use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use super::leaf::sha256;
use super::{Cause, NewEvent};

/// One command's wish: all of it is appended, or none.
#[derive(Debug)]
pub struct Command {
    /// Who and why.
    pub cause: Cause,
    /// At least one; each stream at most once.
    pub writes: Vec<Write>,
    /// Current states to store in the same transaction.
    pub states: Vec<State>,
    /// Makes a repetition of the command harmless.
    pub idempotency: Option<Idempotency>,
}

/// Events for one stream.
#[derive(Debug)]
pub struct Write {
    /// `kind/id`.
    pub stream: String,
    /// The version that the events were decided on; 0 means that the stream is new; `None` takes any.
    pub expected: Option<i64>,
    /// At least one.
    pub events: Vec<NewEvent>,
}

/// A current state, stored by the SQL function `state_<kind>`.
#[derive(Debug)]
pub struct State {
    /// `incident`, `user`, …
    pub kind: &'static str,
    /// Serialised state.
    pub json: String,
}

/// A key under which the command's reply is kept for 24 hours.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Whose key it is; two users' equal keys are different keys.
    pub principal: String,
    /// As the client sent it.
    pub key: String,
    /// SHA-256 of what was asked; the same key for something else is refused.
    pub body_hash: Vec<u8>,
    /// What to answer, now and when the key comes again.
    pub reply: String,
}

impl Idempotency {
    /// Under which the reply is kept: 128 bits of a hash, because principal and key are the client's text.
    pub(super) fn id(&self) -> Uuid {
        let hash = sha256(format!("{}\n{}", self.principal, self.key).as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Uuid::from_bytes(id)
    }
}

/// What became of a command.
#[derive(Debug)]
pub enum Outcome {
    /// It is in the log, durably.
    Appended(Appended),
    /// A stream had moved on. Nothing was written.
    Conflict {
        /// Which one.
        stream: String,
        /// Where it is.
        actual: i64,
    },
    /// The key was used before. Nothing was written.
    Duplicate(StoredReply),
}

/// Where a command's events are.
#[derive(Debug, Clone, Copy)]
pub struct Appended {
    /// Place of the command's first event.
    pub first_seq: i64,
    /// Place of its last.
    pub last_seq: i64,
    /// The database's time for the whole batch.
    pub recorded_at: OffsetDateTime,
}

/// What a command with the same key was answered the first time.
#[derive(Debug)]
pub struct StoredReply {
    /// Hash of what was asked then.
    pub body_hash: Vec<u8>,
    /// The answer.
    pub reply: Box<RawValue>,
    /// Place of that command's last event.
    pub seq: i64,
}

/// Why a command got no outcome.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: more is asked than the database takes. Nothing was written.
    #[error("the append queue is full")]
    Overloaded,
    /// The database cannot write now (disk full, locks, no connections). Nothing was written.
    #[error("the database cannot write now: {0}")]
    Unavailable(String),
    /// No answer in time. The events may be in the log, now or later; the same idempotency key tells.
    #[error("no outcome in time; it is unknown whether the command was recorded")]
    Unknown,
    /// PostgreSQL refused just this command. Nothing was written.
    #[error("refused by the database ({sqlstate}): {message}")]
    Refused {
        /// PostgreSQL's code.
        sqlstate: String,
        /// Name of the violated constraint, if it was one.
        constraint: Option<String>,
        /// For the log, not for clients.
        message: String,
    },
    /// The command was not well formed; a mistake in this program.
    #[error("malformed command: {0}")]
    Malformed(String),
}
