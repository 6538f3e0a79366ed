//! The event log: the only code that names the events table.
//!
//! In the order data moves: [`Command`] → [`Appender`] → `sql/functions/append.sql` → [`Tail`] and [`read`].
//! It does not know what an incident is.

mod append;
mod batch;
mod command;
mod event;
mod leaf;
pub mod read;
mod registry;
pub mod search;
pub mod stamp;
mod tail;

pub use append::{Appender, QUEUE_COMMANDS};
pub use command::{AppendError, Appended, Command, Idempotency, Outcome, State, StoredReply, Write};
pub use event::{Actor, Cause, Event, NewEvent};
pub use leaf::{Hash, canonical, hex, recompute, sha256};
pub use registry::{EventType, Fallback, Registry};
pub use tail::{Hole, Tail, Tailed};

use uuid::Uuid;

/// The end of the log, and which log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The name of this history; another one after a restore.
    pub epoch: Uuid,
    /// Place of the last event; 0 when there is none.
    pub seq: i64,
}
