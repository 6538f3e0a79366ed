//! Rules: which events they choose, and for whom.

use serde_json::json;
use signalbox::domain::user::{Event, Role, RolesChanged};

use super::{RULES, deliveries, path, rule, serve, webhook};
use crate::harness::{PASSWORD, Receiver, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_chooses_by_type_and_condition_and_one_event_makes_one_delivery() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    rule(&client, &channel, json!({ "condition": "data.title contains \"db\" && data.severity == \"P3\"" })).await;
    let never = rule(&client, &channel, json!({ "enabled": false })).await;
    rule(&client, &channel, json!({ "types": ["incident.*"], "condition": "data.title contains \"db\"" })).await;
    client.report("web is slow").await;
    let incident = client.report("db is down").await;
    client
        .patch(&format!("/api/v1/incidents/{}", incident["id"].as_str().unwrap()), json!({ "title": "db-1 is down" }))
        .await;
    client.report("the last db").await;
    assert_eq!(receiver.next().await.title(), "db is down");
    assert_eq!(receiver.next().await.title(), "the last db");
    assert_eq!(deliveries(&client, &channel, "").await.len(), 2);

    let enabled = client.patch(&format!("{RULES}/{}", never["id"].as_str().unwrap()), json!({ "enabled": true })).await;
    assert_eq!((enabled.status.as_u16(), &enabled.json["version"]), (200, &json!(2)), "{}", enabled.text);
    client.report("anything").await;
    assert_eq!(receiver.next().await.title(), "anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_gives_away_nothing_that_its_owner_may_not_see() {
    let world = world().await;
    let (server, admin) = serve(&world).await;
    let eve = world.user("eve", Role::Admin).await;
    let (mut of_eve, mut of_admin) = (Receiver::start().await, Receiver::start().await);
    let client = server.anonymous().sign_in("eve", PASSWORD).await;
    let channel = webhook(&client, "eve", &of_eve).await;
    rule(&client, &channel, json!({ "types": ["*"] })).await;
    let channel = webhook(&admin, "admin", &of_admin).await;
    rule(&admin, &channel, json!({ "types": ["user.*", "incident.created"] })).await;

    world
        .happen_to(eve, Event::RolesChanged(RolesChanged { old: [Role::Admin].into(), new: [Role::Viewer].into() }))
        .await;
    world.user("adam", Role::Viewer).await;
    admin.report("seen by both").await;
    while of_admin.next().await.json()["type"] != "incident.created" {}
    loop {
        let payload = of_eve.next().await.json();
        let kind = payload["type"].as_str().unwrap();
        assert!(kind != "user.created" && kind != "user.roles.changed", "{payload}");
        if kind == "incident.created" {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_cannot_be_is_refused_with_its_reason() {
    let world = world().await;
    let (server, client) = serve(&world).await;
    let receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    let wrong = [
        (json!({ "condition": "data.title ~ \"db\"" }), "/condition", "at character 12"),
        (json!({ "text": "{{data.title}" }), "/text", "at character 13"),
        (json!({ "types": ["incident.created", "nothing.at.all"] }), "/types/1", "names no type"),
        (json!({ "types": ["notification.failed"] }), "/types/0", "names no type"),
        (json!({ "types": [] }), "/types", "must have 1 to 20"),
    ];
    for (more, pointer, message) in wrong {
        let mut body = json!({ "name": "x", "channel": channel["id"], "types": ["incident.*"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = client.post(RULES, body).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
        assert!(answer.json["errors"][0]["message"].as_str().unwrap().contains(message), "{}", answer.text);
    }
    world.user("operator", Role::Operator).await;
    let operator = server.anonymous().sign_in("operator", PASSWORD).await;
    operator
        .post(RULES, json!({ "name": "x", "channel": channel["id"], "types": ["*"] }))
        .await
        .is_problem(403, "forbidden");
    assert_eq!(operator.get(&path(&channel, "")).await.status, 200);
}
