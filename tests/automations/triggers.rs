//! What starts executions beside a request: time, and events.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox::automations::{CHAIN_MOST, FOLLOWING_MOST};
use tokio::time::{Instant, sleep};

use super::{until, write_whole};
use crate::harness::{Client, PATIENCE, World, execute, world};

/// The executions of a runbook, once there are so many; asks again, and what is waited for is their number.
async fn executions(client: &Client, runbook: &str, count: usize) -> Vec<Value> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let page = client.get(&format!("/api/v1/executions?runbook={runbook}&limit=200")).await;
        let items = page.json["items"].as_array().unwrap_or_else(|| panic!("{}", page.text)).clone();
        if items.len() >= count {
            return items;
        }
        assert!(Instant::now() < patience, "{} of {count}", items.len());
        sleep(Duration::from_millis(20)).await;
    }
}

const TELL: &str = "Tell";

fn tell() -> Value {
    json!([{ "name": TELL, "notification": { "subject": "It happened", "text": "again" } }])
}

#[tokio::test]
async fn each_time_of_a_schedule_starts_one_execution_however_many_processes_look_at_the_clock() {
    let world = world().await;
    let (first, _second, _third) = (world.serve().await, world.serve().await, world.serve().await);
    let admin = first.admin().await;
    let schedule = json!({ "cron": "* * * * * *", "time_zone": "Europe/Berlin" });
    let runbook = write_whole(&admin, json!({ "name": "Tick", "steps": tell(), "schedule": schedule })).await;
    executions(&admin, &runbook, 4).await;
    let archived = admin.post(&format!("/api/v1/runbooks/{runbook}/archive"), json!({})).await;
    assert_eq!(archived.status, 200, "{}", archived.text);
    let doubled: i64 = world
        .value("select count(*) - count(distinct scheduled_for) from executions where scheduled_for is not null")
        .await;
    assert_eq!(doubled, 0);
    let one = executions(&admin, &runbook, 4).await.pop().unwrap();
    assert_eq!(one["trigger"]["kind"], "schedule");
    assert!(one["reason"].as_str().unwrap().starts_with("the schedule * * * * * * Europe/Berlin was due at "), "{one}");
}

#[tokio::test]
async fn a_schedule_that_nobody_was_there_for_is_made_up_for_once() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let schedule = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    let runbook = write_whole(&admin, json!({ "name": "Hourly", "steps": tell(), "schedule": schedule })).await;
    server.stop().await.unwrap();
    // As if it had been written ten hours ago, and no process had run since.
    execute(&world.owner, "update runbooks set scheduled_from = scheduled_from - interval '10 hours'").await;
    let (first, _second) = (world.serve().await, world.serve().await);
    let admin = first.admin().await;
    let one = executions(&admin, &runbook, 1).await.pop().unwrap();
    let path = format!("/api/v1/executions/{}", one["id"].as_str().unwrap());
    until(&admin, &path, "succeeded").await;
    assert!(one["reason"].as_str().unwrap().ends_with("; 9 before it were missed"), "{one}");
    assert_eq!(executions(&admin, &runbook, 1).await.len(), 1);
}

#[tokio::test]
async fn an_event_that_fits_a_rule_starts_one_execution_with_inputs_from_the_event() {
    let world = world().await;
    let (first, _second) = (world.serve().await, world.serve().await);
    let admin = first.admin().await;
    let definition = json!({
        "name": "Look at it",
        "inputs": [{ "name": "number", "kind": "integer", "required": true }],
        "steps": [{ "name": "Note", "incident": { "incident": "INC-{{inputs.number}}", "comment": "A machine looks" } }],
        "on_event": {
            "types": ["incident.created"], "condition": "data.severity in [\"P0\", \"P1\"]",
            "inputs_from": { "number": "/data/number" }
        }
    });
    let runbook = write_whole(&admin, definition).await;
    admin.report("not so bad").await;
    let bad = admin.post("/api/v1/incidents", json!({ "title": "bad", "severity": "P0" })).await;
    let one = executions(&admin, &runbook, 1).await.pop().unwrap();
    let path = format!("/api/v1/executions/{}", one["id"].as_str().unwrap());
    let done = until(&admin, &path, "succeeded").await;
    assert_eq!(done["inputs"]["number"], bad.json["number"]);
    assert_eq!(done["trigger"]["type"], "incident.created");
    let timeline = admin.get(&format!("/api/v1/incidents/{}/timeline", bad.json["id"].as_str().unwrap())).await.json;
    let ids: Vec<&Value> = timeline["items"].as_array().unwrap().iter().map(|event| &event["correlation_id"]).collect();
    assert_eq!((ids.len(), ids[0]), (2, ids[1]), "the comment belongs to the report that led to it");
    assert_eq!(executions(&admin, &runbook, 1).await.len(), 1, "the other report fits no rule");
}

/// Waits until all that one command led to has been done, and every event of it has been looked at.
async fn settled(world: &World, first: &Value) {
    let correlation = first["correlation_id"].as_str().unwrap();
    let settled = format!(
        "select (select count(*) from executions where status <> 'succeeded') = 0
            and (select seq from consumers where name = 'automations')
                >= (select max(seq) from events where correlation_id = '{correlation}')"
    );
    let patience = Instant::now() + PATIENCE;
    while !world.value::<Option<bool>>(&settled).await.unwrap_or_default() {
        assert!(Instant::now() < patience, "it goes on and on");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn rules_that_start_each_other_come_to_an_end() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let mut runbooks = Vec::new();
    for (name, other) in [("Ping", "Pong"), ("Pong", "Ping")] {
        let condition = format!("data.runbook == \"{other}\"");
        let rule = json!({ "types": ["automation.notified"], "condition": condition });
        runbooks.push(write_whole(&admin, json!({ "name": name, "steps": tell(), "on_event": rule })).await);
    }
    let first = admin.post(&format!("/api/v1/runbooks/{}/run", runbooks[0]), json!({})).await.json;
    settled(&world, &first).await;
    let depths: Vec<i32> = world.value("select array_agg(depth order by depth) from executions").await;
    assert_eq!(depths, (0..CHAIN_MOST).collect::<Vec<_>>());
}

#[tokio::test]
async fn rules_that_start_several_each_come_to_an_end() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let mut runbooks = Vec::new();
    for name in ["One", "Two", "Three"] {
        let rule = json!({ "types": ["automation.notified"] });
        let definition = json!({ "name": name, "steps": tell(), "on_event": rule, "max_concurrent": 100 });
        runbooks.push(write_whole(&admin, definition).await);
    }
    let first = admin.post(&format!("/api/v1/runbooks/{}/run", runbooks[0]), json!({})).await.json;
    settled(&world, &first).await;
    assert_eq!(world.value::<i64>("select count(*) from executions").await, FOLLOWING_MOST + 1);
}
