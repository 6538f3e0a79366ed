//! Following log lines on the stream.

use serde_json::{Value, json};
use uuid::Uuid;

use super::LOGS;
use crate::harness::{Client, world};

/// Sends lines of these levels and gives the event's place.
async fn send(client: &Client, source: &str, server: &str, execution: Option<Uuid>, levels: &[&str]) -> i64 {
    let lines: Vec<Value> = levels.iter().map(|level| json!({ "level": level, "message": "x" })).collect();
    let body = json!({ "source": source, "server": server, "execution": execution, "lines": lines });
    let answer = client.post(LOGS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.header("signalbox-seq").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_gets_exactly_the_batches_it_asked_for_live_and_later_and_by_polling() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let run = Uuid::now_v7();
    let execution = format!("types=log.*&execution={run}");
    let queries = [
        "types=log.added",
        "stream=log/sshd",
        "types=log.added&server=db-1",
        execution.as_str(),
        "types=log.added&level=error",
        "stream=log/sshd&server=db-1&level=warn",
        "level=fatal",
        "server=nowhere",
    ];
    let start: i64 = admin.get("/api/v1/events?limit=1").await.header("signalbox-seq").parse().unwrap();
    let mut tails = Vec::new();
    for query in queries {
        let mut tail = admin.stream(&format!("?{query}"), Some(start)).await;
        tail.until("ready").await;
        tails.push(tail);
    }

    let plain = send(&admin, "sshd", "db-1", None, &["info", "debug"]).await;
    let warned = send(&admin, "sshd", "db-1", None, &["info", "warn"]).await;
    let failed = send(&admin, "nova", "db-2", Some(run), &["error"]).await;
    let many = send(&admin, "nova", "db-1", None, &["info"; 30]).await;
    admin.post("/api/v1/incidents", json!({ "title": "not a line", "affected_servers": ["db-1"] })).await;
    let last = send(&admin, "nova", "db-1", Some(run), &["fatal", "info"]).await;
    let expected: [&[i64]; 8] = [
        &[plain, warned, failed, many, last],
        &[plain, warned],
        &[plain, warned, many, last],
        &[failed, last],
        &[failed, last],
        &[warned],
        &[last],
        &[],
    ];
    // A stream says nothing of what is not for it; that its tail is over is seen by an event of its own kind.
    for ((query, tail), expected) in queries.iter().zip(&mut tails).zip(expected) {
        for seq in expected {
            let frame = tail.event().await;
            assert_eq!((frame.id, frame.event.as_str()), (Some(*seq), "log.added"), "{query}");
        }
        let polled = admin.get(&format!("/api/v1/events?after={start}&{query}")).await;
        let polled = polled.json["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap());
        assert_eq!(polled.collect::<Vec<_>>(), expected, "{query}");
        admin.caught_up().await;
        let mut later = admin.stream(&format!("?{query}"), Some(start)).await;
        let replayed = later.until("ready").await.into_iter().filter(|frame| frame.event == "log.added");
        assert_eq!(replayed.map(|frame| frame.id.unwrap()).collect::<Vec<_>>(), expected, "{query}");
    }
    // Nothing else came in between: what comes next on each is the next that fits.
    let end = send(&admin, "sshd", "db-1", Some(run), &["fatal"]).await;
    for (query, tail) in queries.iter().zip(&mut tails).take(7) {
        assert_eq!(tail.event().await.id, Some(end), "{query}");
    }
}

#[tokio::test]
async fn a_tail_shows_few_lines_and_names_many() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let mut tail = admin.stream("?types=log.added", None).await;
    tail.until("ready").await;
    send(&admin, "nova", "db-1", None, &["info", "error"]).await;
    let few = tail.event().await.data;
    let lines = json!([{ "level": "info", "message": "x" }, { "level": "error", "message": "x" }]);
    assert_eq!((&few["data"]["lines"], &few["data"]["server"]), (&lines, &json!("db-1")));

    send(&admin, "nova", "db-1", None, &["warn"; 21]).await;
    let many = tail.event().await.data;
    assert_eq!((&many["data"]["lines"], &many["data"]["count"]), (&Value::Null, &json!(21)));
    let found = admin.get(&format!("{LOGS}?order=at&seq={}", many["seq"])).await;
    let ids: Vec<&Value> = found.json["items"].as_array().unwrap().iter().map(|line| &line["id"]).collect();
    let named: Vec<String> = (1..=21).map(|line| format!("{}.{line}", many["seq"])).collect();
    assert_eq!(json!(ids), json!(named));
}

#[tokio::test]
async fn a_level_that_there_is_not_is_refused_on_the_stream_and_by_polling() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for path in ["/api/v1/events/stream?level=loud", "/api/v1/events?level=loud", "/api/v1/logs?level=loud"] {
        admin.get(path).await.is_problem(400, "invalid_parameter");
    }
}
