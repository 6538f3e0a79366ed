//! Every promise broken once in an otherwise good history.

use super::*;

/// Two writers on two streams, two readers; reader 1 resumes once, reader 2 starts live.
fn good() -> History {
    let log: Vec<Event> = (1..=10)
        .map(|seq| Event {
            seq,
            id: Uuid::from_u128(seq.into()),
            stream: format!("incident/{}", seq % 2),
            version: seq.div_ceil(2),
            key: Some(format!("key-{seq}")),
            request: Digest::of(("request", seq)),
            digest: Digest::of(("event", seq)),
        })
        .collect();
    let appends = (1..=10)
        .map(|seq| Append {
            key: format!("key-{seq}"),
            request: Digest::of(("request", seq)),
            invoke_ns: seq * 100,
            done_ns: seq * 100 + 50,
            outcome: Outcome::Ok { seq },
        })
        .collect();
    let connections = vec![
        Connection { reader: 1, cursor: Some(0), received: events(1..=5) },
        Connection { reader: 2, cursor: None, received: events(4..=10) },
        Connection { reader: 1, cursor: Some(5), received: events(6..=10) },
    ];
    History { appends, connections, log }
}

fn events(seqs: impl IntoIterator<Item = u64>) -> Vec<Received> {
    seqs.into_iter().map(|seq| Received::Event { seq, digest: Digest::of(("event", seq)) }).collect()
}

/// The invariants that a history breaks after one change, each once, sorted.
fn broken_by(change: impl FnOnce(&mut History)) -> Vec<Invariant> {
    let mut history = good();
    change(&mut history);
    invariants(&check(&history))
}

