//! A night without faults: every word of the story, and the dashboard at each step.

use serde_json::{Value, json};

use super::story::{PRINTED, STORY, is_told_right};
use super::{LINES, Night};

/// Of the dashboard, as of the newest event: servers up and down, open incidents, those acknowledged and resolved
/// within the window, executions that succeeded, notifications that were sent.
async fn dashboard(night: &Night) -> Value {
    let seq: i64 = night.world.value("select seq from log_head").await;
    let stats = night.operator.client().get(&format!("/api/v1/dashboard/stats?min_seq={seq}")).await;
    assert_eq!(stats.status, 200, "{}", stats.text);
    let (stats, incidents) = (&stats.json, &stats.json["incidents"]);
    let came = |what: &str| -> i64 {
        incidents["trend"].as_array().unwrap().iter().map(|bucket| bucket[what].as_i64().unwrap()).sum()
    };
    json!({
        "up": stats["servers"]["by_status"]["up"], "down": stats["servers"]["by_status"]["down"],
        "open": incidents["open"]["total"], "triggered": incidents["open"]["by_status"]["triggered"],
        "P1": incidents["open"]["by_severity"]["P1"],
        "measured": [incidents["time_to_acknowledge"]["measured"], incidents["time_to_resolve"]["measured"]],
        "came": [came("created"), came("resolved")],
        "executions": [stats["automations"]["running"], stats["automations"]["succeeded"], stats["automations"]["failed"]],
        "notifications": [stats["notifications"]["pending"], stats["notifications"]["sent"]],
        "warnings": stats["logs"]["warnings"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_server_that_goes_down_to_the_end_of_its_incident_all_is_one_story() {
    let (mut night, program) = Night::falls().await;
    let evening = json!({
        "up": 1, "down": 0, "open": 0, "triggered": 0, "P1": 0, "measured": [0, 0], "came": [0, 0],
        "executions": [0, 0, 0], "notifications": [0, 0], "warnings": 0,
    });
    assert_eq!(dashboard(&night).await, evening);

    night.server_goes_down().await;
    let down = json!({
        "up": 0, "down": 1, "open": 1, "triggered": 1, "P1": 1, "measured": [0, 0], "came": [1, 0],
        "executions": [0, 2, 0], "notifications": [0, 3], "warnings": 1,
    });
    assert_eq!(dashboard(&night).await, down);

    night.operator_acknowledges().await;
    let acknowledged = json!({
        "up": 0, "down": 1, "open": 1, "triggered": 0, "P1": 1, "measured": [1, 0], "came": [1, 0],
        "executions": [0, 2, 0], "notifications": [0, 4], "warnings": 1,
    });
    assert_eq!(dashboard(&night).await, acknowledged);

    night.operator_resolves().await;
    let resolved = json!({
        "up": 0, "down": 1, "open": 0, "triggered": 0, "P1": 0, "measured": [1, 1], "came": [1, 1],
        "executions": [0, 2, 0], "notifications": [0, 6], "warnings": 1,
    });
    assert_eq!(dashboard(&night).await, resolved);

    night.server_comes_up().await;
    assert_eq!((&dashboard(&night).await["up"], &dashboard(&night).await["down"]), (&json!(1), &json!(0)));

    let story = is_told_right(&mut night, 0).await;
    assert_eq!(story.printed(), LINES);
    let told = story.events.iter().map(|event| (story.word(event), story.cause(event)));
    let (printed, mut told): (Vec<_>, Vec<_>) = told.partition(|(word, _)| *word == PRINTED);
    told.sort_unstable();
    let mut expected = STORY;
    expected.sort_unstable();
    assert_eq!(told, expected, "each with what led to it");
    assert!(printed.iter().all(|(_, cause)| *cause == "Look at it: begins Diagnose"), "{printed:?}");
    drop(program);
}
