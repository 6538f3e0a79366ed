//! Runbooks and their executions: through the API, over real processes, across the death of servers.

mod api;
mod crash;
mod incidents;
mod output;
mod triggers;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::harness::{Client, PATIENCE, World};
use crate::process::{Home, Program};

/// A runbook with these steps, written.
pub async fn write(admin: &Client, name: &str, steps: Value) -> String {
    write_whole(admin, json!({ "name": name, "steps": steps })).await
}

pub async fn write_whole(admin: &Client, definition: Value) -> String {
    let answer = admin.post("/api/v1/runbooks", definition).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json["id"].as_str().unwrap().to_owned()
}

/// The path of a new execution.
pub async fn start(admin: &Client, runbook: &str, inputs: Value) -> String {
    let answer = admin.post(&format!("/api/v1/runbooks/{runbook}/run"), json!({ "inputs": inputs })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    format!("/api/v1/executions/{}", answer.json["id"].as_str().unwrap())
}

/// The execution once it is so; asks again, and what is waited for is the status.
pub async fn until(client: &Client, path: &str, status: &str) -> Value {
    let patience = Instant::now() + PATIENCE;
    loop {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        if answer.json["status"] == status {
            return answer.json;
        }
        assert!(Instant::now() < patience, "not {status}: {}", answer.text);
        sleep(Duration::from_millis(20)).await;
    }
}

/// All that it printed.
pub async fn printed(client: &Client, path: &str) -> Vec<String> {
    let (mut texts, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}/lines?limit=1000{after}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        texts.extend(
            page.json["items"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()),
        );
        match page.json["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return texts,
        }
    }
}

/// The types of its events, in order.
pub async fn story(client: &Client, path: &str) -> Vec<String> {
    let stream = path.replace("/api/v1/executions/", "execution/");
    client.caught_up().await;
    let events = client.get(&format!("/api/v1/events?stream={stream}&limit=1000")).await;
    let items = events.json["items"].as_array().unwrap_or_else(|| panic!("{}", events.text)).iter();
    items.map(|event| event["type"].as_str().unwrap().replace("automation.", "")).collect()
}

/// The program on a test's database, with these commands allowed.
pub fn serve(world: &World, home: &Home, commands: &Value) -> Program {
    let file = home.path().join("commands.json");
    std::fs::write(&file, commands.to_string()).unwrap();
    let settings = [
        ("DATABASE_URL", world.app_url.as_str()),
        ("DATABASE_MIGRATE_URL", &world.owner_url),
        ("SIGNALBOX_ADMIN_PASSWORD", crate::harness::PASSWORD),
        ("SIGNALBOX_COMMANDS", file.to_str().unwrap()),
        ("SIGNALBOX_EGRESS_ALLOW", "127.0.0.0/8"),
        ("SIGNALBOX_POOL_SIZE", "4"),
    ];
    Program::start(home.path(), &settings)
}

/// A shell as the allowed program: here it is the test that writes what it does.
pub fn shell(script: &str) -> Value {
    json!({ "program": "/bin/sh", "arguments": ["-c", script, "sh"], "environment": { "PATH": "/usr/bin:/bin" } })
}

/// Waits until a file is there, and reads it: how a program says that it has come so far.
pub async fn told(file: &Path) -> String {
    let patience = Instant::now() + PATIENCE;
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < patience, "{} never came", file.display()),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process runs: one that has ended and is not yet taken note of does not.
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// Waits until none of these processes runs, for so long at most.
pub async fn are_gone(pids: &[u32], patience: Duration) {
    let patience = Instant::now() + patience;
    while let Some(pid) = pids.iter().find(|pid| runs(**pid)) {
        assert!(Instant::now() < patience, "{pid} runs on");
        sleep(Duration::from_millis(10)).await;
    }
}

pub fn pids(text: &str) -> Vec<u32> {
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}
