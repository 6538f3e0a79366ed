//! Mail, to a server that speaks SMTP.

use serde_json::json;

use super::{CHANNELS, deliveries, happened, rule};
use crate::harness::{Client, Mailbox, world};

async fn channel(client: &Client, to: &[&str]) -> serde_json::Value {
    let answer = client.post(CHANNELS, json!({ "name": to[0], "kind": "mail", "to": to })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json.get("secret"), None);
    answer.json
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_in_the_words_of_its_rule_and_a_title_adds_no_header() {
    let world = world().await;
    let mut mailbox = Mailbox::start().await;
    let smtp = format!("--smtp-url={}", mailbox.url);
    let server = world.serve_with(&[&smtp, "--smtp-from=Signalbox <box@example.org>"]).await;
    let client = server.admin().await;
    let channel = channel(&client, &["ops@example.org", "ada@example.org"]).await;
    let words = json!({ "subject": "{{data.severity}} {{data.description}}", "text": "{{data.title}}\n.\nis open" });
    rule(&client, &channel, words).await;
    let body = json!({ "title": "disk full", "description": "x\nBcc: eve@example.org\n\nhello" });
    assert_eq!(client.post("/api/v1/incidents", body).await.status, 201);

    let mail = mailbox.next().await;
    assert_eq!(mail.to, ["ops@example.org", "ada@example.org"]);
    let (head, body) = mail.text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Subject: P3 x Bcc: eve@example.org  hello"), "{head}");
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert!(
        head.contains("From: Signalbox <box@example.org>") && head.contains("Auto-Submitted: auto-generated"),
        "{head}"
    );
    assert_eq!(body, "disk full\r\n..\r\nis open\r\n.\r\n");
    let sent = happened(&client, "notification.sent").await;
    let delivery = sent["stream"].as_str().unwrap().rsplit('/').next().unwrap().replace('-', "");
    assert!(head.contains(&format!("Message-ID: <{delivery}@example.org>")), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_does_not_exist_is_said_so_in_the_attempts_log() {
    let world = world().await;
    let mailbox = Mailbox::start().await;
    let smtp = format!("--smtp-url={}", mailbox.url);
    let server = world.serve_with(&[&smtp]).await;
    let client = server.admin().await;
    let channel = channel(&client, &["nobody@example.org"]).await;
    rule(&client, &channel, json!({})).await;
    client.report("disk full").await;
    let failed = happened(&client, "notification.failed").await;
    assert_eq!(failed["data"]["reason"], "refused", "{failed}");
    let log = deliveries(&client, &channel, "").await;
    assert!(log[0]["attempts"][0]["detail"].as_str().unwrap().contains("550"), "{log:?}");
}
