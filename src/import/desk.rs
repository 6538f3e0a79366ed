//! One of the tasks that take rows in. All rows of an incident come to the same desk, in the file's order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::sleep;
use uuid::Uuid;

use super::changes::{changes, unborn};
use super::history::{ACTOR, History, Unloaded};
use super::report::{Done, Tally};
use super::row::{Facts, Row, reason};
use crate::domain::incident::{self, Incident, Refusal};
use crate::incidents;
use crate::log::{AppendError, Appender, Cause, Command, Idempotency, Outcome, State, Write};
use crate::postgres::Database;

/// Incidents whose histories a desk remembers; exports are mostly grouped. 32 desks × 64 × 4 KiB are 8 MiB.
const HISTORIES: usize = 64;
/// How often a row is tried while the database does not answer; with the pauses between, about 13 s.
const ATTEMPTS: u32 = 8;
/// Between the first two attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Takes rows in.
pub(super) struct Desk {
    database: Database,
    appender: Appender,
    tally: Arc<Tally>,
    /// The one used last is at the end.
    histories: Vec<History>,
    /// Every incident met, and whether it had caught up when it was forgotten.
    met: HashMap<Uuid, bool>,
}

/// Why a row was not taken in.
enum Obstacle {
    /// It never will be: the rules or the database refuse it.
    Bad(String),
    /// It may be with the next attempt, which begins by reading the stream again.
    Passing(String),
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Obstacle {
        Obstacle::Bad(reason(&refusal))
    }
}

impl From<Unloaded> for Obstacle {
    fn from(error: Unloaded) -> Obstacle {
        Obstacle::Passing(error.to_string())
    }
}

impl From<AppendError> for Obstacle {
    fn from(error: AppendError) -> Obstacle {
        match error {
            AppendError::Refused { .. } | AppendError::Malformed(_) => Obstacle::Bad(error.to_string()),
            AppendError::Overloaded | AppendError::Unavailable(_) | AppendError::Unknown => {
                Obstacle::Passing(error.to_string())
            }
        }
    }
}

impl Desk {
    pub fn new(database: Database, appender: Appender, tally: Arc<Tally>) -> Desk {
        Desk { database, appender, tally, histories: Vec::new(), met: HashMap::new() }
    }

