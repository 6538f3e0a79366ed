//! Nobody hears the answer: the client has left, or the connection to the database broke around the commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use signalbox::log::{Appender, Cause, Command, NewEvent, Outcome, Write, read};
use signalbox::postgres::Direct;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use super::load::Load;
use super::short_or_long;
use crate::harness::{Moment, PATIENCE, world};

/// In the text of the append queue's one statement.
const APPEND: &str = "from append(";

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_client_leaves_is_carried_out_whole_or_not_at_all() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    let commands = short_or_long(1_000, 5_000);
    let leaving = (0..20).map(|worker| {
        let client = client.clone();
        tokio::spawn(async move {
            for n in (worker..commands).step_by(20) {
                let key = format!("left-{n}");
                let request = client.request(Method::POST, "/api/v1/incidents").header("idempotency-key", &key);
                let patience = Duration::from_micros(rand::random_range(0..20_000));
                let _ = timeout(patience, request.json(&json!({ "title": key })).send()).await;
            }
        })
    });
    for left in leaving.collect::<Vec<_>>() {
        left.await.unwrap();
    }
    let done: i64 = world.value("select count(*) from events where type = 'incident.created'").await;
    assert!((1..commands).contains(&done), "some were carried out and some were not: {done}");
    // Asked again under its key, each is done once: what had been carried out is answered, the rest is carried out.
    for n in 0..commands {
        let key = format!("left-{n}");
        let body = json!({ "title": key });
        let again = client.post_with("/api/v1/incidents", body, &[("idempotency-key", &key)]).await;
        assert_eq!(again.status, 201, "{}", again.text);
        assert_eq!(again.json["title"], key.as_str());
    }
    let halves = "select count(*) from (select data->>'title' as title from events where type = 'incident.created') e \
                  full join (select state->>'title' as title from incidents) i using (title) \
                  where e.title is null or i.title is null";
    assert_eq!(world.value::<i64>(halves).await, 0, "an event without its state, or a state without its event");
    let events = "select count(*) from events where type = 'incident.created'";
    assert_eq!(world.value::<i64>(events).await, commands);
    assert_eq!(
        world
            .value::<i64>("select count(distinct data->>'title') from events where data->>'title' like 'left-%'")
            .await,
        commands
    );
}

/// Without a key, so that nothing but the queue's own look-up keeps it from being written twice.
fn command(n: usize) -> Command {
    let event = NewEvent {
        id: Uuid::now_v7(),
        kind: "incident.commented",
        data: json!({ "n": n }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[],
    };
    let writes = vec![Write { stream: format!("incident/{n}"), expected: None, events: vec![event] }];
    Command { cause: Cause::system("test"), writes, states: Vec::new(), idempotency: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_around_the_commit_writes_each_command_once_even_without_a_key() {
    let world = world().await;
    let (proxy, url) = world.proxy().await;
    let appender = Appender::start(Direct::serving(&url).unwrap(), Arc::new(Notify::new()));
    let mut places = HashMap::new();
    let mut n = 0;
    for moment in [Moment::Unheard, Moment::Told, Moment::Committed] {
        for _ in 0..short_or_long(5, 50) {
            proxy.ambush(APPEND, moment, 1);
            let wanted = command(n);
            let id = wanted.writes[0].events[0].id;
            let outcome = timeout(PATIENCE, appender.append(wanted)).await.unwrap().unwrap();
            let Outcome::Appended(at) = outcome else { panic!("{moment:?}: {outcome:?}") };
            assert_eq!(proxy.ambushes_left(), 0, "{moment:?} has not happened");
            places.insert(at.first_seq, id);
            n += 1;
        }
    }
    let log = read::after(&world.database, 0, read::PAGE_EVENTS).await.unwrap();
    let log: HashMap<i64, Uuid> = log.iter().map(|event| (event.seq, event.id)).collect();
    assert_eq!(log, places, "each command is in the log once, where its outcome said");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_reply_is_lost_under_load_are_one_event_for_each_key() {
    let world = world().await;
    let (proxy, url) = world.proxy().await;
    let server = world.serve_through(&url, &[]).await;
    let load = Load::start(&[server.admin().await], 8, 4);
    for moment in [Moment::Committed, Moment::Told, Moment::Unheard] {
        proxy.ambush(APPEND, moment, short_or_long(5, 100));
        while proxy.ambushes_left() > 0 {
            load.goes_on(1).await;
        }
    }
    load.ends_well(&world.owner).await;
}
