//! What an event is: before it is appended, and after.

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use super::stamp;

/// An event that a command wants to append. Its place in the log is not known yet.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// UUIDv7, made by the process that decided the event.
    pub id: Uuid,
    /// Registered type name, such as `incident.status.changed`.
    pub kind: &'static str,
    /// The type's own facts; an object.
    pub data: Value,
    /// When it happened, as far as whoever reported it knows. Microseconds; finer digits are cut off.
    pub occurred_at: OffsetDateTime,
    /// Any one of these lets a reader see it; none means everybody may.
    pub permissions: &'static [&'static str],
}

/// Who caused the events of a command, and in what connection.
#[derive(Debug, Clone)]
pub struct Cause {
    /// `user:<uuid>` or `system:<part>`.
    pub actor: String,
    /// The name a person knows the actor by, at that time.
    pub actor_name: String,
    /// Collaboration session the command came from, if it named one.
    pub session_id: Option<String>,
    /// Shared by everything of one story: what one command, schedule or check began.
    pub correlation_id: Uuid,
    /// The event that led to this command.
    pub causation_id: Option<Uuid>,
    /// W3C trace id, 32 hex digits.
    pub trace_id: Option<String>,
}

impl Cause {
    /// A cause within the server itself, such as `system:import`.
    pub fn system(part: &str) -> Cause {
        Cause {
            actor: format!("system:{part}"),
            actor_name: part.to_owned(),
            session_id: None,
            correlation_id: Uuid::now_v7(),
            causation_id: None,
            trace_id: None,
        }
    }
}

/// An event in the log. Serialises to the JSON that readers get on every door.
#[derive(Debug, Serialize)]
pub struct Event {
    /// Place in the log, from 1, without gaps, in commit order.
    pub seq: i64,
    /// UUIDv7.
    pub id: Uuid,
    /// The aggregate, such as `incident/0198…`.
    pub stream: String,
    /// Place in its stream, from 1, without gaps.
    pub version: i64,
    /// Registered type name.
    #[serde(rename = "type")]
    pub kind: String,
    /// The type's own facts, as stored: canonical JSON (RFC 8785).
    pub data: Box<RawValue>,
    /// Who did it.
    pub actor: Actor,
    /// Any one of these lets a reader see it.
    pub permissions: Vec<String>,
    /// Collaboration session.
    pub session_id: Option<String>,
    /// See [`Cause::correlation_id`].
    pub correlation_id: Uuid,
    /// See [`Cause::causation_id`].
    pub causation_id: Option<Uuid>,
    /// See [`Cause::trace_id`].
    pub trace_id: Option<String>,
    /// When it happened, by the reporter's clock.
    #[serde(with = "stamp")]
    pub occurred_at: OffsetDateTime,
    /// When it was appended, by the database's clock; never goes backwards along `seq`.
    #[serde(with = "stamp")]
    pub recorded_at: OffsetDateTime,
    /// RFC 6962 leaf hash; openapi/proofs.md says of what. Shown where one event is asked for.
    #[serde(skip)]
    pub leaf_hash: Vec<u8>,
}

/// Who did it, by id and by the name they had then.
#[derive(Debug, Serialize)]
pub struct Actor {
    /// `user:<uuid>` or `system:<part>`.
    pub id: String,
    /// For people to read.
    pub name: String,
}

impl Event {
    /// Reads a row of `sql/queries/events_*.sql`.
    pub(super) fn from_row(row: &Row) -> Result<Event, tokio_postgres::Error> {
        let data: tokio_postgres::types::Json<Box<RawValue>> = row.try_get("data")?;
        Ok(Event {
            seq: row.try_get("seq")?,
            id: row.try_get("id")?,
            stream: row.try_get("stream")?,
            version: row.try_get("version")?,
            kind: row.try_get("type")?,
            data: data.0,
            actor: Actor { id: row.try_get("actor")?, name: row.try_get("actor_name")? },
            permissions: row.try_get("permissions")?,
            session_id: row.try_get("session_id")?,
            correlation_id: row.try_get("correlation_id")?,
            causation_id: row.try_get("causation_id")?,
            trace_id: row.try_get("trace_id")?,
            occurred_at: row.try_get("occurred_at")?,
            recorded_at: row.try_get("recorded_at")?,
            leaf_hash: row.try_get("leaf_hash")?,
        })
    }

    /// The JSON that every door shows.
    pub fn json(&self) -> String {
        // Strings, numbers and already valid JSON: nothing in it can fail to serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The id part of `kind/<uuid>` streams.
    pub fn stream_id(&self) -> Option<Uuid> {
        self.stream.split_once('/').and_then(|(_, id)| id.parse().ok())
    }
}
