//! The list: what is wished for, keyset pages, and buckets of a round length.

use poem_openapi::Enum;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::view::{LineView, Page};
use crate::http::page::{self, List};
use crate::http::problem::Problem;
use crate::log::Head;
use crate::logs::{self, Field, Place, Search};
use crate::postgres::{Database, QueryError};

/// Lines of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 100;
const MOST_LIMIT: i64 = 1_000;
/// Characters of any one filter; pieces of text, and members of fields, that are looked for at once.
const FILTER_CHARS: usize = 500;
const MOST_WORDS: usize = 10;
const MOST_FIELDS: usize = 10;
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

/// The search, if no filter of it is too long.
///
/// # Errors
/// 400.
pub fn checked(search: Search) -> Result<Search, Problem> {
    page::short([&search.source, &search.server].into_iter().flatten(), FILTER_CHARS)?;
    Ok(search)
}

/// Pieces of text to look for: words, and within quotation marks several as one.
///
/// # Errors
/// 400 for too long a text or too many pieces.
pub fn words(q: Option<&str>) -> Result<Vec<String>, Problem> {
    page::short(q, FILTER_CHARS)?;
    let quoted = |(nth, part): (usize, &str)| match nth % 2 {
        1 => vec![part.to_owned()],
        _ => part.split_whitespace().map(str::to_owned).collect(),
    };
    let pieces = q.unwrap_or_default().split('"').enumerate().flat_map(quoted);
    let words: Vec<String> = pieces.filter(|piece| !piece.is_empty()).collect();
    if words.len() > MOST_WORDS {
        return Err(Problem::bad_request("invalid_parameter", format!("q has at most {MOST_WORDS} words")));
    }
    Ok(words)
}

/// Members of fields to look for.
///
/// # Errors
/// 400 for one that is no `key:value`, for too long a one, or too many.
pub fn fields(pairs: Option<Vec<String>>) -> Result<Vec<Field>, Problem> {
    let pairs = pairs.unwrap_or_default();
    page::short(&pairs, FILTER_CHARS)?;
    if pairs.len() > MOST_FIELDS {
        let detail = format!("there are at most {MOST_FIELDS} field parameters");
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    let fields: Option<Vec<Field>> = pairs.iter().map(|pair| Field::parse(pair)).collect();
    fields.ok_or_else(|| Problem::bad_request("invalid_parameter", "field is key:value"))
}

/// The key of a line: microseconds since 1970, and its name.
#[derive(Serialize, Deserialize)]
struct Key(i64, i64, i32);

/// Where a page begins: behind the page before, behind a line, or with the first line of all.
pub struct Start {
    pub cursor: Option<String>,
    pub behind: Option<String>,
}

impl Start {
    async fn place(&self, database: &Database, list: &List) -> Result<Option<Place>, Problem> {
        let Some(line) = &self.behind else {
            return list.behind(self.cursor.as_deref())?.map(Key::place).transpose();
        };
        if self.cursor.is_some() {
            return Err(Problem::bad_request("invalid_parameter", "a page begins at a cursor or behind a line"));
        }
        let missing = || Problem::bad_request("no_such_line", "behind names no line, or one that is gone");
        let (found, _) = logs::context(database, name(line).ok_or_else(missing)?, 0, 0).await.map_err(refused)?;
        found.first().map(|line| Some(line.place)).ok_or_else(missing)
    }
}

/// The event and the place that a line's id consists of.
pub fn name(id: &str) -> Option<(i64, i32)> {
    let (seq, line) = id.split_once('.')?;
    seq.parse().ok().zip(line.parse().ok())
}

/// A page and the position it is true as of.
pub async fn page(
    database: &Database,
    search: &Search,
    order: Order,
    limit: Option<i64>,
    start: Start,
) -> Result<(Page, Head), Problem> {
    let (limit, list) = (page::limit(limit, DEFAULT_LIMIT, MOST_LIMIT)?, List::of(&(search, order)));
    let behind = start.place(database, &list).await?;
    let newest_first = order == Order::NewestFirst;
    let found = logs::page(database, search, behind, newest_first, limit + 1).await;
    let (mut found, head) = found.map_err(refused)?;
    let is_last = found.len() as i64 <= limit;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| !is_last).map(|last| list.cursor(Key::of(last.place)));
    Ok((Page { items: found.into_iter().map(LineView::from).collect(), next }, head))
}

impl Key {
    fn of(Place { at, seq, line }: Place) -> Key {
        // Years that are stored have room in 64 bits for their microseconds.
        Key((at.unix_timestamp_nanos() / 1_000) as i64, seq, line)
    }

    fn place(self) -> Result<Place, Problem> {
        let Key(at, seq, line) = self;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000);
        Ok(Place { at: at.map_err(|_forged| page::malformed_cursor())?, seq, line })
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
