//! What the database has is taken away: its lock, its connection slots.

use std::time::Duration;

use serde_json::json;
use signalbox::postgres::{APP_ROLE, Direct};
use tokio::time::{Instant, sleep, timeout};

use super::load::Load;
use super::short_or_long;
use crate::harness::{OwnPostgres, PATIENCE, execute, world};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_head_is_locked_commands_are_told_503_and_streams_and_queries_go_on() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let before = client.report("before").await;
    client.caught_up().await;
    let mut open = client.stream("", None).await;
    open.until("ready").await;

    let (mut locker, connection) = world.owner.connect("test").await.unwrap();
    tokio::spawn(connection);
    let lock = locker.transaction().await.unwrap();
    lock.query("select from log_head for update", &[]).await.unwrap();
    let until = Instant::now() + Duration::from_secs(short_or_long(3, 10));
    let mut refused = 0;
    while Instant::now() < until {
        let commands = (0..8).map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let asked = Instant::now();
                let answer = client.post("/api/v1/incidents", json!({ "title": format!("locked out {n}") })).await;
                assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
                answer
            })
        });
        let commands: Vec<_> = commands.collect();
        // Meanwhile everything else works: replay, live, queries.
        let replayed = client.stream("", Some(0)).await.until("incident.created").await;
        assert_eq!(replayed.last().unwrap().data["data"]["title"], "before");
        let shown = client.get(&format!("/api/v1/incidents/{}", before["key"].as_str().unwrap())).await;
        assert_eq!(shown.status, 200);
        for command in commands {
            let answer = command.await.unwrap();
            answer.is_problem(503, "database_unavailable");
            assert!(!answer.header("retry-after").is_empty());
            refused += 1;
        }
    }
    lock.rollback().await.unwrap();
    assert!(refused > 0);
    client.report("after").await;
    let next = open.event().await;
    assert_eq!(next.data["data"]["title"], "after", "what was told 503 is not in the log, and the stream lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_connection_slots_are_stolen_commands_are_told_503_and_then_go_on() {
    let (_postgres, world) = OwnPostgres::start(&[("max_connections", "20")]).await;
    let server = world.serve().await;
    let client = server.admin().await;
    let load = Load::start(std::slice::from_ref(&client), 2, 3);
    load.goes_on(20).await;

    let thief = Direct::migrating(&world.app_url).unwrap();
    let mut stolen = Vec::new();
    let until = Instant::now() + Duration::from_secs(short_or_long(3, 5));
    while Instant::now() < until {
        // The server's own are ended, so that it must ask for new ones, and each is taken as it comes free.
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where application_name like 'signalbox%' and usename = '{APP_ROLE}'"
        );
        execute(&world.owner, &end).await;
        while let Ok((thief, connection)) = thief.connect("thief").await {
            stolen.push((thief, tokio::spawn(connection)));
        }
        sleep(Duration::from_millis(50)).await; // the fault's own rhythm
    }
    let refused = client.post("/api/v1/incidents", json!({ "title": "no slot" })).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(client.get("/livez").await.status, 200);
    assert!(stolen.len() >= 10, "{}", stolen.len());
    drop(stolen);
    timeout(PATIENCE / 4, load.goes_on(20)).await.expect("recovery");
    load.ends_well(&world.owner).await;
}
