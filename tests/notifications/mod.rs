//! Notifications, to receivers that are real sockets.

pub mod channels;
mod crash;
mod delivery;
mod mail;
mod rules;
mod tls;

use serde_json::{Value, json};

use crate::harness::{Client, Receiver, Running, World};

/// Receivers are on this machine, which servers may not connect to by themselves.
const LOCAL: &str = "--egress-allow=127.0.0.0/8";
const CHANNELS: &str = "/api/v1/notification-channels";
const RULES: &str = "/api/v1/notification-rules";

async fn serve(world: &World) -> (Running, Client) {
    let server = world.serve_with(&[LOCAL]).await;
    let client = server.admin().await;
    (server, client)
}

/// A webhook channel; `secret` is in it.
async fn webhook(client: &Client, name: &str, receiver: &Receiver) -> Value {
    let answer = client.post(CHANNELS, json!({ "name": name, "kind": "webhook", "url": receiver.url })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json
}

/// A rule for incidents that are created, with `more` said of it.
async fn rule(client: &Client, channel: &Value, more: Value) -> Value {
    let mut body = json!({ "name": "new incidents", "channel": channel["id"], "types": ["incident.created"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = client.post(RULES, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json
}

fn path(channel: &Value, action: &str) -> String {
    format!("{CHANNELS}/{}{action}", channel["id"].as_str().unwrap())
}

async fn deliveries(client: &Client, channel: &Value, query: &str) -> Vec<Value> {
    let answer = client.get(&path(channel, &format!("/deliveries{query}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["items"].as_array().unwrap().clone()
}

/// Waits for an event of this type from the beginning of the log, and gives it.
async fn happened(client: &Client, kind: &str) -> Value {
    let mut stream = client.stream(&format!("?types={kind}"), Some(0)).await;
    stream.until(kind).await.pop().unwrap().data
}
