//! Short-lived events: what they said goes after its time; that they were there stays, provably.

use futures_util::future::join_all;
use serde_json::{Value, json};
use signalbox::log::{read, sha256};
use signalbox::registry::registry;

use crate::harness::{Client, World, execute, world};

async fn report(client: &Client, cpu: f64) {
    let body = json!({ "cpu_percent": cpu, "memory_percent": 50.5, "disk_percent": 12, "load": 0.75 });
    let answer = client.post("/api/v1/servers/db-1/utilization", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn with_server(client: &Client) {
    let body = json!({ "name": "db-1", "host": "db-1.example.org", "check": { "enabled": false } });
    assert_eq!(client.post("/api/v1/servers", body).await.status, 201);
}

/// Lets so many seconds of life be over for all that is in the log.
async fn age(world: &World, ttl_s: i32) {
    execute(&world.owner, &format!("update short_lived set ttl_s = {ttl_s}")).await;
}

async fn events(client: &Client) -> Vec<Value> {
    client.caught_up().await;
    client.get("/api/v1/events?after=0&limit=1000").await.json["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_add_up_in_their_five_minutes() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    with_server(&client).await;
    join_all((0..30).map(|n| report(&client, f64::from(n)))).await;
    let shown = client.get("/api/v1/servers/db-1/utilization?window=1h").await.json;
    let points = shown["points"].as_array().unwrap();
    let samples: i64 = points.iter().map(|point| point["samples"].as_i64().unwrap()).sum();
    let cpu: f64 =
        points.iter().map(|point| point["cpu_avg"].as_f64().unwrap() * point["samples"].as_f64().unwrap()).sum();
    let most = points.iter().map(|point| point["cpu_max"].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!((samples, cpu.round(), most), (30, 435.0, 29.0), "{shown}");
    assert!(points.iter().all(|point| point["memory_avg"] == 50.5 && point["load_max"] == 0.75), "{shown}");
    for (name, wrong) in [("cpu_percent", 100.1), ("disk_percent", -1.0), ("load", 1e9)] {
        let mut body = json!({ "cpu_percent": 1, "memory_percent": 1, "disk_percent": 1, "load": 1 });
        body[name] = json!(wrong);
        client.post("/api/v1/servers/db-1/utilization", body).await.is_problem(422, "invalid");
    }
    // The server's own version does not move.
    assert_eq!(client.get("/api/v1/servers/db-1").await.json["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_another_process_sweeps_is_told_as_it_was() {
    let world = world().await;
    let before = read::expire(&world.database).await.unwrap();
    assert!(!before.is_empty(), "servers report by a short-lived type");
    let (mut session, connection) = world.owner.connect("test").await.unwrap();
    tokio::spawn(connection);
    let sweeping = session.transaction().await.unwrap();
    sweeping.execute("select from short_lived for update", &[]).await.unwrap();
    let meanwhile = read::expire(&world.database).await.unwrap();
    let told = |swept: &[read::Swept]| swept.iter().map(|swept| (swept.kind.clone(), swept.seq)).collect::<Vec<_>>();
    assert_eq!(told(&meanwhile), told(&before));
    assert!(meanwhile.iter().all(|swept| !swept.more), "nothing for this one to do at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_time_an_event_loses_what_it_said_and_nothing_else() {
    let world = world().await;
    let (server, other) = (world.serve().await, world.serve().await);
    let client = server.admin().await;
    with_server(&client).await;
    report(&client, 12.5).await;
    report(&client, 99.0).await;
    // Each server says once that it serves; only then is the log still.
    let mut started = client.stream("?types=system.started", Some(0)).await;
    for _ in 0..2 {
        started.until("system.started").await;
    }
    let before = events(&client).await;
    let hashes: String = world.value("select string_agg(encode(leaf_hash, 'hex'), ',' order by seq) from events").await;

    // Too early, nothing happens.
    assert!(read::expire(&world.database).await.unwrap().iter().all(|swept| swept.seq == 0));
    assert_eq!(events(&client).await, before);
    age(&world, 1).await;
    let patience = tokio::time::Instant::now() + crate::harness::PATIENCE;
    let last = before.last().unwrap()["seq"].as_i64().unwrap();
    let swept = loop {
        let swept = read::expire(&world.database).await.unwrap();
        if swept[0].seq >= last {
            break swept;
        }
        assert!(tokio::time::Instant::now() < patience, "{swept:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await; // asks again; the second of life is waited for
    };
    let again = read::expire(&world.database).await.unwrap();
    assert!(again[0].seq >= swept[0].seq, "harmless");

    // The log, with the same numbers and hashes, and the marker in the payload's stead.
    server.app.hub.expire(&swept);
    let after = events(&client).await;
    assert_eq!(after.iter().map(|event| &event["seq"]).collect::<Vec<_>>(), (1..=after.len()).collect::<Vec<_>>());
    for (old, new) in before.iter().zip(&after) {
        let mut expected = old.clone();
        if old["type"] == "server.metrics.reported" {
            let data = signalbox::log::canonical(&old["data"]).unwrap();
            expected["data"] = json!({ "data_hash": signalbox::log::hex(&sha256(data.as_bytes())), "expired": true });
        }
        assert_eq!(new, &expected);
    }
    assert_eq!(after.iter().filter(|event| event["data"]["expired"] == true).count(), 2);
    let now: String = world
        .value(&format!(
            "select string_agg(encode(leaf_hash, 'hex'), ',' order by seq) from events where seq <= {}",
            before.len()
        ))
        .await;
    assert_eq!(now, hashes[..], "every leaf hash is what it was");
    for event in read::after(&world.database, 0, 1_000).await.unwrap() {
        assert_eq!(signalbox::log::recompute(&event).unwrap().to_vec(), event.leaf_hash, "{}", event.seq);
    }

    // Streams say the same: from the memory that forgot, from the log, and in a process that did not sweep.
    other.app.hub.expire(&swept);
    for reader in [client, other.admin().await] {
        let replayed = reader.replay("?types=server.metrics.*").await;
        let told: Vec<&Value> = replayed
            .iter()
            .filter(|frame| frame.event == "server.metrics.reported")
            .map(|frame| &frame.data["data"])
            .collect();
        assert!(told.len() == 2 && told.iter().all(|data| data["expired"] == true), "{told:?}");
        // What stays of them.
        let shown = reader.get("/api/v1/servers/db-1/utilization").await.json;
        assert!(shown["points"].as_array().unwrap().iter().any(|point| point["cpu_max"] == 99.0), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_lets_nothing_else_happen_to_an_event() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    with_server(&client).await;
    report(&client, 12.5).await;
    let marker = "('{\"data_hash\":\"' || encode(sha256(convert_to(data::text, 'UTF8')), 'hex') || '\",\"expired\":true}')::json";
    let (owner, connection) = world.owner.connect("test").await.unwrap();
    tokio::spawn(connection);
    let refused = async |sql: &str| {
        let error = owner.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code().unwrap().code(), "42501", "{sql}: {error:?}");
    };
    let reports = "where type = 'server.metrics.reported'";
    refused(&format!("update events set data = {marker} {reports}")).await; // too early
    age(&world, 1).await;
    execute(&world.owner, "select pg_sleep(1.1)").await; // by the database's clock, which decides
    refused(&format!("update events set data = '{{}}' {reports}")).await;
    refused(&format!("update events set data = {marker}, actor = 'user:other' {reports}")).await;
    refused(&format!("update events set data = {marker}, leaf_hash = '\\x00' {reports}")).await;
    refused(&format!("update events set data = {marker} where type = 'server.created'")).await; // not of that kind
    refused(&format!(
        "update events set type = 'server.metrics.reported', data = {marker} where type = 'server.created'"
    ))
    .await;
    owner.batch_execute(&format!("update events set data = {marker} {reports}")).await.unwrap(); // and this is all
    refused(&format!("update events set data = {marker} {reports}")).await; // once
    // Who serves may ask for the sweep, and for nothing else.
    let (app, connection) = world.direct.connect("test").await.unwrap();
    tokio::spawn(connection);
    for sql in [
        "update events set data = data",
        "update short_lived set ttl_s = 1",
        "insert into short_lived values ('server.created', 1, 0)",
    ] {
        assert_eq!(app.batch_execute(sql).await.expect_err(sql).code().unwrap().code(), "42501", "{sql}");
    }
}

#[tokio::test]
async fn code_and_database_name_the_same_short_lived_types() {
    let world = world().await;
    let stored: String =
        world.value("select coalesce(string_agg(type || ' ' || ttl_s, ',' order by type), '') from short_lived").await;
    let registry = registry();
    let named: Vec<String> =
        registry.all().filter_map(|kind| kind.ttl_s.map(|ttl_s| format!("{} {ttl_s}", kind.name))).collect();
    assert_eq!(named.join(","), stored);
}
