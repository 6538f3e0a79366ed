//! Log lines: sent in batches, searched, counted, shown among their neighbours, downloaded.

mod download;
mod list;
mod sent;
mod view;

use std::sync::Arc;

use poem::http::StatusCode;
use poem_openapi::param::{Path, Query};
use poem_openapi::{OpenApi, Tags};
use time::OffsetDateTime;
use uuid::Uuid;

use super::allowed::Allowed;
use super::answer::{Answer, Done, Reply, Shown};
use super::command::{Decision, carry_out};
use super::page::within;
use super::problem::Problem;
use crate::domain::permission::{LogsRead, LogsWrite};
use crate::logs::{self, Search};
use download::{Download, Format};
use list::{Order, Start};
use sent::{Sent, Whose};
pub use view::Level;
use view::{Context, Histogram, LineView, Page, Receipt};

/// Neighbours of a line on each side: by default, and at most.
const DEFAULT_NEIGHBOURS: i64 = 10;
const MOST_NEIGHBOURS: i64 = 100;
/// Buckets of a histogram: by default, and at most.
const DEFAULT_BUCKETS: i64 = 60;
const MOST_BUCKETS: i64 = 400;

#[derive(Tags)]
enum Tag {
    /// What systems write about themselves.
    Logs,
}

/// The operations on log lines.
pub struct Logs;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Logs")]
impl Logs {
    /// Send log lines
    ///
    /// All lines of a batch are recorded, durably, with one event `log.added` in the stream `log/<source>`, or none is.
    /// Besides JSON, the body may be `application/x-ndjson` or `text/plain`; then the query names the source. A body
    /// has at most 256 KiB: some 1,000 lines.
    #[oai(path = "/logs", method = "post", operation_id = "addLogs")]
    async fn add(
        &self,
        caller: Allowed<LogsWrite>,
        /// Who wrote the lines, if the body is not JSON.
        source: Query<Option<String>>,
        /// The server that they come from, if the body is not JSON.
        server: Query<Option<String>>,
        /// The execution whose output they are, if the body is not JSON.
        execution: Query<Option<Uuid>>,
        body: Sent,
    ) -> Answer<Done<Receipt, 201>> {
        let batch = body.batch(Whose { source: source.0, server: server.0, execution: execution.0 })?;
        let now = OffsetDateTime::now_utc();
        batch.check(now).map_err(|faults| {
            let detail = "the batch is not acceptable: errors says why; nothing was recorded";
            let faults = faults.into_iter().map(|fault| (fault.pointer, fault.message));
            Problem::unacceptable("invalid", detail).errors(faults)
        })?;
        let batch = Arc::new(batch);
        let decide = move || {
            let batch = batch.clone();
            async move {
                let (write, state) = logs::write(&batch, now);
                let receipt = Receipt { source: batch.source.clone(), count: batch.lines.len() };
                let reply = Reply::new(StatusCode::CREATED, 1, &receipt);
                Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
            }
        };
        carry_out(caller.0, decide).await.map(|done| Done::new(done.reply, done.seq, done.replayed))
    }

    /// Search log lines
    ///
    /// The answer is true as of `Signalbox-Seq`: follow `log.added` on the stream behind it and miss nothing.
    #[oai(path = "/logs", method = "get", operation_id = "listLogs")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn list(
        &self,
        caller: Allowed<LogsRead>,
        /// Written at this time or later.
        since: Query<Option<OffsetDateTime>>,
        /// Written before this time.
        before: Query<Option<OffsetDateTime>>,
        /// At least as bad.
        level: Query<Option<Level>>,
        /// Who wrote them.
        source: Query<Option<String>>,
        /// The server that they come from.
        server: Query<Option<String>>,
        /// The execution of an automation whose output they are.
        execution: Query<Option<Uuid>>,
        /// Words or parts of words, all of them somewhere in the message, in any case; within `"` they are one piece.
        q: Query<Option<String>>,
        /// A member of the lines' fields as `key:value`, such as `status:200`; several must all be there. The key ends at
        /// the first colon. Numbers are compared as numbers, all else as it stands in JSON without quotation marks.
        field: Query<Option<Vec<String>>>,
        /// The batch of the event `log.added` with this `seq`.
        seq: Query<Option<i64>>,
        /// Default `-at`: the newest first.
        order: Query<Option<Order>>,
        /// Lines of a page, 1 to 1,000; default 100.
        limit: Query<Option<i64>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
        /// Instead of it, the id of a line, such as `4711.3`: the page begins behind it, in either order.
        behind: Query<Option<String>>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<Page>> {
        caller.app.seen(min_seq.0).await?;
        let search = list::checked(Search {
            since: since.0,
            before: before.0,
            level: level.0.map(Into::into),
            source: source.0,
            server: server.0,
            execution: execution.0,
            words: list::words(q.0.as_deref())?,
            fields: list::fields(field.0)?,
            batch: seq.0,
            upto: None,
        })?;
        let order = order.0.unwrap_or(Order::NewestFirst);
        let start = Start { cursor: cursor.0, behind: behind.0 };
        let (page, head) = list::page(&caller.app.database, &search, order, limit.0, start).await?;
        Ok(Shown::bytes_of(&page, head, caller.known.as_deref()))
    }

