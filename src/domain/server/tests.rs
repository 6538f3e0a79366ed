//! The rules, without a database.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::*;

fn start() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn at(minutes: i64) -> OffsetDateTime {
    start() + Duration::minutes(minutes)
}

fn facts() -> Facts {
    Facts {
        name: "db-1".to_owned(),
        host: "db-1.example.org".to_owned(),
        port: 22,
        description: String::new(),
        labels: BTreeMap::new(),
        check: Check::default(),
    }
}

/// The server after a command at this time, and how many events it took.
fn after(state: Option<Server>, command: &Command, minute: i64) -> (Server, usize) {
    let events = decide(state.as_ref(), command, at(minute)).unwrap();
    let meta = Meta { stream_id: Uuid::nil(), actor: "user:1".to_owned(), occurred_at: at(minute) };
    let read_back = |event: &Event| Event::parse(event.kind(), &event.data().to_string()).unwrap();
    let count = events.len();
    let server = events.iter().fold(state, |server, event| {
        assert_eq!(&read_back(event), event, "what the log stores reads back as the same event");
        Some(evolve(server, event, &meta))
    });
    (server.unwrap(), count)
}

fn server() -> Server {
    after(None, &Command::Create(facts()), 0).0
}

fn observe(answers: bool) -> Command {
    Command::Observe { answers, message: "because".to_owned() }
}

fn window(id: u128, from: i64, to: i64) -> Window {
    Window { id: Uuid::from_u128(id), starts_at: at(from), ends_at: at(to), reason: Some("disks".to_owned()) }
}

#[test]
fn a_status_changes_only_when_it_is_another() {
    let (up, events) = after(Some(server()), &observe(true), 1);
    assert_eq!((up.status, events, up.status_since), (Status::Up, 1, at(1)));
    assert_eq!(after(Some(up.clone()), &observe(true), 2).1, 0);
    let (down, _) = after(Some(up), &observe(false), 3);
    assert_eq!((down.status, down.message.as_str(), down.version), (Status::Down, "because", 3));
}

#[test]
fn another_target_makes_what_was_known_unknown() {
    let (up, _) = after(Some(server()), &observe(true), 1);
    let port = Command::Update(Update { port: Some(2222), ..Update::default() });
    assert_eq!(after(Some(up.clone()), &port, 2).0.status, Status::Pending);
    let words = Command::Update(Update { description: Some("old".to_owned()), ..Update::default() });
    assert_eq!(after(Some(up.clone()), &words, 2).0.status, Status::Up);
    let nothing = Command::Update(Update { port: Some(22), ..Update::default() });
    assert_eq!(after(Some(up), &nothing, 2).1, 0);
}

#[test]
fn windows_open_and_close_with_time_and_overlap() {
    let (up, _) = after(Some(server()), &observe(true), 1);
    let (planned, _) = after(Some(up), &Command::Schedule(window(1, 10, 20)), 2);
    let (planned, _) = after(Some(planned), &Command::Schedule(window(2, 15, 30)), 2);
    assert_eq!(after(Some(planned.clone()), &Command::Schedule(window(2, 15, 30)), 2).1, 0, "again: nothing");
    assert_eq!(after(Some(planned.clone()), &Command::KeepTime, 9).1, 0, "not yet");
    let (in_one, _) = after(Some(planned), &Command::KeepTime, 10);
    assert_eq!(in_one.status, Status::Maintenance);
    assert_eq!(after(Some(in_one.clone()), &observe(false), 11).1, 0, "it may be down");
    let (in_two, events) = after(Some(in_one), &Command::KeepTime, 20);
    assert_eq!((in_two.status, events, in_two.maintenance.len()), (Status::Maintenance, 1, 1), "the other one is open");
    let (over, events) = after(Some(in_two), &Command::KeepTime, 30);
    assert_eq!((over.status, events, over.maintenance.len()), (Status::Pending, 2, 0));
}

#[test]
fn a_window_that_was_slept_through_ends_without_having_begun() {
    let (planned, _) = after(Some(server()), &Command::Schedule(window(1, 10, 20)), 2);
    let (over, events) = after(Some(planned), &Command::KeepTime, 60);
    assert_eq!((over.status, events), (Status::Pending, 1));
}

#[test]
fn windows_in_the_past_too_long_or_too_many_are_refused() {
    let refused = |state: &Server, window| decide(Some(state), &Command::Schedule(window), at(5)).is_err();
    let mut server = server();
    for (from, to) in [(0, 5), (8, 8), (9, 8), (6, 6 + 93 * 24 * 60)] {
        assert!(refused(&server, window(1, from, to)), "{from} {to}");
    }
    for id in 0..limits::WINDOWS as u128 {
        server = after(Some(server), &Command::Schedule(window(id, 10, 20)), 5).0;
    }
    assert!(refused(&server, window(99, 10, 20)));
}

#[test]
fn a_deleted_server_can_only_be_restored() {
    let (up, _) = after(Some(server()), &observe(true), 1);
    let (gone, _) = after(Some(up), &Command::Delete { reason: None }, 2);
    assert_eq!(after(Some(gone.clone()), &Command::Delete { reason: None }, 2).1, 0);
    for command in [observe(false), Command::KeepTime, Command::Update(Update::default())] {
        assert_eq!(decide(Some(&gone), &command, at(3)), Err(Refusal::Deleted), "{command:?}");
    }
    let (back, _) = after(Some(gone), &Command::Restore { reason: None }, 4);
    assert_eq!((back.deleted, back.status), (false, Status::Pending));
}

#[test]
fn every_limit_is_told_with_its_place() {
    let mut facts = facts();
    facts.name = "no spaces".to_owned();
    facts.host = String::new();
    facts.port = 0;
    facts.description = "x".repeat(limits::DESCRIPTION_CHARS + 1);
    facts.labels = BTreeMap::from([("a/Ä~".to_owned(), "bell\u{7}".to_owned())]);
    facts.check = Check { interval_s: 9, timeout_s: 10, retries: 11, ..Check::default() };
    let Err(Refusal::Invalid(found)) = decide(None, &Command::Create(facts), at(0)) else { panic!("accepted") };
    let pointers: Vec<&str> = found.iter().map(|violation| violation.pointer.as_str()).collect();
    let label = "/labels/a~1Ä~0";
    let check = ["/check/interval_s", "/check/timeout_s", "/check/retries"];
    let expected = [vec!["/name", "/host", "/port", "/description", label, label], check.to_vec()].concat();
    assert_eq!(pointers, expected);
}
