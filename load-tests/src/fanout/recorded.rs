//! When an event was recorded in the log, as the event says it.

use std::{collections::HashMap, sync::LazyLock};

use memchr::memmem::Finder;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock;

const MARK: &[u8] = br#""recorded_at":""#;

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));

/// Times of recording, each read once however many streams get the event.
///
/// PostgreSQL takes the time within the transaction, before it commits: what is measured from here is a little more
/// than the time from the commit.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// By the stamp of the event, in monotonic nanoseconds.
    known: HashMap<u64, Option<u64>>,
}

impl Recorded {
    /// When the event with that stamp was recorded, in monotonic nanoseconds; `None`: its data does not say it.
    pub fn of(&mut self, sent_ns: u64, data: &[u8]) -> Option<u64> {
        *self.known.entry(sent_ns).or_insert_with(|| monotonic_ns(recorded_at(data)?))
    }
}

fn recorded_at(data: &[u8]) -> Option<OffsetDateTime> {
    let text = data.get(FINDER.find(data)? + MARK.len()..)?;
    let text = text.get(..memchr::memchr(b'"', text)?)?;
    OffsetDateTime::parse(std::str::from_utf8(text).ok()?, &Rfc3339).ok()
}

/// The same moment by the clock of the stamps.
fn monotonic_ns(at: OffsetDateTime) -> Option<u64> {
    let age = OffsetDateTime::now_utc() - at;
    clock::now_ns().checked_sub(u64::try_from(age.whole_nanoseconds()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_recording_is_read_from_the_event_and_kept() {
        let (now_ns, at) = (clock::now_ns(), OffsetDateTime::now_utc() - time::Duration::seconds(3));
        let data = format!(r#"{{"seq":7,"recorded_at":"{}","data":{{}}}}"#, at.format(&Rfc3339).expect("a time"));
        let mut recorded = Recorded::default();
        let ago_ms = (now_ns - recorded.of(1, data.as_bytes()).expect("it says when")) / 1_000_000;
        assert!((2_990..3_010).contains(&ago_ms), "{ago_ms} ms");
        assert_eq!(recorded.of(1, b"another"), recorded.of(1, data.as_bytes()));
        assert_eq!(recorded.of(2, br#"{"seq":8}"#), None);
    }
}
