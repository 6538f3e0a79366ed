//! What `signalbox demo` promises.

use signalbox::demo::{self, DemoOptions};
use signalbox::log::{Cause, Command, Outcome};
use signalbox::{domain::incident, incidents};
use time::OffsetDateTime;
use tokio::time::{Duration, interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{self, PATIENCE, World};

/// Runs the demo until a count is there.
async fn play_until(world: &World, sql: &str, least: i64) {
    let stop = CancellationToken::new();
    let options = DemoOptions { events_per_minute: 6_000 };
    let playing = tokio::spawn(demo::run(options, world.database.clone(), world.appender.clone(), stop.clone()));
    let mut looks = interval(Duration::from_millis(10));
    let seen = timeout(PATIENCE, async {
        while world.database.query_opt(sql, &[]).await.unwrap().unwrap().get::<_, i64>(0) < least {
            looks.tick().await;
        }
    });
    seen.await.unwrap();
    stop.cancel();
    timeout(PATIENCE, playing).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_look_is_not_empty_and_the_demo_stops_when_told() {
    let world = harness::world().await;
    play_until(&world, "select count(*) from incidents", 12).await;
    let others = "select count(*) from incidents where labels ->> 'demo' is distinct from 'true'";
    let row = world.database.query_opt(others, &[]).await.unwrap().unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_leaves_other_peoples_incidents_alone() {
    let world = harness::world().await;
    let (id, cause) = (Uuid::now_v7(), Cause::system("test"));
    // The label alone does not make it the demo's.
    let create = incident::Create {
        number: incidents::next_number(&world.database).await.unwrap(),
        title: "Ours".to_owned(),
        description: String::new(),
        severity: incident::Severity::P3,
        priority: incident::Priority::Normal,
        assignee: None,
        affected_servers: Vec::new(),
        labels: [("demo".to_owned(), "true".to_owned())].into(),
        dedup_key: None,
    };
    let events = incident::decide(None, &incident::Command::Create(create)).unwrap();
    let (write, state, before) = incidents::write(None, id, &events, &cause, OffsetDateTime::now_utc());
    let command = Command { cause, writes: vec![write], states: vec![state], idempotency: None };
    assert!(matches!(world.appender.append(command).await.unwrap(), Outcome::Appended(_)));

    play_until(&world, "select sum(version)::bigint from incidents", 150).await;
    assert_eq!(incidents::find(&world.database, id).await.unwrap().unwrap().version, before.version);
}
