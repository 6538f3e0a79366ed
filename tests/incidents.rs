//! An incident's whole life over HTTP, alone and in a crowd.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::user::Role;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::harness::{Answer, Client, PASSWORD, World, world};

const INCIDENTS: &str = "/api/v1/incidents";

fn path(incident: &Value) -> String {
    format!("{INCIDENTS}/{}", incident["id"].as_str().unwrap())
}

/// The incident after a command that must be answered 200.
async fn command(client: &Client, incident: &Value, name: &str, body: Value) -> Answer {
    let answer = client.post(&format!("{}/{name}", path(incident)), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

async fn show(client: &Client, incident: &Value) -> Value {
    let answer = client.get(&path(incident)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

/// Types of an incident's events, in order.
async fn timeline(client: &Client, incident: &Value) -> Vec<(String, Value)> {
    let answer = client.get(&format!("{}/timeline?limit=1000", path(incident))).await;
    let items = answer.json["items"].as_array().unwrap().iter();
    items.map(|event| (event["type"].as_str().unwrap().to_owned(), event["data"].clone())).collect()
}

/// The answer to a command that changed nothing.
#[track_caller]
fn is_unchanged(answer: &Answer, before: &Value) {
    assert_eq!((answer.status.as_u16(), &answer.json), (200, before));
    assert_eq!(answer.header("signalbox-seq"), "", "nothing was recorded");
}

async fn head(world: &World) -> i64 {
    world.value("select seq from log_head").await
}

#[tokio::test]
async fn a_report_is_answered_with_the_incident_where_it_is_and_its_place_in_the_log() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let me = admin.get("/api/v1/me").await.json["id"].as_str().unwrap().to_owned();
    let created = admin.post(INCIDENTS, json!({ "title": "Disk full" })).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.header("signalbox-seq"), head(&world).await.to_string());
    assert_eq!(created.header("location"), path(&created.json));
    assert_eq!(created.header("cache-control"), "no-store");

    let incident = &created.json;
    let number = incident["number"].as_i64().unwrap();
    for (field, value) in [
        ("key", json!(format!("INC-{number}"))),
        ("title", json!("Disk full")),
        ("description", json!("")),
        ("status", json!("triggered")),
        ("severity", json!("P3")),
        ("priority", json!("normal")),
        ("affected_servers", json!([])),
        ("labels", json!({})),
        ("absorbed", json!([])),
        ("comments", json!(0)),
        ("reopened", json!(0)),
        ("created_by", json!(format!("user:{me}"))),
        ("updated_at", incident["created_at"].clone()),
        ("version", json!(1)),
    ] {
        assert_eq!(incident[field], value, "{field}");
    }
    for field in ["assignee", "dedup_key", "resolution", "merged_into", "acknowledged_at", "resolved_at", "closed_at"] {
        assert_eq!(incident[field], Value::Null, "{field}");
    }

    for path in [path(incident), format!("{INCIDENTS}/INC-{number}")] {
        let shown = admin.get(&path).await;
        assert_eq!((shown.status.as_u16(), &shown.json, shown.header("etag")), (200, incident, "\"1\""));
        assert_eq!(shown.header("signalbox-seq"), head(&world).await.to_string());
        for known in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
            let again = Answer::of(admin.request(Method::GET, &path).header("if-none-match", known)).await;
            assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
        }
        let stale = Answer::of(admin.request(Method::GET, &path).header("if-none-match", "\"0\"")).await;
        assert_eq!(stale.status, 200);
    }
}

#[tokio::test]
async fn every_fact_of_a_report_is_kept_and_can_be_corrected() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let facts = json!({
        "title": "Ünïcode 🚒 \"quoted\" \\ back",
        "description": "line one\n\tline two",
        "severity": "P0",
        "priority": "urgent",
        "assignee": "olga",
        "affected_servers": ["web-2", "web-1", "web-2"],
        "labels": { "team/name": "db", "marked": "" },
        "dedup_key": "disk:web-1"
    });
    let created = admin.post(INCIDENTS, facts.clone()).await.json;
    for (field, value) in facts.as_object().unwrap() {
        let kept = if field == "affected_servers" { json!(["web-2", "web-1"]) } else { value.clone() };
        assert_eq!(created[field], kept);
    }

    let changes = json!({
        "title": "corrected", "description": "", "severity": "P4", "priority": "low", "affected_servers": [],
        "labels": { "team/name": "web" }, "dedup_key": null
    });
    let patched = admin.patch(&path(&created), changes.clone()).await;
    assert_eq!((patched.status.as_u16(), patched.header("etag")), (200, "\"2\""), "{}", patched.text);
    for (field, value) in changes.as_object().unwrap() {
        assert_eq!(&patched.json[field], value);
    }
    assert_eq!(show(&admin, &created).await, patched.json);
    let events = timeline(&admin, &created).await;
    assert_eq!(events[1].0, "incident.updated");
    let severity = &events[1].1["changes"]["severity"];
    assert_eq!(severity, &json!({ "old": "P0", "new": "P4" }));

    let assigned = command(&admin, &created, "assign", json!({ "assignee": "ben" })).await;
    assert_eq!((&assigned.json["assignee"], &assigned.json["version"]), (&json!("ben"), &json!(3)));
    let nobody = command(&admin, &created, "assign", json!({})).await;
    assert_eq!((&nobody.json["assignee"], &nobody.json["version"]), (&Value::Null, &json!(4)));
    let commented = command(&admin, &created, "comments", json!({ "text": "looking\ninto it" })).await;
    assert_eq!((&commented.json["comments"], &commented.json["version"]), (&json!(1), &json!(5)));
    let events = timeline(&admin, &created).await;
    assert_eq!(events[2].1, json!({ "old": "olga", "new": "ben" }));
    assert_eq!(events[4].1["text"], "looking\ninto it");
}

