//! Every operation, tried by a program that reads the document: thousands of requests made up from it, most of them
//! about things that there are.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, python, world};

const OPENAPI: &str = include_str!("../openapi/openapi.json");

/// Streams do not end; `stream.rs` and `bad_input.rs` try them.
const LEFT_OUT: [&str; 2] = ["streamEvents", "streamEventsById"];

/// Signs in again when a session or token is ended, which is among what it tries; fails where it got in nowhere.
const CONFIGURATION: &str = r#"
continue-on-failure = true

[auth.dynamic.openapi.bearer]
path = "/api/v1/auth/login"
payload = { username = "admin", password = "${PASSWORD}" }
extract_selector = "/access_token"

[warnings]
fail-on = ["missing_auth"]
"#;

/// One more of something.
async fn new(client: &Client, path: &str, body: Value) -> Value {
    let answer = client.post(&format!("/api/v1/{path}"), body).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    answer.json
}

/// One of each, by the name of the parameter that names it in paths.
async fn things(client: &Client) -> Vec<(&'static str, Vec<Value>)> {
    new(client, "incidents", json!({ "title": "one" })).await;
    new(client, "incidents", json!({ "title": "two" })).await;
    new(client, "servers", json!({ "name": "db-1", "host": "db-1.example.org", "check": { "enabled": false } })).await;
    let window = json!({ "starts_at": "2200-01-01T00:00:00Z", "ends_at": "2200-01-02T00:00:00Z" });
    let server = new(client, "servers/db-1/maintenance", window).await;
    new(client, "users", json!({ "username": "olga", "name": "Olga", "roles": ["operator"] })).await;
    new(client, "roles", json!({ "name": "reporter", "permissions": ["incidents.read"] })).await;
    let token = json!({ "name": "nightly", "permissions": ["incidents.read"], "expires_in_days": 1 });
    let tokens = [new(client, "users/olga/tokens", token.clone()).await, new(client, "me/tokens", token).await];
    let session = client.get("/api/v1/me").await.json["session_id"].clone();
    let url = "https://example.org/hook";
    let channel = new(client, "notification-channels", json!({ "name": "c", "kind": "webhook", "url": url })).await;
    let rule = json!({ "name": "r", "channel": channel["id"], "types": ["incident.*"], "text": "x" });
    let rule = new(client, "notification-rules", rule).await;
    let steps = json!([{ "name": "Ask", "approval": { "prompt": "?" } }]);
    let runbook = new(client, "runbooks", json!({ "name": "r", "steps": steps })).await;
    let run = format!("runbooks/{}/run", runbook["id"].as_str().unwrap());
    let execution = new(client, &run, json!({})).await;
    new(client, "logs", json!({ "source": "s", "lines": [{ "message": "one" }, { "message": "two" }] })).await;
    let lines = client.get("/api/v1/logs").await.json;
    vec![
        ("incident", vec!["INC-1".into(), "INC-2".into()]),
        ("server", vec!["db-1".into()]),
        ("window", vec![server["maintenance"][0]["id"].clone()]),
        ("user", vec!["olga".into()]),
        ("role", vec!["reporter".into(), "viewer".into()]),
        ("token", tokens.map(|token| token["id"].clone()).into()),
        ("session", vec![session]),
        ("channel", vec![channel["id"].clone()]),
        ("rule", vec![rule["id"].clone()]),
        ("runbook", vec![runbook["id"].clone()]),
        ("execution", vec![execution["id"].clone()]),
        ("line", vec![lines["items"][0]["id"].clone()]),
        ("seq", vec![1.into()]),
    ]
}

/// Two requests of three name something that there is; the others are made up altogether.
fn naming(things: &[(&str, Vec<Value>)]) -> String {
    let named = things.iter().map(|(name, values)| {
        let values = json!(values);
        format!(
            "[dictionaries.{name}]\nvalues = {values}\n\
             [parameters.\"path.{name}\"]\ndictionary = \"{name}\"\nprobability = 0.66\n"
        )
    });
    named.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_server_error_and_nothing_undocumented() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")); // where it keeps what it learnt
    let configuration = folder.join("schemathesis.toml");
    std::fs::write(&configuration, CONFIGURATION.to_owned() + &naming(&things(&client).await)).unwrap();
    let url = format!("{}/openapi.json", server.url);
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python::programs().join("schemathesis"))
            .current_dir(folder)
            .env("PASSWORD", PASSWORD)
            .arg("--config-file")
            .arg(configuration)
            .args(["run", &url])
            .args(LEFT_OUT.iter().flat_map(|id| ["--exclude-operation-id", id]))
            .args(["--exclude-checks", "positive_data_acceptance"]) // 422 is for what a schema cannot say
            .args(["--max-examples", "30", "--seed", "20260101", "--no-color", "--suppress-health-check", "all"])
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let operations = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len());
    let tested = format!("Tested: {}", operations.sum::<usize>() - LEFT_OUT.len());
    assert!(report.contains(&tested) && report.contains("passed"), "{tested}\n{report}");
}
