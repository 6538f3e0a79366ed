//! One attempt at one step.

use std::future::Future;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

use super::command;
use super::http;
use super::output::Output;
use super::run::{Halt, Run, Stopped};
use crate::domain::automation::execution::{Ended, Event, Notified, Outcome};
use crate::domain::automation::{
    Action, Approval, IncidentUpdate, Notification, Step, Unrenderable, render, render_argument,
};
use crate::domain::incident::{self, Transition};
use crate::domain::server::{self, Server};
use crate::incidents;
use crate::log::{State, Write};
use crate::postgres::QueryError;
use crate::servers::{self, Finding};

/// Between two looks at an incident that the database does not show now.
const AGAIN: Duration = Duration::from_millis(200);

/// How an attempt ended, and what is recorded together with its end.
pub struct Done {
    /// How it ended.
    pub ended: Ended,
    /// In the same transaction: both, or neither.
    pub also: Also,
}

/// What is recorded together with the end of a step.
pub enum Also {
    /// Nothing.
    Nothing,
    /// A word to whoever has a rule for it.
    Notify(Notification),
    /// A change of an incident.
    Incident(IncidentUpdate),
    /// What a test of a server found.
    Server {
        /// The server's id or name.
        name: String,
        /// What was found.
        finding: Finding,
    },
}

/// Events of the execution's own, and writes and states of others.
pub type Effects = (Vec<Event>, Vec<Write>, Vec<State>);

/// Makes the attempt under way happen.
///
/// # Errors
/// The lease is another's.
pub async fn act(run: &mut Run) -> Result<Done, Stopped> {
    let Some((step, state)) = run.state.current().map(|(step, state)| (step.clone(), state.clone())) else {
        return Ok(failed("there is no such step"));
    };
    let halt = halt(run, &step, state.started_at);
    let done = match &step.action {
        Action::Wait(wait) => {
            let until =
                state.started_at.unwrap_or_else(OffsetDateTime::now_utc) + time::Duration::seconds(wait.seconds.into());
            within(halt, async { told(pass(until).await) }).await?
        }
        Action::Http(request) => {
            let mut output = output(run, state.attempt);
            let sent = http::send(&run.app.egress, request, &run.inputs, &mut output);
            let done = within(halt, async { told(sent.await) }).await?;
            output.flush().await?;
            done
        }
        Action::Command(wanted) => {
            let Some(allowed) = run.app.allowed.get(&wanted.name) else {
                return Ok(failed("the configuration of this process has no such command"));
            };
            let arguments = wanted.arguments.iter().map(|text| render_argument(text, &run.inputs));
            let arguments = match arguments.collect::<Result<Vec<String>, Unrenderable>>() {
                Ok(arguments) if arguments.iter().any(|text| text.contains('\0')) => {
                    return Ok(failed("an argument holds NUL"));
                }
                Ok(arguments) => arguments,
                Err(error) => return Ok(failed(&error.to_string())),
            };
            let mut output = output(run, state.attempt);
            command::run(&run.held, allowed, &arguments, &mut output, halt).await?.into()
        }
        Action::ServerTest(wanted) => match render(&wanted.server, &run.inputs) {
            Ok(name) => within(halt, test(run, &name)).await?,
            Err(error) => failed(&error.to_string()),
        },
        Action::Incident(update) => match rendered_incident(update, run) {
            Ok(update) => Done { ended: succeeded("recorded"), also: Also::Incident(update) },
            Err(error) => failed(&error.to_string()),
        },
        Action::Notification(said) => match (render(&said.subject, &run.inputs), render(&said.text, &run.inputs)) {
            (Ok(subject), Ok(text)) => {
                Done { ended: succeeded("said"), also: Also::Notify(Notification { subject, text }) }
            }
            (Err(error), _) | (_, Err(error)) => failed(&error.to_string()),
        },
        // Begun, it waits for a person and not for a runner.
        Action::Approval(Approval { .. }) => failed("nobody was asked"),
    };
    Ok(done)
}

