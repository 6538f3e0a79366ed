//! Across the death of servers, and the end of what they run.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{are_gone, pids, printed, runs, serve, shell, start, story, told, until, write};
use crate::harness::{Client, PATIENCE, world};
use crate::process::Home;

/// A program that starts a grandchild and one that leaves its process group, says who they are, and never ends.
const FAMILY: &str = "sh -c 'sleep 1000 & setsid sleep 1000 & wait' & sleep 1000 & sleep 0.2; \
                      echo begun; pgrep -P $$ | tr '\\n' ' ' > $1.part; \
                      pgrep -P $(pgrep -P $$ -x sh | head -1) | tr '\\n' ' ' >> $1.part; \
                      echo $$ >> $1.part; mv $1.part $1; wait";

/// Those of the pids told that stay: the shell, its two children, and theirs. Asking for them took one that does not.
fn family(told: &str) -> Vec<u32> {
    let family: Vec<u32> = pids(told).into_iter().filter(|pid| runs(*pid)).collect();
    assert!(family.len() >= 5, "{told}");
    family
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_the_program_and_all_that_it_started() {
    let (world, home) = (world().await, Home::new());
    let server = serve(&world, &home, &json!({ "family": shell(FAMILY) }));
    let admin = server.admin().await;
    let file = home.path().join("pids");
    let command = json!({ "name": "family", "arguments": [file] });
    let steps = json!([{ "name": "Go", "timeout_s": 600, "command": command }]);
    let runbook = write(&admin, "Family", steps).await;
    let path = start(&admin, &runbook, json!({})).await;
    let family = family(&told(&file).await);
    let asked = admin.post(&format!("{path}/cancel"), json!({ "reason": "enough" })).await;
    assert_eq!((asked.status.as_u16(), &asked.json["status"]), (200, &json!("running")), "{}", asked.text);
    let cancelled = until(&admin, &path, "cancelled").await;
    are_gone(&family, Duration::ZERO).await; // cancelled is said when nothing runs any more
    assert_eq!(cancelled["end_reason"], "enough");
    assert_eq!(printed(&admin, &path).await, ["begun"], "what was printed before is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_too_long_is_ended_and_one_that_fails_is_tried_again() {
    let (world, home) = (world().await, Home::new());
    let count = "echo x >> $1; test $(wc -l < $1) -ge 3";
    let commands = json!({ "family": shell(FAMILY), "third": shell(count), "never": shell("echo no >&2; exit 7") });
    let server = serve(&world, &home, &commands);
    let admin = server.admin().await;
    let (file, tries) = (home.path().join("pids"), home.path().join("tries"));
    let steps = json!([
        { "name": "Third time", "retry": { "attempts": 3, "pause_s": 0 },
          "command": { "name": "third", "arguments": [tries] } },
        { "name": "Never", "continue_on_failure": true, "command": { "name": "never" } },
        { "name": "Forever", "timeout_s": 2, "command": { "name": "family", "arguments": [file] } }
    ]);
    let runbook = write(&admin, "Stubborn", steps).await;
    let path = start(&admin, &runbook, json!({})).await;
    let ended = until(&admin, &path, "timed_out").await;
    are_gone(&pids(&told(&file).await), Duration::ZERO).await;
    assert_eq!(ended["end_reason"], "the step Forever failed: it took longer than 2 s");
    let steps = ended["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["attempt"], &steps[0]["status"]), (&json!(3), &json!("succeeded")));
    assert_eq!((&steps[1]["reason"], &steps[1]["status"]), (&json!("exit code 7"), &json!("failed")));

    // From the step that failed on, and with attempts of its own.
    let resumed = admin.post(&format!("{path}/resume"), json!({ "reason": "once more" })).await;
    assert_eq!(resumed.status, 200, "{}", resumed.text);
    let again = until(&admin, &path, "timed_out").await;
    assert_eq!((&again["steps"][0]["attempt"], &again["steps"][2]["attempt"]), (&json!(3), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_takes_its_programs_along_and_another_says_what_was_interrupted() {
    let (world, home) = (world().await, Home::new());
    let commands = json!({ "family": shell(FAMILY) });
    let first = serve(&world, &home, &commands);
    let admin = first.admin().await;
    let file = home.path().join("pids");
    let step = json!({ "name": "Go", "timeout_s": 600, "command": { "name": "family", "arguments": [file] } });
    let runbook = write(&admin, "Family", json!([step])).await;
    let path = start(&admin, &runbook, json!({})).await;
    let family = family(&told(&file).await);
    let second = serve(&world, &home, &commands);
    first.signal(Signal::KILL);
    are_gone(&family, PATIENCE).await;
    let admin = Client::new(&second.url).with_token(&admin.token);
    let failed = until(&admin, &path, "failed").await;
    assert!(failed["end_reason"].as_str().unwrap().starts_with("the step Go was interrupted: "), "{failed}");
    assert_eq!(failed["steps"][0]["status"], "interrupted");
    let told = story(&admin, &path).await;
    assert_eq!(told, ["queued", "started", "step.started", "continued", "step.finished", "failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_may_be_repeated_is_begun_again_where_the_server_died_and_never_runs_twice_at_once() {
    let (world, home) = (world().await, Home::new());
    // Says that it is there twice if another of it still runs.
    let script = "test -e $1.lock && kill -0 $(cat $1.lock) && { echo twice >> $1.log; exit 9; }; \
                  echo $$ > $1.lock; echo $$ >> $1.log; cp $1.log $1.tmp; mv $1.tmp $1; \
                  test $(wc -l < $1.log) -ge 2 && exit 0; sleep 1000";
    let commands = json!({ "once": shell(script) });
    let programs = [serve(&world, &home, &commands), serve(&world, &home, &commands)];
    let admin = programs[0].admin().await;
    let file = home.path().join("once");
    let step = json!({ "name": "Go", "timeout_s": 600, "repeatable": true,
                       "command": { "name": "once", "arguments": [file] } });
    let steps = json!([{ "name": "Before", "wait": { "seconds": 1 } }, step]);
    let runbook = write(&admin, "Again", steps).await;
    let path = start(&admin, &runbook, json!({})).await;
    let begun = pids(&told(&file).await);
    // Frozen, not killed: it still believes that it holds the lease.
    let runner = until(&admin, &path, "running").await["runner"].as_str().unwrap().to_owned();
    let mut held = None;
    for program in &programs {
        let client = Client::new(&program.url).with_token(&admin.token);
        if client.get("/api/v1/system").await.json["process"] == runner.as_str() {
            program.signal(Signal::STOP);
            held = Some(program);
        }
    }
    let frozen = held.expect("one of the two runs it");
    let other = programs.iter().find(|program| program.url != frozen.url).unwrap();
    are_gone(&begun, PATIENCE).await;
    let admin = Client::new(&other.url).with_token(&admin.token);
    let done = until(&admin, &path, "succeeded").await;
    assert_eq!(std::fs::read_to_string(file.with_extension("log")).unwrap().lines().count(), 2, "begun twice in all");
    assert_eq!(done["steps"][0]["attempt"], 1, "what was done before is not done again");
    // Awake again, it finds that it has lost, and changes nothing.
    let events = story(&admin, &path).await;
    frozen.signal(Signal::CONT);
    let client = Client::new(&frozen.url).with_token(&admin.token);
    client.report("it serves again").await;
    assert_eq!(story(&client, &path).await, events);
    assert_eq!(events.iter().filter(|kind| *kind == "continued").count(), 1);
}
