//! The dashboard: right, for those who may see it, in the time zone of whoever looks, and one query for all.

use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::user::Role;
use tokio::task::JoinSet;

use crate::automations::{start, until, write};
use crate::harness::{Answer, PASSWORD, Receiver, World, execute, world};

const STATS: &str = "/api/v1/dashboard/stats";

/// What plain SQL counts in the same hours or days.
async fn counted(world: &World, trend: &[Value], what: &str, zone: &str) {
    for (nth, bucket) in trend.iter().enumerate() {
        let from = bucket["at"].as_str().unwrap();
        let until = trend.get(nth + 1).map_or("infinity", |next| next["at"].as_str().unwrap());
        let created: i64 = world
            .value(&format!("select count(*) from incidents where created_at >= '{from}' and created_at < '{until}'"))
            .await;
        let resolved: i64 = world
            .value(&format!(
                "select count(*) from incidents where (state ->> 'resolved_at')::timestamptz >= '{from}' \
                 and (state ->> 'resolved_at')::timestamptz < '{until}' \
                 and status <> 'cancelled' and state ->> 'merged_into' is null"
            ))
            .await;
        assert_eq!(*bucket, json!({ "at": from, "created": created, "resolved": resolved }), "{what} of {zone}");
    }
}

#[tokio::test]
async fn what_came_and_went_is_counted_in_the_hours_and_days_of_whoever_looks() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for (nth, hours) in [0.0, 0.2, 1.0, 5.5, 23.5, 24.5, 47.9, 60.0, 100.0, 400.0].iter().enumerate() {
        let incident = admin.report(&format!("number {nth}")).await;
        let id = incident["id"].as_str().unwrap();
        let mut path = vec!["acknowledged", "investigating", "mitigated", "resolved"];
        path.truncate(if nth % 3 == 0 { 0 } else { 4 });
        for to in path {
            let step = json!({ "to": to, "resolution": (to == "resolved").then_some("done") });
            let answer = admin.post(&format!("/api/v1/incidents/{id}/status"), step).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        // As an import would have it: reported and resolved in the past.
        let past = format!("now() - interval '{hours} hours'");
        let sql = format!(
            "update incidents set created_at = {past}, state = case when state ->> 'resolved_at' is null then state \
             else jsonb_set(state::jsonb, '{{resolved_at}}', to_jsonb(now() - interval '{hours} hours' / 2))::json end where id = '{id}'"
        );
        execute(&world.owner, &sql).await;
    }
    for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"] {
        for (window_h, buckets) in [(1, 1..=2), (24, 24..=25), (48, 48..=49), (49, 3..=4), (720, 30..=31)] {
            let stats = admin.get(&format!("{STATS}?window_h={window_h}&time_zone={zone}")).await;
            assert_eq!(stats.status, 200, "{}", stats.text);
            let trend = stats.json["incidents"]["trend"].as_array().unwrap();
            assert!(buckets.contains(&trend.len()), "{} of {window_h} h in {zone}", trend.len());
            counted(&world, trend, &format!("{window_h} h"), zone).await;
        }
    }
    let stats = admin.get(&format!("{STATS}?window_h=720")).await.json;
    let figures = admin.get("/api/v1/incidents/stats?window_h=720").await.json;
    for part in ["open", "time_to_acknowledge", "time_to_resolve"] {
        assert_eq!(stats["incidents"][part], figures[part], "{part}");
    }
}

