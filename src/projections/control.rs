//! Whether there are streams, and for whom: the administrators' word, kept current by the tail.
//!
//! Two things say no. The log says it for all processes. `DISABLE_SSE_SYSTEM` says it for this process, from
//! its start until an administrator enables streams; what the log said before the start does not lift it.

use std::sync::{PoisonError, RwLock};

use uuid::Uuid;

use crate::domain::system::{self, STREAMS, Streams};
use crate::log::{Event, read, sha256};
use crate::postgres::{Database, QueryError};

/// What this process knows of the administrators' word.
pub struct Control(RwLock<Word>);

/// The word, and whether this process waits for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As the log tells.
    pub streams: Streams,
    /// Started with streams off, and nobody has enabled them since.
    pub held: bool,
}

impl Word {
    /// No streams from this process.
    pub fn disabled(&self) -> bool {
        self.held || self.streams.disabled
    }

    /// Whether this user is among those who are offered streams.
    ///
    /// A user's place among a hundred comes from a hash of the id: the same in every process and at all
    /// times, so a growing share takes streams from nobody.
    pub fn offered_to(&self, user: Uuid) -> bool {
        let hash = sha256(user.as_bytes());
        let place = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 100;
        place < u32::from(self.streams.share)
    }
}

impl Control {
    /// Knows nothing yet. `held`: this process starts with streams off.
    pub fn new(held: bool) -> Control {
        Control(RwLock::new(Word { streams: Streams::default(), held }))
    }

    /// The word of now.
    pub fn word(&self) -> Word {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As the log tells now, whatever was known before.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn load(&self, database: &Database) -> Result<(), QueryError> {
        let streams = current(database).await?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).streams = streams;
        Ok(())
    }

    /// Takes notice of the tail's events.
    pub fn apply(&self, events: &[Event]) {
        for event in events.iter().filter(|event| event.stream == STREAMS) {
            let Some(change) = parsed(event) else { continue };
            let mut word = self.0.write().unwrap_or_else(PoisonError::into_inner);
            word.held &= !matches!(change, system::Event::Enabled(_));
            // Loaded from a log that held this event already.
            if event.version > word.streams.version {
                word.streams = system::evolve(std::mem::take(&mut word.streams), &change);
                word.streams.version = event.version;
            }
        }
    }
}

/// Folds the whole stream: an event per switch that anybody ever made, so a page or two.
///
/// # Errors
/// The database did not answer.
pub async fn current(database: &Database) -> Result<Streams, QueryError> {
    let (mut streams, mut version) = (Streams::default(), 0);
    loop {
        let page = read::stream(database, STREAMS, version, read::PAGE_EVENTS).await?;
        let Some(last) = page.last() else { return Ok(streams) };
        version = last.version;
        streams = page.iter().filter_map(parsed).fold(streams, |streams, change| system::evolve(streams, &change));
        streams.version = version;
    }
}

fn parsed(event: &Event) -> Option<system::Event> {
    let change = system::Event::parse(&event.kind, event.data.get());
    if let Err(error) = &change {
        tracing::error!(seq = event.seq, %error, "passed over; streams stay as they were");
    }
    change.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(percent: u8) -> Vec<bool> {
        let word = Word { streams: Streams { share: percent, ..Streams::default() }, held: false };
        (1..=10_000).map(|user| word.offered_to(Uuid::from_u128(user))).collect()
    }

    #[test]
    fn a_share_of_users_is_that_share_and_a_larger_one_takes_from_nobody() {
        let mut before = offered(0);
        assert!(!before.contains(&true));
        for percent in 1..=100 {
            let now = offered(percent);
            assert!(before.iter().zip(&now).all(|(before, now)| now | !before), "{percent} % took from somebody");
            let count = now.iter().filter(|offered| **offered).count();
            assert!(count.abs_diff(usize::from(percent) * 100) < 200, "{percent} %: {count} of 10,000");
            before = now;
        }
        assert!(!before.contains(&false), "100 % is everybody");
    }
}
