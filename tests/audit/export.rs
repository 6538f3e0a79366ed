//! Taking events home: how far it goes, and when it breaks off.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;
use signalbox::domain::user::{Event, Role, Switched};
use signalbox::log::{hex, sha256};
use uuid::Uuid;

use super::{EXPORT, auditor, filled, lines, seqs};
use crate::access::{holder, signed_in};
use crate::harness::{Answer, Client, PATIENCE, World, world};

/// What the kernel may hold of an answer that nobody reads, in bytes: what both sockets may grow to.
const KERNEL_BYTES: usize = 12 << 20;

/// Reads an answer to its end; `Err` with what came until then when it broke off.
async fn to_the_end(response: reqwest::Response) -> Result<Vec<u8>, Vec<u8>> {
    let (mut bytes, mut stream) = (Vec::new(), response.bytes_stream());
    while let Some(piece) = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an answer goes on") {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(_broken) => return Err(bytes),
        }
    }
    Ok(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_100_000_events_is_whole_while_more_are_appended_and_says_so_first() {
    let world = world().await;
    filled(&world, 100_000, 100).await;
    let server = world.serve().await;
    let auditor = auditor(&world, &server).await;
    let mut tail = auditor.stream("?types=audit.exported", None).await;
    tail.until("ready").await;
    let response = auditor.request(Method::GET, &format!("{EXPORT}?types=incident.*")).send().await.unwrap();
    let head = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let seq: i64 = head("signalbox-seq").parse().unwrap();
    assert_eq!(head("content-type"), "application/x-ndjson");
    assert_eq!(head("content-disposition"), format!("attachment; filename=\"signalbox-events-1-{seq}.ndjson\""));
    assert_eq!(head("signalbox-epoch"), world.value::<Uuid>("select epoch from log_head").await.to_string());
    let told = tail.event().await;
    assert!(told.event == "audit.exported" && told.id > Some(seq), "{told:?}");
    let expected = json!({ "format": "ndjson", "from_seq": 1, "to_seq": seq, "filters": { "types": "incident.*" } });
    assert_eq!((&told.data["data"], &told.data["actor"]["name"]), (&expected, &json!("anna")));
    let appending = {
        let admin = server.admin().await;
        tokio::spawn(async move {
            for n in 0..50 {
                admin.report(&format!("meanwhile {n}")).await;
            }
        })
    };
    let text = String::from_utf8(to_the_end(response).await.expect("a whole export")).unwrap();
    appending.await.unwrap();
    let first: i64 = world.value("select min(seq) from events where stream = 'test/filler'").await;
    assert_eq!(seqs(&text), (first..first + 100_000).collect::<Vec<_>>());
    let last = lines(text.lines().last().unwrap()).pop().unwrap();
    assert_eq!(last["leaf_hash"], hex(&sha256(&100_000_i64.to_be_bytes())));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_reads_no_further_than_its_reader_takes() {
    let world = world().await;
    filled(&world, 20_000, 4_000).await; // 90 MB
    let server = world.serve().await;
    let auditor = auditor(&world, &server).await;
    let response = auditor.request(Method::GET, EXPORT).send().await.unwrap();
    let pages_before = server.app.database.counts().0;
    let mut stream = response.bytes_stream();
    let first = stream.next().await.unwrap().unwrap().len();
    let others = 300;
    for _ in 0..others {
        assert_eq!(auditor.get("/livez").await.status, 200); // while the process does other things
    }
    let pages = server.app.database.counts().0 - pages_before;
    let most = (first + KERNEL_BYTES).div_ceil(1 << 20) as u64 + 5;
    assert!(pages <= most, "{pages} pages were read for a reader that took {first} bytes; {most} are room for");
    let mut bytes = first;
    while let Some(piece) = stream.next().await {
        bytes += piece.unwrap().len();
    }
    assert!(bytes > 80 << 20, "then it takes the rest: {bytes}");
}

/// Begins an export that is longer than all buffers, takes its beginning, lets something happen, and reads on.
async fn breaks_off(world: &World, who: &Client, happens: impl AsyncFnOnce()) {
    let response = who.request(Method::GET, EXPORT).send().await.unwrap();
    assert_eq!(response.status(), 200);
    happens().await;
    let came = to_the_end(response).await.expect_err("an export that breaks off does not end as a whole one does");
    let events: i64 = world.value("select count(*) from events where stream = 'test/filler'").await;
    let lines = came.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines > 0 && (lines as i64) < events, "{lines} of {events} events");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_breaks_off_when_its_reader_loses_a_right_or_its_session() {
    let world = world().await;
    filled(&world, 20_000, 4_000).await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let rita = holder(&world, &admin, "exports", &["incidents.read", "events.export"]).await;
    let client = signed_in(&server, rita.id);
    let narrow = async || {
        let less = json!({ "permissions": ["events.export"] });
        assert_eq!(admin.patch("/api/v1/roles/exports", less).await.status, 200);
        admin.caught_up().await;
    };
    breaks_off(&world, &client, narrow).await;
    let anna = world.user("anna", Role::Auditor).await;
    let signed_in = signed_in(&server, anna.id);
    signed_in.caught_up().await;
    let disable = async || {
        world.happen_to(anna, Event::Disabled(Switched { reason: None })).await;
        admin.caught_up().await;
    };
    breaks_off(&world, &signed_in, disable).await;
    let may_not = client.get(&format!("{EXPORT}?types=incident.*")).await;
    assert_eq!((may_not.status.as_u16(), may_not.text.as_str()), (200, ""), "what is left to see is nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_breaks_off_when_the_process_stops() {
    let world = world().await;
    filled(&world, 20_000, 4_000).await;
    let server = world.serve().await;
    let auditor = auditor(&world, &server).await;
    let stop = server.stop.clone();
    breaks_off(&world, &auditor, async || stop.cancel()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_has_two_exports_at_once() {
    let world = world().await;
    filled(&world, 20_000, 4_000).await;
    let server = world.serve().await;
    let auditor = auditor(&world, &server).await;
    let begin = || auditor.request(Method::GET, EXPORT).send();
    let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    let third = Answer::of(auditor.request(Method::GET, EXPORT)).await;
    third.is_problem(429, "too_many_exports");
    assert_eq!(third.header("retry-after"), "10");
    let another = server.admin().await.request(Method::GET, EXPORT).send().await.unwrap();
    assert_eq!(another.status(), 200, "of another user");
    drop(first);
    let patience = tokio::time::Instant::now() + PATIENCE;
    while begin().await.unwrap().status() != 200 {
        assert!(tokio::time::Instant::now() < patience, "a place comes back with the connection");
        tokio::task::yield_now().await; // asks again
    }
}
