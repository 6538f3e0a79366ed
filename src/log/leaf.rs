//! The hash of an event. openapi/proofs.md specifies it for strangers; this is the same in Rust.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::stamp;

/// 32 bytes.
pub type Hash = [u8; 32];

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// RFC 8785 text of a JSON value.
///
/// # Errors
/// Only for a number that no double can hold; serde_json does not produce one.
pub fn canonical(value: &Value) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_string(value)
}

/// What the process that decides an event knows of it, all but its place and its time in the log.
pub(super) struct Envelope<'a> {
    pub id: Uuid,
    pub stream: &'a str,
    pub kind: &'a str,
    /// Of the canonical data, in hexadecimal.
    pub data_hash: String,
    pub actor: &'a str,
    pub actor_name: &'a str,
    pub permissions: &'a [&'a str],
    pub session_id: Option<&'a str>,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    pub trace_id: Option<&'a str>,
    pub occurred_at: OffsetDateTime,
}

impl Envelope<'_> {
    pub fn hash(&self) -> Result<Hash, serde_json::Error> {
        let envelope = json!({
            "actor": { "id": self.actor, "name": self.actor_name },
            "causation_id": self.causation_id,
            "correlation_id": self.correlation_id,
            "data_hash": self.data_hash,
            "id": self.id,
            "occurred_at": stamp::text(self.occurred_at),
            "permissions": self.permissions,
            "session_id": self.session_id,
            "stream": self.stream,
            "trace_id": self.trace_id,
            "type": self.kind,
        });
        Ok(sha256(canonical(&envelope)?.as_bytes()))
    }
}

/// RFC 6962 leaf hash of an event in its place. `sql/functions/append.sql` computes the same.
pub(super) fn leaf_hash(seq: i64, version: i64, recorded_at: OffsetDateTime, envelope: &Hash) -> Hash {
    let micros = (recorded_at.unix_timestamp_nanos() / 1_000) as i64;
    let mut input = Vec::with_capacity(1 + 3 * 8 + 32);
    input.push(0x00);
    input.extend(seq.to_be_bytes());
    input.extend(version.to_be_bytes());
    input.extend(micros.to_be_bytes());
    input.extend(envelope);
    sha256(&input)
}

/// What stands in the place of data that had their time (`sql/functions/events_expire.sql`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expired {
    data_hash: String,
    expired: bool,
}

/// The hash of data that had their time; `None` when these are data.
pub(super) fn expired(data: &str) -> Option<String> {
    let marker = serde_json::from_str::<Expired>(data).ok()?;
    marker.expired.then_some(marker.data_hash)
}

/// Recomputes an event's leaf hash from what a reader of the log sees.
pub fn recompute(event: &super::Event) -> Result<Hash, serde_json::Error> {
    let permissions: Vec<&str> = event.permissions.iter().map(String::as_str).collect();
    let envelope = Envelope {
        id: event.id,
        stream: &event.stream,
        kind: &event.kind,
        data_hash: expired(event.data.get()).unwrap_or_else(|| hex(&sha256(event.data.get().as_bytes()))),
        actor: &event.actor.id,
        actor_name: &event.actor.name,
        permissions: &permissions,
        session_id: event.session_id.as_deref(),
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        trace_id: event.trace_id.as_deref(),
        occurred_at: event.occurred_at,
    };
    Ok(leaf_hash(event.seq, event.version, event.recorded_at, &envelope.hash()?))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        use std::fmt::Write;
        let _ = write!(text, "{byte:02x}");
        text
    })
}
