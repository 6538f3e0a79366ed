//! What an aggregate was before one event, and what it was after it.

use poem_openapi::types::Any;
use poem_openapi::{Enum, Object};
use serde_json::Value;

use crate::http::problem::Problem;
use crate::hub::Filter;
use crate::log::{Event, read};
use crate::postgres::Database;
use crate::projections::rebuild::Rebuilt;

/// Events that are folded: the longest streams of aggregates have hundreds.
const MOST_VERSIONS: i64 = 5_000;
/// Events in memory at once.
const PAGE_EVENTS: i64 = 200;

/// The state of an event's aggregate before it and after it.
#[derive(Debug, Object)]
#[oai(rename = "EventStates", skip_serializing_if_is_none)]
pub struct States {
    /// Absent before the first event.
    before: Option<Any<Value>>,
    /// As it was kept in the version of the event.
    after: Option<Any<Value>>,
    /// Why neither is shown; absent when they are.
    unknown: Option<Unknown>,
}

/// Why states are not shown: `stateless`, its stream makes no state; `too_long`, more than 5,000 events come before
/// it; `not_yours`, you may not see an event before it; `unreadable`, one of them is not what this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "UnknownStates", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Unknown {
    Stateless,
    TooLong,
    NotYours,
    Unreadable,
}

impl States {
    /// Folds the stream up to and with an event.
    ///
    /// # Errors
    /// 503.
    pub async fn around(database: &Database, event: &Event, filter: &Filter) -> Result<States, Problem> {
        let unknown = |why| Ok(States { before: None, after: None, unknown: Some(why) });
        if !Rebuilt::knows(&event.stream) {
            return unknown(Unknown::Stateless);
        }
        if event.version > MOST_VERSIONS {
            return unknown(Unknown::TooLong);
        }
        let (mut rebuilt, mut before, mut version) = (Rebuilt::default(), None, 0);
        while version < event.version {
            let page = read::stream(database, &event.stream, version, PAGE_EVENTS).await?;
            // A stream has no gaps, so a page that is empty before the event is reached has no explanation.
            let Some(last) = page.last() else { return unknown(Unknown::Unreadable) };
            version = last.version;
            for one in page.iter().take_while(|one| one.version <= event.version) {
                if !filter.admits(one) {
                    return unknown(Unknown::NotYours);
                }
                if one.version == event.version {
                    before = state(&rebuilt);
                }
                if let Err(error) = rebuilt.take(one) {
                    tracing::warn!(%error, seq = one.seq, "an event cannot be folded");
                    return unknown(Unknown::Unreadable);
                }
            }
        }
        Ok(States { before, after: state(&rebuilt), unknown: None })
    }
}

/// The one state there is.
fn state(rebuilt: &Rebuilt) -> Option<Any<Value>> {
    let (_, _, text) = rebuilt.states().ok()?.pop()?;
    serde_json::from_str(&text).ok().map(Any)
}