/// The status machine as `domain/incident/action.rs` draws it, written down a second time.
const MOVES: [(&str, &[&str]); 7] = [
    ("triggered", &["acknowledged", "investigating", "mitigated", "resolved", "cancelled"]),
    ("acknowledged", &["triggered", "investigating", "mitigated", "resolved", "cancelled"]),
    ("investigating", &["acknowledged", "mitigated", "resolved", "cancelled"]),
    ("mitigated", &["investigating", "resolved", "cancelled"]),
    ("resolved", &["closed"]),
    ("closed", &[]),
    ("cancelled", &[]),
];

#[tokio::test]
async fn every_step_of_the_status_machine_is_taken_and_every_other_is_refused_with_those_there_are() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for (from, moves) in MOVES {
        for (to, _) in MOVES {
            let incident = admin.report(&format!("{from} to {to}")).await;
            let way: &[&str] = match from {
                "triggered" => &[],
                "closed" => &["resolved", "closed"],
                _ => &[from],
            };
            for step in way {
                command(&admin, &incident, "status", json!({ "to": step })).await;
            }
            let before = show(&admin, &incident).await;
            let body = json!({ "to": to, "reason": "because" });
            let answer = admin.post(&format!("{}/status", path(&incident)), body).await;
            if from == to {
                is_unchanged(&answer, &before);
            } else if moves.contains(&to) {
                assert_eq!((answer.status.as_u16(), &answer.json["status"]), (200, &json!(to)), "from {from}");
                let (kind, data) = timeline(&admin, &incident).await.pop().unwrap();
                assert_eq!(kind, "incident.status.changed");
                assert_eq!(
                    (&data["old"], &data["new"], &data["reason"]),
                    (&json!(from), &json!(to), &json!("because"))
                );
            } else {
                answer.is_problem(409, "illegal_transition");
                let other = ["update", "assign", "comment", "merge"];
                let actions = before["allowed_actions"].as_array().unwrap().iter();
                let moves: Vec<&Value> = actions.filter(|action| !other.contains(&action.as_str().unwrap())).collect();
                assert_eq!(json!(moves), answer.json["allowed"], "from {from} to {to}");
                assert_eq!(show(&admin, &incident).await, before);
            }
        }
    }
}

