//! Deliveries: order, retries, when a channel is given up, and replay.

use serde_json::{Value, json};
use signalbox::projections::rebuild::compare;

use super::{CHANNELS, deliveries, happened, path, rule, serve, webhook};
use crate::harness::{Receiver, execute, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_keeps_its_order_and_holds_up_no_other() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let (mut failing, mut healthy) = (Receiver::start().await, Receiver::start().await);
    failing.answers(&["503 Busy"]);
    for (name, receiver) in [("failing", &failing), ("healthy", &healthy)] {
        rule(&client, &webhook(&client, name, receiver).await, json!({})).await;
    }
    for title in ["one", "two", "three"] {
        client.report(title).await;
    }
    let first = failing.next().await;
    assert_eq!(first.title(), "one");
    for title in ["one", "two", "three"] {
        assert_eq!(healthy.next().await.title(), title);
    }
    assert!(failing.rest().is_empty(), "the second one waits for the first");
    let again = failing.next().await;
    assert_eq!((again.title(), &again.headers["webhook-id"]), ("one".to_owned(), &first.headers["webhook-id"]));
    for title in ["two", "three"] {
        assert_eq!(failing.next().await.title(), title);
    }
    assert!(failing.rest().is_empty() && healthy.rest().is_empty());
    let failed = happened(&client, "notification.failed").await;
    assert_eq!((&failed["data"]["reason"], &failed["data"]["detail"]), (&json!("answered"), &json!("503")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_disables_its_channel_and_what_waited_can_be_sent_later() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    rule(&client, &channel, json!({})).await;
    let before = world.value::<i64>("select seq from log_head").await;
    receiver.answers(&["410 Gone"]);
    client.report("one").await;
    receiver.next().await;
    let disabled = happened(&client, "notification.channel.disabled").await;
    assert!(disabled["data"]["reason"].as_str().unwrap().contains("410"), "{disabled}");
    client.report("two").await;
    let skipped = loop {
        match deliveries(&client, &channel, "?status=skipped").await.pop() {
            Some(skipped) => break skipped,
            None => tokio::task::yield_now().await, // asks again until it is there
        }
    };
    assert_eq!(skipped["reason"], "channel_disabled");
    client.post(&path(&channel, "/replay"), json!({ "after": before })).await.is_problem(409, "disabled");
    let enabled = client.request(reqwest::Method::POST, &path(&channel, "/enable")).send().await.unwrap();
    assert_eq!(enabled.json::<Value>().await.unwrap()["enabled"], true);
    assert!(receiver.rest().is_empty(), "what was skipped stays so by itself");

    let replayed = client.post(&path(&channel, "/replay"), json!({ "after": before })).await;
    assert_eq!(replayed.status, 200, "{}", replayed.text);
    for title in ["one", "two"] {
        assert_eq!(receiver.next().await.title(), title);
    }
    client.post(&path(&channel, "/replay"), json!({ "after": 1_000_000 })).await.is_problem(422, "invalid");
    client.report("three").await;
    assert_eq!(receiver.next().await.title(), "three");
    assert_eq!(world.value::<i64>("select count(*) from notification_replays").await, 0, "through");
    let (_, differences) = compare(&world.database).await.unwrap();
    assert_eq!(differences, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_left_alone_for_as_long_as_it_asks_and_after_days_of_failure_for_good() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    rule(&client, &channel, json!({})).await;
    receiver.answers(&["429 Slow Down\r\nretry-after: 7200", "500 Oops"]);
    client.report("one").await;
    receiver.next().await;
    let failed = happened(&client, "notification.failed").await;
    assert_eq!(failed["data"]["retry_in_s"], 7_200);
    let waits: f64 =
        world.value("select extract(epoch from next_attempt_at - now())::float8 from notification_deliveries").await;
    assert!((7_000.0..=7_200.0).contains(&waits), "{waits}");

    execute(
        &world.owner,
        "update notification_channels set failing_since = now() - interval '121 hours';
         update notification_deliveries set next_attempt_at = now()",
    )
    .await;
    receiver.next().await;
    let disabled = happened(&client, "notification.channel.disabled").await;
    assert!(disabled["data"]["reason"].as_str().unwrap().contains("for 5 days"), "{disabled}");
    assert_eq!(client.get(&path(&channel, "")).await.json["enabled"], false);
    assert_eq!(deliveries(&client, &channel, "").await[0]["status"], "skipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_receiver_refuses_does_not_hold_up_the_others_for_days() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    rule(&client, &channel, json!({})).await;
    receiver.answers(&["422 No", "422 No"]);
    client.report("poison").await;
    client.report("good").await;
    for title in ["poison", "poison", "good"] {
        assert_eq!(receiver.next().await.title(), title);
    }
    let log = deliveries(&client, &channel, "?status=failed").await;
    assert_eq!((log.len(), &log[0]["reason"], log[0]["attempts"].as_array().unwrap().len()), (1, &json!("refused"), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_come_in_pages_and_commands_keep_their_promises() {
    let world = world().await;
    let (_server, client) = serve(&world).await;
    let mut receiver = Receiver::start().await;
    let channel = webhook(&client, "pager", &receiver).await;
    rule(&client, &channel, json!({})).await;
    for n in 0..5 {
        client.report(&format!("{n}")).await;
        receiver.next().await;
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = client.get(&path(&channel, &format!("/deliveries{query}"))).await.json;
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["event_seq"].as_i64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
    client.get(&path(&channel, "/deliveries?cursor=x")).await.is_problem(400, "invalid_cursor");
    client.get(&path(&channel, "/deliveries?limit=0")).await.is_problem(400, "invalid_parameter");

    let key = [("idempotency-key", "once"), ("if-match", "\"1\"")];
    let body = json!({ "reason": "maintenance" });
    let first = client.post_with(&path(&channel, "/disable"), body.clone(), &key).await;
    let again = client.post_with(&path(&channel, "/disable"), body, &key).await;
    assert_eq!((first.text, again.header("idempotency-replayed")), (again.text.clone(), "true"));
    let stale = client.post_with(&path(&channel, "/rotate-secret"), json!({}), &[("if-match", "\"1\"")]).await;
    stale.is_problem(412, "version_mismatch");
    let deleted = client.request(reqwest::Method::DELETE, &path(&channel, "")).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    client.get(&path(&channel, "")).await.is_problem(404, "not_found");
    assert_eq!(client.get(CHANNELS).await.json["items"], json!([]));
}
