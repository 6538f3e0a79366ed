//! Events from a command: the rules for one incident.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::action::{Action, moves};
use super::command::{Command, Create, Transition, Update};
use super::event::{Assigned, Cause, Change, Changes, Commented, Created, Event, StatusChanged, Updated};
use super::limits::Check;
use super::refusal::Refusal;
use super::state::Incident;
use super::status::Status;

/// The events that carry out a command on an incident in this state (`None`: there is none yet).
///
/// No event means that everything is so already: a repeated command is no mistake. The events must
/// be appended with the state's version as the expected one; otherwise the decision was made about
/// another state.
///
/// # Errors
/// A [`Refusal`], looked for in this order: existence, merge, limits, status machine.
pub fn decide(state: Option<&Incident>, command: &Command) -> Result<Vec<Event>, Refusal> {
    use Command::{Assign, Cancel, ChangeStatus, Comment, Record, Reopen};
    match (state, command) {
        (None, Command::Create(create)) => created(create),
        (None, _) => Err(Refusal::Missing),
        (Some(_), Command::Create(_)) => Err(Refusal::Exists),
        (Some(_), Comment { comment_id, text }) => commented(*comment_id, text),
        (Some(Incident { merged_into: Some(into), .. }), _) => Err(Refusal::Merged { into: *into }),
        (Some(incident), Command::Update(update)) => updated(incident, update),
        (Some(incident), Assign { assignee }) => assigned(incident, assignee),
        (Some(incident), ChangeStatus(transition)) => moved(incident, transition),
        (Some(incident), Reopen { reason }) => reopened(incident, reason),
        (Some(incident), Cancel { reason }) => cancelled(incident, reason),
        (Some(incident), Record(transition)) => changed(incident, transition, Cause::Record),
    }
}

fn created(create: &Create) -> Result<Vec<Event>, Refusal> {
    let mut check = Check::default();
    check.title(Some(&create.title));
    check.description(Some(&create.description));
    check.assignee(create.assignee.as_deref());
    check.affected_servers(Some(&create.affected_servers));
    check.labels(Some(&create.labels));
    check.dedup_key(create.dedup_key.as_deref());
    check.finish()?;

    let create = create.clone();
    Ok(vec![Event::Created(Created {
        number: create.number,
        title: create.title,
        description: create.description,
        severity: create.severity,
        priority: create.priority,
        assignee: create.assignee,
        affected_servers: each_once(&create.affected_servers),
        labels: create.labels,
        dedup_key: create.dedup_key,
    })])
}

fn updated(incident: &Incident, update: &Update) -> Result<Vec<Event>, Refusal> {
    let mut check = Check::default();
    check.title(update.title.as_deref());
    check.description(update.description.as_deref());
    check.affected_servers(update.affected_servers.as_deref());
    check.labels(update.labels.as_ref());
    check.dedup_key(update.dedup_key.as_ref().and_then(|key| key.as_deref()));
    check.finish()?;

    let affected_servers = update.affected_servers.as_deref().map(each_once);
    let changes = Changes {
        title: Change::between(&incident.title, &update.title),
        description: Change::between(&incident.description, &update.description),
        severity: Change::between(&incident.severity, &update.severity),
        priority: Change::between(&incident.priority, &update.priority),
        affected_servers: Change::between(&incident.affected_servers, &affected_servers),
        labels: Change::between(&incident.labels, &update.labels),
        dedup_key: Change::between(&incident.dedup_key, &update.dedup_key),
    };
    if changes == Changes::default() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Updated(Updated { changes })])
}

fn assigned(incident: &Incident, assignee: &Option<String>) -> Result<Vec<Event>, Refusal> {
    let mut check = Check::default();
    check.assignee(assignee.as_deref());
    check.finish()?;

    let (old, new) = (incident.assignee.clone(), assignee.clone());
    if old == new {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Assigned(Assigned { old, new })])
}

fn commented(comment_id: Uuid, text: &str) -> Result<Vec<Event>, Refusal> {
    let mut check = Check::default();
    check.comment(Some(text));
    check.finish()?;

    Ok(vec![Event::Commented(Commented { comment_id, text: text.to_owned() })])
}

fn moved(incident: &Incident, transition: &Transition) -> Result<Vec<Event>, Refusal> {
    let events = changed(incident, transition, Cause::Move)?;
    let (from, to, allowed) = (incident.status, transition.to, moves(incident.status));
    if events.is_empty() || allowed.iter().any(|action| action.leads_to() == Some(to)) {
        return Ok(events);
    }
    Err(Refusal::IllegalTransition { from, to, allowed: allowed.to_vec() })
}

fn cancelled(incident: &Incident, reason: &Option<String>) -> Result<Vec<Event>, Refusal> {
    moved(incident, &Transition::new(Status::Cancelled, reason.clone()))
}

fn reopened(incident: &Incident, reason: &Option<String>) -> Result<Vec<Event>, Refusal> {
    let ended = moves(incident.status).contains(&Action::Reopen);
    let to = if ended { incident.reopens_to() } else { incident.status };
    changed(incident, &Transition::new(to, reason.clone()), Cause::Move)
}

/// The change to a status, if it is one; whether there is such a move is the caller's question.
fn changed(incident: &Incident, transition: &Transition, cause: Cause) -> Result<Vec<Event>, Refusal> {
    let (old, new) = (incident.status, transition.to);
    let mut check = Check::default();
    check.reason(transition.reason.as_deref());
    check.resolution(transition.resolution.as_deref(), new);
    check.finish()?;

    if old == new {
        return Ok(Vec::new());
    }
    let Transition { reason, resolution, .. } = transition.clone();
    Ok(vec![Event::StatusChanged(StatusChanged { old, new, cause, reason, resolution })])
}

/// The names without repetitions, each where it came first.
fn each_once(names: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(name.as_str())).cloned().collect()
}