#[tokio::test]
async fn an_ended_incident_is_opened_again_where_its_past_says() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for (way, reopened) in [
        (&["resolved"][..], "triggered"),
        (&["acknowledged", "resolved"], "investigating"),
        (&["acknowledged", "resolved", "closed"], "investigating"),
        (&["cancelled"], "triggered"),
    ] {
        let incident = admin.report("again").await;
        for step in way {
            let body = match *step {
                "resolved" => json!({ "to": step, "resolution": "restarted" }),
                _ => json!({ "to": step }),
            };
            command(&admin, &incident, "status", body).await;
        }
        let ended = show(&admin, &incident).await;
        if way.contains(&"resolved") {
            assert_eq!(ended["resolution"], "restarted");
        }
        let again = command(&admin, &incident, "reopen", json!({ "reason": "it is back" })).await;
        assert_eq!((&again.json["status"], &again.json["reopened"]), (&json!(reopened), &json!(1)), "{way:?}");
        for field in ["resolution", "resolved_at", "closed_at"] {
            assert_eq!(again.json[field], Value::Null, "{field}");
        }
        let open = command(&admin, &incident, "reopen", json!({})).await;
        is_unchanged(&open, &again.json);
    }
    let incident = admin.report("a drill").await;
    let cancelled = command(&admin, &incident, "cancel", json!({ "reason": "it was a drill" })).await;
    assert_eq!(
        (&cancelled.json["status"], &cancelled.json["allowed_actions"][0]),
        (&json!("cancelled"), &json!("reopen"))
    );
    assert_eq!(timeline(&admin, &incident).await[1].1["reason"], "it was a drill");
    let resolved = admin.report("resolved").await;
    command(&admin, &resolved, "status", json!({ "to": "resolved" })).await;
    admin.post(&format!("{}/cancel", path(&resolved)), json!({})).await.is_problem(409, "illegal_transition");
}

#[tokio::test]
async fn a_merge_and_its_opposite_change_both_incidents_in_one_transaction() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let (target, source) = (admin.report("goes on").await, admin.report("duplicate").await);
    let (target_id, source_id) = (&target["id"], &source["id"]);
    command(&admin, &source, "status", json!({ "to": "acknowledged" })).await;

    let before = head(&world).await;
    let merged = command(&admin, &source, "merge", json!({ "into": target["key"] })).await;
    assert_eq!((&merged.json["status"], &merged.json["merged_into"]), (&json!("closed"), target_id));
    assert_eq!(merged.json["allowed_actions"], json!(["comment", "unmerge"]));
    assert_eq!(show(&admin, &source).await, merged.json);
    assert_eq!(show(&admin, &target).await["absorbed"], json!([source_id]));
    assert_eq!(merged.header("signalbox-seq"), (before + 3).to_string());
    in_one_transaction(
        &admin,
        before,
        &[(source_id, "incident.merged"), (source_id, "incident.status.changed"), (target_id, "incident.absorbed")],
    )
    .await;

    // Merged already: nothing to do. Anything else of it is refused, but a comment is not.
    is_unchanged(&command(&admin, &source, "merge", json!({ "into": target_id })).await, &merged.json);
    for (name, body) in
        [("assign", json!({ "assignee": "olga" })), ("status", json!({ "to": "resolved" })), ("reopen", json!({}))]
    {
        let refused = admin.post(&format!("{}/{name}", path(&source)), body).await;
        refused.is_problem(409, "merged");
        assert_eq!(refused.json["allowed"], json!(["comment", "unmerge"]));
    }
    command(&admin, &source, "comments", json!({ "text": "same thing" })).await;

    let before = head(&world).await;
    let apart = Answer::of(admin.request(Method::POST, &format!("{}/unmerge", path(&source)))).await;
    assert_eq!((apart.status.as_u16(), &apart.json["status"]), (200, &json!("acknowledged")), "{}", apart.text);
    assert_eq!(apart.json["merged_into"], Value::Null);
    assert_eq!(show(&admin, &target).await["absorbed"], json!([]));
    in_one_transaction(
        &admin,
        before,
        &[(source_id, "incident.status.changed"), (source_id, "incident.unmerged"), (target_id, "incident.released")],
    )
    .await;
    let again = Answer::of(admin.request(Method::POST, &format!("{}/unmerge", path(&source)))).await;
    is_unchanged(&again, &apart.json);
}

