//! Runbooks that open incidents, and the story that their events tell.

use serde_json::{Value, json};
use signalbox::domain::user::Role;
use signalbox::projections::rebuild::compare;

use super::{start, until, write, write_whole};
use crate::harness::{Client, PASSWORD, world};

/// Opens "db-1 is down", unless it is open, and says which incident that is.
fn opens() -> Value {
    json!({
        "name": "Open an incident",
        "inputs": [{ "name": "server", "required": true }],
        "steps": [
            { "name": "Open it", "incident": {
                "open": { "title": "{{inputs.server}} is down", "severity": "P1", "dedup_key": "down/{{inputs.server}}",
                          "description": "a rule says so", "affected_servers": ["{{inputs.server}}"] },
                "comment": "seen from {{inputs.server}}" } },
            { "name": "Say so", "notification": { "subject": "{{steps.Open it.incident}}", "text": "is open" } },
            { "name": "Take it", "incident": { "incident": "{{steps.Open it.incident}}", "assignee": "olga" } }
        ],
        "max_concurrent": 10
    })
}

async fn events(client: &Client, query: &str) -> Vec<Value> {
    client.caught_up().await;
    let page = client.get(&format!("/api/v1/events?limit=1000{query}")).await;
    page.json["items"].as_array().unwrap_or_else(|| panic!("{}", page.text)).clone()
}

#[tokio::test]
async fn a_step_opens_an_incident_and_the_steps_behind_it_name_it() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let runbook = write_whole(&admin, opens()).await;
    let first = until(&admin, &start(&admin, &runbook, json!({ "server": "db-1" })).await, "succeeded").await;
    let key = first["steps"][0]["incident"].as_str().unwrap_or_else(|| panic!("{first}"));
    assert_eq!((&first["steps"][0]["reason"], &first["steps"][2]["incident"]), (&json!("opened"), &json!(key)));
    assert_eq!(events(&admin, "&types=automation.notified").await[0]["data"]["subject"], key);
    let opened = admin.get(&format!("/api/v1/incidents/{key}")).await.json;
    assert_eq!((&opened["title"], &opened["severity"]), (&json!("db-1 is down"), &json!("P1")));
    assert_eq!((&opened["affected_servers"], &opened["comments"]), (&json!(["db-1"]), &json!(1)));
    assert_eq!((&opened["assignee"], &opened["dedup_key"]), (&json!("olga"), &json!("down/db-1")));

    // While it is open it is the same trouble; afterwards it is another.
    let again = until(&admin, &start(&admin, &runbook, json!({ "server": "db-1" })).await, "succeeded").await;
    assert_eq!(again["steps"][0]["incident"], key);
    assert_eq!(again["steps"][0]["reason"], format!("{key} is open with this dedup_key"));
    assert_eq!(admin.get(&format!("/api/v1/incidents/{key}")).await.json["comments"], 2);
    admin.post(&format!("/api/v1/incidents/{key}/status"), json!({ "to": "resolved" })).await;
    let other = until(&admin, &start(&admin, &runbook, json!({ "server": "db-1" })).await, "succeeded").await;
    assert_ne!(other["steps"][0]["incident"], key);
    let (_, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_executions_that_report_the_same_trouble_at_once_one_opens_the_incident() {
    let world = world().await;
    let (one, two) = (world.serve().await, world.serve().await);
    let admin = one.admin().await;
    let runbook = write_whole(&admin, opens()).await;
    let mut paths = Vec::new();
    for _ in 0..8 {
        paths.push(start(&admin, &runbook, json!({ "server": "db-1" })).await);
    }
    for path in &paths {
        until(&admin, path, "succeeded").await;
    }
    drop(two);
    let incidents = admin.get("/api/v1/incidents").await.json["items"].as_array().unwrap().clone();
    assert_eq!((incidents.len(), &incidents[0]["comments"]), (1, &json!(8)), "each says what it saw");
}

#[tokio::test]
async fn what_a_step_may_not_open_or_name_is_told_before_it_runs_or_when_its_values_are_known() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let open = |more: Value| {
        let mut open = json!({ "title": "{{inputs.title}}" });
        open.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "open": open })
    };
    let tell = |text: &str| json!({ "name": "Tell", "notification": { "subject": "x", "text": text } });
    for (incident, second, pointer) in [
        (json!({ "comment": "which?" }), tell("x"), "/steps/0/incident"),
        (json!({ "incident": "INC-1", "open": { "title": "x" } }), tell("x"), "/steps/0/incident"),
        (json!({ "incident": "INC-1" }), tell("x"), "/steps/0/incident"),
        (open(json!({ "severity": "P9" })), tell("x"), "/steps/0/incident/open/severity"),
        (open(json!({ "title": "{{inputs.other}}" })), tell("x"), "/steps/0"),
        (open(json!({ "title": "{{steps.Tell.incident}}" })), tell("x"), "/steps/0"),
        (open(json!({})), tell("{{steps.Tell.incident}}"), "/steps/1"),
        (open(json!({})), tell("{{steps.Open.number}}"), "/steps/1"),
    ] {
        let steps = json!([{ "name": "Open", "incident": incident }, second]);
        let inputs = json!([{ "name": "title" }, { "name": "severity" }]);
        let body = json!({ "name": "Wrong", "inputs": inputs, "steps": steps });
        let refused = admin.post("/api/v1/runbooks", body).await;
        refused.is_problem(422, "invalid");
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{}", refused.text);
    }
    let inputs = json!([{ "name": "title" }, { "name": "severity" }]);
    let steps = json!([{ "name": "Open", "incident": open(json!({ "severity": "{{inputs.severity}}" })) }]);
    let runbook = write_whole(&admin, json!({ "name": "Open", "inputs": inputs, "steps": steps })).await;
    for (title, severity, reason) in [
        ("x".repeat(201), "P1", "/title has 201 characters, at most 200 can be"),
        ("x".to_owned(), "bad", "there is no severity bad"),
    ] {
        let path = start(&admin, &runbook, json!({ "title": title, "severity": severity })).await;
        let failed = until(&admin, &path, "failed").await;
        assert_eq!(failed["steps"][0]["reason"], reason);
    }
    assert_eq!(admin.get("/api/v1/incidents").await.json["items"], json!([]));
}

