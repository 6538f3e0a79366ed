//! The server is killed under its readers, and all of them come back at once.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use signalbox::domain::permission::INCIDENTS_READ;
use signalbox::log::{Cause, Command, NewEvent, Outcome, Write};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::restart::start_through;
use super::short_or_long;
use crate::harness::{Client, PATIENCE, Stream, World, world};
use crate::process::Home;

/// Events that happen while nobody is there.
const MISSED: usize = 400;
/// From the restart until everybody is current.
const CURRENT: Duration = Duration::from_secs(30);

struct Reader {
    /// All ids of events it was ever told, over all its connections.
    told: Vec<i64>,
    stream: Stream,
}

impl Reader {
    /// Comes back as often as it is told to.
    async fn open(client: &Client, last: Option<i64>) -> Stream {
        let started = Instant::now();
        loop {
            let request = client.request(Method::GET, "/api/v1/events/stream?types=incident.commented");
            let request = last.iter().fold(request, |request, id| request.header("last-event-id", *id));
            let response = request.send().await.unwrap();
            if response.status() == 200 {
                return Stream::of(response);
            }
            assert_eq!(response.status(), 503);
            let wait_s = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!(started.elapsed() < PATIENCE);
            sleep(Duration::from_secs(wait_s)).await; // as it was told
        }
    }

    async fn follow(&mut self, up_to: i64) {
        while self.told.last().is_none_or(|last| *last < up_to) {
            let frame = self.stream.event().await;
            self.told.extend(frame.id.filter(|_| frame.event == "incident.commented"));
        }
    }
}

/// Appends so many events; gives the last one's seq.
async fn happen(world: &World, count: usize) -> i64 {
    let event = |n| NewEvent {
        id: Uuid::now_v7(),
        kind: "incident.commented",
        data: json!({ "n": n }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[INCIDENTS_READ],
    };
    let writes = vec![Write { stream: "incident/1".into(), expected: None, events: (0..count).map(event).collect() }];
    let command = Command { cause: Cause::system("test"), writes, states: Vec::new(), idempotency: None };
    match world.appender.append(command).await.unwrap() {
        Outcome::Appended(appended) => appended.last_seq,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_all_readers_are_current_again_and_the_database_hardly_notices() {
    let (world, home) = (world().await, Home::new());
    let (proxy, url) = world.proxy().await;
    let program = start_through(&url, &home, &world).await;
    let client = program.admin().await;
    client.caught_up().await;
    let streams = join_all((0..short_or_long(300, 5_000)).map(|_| Reader::open(&client, None))).await;
    let mut readers = Vec::from_iter(streams.into_iter().map(|stream| Reader { told: Vec::new(), stream }));
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(program.threads("stream-writer"), cores.min(8), "started once, though all came together");
    for reader in &mut readers {
        reader.stream.until("ready").await; // so nobody begins behind what happens now
    }
    let first = happen(&world, 10).await - 9;
    join_all(readers.iter_mut().map(|reader| reader.follow(first + 9))).await;
    program.signal(Signal::KILL);
    let last = happen(&world, MISSED).await;
    assert_eq!(last, first + 9 + MISSED as i64, "nobody else wrote");
    drop(program);

    let program = start_through(&url, &home, &world).await;
    let client = Client::new(&program.url).with_token(&client.token);
    let (restarted, before) = (Instant::now(), proxy.calls("signalbox"));
    join_all(readers.iter_mut().map(|reader| async {
        reader.stream = Reader::open(&client, reader.told.last().copied()).await;
        reader.follow(last).await;
    }))
    .await;
    let (took, queries) = (restarted.elapsed(), proxy.calls("signalbox") - before);
    assert!(took < CURRENT, "{took:?}");
    assert!(queries <= 30, "{queries} queries for {} readers", readers.len());
    let all = Vec::from_iter(first..=last);
    for reader in &readers {
        assert_eq!(reader.told, all, "each event once, in order, over both processes");
    }
}