/// Asserts that exactly these events follow `before`, one upon the other, recorded at one time.
async fn in_one_transaction(client: &Client, before: i64, expected: &[(&Value, &str)]) {
    let page = client.get(&format!("/api/v1/events?after={before}")).await.json;
    let events = page["items"].as_array().unwrap();
    let found: Vec<(Value, &str)> = events
        .iter()
        .map(|event| {
            (json!(event["stream"].as_str().unwrap().strip_prefix("incident/")), event["type"].as_str().unwrap())
        })
        .collect();
    let expected: Vec<(Value, &str)> = expected.iter().map(|(id, kind)| ((*id).clone(), *kind)).collect();
    assert_eq!(found, expected);
    for (at, event) in (before + 1..).zip(events) {
        assert_eq!(event["seq"], at);
        assert_eq!(event["recorded_at"], events[0]["recorded_at"]);
        assert_eq!(event["correlation_id"], events[0]["correlation_id"]);
    }
}

#[tokio::test]
async fn a_merge_that_would_hide_trouble_is_refused() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let (a, b, c) = (admin.report("a").await, admin.report("b").await, admin.report("c").await);
    let merge = async |source: &Value, into: &Value| {
        admin.post(&format!("{}/merge", path(source)), json!({ "into": into })).await
    };
    merge(&a, &a["id"]).await.is_problem(409, "merge_refused");
    merge(&a, &json!(Uuid::nil())).await.is_problem(422, "no_such_target");
    merge(&a, &json!("INC-0")).await.is_problem(422, "no_such_target");
    assert_eq!(merge(&b, &c["id"]).await.status, 200);
    merge(&a, &b["id"]).await.is_problem(409, "merge_refused");
    merge(&b, &a["id"]).await.is_problem(409, "merged");
    command(&admin, &c, "cancel", json!({})).await;
    merge(&a, &c["id"]).await.is_problem(409, "merge_refused");
    assert_eq!(show(&admin, &a).await, a);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_merges_that_would_make_a_circle_one_is_refused() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let clients = [servers[0].admin().await, servers[1].admin().await];
    for _ in 0..5 {
        let (a, b) = (clients[0].report("a").await, clients[0].report("b").await);
        let merge = |client: &Client, source: &Value, into: &Value| {
            let (client, path, body) = (client.clone(), path(source), json!({ "into": into["id"] }));
            tokio::spawn(async move { client.post(&format!("{path}/merge"), body).await.status.as_u16() })
        };
        let (first, second) = (merge(&clients[0], &a, &b), merge(&clients[1], &b, &a));
        let mut answers = [first.await.unwrap(), second.await.unwrap()];
        answers.sort_unstable();
        assert_eq!(answers, [200, 409]);
        let (a, b) = (show(&clients[0], &a).await, show(&clients[0], &b).await);
        assert!(a["merged_into"].is_null() != b["merged_into"].is_null(), "{a} {b}");
    }
}

#[tokio::test]
async fn a_command_that_changes_nothing_records_nothing_and_is_answered_with_what_is() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let incident = admin.post(INCIDENTS, json!({ "title": "one", "assignee": "olga", "dedup_key": "k" })).await.json;
    let before = head(&world).await;
    for body in [json!({}), json!({ "title": "one" }), json!({ "dedup_key": "k", "labels": {}, "severity": "P3" })] {
        is_unchanged(&admin.patch(&path(&incident), body).await, &incident);
    }
    is_unchanged(&command(&admin, &incident, "assign", json!({ "assignee": "olga" })).await, &incident);
    is_unchanged(&command(&admin, &incident, "status", json!({ "to": "triggered", "reason": "x" })).await, &incident);
    is_unchanged(&command(&admin, &incident, "reopen", json!({ "reason": "x" })).await, &incident);
    assert_eq!(head(&world).await, before);
}

