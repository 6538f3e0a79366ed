//! Durable consumers: one works at a time, nothing is lost, and nothing is done twice in the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signalbox::consumer::{Consumer, Ended, Lease, Start};
use signalbox::log::{Cause, Command, NewEvent, Write};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{PATIENCE, Running, World, execute, world};

/// A table of what a consumer named `probe` was given, and the function that fills it.
const PROBE: &str = "
    create table probed (n bigint generated always as identity, seq bigint not null);
    create function consumed_probe(effects json[]) returns void language sql as
      $$ insert into probed (seq) select (e.effect->>'seq')::bigint from unnest(effects) e (effect) $$;
    grant insert on probed to signalbox_owner;
    grant select on probed to signalbox_app";
/// In the order in which they were stored.
const PROBED: &str = "select coalesce(array_agg(seq order by n), '{}') from probed";

fn probe(server: &Running, stop: &CancellationToken) -> Consumer {
    let app = &server.app;
    Consumer::new("probe", Start::Beginning, app.background.clone(), app.hub.clone(), stop.clone())
}

/// Stores each event's place; one page, then for ever.
async fn record(mut lease: Lease) -> Result<(), Ended> {
    loop {
        let events = lease.next().await?;
        let rows = events.iter().map(|event| format!("{{\"seq\":{}}}", event.seq)).collect();
        lease.advance(events.last().unwrap().seq, rows).await?;
    }
}

async fn follow(lease: Lease) -> Ended {
    record(lease).await.expect_err("goes on for ever")
}

fn happening() -> Command {
    let event = NewEvent {
        id: Uuid::now_v7(),
        kind: "system.started",
        data: serde_json::json!({}),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[],
    };
    let writes = vec![Write { stream: "system/test".into(), expected: None, events: vec![event] }];
    Command { cause: Cause::system("test"), writes, states: Vec::new(), idempotency: None }
}

async fn reached(world: &World, seq: i64) {
    let reached = async {
        while world.value::<i64>("select seq from consumers where name = 'probe'").await < seq {
            tokio::time::sleep(Duration::from_millis(20)).await; // asks again; what is waited for is the checkpoint
        }
    };
    timeout(PATIENCE, reached).await.expect("the consumer comes to the head");
}