fn invariants(findings: &Findings) -> Vec<Invariant> {
    let mut found: Vec<_> = findings.violations.iter().map(|found| found.invariant).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn a_good_history_breaks_nothing() {
    assert_eq!(broken_by(|_| {}), []);
}

#[test]
fn an_acknowledged_event_missing_from_the_log_is_caught() {
    let found = broken_by(|history| {
        history.log.pop();
        for connection in &mut history.connections {
            connection.received.retain(|received| *received != events([10])[0]);
        }
    });
    assert_eq!(found, [Invariant::AckedIsDurable]);
}

#[test]
fn an_acknowledged_position_that_holds_another_command_is_caught() {
    let found = broken_by(|history| history.log[6].key = Some("key-other".into()));
    assert_eq!(found, [Invariant::AckedIsDurable]);
}

#[test]
fn an_acknowledged_event_with_changed_content_is_caught() {
    let found = broken_by(|history| history.log[6].request = Digest::of("forged"));
    assert_eq!(found, [Invariant::AckedIsDurable]);
}

#[test]
fn an_invented_delivery_is_caught() {
    let found = broken_by(|history| history.connections[2].received.extend(events([11])));
    assert_eq!(found, [Invariant::NothingFromNowhere]);
}

#[test]
fn a_refused_command_that_is_in_the_log_is_caught() {
    let found = broken_by(|history| history.appends[4].outcome = Outcome::Fail);
    assert_eq!(found, [Invariant::NothingFromNowhere]);
}

#[test]
fn a_delivery_with_changed_content_is_caught() {
    let found = broken_by(|history| {
        history.connections[0].received[2] = Received::Event { seq: 3, digest: Digest::of("another value") };
    });
    assert_eq!(found, [Invariant::OnePositionOneValue]);
}

#[test]
fn a_hole_in_the_log_is_caught() {
    let found = broken_by(|history| {
        history.log.remove(3);
        history.appends.remove(3);
        for connection in &mut history.connections {
            connection.received.retain(|received| *received != events([4])[0]);
        }
    });
    assert_eq!(found, [Invariant::GaplessLog]);
}

#[test]
fn a_version_used_twice_in_a_stream_is_caught() {
    let found = broken_by(|history| history.log[9].version = 4);
    assert_eq!(found, [Invariant::GaplessLog]);
}

#[test]
fn two_events_in_swapped_order_of_real_time_are_caught() {
    let found = broken_by(|history| {
        history.appends[7].invoke_ns = 30;
        history.appends[7].done_ns = 40;
    });
    assert_eq!(found, [Invariant::RealTimeOrder]);
}

#[test]
fn an_append_of_unknown_outcome_must_respect_real_time_order_once_it_is_in_the_log() {
    let found = broken_by(|history| {
        history.appends[2].outcome = Outcome::Unknown;
        history.appends[2].invoke_ns = 900;
    });
    assert_eq!(found, [Invariant::RealTimeOrder]);
}

#[test]
fn overlapping_appends_may_take_either_order() {
    let found = broken_by(|history| {
        for append in &mut history.appends {
            append.invoke_ns = 100 - append.invoke_ns / 100;
            append.done_ns = 200;
        }
    });
    assert_eq!(found, []);
}

#[test]
fn an_append_of_unknown_outcome_may_be_in_the_log_or_not() {
    let found = broken_by(|history| {
        history.appends[4].outcome = Outcome::Unknown;
        history.appends.push(Append {
            key: "key-lost".into(),
            outcome: Outcome::Unknown,
            ..history.appends[0].clone()
        });
    });
    assert_eq!(found, []);
}

#[test]
fn a_dropped_delivery_is_caught() {
    let found = broken_by(|history| {
        history.connections[1].received.remove(3);
    });
    assert_eq!(found, [Invariant::NoSkip]);
}

#[test]
fn two_swapped_deliveries_are_caught() {
    let found = broken_by(|history| history.connections[1].received.swap(2, 3));
    assert_eq!(found, [Invariant::NoSkip, Invariant::NoRepeat]);
}

#[test]
fn a_delivery_repeated_on_one_connection_is_caught() {
    let found = broken_by(|history| {
        let received = &mut history.connections[1].received;
        received.insert(3, received[2]);
    });
    assert_eq!(found, [Invariant::NoRepeat]);
}

#[test]
fn a_delivery_repeated_after_a_resume_is_caught() {
    let found = broken_by(|history| {
        history.connections[2].received.insert(0, events([5])[0]);
    });
    assert_eq!(found, [Invariant::NoRepeat]);
}

#[test]
fn an_event_lost_at_a_resume_is_caught() {
    let found = broken_by(|history| {
        history.connections[2].received.remove(0);
    });
    assert_eq!(found, [Invariant::NoSkip]);
}

#[test]
fn a_cursor_ahead_of_what_was_received_is_caught() {
    let found = broken_by(|history| {
        history.connections[2].cursor = Some(7);
        history.connections[2].received = events(8..=10);
    });
    assert_eq!(found, [Invariant::NoSkip]);
}

#[test]
fn a_reader_that_asks_again_from_an_older_cursor_gets_what_it_asked_for() {
    let found = broken_by(|history| {
        history.connections[2].cursor = Some(2);
        history.connections[2].received = events(3..=10);
    });
    assert_eq!(found, []);
}

#[test]
fn a_bookmark_that_passes_an_undelivered_event_is_caught() {
    let found = broken_by(|history| {
        history.connections[0].received[4] = Received::Bookmark { seq: 5 };
    });
    assert_eq!(found, [Invariant::NoSkip]);
}

#[test]
fn a_filtered_reader_moves_by_bookmarks_and_must_get_only_its_own() {
    let mut history = good();
    let even = |_: u32, event: &Event| event.seq.is_multiple_of(2);
    history.connections = vec![Connection { reader: 1, cursor: Some(0), received: events([2, 4, 6]) }];
    history.connections[0].received.push(Received::Bookmark { seq: 7 });
    assert_eq!(invariants(&check_filtered(&history, even)), []);

    history.connections[0].received.extend(events([9]));
    let found = invariants(&check_filtered(&history, even));
    assert_eq!(found, [Invariant::NothingFromNowhere, Invariant::NoSkip]);
}

#[test]
fn a_key_that_wrote_two_events_is_caught() {
    let found = broken_by(|history| {
        history.log[8].key = Some("key-1".into());
        history.appends.remove(8);
    });
    assert_eq!(found, [Invariant::IdempotentAppend]);
}

#[test]
fn a_flood_of_violations_is_counted_and_described_in_part() {
    let mut history = good();
    let again = events(std::iter::repeat_n(10, 500));
    history.connections[2].received.extend(again);
    let findings = check(&history);
    assert_eq!(findings.total(), 500);
    assert_eq!(findings.violations.len(), DESCRIBED_PER_INVARIANT);
}
