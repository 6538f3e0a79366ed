//! What executions print.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{printed, serve, shell, start, until, write, write_whole};
use crate::harness::world;
use crate::process::Home;

/// Lines of the long run.
const LINES: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_100_000_lines_is_read_from_its_beginning_to_its_end_while_it_runs() {
    let (world, home) = (world().await, Home::new());
    let script = format!("seq 1 {LINES}");
    let server = serve(&world, &home, &json!({ "count": shell(&script) }));
    let admin = server.admin().await;
    let runbook = write(&admin, "Count", json!([{ "name": "Go", "command": { "name": "count" } }])).await;
    let path = start(&admin, &runbook, json!({})).await;
    let id = path.rsplit('/').next().unwrap().to_owned();

    // Replay: pages while there are more.
    let (mut texts, mut after, mut position) = (Vec::new(), None::<String>, 0);
    while texts.len() < 1_000 || after.is_some() {
        let query = after.take().map_or(String::new(), |after| format!("&after={after}"));
        let page = admin.get(&format!("{path}/lines?limit=1000{query}")).await;
        position = page.header("signalbox-seq").parse::<i64>().unwrap();
        let items = page.json["items"].as_array().unwrap();
        if texts.is_empty() && items.is_empty() {
            continue; // nothing printed yet
        }
        let known = query.strip_prefix("&after=").map(str::to_owned);
        texts.extend(items.iter().map(|line| line["text"].as_str().unwrap().to_owned()));
        let last = items.last().map(|line| line["id"].as_str().unwrap().to_owned());
        after = page.json["next"].as_str().map(str::to_owned);
        if after.is_none() && texts.len() < 1_000 {
            after = last.or(known);
        }
    }
    // Then tail: each event names its lines, and carries them where they are few.
    let mut stream = admin.stream("?types=log.added", Some(position)).await;
    while texts.len() < LINES {
        let frame = stream.event().await;
        let (seq, data) = (frame.id.unwrap_or_default(), &frame.data["data"]);
        match frame.event.as_str() {
            "log.added" if data["execution"] == id.as_str() => {
                let count = data["count"].as_u64().unwrap();
                assert!((1..=500).contains(&count));
                let lines = match data["lines"].as_array() {
                    Some(lines) => lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect(),
                    None => batch(&admin.get(&format!("{path}/lines?after={seq}.0&limit={count}")).await.json),
                };
                texts.extend(lines);
            }
            _ => {}
        }
    }
    let expected: Vec<String> = (1..=LINES).map(|n| n.to_string()).collect();
    assert!(
        texts == expected,
        "{} lines, of them {} different",
        texts.len(),
        texts.iter().collect::<BTreeSet<_>>().len()
    );

    until(&admin, &path, "succeeded").await;
    let all = printed(&admin, &path).await;
    assert!(all == expected, "{}", all.len());
    let events: i64 = world.value("select count(*) from events where type = 'log.added'").await;
    assert!(events < 1_000, "{events} events for {LINES} lines");

    // Backwards: the last page, and the one before it.
    let last = admin.get(&format!("{path}/lines?before=9223372036854775807.0&limit=10")).await.json;
    assert_eq!(batch(&last), expected[LINES - 10..]);
    let before = last["previous"].as_str().unwrap();
    let page = admin.get(&format!("{path}/lines?before={before}&limit=10")).await.json;
    assert_eq!(batch(&page), expected[LINES - 20..LINES - 10]);

    // From any line on, by its number, and searched: each line knows its number.
    let numbers = |page: &Value| -> Vec<i64> {
        page["items"].as_array().unwrap().iter().map(|line| line["number"].as_i64().unwrap()).collect()
    };
    assert_eq!((numbers(&page), &page["total"]), ((99_981..=99_990).collect(), &json!(LINES)));
    for from in [1, 2, 70_000, 99_999] {
        let page = admin.get(&format!("{path}/lines?from={from}&limit=3")).await.json;
        let wanted: Vec<i64> = (from..=LINES as i64).take(3).collect();
        assert_eq!(numbers(&page), wanted);
        assert_eq!(batch(&page), wanted.iter().map(i64::to_string).collect::<Vec<_>>());
    }
    assert!(numbers(&admin.get(&format!("{path}/lines?from=100001")).await.json).is_empty());
    let found = admin.get(&format!("{path}/lines?q=9999&limit=4")).await.json;
    assert_eq!((numbers(&found), &found["total"]), (vec![9_999, 19_999, 29_999, 39_999], &json!(LINES)));
    let found = admin.get(&format!("{path}/lines?q=9999&from=99990&limit=3")).await.json;
    assert_eq!(numbers(&found), [99_990, 99_991, 99_992]);
    let none = admin.get(&format!("{path}/lines?q=9_99")).await.json;
    assert!(numbers(&none).is_empty(), "a text, and no pattern");
    admin.get(&format!("{path}/lines?q=")).await.is_problem(400, "invalid_parameter");
    admin.get(&format!("{path}/lines?from=0")).await.is_problem(400, "invalid_parameter");
    admin.get(&format!("{path}/lines?from=1&after=1.1")).await.is_problem(400, "invalid_parameter");
}

