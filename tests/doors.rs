//! The ways in which a stream can be opened and left: each is the same stream, and none leaves anything behind.

use std::time::{Duration, Instant};

use serde_json::json;
use signalbox::domain::user::Role;

use crate::harness::{Client, Raw, Stream, world};

async fn report(client: &Client, title: &str) {
    assert_eq!(client.post("/api/v1/incidents", json!({ "title": title, "severity": "P3" })).await.status, 201);
}

#[tokio::test]
async fn a_stream_over_http_2_says_the_same_as_over_http_1() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let http2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let request = http2.get(format!("{}/api/v1/events/stream?types=incident.*", server.url)).bearer_auth(&client.token);
    let response = request.send().await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    let mut new = Stream::of(response);
    let mut old = client.stream("?types=incident.*", None).await;
    new.until("ready").await;
    old.until("ready").await;
    report(&client, "seen by both").await;
    assert_eq!(new.event().await, old.event().await);
}

#[tokio::test]
async fn a_stream_in_gzip_says_the_same_without_delay() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    for http2 in [false, true] {
        let http = reqwest::Client::builder().no_proxy();
        let http = if http2 { http.http2_prior_knowledge() } else { http }.build().unwrap();
        let path = format!("{}/api/v1/events/stream?types=incident.*", server.url);
        let request = http.get(path).bearer_auth(&client.token).header("accept-encoding", "br, gzip;q=0.9");
        let mut packed = Stream::of_gzip(request.send().await.unwrap());
        let mut plain = client.stream("?types=incident.*", None).await;
        packed.until("ready").await;
        plain.until("ready").await;
        report(&client, &"long and boring ".repeat(12)).await;
        assert_eq!(packed.event().await, plain.event().await);
        server.app.hub.change_mode(|mode| mode.level = signalbox::hub::Level::PollingOnly);
        packed.is_closed_with("degraded").await;
        server.app.hub.change_mode(|mode| mode.level = signalbox::hub::Level::Normal);
    }
}

#[tokio::test]
async fn a_connection_that_was_used_before_becomes_a_stream() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut raw = Raw::connect(server.address);
    raw.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(raw.until("\r\n\r\nok").await.starts_with("HTTP/1.1 200"));
    raw.open_stream(&client.token, "").await;
    let head = raw.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("connection: close\r\n") && head.contains("\r\ndate: "), "{head}");
    assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
    assert!(head.contains("content-type: text/event-stream; charset=utf-8\r\n"), "{head}");
    raw.until("event: ready\n").await;
    report(&client, "on the same connection").await;
    raw.until("event: incident.created\n").await;
}

#[tokio::test]
async fn requests_sent_ahead_of_a_stream_are_answered_before_it() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    for n in 0..30 {
        report(&client, &format!("{n} {}", "long ".repeat(30))).await;
    }
    let mut raw = Raw::connect(server.address);
    // The answers are larger than what the socket takes while nobody reads.
    let list =
        format!("GET /api/v1/events?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", client.token);
    raw.send(&list.repeat(60)).await;
    raw.open_stream(&client.token, "").await;
    let all = raw.until("event: ready\n").await;
    let heads: Vec<_> = all.match_indices("HTTP/1.1 200 OK").collect();
    assert_eq!(heads.len(), 61);
    let (answers, stream) = all.split_at(heads[60].0);
    assert_eq!(answers.matches("\"items\":[").count(), 60, "none is cut off");
    assert!(stream.contains("text/event-stream"));
}

#[tokio::test]
async fn readers_that_leave_in_any_way_leave_nothing_behind() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let began = Instant::now();
    for round in 0..5 {
        let mut readers = Vec::new();
        for _ in 0..50 {
            let mut raw = Raw::connect(server.address);
            raw.open_stream(&client.token, "").await;
            readers.push(raw);
        }
        for raw in &mut readers {
            raw.until("event: ready\n").await;
        }
        server.has_open(50).await;
        for (number, raw) in readers.into_iter().enumerate() {
            match (number + round) % 3 {
                0 => raw.reset(),
                1 => raw.shutdown(),
                _ => drop(raw),
            }
        }
        server.has_open(0).await;
    }
    // Not when they are written to next, which is every 15 s.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    report(&client, "nobody is there").await;
}

#[tokio::test]
async fn a_reader_that_talks_instead_of_listening_is_closed() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut raw = Raw::connect(server.address);
    raw.open_stream(&client.token, "").await;
    raw.until("event: ready\n").await;
    raw.send("a few words are thrown away\r\n").await;
    report(&client, "still there").await;
    raw.until("event: incident.created\n").await;
    raw.send_until_closed(&"much more than a reader has to say ".repeat(1 << 16)).await;
    server.has_open(0).await;
}

#[tokio::test]
async fn the_open_streams_are_known_by_reader_and_cursor() {
    let world = world().await;
    let server = world.serve().await;
    let user = world.user("olga", Role::Viewer).await;
    let admin = server.admin().await;
    admin.caught_up().await;
    let mut stream = server.anonymous().sign_in("olga", crate::harness::PASSWORD).await.stream("", None).await;
    stream.until("ready").await;
    report(&admin, "moves the cursor").await;
    let seen = stream.event().await;
    let open = server.app.hub.open().list(0, 10);
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].viewer.user, Some(open[0].cursor())), (user.id, seen.id));
    assert!(open[0].peer.is_some_and(|peer| peer.ip().is_loopback()));
    assert_eq!(server.app.hub.open().behind(open[0].cursor() + 900, [800, 1_000]), [1, 0]);
}
