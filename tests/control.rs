//! Switching streams off and on, for all processes at once, and offering them to a share of users.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox::domain::user::Role;

use crate::harness::{Client, PASSWORD, PATIENCE, World, world};

const SYSTEM: &str = "/api/v1/system";
const DISABLE: &str = "/api/v1/system/streams/disable";
const ENABLE: &str = "/api/v1/system/streams/enable";
const SHARE: &str = "/api/v1/system/streams/share";
const STREAM: &str = "/api/v1/events/stream";

fn because(reason: &str) -> Value {
    json!({ "reason": reason })
}

/// Asks again until a process shows what it should, and says how long that took.
async fn shows(client: &Client, path: &str, pointer: &str, value: Value) -> Duration {
    let started = Instant::now();
    loop {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        if answer.json.pointer(pointer) == Some(&value) {
            return started.elapsed();
        }
        assert!(started.elapsed() < PATIENCE, "{pointer} is not {value}: {}", answer.text);
    }
}

/// Types and data of the switch's events, in order.
async fn switched(world: &World) -> Vec<(String, String)> {
    let sql = "select array_agg(type || ' ' || data order by seq) from events where stream = 'system/streams'";
    let lines: Option<Vec<String>> = world.value(sql).await;
    let split = |line: String| line.split_once(' ').map(|(kind, data)| (kind.to_owned(), data.to_owned())).unwrap();
    lines.unwrap_or_default().into_iter().map(split).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_thrown_at_one_process_reaches_the_other_within_a_second() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let (one, other) = (servers[0].admin().await, servers[1].admin().await);
    for (path, disabled) in [(DISABLE, true), (ENABLE, false)] {
        let thrown = one.post(path, because("a drill")).await;
        assert_eq!(thrown.status, 200, "{}", thrown.text);
        assert_eq!(thrown.json["disabled"], disabled);
        for client in [&other, &one] {
            let took = shows(client, SYSTEM, "/disabled", json!(disabled)).await;
            assert!(took < Duration::from_secs(1), "{took:?}");
            assert_eq!(client.get(SYSTEM).await.json["control"], thrown.json);
        }
        let transport = if disabled { "polling" } else { "sse" };
        assert_eq!(other.get("/api/v1/me/transport").await.json["transport"], transport);
    }
    let reason = r#"{"reason":"a drill"}"#.to_owned();
    let told = ["system.streams.disabled", "system.streams.enabled"].map(|kind| (kind.to_owned(), reason.clone()));
    assert_eq!(switched(&world).await, told);
}

#[tokio::test]
async fn while_streams_are_off_a_new_one_is_told_to_poll_and_polling_goes_on() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let off = admin.post(DISABLE, because("maintenance")).await;
    let seq = off.header("signalbox-seq").to_owned();
    shows(&admin, SYSTEM, "/disabled", json!(true)).await;
    let refused = admin.get(STREAM).await;
    refused.is_problem(503, "streams_disabled");
    assert_eq!(refused.json["allowed"], json!(["polling"]));
    let again: u64 = refused.header("retry-after").parse().unwrap();
    assert!((10..25).contains(&again), "streams are restored within 30 s: {again}");
    let told = admin.get("/api/v1/me/transport").await.json;
    assert_eq!((&told["transport"], &told["reason"]), (&json!("polling"), &json!("disabled")));
    admin.report("heard by polling").await;
    let polled = admin.get(&format!("/api/v1/events?after={seq}&wait=5")).await;
    assert_eq!(polled.json["items"][0]["data"]["title"], "heard by polling", "{}", polled.text);
}