    /// Count log lines over time
    #[oai(path = "/logs/histogram", method = "get", operation_id = "logHistogram")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn histogram(
        &self,
        caller: Allowed<LogsRead>,
        /// Written at this time or later; default a day before `before`.
        since: Query<Option<OffsetDateTime>>,
        /// Written before this time; default now.
        before: Query<Option<OffsetDateTime>>,
        /// At least as bad.
        level: Query<Option<Level>>,
        /// Who wrote them.
        source: Query<Option<String>>,
        /// The server that they come from.
        server: Query<Option<String>>,
        /// The execution of an automation whose output they are.
        execution: Query<Option<Uuid>>,
        /// Words, as in a search.
        q: Query<Option<String>>,
        /// A member of the lines' fields as `key:value`; several must all be there.
        field: Query<Option<Vec<String>>>,
        /// At most about so many, 1 to 400; default 60. They last a round number of seconds, minutes, hours or days.
        buckets: Query<Option<i64>>,
    ) -> Answer<Shown<Histogram>> {
        let buckets = within("buckets", buckets.0, DEFAULT_BUCKETS, 1..=MOST_BUCKETS)?;
        let before = before.0.unwrap_or_else(OffsetDateTime::now_utc);
        let since = since.0.or_else(|| before.checked_sub(time::Duration::DAY));
        let width_s = list::width_s(since.map_or(0, |since| (before - since).whole_seconds()), buckets);
        let search = list::checked(Search {
            since,
            before: Some(before),
            level: level.0.map(Into::into),
            source: source.0,
            server: server.0,
            execution: execution.0,
            words: list::words(q.0.as_deref())?,
            fields: list::fields(field.0)?,
            ..Search::default()
        })?;
        let found = logs::histogram(&caller.app.database, &search, width_s).await;
        let (buckets, head) = found.map_err(list::refused)?;
        Ok(Shown::bytes_of(&Histogram::of(&buckets, width_s), head, caller.known.as_deref()))
    }

    /// Download log lines
    ///
    /// From the oldest to the newest, as many as there are up to the position in `Signalbox-Seq`.
    #[oai(path = "/logs/download", method = "get", operation_id = "downloadLogs")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn download(
        &self,
        caller: Allowed<LogsRead>,
        /// Written at this time or later.
        since: Query<Option<OffsetDateTime>>,
        /// Written before this time.
        before: Query<Option<OffsetDateTime>>,
        /// At least as bad.
        level: Query<Option<Level>>,
        /// Who wrote them.
        source: Query<Option<String>>,
        /// The server that they come from.
        server: Query<Option<String>>,
        /// The execution of an automation whose output they are.
        execution: Query<Option<Uuid>>,
        /// Words, as in a search.
        q: Query<Option<String>>,
        /// A member of the lines' fields as `key:value`; several must all be there.
        field: Query<Option<Vec<String>>>,
        /// `ndjson` (default): a `LogLine` per line. `text`: messages alone, each as it came.
        format: Query<Option<Format>>,
    ) -> Answer<Download> {
        let search = list::checked(Search {
            since: since.0,
            before: before.0,
            level: level.0.map(Into::into),
            source: source.0,
            server: server.0,
            execution: execution.0,
            words: list::words(q.0.as_deref())?,
            fields: list::fields(field.0)?,
            ..Search::default()
        })?;
        Download::begin(caller.app.database.clone(), search, format.0.unwrap_or(Format::Ndjson)).await
    }

    /// Show a log line among its neighbours
    #[oai(path = "/logs/:line/context", method = "get", operation_id = "getLogContext")]
    async fn context(
        &self,
        caller: Allowed<LogsRead>,
        /// Its id, such as `4711.3`.
        line: Path<String>,
        /// Lines before it, 0 to 100; default 10.
        before: Query<Option<i64>>,
        /// Lines after it, 0 to 100; default 10.
        after: Query<Option<i64>>,
    ) -> Answer<Shown<Context>> {
        let before = within("before", before.0, DEFAULT_NEIGHBOURS, 0..=MOST_NEIGHBOURS)?;
        let after = within("after", after.0, DEFAULT_NEIGHBOURS, 0..=MOST_NEIGHBOURS)?;
        let missing = || Problem::not_found("there is no such line, or no longer");
        let name = list::name(&line.0).ok_or_else(missing)?;
        let (found, head) = logs::context(&caller.app.database, name, before, after).await.map_err(list::refused)?;
        let place = found.iter().position(|found| (found.place.seq, found.place.line) == name).ok_or_else(missing)?;
        let context = Context { items: found.into_iter().map(LineView::from).collect(), place };
        Ok(Shown::bytes_of(&context, head, caller.known.as_deref()))
    }
}
