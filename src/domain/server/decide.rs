//! Events from a command: the rules for one server.

use time::OffsetDateTime;
use uuid::Uuid;

use super::command::{Command, Facts, Update};
use super::event::{
    Change, Changes, Created, CredentialChanged, Event, MaintenanceEnded, StatusChanged, Switched, Updated,
};
use super::limits::{MESSAGE_CHARS, Violations};
use super::refusal::Refusal;
use super::state::{Server, Status, Window};

/// The events that carry out a command on a server in this state (`None`: there is none yet) at this time.
///
/// No event means that everything is so already. The events must be appended with the state's version as the
/// expected one.
///
/// # Errors
/// A [`Refusal`], looked for in this order: existence, deletion, limits.
pub fn decide(state: Option<&Server>, command: &Command, now: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
    match (state, command) {
        (None, Command::Create(facts)) => created(facts),
        (None, _) => Err(Refusal::Missing),
        (Some(_), Command::Create(_)) => Err(Refusal::Exists),
        (Some(server), Command::Delete { reason }) => deleted(server, reason),
        (Some(server), Command::Restore { reason }) => restored(server, reason),
        (Some(Server { deleted: true, .. }), _) => Err(Refusal::Deleted),
        (Some(server), Command::Update(update)) => updated(server, update),
        (Some(server), Command::SetCredential { present }) => Ok(credential(server, *present)),
        (Some(server), Command::Schedule(window)) => scheduled(server, window, now),
        (Some(server), Command::EndMaintenance { window, reason }) => ended(server, *window, reason, now),
        (Some(server), Command::Observe { answers, message }) => Ok(observed(server, *answers, message)),
        (Some(server), Command::KeepTime) => Ok(kept_time(server, now)),
    }
}

fn created(facts: &Facts) -> Result<Vec<Event>, Refusal> {
    let mut found = Violations::default();
    found.name(Some(&facts.name));
    found.host(Some(&facts.host));
    found.port(Some(facts.port));
    found.description(Some(&facts.description));
    found.labels(Some(&facts.labels));
    found.check(Some(&facts.check));
    found.finish()?;
    let Facts { name, host, port, description, labels, check } = facts.clone();
    Ok(vec![Event::Created(Created { name, host, port, description, labels, check })])
}

fn updated(server: &Server, update: &Update) -> Result<Vec<Event>, Refusal> {
    let mut found = Violations::default();
    found.name(update.name.as_deref());
    found.host(update.host.as_deref());
    found.port(update.port);
    found.description(update.description.as_deref());
    found.labels(update.labels.as_ref());
    found.check(update.check.as_ref());
    found.finish()?;
    let changes = Changes {
        name: Change::between(&server.name, &update.name),
        host: Change::between(&server.host, &update.host),
        port: Change::between(&server.port, &update.port),
        description: Change::between(&server.description, &update.description),
        labels: Change::between(&server.labels, &update.labels),
        check: Change::between(&server.check, &update.check),
    };
    if changes == Changes::default() {
        return Ok(Vec::new());
    }
    let other_method = changes.check.as_ref().is_some_and(|check| check.old.method != check.new.method);
    let other_target = changes.host.is_some() || changes.port.is_some() || other_method;
    let renamed = Server { name: update.name.clone().unwrap_or_else(|| server.name.clone()), ..server.clone() };
    let mut events = vec![Event::Updated(Updated { changes })];
    if other_target && matches!(server.status, Status::Up | Status::Down) {
        events.extend(becomes(&renamed, Status::Pending, "what is tested has changed; not tested yet"));
    }
    Ok(events)
}

/// One reference may replace another, so every setting is an event.
fn credential(server: &Server, present: bool) -> Vec<Event> {
    if !present && !server.has_credential {
        return Vec::new();
    }
    vec![Event::CredentialChanged(CredentialChanged { present })]
}

fn scheduled(server: &Server, window: &Window, now: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
    if server.maintenance.iter().any(|known| known.id == window.id) {
        return Ok(Vec::new());
    }
    let mut found = Violations::default();
    found.window(window, server.maintenance.len(), now);
    found.reason(window.reason.as_deref());
    found.finish()?;
    let mut events = vec![Event::MaintenanceScheduled(window.clone())];
    if window.is_open(now) {
        events.extend(becomes(server, Status::Maintenance, &why(window)));
    }
    Ok(events)
}

fn ended(server: &Server, window: Uuid, reason: &Option<String>, now: OffsetDateTime) -> Result<Vec<Event>, Refusal> {
    let mut found = Violations::default();
    found.reason(reason.as_deref());
    found.finish()?;
    if !server.maintenance.iter().any(|known| known.id == window) {
        return Err(Refusal::NoSuchWindow);
    }
    let mut events = vec![Event::MaintenanceEnded(MaintenanceEnded { window, reason: reason.clone() })];
    let others = server.maintenance.iter().filter(|known| known.id != window);
    events.extend(as_windows_say(server, others, now));
    Ok(events)
}

fn kept_time(server: &Server, now: OffsetDateTime) -> Vec<Event> {
    let (over, left): (Vec<&Window>, Vec<&Window>) = server.maintenance.iter().partition(|known| known.ends_at <= now);
    let over = over.iter().map(|known| MaintenanceEnded { window: known.id, reason: None });
    let mut events: Vec<Event> = over.map(Event::MaintenanceEnded).collect();
    events.extend(as_windows_say(server, left.into_iter(), now));
    events
}

/// The change of status that these windows ask for, if it is one.
fn as_windows_say<'a>(
    server: &Server,
    mut windows: impl Iterator<Item = &'a Window>,
    now: OffsetDateTime,
) -> Option<Event> {
    match (windows.find(|window| window.is_open(now)), server.status) {
        (Some(_), Status::Maintenance) => None,
        (Some(window), _) => becomes(server, Status::Maintenance, &why(window)),
        (None, Status::Maintenance) => becomes(server, Status::Pending, "maintenance is over; not tested yet"),
        (None, _) => None,
    }
}

fn why(window: &Window) -> String {
    let reason = window.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    reason.unwrap_or("maintenance").chars().take(MESSAGE_CHARS).collect()
}

fn observed(server: &Server, answers: bool, message: &str) -> Vec<Event> {
    if server.status == Status::Maintenance {
        return Vec::new();
    }
    let new = if answers { Status::Up } else { Status::Down };
    becomes(server, new, message).into_iter().collect()
}

fn deleted(server: &Server, reason: &Option<String>) -> Result<Vec<Event>, Refusal> {
    let mut found = Violations::default();
    found.reason(reason.as_deref());
    found.finish()?;
    let event = Event::Deleted(Switched { reason: reason.clone() });
    Ok(if server.deleted { Vec::new() } else { vec![event] })
}

fn restored(server: &Server, reason: &Option<String>) -> Result<Vec<Event>, Refusal> {
    let mut found = Violations::default();
    found.reason(reason.as_deref());
    found.finish()?;
    if !server.deleted {
        return Ok(Vec::new());
    }
    let mut events = vec![Event::Restored(Switched { reason: reason.clone() })];
    events.extend(becomes(server, Status::Pending, "restored; not tested yet"));
    Ok(events)
}

fn becomes(server: &Server, new: Status, message: &str) -> Option<Event> {
    let (old, name) = (server.status, Some(server.name.clone()));
    let message = message.chars().take(MESSAGE_CHARS).collect();
    (old != new).then_some(Event::StatusChanged(StatusChanged { old, new, message, name }))
}