#[tokio::test]
async fn a_part_is_for_those_who_may_read_its_module() {
    let world = world().await;
    let server = world.serve().await;
    world.user("nora", Role::Viewer).await;
    let viewer = server.anonymous().sign_in("nora", PASSWORD).await;
    let seen = viewer.get(STATS).await;
    assert_eq!(
        (seen.status.as_u16(), &seen.json["window_h"], &seen.json["time_zone"]),
        (200, &json!(24), &json!("UTC"))
    );
    assert_eq!(seen.json["incidents"]["open"]["total"], 0);
    server.anonymous().get(STATS).await.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_time_zone_that_there_is_not_is_told_so() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for zone in ["Europe/Atlantis", "'", "utc+3;", "", "%00", "Europe/Berlin "] {
        let zone = zone.replace(' ', "%20");
        admin.get(&format!("{STATS}?time_zone={zone}")).await.is_problem(400, "invalid_parameter");
    }
    for window in ["0", "721", "-1", "x"] {
        admin.get(&format!("{STATS}?window_h={window}")).await.is_problem(400, "invalid_parameter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_ask_at_once_cost_one_query_and_what_happened_is_in_the_next_answer() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let before = server.app.dashboard.counts().await.misses;
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let admin = admin.clone();
        asking.spawn(async move { admin.get(STATS).await });
    }
    for answer in asking.join_all().await {
        assert_eq!(answer.json["incidents"]["open"]["total"], 0);
    }
    assert_eq!(server.app.dashboard.counts().await.misses - before, 1);
    let reported = admin.post("/api/v1/incidents", json!({ "title": "news" })).await;
    let seq = reported.header("signalbox-seq");
    let next = admin.get(&format!("{STATS}?min_seq={seq}")).await;
    assert_eq!(next.json["incidents"]["open"]["total"], 1);
    let again = admin.request(Method::GET, STATS).header("if-none-match", next.header("etag"));
    assert_eq!(Answer::of(again).await.status, 304);
}

#[tokio::test]
async fn servers_and_log_lines_are_counted_and_the_busiest_come_first() {
    let world = world().await;
    let server = world.serve_with(&["--egress-allow=127.0.0.0/8"]).await;
    let admin = server.admin().await;
    let mut seq = String::new();
    for (nth, name) in ["quiet", "busy", "gone"].iter().enumerate() {
        let added = admin.post("/api/v1/servers", json!({ "name": name, "host": "127.0.0.1", "port": 1 })).await;
        assert_eq!(added.status, 201, "{}", added.text);
        let path = format!("/api/v1/servers/{}", added.json["id"].as_str().unwrap());
        for cpu in [10 * nth, 20 * nth + 10] {
            let report = json!({ "cpu_percent": cpu, "memory_percent": 90 - cpu, "disk_percent": 5, "load": 0.5 });
            let told = admin.post(&format!("{path}/utilization"), report).await;
            assert_eq!(told.status, 200, "{}", told.text);
            seq = told.header("signalbox-seq").to_owned();
        }
        if *name == "gone" {
            let deleted = admin.post(&format!("{path}/delete"), json!({})).await;
            assert!(deleted.status.is_success(), "{}", deleted.text);
            seq = deleted.header("signalbox-seq").to_owned();
        }
    }
    let utilization =
        async |query: &str| admin.get(&format!("/api/v1/dashboard/server-utilization?min_seq={seq}{query}")).await;
    let by_cpu = utilization("").await;
    let names = |answer: &Answer| {
        Vec::from_iter(answer.json["items"].as_array().unwrap().iter().map(|item| item["name"].clone()))
    };
    assert_eq!(names(&by_cpu), ["busy", "quiet"]);
    assert_eq!(by_cpu.json["items"][0]["cpu"], json!({ "average": 20.0, "most": 30.0 }));
    assert_eq!(names(&utilization("&by=memory").await), ["quiet", "busy"]);
    assert_eq!(names(&utilization("&limit=1").await), ["busy"]);
    let stats = admin.get(&format!("{STATS}?min_seq={seq}")).await.json;
    let total: i64 = world.value("select count(*) from servers where not deleted").await;
    assert_eq!((&stats["servers"]["total"], total), (&json!(total), 2));
    assert_eq!(stats["logs"], json!({ "lines_per_s": 0.0, "warnings": 0, "errors": 0 }));
    assert_eq!(stats["streams"], json!({ "open": 0, "lagging": 0, "level": "normal" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_and_deliveries_are_counted_as_they_ended() {
    let world = world().await;
    let server = world.serve_with(&["--egress-allow=127.0.0.0/8"]).await;
    let admin = server.admin().await;
    let mut receiver = Receiver::start().await;
    let channel = json!({ "name": "pager", "kind": "webhook", "url": receiver.url });
    let channel = admin.post("/api/v1/notification-channels", channel).await.json["id"].clone();
    let rule = json!({ "name": "what runs say", "channel": channel, "types": ["automation.notified"] });
    assert_eq!(admin.post("/api/v1/notification-rules", rule).await.status, 201);

    let say = write(&admin, "Say", json!([{ "name": "Say", "notification": { "subject": "x", "text": "y" } }])).await;
    let ask =
        write(&admin, "Ask", json!([{ "name": "Ask", "approval": { "prompt": "Now?", "by_another": false } }])).await;
    let test = write(&admin, "Test", json!([{ "name": "Test", "server_test": { "server": "nowhere" } }])).await;
    for answer in ["204 No Content", "200 OK", "410 Gone"] {
        receiver.answers(&[answer]);
        until(&admin, &start(&admin, &say, json!({})).await, "succeeded").await;
        receiver.next().await;
    }
    until(&admin, &start(&admin, &test, json!({})).await, "failed").await;
    for _ in 0..2 {
        until(&admin, &start(&admin, &ask, json!({})).await, "waiting_approval").await;
    }
    let ended = start(&admin, &ask, json!({})).await;
    admin.post(&format!("{ended}/cancel"), json!({})).await;
    until(&admin, &ended, "cancelled").await;
    // An execution of the past is none of this window's.
    execute(&world.owner, "update executions set queued_at = queued_at - interval '25 hours' where status = 'failed'")
        .await;
    let mut log = admin.stream("?types=notification.*", Some(0)).await;
    log.until("notification.channel.disabled").await;

    admin.caught_up().await;
    let stats = admin.get(STATS).await.json;
    assert_eq!(
        stats["automations"],
        json!({ "queued": 0, "running": 0, "waiting_approval": 2, "succeeded": 3, "failed": 0, "timed_out": 0,
                "cancelled": 1, "success": 1.0 })
    );
    assert_eq!(
        stats["notifications"],
        json!({ "pending": 0, "sent": 2, "failed": 1, "skipped": 0, "success": 2.0 / 3.0, "channels_disabled": 1 })
    );
    let week = admin.get(&format!("{STATS}?window_h=168")).await.json;
    assert_eq!((&week["automations"]["failed"], &week["automations"]["success"]), (&json!(1), &json!(0.75)));
}
