//! From replay to live, past what is hidden, and into another history.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use signalbox::domain::user::Role;
use signalbox::log::{Appender, Cause, NewEvent, Outcome, Write, read};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::load::Load;
use super::short_or_long;
use crate::harness::{Frame, PASSWORD, execute, world};

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_readers_that_resume_at_random_miss_and_repeat_nothing() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let load = Load::start(&[servers[0].admin().await, servers[1].admin().await], 4, short_or_long(60, 200));
    load.goes_on(short_or_long(150, 3_000)).await;
    load.ends_well(&world.owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_write_transaction_in_another_database_holds_nobody_up() {
    let (world, other) = (world().await, world().await);
    let (mut client, connection) = other.owner.connect("test").await.unwrap();
    tokio::spawn(connection);
    let long = client.transaction().await.unwrap();
    long.batch_execute("create table half_done (n int); insert into half_done values (1)").await.unwrap();
    let server = world.serve().await;
    let client = server.admin().await;
    let mut live = client.stream("?types=incident.created", None).await;
    live.until("ready").await;
    let load = Load::start(std::slice::from_ref(&client), 2, 4);
    let until = Instant::now() + Duration::from_secs(short_or_long(2, 10));
    while Instant::now() < until {
        load.goes_on(10).await;
    }
    let marker = client.report("while it is open").await;
    let stream = format!("incident/{}", marker["id"].as_str().unwrap());
    while live.event().await.data["stream"] != stream.as_str() {}
    load.ends_well(&world.owner).await;
    long.rollback().await.unwrap();
}

/// Events that only holders of this permission see.
async fn hidden(appender: &Appender, events: usize, permission: &'static [&'static str]) {
    let event = |_| NewEvent {
        id: Uuid::now_v7(),
        kind: "incident.commented",
        data: json!({}),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: permission,
    };
    let writes = vec![Write { stream: "incident/1".into(), expected: None, events: (0..events).map(event).collect() }];
    let command =
        signalbox::log::Command { cause: Cause::system("test"), writes, states: Vec::new(), idempotency: None };
    let outcome = appender.append(command).await.unwrap();
    assert!(matches!(outcome, Outcome::Appended(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_one_event_in_ten_thousand_reads_the_log_once_and_resumes_at_its_end() {
    let world = world().await;
    for _ in 0..short_or_long(1, 10) {
        for _ in 0..10 {
            hidden(&world.appender, 1_000, &["nobody.has.this"]).await;
        }
        hidden(&world.appender, 1, &["incidents.read"]).await;
    }
    world.user("rare", Role::Viewer).await;
    let (proxy, url) = world.proxy().await;
    // No ring: what is read is read from the database, through the proxy that counts.
    let server = world.serve_through(&url, &["--ring-mib=0"]).await;
    let client = server.anonymous().sign_in("rare", PASSWORD).await;
    let pages = read::head(&world.database).await.unwrap().seq as u64 / signalbox::hub::REPLAY_PAGE_EVENTS as u64 + 1;

    let before = proxy.calls("signalbox");
    let frames = client.stream("?types=incident.commented", Some(0)).await.until("ready").await;
    let seen = frames.iter().filter(|frame| frame.event == "incident.commented").count();
    assert_eq!(seen, short_or_long(1, 10));
    assert!(frames.len() as u64 <= 2 * pages + 3, "a bookmark for each page at most: {}", frames.len());
    let first = proxy.calls("signalbox") - before;
    assert!((pages..=pages + 5).contains(&first), "{first} queries for {pages} pages");

    let at = frames.iter().filter_map(|frame| frame.id).max();
    let before = proxy.calls("signalbox");
    client.stream("?types=incident.commented", at).await.until("ready").await;
    let again = proxy.calls("signalbox") - before;
    assert!(again <= 3, "{again} queries to resume at the end");
}

#[track_caller]
fn is_reset(opening: &[Frame], reason: &str) {
    let reset = opening.iter().find(|frame| frame.event == "reset");
    assert_eq!(reset.unwrap_or_else(|| panic!("no reset in {opening:?}")).data["reason"], reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_from_before_a_restore_is_reset_and_hears_what_is_new() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    client.report("kept").await;
    let programs: String = world.value("select setting from pg_config where name = 'BINDIR'").await;
    let run = |program: &str, arguments: &[&str]| {
        let done = Command::new(format!("{programs}/{program}")).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let dump = run("pg_dump", &[&world.owner_url]);
    let old = read::head(&world.database).await.unwrap();
    for n in 0..5 {
        client.report(&format!("lost {n}")).await;
    }
    let frames = client.replay("").await;
    let cursor = frames.iter().filter_map(|frame| frame.id).max().unwrap();
    assert!(cursor >= old.seq + 5);
    server.stop().await.unwrap();

    execute(&world.owner, "drop schema public cascade; create schema public; grant usage on schema public to public")
        .await;
    let file = std::env::temp_dir().join(format!("signalbox-dump-{}.sql", Uuid::new_v4()));
    std::fs::write(&file, dump).unwrap();
    run("psql", &["--quiet", "--set=ON_ERROR_STOP=1", "--file", file.to_str().unwrap(), &world.owner_url]);
    std::fs::remove_file(&file).unwrap();
    execute(&world.owner, "update log_head set epoch = gen_random_uuid()").await;

    // One reader only has its position, which the restored log has not reached; the other knows its history too,
    // and comes when the new one is longer than the old one was.
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("", Some(cursor + 100)).await;
    is_reset(&stream.until("ready").await, "future");
    for n in 0..10 {
        client.report(&format!("new {n}")).await;
    }
    let first = stream.until("incident.created").await.pop().unwrap();
    assert_eq!(first.data["data"]["title"], "new 0");
    client.caught_up().await;
    let mut stream = client.stream(&format!("?epoch={}", old.epoch), Some(cursor)).await;
    is_reset(&stream.until("ready").await, "epoch");
    let queue = Appender::start(world.direct.clone(), Arc::new(Notify::new()));
    hidden(&queue, 1, &["incidents.read"]).await;
    assert_eq!(stream.until("incident.commented").await.pop().unwrap().data["stream"], "incident/1");
}
