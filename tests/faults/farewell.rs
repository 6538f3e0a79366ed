//! The stop, with streams in every state.

use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use signalbox::log::{Cause, Command, NewEvent, Outcome, Write, read};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::restart::start;
use super::short_or_long;
use crate::harness::{PATIENCE, Raw, World, world};
use crate::process::Home;

/// From the signal to the end of the process.
const STOPPED: Duration = Duration::from_secs(10);
/// In events of 1 KiB: more than a socket takes for somebody who does not read.
const FLOOD: usize = 1_000;

async fn flood(world: &World) {
    let event = |_| NewEvent {
        id: Uuid::now_v7(),
        kind: "incident.commented",
        data: json!({ "text": "x".repeat(1_000) }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[],
    };
    let events = (0..FLOOD).map(event).collect();
    let writes = vec![Write { stream: "incident/1".into(), expected: None, events }];
    let command = Command { cause: Cause::system("test"), writes, states: Vec::new(), idempotency: None };
    assert!(matches!(world.appender.append(command).await.unwrap(), Outcome::Appended(_)));
}

/// What the last `retry:` says, in a text that ends with the farewell of a stop.
#[track_caller]
fn retry_of_farewell(text: &str) -> u64 {
    let farewell = text.trim_end().rsplit("\n\n").next().unwrap();
    let data = "data: {\"reason\":\"shutdown\",\"reconnect\":true}";
    let other = "data: {\"reconnect\":true,\"reason\":\"shutdown\"}";
    assert!(farewell.contains("\nevent: bye\n") && (farewell.contains(data) || farewell.contains(other)), "{farewell}");
    farewell.lines().find_map(|line| line.strip_prefix("retry: ")).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_goodbye_to_all_who_read_and_waits_for_nobody_who_does_not() {
    let (world, home) = (world().await, Home::new());
    let mut program = start(&home, &world).await;
    let client = program.admin().await;
    let (token, address) = (&client.token, program.address());
    let open = |query| async move {
        let mut raw = Raw::connect(address);
        raw.open_stream(token, query).await;
        raw.until("event: ready\n").await;
        raw
    };
    let mut readers = join_all((0..short_or_long(270, 900)).map(|_| open("?types=incident.created"))).await;
    // These would get it all, and read nothing more.
    let stalled = join_all((0..short_or_long(30, 100)).map(|_| open(""))).await;
    let mut witness = client.stream("", None).await;
    witness.until("ready").await;
    flood(&world).await;
    let last = read::head(&world.database).await.unwrap().seq;
    while witness.event().await.id != Some(last) {}

    program.signal(Signal::TERM);
    let signalled = Instant::now();
    let said = join_all(readers.iter_mut().map(Raw::rest)).await;
    let mut retries = Vec::from_iter(said.iter().map(|text| retry_of_farewell(text)));
    let goodbye = signalled.elapsed();
    let ended = tokio::task::spawn_blocking(move || program.child.wait().unwrap());
    let status = timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert!(status.success() && signalled.elapsed() < STOPPED, "{status} after {:?}", signalled.elapsed());
    assert!(goodbye < Duration::from_secs(3), "those who read were told after {goodbye:?}");
    retries.sort_unstable();
    let (first, last) = (retries[0], retries[retries.len() - 1]);
    assert!(first >= 500 && last < 5_000 && last - first > 3_000, "spread from {first} to {last} ms");
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_just_being_opened_does_not_hold_up_a_stop() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    // A position from the future is looked for in the log itself, which takes its time.
    let (owner, driver) = world.owner.connect("test").await.unwrap();
    tokio::spawn(driver);
    owner.batch_execute("begin; lock log_head in access exclusive mode").await.unwrap();
    let mut raw = Raw::connect(server.address);
    raw.open_stream(&client.token, "?last_event_id=1000000").await;
    let waits = "select exists (select from pg_locks where relation = 'log_head'::regclass and not granted)";
    while !owner.query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {}
    let stopping = Instant::now();
    let stop = tokio::spawn(server.stop());
    tokio::task::yield_now().await;
    while tokio::net::TcpStream::connect(raw.peer()).await.is_ok() {} // so the stop has begun
    owner.batch_execute("commit").await.unwrap();
    raw.rest().await;
    stop.await.unwrap().unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(5), "{:?}", stopping.elapsed());
}

/// As clients keep them in reserve.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_have_not_said_anything_do_not_hold_up_a_stop() {
    let server = world().await.serve().await;
    let silent = Vec::from_iter((0..20).map(|_| Raw::connect(server.address)));
    server.admin().await; // accepted after them, and answered
    let stopping = Instant::now();
    server.stop().await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(5), "{:?}", stopping.elapsed());
    drop(silent);
}
