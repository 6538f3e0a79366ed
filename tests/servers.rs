//! Servers: who answers, who need not, and nobody tested twice. Real sockets answer, or do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::user::Role;
use signalbox::projections::rebuild::compare;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Answer, Client, PASSWORD, PATIENCE, Stream, execute, world};

const SERVERS: &str = "/api/v1/servers";
/// Loopback is where the tests listen.
const ALLOW: &[&str] = &["--egress-allow=127.0.0.0/8"];

/// Accepts, counts, and says `greeting` to whoever comes.
pub async fn listen(greeting: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let greeting = greeting.clone();
            tokio::spawn(async move {
                let _ = stream.write_all(&greeting).await;
                let _ = stream.read_to_end(&mut Vec::new()).await; // until the other side leaves
            });
        }
    });
    (port, count)
}

/// An identification and a KEXINIT packet, as an SSH server sends them.
pub fn ssh_greeting() -> Vec<u8> {
    let mut payload = vec![20];
    payload.extend([7; 16]);
    for list in ["sntrup761x25519-sha512,curve25519-sha256", "rsa-sha2-512,ssh-ed25519", "", "", "", "", "", "", "", ""]
    {
        payload.extend((list.len() as u32).to_be_bytes());
        payload.extend(list.as_bytes());
    }
    payload.extend([0; 5]);
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let mut greeting = b"SSH-2.0-TestServer_1.0 demo\r\n".to_vec();
    greeting.extend(((payload.len() + padding + 1) as u32).to_be_bytes());
    greeting.push(padding as u8);
    greeting.extend(payload);
    greeting.extend(vec![0; padding]);
    greeting
}

/// A port where nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn tcp(name: &str, port: u16) -> Value {
    json!({ "name": name, "host": "127.0.0.1", "port": port, "check": { "method": "tcp", "retries": 0 } })
}

