//! Pages of a list: how many rows, where the next page begins, and the position all this is true as of.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::problem::Problem;
use crate::log::{Head, sha256};
use crate::postgres::QueryError;

/// Bytes of a list's name that its cursors carry: enough that two lists of one caller never share it.
const NAME_BYTES: usize = 9;

/// A list, named by all that decides what stands on it and in which order.
pub struct List {
    name: String,
}

/// The key of a page's last row, and of which list.
#[derive(Serialize, Deserialize)]
struct Cursor<K> {
    list: String,
    key: K,
}

impl List {
    /// The list of what these ask for.
    pub fn of(asked: &impl Serialize) -> List {
        let text = serde_json::to_string(asked).unwrap_or_default();
        List { name: BASE64_URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..NAME_BYTES]) }
    }

    /// Where the page behind a row with this key begins.
    pub fn cursor(&self, key: impl Serialize) -> String {
        let cursor = Cursor { list: self.name.clone(), key };
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(&cursor).unwrap_or_default())
    }

    /// The key behind which a page begins; `None`: it is the first.
    ///
    /// # Errors
    /// 400 for what is no cursor, or one of another list.
    pub fn behind<K: DeserializeOwned>(&self, cursor: Option<&str>) -> Result<Option<K>, Problem> {
        let Some(cursor) = cursor else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
        let cursor: Cursor<K> = serde_json::from_slice(&bytes).map_err(|_malformed| malformed_cursor())?;
        if cursor.list != self.name {
            let detail = "this cursor belongs to a list with other filters or another order";
            return Err(Problem::bad_request("invalid_cursor", detail));
        }
        Ok(Some(cursor.key))
    }
}

/// What is said of a cursor that nobody was given.
pub fn malformed_cursor() -> Problem {
    Problem::bad_request("invalid_cursor", "this is not a cursor that an answer gave")
}

/// A number that the query may leave out.
///
/// # Errors
/// 400 outside of the range.
pub fn within(name: &str, asked: Option<i64>, default: i64, allowed: RangeInclusive<i64>) -> Result<i64, Problem> {
    let number = asked.unwrap_or(default);
    if allowed.contains(&number) {
        return Ok(number);
    }
    let detail = format!("{name} is {} to {}", allowed.start(), allowed.end());
    Err(Problem::bad_request("invalid_parameter", detail))
}

/// Rows of a page.
///
/// # Errors
/// 400 for none or too many.
pub fn limit(asked: Option<i64>, default: i64, most: i64) -> Result<i64, Problem> {
    within("limit", asked, default, 1..=most)
}

/// Refuses filters that are too long.
///
/// # Errors
/// 400.
pub fn short(filters: impl IntoIterator<Item = impl AsRef<str>>, most_chars: usize) -> Result<(), Problem> {
    if filters.into_iter().any(|text| text.as_ref().chars().count() > most_chars) {
        let detail = format!("a filter has at most {most_chars} characters");
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    Ok(())
}

/// Where the log ended when these rows were read: in each row, and there is at least one.
///
/// # Errors
/// The rows have no such columns.
pub fn head(rows: &[Row]) -> Result<Head, QueryError> {
    let Some(row) = rows.first() else { return Ok(Head { epoch: Uuid::nil(), seq: 0 }) };
    Ok(Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? })
}
