//! Events as a file of any size: page after page, each read when the one before has been taken.
//!
//! No transaction stays open and no task runs ahead: a client that takes nothing costs one page in memory. What makes
//! the file whole is the end of its body, so whatever goes wrong on the way ends the connection without it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use poem::http::{StatusCode, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Enum};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::row;
use super::wish::Wish;
use crate::domain::audit::{EXPORTED, EXPORTS, Exported};
use crate::domain::permission::{EVENTS_EXPORT, USERS_READ};
use crate::http::App;
use crate::http::answer::{Answer, EPOCH, SEQ, described};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::log::search::Walk;
use crate::log::{Command, Head, NewEvent, Write};
use crate::postgres::QueryError;

/// Events of a page; at most some 1 MiB of them (`log::search::PAGE_BYTES`). One export holds a page in memory, as
/// rows and as text: some 3 MiB.
const PAGE_EVENTS: i64 = 1_000;
/// Exports of one user at once, in a process: one goes on while the next one is tried.
const EXPORTS_PER_USER: usize = 2;
/// Exports of all users at once, in a process: some 50 MiB.
const EXPORTS_AT_ONCE: usize = 16;
/// When whoever has too many may try again, in s.
const AGAIN_S: u32 = 10;

/// How events are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "EventFormat", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Format {
    Ndjson,
    Csv,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// In events and in file names.
    fn as_str(self) -> &'static str {
        match self {
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
        }
    }
}

/// Exports under way in this process, by user.
#[derive(Debug, Default)]
pub struct Exports(Mutex<HashMap<Uuid, usize>>);

/// A user's turn; over when it is dropped, which is when the body is.
struct Turn {
    app: Arc<App>,
    user: Uuid,
}

impl Turn {
    fn take(app: &Arc<App>, user: Uuid) -> Result<Turn, Problem> {
        let mut all = app.exports.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.values().sum::<usize>() >= EXPORTS_AT_ONCE {
            let detail = format!("{EXPORTS_AT_ONCE} exports are under way in this process");
            return Err(Problem::unavailable("too_many_exports", detail, AGAIN_S));
        }
        let own = all.entry(user).or_default();
        if *own >= EXPORTS_PER_USER {
            let detail = format!("{own} exports of yours are under way: wait for one, or end it");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_exports", detail)
                .header(header::RETRY_AFTER, &AGAIN_S.to_string()));
        }
        *own += 1;
        drop(all);
        Ok(Turn { app: app.clone(), user })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.app.exports.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get(&self.user).map_or(0, |own| own - 1);
        match left {
            0 => drop(all.remove(&self.user)),
            _ => drop(all.insert(self.user, left)),
        }
    }
}

/// An export that has begun and is recorded.
pub struct Export {
    body: Body,
    format: Format,
    head: Head,
    from_seq: i64,
    to_seq: i64,
}

/// Where an export is.
struct Progress {
    caller: Caller,
    walk: Walk,
    format: Format,
    _turn: Turn,
}

/// Why an export breaks off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the process stops")]
    Stopping,
    #[error("the reader may do less than when it began")]
    Revoked,
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Export {
    /// Reads the first page, so that what cannot be read is refused as such, and then records that it begins.
    pub async fn begin(caller: Caller, wish: Wish, format: Format) -> Answer<Export> {
        let app = caller.app.clone();
        let turn = Turn::take(&app, caller.account.user.id)?;
        let walk = Walk::begin(&app.database, wish.search(&caller)?).await?;
        let (head, from_seq) = (walk.head, wish.from_seq.unwrap_or(1).max(1));
        let to_seq = wish.to_seq.map_or(head.seq, |seq| seq.min(head.seq));
        let mut progress = Progress { caller, walk, format, _turn: turn };
        let first = match progress.next().await {
            Ok(first) => first.unwrap_or_default(),
            Err(Broken::Query(error)) => return Err(error.into()),
            Err(Broken::Revoked) => return Err(Problem::unauthorized("your rights have just changed")),
            Err(Broken::Stopping) => return Err(Problem::unavailable("stopping", "this process stops", 1)),
        };
        let exported = Exported { format: format.as_str().to_owned(), from_seq, to_seq, filters: wish.noted() };
        record(&progress.caller, &exported).await?;
        let rest = stream::try_unfold(progress, |mut progress| async move {
            let page = progress.next().await.map_err(|error| {
                tracing::warn!(%error, user = progress.caller.account.user.username, "an export breaks off");
                std::io::Error::other("the export breaks off")
            })?;
            Ok::<_, std::io::Error>(page.map(|page| (page, progress)))
        });
        let title = if format == Format::Csv { row::titles() } else { Vec::new() };
        let first = stream::iter([title, first].map(Ok));
        Ok(Export { body: Body::from_bytes_stream(first.chain(rest)), format, head, from_seq, to_seq })
    }
}

/// # Errors
/// It is not recorded; so there is no export.
async fn record(caller: &Caller, exported: &Exported) -> Result<(), Problem> {
    let event = NewEvent {
        id: Uuid::now_v7(),
        kind: EXPORTED,
        data: json!(exported),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[USERS_READ],
    };
    let writes = vec![Write { stream: EXPORTS.to_owned(), expected: None, events: vec![event] }];
    let command = Command { cause: caller.cause(), writes, states: Vec::new(), idempotency: None };
    caller.app.appender.append(command).await?; // any version will do, and there is no key: nothing can be refused
    Ok(())
}

impl Progress {
    /// The next page's bytes; `None` behind the last one.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        while !self.walk.is_over() {
            self.may_go_on()?;
            let events = self.walk.forth(&self.caller.app.database, PAGE_EVENTS).await?;
            if !events.is_empty() {
                return Ok(Some(match self.format {
                    Format::Ndjson => row::ndjson(&events),
                    Format::Csv => row::csv(&events),
                }));
            }
        }
        Ok(None)
    }

    /// What is sent is what the reader could see when it began. So whoever can see less by now gets no more at all:
    /// the file would look whole.
    fn may_go_on(&self) -> Result<(), Broken> {
        let Caller { app, account, session, .. } = &self.caller;
        if app.stop.is_cancelled() {
            return Err(Broken::Stopping);
        }
        let now = app.accounts.rights(account.user.id, *session).ok_or(Broken::Revoked)?;
        let kept = account.permissions.is_subset(&now.permissions) && now.permissions.contains(EVENTS_EXPORT);
        if kept { Ok(()) } else { Err(Broken::Revoked) }
    }
}

impl IntoResponse for Export {
    fn into_response(self) -> Response {
        let Export { format, from_seq, to_seq, .. } = self;
        let file = format!("attachment; filename=\"signalbox-events-{from_seq}-{to_seq}.{}\"", format.as_str());
        Response::builder()
            .content_type(format.content_type())
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::CONTENT_DISPOSITION, file)
            .header(SEQ, self.head.seq)
            .header(EPOCH, self.head.epoch.to_string())
            .body(self.body)
    }
}

impl ApiResponse for Export {
    fn meta() -> MetaResponses {
        let content =
            |format: Format| MetaMediaType { content_type: format.content_type(), schema: String::schema_ref() };
        let response = MetaResponse {
            description: "Events until the end. One that breaks off is not whole, and its connection says so.",
            status: Some(200),
            status_range: None,
            content: vec![content(Format::Ndjson), content(Format::Csv)],
            headers: vec![
                described("Signalbox-Seq", "Where the log ended when the export began: nothing behind it is there."),
                described("Signalbox-Epoch", "The history that position belongs to."),
                described("Content-Disposition", "A file name with the first and the last position."),
            ],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
