//! What is checked in says what the code does.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use signalbox::domain::permission;

use crate::harness::{python, world};

const OPENAPI: &str = include_str!("../openapi/openapi.json");
const PROOFS: &str = include_str!("../openapi/proofs.md");
const STREAM: &str = include_str!("../openapi/stream.md");
const README: &str = include_str!("../README.md");

#[test]
fn the_openapi_document_is_that_of_the_code() {
    assert!(OPENAPI == signalbox::http::docs::text(), "openapi/openapi.json differs: `make openapi` writes it anew");
}

#[test]
fn every_operation_says_who_may_call_it_and_how_it_fails() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let open = ["login", "refresh", "acceptInvitation", "streamEventsById", "livez", "readyz"];
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
            assert!(operation["summary"].is_string(), "{id} has no summary");
            assert_eq!(operation["security"] == json!([]), open.contains(&id), "{id}");
            let needed = operation["x-permission"].as_str();
            let known = |word: &str| word == "signed_in" || permission::named(word).is_some();
            assert!(needed.map_or(open.contains(&id), known), "{id} does not say what it needs");
            if operation["security"] != json!([]) {
                assert!(operation["responses"]["401"].is_object(), "{id}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_of_the_api_needs_nothing_from_elsewhere() {
    let world = world().await;
    let server = world.serve().await;
    for path in ["/docs", "/"] {
        let page = server.anonymous().get(path).await;
        assert_eq!(page.status, 200);
        for source in ["src=\"http", "href=\"http", "src='http", "@import", "url(http"] {
            assert!(!page.text.contains(source), "{path} loads something: {source}");
        }
    }
    assert_eq!(server.anonymous().get("/openapi.json").await.json["openapi"], "3.1.0");
}

#[test]
fn the_stream_s_contract_names_every_frame_and_reason() {
    for word in [
        "ready",
        "heartbeat",
        "reset",
        "bye",
        "future",
        "epoch",
        "shutdown",
        "token_expired",
        "revoked",
        "unavailable",
        "disabled",
        "degraded",
        "essential_only",
    ] {
        assert!(STREAM.contains(&format!("`{word}`")) || STREAM.contains(&format!("`event: {word}`")), "{word}");
    }
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let help = |command: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_signalbox")).args([command, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = help("serve") + &help("--help");
    let settings: Vec<&str> = text
        .match_indices("[env: ")
        .map(|(at, _)| {
            let rest = &text[at + 6..];
            rest.split(['=', ']']).next().unwrap()
        })
        .collect();
    assert!(settings.len() > 10, "{text}");
    for setting in settings {
        assert!(README.contains(&format!("`{setting}`")), "{setting} is missing in the README");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_can_recompute_every_leaf_hash_with_the_program_in_proofs_md() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let incident = client.report("Größe \u{1F6A8} \"quoted\" \u{2028} tab\u{7f}").await;
    let path = format!("/api/v1/incidents/{}", incident["key"].as_str().unwrap());
    client.patch(&path, json!({ "labels": { "b": "ü", "a": "1" }, "affected_servers": ["db-1"] })).await;
    client.post(&format!("{path}/comments"), json!({ "text": "line\nline\ttab \\u0000" })).await;
    client.caught_up().await;
    let mut lines = String::new();
    let mut count = 0;
    while let seen @ (200 | 404) = client.get(&format!("/api/v1/events/{}", count + 1)).await.status.as_u16() {
        if seen == 404 {
            break;
        }
        count += 1;
        let shown = client.get(&format!("/api/v1/events/{count}")).await;
        lines += &shown.text;
        lines.push('\n');
    }
    assert!(count >= 6, "{lines}");

    let program = PROOFS.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut python = Command::new(python::programs().join("python"))
            .args(["-c", &program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        python.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap()
    });
    let verdicts = output.await.unwrap();
    assert_eq!(verdicts.lines().collect::<Vec<_>>(), vec!["True"; count]);
}
