//! Channels: what they refuse, secrets, tests.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use signalbox::projections::rebuild::compare;

use super::{CHANNELS, happened, path, rule, serve, webhook};
use crate::harness::{Received, Receiver, python, world};

/// Asks the reference implementation of Standard Webhooks, once per secret.
pub fn verified_by(request: &Received, secrets: &[&Value]) -> Vec<bool> {
    const SCRIPT: &str = "
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
given = json.load(sys.stdin)
def good(secret):
    try:
        Webhook(secret).verify(given['body'], given['headers'])
        return True
    except WebhookVerificationError:
        return False
print(json.dumps([good(secret) for secret in given['secrets']]))";
    let mut child = Command::new(python::programs().join("python"))
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let given = json!({ "body": request.body, "headers": request.headers, "secrets": secrets });
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    serde_json::from_slice(&said.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_tells_of_the_event_and_anybody_can_verify_who_sent_it() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    assert_eq!(client.get(&path(&channel, "")).await.json.get("secret"), None, "shown once");
    rule(&client, &channel, json!({ "text": "{{data.severity}}: {{data.title}}" })).await;
    let incident = client.report("the database is down").await;
    let request = receiver.next().await;

    let other = json!("whsec_c2VjcmV0");
    assert_eq!(verified_by(&request, &[&channel["secret"], &other]), [true, false]);
    let altered = Received { body: request.body.replace("down", "up"), ..request.clone() };
    assert_eq!(verified_by(&altered, &[&channel["secret"]]), [false]);

    let payload = request.json();
    assert_eq!(payload["type"], "incident.created");
    assert_eq!(payload["text"], "P3: the database is down");
    assert_eq!(payload["data"]["stream"], format!("incident/{}", incident["id"].as_str().unwrap()));
    assert_eq!(payload["timestamp"], payload["data"]["recorded_at"]);
    let sent = happened(&client, "notification.sent").await;
    assert_eq!(sent["correlation_id"], payload["data"]["correlation_id"]);
    assert_eq!(sent["causation_id"], payload["data"]["id"]);
    assert_eq!(sent["data"]["event_seq"], payload["data"]["seq"]);
    let delivery = sent["stream"].as_str().unwrap().rsplit('/').next().unwrap().replace('-', "");
    assert_eq!(request.headers["webhook-id"], format!("msg_{delivery}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_while_after_a_rotation_both_secrets_are_good() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    let rotated = client.post(&path(&channel, "/rotate-secret"), json!({ "overlap_s": 60 })).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_ne!(rotated.json["secret"], channel["secret"]);
    client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
    let secrets = [&rotated.json["secret"], &channel["secret"]];
    assert_eq!(verified_by(&receiver.next().await, &secrets), [true, true]);

    let last = client.post(&path(&channel, "/rotate-secret"), json!({ "overlap_s": 0 })).await;
    client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
    let secrets = [&last.json["secret"], &rotated.json["secret"], &channel["secret"]];
    assert_eq!(verified_by(&receiver.next().await, &secrets), [true, false, false]);
    let (_, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences, []);
    let log: String = world.value("select string_agg(data::text, '') from events").await;
    assert!(!log.contains("whsec_"), "no secret stands in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_cannot_be_is_refused_with_its_reason() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let wrong = [
        (json!({ "name": "x", "kind": "webhook" }), "/url"),
        (json!({ "name": "x", "kind": "webhook", "url": "https://a.example", "to": ["a@b"] }), "/to"),
        (json!({ "name": " ", "kind": "webhook", "url": "https://a.example" }), "/name"),
        (json!({ "name": "x", "kind": "webhook", "url": "file:///etc/passwd" }), "/url"),
        (json!({ "name": "x", "kind": "webhook", "url": "https://user:pw@a.example" }), "/url"),
        (json!({ "name": "x", "kind": "webhook", "url": "http://169.254.169.254/latest" }), "/url"),
        (json!({ "name": "x", "kind": "webhook", "url": "http://[::ffff:169.254.169.254]/" }), "/url"),
        (json!({ "name": "x", "kind": "webhook", "url": "http://10.0.0.1:5432/" }), "/url"),
        (json!({ "name": "x", "kind": "webhook", "url": "http://0x7f.1/" }), "/url"),
    ];
    for (body, pointer) in wrong {
        let answer = client.post(CHANNELS, body.clone()).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    client
        .post(CHANNELS, json!({ "name": "x", "kind": "mail", "to": ["a@b.example"] }))
        .await
        .is_problem(422, "mail_not_configured");
    let receiver = Receiver::start().await;
    webhook(&client, "pager", &receiver).await;
    client
        .post(CHANNELS, json!({ "name": "pager", "kind": "webhook", "url": receiver.url }))
        .await
        .is_problem(409, "name_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_into_this_network_is_not_connected_to() {
    let world = world().await;
    let server = world.serve().await; // nothing but the public Internet
    let client = server.admin().await;
    let mut receiver = Receiver::start().await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    let channel = client.post(CHANNELS, json!({ "name": "inside", "kind": "webhook", "url": url })).await.json;
    let answer = client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
    let tested: Value = answer.json().await.unwrap();
    assert_eq!((&tested["sent"], &tested["reason"]), (&json!(false), &json!("address_refused")), "{tested}");
    assert!(receiver.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_says_what_the_receiver_said_and_follows_nobody_elsewhere() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    receiver.answers(&["302 Found\r\nlocation: /elsewhere", "500 Oops"]);
    for (reason, detail) in [("redirected", "302"), ("answered", "500")] {
        let answer = client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
        let tested: Value = answer.json().await.unwrap();
        assert_eq!((&tested["reason"], &tested["detail"]), (&json!(reason), &json!(detail)), "{tested}");
        assert_eq!(tested["response"], "hello");
        assert_eq!(receiver.next().await.path, "/hook");
    }
    assert!(receiver.rest().is_empty(), "a test is not repeated, and a redirect not followed");
    let answer = client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["sent"], true);
    let log = super::deliveries(&client, &channel, "").await;
    assert_eq!(log.iter().map(|one| &one["status"]).collect::<Vec<_>>(), ["sent", "failed", "failed"]);
    assert_eq!(log[1]["attempts"][0]["response"], "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_is_asked_for_again_with_its_key_sends_nothing_twice_and_is_answered_the_same() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let (mut receiver, key) = (Receiver::start().await, [("idempotency-key", "is-it-there")]);
    let channel = webhook(&client, "pager", &receiver).await;
    receiver.answers(&["500 Oops"]);
    let first = client.post_with(&path(&channel, "/test"), json!({}), &key).await;
    assert_eq!((first.status.as_u16(), &first.json["detail"]), (200, &json!("500")), "{}", first.text);
    receiver.next().await;
    // The receiver would say something else by now; another process has never heard of the key.
    let other_process = world.serve_with(&[super::LOCAL]).await;
    let elsewhere = other_process.admin().await;
    for again in [&client, &elsewhere] {
        let again = again.post_with(&path(&channel, "/test"), json!({}), &key).await;
        assert_eq!((&again.text, again.header("idempotency-replayed")), (&first.text, "true"));
    }
    assert!(receiver.rest().is_empty());
    assert_eq!(super::deliveries(&client, &channel, "").await.len(), 1);
    let failed = happened(&client, "notification.failed").await;
    assert_eq!((&failed["actor"]["name"], &failed["data"]["test"]), (&json!("admin"), &json!(true)), "{failed}");

    let other = webhook(&client, "other", &receiver).await;
    client.post_with(&path(&other, "/test"), json!({}), &key).await.is_problem(422, "idempotency_key_reused");
    let keyless = client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
    assert_eq!(keyless.json::<Value>().await.unwrap()["sent"], true);
    receiver.next().await;
    assert!(receiver.rest().is_empty(), "one request each, and none for a key of another channel");
    let (_, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences, []);
}
