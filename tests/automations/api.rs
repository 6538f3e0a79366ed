//! Runbooks and executions as a client sees them.

use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::user::Role;
use signalbox::projections::rebuild::compare;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{printed, start, story, until, write, write_whole};
use crate::harness::{Answer, PASSWORD, world};

#[tokio::test]
async fn a_runbook_is_done_step_by_step_and_each_step_is_in_the_log() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let incident = admin.report("Disk full").await;
    let runbook = write_whole(&admin, json!({
        "name": "Clean up",
        "inputs": [{ "name": "incident", "required": true }, { "name": "n", "kind": "integer", "default": 3 }],
        "steps": [
            { "name": "Breathe", "wait": { "seconds": 1 } },
            { "name": "Tell", "notification": { "subject": "Cleaning {{inputs.n}}", "text": "for {{inputs.incident}}" } },
            { "name": "Note", "incident": {
                "incident": "{{inputs.incident}}", "status": "investigating", "comment": "Cleaned {{inputs.n}} times" } }
        ]
    }))
    .await;
    let path = start(&admin, &runbook, json!({ "incident": incident["key"] })).await;
    let done = until(&admin, &path, "succeeded").await;
    assert_eq!(done["inputs"], json!({ "incident": incident["key"], "n": 3 }));
    let steps: Vec<&Value> = done["steps"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
    assert_eq!(steps, ["succeeded"; 3]);
    assert_eq!(
        story(&admin, &path).await,
        [
            "queued",
            "started",
            "step.started",
            "step.finished",
            "step.started",
            "notified",
            "step.finished",
            "step.started",
            "step.finished",
            "completed"
        ]
    );
    let changed = admin.get(&format!("/api/v1/incidents/{}", incident["key"].as_str().unwrap())).await.json;
    assert_eq!((&changed["status"], &changed["comments"]), (&json!("investigating"), &json!(1)));
    let timeline = admin.get(&format!("/api/v1/incidents/{}/timeline", incident["key"].as_str().unwrap())).await.json;
    let moved = &timeline["items"][1];
    assert_eq!(moved["actor"]["name"], "Clean up");
    assert_eq!(moved["correlation_id"], done["correlation_id"], "what follows from one command is found by one id");
    assert!(moved["data"]["reason"].as_str().unwrap().contains("Clean up"), "{moved}");
    let (_, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences, []);
}

#[tokio::test]
async fn an_execution_waits_for_a_person_and_goes_on_as_that_person_says() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    world.user("olga", Role::Operator).await;
    admin.caught_up().await;
    let olga = server.anonymous().sign_in("olga", PASSWORD).await;
    let steps = json!([
        { "name": "Ask", "approval": { "prompt": "Really?", "by_another": true } },
        { "name": "Breathe", "wait": { "seconds": 1 } }
    ]);
    let runbook = write(&admin, "Careful", steps).await;

    let path = start(&admin, &runbook, json!({})).await;
    let waiting = until(&admin, &path, "waiting_approval").await;
    assert_eq!(waiting["allowed_actions"], json!(["approve", "reject", "cancel"]));
    admin.post(&format!("{path}/approve"), json!({})).await.is_problem(403, "own_approval");
    let approved = olga.post(&format!("{path}/approve"), json!({ "reason": "looks right" })).await;
    assert_eq!((approved.status.as_u16(), &approved.json["status"]), (200, &json!("queued")), "{}", approved.text);
    until(&admin, &path, "succeeded").await;
    olga.post(&format!("{path}/approve"), json!({})).await.is_problem(409, "illegal_transition");

    let path = start(&admin, &runbook, json!({})).await;
    until(&admin, &path, "waiting_approval").await;
    let rejected = olga.post(&format!("{path}/reject"), json!({ "reason": "not today" })).await.json;
    assert_eq!(rejected["status"], "failed");
    assert_eq!(rejected["end_reason"], "the step Ask was rejected: not today");

    let path = start(&admin, &runbook, json!({})).await;
    until(&admin, &path, "waiting_approval").await;
    let cancelled = olga.post(&format!("{path}/cancel"), json!({ "reason": "never mind" })).await.json;
    assert_eq!((&cancelled["status"], &cancelled["end_reason"]), (&json!("cancelled"), &json!("never mind")));
}

