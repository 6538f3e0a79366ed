//! Times as the contract writes them: RFC 3339, UTC, always six digits after the point.
//!
//! `2026-01-02T03:04:05.000000Z`. Microseconds because PostgreSQL's `timestamptz` keeps no more:
//! what is computed here equals what is read back. A fixed width because equal times then have
//! equal bytes, and text sorts as time.

use serde::{Deserialize, Deserializer, Serializer, de, ser};
use time::format_description::{BorrowedFormatItem, well_known::Rfc3339};
use time::{OffsetDateTime, macros::format_description};

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// The same instant in UTC, without what is finer than a microsecond.
///
/// An instant that UTC cannot express (within a day of the year 10,000) keeps its offset.
pub(in crate::domain) fn micros(at: OffsetDateTime) -> OffsetDateTime {
    at.checked_to_utc().map_or(at, OffsetDateTime::from).truncate_to_microsecond()
}

pub(in crate::domain) fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = micros(*at).format(FORMAT).map_err(ser::Error::custom)?;
    serializer.serialize_str(&text)
}

pub(in crate::domain) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

fn parse<E: de::Error>(text: &str) -> Result<OffsetDateTime, E> {
    OffsetDateTime::parse(text, &Rfc3339).map(micros).map_err(E::custom)
}

/// The same for a time that may be absent: `null`.
pub(in crate::domain) mod option {
    use super::{Deserialize, Deserializer, OffsetDateTime, Serializer};

    pub(in crate::domain) fn serialize<S: Serializer>(
        at: &Option<OffsetDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::domain) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<OffsetDateTime>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| super::parse(&text)).transpose()
    }
}