    /// Takes rows in until there are no more.
    ///
    /// # Errors
    /// The database did not write in spite of retries.
    pub async fn work(mut self, mut rows: mpsc::Receiver<Row>) -> anyhow::Result<()> {
        while let Some(row) = rows.recv().await {
            if !self.tally.stopped_before(row.line) {
                self.take(&row).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, row: &Row) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.attempt(row).await {
                Ok(done) => {
                    self.tally.done(done);
                    break;
                }
                Err(Obstacle::Bad(reason)) => {
                    self.tally.bad(row.line, reason);
                    break;
                }
                Err(Obstacle::Passing(reason)) if attempt == ATTEMPTS => {
                    bail!("line {}: {reason}; run the same command again to go on", row.line)
                }
                Err(Obstacle::Passing(reason)) => {
                    tracing::debug!(line = row.line, reason, "a row is tried again");
                    self.reload(row.incident).await;
                    sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        Ok(())
    }

    async fn attempt(&mut self, row: &Row) -> Result<Done, Obstacle> {
        let mut history = self.history(row.incident).await?;
        let done = self.advance(&mut history, row).await;
        if done.is_ok() {
            history.before = Some(row.facts.clone());
        }
        self.histories.push(history);
        done
    }

    async fn advance(&self, history: &mut History, row: &Row) -> Result<Done, Obstacle> {
        if history.holds(row) {
            return Ok(Done::Already);
        }
        let cause = Cause {
            actor_name: row.updated_by.clone().unwrap_or_else(|| "import".to_owned()),
            correlation_id: row.id,
            ..Cause::system("import")
        };
        debug_assert_eq!(cause.actor, ACTOR);
        let mut draft = Draft::new(history.incident.as_ref(), &cause);
        if history.incident.is_none() {
            let number = if self.tally.dry_run { 0 } else { self.number().await? };
            draft.add(row.incident, row.opened_at, &row.create(number))?;
        }
        let before = match (&history.before, &history.incident) {
            (Some(before), _) => before.clone(),
            (None, Some(incident)) => Facts::of(incident, row),
            (None, None) => unborn(row),
        };
        let commands = draft.after.as_ref().map_or_else(Vec::new, |incident| changes(&before, row, incident));
        for (at, command) in commands {
            draft.add(row.incident, at, &command)?;
        }
        let (Some((write, state)), Some(after)) = (draft.write, draft.after) else { return Ok(Done::Unchanged) };
        let events = write.events.len();
        let at = write.events.iter().map(|event| event.occurred_at).max().unwrap_or(row.updated_at);
        if !self.tally.dry_run {
            self.append(row, cause, write, state, &after).await?;
        }
        history.incident = Some(after);
        history.record(row.id, at);
        Ok(Done::Written(events))
    }

    async fn append(
        &self,
        row: &Row,
        cause: Cause,
        write: Write,
        state: State,
        after: &Incident,
    ) -> Result<(), Obstacle> {
        let idempotency = Idempotency {
            principal: ACTOR.to_owned(),
            key: format!("service-desk:{}:{}", row.number, row.id.simple()),
            body_hash: row.hash.to_vec(),
            reply: json!({ "id": after.id, "version": after.version }).to_string(),
        };
        let command = Command { cause, writes: vec![write], states: vec![state], idempotency: Some(idempotency) };
        match self.appender.append(command).await? {
            Outcome::Appended(_) => Ok(()),
            // Somebody works on the incident, or another import of the same file runs: look again.
            Outcome::Conflict { .. } => Err(Obstacle::Passing("the incident changed meanwhile".to_owned())),
            Outcome::Duplicate(_) => Err(Obstacle::Passing("the row was imported meanwhile".to_owned())),
        }
    }

    async fn number(&self) -> Result<i64, Obstacle> {
        incidents::next_number(&self.database).await.map_err(|error| Obstacle::Passing(error.to_string()))
    }

    /// Takes an incident's history out of the memory, or reads it.
    async fn history(&mut self, id: Uuid) -> Result<History, Obstacle> {
        if let Some(place) = self.histories.iter().position(|history| history.id == id) {
            return Ok(self.histories.remove(place));
        }
        let mut history = History::load(&self.database, id).await?;
        match self.met.get(&id) {
            Some(caught_up) => history.caught_up |= *caught_up,
            None => {
                self.met.insert(id, history.caught_up);
                self.tally.incident();
            }
        }
        if self.histories.len() >= HISTORIES {
            let forgotten = self.histories.remove(0);
            self.met.insert(forgotten.id, forgotten.caught_up);
        }
        Ok(history)
    }

    /// Reads an incident again. If that fails, the old one stays: the log will say that its version is wrong.
    async fn reload(&mut self, id: Uuid) {
        let Some(known) = self.histories.iter_mut().find(|history| history.id == id) else { return };
        if let Err(error) = known.reload(&self.database).await {
            tracing::debug!(%error, "an incident's history could not be read again");
        }
    }
}

/// A row's events in the making.
struct Draft<'a> {
    cause: &'a Cause,
    /// The incident after the events so far.
    after: Option<Incident>,
    write: Option<(Write, State)>,
}

impl<'a> Draft<'a> {
    fn new(before: Option<&Incident>, cause: &'a Cause) -> Draft<'a> {
        Draft { cause, after: before.cloned(), write: None }
    }

    /// Decides one more command on what the earlier ones leave.
    fn add(&mut self, id: Uuid, at: OffsetDateTime, command: &incident::Command) -> Result<(), Refusal> {
        let events = incident::decide(self.after.as_ref(), command)?;
        if events.is_empty() {
            return Ok(());
        }
        let (mut write, state, after) = incidents::write(self.after.as_ref(), id, &events, self.cause, at);
        if let Some((first, _)) = self.write.take() {
            let later = std::mem::replace(&mut write, first);
            write.events.extend(later.events);
        }
        self.write = Some((write, state));
        self.after = Some(after);
        Ok(())
    }
}
