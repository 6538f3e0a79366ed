//! What a process counts, and who may read it.

use std::collections::BTreeSet;
use std::time::Instant;

use reqwest::Method;
use signalbox::domain::user::Role;

use crate::harness::{Answer, Client, PASSWORD, PATIENCE, world};

const ALERTS: &str = include_str!("../deploy/prometheus/alerts.yml");
const BOARD: &str = include_str!("../deploy/grafana/dashboards/signalbox.json");

async fn exposition(client: &Client) -> String {
    let answer = client.get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

/// The value of a line such as `sse_events_sent_total{type="incident.created"}`.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// Asks again until a series has a value.
async fn becomes(client: &Client, series: &str, expected: f64) -> String {
    let started = Instant::now();
    loop {
        let text = exposition(client).await;
        if value(&text, series) == Some(expected) {
            return text;
        }
        assert!(started.elapsed() < PATIENCE, "{series} is {:?}, not {expected}", value(&text, series));
    }
}

/// Every name of a series that this exposition can have.
fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .flat_map(|(name, kind)| {
            let suffixes: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
        })
        .collect()
}

#[tokio::test]
async fn the_exposition_has_the_promised_names_and_whatever_alerts_and_the_board_ask_for() {
    let world = world().await;
    let server = world.serve().await;
    let text = exposition(&server.admin().await).await;
    assert!(text.ends_with("# EOF\n"));
    let names = names(&text);
    for promised in [
        "sse_connections_active",
        "sse_connections_total",
        "sse_events_sent_total",
        "sse_reconnections_total",
        "sse_connection_duration_bucket",
        "dedup_cache_hits_total",
        "dedup_cache_misses_total",
        "dedup_requests_deduplicated_total",
        "dedup_cache_size",
        "signalbox_commit_to_send_seconds_bucket",
        "signalbox_log_lag",
        "signalbox_appends_total",
    ] {
        assert!(names.contains(promised), "{promised} is missing:\n{text}");
    }
    let mut asked = 0;
    for word in [ALERTS, BOARD].iter().flat_map(|file| file.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')) {
        if ["sse_", "dedup_", "signalbox_", "process_"].iter().any(|family| word.starts_with(family)) {
            assert!(names.contains(word), "{word} is asked for and does not exist");
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
    // A type that was never sent is 0, not absent: a rate over it is then known.
    assert_eq!(value(&text, "sse_events_sent_total{type=\"incident.merged\"}"), Some(0.0), "{text}");
}

#[tokio::test]
async fn metrics_are_for_who_may_see_the_system_or_has_the_scraper_s_token() {
    let world = world().await;
    let server = world.serve_with(&["--metrics-token=a scraper's token"]).await;
    let anonymous = server.anonymous();
    anonymous.get("/metrics").await.is_problem(401, "unauthorized");
    for wrong in ["", "a", "a scraper's toke", "a scraper's token "] {
        let asked = anonymous.request(Method::GET, "/metrics").header("authorization", format!("Bearer {wrong}x"));
        Answer::of(asked).await.is_problem(401, "unauthorized");
    }
    let scraper = anonymous.with_token("a scraper's token");
    let answer = scraper.get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    scraper.get("/api/v1/system").await.is_problem(401, "unauthorized");
    for (role, status) in [(Role::Viewer, 403), (Role::Auditor, 200)] {
        world.user(role.as_str(), role.clone()).await;
        let client = anonymous.clone().sign_in(role.as_str(), PASSWORD).await;
        assert_eq!(client.get("/metrics").await.status, status, "{role:?}");
    }
    let other = world.serve().await;
    other.anonymous().with_token("").get("/metrics").await.is_problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_and_a_command_are_counted() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let before = exposition(&admin).await;
    let mut first = admin.stream("", None).await;
    first.until("ready").await;
    let mut second = admin.stream("", Some(0)).await;
    second.until("ready").await;
    let open = becomes(&admin, "sse_connections_active", 2.0).await;
    assert_eq!(value(&open, "sse_connections_total"), Some(2.0));
    assert_eq!(value(&open, "sse_reconnections_total"), Some(1.0), "one came back with Last-Event-ID");
    drop((first, second));
    let closed = becomes(&admin, "sse_connections_active", 0.0).await;
    assert_eq!(value(&closed, "sse_connection_duration_count"), Some(2.0));
    assert_eq!(value(&closed, "signalbox_streams_closed_total{name=\"left\"}"), Some(2.0));

    admin.report("one command").await;
    let after = exposition(&admin).await;
    let grown = |series| value(&after, series).unwrap() - value(&before, series).unwrap();
    assert_eq!((grown("signalbox_appends_total"), grown("signalbox_append_seconds_count")), (1.0, 1.0));
    assert!(grown("signalbox_queries_total") > 0.0 && grown("signalbox_answers_total") > 0.0);
    assert_eq!(grown("signalbox_append_failures_total"), 0.0);
    assert_eq!(value(&after, "signalbox_level"), Some(0.0));
    for breaker in ["connections", "latency", "memory", "errors"] {
        let series = format!("signalbox_breaker_level{{name=\"{breaker}\"}}");
        assert_eq!(value(&after, &series), Some(0.0), "{after}");
    }
    assert!(value(&after, "process_resident_memory_bytes").unwrap() > 1e6);
    admin.caught_up().await;
    becomes(&admin, "signalbox_log_lag", 0.0).await;
}
