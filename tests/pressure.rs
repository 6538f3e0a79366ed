//! Streams when readers are slow, events come in bursts, or the process protects itself.

use serde_json::json;
use signalbox::hub::Level;
use signalbox::log::{Appender, Cause, Command, NewEvent, Outcome, Write};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Raw, world};

/// Appends events of one type to one stream, in one batch.
async fn happen(appender: &Appender, kind: &'static str, count: usize, text: &str) -> i64 {
    let event = |_| NewEvent {
        id: Uuid::now_v7(),
        kind,
        data: json!({ "text": text }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[],
    };
    let events = (0..count).map(event).collect();
    let command = Command {
        cause: Cause::system("test"),
        writes: vec![Write { stream: "incident/pressure".into(), expected: None, events }],
        states: Vec::new(),
        idempotency: None,
    };
    match appender.append(command).await.unwrap() {
        Outcome::Appended(appended) => appended.last_seq,
        other => panic!("{other:?}"),
    }
}

/// The ids of the frames of this type, in the order they came.
fn ids(text: &str, kind: &str) -> Vec<i64> {
    let named = format!("\nevent: {kind}\n");
    let frames = text.split("\n\n").filter(|frame| frame.contains(&named));
    frames
        .map(|frame| frame.trim_start().strip_prefix("id: ").unwrap().lines().next().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_closed_and_the_others_do_not_notice() {
    let world = world().await;
    let server = world.serve_with(&["--stall-s=1"]).await;
    let client = server.admin().await;
    let mut stalled = Raw::connect(server.address);
    stalled.open_stream(&client.token, "").await;
    let mut other = client.stream("", None).await;
    other.until("ready").await;
    server.has_open(2).await;
    let head = server.app.hub.head().seq;
    let reading = tokio::spawn(async move {
        let mut got = Vec::new();
        while got.last() != Some(&(head + 4_000)) {
            got.extend(other.event().await.id);
        }
        got
    });
    for _ in 0..40 {
        happen(&world.appender, "incident.commented", 100, &"x".repeat(1_000)).await; // 4 MB in all
    }
    let last = head + 4_000;
    assert_eq!(reading.await.unwrap(), Vec::from_iter(head + 1..=last));
    server.has_open(0).await; // the other one has left by itself
    let metrics = client.get("/metrics").await.text;
    let closed = metrics.lines().find(|line| line.contains("\"stalled\"")).unwrap_or_default();
    assert!(closed.ends_with(" 1"), "closed by us, before the kernel does it: {closed}");
    let got = ids(&stalled.rest().await, "incident.commented");
    assert!(got.is_sorted() && got.last().is_some_and(|seq| *seq < last), "it got a beginning: {:?}", got.last());
}

#[tokio::test]
async fn a_reader_that_falls_a_thousand_events_behind_catches_up_and_is_told_when_it_has() {
    let world = world().await;
    let server = world.serve_with(&["--ring-mib=1"]).await;
    let client = server.admin().await;
    let mut slow = Raw::connect(server.address);
    slow.open_stream(&client.token, "").await;
    slow.until("event: ready\n").await;
    let mut witness = client.stream("", None).await;
    witness.until("ready").await;
    let (mut first, mut last) = (i64::MAX, 0);
    for _ in 0..30 {
        last = happen(&world.appender, "incident.commented", 100, &"x".repeat(1_000)).await;
        first = first.min(last - 99);
    }
    while witness.event().await.id != Some(last) {} // so the slow one's socket is full by now
    let text = slow.until("event: ready\n").await;
    assert_eq!(ids(&text, "incident.commented"), Vec::from_iter(first..=last));
}

#[tokio::test]
async fn where_only_the_essential_is_sent_critical_events_come_early_and_everything_comes_in_order_afterwards() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    server.app.hub.change_mode(|mode| mode.level = Level::EssentialOnly);
    assert_eq!(stream.event().await.data, json!({ "level": "essential_only" }));
    let calm = happen(&world.appender, "incident.commented", 1, "can wait").await;
    let urgent = happen(&world.appender, "incident.created", 1, "cannot wait").await;
    let early = stream.event().await;
    assert_eq!((early.id, early.event.as_str(), &early.data["seq"]), (None, "incident.created", &json!(urgent)));
    server.app.hub.change_mode(|mode| mode.level = Level::Normal);
    assert_eq!(stream.event().await.data, json!({ "level": "normal" }));
    assert_eq!(stream.event().await.id, Some(calm));
    let again = stream.event().await;
    assert_eq!((again.id, again.data), (Some(urgent), early.data));
}

#[tokio::test]
async fn events_that_are_gathered_come_whole_and_in_order() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    server.app.hub.change_mode(|mode| mode.level = Level::Batched);
    assert_eq!(stream.event().await.event, "level");
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(happen(&world.appender, "incident.commented", 1, "one of many").await);
    }
    for seq in sent {
        assert_eq!(stream.event().await.id, Some(seq));
    }
}

#[tokio::test]
async fn streams_that_are_switched_off_say_so_and_polling_goes_on_at_the_same_cursor() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    client.post("/api/v1/system/streams/disable", json!({ "reason": "a test" })).await;
    stream.is_closed_with("disabled").await;
    client.get("/api/v1/events/stream").await.is_problem(503, "streams_disabled");
    client.post("/api/v1/system/streams/enable", json!({ "reason": "it is over" })).await;
    client.caught_up().await;
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    server.app.hub.change_mode(|mode| mode.level = Level::PollingOnly);
    stream.is_closed_with("degraded").await;
    client.get("/api/v1/events/stream").await.is_problem(503, "no_new_streams");
    let seq = happen(&world.appender, "incident.commented", 1, "polled").await;
    let page = client.get(&format!("/api/v1/events?after={}&wait=10", seq - 1)).await;
    assert_eq!(page.json["items"][0]["seq"], seq);
}

#[tokio::test]
async fn a_repetition_within_a_moment_is_left_out_on_streams_and_stays_in_the_log() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("?types=user.sign_in.failed,incident.commented", None).await;
    let from = stream.until("ready").await.pop().unwrap().id.unwrap();
    let repeated = happen(&world.appender, "user.sign_in.failed", 3, "root").await;
    let other = happen(&world.appender, "user.sign_in.failed", 1, "somebody else").await;
    let end = happen(&world.appender, "incident.commented", 2, "as often as one likes").await;
    let mut got = Vec::new();
    while got.last() != Some(&end) {
        got.extend(stream.event().await.id);
    }
    assert_eq!(got, [repeated - 2, other, end - 1, end]);
    let page = client.get(&format!("/api/v1/events?after={from}")).await;
    assert_eq!(page.json["items"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn what_is_said_to_be_critical_or_debounced_is_a_registered_type() {
    let world = world().await;
    let server = world.serve().await;
    let types = server.admin().await.get("/api/v1/event-types").await.json["items"].clone();
    let of = |name: &str| types.as_array().unwrap().iter().find(|kind| kind["name"] == name).unwrap().clone();
    assert_eq!(
        (&of("incident.created")["critical"], &of("incident.commented")["critical"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(of("user.sign_in.failed")["debounce_ms"], 100);
    let critical = types.as_array().unwrap().iter().filter(|kind| kind["critical"] == true).count();
    assert_eq!(critical, 8, "every name in registry.rs is spelt right");
}