/// What ends the attempt from outside: a person, the time, or the loss of the lease.
fn halt(run: &Run, step: &Step, started_at: Option<OffsetDateTime>) -> impl Future<Output = Halt> + use<> {
    let (cancel, lost) = (run.cancel.clone(), run.held.lost.clone());
    let own = started_at.unwrap_or_else(OffsetDateTime::now_utc) + time::Duration::seconds(step.timeout_s.into());
    let (until, reason) = match run.state.deadline.filter(|deadline| *deadline < own) {
        Some(deadline) => (deadline, "the time for the whole is over".to_owned()),
        None => (own, format!("it took longer than {} s", step.timeout_s)),
    };
    let left: Duration = (until - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO);
    async move {
        tokio::select! {
            biased;
            () = lost.cancelled() => Halt::Lost,
            () = cancel.cancelled() => Halt::Cancelled,
            () = sleep(left) => Halt::TimedOut(reason),
        }
    }
}

/// The work, unless something ends it: then it is left where it stands.
async fn within(halt: impl Future<Output = Halt>, work: impl Future<Output = Done>) -> Result<Done, Stopped> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        why = halt => match why {
            Halt::Lost => Err(Stopped::Lost),
            Halt::Cancelled => Ok(ended(Outcome::Cancelled, "it was ended").into()),
            Halt::TimedOut(reason) => Ok(ended(Outcome::TimedOut, &reason).into()),
        },
    }
}

fn told(outcome: Result<String, String>) -> Done {
    match outcome {
        Ok(said) => succeeded(&said).into(),
        Err(said) => failed(&said),
    }
}

/// Tests a server of the inventory. What is found is the server's as well.
async fn test(run: &Run, name: &str) -> Done {
    let server = match server(run, name).await {
        Ok(server) => server,
        Err(said) => return failed(&said),
    };
    let finding = servers::test(&run.app.egress, &server).await;
    if let Err(error) = servers::keep_measure(&run.app.background, server.id, &finding).await {
        tracing::debug!(%error, "a measurement is not kept");
    }
    let outcome = if finding.answers { Outcome::Succeeded } else { Outcome::Failed };
    Done { ended: ended(outcome, &finding.message), also: Also::Server { name: name.to_owned(), finding } }
}

async fn server(run: &Run, name: &str) -> Result<Server, String> {
    let id = name.parse().ok();
    let found = loop {
        match servers::show(&run.app.background, id, id.is_none().then_some(name)).await {
            Ok((_, found)) => break found,
            Err(error) => tracing::debug!(%error, "a server cannot be read now"),
        }
        sleep(AGAIN).await;
    };
    found.filter(|server| !server.deleted).ok_or_else(|| format!("there is no server {name}"))
}

async fn pass(until: OffsetDateTime) -> Result<String, String> {
    sleep((until - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO)).await;
    Ok("the time has passed".to_owned())
}

fn output(run: &Run, attempt: u32) -> Output {
    let which = (run.state.id, run.held.lease);
    Output::new(run.app.clone(), which, run.cause(), (run.state.step, attempt), run.mask.clone())
}

fn rendered_incident(update: &IncidentUpdate, run: &Run) -> Result<IncidentUpdate, Unrenderable> {
    let text = |text: &Option<String>| text.as_ref().map(|text| render(text, &run.inputs)).transpose();
    Ok(IncidentUpdate {
        incident: render(&update.incident, &run.inputs)?,
        comment: text(&update.comment)?,
        status: text(&update.status)?,
        assignee: text(&update.assignee)?,
    })
}

impl Also {
    /// What is recorded with the end of the step at `now`. `None`: it cannot be, and `ended` says why.
    ///
    /// # Errors
    /// The lease is another's.
    pub async fn effects(&self, run: &Run, ended: &mut Ended, now: OffsetDateTime) -> Result<Option<Effects>, Stopped> {
        match self {
            Also::Nothing => Ok(Some(Effects::default())),
            Also::Server { name, finding } => {
                let observed = tokio::select! {
                    observed = observe(run, name, finding, now) => observed,
                    () = run.held.lost.cancelled() => return Err(Stopped::Lost),
                };
                // A server that is gone meanwhile has no status to change.
                Ok(Some(observed.unwrap_or_default()))
            }
            _ if ended.outcome != Outcome::Succeeded => Ok(Some(Effects::default())),
            Also::Notify(Notification { subject, text }) => {
                let (subject, text) = (subject.clone(), text.clone());
                let runbook = run.state.definition.name.clone();
                let notified = Notified { step: run.state.step, runbook, subject, text };
                Ok(Some((vec![notified.into()], Vec::new(), Vec::new())))
            }
            Also::Incident(update) => {
                let changed = tokio::select! {
                    changed = change(run, update, now) => changed,
                    () = run.held.lost.cancelled() => return Err(Stopped::Lost),
                };
                match changed {
                    Ok(effects) => Ok(Some(effects)),
                    Err(refused) => {
                        (ended.outcome, ended.reason) = (Outcome::Failed, Some(refused));
                        Ok(None)
                    }
                }
            }
        }
    }
}

