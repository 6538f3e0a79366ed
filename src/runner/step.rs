//! One attempt at one step.

use std::future::Future;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;

use super::output::Output;
use super::run::{AGAIN, Halt, Run, Stopped};
use super::{command, http, incident};
use crate::domain::automation::execution::{Ended, Event, Notified, Outcome};
use crate::domain::automation::{
    Action, Approval, IncidentUpdate, Notification, Step, Unrenderable, render, render_argument,
};
use crate::domain::server::{self, Server};
use crate::log::{State, Write};
use crate::servers::{self, Finding};

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
    /// An incident, opened or changed.
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
            let values = run.values();
            let sent = http::send((&run.app.egress, &run.app.trust), request, &values, &mut output);
            let done = within(halt, async { told(sent.await) }).await?;
            output.flush().await?;
            done
        }
        Action::Command(wanted) => {
            let Some(allowed) = run.app.allowed.get(&wanted.name) else {
                return Ok(failed("the configuration of this process has no such command"));
            };
            let values = run.values();
            let arguments = wanted.arguments.iter().map(|text| render_argument(text, &values));
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
        Action::ServerTest(wanted) => match render(&wanted.server, &run.values()) {
            Ok(name) => within(halt, test(run, &name)).await?,
            Err(error) => failed(&error.to_string()),
        },
        Action::Incident(update) => match incident::rendered(update, &run.values()) {
            Ok(update) => Done { ended: succeeded("recorded"), also: Also::Incident(update) },
            Err(error) => failed(&error.to_string()),
        },
        Action::Notification(said) => {
            let values = run.values();
            match (render(&said.subject, &values), render(&said.text, &values)) {
                (Ok(subject), Ok(text)) => {
                    Done { ended: succeeded("said"), also: Also::Notify(Notification { subject, text }) }
                }
                (Err(error), _) | (_, Err(error)) => failed(&error.to_string()),
            }
        }
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

impl Also {
    /// What is recorded with the end of the step at `now`. Where it cannot be, `ended` says why.
    ///
    /// # Errors
    /// The lease is another's.
    pub async fn effects(&self, run: &Run, ended: &mut Ended, now: OffsetDateTime) -> Result<Effects, Stopped> {
        match self {
            Also::Nothing => Ok(Effects::default()),
            Also::Server { name, finding } => {
                let observed = tokio::select! {
                    observed = observe(run, name, finding, now) => observed,
                    () = run.held.lost.cancelled() => return Err(Stopped::Lost),
                };
                // A server that is gone meanwhile has no status to change.
                Ok(observed.unwrap_or_default())
            }
            _ if ended.outcome != Outcome::Succeeded => Ok(Effects::default()),
            Also::Notify(Notification { subject, text }) => {
                let (subject, text) = (subject.clone(), text.clone());
                let runbook = run.state.definition.name.clone();
                let notified = Notified { step: run.state.step, runbook, subject, text };
                Ok((vec![notified.into()], Vec::new(), Vec::new()))
            }
            Also::Incident(update) => tokio::select! {
                effects = incident::effects(run, update, ended, now) => Ok(effects),
                () = run.held.lost.cancelled() => Err(Stopped::Lost),
            },
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

impl From<Ended> for Done {
    fn from(ended: Ended) -> Done {
        Done { ended, also: Also::Nothing }
    }
}

fn ended(outcome: Outcome, reason: &str) -> Ended {
    Ended::new(outcome, Some(reason.to_owned()), OffsetDateTime::now_utc())
}

fn succeeded(reason: &str) -> Ended {
    ended(Outcome::Succeeded, reason)
}

fn failed(reason: &str) -> Done {
    ended(Outcome::Failed, reason).into()
}
