//! Server-sent event frames, byte for byte as openapi/stream.md says.
//!
//! No field can break out of its line: ids are numbers, event names are ours, and data is JSON on one
//! line, in which every control character is escaped.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::Level;
use crate::log::{Event, Head, stamp};

/// An event of the log: resumable, so it carries its seq as id.
pub fn event(event: &Event) -> Bytes {
    Bytes::from(format!("id: {}\nevent: {}\ndata: {}\n\n", event.seq, event.kind, event.json()))
}

/// Tells how long a client shall wait before it reconnects, and starts the flow through proxies.
pub fn opening(retry_ms: u32) -> Bytes {
    Bytes::from(format!("retry: {retry_ms}\n: Signalbox\n\n"))
}

/// All up to `head` has been sent or was not for this reader; what follows is live.
pub fn ready(head: Head) -> Bytes {
    control(Some(head.seq), "ready", &json!({ "seq": head.seq, "epoch": head.epoch }))
}

/// Says that the stream lives, for clients that watch for silence.
pub fn heartbeat(seq: i64, at: OffsetDateTime) -> Bytes {
    control(None, "heartbeat", &json!({ "seq": seq, "at": stamp::text(at) }))
}

/// Moves the reader's cursor over events that were not for it. Dispatches nothing in a browser.
pub fn bookmark(seq: i64) -> Bytes {
    Bytes::from(format!("id: {seq}\n\n"))
}

/// Keeps proxies from closing a silent connection.
pub const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// The reader's cursor means nothing here: it must load its state anew, as of `head` or later.
pub fn reset(reason: Reset, head: Head) -> Bytes {
    control(Some(head.seq), "reset", &json!({ "reason": reason, "seq": head.seq, "epoch": head.epoch }))
}

/// This process gives its streams less, or more again; openapi/stream.md says what.
pub fn level(level: Level) -> Bytes {
    control(None, "level", &json!({ "level": level }))
}

/// The reader may do this from now on, and sees events accordingly.
pub fn rights(permissions: &BTreeSet<&'static str>) -> Bytes {
    control(None, "rights", &json!({ "permissions": permissions }))
}

/// The last frame before the server closes.
pub fn bye(reason: Bye, retry_ms: u32) -> Bytes {
    let name = json!({ "reason": reason, "reconnect": reason.reconnect() });
    Bytes::from(format!("retry: {retry_ms}\nevent: bye\ndata: {name}\n\n"))
}

/// Why a cursor cannot be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// It lies behind the end of the log.
    Future,
    /// It belongs to another history, as after a restore.
    Epoch,
}

/// Why the server closes a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bye {
    /// The access token ran out: refresh it, then reconnect.
    TokenExpired,
    /// The session was ended or the user disabled.
    Revoked,
    /// This process stops; another one, or the next, goes on.
    Shutdown,
    /// An administrator switched streams off: poll on the same cursor, and try again now and then.
    Disabled,
    /// This process protects itself: poll on the same cursor, and try again now and then.
    Degraded,
    /// The database does not answer; the reader falls behind the ring and nothing can be replayed.
    Unavailable,
}

impl Bye {
    fn reconnect(self) -> bool {
        self != Bye::Revoked
    }

    /// Whether it is worth coming back soon.
    pub(super) fn is_brief(self) -> bool {
        matches!(self, Bye::Shutdown | Bye::TokenExpired)
    }

    /// As it stands in the frame and in metrics' labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Bye::TokenExpired => "token_expired",
            Bye::Revoked => "revoked",
            Bye::Shutdown => "shutdown",
            Bye::Disabled => "disabled",
            Bye::Degraded => "degraded",
            Bye::Unavailable => "unavailable",
        }
    }
}

fn control(id: Option<i64>, name: &str, data: &serde_json::Value) -> Bytes {
    let id = id.map_or_else(String::new, |seq| format!("id: {seq}\n"));
    Bytes::from(format!("{id}event: {name}\ndata: {data}\n\n"))
}
