//! The stream: nothing lost, repeated or reordered, and told when that cannot be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use signalbox::log::{Appender, Cause, Command, NewEvent, Outcome, Write, read};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{Client, World, execute, world};

/// Appends events that only holders of `permission` see.
async fn happen(appender: &Appender, stream: &str, count: usize, permissions: &'static [&'static str]) -> i64 {
    let event = |n| NewEvent {
        id: Uuid::now_v7(),
        kind: "incident.commented",
        data: json!({ "text": format!("{n}"), "padding": "x".repeat(150) }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions,
    };
    let command = Command {
        cause: Cause::system("test"),
        writes: vec![Write { stream: stream.to_owned(), expected: None, events: (0..count).map(event).collect() }],
        states: Vec::new(),
        idempotency: None,
    };
    match appender.append(command).await.unwrap() {
        Outcome::Appended(appended) => appended.last_seq,
        other => panic!("{other:?}"),
    }
}

/// A reader that reconnects at random, to any of the servers, and returns what it got: (seq, id).
async fn wander(clients: Vec<Client>, until: i64, seed: usize) -> Vec<(i64, String)> {
    let mut got: Vec<(i64, String)> = Vec::new();
    let mut connection = 0;
    while got.last().is_none_or(|(seq, _)| *seq < until) {
        connection += 1;
        let client = &clients[(seed + connection) % clients.len()];
        let last = got.last().map_or(0, |(seq, _)| *seq);
        let mut stream = client.stream("", Some(last)).await;
        let mut patience = 1 + (seed * 7 + connection * 13) % 60;
        while let Some(frame) = stream.next().await {
            if let (Some(id), Value::Object(event)) = (frame.id, &frame.data)
                && event.contains_key("stream")
            {
                got.push((id, event["id"].as_str().unwrap().to_owned()));
            }
            patience -= 1;
            if patience == 0 || got.last().is_some_and(|(seq, _)| *seq >= until) {
                break;
            }
        }
    }
    got
}

/// Readers wander between two servers while writers append through two queues and a fault goes on.
async fn everybody_gets_the_whole_log(world: &World, settings: &[&str], readers: usize, fault: Option<&'static str>) {
    let servers = [world.serve_with(settings).await, world.serve_with(settings).await];
    let clients = vec![servers[0].admin().await, servers[1].admin().await];
    let done = Arc::new(AtomicBool::new(false));
    let faults = tokio::spawn({
        let (owner, done) = (world.owner.clone(), done.clone());
        async move {
            while let (Some(sql), false) = (fault, done.load(Ordering::Relaxed)) {
                execute(&owner, sql).await;
                tokio::time::sleep(Duration::from_millis(200)).await; // the fault's own rhythm, not a wait
            }
        }
    });
    let before = read::head(&world.database).await.unwrap().seq;
    let readers: Vec<_> =
        (0..readers).map(|seed| tokio::spawn(wander(clients.clone(), before + 1_500, seed))).collect();
    let queues = [world.appender.clone(), Appender::start(world.direct.clone(), Arc::new(Notify::new()))];
    let writers: Vec<_> = (0..10)
        .map(|writer| {
            let queue = queues[writer % 2].clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    happen(&queue, &format!("incident/{writer}"), 3, &["incidents.read"]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut log = Vec::new();
    while log.len() < before as usize + 1_500 {
        log.extend(read::after(&world.database, log.len() as i64, 1_000).await.unwrap());
    }
    let log: Vec<(i64, String)> = log.iter().map(|event| (event.seq, event.id.to_string())).collect();
    for reader in readers {
        let got = reader.await.unwrap();
        assert_eq!(got[..], log[..got.len()], "each event once, in order, from the first on");
        assert!(got.len() as i64 >= before + 1_500);
    }
    done.store(true, Ordering::Relaxed);
    faults.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_reconnect_at_random_get_every_event_once_in_order() {
    everybody_gets_the_whole_log(&world().await, &[], 20, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_fall_off_the_ring_go_on_from_the_log() {
    everybody_gets_the_whole_log(&world().await, &["--ring-mib=0"], 5, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_notification_readers_still_get_everything() {
    let world = world().await;
    execute(&world.owner, "alter table events disable trigger events_notify").await;
    everybody_gets_the_whole_log(&world, &[], 20, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_killed_again_and_again_loses_nothing() {
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                where application_name = 'signalbox-tail' and datname = current_database()";
    everybody_gets_the_whole_log(&world().await, &[], 20, Some(kill)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spoofed_notifications_change_nothing() {
    let flood = "select pg_notify('events', n::text || ' 999999999') from generate_series(1, 500) n";
    everybody_gets_the_whole_log(&world().await, &[], 20, Some(flood)).await;
}

#[tokio::test]
async fn a_stream_that_was_away_gets_exactly_what_it_missed() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    client.report("one").await;
    let first = stream.event().await;
    assert_eq!((first.event.as_str(), first.data["type"].as_str()), ("incident.created", Some("incident.created")));
    drop(stream);
    for title in ["two", "three", "four"] {
        client.report(title).await;
    }
    let mut stream = client.stream("?types=incident.created", first.id).await;
    let mut titles = Vec::new();
    while titles.len() < 3 {
        // `ready` may stand between them: the process is caught up with what it has seen by then.
        titles.extend(stream.event().await.data["data"]["title"].as_str().map(str::to_owned));
    }
    assert_eq!(titles, ["two", "three", "four"]);
    client.report("five").await;
    let five = stream.until("incident.created").await.pop().unwrap();
    assert_eq!(five.data["data"]["title"], "five");
}

#[tokio::test]
async fn every_spelling_of_the_cursor_means_the_same_and_the_header_wins() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    for title in ["one", "two", "three"] {
        client.report(title).await;
    }
    let all = client.replay("").await;
    let last = all.iter().filter_map(|frame| frame.id).max().unwrap();
    for query in [format!("?last_event_id={}", last - 1), format!("?lastEventId={}", last - 1)] {
        let events: Vec<_> = client.stream(&query, None).await.until("ready").await;
        assert_eq!(events.iter().filter(|frame| frame.event == "incident.created").count(), 1, "{query}");
    }
    let events = client.stream("?last_event_id=0", Some(last)).await.until("ready").await;
    assert!(events.iter().all(|frame| frame.event != "incident.created"));
}

#[tokio::test]
async fn the_opening_spreads_reconnects_and_tells_where_the_log_is() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", None).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(stream.headers["cache-control"], "no-store");
    let opening = stream.next().await.unwrap();
    assert!((7_000..13_000).contains(&opening.retry_ms.unwrap()));
    let ready = stream.next().await.unwrap();
    let head = read::head(&world.database).await.unwrap();
    assert_eq!(ready.data, json!({ "seq": head.seq, "epoch": head.epoch }));
    assert_eq!(ready.id, Some(head.seq));
}

#[tokio::test]
async fn a_cursor_that_means_nothing_is_told_so_and_goes_on_live() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let head = read::head(&world.database).await.unwrap();
    let other = Uuid::new_v4();
    for (query, last, reason) in [(String::new(), head.seq + 100, "future"), (format!("?epoch={other}"), 1, "epoch")] {
        let mut stream = client.stream(&query, Some(last)).await;
        let opening = stream.until("ready").await;
        let reset = opening.iter().find(|frame| frame.event == "reset").expect("reset");
        assert_eq!(reset.data["reason"], reason);
        let epoch = head.epoch.to_string();
        assert_eq!(reset.data["epoch"], epoch.as_str());
        let incident = client.report("after").await;
        assert_eq!(stream.event().await.data["stream"], format!("incident/{}", incident["id"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn filters_choose_by_type_family_and_stream() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let (one, two) = (client.report("one").await, client.report("two").await);
    let step = json!({ "to": "acknowledged" });
    client.post(&format!("/api/v1/incidents/{}/status", one["key"].as_str().unwrap()), step).await;
    let kinds = |frames: &[crate::harness::Frame]| -> Vec<String> {
        frames.iter().filter(|frame| frame.data["stream"].is_string()).map(|frame| frame.event.clone()).collect()
    };
    assert_eq!(kinds(&client.replay("?types=incident.status.changed").await), ["incident.status.changed"]);
    assert_eq!(
        kinds(&client.replay("?types=incident.*").await),
        ["incident.created", "incident.created", "incident.status.changed"]
    );
    let stream = format!("?stream=incident/{}", two["id"].as_str().unwrap());
    assert_eq!(kinds(&client.replay(&stream).await), ["incident.created"]);
    let unknown = client.get("/api/v1/events/stream?types=incident.*,nothing.such").await;
    unknown.is_problem(400, "unknown_event_type");
}

#[tokio::test]
async fn a_filtered_reader_is_moved_over_what_is_not_for_it() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("?types=system.stopped", Some(0)).await;
    stream.until("ready").await;
    let mut last = 0;
    for _ in 0..11 {
        last = happen(&world.appender, "incident/1", 100, &["incidents.read"]).await;
    }
    let bookmark = timeout(Duration::from_secs(10), stream.next()).await.expect("before the next comment").unwrap();
    assert_eq!((bookmark.event.as_str(), &bookmark.data), ("", &Value::Null));
    let id = bookmark.id.unwrap();
    assert!(id > last - 1_100 && id <= last, "{id} of {last}");
}

#[tokio::test]
async fn events_that_name_a_permission_the_reader_lacks_are_on_no_door() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let hidden = happen(&world.appender, "secret/1", 1, &["nobody.has.this"]).await;
    let open = happen(&world.appender, "open/1", 1, &[]).await;
    let any = happen(&world.appender, "any/1", 1, &["nobody.has.this", "incidents.read"]).await;
    let seqs: Vec<i64> =
        client.replay("").await.iter().filter_map(|frame| frame.data["stream"].as_str().and(frame.id)).collect();
    assert!(!seqs.contains(&hidden) && seqs.contains(&open) && seqs.contains(&any));
    let page = client.get("/api/v1/events?limit=1000").await;
    let polled: Vec<i64> =
        page.json["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(polled, seqs);
    client.get(&format!("/api/v1/events/{hidden}")).await.is_problem(404, "not_found");
    assert_eq!(client.get(&format!("/api/v1/events/{open}")).await.status, 200);
}

#[tokio::test]
async fn polling_gives_the_same_bytes_in_the_same_order() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    for n in 0..25 {
        client.report(&format!("incident {n}")).await;
    }
    let streamed: Vec<Value> = client
        .replay("")
        .await
        .into_iter()
        .filter(|frame| frame.data["stream"].is_string())
        .map(|frame| frame.data)
        .collect();
    let mut polled = Vec::new();
    let mut after = 0;
    while polled.len() < streamed.len() {
        let page = client.get(&format!("/api/v1/events?after={after}&limit=7")).await;
        polled.extend(page.json["items"].as_array().unwrap().clone());
        after = page.json["next"].as_i64().unwrap();
    }
    assert_eq!(polled, streamed);
}

#[tokio::test]
async fn a_long_poll_answers_when_something_happens() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let head = read::head(&world.database).await.unwrap().seq;
    let poll = tokio::spawn({
        let client = client.clone();
        async move { client.get(&format!("/api/v1/events?after={head}&wait=30")).await }
    });
    client.report("now").await;
    let page = poll.await.unwrap();
    assert_eq!(page.json["items"][0]["data"]["title"], "now");
    assert_eq!(page.json["next"], head + 1);
}

#[tokio::test]
async fn a_restored_log_resets_open_streams() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    execute(&world.owner, "update log_head set epoch = gen_random_uuid()").await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                where application_name = 'signalbox-tail' and datname = current_database()";
    execute(&world.owner, kill).await;
    let reset = stream.until("reset").await.pop().unwrap();
    assert_eq!(reset.data["reason"], "epoch");
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye_and_ends_within_its_time() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = client.stream("", None).await;
        stream.until("ready").await;
        streams.push(stream);
    }
    tokio::time::timeout(Duration::from_secs(10), server.stop()).await.expect("within 10 s").unwrap();
    for mut stream in streams {
        let bye = stream.until("bye").await.pop().unwrap();
        assert_eq!(bye.data, json!({ "reason": "shutdown", "reconnect": true }));
        assert!(bye.retry_ms.is_some());
        assert_eq!(stream.next().await, None, "nothing follows");
    }
}

#[tokio::test]
async fn a_snapshot_and_the_stream_after_it_make_the_whole() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    client.report("before").await;
    let list = client.get("/api/v1/incidents").await;
    let seq: i64 = list.header("signalbox-seq").parse().unwrap();
    client.report("after").await;
    assert_eq!(list.json["items"].as_array().unwrap().len(), 1);
    let frames = client.stream("?types=incident.*", Some(seq)).await.until("incident.created").await;
    assert_eq!(frames.last().unwrap().data["data"]["title"], "after");
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_by_a_comment_and_a_heartbeat() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("?types=incident.merged", None).await;
    stream.until("ready").await;
    let beat = stream.until("heartbeat").await.pop().unwrap(); // after 30 s
    assert_eq!((beat.id, &beat.data["seq"]), (None, &json!(read::head(&world.database).await.unwrap().seq)));
    assert_eq!(stream.comments, 2, "the opening one and one between");
}

#[tokio::test]
async fn a_process_that_finds_a_hole_in_the_log_stops_rather_than_pass_over_it() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    // As no append ever does: a number is left out.
    let by_force = "update log_head set seq = seq + 1; \
        insert into events select h.seq + 1, gen_random_uuid(), 'x/1', 1, 'system.stopped', '{}', 'x', 'x', '{}', null, \
          gen_random_uuid(), null, null, now(), now(), '' from log_head h; \
        update log_head set seq = seq + 1";
    execute(&world.owner, by_force).await;
    stream.until("bye").await;
    let stopped = server.stop().await.unwrap_err();
    assert!(stopped.to_string().contains("the log has a hole"), "{stopped}");
}