/// Works on so many pages and then says nothing any more, as if its process had been killed with a page in hand.
async fn die_behind(mut lease: Lease, pages: usize, died: Arc<Notify>) -> Ended {
    for _ in 0..pages {
        let events = lease.next().await.unwrap();
        let rows = events.iter().map(|event| format!("{{\"seq\":{}}}", event.seq)).collect();
        lease.advance(events.last().unwrap().seq, rows).await.unwrap();
    }
    lease.next().await.unwrap();
    died.notify_one();
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread")]
async fn holders_that_die_anywhere_lose_nothing_and_nothing_is_stored_twice() {
    let world = world().await;
    execute(&world.owner, PROBE).await;
    let server = world.serve().await;
    let stop = CancellationToken::new();
    let writing = tokio::spawn({
        let appender = world.appender.clone();
        async move {
            loop {
                appender.append(happening()).await.unwrap();
            }
        }
    });
    for pages in [1, 2, 3, 0, 5] {
        let died = Arc::new(Notify::new());
        let participants = [(); 3].map(|()| {
            let (consumer, died) = (probe(&server, &stop), died.clone());
            tokio::spawn(async move { consumer.hold(|lease| die_behind(lease, pages, died.clone())).await })
        });
        timeout(PATIENCE, died.notified()).await.expect("somebody works");
        participants.iter().for_each(|participant| participant.abort());
        // What is tested here is the checkpoint, not the clock.
        execute(&world.owner, "update consumers set until = '-infinity' where name = 'probe'").await;
    }
    writing.abort();
    let _ = writing.await;
    let last = tokio::spawn({
        let consumer = probe(&server, &stop);
        async move { consumer.hold(follow).await }
    });
    let head = world.value::<i64>("select seq from log_head").await;
    reached(&world, head).await;
    stop.cancel();
    last.await.unwrap();
    let probed: Vec<i64> = world.value(PROBED).await;
    assert_eq!(probed[..head as usize], (1..=head).collect::<Vec<_>>());
    assert!(world.value::<bool>("select until = '-infinity' from consumers where name = 'probe'").await, "given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_was_taken_over_from_stores_nothing() {
    let world = world().await;
    execute(&world.owner, PROBE).await;
    let server = world.serve().await;
    let stop = CancellationToken::new();
    let (first, second) = (probe(&server, &stop), probe(&server, &stop));
    let mut stale = first.take().await.unwrap().unwrap();
    assert!(second.take().await.unwrap().is_none(), "held by the first");
    let events = stale.next().await.unwrap();
    execute(&world.owner, "update consumers set until = clock_timestamp() - interval '1 ms' where name = 'probe'")
        .await;
    let mut holder = second.take().await.unwrap().expect("its time has run out");

    let refused = stale.advance(events.last().unwrap().seq, vec!["{\"seq\":0}".into()]).await;
    assert!(matches!(refused, Err(Ended::Lost)), "{refused:?}");
    let mut command = happening();
    command.states = vec![stale.guard().state()];
    let refused = world.appender.append(command).await.map_err(Ended::from);
    assert!(matches!(refused, Err(Ended::Lost)), "{refused:?}");

    let head = world.value::<i64>("select seq from log_head").await;
    let mut command = happening();
    command.states = vec![holder.step(head)];
    world.appender.append(command).await.unwrap();
    holder.appended(head);
    assert_eq!(
        world.value::<i64>("select seq from consumers where name = 'probe'").await,
        head,
        "moved with the append"
    );
    assert_eq!(timeout(PATIENCE, holder.next()).await.unwrap().unwrap()[0].seq, head + 1);
    assert_eq!(world.value::<i64>("select count(*) from probed").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_whose_process_says_nothing_any_more_is_taken_over_from_in_seconds() {
    let world = world().await;
    execute(&world.owner, PROBE).await;
    let server = world.serve().await;
    let stop = CancellationToken::new();
    let taken = probe(&server, &stop).take().await.unwrap();
    assert!(taken.is_some(), "and never renewed");
    let works = Arc::new(AtomicUsize::new(0));
    let heir = tokio::spawn({
        let (consumer, works) = (probe(&server, &stop), works.clone());
        async move {
            let work = |lease| {
                works.fetch_add(1, Ordering::Relaxed);
                follow(lease)
            };
            consumer.hold(work).await;
        }
    });
    let since = tokio::time::Instant::now();
    reached(&world, 1).await;
    let bound = signalbox::consumer::LEASE + signalbox::consumer::TRY_EVERY * 4;
    assert!(since.elapsed() < bound, "{:?}", since.elapsed());
    stop.cancel();
    heir.await.unwrap();
    assert_eq!(works.load(Ordering::Relaxed), 1);
}

/// Settles everything and stores nothing of it.
async fn pass_over(mut lease: Lease, holders: Arc<AtomicUsize>) -> Ended {
    holders.fetch_add(1, Ordering::Relaxed);
    loop {
        let passed = match lease.next().await {
            Ok(events) => lease.advance(events.last().unwrap().seq, Vec::new()).await,
            Err(ended) => Err(ended),
        };
        if let Err(ended) = passed {
            return ended;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nothing_follows_from_move_the_checkpoint_all_the_same() {
    let world = world().await;
    let server = world.serve().await;
    let (stop, holders) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
    let passing = tokio::spawn({
        let (consumer, holders) = (probe(&server, &stop), holders.clone());
        async move { consumer.hold(|lease| pass_over(lease, holders.clone())).await }
    });
    let took_part = async {
        while !world.value::<bool>("select exists (select from consumers where name = 'probe')").await {
            tokio::time::sleep(Duration::from_millis(20)).await; // asks again; what is waited for is the row
        }
    };
    timeout(PATIENCE, took_part).await.expect("the consumer begins");
    world.appender.append(happening()).await.unwrap();
    reached(&world, world.value::<i64>("select seq from log_head").await).await;
    assert_eq!(holders.load(Ordering::Relaxed), 1, "it never began again");
    stop.cancel();
    passing.await.unwrap();
}