fn batch(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_event_no_state_and_no_line_however_it_is_printed() {
    const SECRET: &str = "correct-horse/battery+staple";
    let (world, home) = (world().await, Home::new());
    // As it is, in halves a while apart, in base64, in an error, and as the reason of a failure.
    let script = "echo \"token $1\"; printf %s \"${1%%battery*}\"; sleep 0.3; echo \"battery${1##*battery}\"; \
                  printf %s \"$1\" | base64; echo \"no $1\" >&2; exit 3";
    let server = serve(&world, &home, &json!({ "leak": shell(script) }));
    let admin = server.admin().await;
    let definition = json!({
        "name": "Leaky",
        "inputs": [{ "name": "token", "secret": true, "required": true }],
        "steps": [
            { "name": "Leak", "continue_on_failure": true,
              "command": { "name": "leak", "arguments": ["{{inputs.token}}"] } },
            { "name": "Ask", "timeout_s": 5, "http": { "method": "GET", "url": "http://127.0.0.1:1/{{inputs.token}}" } }
        ]
    });
    let runbook = write_whole(&admin, definition).await;
    let path = start(&admin, &runbook, json!({ "token": SECRET })).await;
    let failed = until(&admin, &path, "failed").await;
    assert_eq!(failed["inputs"]["token"], "***");
    let mut lines = printed(&admin, &path).await;
    lines.sort();
    assert_eq!(lines, ["***", "***==", "no ***", "token ***"]);
    for table in ["events", "executions", "log_lines", "idempotency", "execution_secrets"] {
        let found: i64 =
            world.value(&format!("select count(*) from {table} t where t::text ~ 'battery|YmF0dGVyeS'")).await;
        assert_eq!(found, 0, "{table}");
    }
    // Forgotten with the end: to go on, it is given again.
    let resume = format!("{path}/resume");
    admin.post(&resume, json!({})).await.is_problem(422, "secrets_forgotten");
    let resumed = admin.post(&resume, json!({ "secrets": { "token": SECRET } })).await;
    assert_eq!(resumed.status, 200, "{}", resumed.text);
    until(&admin, &path, "failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_has_no_shell_no_environment_no_options_from_inputs_and_a_limit_for_what_it_prints() {
    let (world, home) = (world().await, Home::new());
    let commands = json!({
        "echo": { "program": "/bin/echo" },
        "env": { "program": "/usr/bin/env", "environment": { "GREETING": "hello" } },
        "flood": { "program": "/usr/bin/yes", "output_kib": 64 },
        "missing": { "program": "/no/such/program" }
    });
    let server = serve(&world, &home, &commands);
    let admin = server.admin().await;
    let step = |name: &str, arguments: Value| {
        json!({ "name": name, "continue_on_failure": true,
                                                      "command": { "name": name, "arguments": arguments } })
    };
    let definition = json!({
        "name": "Walls",
        "inputs": [{ "name": "text" }],
        "steps": [
            step("echo", json!(["$(id); `id` && {{inputs.text}} | *", "two words"])),
            step("env", json!([])), step("flood", json!([])), step("missing", json!([])),
            { "name": "option", "command": { "name": "echo", "arguments": ["{{inputs.text}}"] } }
        ]
    });
    let runbook = write_whole(&admin, definition).await;
    let path = start(&admin, &runbook, json!({ "text": "-n; rm" })).await;
    let ended = until(&admin, &path, "failed").await;
    let lines = printed(&admin, &path).await;
    assert_eq!(lines[..2], ["$(id); `id` && -n; rm | * two words", "GREETING=hello"]);
    let steps = ended["steps"].as_array().unwrap();
    let reasons: Vec<&str> = steps.iter().map(|step| step["reason"].as_str().unwrap()).collect();
    let option = "the input text begins with -, which the program would take for an option";
    assert_eq!(reasons, ["exit code 0", "exit code 0", "it printed more than 64 KiB", "exit code 127", option]);
}