#[tokio::test]
async fn an_open_incident_with_the_dedup_key_is_the_answer_to_another_report() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let body = json!({ "title": "first", "dedup_key": "disk:web-1" });
    let first = admin.post(INCIDENTS, body.clone()).await;
    assert_eq!(first.status, 201);
    let second = admin.post(INCIDENTS, json!({ "title": "second", "dedup_key": "disk:web-1" })).await;
    is_unchanged(&second, &first.json);
    // Once it is over, the same key is new trouble.
    command(&admin, &first.json, "status", json!({ "to": "resolved" })).await;
    let third = admin.post(INCIDENTS, body).await;
    assert_eq!(third.status, 201);
    assert_ne!(third.json["id"], first.json["id"]);
}

#[tokio::test]
async fn an_incident_does_not_come_to_have_the_dedup_key_of_another_open_one() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let first = admin.post(INCIDENTS, json!({ "title": "first", "dedup_key": "k" })).await.json;
    command(&admin, &first, "status", json!({ "to": "resolved" })).await;
    let other = admin.report("other").await;
    let second = admin.post(INCIDENTS, json!({ "title": "second", "dedup_key": "k" })).await.json;
    let before = head(&world).await;
    admin.post(&format!("{}/reopen", path(&first)), json!({})).await.is_problem(409, "dedup_key_taken");
    admin.patch(&path(&other), json!({ "dedup_key": "k" })).await.is_problem(409, "dedup_key_taken");
    assert_eq!(head(&world).await, before);
    // An ended incident may share it, and one that is merged gives it free.
    let third = admin.report("third").await;
    command(&admin, &third, "status", json!({ "to": "resolved" })).await;
    assert_eq!(admin.patch(&path(&third), json!({ "dedup_key": "k" })).await.status, 200);
    command(&admin, &second, "merge", json!({ "into": other["id"] })).await;
    assert_eq!(command(&admin, &first, "reopen", json!({})).await.json["status"], "triggered");
    let unmerge = Answer::of(admin.request(Method::POST, &format!("{}/unmerge", path(&second)))).await;
    unmerge.is_problem(409, "dedup_key_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_reports_with_one_dedup_key_at_once_one_makes_the_incident() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let clients = [servers[0].admin().await, servers[1].admin().await];
    for round in 0..5 {
        let mut reports = JoinSet::new();
        for n in 0..20 {
            let (client, key) = (clients[n % 2].clone(), format!("k-{round}"));
            reports.spawn(async move {
                client.post(INCIDENTS, json!({ "title": format!("report {n}"), "dedup_key": key })).await
            });
        }
        let (mut statuses, mut ids) = (Vec::new(), BTreeSet::new());
        for answer in reports.join_all().await {
            statuses.push(answer.status.as_u16());
            ids.insert(answer.json["id"].to_string());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![200; 19], vec![201]].concat());
        assert_eq!(ids.len(), 1);
        assert_eq!(world.value::<i64>("select count(*) from incidents").await, round + 1);
    }
    let created = "select count(*) from events where type = 'incident.created'";
    assert_eq!(world.value::<i64>(created).await, 5);
}

