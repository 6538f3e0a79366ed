//! State from events. No rule is checked here: what happened, happened.

use time::OffsetDateTime;
use uuid::Uuid;

use super::event::{Cause, Change, Changes, Created, Event, StatusChanged};
use super::state::Incident;
use super::status::Status;
use crate::domain::timestamp;

/// What the event's envelope says; everything about an event that is not in its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The incident's id.
    pub stream_id: Uuid,
    /// Who did it.
    pub actor: String,
    /// When it happened; for imported history, when it happened there.
    pub occurred_at: OffsetDateTime,
}

/// The state after one more event.
///
/// Total: it never panics and never refuses. The first event is applied to a blank incident, so a
/// stream that does not begin with `incident.created`, which [`decide`](super::decide) never
/// writes, shows as number 0.
///
/// Time within a stream does not run backwards: when two servers' clocks disagree, the state keeps
/// the later time, and no duration computed from it is negative. The envelope keeps what each clock
/// said.
pub fn evolve(state: Option<Incident>, event: &Event, meta: &Meta) -> Incident {
    let occurred_at = timestamp::micros(meta.occurred_at);
    let mut incident = state.unwrap_or_else(|| Incident::blank(meta.stream_id, &meta.actor, occurred_at));
    incident.updated_at = incident.updated_at.max(occurred_at);
    incident.version += 1;

    match event {
        Event::Created(created) => incident.create(created),
        Event::Updated(updated) => incident.update(&updated.changes),
        Event::Assigned(assigned) => incident.assignee.clone_from(&assigned.new),
        Event::Commented(_) => incident.comments += 1,
        Event::StatusChanged(change) => incident.change_status(change),
        Event::Merged(merged) => {
            incident.merged_into = Some(merged.into.id);
            incident.status_before_merge = Some(incident.status);
        }
        Event::Unmerged(_) => {
            incident.merged_into = None;
            incident.status_before_merge = None;
        }
        Event::Absorbed(absorbed) => incident.absorbed.push(absorbed.incident.id),
        Event::Released(released) => incident.absorbed.retain(|id| *id != released.incident.id),
    }
    incident
}

impl Incident {
    fn create(&mut self, created: &Created) {
        self.number = created.number;
        self.title.clone_from(&created.title);
        self.description.clone_from(&created.description);
        self.severity = created.severity;
        self.priority = created.priority;
        self.assignee.clone_from(&created.assignee);
        self.affected_servers.clone_from(&created.affected_servers);
        self.labels.clone_from(&created.labels);
        self.dedup_key.clone_from(&created.dedup_key);
    }

    fn update(&mut self, changes: &Changes) {
        apply(&changes.title, &mut self.title);
        apply(&changes.description, &mut self.description);
        apply(&changes.severity, &mut self.severity);
        apply(&changes.priority, &mut self.priority);
        apply(&changes.affected_servers, &mut self.affected_servers);
        apply(&changes.labels, &mut self.labels);
        apply(&changes.dedup_key, &mut self.dedup_key);
    }

    fn change_status(&mut self, change: &StatusChanged) {
        let comes_back = !change.old.is_open() && change.new.is_open();
        if comes_back && change.cause != Cause::Unmerge {
            self.reopened += 1;
        }
        self.status = change.new;
        if change.new.is_open() {
            self.resolution = None;
        } else if change.resolution.is_some() {
            self.resolution.clone_from(&change.resolution);
        }
        self.stamp();
    }

    /// Sets and clears the four times by the status just entered.
    ///
    /// Each tells since when something holds, so it is kept until the incident goes back before it.
    /// Resolving straight from triggered acknowledges nothing: that is how a monitor ends what it
    /// began. Closing and cancelling clear no earlier time, which is why a merge can be undone
    /// without a trace in them.
    fn stamp(&mut self) {
        let at = self.updated_at;
        let open = self.status.is_open();
        let triggered = self.status == Status::Triggered;
        let mitigated = self.status == Status::Mitigated;
        let resolved = self.status == Status::Resolved;
        let closed = self.status == Status::Closed;

        // The time, what begins it, and what otherwise ends it.
        since(&mut self.acknowledged_at, open && !triggered, open, at);
        since(&mut self.mitigated_at, mitigated, open, at);
        since(&mut self.resolved_at, resolved, open, at);
        since(&mut self.closed_at, closed, true, at);
    }
}

/// Begins a time, unless it has begun; or ends it; or leaves it alone.
fn since(time: &mut Option<OffsetDateTime>, begins: bool, ends: bool, at: OffsetDateTime) {
    if begins {
        time.get_or_insert(at);
    } else if ends {
        *time = None;
    }
}

fn apply<T: Clone>(change: &Option<Change<T>>, field: &mut T) {
    if let Some(change) = change {
        field.clone_from(&change.new);
    }
}
