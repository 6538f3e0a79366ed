//! What clients say of themselves is counted, within limits.

use serde_json::{Value, json};

use crate::access::signed_in;
use crate::harness::{Client, Running, world};
use signalbox::domain::user::Role;

const REPORTS: &str = "/api/v1/me/transport/reports";

/// One number of the metrics; 0 when there is no such line.
async fn counted(admin: &Client, line: &str) -> f64 {
    let text = admin.get("/metrics").await.text;
    let found = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
    found.map_or(0.0, |number| number.parse().unwrap())
}

/// As many sessions of one user as one likes: each has reports of its own.
async fn session(server: &Running, admin: &Client) -> Client {
    let me = admin.get("/api/v1/me").await.json["id"].as_str().unwrap().parse().unwrap();
    signed_in(server, me)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_reports_is_in_the_metrics_by_names_that_the_server_knows() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let report = json!({
        "fallbacks": ["unreachable", "disabled", "unreachable", "\"} 1 # a stranger's text"],
        "uptimes": [{ "state": "live", "ms": 90_000 }, { "state": "polling", "ms": 1_500 }],
        "latencies_ms": [12, 400, -5, 60_001],
    });
    let viewer = signed_in(&server, world.user("vera", Role::Viewer).await.id);
    assert_eq!(viewer.post(REPORTS, report).await.status, 204);
    assert_eq!(viewer.post(REPORTS, json!({})).await.status, 204, "nothing to report");
    let name = |metric: &str, name: &str| format!("signalbox_client_{metric}_total{{name=\"{name}\"}}");
    for (line, expected) in [
        (name("fallbacks", "unreachable"), 2.0),
        (name("fallbacks", "disabled"), 1.0),
        (name("fallbacks", "other"), 1.0),
        (name("fallbacks", "degraded"), 0.0),
        (name("state_seconds", "live"), 90.0),
        (name("state_seconds", "polling"), 1.5),
        ("signalbox_client_commit_to_render_seconds_count".to_owned(), 2.0),
        ("signalbox_client_commit_to_render_seconds_sum".to_owned(), 0.412),
    ] {
        assert!((counted(&admin, &line).await - expected).abs() < 1e-9, "{line}");
    }
    assert!(!admin.get("/metrics").await.text.contains("stranger"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_bounded_in_size_in_its_words_and_in_how_often_it_comes() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let refused: [(Value, &str); 4] = [
        (json!({ "latencies_ms": vec![1; 101] }), "/latencies_ms"),
        (json!({ "fallbacks": ["x".repeat(41)] }), "/fallbacks/0"),
        (json!({ "uptimes": [{ "state": "live", "ms": -1 }] }), "/uptimes/0/ms"),
        (json!({ "uptimes": [{ "state": "live", "ms": 604_800_001 }] }), "/uptimes/0/ms"),
    ];
    for (body, pointer) in refused {
        let answer = session(&server, &admin).await.post(REPORTS, body).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer);
    }
    for body in [json!({ "uptimes": [{ "state": "well", "ms": 1 }] }), json!({ "text": "x" }), json!([])] {
        session(&server, &admin).await.post(REPORTS, body).await.is_problem(400, "malformed_body");
    }
    let eager = session(&server, &admin).await;
    for _ in 0..3 {
        assert_eq!(eager.post(REPORTS, json!({})).await.status, 204);
    }
    let fourth = eager.post(REPORTS, json!({})).await;
    fourth.is_problem(429, "too_many_reports");
    assert!((1..=10).contains(&fourth.header("retry-after").parse::<u32>().unwrap()));
    let another = session(&server, &admin).await;
    assert_eq!(another.post(REPORTS, json!({})).await.status, 204, "another session has its own");
    assert_eq!(counted(&admin, "signalbox_client_commit_to_render_seconds_count").await, 0.0);
}
