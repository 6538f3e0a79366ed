//! Every current state is what the log makes of it.

use serde_json::json;
use signalbox::projections::rebuild::compare;

use crate::harness::{execute, world};

#[tokio::test]
async fn every_stored_state_is_byte_for_byte_what_the_log_makes_of_it() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    for n in 0..12 {
        let incident = client.report(&format!("Größe {n} \u{1F6A8}")).await;
        let path = format!("/api/v1/incidents/{}", incident["key"].as_str().unwrap());
        for (step, body) in [
            ("/assign", json!({ "assignee": "ada" })),
            ("/status", json!({ "to": "investigating", "reason": "looking" })),
            ("/comments", json!({ "text": "line\nline" })),
            ("/status", json!({ "to": "resolved", "resolution": "done" })),
            ("/reopen", json!({ "reason": "not done" })),
        ] {
            assert_eq!(client.post(&format!("{path}{step}"), body).await.status, 200);
        }
        client.patch(&path, json!({ "labels": { "a": "1" }, "severity": "P0", "dedup_key": format!("key-{n}") })).await;
        if n > 0 {
            client.post(&format!("{path}/merge"), json!({ "into": "INC-1" })).await;
        }
        if n % 3 == 1 {
            client.request(reqwest::Method::POST, &format!("{path}/unmerge")).send().await.unwrap();
        }
    }
    let (rebuilt, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences, []);
    assert_eq!(rebuilt.len(), 13, "12 incidents and a user");
}

#[tokio::test]
async fn a_state_that_was_changed_by_hand_is_found() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    client.report("one").await;
    client.report("two").await;
    execute(&world.owner, "update incidents set state = replace(state::text, 'one', 'eno')::json").await;
    execute(&world.owner, "delete from incidents where number = 2").await;
    let (_, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences.len(), 2);
}
