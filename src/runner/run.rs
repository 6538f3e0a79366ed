//! One execution, from the lease to the end or to a person.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lease::Held;
use super::step::{self, Done};
use crate::automations::{self, ACTOR, execution_stream};
use crate::domain::automation::execution::{Command as Wish, Ended, Event, Execution, Next, Refusal, decide, next};
use crate::domain::automation::{Inputs, Mask, Values};
use crate::http::App;
use crate::log::{self, AppendError, Cause, Command, Outcome, State, Write, read};
use crate::postgres::QueryError;

/// Between two tries to record something or to read it.
pub const AGAIN: Duration = Duration::from_millis(200);
/// PostgreSQL's code for a second row where there may be one, such as an open incident with a dedup key.
const OVERTAKEN: &str = "23505";

/// Why this process no longer works on an execution.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The lease is another's, or may be.
    #[error("the lease is another's, or may be")]
    Lost,
    /// It cannot be recorded, whoever tries.
    #[error("{0}")]
    Append(AppendError),
}

/// What ends a step from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// Somebody wants it to end.
    Cancelled,
    /// Its time is over: which, in words.
    TimedOut(String),
    /// The lease is another's, or may be, or this process stops.
    Lost,
}

/// An execution under way in this process.
pub struct Run {
    /// What it works with.
    pub app: Arc<App>,
    /// Its right.
    pub held: Held,
    /// Cancelled when somebody wants it to end.
    pub cancel: CancellationToken,
    /// As it is now.
    pub state: Execution,
    /// Its newest event: what comes next follows from that.
    cause: Cause,
    /// Values, secrets among them.
    pub inputs: Inputs,
    /// What takes the secrets out again.
    pub mask: Arc<Mask>,
}

/// Works on an execution until it ends, waits for a person, or is another's.
pub async fn run(app: Arc<App>, held: Held) {
    let execution = held.execution;
    let watched = app.wake.watch(execution);
    let ended = tokio::select! {
        found = load(&app, execution) => found,
        () = held.lost.cancelled() => Err(Stopped::Lost),
    };
    let ended = match ended {
        Ok(Some(Loaded { state, inputs, cause })) => {
            let mask = Arc::new(Mask::new(inputs.secret.values()));
            let cancel = watched.cancel.clone();
            Run { app: app.clone(), held, cancel, state, cause, inputs, mask }.work().await
        }
        Ok(None) => Ok(()),
        Err(stopped) => Err(stopped),
    };
    match ended {
        Ok(()) => {}
        Err(Stopped::Lost) => tracing::info!(%execution, "left to whoever takes the lease"),
        Err(error) => tracing::error!(%error, %execution, "left as it stands"),
    }
}

/// An execution as the database has it.
struct Loaded {
    state: Execution,
    inputs: Inputs,
    cause: Cause,
}

async fn load(app: &App, id: Uuid) -> Result<Option<Loaded>, Stopped> {
    let found = async || -> Result<_, QueryError> {
        let Some(state) = automations::find_execution(&app.background, id).await? else { return Ok(None) };
        let newest = read::stream(&app.background, &execution_stream(id), state.version - 1, 1).await?;
        let inputs = Inputs { plain: state.inputs.clone(), secret: automations::secrets(&app.background, id).await? };
        let cause = cause(&state, newest.first());
        Ok(Some(Loaded { state, inputs, cause }))
    };
    loop {
        match found().await {
            Ok(found) => return Ok(found),
            Err(error) => tracing::debug!(%error, %id, "an execution cannot be read now"),
        }
        sleep(AGAIN).await;
    }
}

impl Run {
    async fn work(mut self) -> Result<(), Stopped> {
        self.wish(Wish::Claim(self.held.lease)).await?;
        if self.state.token != self.held.lease.token {
            return Err(Stopped::Lost); // not known to be recorded: nothing may be done with this lease
        }
        loop {
            let lease = self.held.lease;
            match next(&self.state, OffsetDateTime::now_utc()) {
                Next::Leave => return Ok(()),
                Next::Start => self.wish(Wish::StartStep(lease)).await?,
                Next::Complete => self.wish(Wish::Complete(lease)).await?,
                Next::TimeOut => self.wish(Wish::TimeOut(lease)).await?,
                Next::Cancel => self.wish(Wish::Cancelled(lease)).await?,
                Next::Pause(until) => self.pause(until).await?,
                Next::Act => {
                    let done = step::act(&mut self).await?;
                    self.finish(done).await?;
                }
            }
        }
    }