#[tokio::test]
async fn whoever_acts_on_an_incident_or_an_execution_goes_on_with_its_story_unless_they_name_another() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    world.user("olga", Role::Operator).await;
    admin.caught_up().await;
    let olga = server.anonymous().sign_in("olga", PASSWORD).await;
    let incident = admin.report("Disk full").await;
    let path = format!("/api/v1/incidents/{}", incident["key"].as_str().unwrap());
    let other = "0198aaaa-0000-7000-8000-00000000002a";
    olga.post(&format!("{path}/status"), json!({ "to": "acknowledged" })).await;
    olga.post_with(&format!("{path}/comments"), json!({ "text": "mine" }), &[("signalbox-correlation", other)]).await;
    admin.post(&format!("{path}/assign"), json!({ "assignee": "olga" })).await;
    let timeline = admin.get(&format!("{path}/timeline")).await.json["items"].as_array().unwrap().clone();
    let stories: Vec<&Value> = timeline.iter().map(|event| &event["correlation_id"]).collect();
    assert_eq!(stories, [stories[0], stories[0], &json!(other), stories[0]]);
    assert!(timeline.iter().all(|event| event["causation_id"].is_null()), "people begin what they do themselves");

    let runbook = write(&admin, "Careful", json!([{ "name": "Ask", "approval": { "prompt": "Really?" } }])).await;
    let path = start(&admin, &runbook, json!({})).await;
    let execution = until(&admin, &path, "waiting_approval").await;
    olga.post(&format!("{path}/approve"), json!({})).await;
    until(&admin, &path, "succeeded").await;
    let stream = path.replace("/api/v1/executions/", "execution/");
    for event in events(&admin, &format!("&stream={stream}")).await {
        assert_eq!(event["correlation_id"], execution["correlation_id"], "{event}");
    }
}

#[tokio::test]
async fn what_a_person_does_late_in_a_long_story_still_starts_what_it_calls_for() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let tell = json!([{ "name": "Tell", "notification": { "subject": "It happened", "text": "again" } }]);
    for (name, kind) in [("First", "incident.commented"), ("Second", "automation.notified")] {
        let condition = if name == "First" { "" } else { "data.runbook == \"First\"" };
        let rule = json!({ "types": [kind], "condition": condition });
        let definition = json!({ "name": name, "steps": tell, "on_event": rule, "max_concurrent": 100 });
        write_whole(&admin, definition).await;
    }
    let incident = admin.report("A long night").await;
    let comments = format!("/api/v1/incidents/{}/comments", incident["key"].as_str().unwrap());
    const COMMENTS: i64 = signalbox::automations::FOLLOWING_MOST + 6;
    let mut stream = admin.stream("?types=automation.completed", None).await;
    stream.until("ready").await;
    for _ in 0..COMMENTS {
        assert_eq!(admin.post(&comments, json!({ "text": "still at it" })).await.status, 200);
    }
    for _ in 0..2 * COMMENTS {
        stream.until("automation.completed").await;
    }
    assert_eq!(world.value::<i64>("select count(*) from executions where depth = 1").await, COMMENTS);
}