async fn enter(client: &Client, body: Value) -> Value {
    let answer = client.post(SERVERS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json
}

fn path(server: &Value) -> String {
    format!("{SERVERS}/{}", server["id"].as_str().unwrap())
}

/// The next change of status that the stream tells: old, new and message.
async fn change(stream: &mut Stream) -> (String, String, String) {
    loop {
        let frame = stream.next().await.unwrap();
        if frame.event == "server.status.changed" {
            let data = &frame.data["data"];
            let text = |name: &str| data[name].as_str().unwrap().to_owned();
            return (text("old"), text("new"), text("message"));
        }
    }
}

fn changed(old: &str, new: &str, message: &str) -> (String, String, String) {
    (old.to_owned(), new.to_owned(), message.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_tested_at_once_and_a_change_of_status_says_why() {
    let world = world().await;
    let server = world.serve_with(ALLOW).await;
    let client = server.admin().await;
    let mut stream = client.stream("?types=server.*", Some(0)).await;
    let (port, _) = listen(Vec::new()).await;
    enter(&client, tcp("up-1", port)).await;
    assert_eq!(change(&mut stream).await, changed("pending", "up", "the port accepts connections"));
    let down = enter(&client, tcp("down-1", closed_port().await)).await;
    assert_eq!(change(&mut stream).await, changed("pending", "down", "connection refused"));
    // Corrected, it is tested again.
    let answer = client.patch(&path(&down), json!({ "port": port })).await;
    assert_eq!((answer.status.as_u16(), &answer.json["status"]), (200, &json!("pending")), "{}", answer.text);
    assert_eq!(change(&mut stream).await.1, "pending");
    assert_eq!(change(&mut stream).await, changed("pending", "up", "the port accepts connections"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_on_demand_tells_who_speaks_ssh_and_who_does_not() {
    let world = world().await;
    let server = world.serve_with(ALLOW).await;
    let client = server.admin().await;
    let greetings =
        [ssh_greeting(), b"HTTP/1.1 400 Bad Request\r\n\r\n".repeat(40), Vec::new(), b"SSH-2.0-x\r\nnonsense".to_vec()];
    let expected = [
        "speaks SSH: SSH-2.0-TestServer_1.0 demo",
        "it does not speak SSH",
        "no answer within 1 s",
        "its SSH key exchange is malformed",
    ];
    for (nth, (greeting, expected)) in greetings.into_iter().zip(expected).enumerate() {
        let (port, _) = listen(greeting).await;
        let check = json!({ "enabled": false, "method": "ssh", "timeout_s": 1 });
        let body = json!({ "name": format!("ssh-{nth}"), "host": "127.0.0.1", "port": port, "check": check });
        let entered = enter(&client, body).await;
        let test = client.post(&format!("{}/test", path(&entered)), json!({})).await;
        assert_eq!((test.status.as_u16(), test.json["message"].as_str()), (200, Some(expected)), "{}", test.text);
        let came_to = (test.json["answers"].as_bool(), test.json["status"].as_str());
        assert_eq!(came_to, if nth == 0 { (Some(true), Some("up")) } else { (Some(false), Some("down")) });
        if nth == 0 {
            assert_eq!(test.json["ssh"]["host_keys"], json!(["rsa-sha2-512", "ssh-ed25519"]));
            assert!(test.json["handshake_ms"].as_f64().unwrap() >= 0.0);
        }
        let latency = client.get(&format!("{}/latency", path(&entered))).await;
        assert_eq!(latency.json["points"][0]["tests"], 1, "{}", latency.text);
        assert_eq!(latency.json["points"][0]["failures"], i32::from(nth != 0), "{}", latency.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_test_each_server_once() {
    let world = world().await;
    let (one, two) = (world.serve_with(ALLOW).await, world.serve_with(ALLOW).await);
    let (client, other) = (one.admin().await, two.admin().await);
    let (port, count) = listen(Vec::new()).await;
    let mut stream = client.stream("?types=server.status.changed", Some(0)).await;
    let names: Vec<String> = (0..40).map(|n| format!("s-{n}")).collect();
    let entering =
        names.iter().enumerate().map(|(n, name)| enter(if n % 2 == 0 { &client } else { &other }, tcp(name, port)));
    join_all(entering).await;
    for _ in &names {
        assert_eq!(change(&mut stream).await.1, "up");
    }
    assert_eq!(count.load(Ordering::SeqCst), 40, "one connection each, before the interval is over");
    let taken: i64 = world.value("select count(*) from server_probes").await;
    assert!(taken <= 40, "{taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_test_is_forgiven_as_often_as_the_check_says() {
    let world = world().await;
    let server = world.serve_with(ALLOW).await;
    let client = server.admin().await;
    let mut body = tcp("flaky", closed_port().await);
    body["check"]["retries"] = json!(2);
    let entered = enter(&client, body).await;
    for failures in 1..=3 {
        let patience = tokio::time::Instant::now() + PATIENCE;
        while world.value::<i32>("select failures from server_checks").await != failures {
            assert!(tokio::time::Instant::now() < patience, "no test number {failures}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await; // asks again; the count is waited for
        }
        let status = client.get(&path(&entered)).await.json["status"].clone();
        assert_eq!(status, if failures <= 2 { "pending" } else { "down" });
        // Not to wait for the ten seconds between two tries.
        execute(&world.owner, "update server_checks set next_at = now() where taken_until < now()").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_maintenance_nobody_is_tested_and_nobody_is_down() {
    let world = world().await;
    let server = world.serve_with(ALLOW).await;
    let client = server.admin().await;
    let mut stream = client.stream("?types=server.*", Some(0)).await;
    let (port, count) = listen(Vec::new()).await;
    let entered = enter(&client, tcp("db-1", port)).await;
    assert_eq!(change(&mut stream).await.1, "up");
    // One that begins and ends by itself.
    let soon = |seconds| {
        (time::OffsetDateTime::now_utc() + time::Duration::milliseconds(seconds))
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap()
    };
    let window = json!({ "starts_at": soon(300), "ends_at": soon(1_500), "reason": "new disks" });
    let planned = client.post(&format!("{}/maintenance", path(&entered)), window).await;
    assert_eq!((planned.status.as_u16(), &planned.json["status"]), (200, &json!("up")), "{}", planned.text);
    assert_eq!(change(&mut stream).await, changed("up", "maintenance", "new disks"));
    let before = count.load(Ordering::SeqCst);
    let test = client.post(&format!("{}/test", path(&entered)), json!({})).await;
    assert_eq!((&test.json["answers"], &test.json["status"]), (&json!(true), &json!("maintenance")), "{}", test.text);
    assert_eq!(count.load(Ordering::SeqCst), before + 1, "the one that was asked for");
    assert_eq!(change(&mut stream).await, changed("maintenance", "pending", "maintenance is over; not tested yet"));
    assert_eq!(change(&mut stream).await.1, "up");
    // One that somebody ends.
    let planned = client.post(&format!("{}/maintenance", path(&entered)), json!({ "ends_at": soon(3_600_000) })).await;
    assert_eq!(planned.json["status"], "maintenance");
    let window = planned.json["maintenance"][0]["id"].as_str().unwrap();
    let ended = client.post(&format!("{}/maintenance/{window}/end", path(&entered)), json!({ "reason": "done" })).await;
    assert_eq!((&ended.json["status"], &ended.json["maintenance"]), (&json!("pending"), &json!([])), "{}", ended.text);
    let again = client.post(&format!("{}/maintenance/{window}/end", path(&entered)), json!({})).await;
    again.is_problem(404, "not_found");
    let wrong = client.post(&format!("{}/maintenance", path(&entered)), json!({ "ends_at": soon(-1_000) })).await;
    wrong.is_problem(422, "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_the_server_connect_to_where_it_must_not() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let (port, count) = listen(ssh_greeting()).await;
    for host in ["127.0.0.1", "169.254.169.254", "2130706433", "::ffff:10.0.0.1", "user@example.org"] {
        let refused = client.post(SERVERS, json!({ "name": "x", "host": host, "port": port })).await;
        refused.is_problem(422, "host_refused");
        assert_eq!(refused.json["errors"][0]["pointer"], "/host");
    }
    // A name is looked up when it is tested, and then checked.
    let entered =
        enter(&client, json!({ "name": "inner", "host": "localhost", "port": port, "check": { "enabled": false } }))
            .await;
    let test = client.post(&format!("{}/test", path(&entered)), json!({})).await;
    let message = "the host has an address that this server may not connect to";
    assert_eq!((&test.json["answers"], &test.json["message"]), (&json!(false), &json!(message)), "{}", test.text);
    client.patch(&path(&entered), json!({ "host": "10.0.0.1" })).await.is_problem(422, "host_refused");
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_goes_in_and_never_comes_out() {
    let world = world().await;
    let server = world.serve_with(ALLOW).await;
    let client = server.admin().await;
    let entered = enter(&client, tcp("db-1", closed_port().await)).await;
    let secret = "vault:ssh/canary-7f3a";
    let put = |reference: &str| {
        let request = client.request(Method::PUT, &format!("{}/credential", path(&entered)));
        Answer::of(request.header("idempotency-key", format!("k-{reference}")).json(&json!({ "reference": reference })))
    };
    let set = put(secret).await;
    assert_eq!((set.status.as_u16(), &set.json["has_credential"]), (200, &json!(true)), "{}", set.text);
    put("").await.is_problem(422, "invalid");
    let kept: String = world.value("select reference from server_credentials").await;
    assert_eq!(kept, secret);
    assert!(world.database.query("select * from server_credentials", &[]).await.is_err(), "not even who serves");
    let log: String = world.value("select string_agg(e::text, ' ') from events e").await;
    let replies: String = world.value("select string_agg(i::text, ' ') from idempotency i").await;
    let state: String = world.value("select string_agg(s::text, ' ') from servers s").await;
    for told in [log, replies, state, set.text, client.get(&path(&entered)).await.text] {
        assert!(!told.contains("canary"), "{told}");
    }
    let removed = Answer::of(client.request(Method::DELETE, &format!("{}/credential", path(&entered)))).await;
    assert_eq!(removed.json["has_credential"], false);
    assert_eq!(world.value::<i64>("select count(*) from server_credentials").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_and_paged_and_users_keep_their_filters() {
    let world = world().await;
    let server = world.serve_with(ALLOW).await;
    let client = server.admin().await;
    let port = closed_port().await;
    for n in 0..25 {
        let mut body = tcp(&format!("web-{n:02}"), port);
        body["labels"] = json!({ "env": if n % 5 == 0 { "prod" } else { "test" } });
        body["check"]["enabled"] = json!(false);
        enter(&client, body).await;
    }
    client.post(SERVERS, tcp("WEB-03", port)).await.is_problem(409, "name_taken");
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{SERVERS}?limit=7{next}")).await;
        names.extend(
            page.json["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        match page.json["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(names, (0..25).map(|n| format!("web-{n:02}")).collect::<Vec<_>>());
    let count =
        async |query: &str| client.get(&format!("{SERVERS}?{query}")).await.json["items"].as_array().unwrap().len();
    assert_eq!(count("label=env:prod").await, 5);
    assert_eq!(count("status=pending&label=env:prod&q=WEB-1").await, 2);
    assert_eq!(count("status=up").await, 0);
    // A filter of one's own.
    let filter = json!({ "labels": { "env": "prod" }, "words": "web" });
    assert_eq!(client.put("/api/v1/server-filters/production", filter).await.status, 200);
    assert_eq!(count("filter=production").await, 5);
    assert_eq!(count("filter=production&label=env:test").await, 20, "what the query says goes before it");
    world.user("ada", Role::Viewer).await;
    let ada = server.anonymous().sign_in("ada", PASSWORD).await;
    ada.get(&format!("{SERVERS}?filter=production")).await.is_problem(400, "unknown_filter");
    assert_eq!(ada.get("/api/v1/server-filters").await.json["filters"], json!({}));
    ada.put("/api/v1/server-filters/x", json!({ "labels": { "Ä": "" } })).await.is_problem(422, "invalid");
    // Deleted, it is out of the list and its name is free; restored only while it is.
    let gone = client.post(&format!("{SERVERS}/web-00/delete"), json!({ "reason": "sold" })).await.json;
    assert_eq!((count("").await, count("deleted=true").await), (24, 1));
    client.post(&format!("{}/test", path(&gone)), json!({})).await.is_problem(409, "deleted");
    enter(&client, tcp("web-00", port)).await;
    client.post(&format!("{}/restore", path(&gone)), json!({})).await.is_problem(409, "name_taken");
    client.post(&format!("{SERVERS}/web-00/delete"), json!({})).await;
    let back = client.post(&format!("{}/restore", path(&gone)), json!({})).await;
    assert_eq!((back.status.as_u16(), &back.json["deleted"]), (200, &json!(false)), "{}", back.text);
    // Rights.
    ada.post(SERVERS, tcp("mine", port)).await.is_problem(403, "forbidden");
    ada.post(&format!("{}/test", path(&gone)), json!({})).await.is_problem(403, "forbidden");
    let (rebuilt, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences, []);
    assert_eq!(rebuilt.len(), 26 + 2 + 1, "servers, users, and one who keeps filters");
}

#[tokio::test(flavor = "multi_thread")]
async fn uptime_counts_what_was_up_of_what_was_up_or_down() {
    let world = world().await;
    let server = world.serve_with(ALLOW).await;
    let client = server.admin().await;
    let mut body = tcp("old", closed_port().await);
    body["check"]["enabled"] = json!(false);
    let entered = enter(&client, body).await;
    execute(
        &world.owner,
        "delete from server_statuses;
         insert into server_statuses select id, 1, 'pending', now() - interval '40 days' from servers;
         insert into server_statuses select id, 2, 'down', now() - interval '35 days' from servers;
         insert into server_statuses select id, 3, 'up', now() - interval '20 days' from servers;
         insert into server_statuses select id, 4, 'down', now() - interval '12 hours' from servers;
         insert into server_statuses select id, 5, 'maintenance', now() - interval '6 hours' from servers;
         insert into server_statuses select id, 6, 'up', now() - interval '2 hours' from servers",
    )
    .await;
    let uptime = client.get(&format!("{}/uptime", path(&entered))).await.json;
    let hours = |window: &str, name: &str| (uptime[window][name].as_f64().unwrap() / 36.0).round() / 100.0;
    assert_eq!((hours("last_24h", "up_s"), hours("last_24h", "down_s")), (14.0, 6.0), "{uptime}");
    assert_eq!((hours("last_24h", "maintenance_s"), hours("last_24h", "pending_s")), (4.0, 0.0), "{uptime}");
    assert_eq!(uptime["last_24h"]["percent"].as_f64().unwrap().round(), 70.0, "{uptime}");
    assert_eq!((hours("last_30d", "up_s"), hours("last_30d", "down_s")), (470.0, 246.0), "{uptime}");
}
