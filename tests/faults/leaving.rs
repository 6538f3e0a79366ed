//! Readers that vanish, thousands after one another.

use futures_util::future::join_all;
use tokio::time::{Duration, Instant, sleep};

use super::restart::start;
use super::short_or_long;
use crate::harness::{PATIENCE, Raw, world};
use crate::process::{Home, Program};

/// Readers at once.
const CROWD: usize = 50;

/// Connects, comes as far as `step` says, and is gone by a reset.
async fn come_and_go(program: &Program, token: &str, step: usize) {
    let mut raw = Raw::connect(program.address());
    match step % 5 {
        0 => {}
        1 => raw.send("GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\n").await,
        2 => raw.open_stream(token, "").await, // gone before, while or after it is answered
        3 => {
            raw.open_stream(token, "").await;
            raw.until("HTTP/1.1 200 OK\r\n").await;
        }
        _ => {
            raw.open_stream(token, "?last_event_id=0").await;
            raw.until("event: ready\n").await;
        }
    }
    raw.reset();
}

async fn come_and_go_so_often(program: &Program, token: &str, cycles: usize) {
    for _ in 0..cycles / CROWD {
        join_all((0..CROWD).map(|step| come_and_go(program, token, step))).await;
    }
}

/// Waits until the process knows of no stream.
async fn nobody_is_there(program: &Program, token: &str) {
    let client = crate::harness::Client::new(&program.url).with_token(token);
    let patience = Instant::now() + PATIENCE;
    loop {
        let open = client.get("/api/v1/system/streams").await;
        assert_eq!(open.status, 200, "{}", open.text);
        if open.json["items"].as_array().unwrap().is_empty() {
            return;
        }
        assert!(Instant::now() < patience, "{}", open.text);
        sleep(Duration::from_millis(20)).await; // asks again; what is waited for is the list
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_readers_that_vanish_leave_neither_a_stream_nor_memory() {
    let (world, home) = (world().await, Home::new());
    let program = start(&home, &world).await;
    let token = program.admin().await.token;
    // The first ones fill pools and the allocator's reserves, which are kept.
    come_and_go_so_often(&program, &token, short_or_long(2_000, 5_000)).await;
    nobody_is_there(&program, &token).await;
    let (before, files) = (program.resident_kib(), program.files());
    come_and_go_so_often(&program, &token, short_or_long(4_000, 50_000)).await;
    nobody_is_there(&program, &token).await;
    let after = program.resident_kib();
    assert!(after * 100 <= before * 105, "{before} KiB before, {after} KiB after");
    assert!(program.files() <= files + 5, "{files} files before, {} after", program.files());
}
