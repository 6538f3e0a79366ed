//! The log for auditors: found, taken home as a file, and what each event changed.

mod export;
mod row;
mod states;
mod wish;

use std::time::{Duration, Instant};

use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use time::OffsetDateTime;
use uuid::Uuid;

use super::allowed::Allowed;
use super::answer::{Answer, Shown};
use super::events::{self, EventView, Tag};
use crate::domain::permission::{Anyone, EventsExport};
use crate::hub::Filter;
use crate::log::search::Walk;
use crate::log::{Head, read};
pub use export::Exports;
use export::{Export, Format};
use states::States;
use wish::Wish;

/// Stretches of the log that one request looks at, and for how long: 500,000 events, half a second as a rule. A page of
/// a search that finds little is shorter, and the next one goes on from where it stopped.
const MOST_LOOKS: u32 = 25;
const LOOKS_FOR: Duration = Duration::from_secs(2);

/// A page of what was found.
#[derive(Debug, Object)]
#[oai(rename = "EventSearchPage")]
pub struct Found {
    /// The newest first; at most `limit`, and fewer where the search stopped before it had them.
    items: Vec<EventView>,
    /// The `to_seq` of the page behind; absent at the end.
    next: Option<i64>,
}

/// The operations for auditors.
pub struct Audit;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Events")]
impl Audit {
    /// Search the log
    ///
    /// Events that you may see and that fulfil all that is asked, the newest first. `next` is the `to_seq` of the page
    /// behind; it is absent at the end. One `stream` or `correlation_id` is found at once, and so are times and
    /// positions. For all else a search looks at a bounded part of the log and then answers: a page may hold fewer
    /// than `limit` events, or none, and still have a `next`. The other way, oldest first: `GET /api/v1/events`.
    #[oai(path = "/events/search", method = "get", operation_id = "searchEvents")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn search(
        &self,
        caller: Allowed<Anyone>,
        /// From this position on.
        from_seq: Query<Option<i64>>,
        /// Up to this position, itself included; `next` of the page before.
        to_seq: Query<Option<i64>>,
        /// Recorded at this time or later.
        since: Query<Option<OffsetDateTime>>,
        /// Recorded before this time.
        before: Query<Option<OffsetDateTime>>,
        /// Type names, also families such as `incident.*`; separated by commas.
        types: Query<Option<String>>,
        /// One aggregate's stream.
        stream: Query<Option<String>>,
        /// Done by: an id such as `user:0198…` or `system:import`, or the name they had then.
        actor: Query<Option<String>>,
        /// Of one story: what shares this correlation id.
        correlation_id: Query<Option<Uuid>>,
        /// One collaboration session.
        session: Query<Option<String>>,
        /// At most so many, 1 to 1,000; default 100.
        limit: Query<Option<i64>>,
    ) -> Answer<Shown<Found>> {
        let limit = events::limit(limit.0)?;
        let wish = Wish {
            from_seq: from_seq.0,
            to_seq: to_seq.0,
            since: since.0,
            before: before.0,
            types: types.0,
            stream: stream.0,
            actor: actor.0,
            correlation_id: correlation_id.0,
            session: session.0,
        };
        let database = &caller.app.database;
        let mut walk = Walk::begin(database, wish.search(&caller)?).await?;
        let (mut items, started) = (Vec::new(), Instant::now());
        loop {
            items.append(&mut walk.back(database, limit - items.len() as i64).await?);
            let enough = items.len() as i64 >= limit || events::bytes(&items) >= crate::log::search::PAGE_BYTES;
            if enough || walk.is_over() || walk.looks >= MOST_LOOKS || started.elapsed() >= LOOKS_FOR {
                break;
            }
        }
        let page = events::page_json(items.iter(), walk.next_seq(database).await?);
        Ok(Shown::json(page, walk.head, caller.known.as_deref()))
    }

    /// Export the log
    ///
    /// A file of any size: all events that you may see and that fulfil what is asked, the oldest first, up to the
    /// position in `Signalbox-Seq`, which is where the log ended when the export began. Each comes with its leaf hash
    /// (openapi/proofs.md). An export that cannot go on, because your rights changed or the process stops, breaks off:
    /// its connection ends without the end of the body. Each export is itself an event, `audit.exported`, before its
    /// first byte. One user has at most two at once.
    ///
    /// `ndjson`: in each line a `ProvenEvent`, as `GET /api/v1/events/{seq}` shows it.
    ///
    /// `csv`: RFC 4180, UTF-8, every field quoted, with a first line that names the columns: `seq`, `id`, `stream`,
    /// `version`, `type`, `actor_id`, `actor_name`, `permissions` (separated by spaces), `session_id`,
    /// `correlation_id`, `causation_id`, `trace_id`, `occurred_at`, `recorded_at`, `data` (JSON), `leaf_hash`. Absent
    /// is empty. So that no spreadsheet takes it for a formula, a field that begins with `=`, `+`, `-`, `@`, `'` or a
    /// control character has one `'` before it.
    #[oai(path = "/events/export", method = "get", operation_id = "exportEvents")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn export(
        &self,
        caller: Allowed<EventsExport>,
        /// From this position on.
        from_seq: Query<Option<i64>>,
        /// Up to this position, itself included.
        to_seq: Query<Option<i64>>,
        /// Recorded at this time or later.
        since: Query<Option<OffsetDateTime>>,
        /// Recorded before this time.
        before: Query<Option<OffsetDateTime>>,
        /// Type names, also families such as `incident.*`; separated by commas.
        types: Query<Option<String>>,
        /// One aggregate's stream.
        stream: Query<Option<String>>,
        /// Done by: an id such as `user:0198…` or `system:import`, or the name they had then.
        actor: Query<Option<String>>,
        /// Of one story: what shares this correlation id.
        correlation_id: Query<Option<Uuid>>,
        /// One collaboration session.
        session: Query<Option<String>>,
        /// Default `ndjson`.
        format: Query<Option<Format>>,
    ) -> Answer<Export> {
        let wish = Wish {
            from_seq: from_seq.0,
            to_seq: to_seq.0,
            since: since.0,
            before: before.0,
            types: types.0,
            stream: stream.0,
            actor: actor.0,
            correlation_id: correlation_id.0,
            session: session.0,
        };
        Export::begin(caller.0, wish, format.0.unwrap_or(Format::Ndjson)).await
    }

    /// Show what an event changed
    ///
    /// The state of its aggregate before and after it, folded from the stream's events by the rules that made it.
    #[oai(path = "/events/:seq/states", method = "get", operation_id = "getEventStates")]
    async fn states(
        &self,
        caller: Allowed<Anyone>,
        /// Its place in the log.
        seq: Path<i64>,
    ) -> Answer<Shown<States>> {
        let filter = Filter { permissions: caller.account.permissions.clone(), ..Filter::default() };
        let event = events::find(&caller.app.database, seq.0, &filter).await?;
        let states = States::around(&caller.app.database, &event, &filter).await?;
        // What is folded never changes, whatever the log gains.
        let head = Head { seq: event.seq, ..read::head(&caller.app.database).await? };
        Ok(Shown::bytes_of(&states, head, caller.known.as_deref()))
    }
}