#[tokio::test]
async fn a_process_that_starts_later_knows_the_switch_from_the_log() {
    let world = world().await;
    let first = world.serve().await;
    let admin = first.admin().await;
    admin.post(DISABLE, because("maintenance")).await;
    admin.put(SHARE, json!({ "percent": 40 })).await;
    let server = world.serve().await;
    let shown = server.admin().await.get(SYSTEM).await.json;
    assert_eq!((&shown["disabled"], &shown["disabled_at_start"]), (&json!(true), &json!(false)));
    let control = json!({ "disabled": true, "reason": "maintenance", "share": 40, "version": 2 });
    assert_eq!(shown["control"], control);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_started_with_streams_off_waits_for_an_administrator_and_the_others_do_not() {
    let world = world().await;
    let before = world.serve().await;
    // What the log said before the start lifts nothing.
    before.admin().await.post(ENABLE, because("long ago")).await;
    let held = world.serve_with(&["--disable-sse"]).await;
    let (before, held) = (before.admin().await, held.admin().await);
    let shown = held.get(SYSTEM).await.json;
    assert_eq!((&shown["disabled"], &shown["disabled_at_start"]), (&json!(true), &json!(true)));
    assert_eq!(shown["control"]["disabled"], false);
    held.get(STREAM).await.is_problem(503, "streams_disabled");
    assert_eq!(before.get(SYSTEM).await.json["disabled"], false);

    before.post(ENABLE, because("checked")).await;
    let took = shows(&held, SYSTEM, "/disabled", json!(false)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(held.stream("", None).await.status, 200);
}

#[tokio::test]
async fn a_switch_is_a_command_like_any_other() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let key = [("idempotency-key", "drill-1")];
    let first = admin.post_with(DISABLE, because("a drill"), &key).await;
    assert_eq!((first.status.as_u16(), first.header("etag")), (200, "\"1\""));
    let again = admin.post_with(DISABLE, because("a drill"), &key).await;
    assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &first.text));
    admin.post_with(ENABLE, because("a drill"), &key).await.is_problem(422, "idempotency_key_reused");

    let stale = admin.post_with(ENABLE, because("done"), &[("if-match", "\"0\"")]).await;
    stale.is_problem(412, "version_mismatch");
    assert_eq!(stale.json["current_version"], 1);
    let current = admin.post_with(ENABLE, because("done"), &[("if-match", "\"1\"")]).await;
    assert_eq!((current.status.as_u16(), current.header("etag")), (200, "\"2\""));

    let unchanged = admin.put(SHARE, json!({ "percent": 100 })).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.header("signalbox-seq")), (200, ""));
    assert_eq!(switched(&world).await.len(), 2);
    for (path, body, pointer) in [(DISABLE, because(""), "/reason"), (ENABLE, because("\u{7}"), "/reason")] {
        let refused = admin.post(path, body).await;
        refused.is_problem(422, "invalid");
        assert_eq!(refused.json["errors"][0]["pointer"], pointer);
    }
    admin.put(SHARE, json!({ "percent": 101 })).await.is_problem(422, "invalid");
}

#[tokio::test]
async fn the_system_is_shown_to_who_may_see_it_and_switched_by_who_may_switch_it() {
    let world = world().await;
    let server = world.serve().await;
    for role in [Role::Operator, Role::Viewer, Role::Auditor] {
        let user = world.user(role.as_str(), role.clone()).await;
        let client = server.anonymous().sign_in(&user.username, PASSWORD).await;
        let may_see = user.roles.iter().any(|role| role.built_in().unwrap().contains(&"system.read"));
        for path in [SYSTEM, "/api/v1/system/streams"] {
            assert_eq!(client.get(path).await.status.as_u16(), if may_see { 200 } else { 403 }, "{role:?} {path}");
        }
        client.post(DISABLE, because("mischief")).await.is_problem(403, "forbidden");
        client.put(SHARE, json!({ "percent": 0 })).await.is_problem(403, "forbidden");
    }
    server.anonymous().get(SYSTEM).await.is_problem(401, "unauthorized");
    let seen = ["viewer", "auditor"].map(|role| (role, role == "auditor"));
    for (name, sees) in seen {
        let client = server.anonymous().sign_in(name, PASSWORD).await;
        assert_eq!(client.get(SYSTEM).await.status == 200, sees, "{name}");
    }
    assert_eq!(switched(&world).await, []);
}

#[tokio::test]
async fn whom_a_share_leaves_out_is_told_beforehand_and_at_the_door_and_the_same_by_every_process() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let admin = servers[0].admin().await;
    for n in 0..20 {
        world.user(&format!("user-{n}"), Role::Viewer).await;
    }
    admin.put(SHARE, json!({ "percent": 50 })).await;
    for server in &servers {
        shows(&server.admin().await, SYSTEM, "/control/share", json!(50)).await;
    }
    let mut streaming = 0;
    for n in 0..20 {
        let client = servers[0].anonymous().sign_in(&format!("user-{n}"), PASSWORD).await;
        let elsewhere = Client::new(&servers[1].url).with_token(&client.token);
        let told = client.get("/api/v1/me/transport").await.json;
        assert_eq!(elsewhere.get("/api/v1/me/transport").await.json["transport"], told["transport"]);
        if told["transport"] == "sse" {
            streaming += 1;
            assert_eq!(elsewhere.stream("", None).await.status, 200);
            continue;
        }
        assert_eq!(told["reason"], "not_offered");
        let refused = elsewhere.get(STREAM).await;
        refused.is_problem(409, "streams_not_offered");
        assert_eq!(refused.json["allowed"], json!(["polling"]));
        let again: u64 = refused.header("retry-after").parse().unwrap();
        assert!((60..120).contains(&again), "{again}");
        assert_eq!(client.get("/api/v1/events").await.status, 200);
    }
    assert!((1..20).contains(&streaming), "{streaming} of 20 at 50 %");
}