/// The change of a server's status, as its own rules decide it.
async fn observe(run: &Run, name: &str, finding: &Finding, now: OffsetDateTime) -> Result<Effects, String> {
    let before = server(run, name).await?;
    let observed = server::Command::Observe { answers: finding.answers, message: finding.message.clone() };
    let events = server::decide(Some(&before), &observed, now).map_err(|refusal| refusal.to_string())?;
    if events.is_empty() {
        return Ok(Effects::default());
    }
    let (write, state, _) = servers::write(Some(&before), before.id, &events, &run.cause(), now);
    Ok((Vec::new(), vec![write], vec![state]))
}

/// The change of an incident, as its own rules decide it.
async fn change(run: &Run, update: &IncidentUpdate, now: OffsetDateTime) -> Result<Effects, String> {
    let named = async || -> Result<_, QueryError> {
        match (update.incident.parse::<Uuid>(), incident::number(&update.incident)) {
            (Ok(id), _) => incidents::find(&run.app.background, id).await,
            (_, Some(number)) => incidents::find_number(&run.app.background, number).await,
            _ => Ok(None),
        }
    };
    let found = loop {
        match named().await {
            Ok(found) => break found,
            Err(error) => tracing::debug!(%error, "an incident cannot be read now"),
        }
        sleep(AGAIN).await;
    };
    let before = found.ok_or_else(|| format!("there is no incident {}", update.incident))?;
    let (mut after, mut events, cause) = (before.clone(), Vec::new(), run.cause());
    for command in commands(update, run)? {
        let decided = incident::decide(Some(&after), &command).map_err(|refusal| refusal.to_string())?;
        let meta = incident::Meta { stream_id: before.id, actor: cause.actor.clone(), occurred_at: now };
        after = decided.iter().fold(after, |incident, event| incident::evolve(Some(incident), event, &meta));
        events.extend(decided);
    }
    if events.is_empty() {
        return Ok(Effects::default());
    }
    let (write, state, _) = incidents::write(Some(&before), before.id, &events, &cause, now);
    Ok((Vec::new(), vec![write], vec![state]))
}

fn commands(update: &IncidentUpdate, run: &Run) -> Result<Vec<incident::Command>, String> {
    let mut commands = Vec::new();
    if let Some(assignee) = &update.assignee {
        commands.push(incident::Command::Assign { assignee: Some(assignee.clone()) });
    }
    if let Some(status) = &update.status {
        let to = incident::Status::parse(status).ok_or_else(|| format!("there is no status {status}"))?;
        let reason = format!("runbook {}: {}", run.state.definition.name, run.state.reason);
        commands.push(incident::Command::ChangeStatus(Transition::new(to, Some(reason))));
    }
    if let Some(text) = &update.comment {
        commands.push(incident::Command::Comment { comment_id: Uuid::now_v7(), text: text.clone() });
    }
    Ok(commands)
}

impl From<Ended> for Done {
    fn from(ended: Ended) -> Done {
        Done { ended, also: Also::Nothing }
    }
}

fn ended(outcome: Outcome, reason: &str) -> Ended {
    Ended { outcome, reason: Some(reason.to_owned()), at: OffsetDateTime::now_utc() }
}

fn succeeded(reason: &str) -> Ended {
    ended(Outcome::Succeeded, reason)
}

fn failed(reason: &str) -> Done {
    ended(Outcome::Failed, reason).into()
}