#[tokio::test]
async fn a_question_that_nobody_answers_in_time_ends_the_execution() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let steps = json!([{ "name": "Ask", "timeout_s": 1, "approval": { "prompt": "Really?" } }]);
    let runbook = write(&admin, "Patient", steps).await;
    let path = start(&admin, &runbook, json!({})).await;
    let ended = until(&admin, &path, "timed_out").await;
    assert_eq!(ended["end_reason"], "nobody has decided about the step Ask in time");
    assert_eq!(ended["steps"][0]["status"], "timed_out");

    let whole = json!({ "name": "Hasty", "timeout_s": 1, "steps": [{ "name": "Sleep", "wait": { "seconds": 60 } }] });
    let runbook = write_whole(&admin, whole).await;
    let path = start(&admin, &runbook, json!({})).await;
    let ended = until(&admin, &path, "timed_out").await;
    assert!(ended["end_reason"].as_str().unwrap().contains("the time for the whole is over"), "{ended}");
}

#[tokio::test]
async fn only_so_many_of_a_runbook_run_at_once_on_all_processes_together() {
    let world = world().await;
    let (first, _second) = (world.serve().await, world.serve().await);
    let admin = first.admin().await;
    let steps = json!([{ "name": "Breathe", "wait": { "seconds": 1 } }]);
    let runbook = write(&admin, "One by one", steps).await;
    let mut paths = Vec::new();
    for _ in 0..3 {
        paths.push(start(&admin, &runbook, json!({})).await);
    }
    for path in &paths {
        until(&admin, path, "succeeded").await;
    }
    let overlapping: i64 = world
        .value(
            "select count(*) from executions a join executions b on a.id < b.id
              where (a.state ->> 'started_at') < (b.state ->> 'ended_at')
                and (b.state ->> 'started_at') < (a.state ->> 'ended_at')",
        )
        .await;
    assert_eq!(overlapping, 0);
}

