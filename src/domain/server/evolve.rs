//! State from events. No rule is checked here: what happened, happened.

use time::OffsetDateTime;
use uuid::Uuid;

use super::event::{Change, Changes, Event};
use super::state::Server;
use crate::domain::timestamp;

/// What the event's envelope says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The server's id.
    pub stream_id: Uuid,
    /// Who did it.
    pub actor: String,
    /// When it happened.
    pub occurred_at: OffsetDateTime,
}

/// The state after one more event. Total: it never panics and never refuses. Time within a stream does not run
/// backwards: when two clocks disagree, the state keeps the later time.
pub fn evolve(state: Option<Server>, event: &Event, meta: &Meta) -> Server {
    let occurred_at = timestamp::micros(meta.occurred_at);
    let mut server = state.unwrap_or_else(|| Server::blank(meta.stream_id, &meta.actor, occurred_at));
    server.updated_at = server.updated_at.max(occurred_at);
    server.version += 1;
    match event {
        Event::Created(created) => {
            server.name.clone_from(&created.name);
            server.host.clone_from(&created.host);
            server.port = created.port;
            server.description.clone_from(&created.description);
            server.labels.clone_from(&created.labels);
            server.check.clone_from(&created.check);
        }
        Event::Updated(updated) => update(&mut server, &updated.changes),
        Event::CredentialChanged(changed) => server.has_credential = changed.present,
        Event::StatusChanged(changed) => {
            server.status = changed.new;
            server.message.clone_from(&changed.message);
            server.status_since = server.updated_at;
        }
        Event::MaintenanceScheduled(window) => server.maintenance.push(window.clone()),
        Event::MaintenanceEnded(ended) => server.maintenance.retain(|window| window.id != ended.window),
        Event::Deleted(_) => server.deleted = true,
        Event::Restored(_) => server.deleted = false,
    }
    server
}

fn update(server: &mut Server, changes: &Changes) {
    apply(&changes.name, &mut server.name);
    apply(&changes.host, &mut server.host);
    apply(&changes.port, &mut server.port);
    apply(&changes.description, &mut server.description);
    apply(&changes.labels, &mut server.labels);
    apply(&changes.check, &mut server.check);
}

fn apply<T: Clone>(change: &Option<Change<T>>, field: &mut T) {
    if let Some(change) = change {
        field.clone_from(&change.new);
    }
}
