//! An incident that a step opens or changes: decided by its own rules, recorded together with the end of the step.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

use super::run::{AGAIN, Run};
use super::step::Effects;
use crate::domain::automation::execution::{Ended, Outcome};
use crate::domain::automation::{IncidentUpdate, NewIncident, Unrenderable, Values, render};
use crate::domain::incident::{self, Command, Create, Incident, Priority, Refusal, Severity, Status, Transition};
use crate::incidents::{self, NotReported, Reported};

/// What the step wants, with its values.
///
/// # Errors
/// A value is missing.
pub fn rendered(update: &IncidentUpdate, values: &Values<'_>) -> Result<IncidentUpdate, Unrenderable> {
    let text = |text: &Option<String>| text.as_ref().map(|text| render(text, values)).transpose();
    let open = |open: &NewIncident| {
        Ok(NewIncident {
            title: render(&open.title, values)?,
            severity: render(&open.severity, values)?,
            description: render(&open.description, values)?,
            affected_servers: open
                .affected_servers
                .iter()
                .map(|name| render(name, values))
                .collect::<Result<_, _>>()?,
            dedup_key: text(&open.dedup_key)?,
        })
    };
    Ok(IncidentUpdate {
        incident: text(&update.incident)?,
        open: update.open.as_ref().map(open).transpose()?,
        comment: text(&update.comment)?,
        status: text(&update.status)?,
        assignee: text(&update.assignee)?,
    })
}

/// What is recorded with the end of the step at `now`; `ended` says which incident it was, or why there is nothing.
///
/// # Cancellation
/// Nothing is recorded. A number that was drawn is not used.
pub async fn effects(run: &Run, update: &IncidentUpdate, ended: &mut Ended, now: OffsetDateTime) -> Effects {
    match change(run, update, ended, now).await {
        Ok(effects) => effects,
        Err(refused) => {
            (ended.outcome, ended.reason) = (Outcome::Failed, Some(refused));
            Effects::default()
        }
    }
}

/// The report, if there is one, and the changes, as the incident's own rules decide them.
async fn change(run: &Run, update: &IncidentUpdate, ended: &mut Ended, now: OffsetDateTime) -> Result<Effects, String> {
    let cause = run.cause();
    let found = find(run, update).await?;
    let (before, mut events, said) = match found {
        Reported::Known(incident) if update.open.is_some() => {
            let said = format!("{} is open with this dedup_key", incident.key());
            (Some(*incident), Vec::new(), said)
        }
        Reported::Known(incident) => (Some(*incident), Vec::new(), "recorded".to_owned()),
        Reported::New(events) => (None, events, "opened".to_owned()),
    };
    let id = before.as_ref().map_or_else(Uuid::now_v7, |incident| incident.id);
    let meta = incident::Meta { stream_id: id, actor: cause.actor.clone(), occurred_at: now };
    let evolved = |incident, events: &[incident::Event]| {
        events.iter().fold(incident, |incident, event| Some(incident::evolve(incident, event, &meta)))
    };
    let mut after: Option<Incident> = evolved(before.clone(), &events);
    for command in commands(update, run)? {
        let decided = incident::decide(after.as_ref(), &command).map_err(|refusal| sentence(&refusal))?;
        after = evolved(after, &decided);
        events.extend(decided);
    }
    ended.incident = after.as_ref().map(Incident::key);
    ended.reason = Some(said);
    if events.is_empty() {
        return Ok(Effects::default());
    }
    let (write, state, _) = incidents::write(before.as_ref(), id, &events, &cause, now);
    Ok((Vec::new(), vec![write], vec![state]))
}

/// The incident that is named, or what the report comes to; asked for until the database answers.
async fn find(run: &Run, update: &IncidentUpdate) -> Result<Reported, String> {
    let database = &run.app.background;
    let report = update.open.as_ref().map(create).transpose()?;
    let name = update.incident.as_deref().unwrap_or_default();
    loop {
        let found = match report.clone() {
            Some(report) => incidents::report(database, report).await,
            None => match incidents::named(database, name).await {
                Ok(Some(incident)) => Ok(Reported::Known(Box::new(incident))),
                Ok(None) => return Err(format!("there is no incident {name}")),
                Err(error) => Err(error.into()),
            },
        };
        match found {
            Ok(found) => return Ok(found),
            Err(NotReported::Refused(refusal)) => return Err(sentence(&refusal)),
            Err(NotReported::Query(error)) => tracing::debug!(%error, "an incident cannot be read now"),
        }
        sleep(AGAIN).await;
    }
}

fn create(open: &NewIncident) -> Result<Create, String> {
    let severity = Severity::parse(&open.severity).ok_or_else(|| format!("there is no severity {}", open.severity))?;
    Ok(Create {
        number: 0, // drawn later
        title: open.title.clone(),
        description: open.description.clone(),
        severity,
        priority: Priority::Normal,
        assignee: None,
        affected_servers: open.affected_servers.clone(),
        labels: BTreeMap::new(),
        dedup_key: open.dedup_key.clone(),
    })
}

fn commands(update: &IncidentUpdate, run: &Run) -> Result<Vec<Command>, String> {
    let mut commands = Vec::new();
    if let Some(assignee) = &update.assignee {
        commands.push(Command::Assign { assignee: Some(assignee.clone()) });
    }
    if let Some(status) = &update.status {
        let to = Status::parse(status).ok_or_else(|| format!("there is no status {status}"))?;
        let reason = format!("runbook {}: {}", run.state.definition.name, run.state.reason);
        commands.push(Command::ChangeStatus(Transition::new(to, Some(reason))));
    }
    if let Some(text) = &update.comment {
        commands.push(Command::Comment { comment_id: Uuid::now_v7(), text: text.clone() });
    }
    Ok(commands)
}

/// Why not, limits named.
fn sentence(refusal: &Refusal) -> String {
    let Refusal::Invalid(violations) = refusal else { return refusal.to_string() };
    let phrases = violations.iter().map(|violation| format!("{} {}", violation.pointer, violation.message));
    phrases.collect::<Vec<_>>().join("; ")
}