#[tokio::test]
async fn what_a_role_may_not_do_is_refused() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    world.user("vera", Role::Viewer).await;
    world.user("olga", Role::Operator).await;
    admin.caught_up().await;
    let vera = server.anonymous().sign_in("vera", PASSWORD).await;
    let olga = server.anonymous().sign_in("olga", PASSWORD).await;
    let steps = json!([{ "name": "Ask", "approval": { "prompt": "Really?" } }]);
    let runbook = write(&admin, "Guarded", steps.clone()).await;
    let run = format!("/api/v1/runbooks/{runbook}/run");
    vera.post(&run, json!({})).await.is_problem(403, "forbidden");
    olga.post("/api/v1/runbooks", json!({ "name": "Mine", "steps": steps })).await.is_problem(403, "forbidden");
    let path = start(&olga, &runbook, json!({})).await;
    until(&vera, &path, "waiting_approval").await;
    vera.post(&format!("{path}/approve"), json!({})).await.is_problem(403, "forbidden");
    vera.post(&format!("{path}/cancel"), json!({})).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn a_runbook_has_one_name_and_a_version_and_can_be_put_away() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let steps = json!([{ "name": "Breathe", "wait": { "seconds": 1 } }]);
    let runbook = write(&admin, "Once", steps.clone()).await;
    let path = format!("/api/v1/runbooks/{runbook}");
    let twice = json!({ "name": "once", "steps": steps });
    admin.post("/api/v1/runbooks", twice.clone()).await.is_problem(409, "name_taken");

    let shown = admin.get(&path).await;
    let mut definition = shown.json["definition"].clone();
    definition["description"] = json!("now with words");
    let put = admin.request(Method::PUT, &path).header("if-match", shown.header("etag")).json(&definition);
    let put = Answer::of(put).await;
    assert_eq!((put.status.as_u16(), put.header("etag")), (200, "\"2\""), "{}", put.text);
    let stale = admin.request(Method::PUT, &path).header("if-match", "\"1\"").json(&definition);
    Answer::of(stale).await.is_problem(412, "version_mismatch");

    assert_eq!(admin.post(&format!("{path}/archive"), json!({ "reason": "old" })).await.json["archived"], true);
    admin.post(&format!("{path}/run"), json!({})).await.is_problem(409, "archived");
    Answer::of(admin.request(Method::PUT, &path).json(&twice)).await.is_problem(409, "archived");
    write(&admin, "Once", steps).await;
    admin.post(&format!("{path}/restore"), json!({})).await.is_problem(409, "name_taken");
    let listed = admin.get("/api/v1/runbooks?archived=true").await.json;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &json!(runbook)));
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_the_place_where_it_is_wrong() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let wait = json!({ "seconds": 1 });
    for (definition, pointer) in [
        (json!({ "name": "x", "steps": [] }), "/steps"),
        (json!({ "name": " ", "steps": [{ "name": "a", "wait": wait }] }), "/name"),
        (json!({ "name": "x", "steps": [{ "name": "a" }] }), "/steps/0"),
        (json!({ "name": "x", "steps": [{ "name": "a", "wait": wait, "approval": { "prompt": "?" } }] }), "/steps/0"),
        (json!({ "name": "x", "steps": [{ "name": "a", "wait": { "seconds": 61 } }] }), "/steps/0/timeout_s"),
        (json!({ "name": "x", "steps": [{ "name": "a", "command": { "name": "rm" } }] }), "/steps/0/command/name"),
        (
            json!({ "name": "x", "steps": [{ "name": "a", "http": { "method": "GET", "url": "http://{{inputs.no}}" } }] }),
            "/steps/0",
        ),
        (
            json!({ "name": "x", "inputs": [{ "name": "key", "secret": true }],
                "steps": [{ "name": "a", "notification": { "subject": "s", "text": "{{inputs.key}}" } }] }),
            "/steps/0",
        ),
        (
            json!({ "name": "x", "inputs": [{ "name": "key", "secret": true, "default": "hunter22" }],
                "steps": [{ "name": "a", "wait": wait }] }),
            "/inputs/0/default",
        ),
        (
            json!({ "name": "x", "steps": [{ "name": "a", "wait": wait }],
                "schedule": { "cron": "often", "time_zone": "UTC" } }),
            "/schedule",
        ),
        (
            json!({ "name": "x", "steps": [{ "name": "a", "wait": wait }],
                "on_event": { "types": ["incident.created"], "condition": "data.severity ==" } }),
            "/on_event/condition",
        ),
        (
            json!({ "name": "x", "steps": [{ "name": "a", "wait": wait }], "on_event": { "types": ["no.such"] } }),
            "/on_event/types/0",
        ),
    ] {
        let answer = admin.post("/api/v1/runbooks", definition.clone()).await;
        answer.is_problem(422, "invalid");
        let errors = answer.json["errors"].as_array().unwrap();
        assert!(errors.iter().any(|error| error["pointer"] == pointer), "{definition}: {}", answer.text);
    }
    let unknown = json!({ "name": "x", "steps": [{ "name": "a", "wait": { "seconds": 1, "minutes": 2 } }] });
    assert_eq!(admin.post("/api/v1/runbooks", unknown).await.status, 400);

    let typed = json!({
        "name": "Typed", "steps": [{ "name": "a", "wait": wait }],
        "inputs": [{ "name": "n", "kind": "integer", "required": true },
                   { "name": "way", "kind": "choice", "choices": ["up", "down"] },
                   { "name": "key", "secret": true }]
    });
    let runbook = write_whole(&admin, typed).await;
    for (inputs, pointer) in [
        (json!({}), "/inputs/n"),
        (json!({ "n": "3" }), "/inputs/n"),
        (json!({ "n": 3, "way": "left" }), "/inputs/way"),
        (json!({ "n": 3, "key": "abc" }), "/inputs/key"),
        (json!({ "n": 3, "other": 1 }), "/inputs/other"),
    ] {
        let answer = admin.post(&format!("/api/v1/runbooks/{runbook}/run"), json!({ "inputs": inputs })).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_step_asks_other_systems_where_the_guard_of_egress_lets_it() {
    let world = world().await;
    let server = world.serve_with(&["--egress-allow=127.0.0.0/8"]).await;
    let admin = server.admin().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (say, mut said) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).await.unwrap();
            if length == 0 {
                continue; // a test of the connection
            }
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let answer = if asked.starts_with("POST /ok") { "200 OK" } else { "503 Service Unavailable" };
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 11\r\nconnection: close\r\n\r\nall is well");
            stream.write_all(answer.as_bytes()).await.unwrap();
            say.send(asked).await.unwrap();
        }
    });
    let inventory = json!({ "name": "web-1", "host": "127.0.0.1", "port": port, "check": { "method": "tcp" } });
    let entered = admin.post("/api/v1/servers", inventory).await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    let http = |method: &str, path: &str| {
        json!({ "method": method, "url": format!("http://127.0.0.1:{port}{path}"),
        "headers": { "X-Greeting": "{{inputs.greeting}}" }, "body": "{{inputs.greeting}}!" })
    };
    let mut expected = http("PUT", "/busy");
    expected["expect"] = json!([503]);
    let elsewhere = json!({ "method": "GET", "url": "http://169.254.169.254/latest/meta-data" });
    let runbook = write_whole(
        &admin,
        json!({
            "name": "Ask around",
            "inputs": [{ "name": "greeting", "default": "hello" }],
            "steps": [
                { "name": "Reach", "server_test": { "server": "web-1" } },
                { "name": "Ask", "http": http("POST", "/ok") },
                { "name": "Expect", "http": expected },
                { "name": "Fail", "continue_on_failure": true, "http": http("GET", "/busy") },
                { "name": "Escape", "http": elsewhere }
            ]
        }),
    )
    .await;
    let path = start(&admin, &runbook, json!({})).await;
    let ended = until(&admin, &path, "failed").await;
    let steps = ended["steps"].as_array().unwrap();
    let reasons: Vec<&str> = steps.iter().map(|step| step["reason"].as_str().unwrap()).collect();
    let forbidden = "the host has an address that this server may not connect to";
    assert_eq!(
        reasons,
        [
            "the port accepts connections",
            "200 OK",
            "503 Service Unavailable",
            "answered 503 Service Unavailable",
            forbidden
        ]
    );
    let asked = said.recv().await.unwrap();
    assert!(asked.contains("x-greeting: hello\r\n") && asked.ends_with("\r\n\r\nhello!"), "{asked}");
    assert_eq!(printed(&admin, &path).await[..2], ["200 OK", "all is well"]);
    let web = admin.get("/api/v1/servers/web-1").await.json;
    assert_eq!(web["status"], "up", "{web}");
}