    /// Nothing until then, unless somebody wants it to end.
    async fn pause(&mut self, until: OffsetDateTime) -> Result<(), Stopped> {
        let left = (until - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO);
        tokio::select! {
            () = sleep(left) => Ok(()),
            () = self.cancel.cancelled() => self.reload().await,
            () = self.held.lost.cancelled() => Err(Stopped::Lost),
        }
    }

    /// Carries out a command, or, where the execution has moved on, comes back with what it is now.
    async fn wish(&mut self, wish: Wish) -> Result<(), Stopped> {
        let now = OffsetDateTime::now_utc();
        let events = decide(Some(&self.state), &wish, now).map_err(lost)?;
        if !self.append(&events, now, Vec::new(), Vec::new()).await? {
            self.reload().await?;
        }
        Ok(())
    }

    /// Records the end of an attempt, whatever else happens meanwhile: what was done was done.
    async fn finish(&mut self, done: Done) -> Result<(), Stopped> {
        let Done { mut ended, also } = done;
        ended.reason = ended.reason.map(|reason| self.mask.of(&reason));
        loop {
            let now = OffsetDateTime::now_utc();
            let finished = |run: &Run, ended: &Ended| {
                decide(Some(&run.state), &Wish::FinishStep(run.held.lease, ended.clone()), now).map_err(lost)
            };
            if finished(self, &ended)?.is_empty() {
                return Ok(()); // recorded by a try whose answer was lost
            }
            // Before the end is decided: what it wants to do may be refused, and then it ends otherwise.
            let (mut events, writes, states) = also.effects(self, &mut ended, now).await?;
            events.extend(finished(self, &ended)?);
            if self.append(&events, now, writes, states).await? {
                return Ok(());
            }
            self.reload().await?;
        }
    }

    /// Appends to the execution's stream; false when it has moved on, or when it is not known whether it has.
    async fn append(
        &mut self,
        events: &[Event],
        now: OffsetDateTime,
        writes: Vec<Write>,
        states: Vec<State>,
    ) -> Result<bool, Stopped> {
        if events.is_empty() {
            return Ok(false);
        }
        let cause = self.cause();
        let (write, state, after) = automations::write_execution(Some(&self.state), self.state.id, events, &cause, now);
        let mut all = vec![write];
        all.extend(writes);
        // Fenced by the version: whoever took over has appended that it did.
        let mut stored = vec![state];
        stored.extend(states);
        let newest = all[0].events.last().map(|event| event.id);
        let command = Command { cause, writes: all, states: stored, idempotency: None };
        let appended = tokio::select! {
            appended = self.app.appender.append(command) => appended,
            // What was sent may still be recorded, if nobody has taken over before.
            () = self.held.lost.cancelled() => return Err(Stopped::Lost),
        };
        match appended {
            Ok(Outcome::Appended(_)) => {
                self.state = after.ok_or(Stopped::Lost)?;
                self.cause.causation_id = newest;
                Ok(true)
            }
            Ok(_moved_on) => Ok(false),
            // Somebody else was first; decided anew, it sees that.
            Err(AppendError::Refused { sqlstate, .. }) if sqlstate == OVERTAKEN => Ok(false),
            Err(error @ (AppendError::Refused { .. } | AppendError::Malformed(_))) => Err(Stopped::Append(error)),
            Err(error) => {
                tracing::debug!(%error, execution = %self.state.id, "tried again");
                sleep(AGAIN).await;
                Ok(false)
            }
        }
    }

    async fn reload(&mut self) -> Result<(), Stopped> {
        let found = tokio::select! {
            found = load(&self.app, self.state.id) => found?,
            () = self.held.lost.cancelled() => return Err(Stopped::Lost),
        };
        Loaded { state: self.state, cause: self.cause, .. } = found.ok_or(Stopped::Lost)?;
        Ok(())
    }

    /// Why events of this execution happen: it, and its newest event.
    pub fn cause(&self) -> Cause {
        self.cause.clone()
    }

    /// What texts of the current step can take.
    pub fn values(&self) -> Values<'_> {
        let steps = self.state.definition.steps.iter().zip(&self.state.steps);
        let incidents = steps.filter_map(|(step, run)| Some((step.name.as_str(), run.incident.as_deref()?)));
        Values { inputs: &self.inputs, incidents: incidents.collect() }
    }
}

fn cause(state: &Execution, newest: Option<&log::Event>) -> Cause {
    Cause {
        actor: format!("{ACTOR}{}", state.id),
        actor_name: state.definition.name.clone(),
        session_id: None,
        correlation_id: state.correlation_id,
        causation_id: newest.map(|event| event.id),
        trace_id: newest.and_then(|event| event.trace_id.clone()),
    }
}

fn lost(refusal: Refusal) -> Stopped {
    tracing::debug!(%refusal, "an execution is not this runner's to go on with");
    Stopped::Lost
}
