//! Commands as the columns that `sql/functions/append.sql` takes.

use serde::ser::Error;
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::leaf::{Envelope, canonical, hex, sha256};
use super::{AppendError, Command, NewEvent, Write, leaf, stamp};

/// A command made ready in its caller's task: canonical data and hashes, so that the one appender
/// only moves bytes.
#[derive(Debug)]
pub(super) struct Prepared {
    pub command: Command,
    events: Vec<PreparedEvent>,
    /// For the limit of a batch.
    pub bytes: usize,
}

#[derive(Debug)]
struct PreparedEvent {
    data: String,
    envelope_hash: Vec<u8>,
}

impl Prepared {
    pub fn new(mut command: Command) -> Result<Prepared, AppendError> {
        let malformed = |why: &str| Err(AppendError::Malformed(why.to_owned()));
        if command.writes.is_empty() || command.writes.iter().any(|write| write.events.is_empty()) {
            return malformed("a command appends at least one event to each stream it names");
        }
        let mut streams: Vec<&str> = command.writes.iter().map(|write| write.stream.as_str()).collect();
        streams.sort_unstable();
        if streams.windows(2).any(|pair| pair[0] == pair[1]) {
            return malformed("a command names each stream once");
        }
        for event in command.writes.iter_mut().flat_map(|write| &mut write.events) {
            event.occurred_at = stamp::micros(event.occurred_at);
        }
        let events: Vec<PreparedEvent> = command
            .writes
            .iter()
            .flat_map(|write| write.events.iter().map(move |event| (write, event)))
            .map(|(write, event)| prepare(&command, write, event))
            .collect::<Result<_, _>>()
            .map_err(|error| AppendError::Malformed(error.to_string()))?;
        let bytes = events.iter().map(|event| event.data.len()).sum::<usize>()
            + command.states.iter().map(|state| state.json.len()).sum::<usize>()
            + command.idempotency.as_ref().map_or(0, |key| key.reply.len());
        Ok(Prepared { command, events, bytes })
    }

    /// Ids of the events, in order.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.command.writes.iter().flat_map(|write| write.events.iter().map(|event| event.id))
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.events.len()
    }
}

fn prepare(command: &Command, write: &Write, event: &NewEvent) -> Result<PreparedEvent, serde_json::Error> {
    let data = canonical(&event.data)?;
    if leaf::expired(&data).is_some() {
        // A reader would take it for data that had their time, and find the hash wrong.
        return Err(serde_json::Error::custom("data that look like data that had their time"));
    }
    let cause = &command.cause;
    let envelope = Envelope {
        id: event.id,
        stream: &write.stream,
        kind: event.kind,
        data_hash: hex(&sha256(data.as_bytes())),
        actor: &cause.actor,
        actor_name: &cause.actor_name,
        permissions: event.permissions,
        session_id: cause.session_id.as_deref(),
        correlation_id: cause.correlation_id,
        causation_id: cause.causation_id,
        trace_id: cause.trace_id.as_deref(),
        occurred_at: event.occurred_at,
    };
    let envelope_hash = envelope.hash()?.to_vec();
    debug_assert_eq!(envelope_hash.len(), size_of::<leaf::Hash>());
    Ok(PreparedEvent { data, envelope_hash })
}

/// The parameters of `append`, in its order.
#[derive(Default)]
pub(super) struct Columns<'a> {
    w_command: Vec<i32>,
    w_stream: Vec<&'a str>,
    w_expected: Vec<Option<i64>>,
    w_events: Vec<i32>,
    e_command: Vec<i32>,
    e_stream: Vec<&'a str>,
    e_nth: Vec<i32>,
    e_id: Vec<Uuid>,
    e_type: Vec<&'a str>,
    e_data: Vec<&'a str>,
    e_actor: Vec<&'a str>,
    e_actor_name: Vec<&'a str>,
    e_permissions: Vec<String>,
    e_session_id: Vec<Option<&'a str>>,
    e_correlation_id: Vec<Uuid>,
    e_causation_id: Vec<Option<Uuid>>,
    e_trace_id: Vec<Option<&'a str>>,
    e_occurred_at: Vec<OffsetDateTime>,
    e_envelope_hash: Vec<&'a [u8]>,
    k_command: Vec<i32>,
    k_id: Vec<Uuid>,
    k_body_hash: Vec<&'a [u8]>,
    k_reply: Vec<&'a str>,
    k_last: Vec<i32>,
    s_command: Vec<i32>,
    s_kind: Vec<&'a str>,
    s_state: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    pub fn of(commands: impl Iterator<Item = &'a Prepared>) -> Columns<'a> {
        let mut columns = Columns::default();
        for (number, prepared) in (0..).zip(commands) {
            columns.add(number, prepared);
        }
        columns
    }

    fn add(&mut self, number: i32, prepared: &'a Prepared) {
        let Command { cause, writes, states, idempotency } = &prepared.command;
        let mut ready = prepared.events.iter();
        for write in writes {
            self.w_command.push(number);
            self.w_stream.push(&write.stream);
            self.w_expected.push(write.expected);
            self.w_events.push(write.events.len() as i32);
            for ((nth, event), ready) in (1..).zip(&write.events).zip(&mut ready) {
                self.e_command.push(number);
                self.e_stream.push(&write.stream);
                self.e_nth.push(nth);
                self.e_id.push(event.id);
                self.e_type.push(event.kind);
                self.e_data.push(&ready.data);
                self.e_actor.push(&cause.actor);
                self.e_actor_name.push(&cause.actor_name);
                self.e_permissions.push(event.permissions.join(","));
                self.e_session_id.push(cause.session_id.as_deref());
                self.e_correlation_id.push(cause.correlation_id);
                self.e_causation_id.push(cause.causation_id);
                self.e_trace_id.push(cause.trace_id.as_deref());
                self.e_occurred_at.push(event.occurred_at);
                self.e_envelope_hash.push(&ready.envelope_hash);
            }
        }
        for state in states {
            self.s_command.push(number);
            self.s_kind.push(state.kind);
            self.s_state.push(&state.json);
        }
        if let Some(key) = idempotency {
            self.k_command.push(number);
            self.k_id.push(key.id());
            self.k_body_hash.push(&key.body_hash);
            self.k_reply.push(&key.reply);
            self.k_last.push(self.e_id.len() as i32);
        }
    }

    pub fn parameters(&self) -> [&(dyn ToSql + Sync); 27] {
        [
            &self.w_command,
            &self.w_stream,
            &self.w_expected,
            &self.w_events,
            &self.e_command,
            &self.e_stream,
            &self.e_nth,
            &self.e_id,
            &self.e_type,
            &self.e_data,
            &self.e_actor,
            &self.e_actor_name,
            &self.e_permissions,
            &self.e_session_id,
            &self.e_correlation_id,
            &self.e_causation_id,
            &self.e_trace_id,
            &self.e_occurred_at,
            &self.e_envelope_hash,
            &self.k_command,
            &self.k_id,
            &self.k_body_hash,
            &self.k_reply,
            &self.k_last,
            &self.s_command,
            &self.s_kind,
            &self.s_state,
        ]
    }
}
