//! The list: what is wished for, keyset pages, and buckets of a round length.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem_openapi::Enum;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::view::{LineView, Page};
use super::within;
use crate::domain::logs::Level;
use crate::http::problem::Problem;
use crate::log::{Head, sha256};
use crate::logs::{self, Place, Search};
use crate::postgres::{Database, QueryError};

/// Lines of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 100;
const MOST_LIMIT: i64 = 1_000;
/// Characters of any one filter, and pieces of text looked for at once.
const FILTER_CHARS: usize = 500;
const MOST_WORDS: usize = 10;
/// Lengths of a bucket, in seconds: a second to a year.
const WIDTHS_S: [i64; 17] = [
    1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 7_776_000, 31_536_000,
];

/// In which order; `-` is descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize)]
#[oai(rename = "LogOrder")]
#[allow(missing_docs)]
pub enum Order {
    #[oai(rename = "at")]
    OldestFirst,
    #[oai(rename = "-at")]
    NewestFirst,
}

/// What to find, as it is asked. Equal for all pages of a list: a cursor is bound to it.
#[derive(Debug, Serialize)]
pub struct Wish {
    pub since: Option<OffsetDateTime>,
    pub before: Option<OffsetDateTime>,
    pub level: Option<Level>,
    pub source: Option<String>,
    pub server: Option<String>,
    pub execution: Option<Uuid>,
    pub words: Option<String>,
    pub seq: Option<i64>,
}

impl Wish {
    /// As it is searched for.
    ///
    /// # Errors
    /// 400 for too long a filter or too many words.
    pub fn search(&self) -> Result<Search, Problem> {
        let texts = [&self.source, &self.server, &self.words];
        if texts.into_iter().flatten().any(|text| text.chars().count() > FILTER_CHARS) {
            let detail = format!("a filter has at most {FILTER_CHARS} characters");
            return Err(Problem::bad_request("invalid_parameter", detail));
        }
        let words = pieces(self.words.as_deref().unwrap_or_default());
        if words.len() > MOST_WORDS {
            return Err(Problem::bad_request("invalid_parameter", format!("q has at most {MOST_WORDS} words")));
        }
        Ok(Search {
            since: self.since,
            before: self.before,
            level: self.level,
            source: self.source.clone(),
            server: self.server.clone(),
            execution: self.execution,
            words,
            batch: self.seq,
            upto: None,
        })
    }

    fn digest(&self, order: Order) -> String {
        let text = serde_json::to_string(&(self, order)).unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..9])
    }
}

/// Words, and within quotation marks several as one.
fn pieces(text: &str) -> Vec<String> {
    let quoted = |(nth, part): (usize, &str)| match nth % 2 {
        1 => vec![part.to_owned()],
        _ => part.split_whitespace().map(str::to_owned).collect(),
    };
    text.split('"').enumerate().flat_map(quoted).filter(|piece| !piece.is_empty()).collect()
}

/// The last line of a page, and of which list.
#[derive(Serialize, Deserialize)]
struct Cursor {
    list: String,
    /// In microseconds since 1970.
    at: i64,
    seq: i64,
    line: i32,
}

/// A page and the position it is true as of.
pub async fn page(
    database: &Database,
    wish: &Wish,
    order: Order,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<(Page, Head), Problem> {
    let limit = within("limit", limit, DEFAULT_LIMIT, 1..=MOST_LIMIT)?;
    let list = wish.digest(order);
    let behind = cursor.map(|text| Cursor::read(text, &list)).transpose()?;
    let newest_first = order == Order::NewestFirst;
    let found = logs::page(database, &wish.search()?, behind, newest_first, limit + 1).await;
    let (mut found, head) = found.map_err(refused)?;
    let is_last = found.len() as i64 <= limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| !is_last).map(|last| Cursor::of(list, last.place).text());
    Ok((Page { items: found.into_iter().map(LineView::from).collect(), next }, head))
}

impl Cursor {
    fn of(list: String, Place { at, seq, line }: Place) -> Cursor {
        // Years that are stored have room in 64 bits for their microseconds.
        Cursor { list, at: (at.unix_timestamp_nanos() / 1_000) as i64, seq, line }
    }

    fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(self).unwrap_or_default())
    }

    fn read(text: &str, list: &str) -> Result<Place, Problem> {
        let invalid = |detail: &str| Problem::bad_request("invalid_cursor", detail);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let cursor: Cursor =
            serde_json::from_slice(&bytes).map_err(|_malformed| invalid("this is not a cursor that an answer gave"))?;
        if cursor.list != list {
            return Err(invalid("this cursor belongs to a list with other filters or another order"));
        }
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(cursor.at) * 1_000);
        let at = at.map_err(|_forged| invalid("this is not a cursor that an answer gave"))?;
        Ok(Place { at, seq: cursor.seq, line: cursor.line })
    }
}

/// The shortest round length with which so many buckets cover a span.
pub fn width_s(span_s: i64, buckets: i64) -> i64 {
    let last = WIDTHS_S[WIDTHS_S.len() - 1];
    WIDTHS_S.into_iter().find(|width_s| span_s / width_s < buckets).unwrap_or(last)
}

/// A search that reads too much is the caller's to narrow.
pub fn refused(error: QueryError) -> Problem {
    if error.is_too_slow() {
        let detail = "this search reads too many lines: narrow its time, source or server";
        return Problem::bad_request("search_too_broad", detail);
    }
    error.into()
}