#[tokio::test]
async fn open_streams_are_listed_page_by_page_with_whose_they_are_and_how_far_they_got() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let me = admin.get("/api/v1/me").await.json;
    let head: i64 = admin.get("/api/v1/events?limit=1").await.header("signalbox-seq").parse().unwrap();
    let mut open = Vec::new();
    for query in ["?types=incident.created", "?stream=incident/1", ""] {
        let mut stream = admin.stream(query, Some(0)).await;
        stream.until("ready").await;
        open.push(stream);
    }
    let page = admin.get("/api/v1/system/streams?limit=2").await.json;
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{page}");
    assert_eq!((&items[0]["user"], &items[0]["username"]), (&me["id"], &json!("admin")));
    assert_eq!(items[0]["session"], me["session_id"]);
    assert_eq!((&items[0]["types"], &items[1]["stream"]), (&json!(["incident.created"]), &json!("incident/1")));
    for item in items {
        assert!(item["cursor"].as_i64().unwrap() >= head, "{item}");
    }
    let rest = admin.get(&format!("/api/v1/system/streams?limit=2&after={}", page["next"])).await.json;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    assert_eq!(admin.get(SYSTEM).await.json["streams"]["open"], 3);
    drop(open);
    shows(&admin, SYSTEM, "/streams/open", json!(0)).await;
    for limit in ["0", "1001", "-1", "x"] {
        admin.get(&format!("/api/v1/system/streams?limit={limit}")).await.is_problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn readiness_lists_its_checks_only_where_asked() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.anonymous();
    shows(&client, "/readyz", "/listening", json!(true)).await;
    assert_eq!(client.get("/readyz").await.json["checks"], Value::Null);
    let names = ["database", "process", "listening", "tail", "append_queue", "level"];
    for query in ["?verbose", "?verbose=true"] {
        let answer = client.get(&format!("/readyz{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let checks = answer.json["checks"].as_array().unwrap();
        assert_eq!(checks.iter().map(|check| check["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
        assert!(checks.iter().all(|check| check["state"] == "ok"), "{}", answer.text);
    }
    server.admin().await.post(DISABLE, because("a drill")).await;
    shows(&client, "/readyz?verbose", "/checks/5/state", json!("degraded")).await;
    assert_eq!(client.get("/readyz").await.status, 200, "requests are served all the same");
}

/// Old, new and reason of a process's changes of level, in order.
async fn levels(admin: &Client) -> Vec<(String, String, String)> {
    let polled = admin.get("/api/v1/events?types=system.level.changed").await;
    let text = |event: &Value, field: &str| event["data"][field].as_str().unwrap().to_owned();
    let change = |event: &Value| (text(event, "old"), text(event, "new"), text(event, "reason"));
    polled.json["items"].as_array().unwrap().iter().map(change).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_beyond_its_memory_leaves_streams_to_others_and_says_so_in_the_log() {
    let world = world().await;
    let server = world.serve_with(&["--memory-mib=1"]).await;
    let admin = server.admin().await;
    shows(&admin, SYSTEM, "/level", json!("polling_only")).await;
    let shown = admin.get(SYSTEM).await.json;
    let memory = shown["breakers"].as_array().unwrap().iter().find(|breaker| breaker["name"] == "memory").unwrap();
    assert_eq!((&memory["state"], &memory["level"]), (&json!("open"), &json!("polling_only")), "{memory}");
    assert!(memory["value"].as_f64().unwrap() > memory["limit"].as_f64().unwrap(), "{memory}");
    shows(&admin, "/api/v1/events?types=system.level.changed", "/items/0/data/process", shown["process"].clone()).await;
    let told = levels(&admin).await;
    assert_eq!((told.len(), &*told[0].0, &*told[0].1), (1, "normal", "polling_only"), "{told:?}");
    assert!(told[0].2.starts_with("memory: "), "{told:?}");
    let refused = admin.get(STREAM).await;
    refused.is_problem(503, "no_new_streams");
    assert_eq!(refused.json["allowed"], json!(["polling"]));
    assert_eq!(admin.get("/api/v1/me/transport").await.json["reason"], "degraded");
    let other = world.serve().await;
    assert_eq!(other.admin().await.stream("", None).await.status, 200, "another process has a level of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_deliveries_open_a_level_that_closes_by_itself_and_both_are_events() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let deliver = |millis| (0..100).for_each(|_| server.app.metrics.delivered(Duration::from_millis(millis)));
    deliver(150);
    let took = shows(&admin, SYSTEM, "/level", json!("batched")).await;
    assert!(took > Duration::from_secs(2), "a spike opens nothing: {took:?}");
    deliver(1);
    let took = shows(&admin, SYSTEM, "/level", json!("normal")).await;
    assert!(took > Duration::from_secs(8), "it is held: {took:?}");
    shows(&admin, "/api/v1/events?types=system.level.changed", "/items/1/data/new", json!("normal")).await;
    let told = levels(&admin).await;
    let steps: Vec<_> = told.iter().map(|(old, new, _)| (&**old, &**new)).collect();
    assert_eq!(steps, [("normal", "batched"), ("batched", "normal")]);
    assert_eq!(told[0].2, "latency: 150.0 ms, limit 100.0 ms");
}
