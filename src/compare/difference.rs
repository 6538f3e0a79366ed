//! What two doors told differently.

use std::collections::BTreeMap;
use std::time::Duration;

/// An event as it came through a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its place in the log.
    pub seq: i64,
    /// Its JSON, byte for byte.
    pub json: String,
    /// Since it was recorded, by this machine's clock.
    pub age: Duration,
}

/// A way to follow the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Server-sent events.
    Stream,
    /// The polling twin.
    Poll,
}

/// A difference between the doors, or of one door from what it promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It came through the other door only.
    Missing {
        /// Where it did not come.
        door: Door,
        /// Which event.
        seq: i64,
    },
    /// It came behind an event that it precedes, or again.
    Order {
        /// Where.
        door: Door,
        /// Which event.
        seq: i64,
        /// Behind which.
        after: i64,
    },
    /// The doors show it in different bytes.
    Bytes {
        /// Which event.
        seq: i64,
    },
}

/// Every difference, by door and place.
pub fn differences(streamed: &[Received], polled: &[Received]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (door, events) in [(Door::Stream, streamed), (Door::Poll, polled)] {
        let disorder = events.windows(2).filter(|pair| pair[1].seq <= pair[0].seq);
        found.extend(disorder.map(|pair| Difference::Order { door, seq: pair[1].seq, after: pair[0].seq }));
    }
    let by_seq = |events: &[Received]| -> BTreeMap<i64, String> {
        events.iter().map(|event| (event.seq, event.json.clone())).collect()
    };
    let (streamed, polled) = (by_seq(streamed), by_seq(polled));
    for (seq, json) in &streamed {
        match polled.get(seq) {
            None => found.push(Difference::Missing { door: Door::Poll, seq: *seq }),
            Some(other) if other != json => found.push(Difference::Bytes { seq: *seq }),
            Some(_same) => {}
        }
    }
    let missing = polled.keys().filter(|seq| !streamed.contains_key(seq));
    found.extend(missing.map(|seq| Difference::Missing { door: Door::Stream, seq: *seq }));
    found
}

/// Mean age of news; `None` without any.
pub fn mean_age(events: &[Received]) -> Option<Duration> {
    let count = u32::try_from(events.len()).ok().filter(|count| *count > 0)?;
    Some(events.iter().map(|event| event.age).sum::<Duration>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(events: &[(i64, &str)]) -> Vec<Received> {
        let received = |(seq, json): &(i64, &str)| Received {
            seq: *seq,
            json: (*json).to_owned(),
            age: Duration::from_millis(*seq as u64),
        };
        events.iter().map(received).collect()
    }

    #[test]
    fn equal_sequences_do_not_differ() {
        let events = recorded(&[(1, "a"), (3, "b"), (4, "c")]);
        assert_eq!(differences(&events, &events), []);
        assert_eq!(mean_age(&events), Some(Duration::from_millis(8) / 3));
        assert_eq!(mean_age(&[]), None);
    }

    #[test]
    fn what_is_missing_extra_out_of_order_repeated_or_written_differently_is_found() {
        let polled = recorded(&[(1, "a"), (2, "b"), (3, "c")]);
        type Case = (&'static [(i64, &'static str)], &'static [Difference]);
        let cases: [Case; 5] = [
            (&[(1, "a"), (3, "c")], &[Difference::Missing { door: Door::Stream, seq: 2 }]),
            (&[(1, "a"), (2, "b"), (3, "c"), (4, "d")], &[Difference::Missing { door: Door::Poll, seq: 4 }]),
            (&[(1, "a"), (3, "c"), (2, "b")], &[Difference::Order { door: Door::Stream, seq: 2, after: 3 }]),
            (&[(1, "a"), (2, "b"), (2, "b"), (3, "c")], &[Difference::Order { door: Door::Stream, seq: 2, after: 2 }]),
            (&[(1, "a"), (2, "B"), (3, "c")], &[Difference::Bytes { seq: 2 }]),
        ];
        for (streamed, expected) in cases {
            assert_eq!(differences(&recorded(streamed), &polled), expected);
        }
    }
}