#[tokio::test]
async fn a_list_of_runbooks_says_how_each_ended_last_and_when_it_comes_next() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let step = json!([{ "name": "Breathe", "wait": { "seconds": 1 } }]);
    write(&admin, "Never done", step.clone()).await;
    let schedule = json!({ "cron": "0 4 * * *", "time_zone": "UTC" });
    let nightly = write_whole(&admin, json!({ "name": "Nightly", "steps": step, "schedule": schedule })).await;
    let first = start(&admin, &nightly, json!({})).await;
    until(&admin, &first, "succeeded").await;
    let ask = json!({ "inputs": { "unknown": 1 } });
    admin.post(&format!("/api/v1/runbooks/{nightly}/run"), ask).await.is_problem(422, "invalid");
    let second = start(&admin, &nightly, json!({})).await;
    admin.post(&format!("{second}/cancel"), json!({})).await;
    let ended = until(&admin, &second, "cancelled").await;

    let page = admin.get("/api/v1/runbooks").await.json;
    let of = |name: &str| page["items"].as_array().unwrap().iter().find(|one| one["definition"]["name"] == name);
    let (never, nightly_row) = (of("Never done").unwrap(), of("Nightly").unwrap());
    assert_eq!((never.get("last_execution"), never.get("next_at")), (None, None));
    let last = &nightly_row["last_execution"];
    assert_eq!(
        (&last["id"], &last["status"], &last["ended_at"]),
        (&ended["id"], &json!("cancelled"), &ended["ended_at"])
    );
    let times = admin.get(&format!("/api/v1/runbooks/{nightly}/times")).await.json;
    let times = times["items"].as_array().unwrap();
    assert_eq!((times.len(), &times[0]), (5, &nightly_row["next_at"]));
    assert!(times.iter().all(|time| time.as_str().unwrap().ends_with("T04:00:00Z")), "{times:?}");

    // Put away, nothing starts it.
    admin.post(&format!("/api/v1/runbooks/{nightly}/archive"), json!({})).await;
    let times = admin.get(&format!("/api/v1/runbooks/{nightly}/times")).await.json;
    assert_eq!(times["items"], json!([]));
}