#[tokio::test]
async fn a_command_sent_again_with_its_key_is_answered_as_the_first_time_by_any_process() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let clients = [servers[0].admin().await, servers[1].admin().await];
    let key = |name: &'static str| [("idempotency-key", name)];
    let body = json!({ "title": "once" });
    let first = clients[0].post_with(INCIDENTS, body.clone(), &key("create")).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    // Even when the incident is another one by now.
    let comments = format!("{}/comments", path(&first.json));
    let comment = clients[0].post_with(&comments, json!({ "text": "x" }), &key("comment")).await;
    let before = head(&world).await;
    for client in &clients {
        for (path, body, name, was) in
            [(INCIDENTS, body.clone(), "create", &first), (&comments, json!({ "text": "x" }), "comment", &comment)]
        {
            let again = client.post_with(path, body, &key(name)).await;
            assert_eq!((again.status, &again.text), (was.status, &was.text));
            for header in ["etag", "location", "signalbox-seq"] {
                assert_eq!(again.header(header), was.header(header), "{header}");
            }
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
    }
    assert_eq!(head(&world).await, before);
    assert_eq!(timeline(&clients[0], &first.json).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_commands_with_one_key_at_once_one_is_recorded() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let clients = [servers[0].admin().await, servers[1].admin().await];
    for round in 0..5 {
        let mut commands = JoinSet::new();
        for n in 0..20 {
            let (client, key) = (clients[n % 2].clone(), format!("k-{round}"));
            let body = json!({ "title": format!("round {round}") });
            commands.spawn(async move { client.post_with(INCIDENTS, body, &[("idempotency-key", &key)]).await });
        }
        let (mut recorded, mut texts) = (0, BTreeSet::new());
        for answer in commands.join_all().await {
            match (answer.status.as_u16(), answer.header("idempotency-replayed")) {
                (201, "") => recorded += 1,
                (201, "true") => {}
                _ => {
                    answer.is_problem(409, "in_flight");
                    continue;
                }
            }
            texts.insert(answer.text);
        }
        assert_eq!((recorded, texts.len()), (1, 1));
        assert_eq!(world.value::<i64>("select count(*) from incidents").await, round + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_from_everywhere_at_once_all_land() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let clients = [servers[0].admin().await, servers[1].admin().await];
    let incident = clients[0].report("busy").await;
    let mut writers = JoinSet::new();
    for n in 0..50 {
        let (client, path) = (clients[n % 2].clone(), format!("{}/comments", path(&incident)));
        writers.spawn(async move {
            // 503 says that nothing was recorded, and to come back: the one answer that is repeated.
            loop {
                let answer = client.post(&path, json!({ "text": format!("comment {n}") })).await;
                match answer.status.as_u16() {
                    503 => answer.is_problem(503, "busy"),
                    status => break (status, answer.json["version"].as_i64().unwrap()),
                }
            }
        });
    }
    let mut versions: Vec<i64> = Vec::new();
    for (status, version) in writers.join_all().await {
        assert_eq!(status, 200);
        versions.push(version);
    }
    versions.sort_unstable();
    assert_eq!(versions, Vec::from_iter(2..=51), "each was answered with a version of its own");
    let shown = show(&clients[1], &incident).await;
    assert_eq!((&shown["comments"], &shown["version"]), (&json!(50), &json!(51)));
    let events = timeline(&clients[0], &incident).await;
    let texts: BTreeSet<&str> = events.iter().filter_map(|(_, data)| data["text"].as_str()).collect();
    assert_eq!(texts.len(), 50);
}

#[tokio::test]
async fn a_timeline_is_the_incidents_events_as_the_log_has_them() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let (incident, other) = (admin.report("one").await, admin.report("another").await);
    for n in 0..4 {
        command(&admin, &incident, "comments", json!({ "text": format!("{n}") })).await;
        command(&admin, &other, "comments", json!({ "text": "elsewhere" })).await;
    }
    let stream = format!("incident/{}", incident["id"].as_str().unwrap());
    let log = admin.get(&format!("/api/v1/events?stream={stream}")).await.json["items"].clone();
    let whole = admin.get(&format!("{}/timeline", path(&incident))).await;
    assert_eq!((&whole.json["items"], &whole.json["next"]), (&log, &Value::Null));
    assert_eq!(whole.header("signalbox-seq"), head(&world).await.to_string());
    // The same in pages.
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let page = admin.get(&format!("{}/timeline?limit=2&after={after}", path(&incident))).await.json;
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(json!(paged), log);
}

/// Keys of the incidents that a list's query gives, sorted.
async fn listed(client: &Client, query: &str) -> Vec<String> {
    let answer = client.get(&format!("{INCIDENTS}?limit=200&{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let items = answer.json["items"].as_array().unwrap().iter();
    let mut titles: Vec<String> = items.map(|item| item["title"].as_str().unwrap().to_owned()).collect();
    titles.sort_unstable();
    titles
}

#[tokio::test]
async fn a_list_shows_what_fits_all_its_filters() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let mut middle = String::new();
    for (title, facts, status) in [
        (
            "a Disk full",
            json!({ "severity": "P0", "priority": "urgent", "assignee": "olga", "affected_servers": ["web-1"], "labels": { "team": "db", "zone": "eu" } }),
            None,
        ),
        (
            "b disk slow",
            json!({ "severity": "P1", "assignee": "ben", "affected_servers": ["web-1", "web-2"], "labels": { "team": "db" } }),
            Some("acknowledged"),
        ),
        ("c 100% load", json!({ "severity": "P2", "labels": { "team": "web", "note": "a:b" } }), Some("resolved")),
        ("d rain", json!({ "priority": "low", "assignee": "olga" }), Some("cancelled")),
    ] {
        let mut body = facts;
        body["title"] = json!(title);
        let incident = admin.post(INCIDENTS, body).await.json;
        if title.starts_with('c') {
            middle = incident["created_at"].as_str().unwrap().to_owned();
        }
        if let Some(status) = status {
            command(&admin, &incident, "status", json!({ "to": status })).await;
        }
    }
    let (a, b, c, d) = ("a Disk full", "b disk slow", "c 100% load", "d rain");
    let from = format!("created_from={middle}");
    let before = format!("created_before={middle}");
    let offset =
        OffsetDateTime::parse(&middle, &Rfc3339).unwrap().to_offset(time::UtcOffset::from_hms(2, 0, 0).unwrap());
    let elsewhere = format!("created_from={}", offset.format(&Rfc3339).unwrap().replace('+', "%2B"));
    for (query, expected) in [
        ("", &[a, b, c, d][..]),
        ("status=triggered", &[a]),
        ("status=acknowledged&status=resolved", &[b, c]),
        ("status=closed", &[]),
        ("severity=P0&severity=P3", &[a, d]),
        ("priority=urgent&priority=low", &[a, d]),
        ("assignee=olga", &[a, d]),
        ("assignee=", &[c]),
        ("assignee=OLGA", &[]),
        ("server=web-1", &[a, b]),
        ("server=web", &[]),
        ("label=team:db", &[a, b]),
        ("label=team:db&label=zone:eu", &[a]),
        ("label=note:a:b", &[c]),
        ("label=team:", &[]),
        ("q=DISK", &[a, b]),
        ("q=100%25", &[c]),
        ("q=%25", &[c]),
        ("q=_", &[]),
        ("q=disk&assignee=olga&status=triggered", &[a]),
        (&from, &[c, d]),
        (&before, &[a, b]),
        (&elsewhere, &[c, d]),
        (&format!("{from}&{before}"), &[]),
    ] {
        assert_eq!(listed(&admin, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_list_is_true_as_of_the_position_it_names_and_says_when_nothing_is_new() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let empty = admin.get(INCIDENTS).await;
    assert_eq!(
        (&empty.json, empty.header("signalbox-seq")),
        (&json!({ "items": [] }), &*head(&world).await.to_string())
    );
    let epoch: Uuid = world.value("select epoch from log_head").await;
    assert_eq!(empty.header("signalbox-epoch"), epoch.to_string());
    admin.report("one").await;
    let list = admin.get(INCIDENTS).await;
    let again = Answer::of(admin.request(Method::GET, INCIDENTS).header("if-none-match", list.header("etag"))).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    admin.report("two").await;
    let news = Answer::of(admin.request(Method::GET, INCIDENTS).header("if-none-match", list.header("etag"))).await;
    assert_eq!(news.status, 200);
}

#[tokio::test]
async fn pages_in_any_order_show_each_incident_whose_place_stays_once_while_others_change() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let severities = ["P0", "P1", "P2", "P3", "P4"];
    let priorities = ["urgent", "high", "normal", "low"];
    let mut reported = Vec::new();
    for n in 0..20 {
        let body =
            json!({ "title": format!("n {n}"), "severity": severities[n * 7 % 5], "priority": priorities[n * 3 % 4] });
        reported.push(admin.post(INCIDENTS, body).await.json);
    }
    let urgency = |item: &Value| {
        let place = ["low", "normal", "high", "urgent"].iter().position(|word| item["priority"] == *word);
        place.unwrap().to_string()
    };
    for order in ["updated_at", "created_at", "severity", "priority", "number"] {
        for direction in ["", "-"] {
            let restless: BTreeSet<&str> = reported.iter().take(5).map(|one| one["id"].as_str().unwrap()).collect();
            let (mut seen, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
            let mut pages = 0;
            loop {
                let more = cursor.take().map_or(String::new(), |cursor| format!("&cursor={cursor}"));
                let page = admin.get(&format!("{INCIDENTS}?order={direction}{order}&limit=3{more}")).await;
                assert_eq!(page.status, 200, "{}", page.text);
                seen.extend(page.json["items"].as_array().unwrap().clone());
                pages += 1;
                assert!(pages < 50, "the pages end");
                // Two change between any two pages: their time, their severity and their priority.
                let severity = severities[pages % 5];
                let change = json!({ "title": format!("page {pages} by {direction}{order}"), "severity": severity, "priority": priorities[pages % 4] });
                for one in [&reported[pages % 5], &reported[(pages + 1) % 5]] {
                    assert_eq!(admin.patch(&path(one), change.clone()).await.status, 200);
                }
                match page.json["next"].as_str() {
                    Some(next) => cursor = Some(next.to_owned()),
                    None => break,
                }
            }
            let key = |item: &Value| match order {
                "priority" => urgency(item),
                "number" => format!("{:09}", item["number"].as_i64().unwrap()),
                field => item[field].as_str().unwrap().to_owned(),
            };
            let mut keys: Vec<String> = seen.iter().map(key).collect();
            if direction == "-" {
                keys.reverse();
            }
            assert!(keys.is_sorted(), "by {direction}{order}: {keys:?}");
            let mut times: BTreeMap<&str, usize> = BTreeMap::new();
            for item in &seen {
                *times.entry(item["id"].as_str().unwrap()).or_default() += 1;
            }
            let stays = matches!(order, "created_at" | "number");
            for one in &reported {
                let id = one["id"].as_str().unwrap();
                if stays || !restless.contains(id) {
                    assert_eq!(times.get(id), Some(&1), "{} by {direction}{order}", one["title"]);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_viewer_reads_everything_about_incidents_and_changes_nothing() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let (incident, other) = (admin.report("one").await, admin.report("two").await);
    world.user("victor", Role::Viewer).await;
    let viewer = server.anonymous().sign_in("victor", PASSWORD).await;
    let may = json!(["automations.read", "incidents.read", "logs.read", "servers.read"]);
    assert_eq!(viewer.get("/api/v1/me").await.json["permissions"], may);
    for path in [INCIDENTS.to_owned(), path(&incident), format!("{}/timeline", path(&incident))] {
        assert_eq!(viewer.get(&path).await.status, 200);
    }
    let events = viewer.get("/api/v1/events").await.json["items"].clone();
    assert!(events.as_array().unwrap().iter().all(|event| event["permissions"] == json!(["incidents.read"])));
    assert_eq!(events.as_array().unwrap().len(), 2);
    let hidden = viewer.get("/api/v1/events/1").await;
    hidden.is_problem(404, "not_found");

    // That it was refused is an event, too, but none of an incident.
    let of_incidents = || world.value::<i64>("select count(*) from events where type like 'incident.%'");
    let before = of_incidents().await;
    viewer.post(INCIDENTS, json!({ "title": "x" })).await.is_problem(403, "forbidden");
    viewer.patch(&path(&incident), json!({ "title": "x" })).await.is_problem(403, "forbidden");
    for (name, body) in [
        ("assign", json!({ "assignee": "victor" })),
        ("comments", json!({ "text": "x" })),
        ("status", json!({ "to": "resolved" })),
        ("reopen", json!({})),
        ("cancel", json!({})),
        ("merge", json!({ "into": other["id"] })),
        ("unmerge", json!({})),
    ] {
        let refused = viewer.post(&format!("{}/{name}", path(&incident)), body).await;
        refused.is_problem(403, "forbidden");
    }
    assert_eq!(of_incidents().await, before);
    assert_eq!(show(&viewer, &incident).await, incident);
}
