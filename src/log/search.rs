//! Looking through the log: what a reader may see of what it asks for, one bounded stretch after another.

use time::OffsetDateTime;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Event, Head, read};
use crate::postgres::{Database, QueryError};

/// Events that one look goes over: some 20 ms where none of them is wanted.
pub const STRETCH_EVENTS: i64 = 20_000;
/// The same where the index of correlations says which blocks to look at: some 5 ms, and a second where clients made
/// ids of their own that have no order, so that it says nothing.
const CORRELATED_STRETCH_EVENTS: i64 = 500_000;
/// Bytes of data in one look's events. It ends with the event that brings it there.
pub const PAGE_BYTES: i64 = 1 << 20;
/// Looks of a process at once: fewer than it has pooled connections, so that commands and other queries always find
/// one. More wait.
const LOOKS_AT_ONCE: usize = 3;
static TURNS: Semaphore = Semaphore::const_new(LOOKS_AT_ONCE);

/// What to find; each wish that is absent admits any event.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// From this position on.
    pub from_seq: Option<i64>,
    /// Up to this position, itself included.
    pub to_seq: Option<i64>,
    /// Recorded at this time or later.
    pub since: Option<OffsetDateTime>,
    /// Recorded before this time.
    pub before: Option<OffsetDateTime>,
    /// Of one of these types.
    pub types: Option<Vec<&'static str>>,
    /// In this stream.
    pub stream: Option<String>,
    /// Done by whoever has this id.
    pub actor: Option<String>,
    /// Done by whoever was called so then.
    pub actor_name: Option<String>,
    /// Of this story.
    pub correlation_id: Option<Uuid>,
    /// Of a command that named this collaboration session.
    pub session: Option<String>,
    /// What the reader may do.
    pub permissions: Vec<&'static str>,
}

/// A search under way. It goes along the log, or, where it asks for one stream, along the versions of that.
#[derive(Debug)]
pub struct Walk {
    search: Search,
    /// Where the log ended when it began; nothing behind it is found.
    pub head: Head,
    /// What is left: places above this one …
    above: i64,
    /// … up to this one.
    upto: i64,
    /// Looks so far.
    pub looks: u32,
}

impl Walk {
    /// Finds out where to look. Times are found by halving, in some 25 look-ups.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn begin(database: &Database, search: Search) -> Result<Walk, QueryError> {
        let from = search.from_seq.map(|seq| seq.max(1));
        let range = include_str!("../../sql/queries/events_range.sql");
        let row =
            database.query_one(range, &[&search.stream, &from, &search.to_seq, &search.since, &search.before]).await?;
        let head = Head { epoch: row.try_get("epoch")?, seq: row.try_get("head")? };
        Ok(Walk { search, head, above: row.try_get("above")?, upto: row.try_get("upto")?, looks: 0 })
    }

    /// Whether everything was looked at.
    pub fn is_over(&self) -> bool {
        self.above >= self.upto
    }

    /// Looks at the newest stretch that is left, or a part of it: finds at most `most` events, the newest first.
    ///
    /// # Errors
    /// The database did not answer; the same stretch is still left.
    pub async fn back(&mut self, database: &Database, most: i64) -> Result<Vec<Event>, QueryError> {
        let above = self.above.max(self.upto - self.stretch());
        let (found, stopped_at) = self.look(database, above, self.upto, true, most).await?;
        self.upto = stopped_at.map_or(above, |place| place - 1);
        self.looks += 1;
        Ok(found)
    }

    /// The same from the oldest one on.
    ///
    /// # Errors
    /// The database did not answer; the same stretch is still left.
    pub async fn forth(&mut self, database: &Database, most: i64) -> Result<Vec<Event>, QueryError> {
        let upto = self.upto.min(self.above + self.stretch());
        let (found, stopped_at) = self.look(database, self.above, upto, false, most).await?;
        self.above = stopped_at.unwrap_or(upto);
        self.looks += 1;
        Ok(found)
    }

    /// The newest position that [`Walk::back`] has not looked at; `None` when it is over.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn next_seq(&self, database: &Database) -> Result<Option<i64>, QueryError> {
        Ok(match &self.search.stream {
            _ if self.is_over() => None,
            None => Some(self.upto),
            Some(stream) => read::stream(database, stream, self.upto - 1, 1).await?.first().map(|event| event.seq),
        })
    }

    /// Events that one look goes over.
    fn stretch(&self) -> i64 {
        let has_index = self.search.correlation_id.is_some() && self.search.stream.is_none();
        if has_index { CORRELATED_STRETCH_EVENTS } else { STRETCH_EVENTS }
    }

    /// What is found, and the place of the last of it when there was no room for more.
    async fn look(
        &self,
        database: &Database,
        above: i64,
        upto: i64,
        newest_first: bool,
        most: i64,
    ) -> Result<(Vec<Event>, Option<i64>), QueryError> {
        let Search { types, stream, actor, actor_name, correlation_id, session, permissions, .. } = &self.search;
        let rows = {
            let _turn = TURNS.acquire().await; // never closed
            database
                .query(
                    include_str!("../../sql/queries/events_search.sql"),
                    &[
                        stream,
                        &above,
                        &upto,
                        types,
                        actor,
                        actor_name,
                        correlation_id,
                        session,
                        permissions,
                        &newest_first,
                        &most,
                        &PAGE_BYTES,
                    ],
                )
                .await?
        };
        let found = rows.iter().map(Event::from_row).collect::<Result<Vec<_>, _>>()?;
        let bytes: i64 = found.iter().map(|event| event.data.get().len() as i64).sum();
        let full = found.len() as i64 >= most || bytes >= PAGE_BYTES;
        let place = |event: &Event| if stream.is_some() { event.version } else { event.seq };
        let stopped_at = found.last().filter(|_| full).map(place);
        Ok((found, stopped_at))
    }
}
