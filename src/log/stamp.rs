//! Times as the log writes them: RFC 3339, UTC, exactly six digits of a second.
//!
//! One spelling only, because hashes are taken over it.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// `2026-11-21T08:00:00.000000Z`.
pub fn text(at: OffsetDateTime) -> String {
    // Every year that PostgreSQL's timestamptz and time share has such a spelling.
    at.to_offset(UtcOffset::UTC).format(FORMAT).unwrap_or_default()
}

/// Cut to whole microseconds, which is what PostgreSQL keeps.
pub fn micros(at: OffsetDateTime) -> OffsetDateTime {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at)
}

/// For `#[serde(with = "stamp")]`.
pub fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*at))
}

/// For `#[serde(with = "stamp")]`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    let spelled = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    OffsetDateTime::parse(&spelled, &Rfc3339).map(micros).map_err(D::Error::custom)
}
