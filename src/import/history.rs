//! An incident as the log has it, and which rows of the export made it so.

use std::collections::HashSet;

use time::OffsetDateTime;
use uuid::Uuid;

use super::row::{Facts, Row};
use crate::domain::incident::{Event, Incident, Meta, evolve};
use crate::incidents;
use crate::log::read::{self, PAGE_EVENTS};
use crate::postgres::{Database, QueryError};

/// The actor of every imported event.
pub(super) const ACTOR: &str = "system:import";

/// One incident in the import.
pub(super) struct History {
    pub id: Uuid,
    /// As it is now; `None` before its first row.
    pub incident: Option<Incident>,
    /// What the row before said.
    pub before: Option<Facts>,
    /// Whether the file has come to the last row that the log had when this import began.
    pub caught_up: bool,
    /// Rows that are in the log, by the correlation ids of their events.
    recorded: HashSet<Uuid>,
    /// The last of them, and the latest time that any of them tells.
    last: Option<(Uuid, OffsetDateTime)>,
}

impl History {
    /// Reads an incident's stream.
    pub async fn load(database: &Database, id: Uuid) -> Result<History, Unloaded> {
        let mut history =
            History { id, incident: None, before: None, caught_up: false, recorded: HashSet::new(), last: None };
        let stream = incidents::stream(id);
        loop {
            let version = history.incident.as_ref().map_or(0, |incident| incident.version);
            let page = read::stream(database, &stream, version, PAGE_EVENTS).await?;
            for event in &page {
                let data = serde_json::from_str(event.data.get())?;
                let change = Event::parse(&event.kind, &data)?;
                let meta = Meta { stream_id: id, actor: event.actor.id.clone(), occurred_at: event.occurred_at };
                history.incident = Some(evolve(history.incident.take(), &change, &meta));
                if event.actor.id == ACTOR {
                    history.record(event.correlation_id, event.occurred_at);
                }
            }
            if (page.len() as i64) < PAGE_EVENTS {
                history.caught_up = history.last.is_none();
                return Ok(history);
            }
        }
    }

    /// Reads the stream again, keeping what the file has told so far.
    pub async fn reload(&mut self, database: &Database) -> Result<(), Unloaded> {
        let read = History::load(database, self.id).await?;
        let caught_up = self.caught_up || read.caught_up;
        *self = History { before: self.before.take(), caught_up, ..read };
        Ok(())
    }

    /// Notes that a row is in the log.
    pub fn record(&mut self, row: Uuid, at: OffsetDateTime) {
        self.recorded.insert(row);
        self.last = Some((row, self.last.map_or(at, |(_, latest)| latest.max(at))));
    }

    /// Whether a row was taken in before.
    ///
    /// Rows above the last one taken in were, too, even without a trace: they said nothing new then, and
    /// now, compared with what came after them, they might. A row that tells of a later time than the log
    /// is new even if that last row is not found: it was edited, or the file begins behind it.
    pub fn holds(&mut self, row: &Row) -> bool {
        if self.recorded.contains(&row.id) {
            self.caught_up |= self.last.is_some_and(|(last, _)| last == row.id);
            return true;
        }
        !self.caught_up && self.last.is_some_and(|(_, latest)| row.updated_at <= latest)
    }
}

/// Why an incident's stream could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unloaded {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("an event of the incident cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("an event of the incident cannot be read: {0}")]
    Event(#[from] crate::domain::incident::Unreadable),
}
