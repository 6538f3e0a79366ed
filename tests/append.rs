//! The append queue: order, versions, keys, and what happens when things break.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use signalbox::log::{
    AppendError, Appended, Appender, Cause, Command, Idempotency, NewEvent, Outcome, State, Write, hex, read, recompute,
};
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::harness::{World, execute, world};

fn event(data: serde_json::Value) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        kind: "test.happened",
        data,
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &["test.read"],
    }
}

fn command(stream: &str, expected: Option<i64>, events: usize) -> Command {
    let events = (0..events).map(|n| event(json!({ "n": n }))).collect();
    Command {
        cause: Cause::system("test"),
        writes: vec![Write { stream: stream.to_owned(), expected, events }],
        states: Vec::new(),
        idempotency: None,
    }
}

fn keyed(stream: &str, key: &str) -> Command {
    let idempotency = Idempotency {
        principal: "user:1".to_owned(),
        key: key.to_owned(),
        body_hash: vec![1; 32],
        reply: json!({ "key": key }).to_string(),
    };
    Command { idempotency: Some(idempotency), ..command(stream, None, 1) }
}

#[track_caller]
fn appended(outcome: Result<Outcome, AppendError>) -> Appended {
    match outcome {
        Ok(Outcome::Appended(appended)) => appended,
        other => panic!("not appended: {other:?}"),
    }
}

/// Another process's queue on the same database.
fn another(world: &World) -> Appender {
    Appender::start(world.direct.clone(), Arc::new(Notify::new()))
}

/// The whole log in order, checked: seq 1..n, versions 1..n per stream, time never backwards.
async fn checked_log(world: &World) -> Vec<signalbox::log::Event> {
    let mut log = Vec::new();
    loop {
        let page = read::after(&world.database, log.len() as i64, read::PAGE_EVENTS).await.unwrap();
        if page.is_empty() {
            break;
        }
        log.extend(page);
    }
    let mut versions: HashMap<&str, i64> = HashMap::new();
    let mut before = OffsetDateTime::UNIX_EPOCH;
    for (at, event) in (1..).zip(&log) {
        assert_eq!(event.seq, at, "seq has no gap");
        let version = versions.entry(&event.stream).or_default();
        *version += 1;
        assert_eq!(event.version, *version, "versions of {} have no gap", event.stream);
        assert!(event.recorded_at >= before, "recorded_at never goes backwards");
        before = event.recorded_at;
    }
    assert_eq!(read::head(&world.database).await.unwrap().seq, log.len() as i64);
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_in_two_processes_make_one_gapless_log() {
    let world = world().await;
    let appenders = [world.appender.clone(), another(&world)];
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let appender = appenders[writer % 2].clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for round in 0..20 {
                    let wanted = command(&format!("test/{}", writer % 16), None, 1 + round % 3);
                    let ids: Vec<Uuid> = wanted.writes[0].events.iter().map(|event| event.id).collect();
                    acknowledged.push((ids, appended(appender.append(wanted).await)));
                }
                acknowledged
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for writer in writers {
        let mine = writer.await.unwrap();
        assert!(mine.windows(2).all(|pair| pair[0].1.last_seq < pair[1].1.first_seq), "in the order of one writer");
        acknowledged.extend(mine);
    }
    let log = checked_log(&world).await;
    for (ids, at) in &acknowledged {
        let found: Vec<Uuid> =
            log[at.first_seq as usize - 1..at.last_seq as usize].iter().map(|event| event.id).collect();
        assert_eq!(&found, ids, "a command's events stand together where its outcome says");
    }
    assert_eq!(log.len(), acknowledged.iter().map(|(ids, _)| ids.len()).sum::<usize>());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_commands_that_expect_the_same_version_one_wins_and_the_others_learn_the_actual_one() {
    let world = world().await;
    let appenders = [world.appender.clone(), another(&world)];
    for version in 0..10 {
        let racers = (0..20).map(|racer| {
            let appender = appenders[racer % 2].clone();
            tokio::spawn(async move { appender.append(command("test/1", Some(version), 1)).await.unwrap() })
        });
        let mut won = 0;
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                Outcome::Appended(_) => won += 1,
                Outcome::Conflict { stream, actual } => assert_eq!((stream.as_str(), actual), ("test/1", version + 1)),
                Outcome::Duplicate(_) => panic!("no key was given"),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(checked_log(&world).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_first_reply_and_one_event_from_any_process() {
    let world = world().await;
    let appenders = [world.appender.clone(), another(&world)];
    let tries = (0..40).map(|n| {
        let appender = appenders[n % 2].clone();
        tokio::spawn(
            async move { appender.append(keyed(&format!("test/{n}"), &format!("key-{}", n / 8))).await.unwrap() },
        )
    });
    let (mut first, mut again) = (0, 0);
    for outcome in tries.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            Outcome::Appended(_) => first += 1,
            Outcome::Duplicate(stored) => {
                assert!(stored.reply.get().contains("key-"));
                assert_eq!(stored.body_hash, vec![1; 32]);
                assert!((1..=5).contains(&stored.seq));
                again += 1;
            }
            Outcome::Conflict { .. } => panic!("any version was fine"),
        }
    }
    assert_eq!((first, again), (5, 35));
    assert_eq!(checked_log(&world).await.len(), 5);
}

#[tokio::test]
async fn a_command_over_two_streams_is_appended_whole_or_not_at_all() {
    let world = world().await;
    appended(world.appender.append(command("test/a", Some(0), 1)).await);
    let mut both = command("test/b", Some(0), 2);
    both.writes.push(Write { stream: "test/a".into(), expected: Some(0), events: vec![event(json!({}))] });
    let outcome = world.appender.append(both).await.unwrap();
    assert!(matches!(outcome, Outcome::Conflict { stream, actual: 1 } if stream == "test/a"));
    assert_eq!(checked_log(&world).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_postgresql_refuses_fails_alone() {
    let world = world().await;
    let neighbours: Vec<_> = (0..50)
        .map(|n| {
            let appender = world.appender.clone();
            tokio::spawn(async move {
                let mut wanted = command(&format!("test/{n}"), Some(0), 1);
                if n == 17 {
                    wanted.states.push(State { kind: "incident", json: json!({ "id": "not a uuid" }).to_string() });
                }
                (n, appender.append(wanted).await)
            })
        })
        .collect();
    for neighbour in neighbours {
        let (n, outcome) = neighbour.await.unwrap();
        match n {
            17 => assert!(matches!(outcome, Err(AppendError::Refused { .. })), "{outcome:?}"),
            _ => drop(appended(outcome)),
        }
    }
    assert_eq!(checked_log(&world).await.len(), 49);
}

#[tokio::test]
async fn a_malformed_command_is_refused_before_it_reaches_the_queue() {
    let world = world().await;
    let empty = command("test/1", None, 0);
    assert!(matches!(world.appender.append(empty).await, Err(AppendError::Malformed(_))));
    let mut twice = command("test/1", None, 1);
    twice.writes.push(Write { stream: "test/1".into(), expected: None, events: vec![event(json!({}))] });
    assert!(matches!(world.appender.append(twice).await, Err(AppendError::Malformed(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_killed_under_load_loses_no_acknowledged_event_and_doubles_none() {
    let world = world().await;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let appender = world.appender.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for round in 0..60 {
                    let wanted = keyed(&format!("test/{writer}"), &format!("{writer}-{round}"));
                    let id = wanted.writes[0].events[0].id;
                    acknowledged.push((id, appended(appender.append(wanted).await).first_seq));
                }
                acknowledged
            })
        })
        .collect();
    let killer = tokio::spawn({
        let owner = world.owner.clone();
        async move {
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                        where application_name like 'signalbox-append-%' and datname = current_database()";
            loop {
                execute(&owner, kill).await;
                tokio::time::sleep(Duration::from_millis(20)).await; // the fault's own rhythm, not a wait
            }
        }
    });
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    killer.abort();
    let log = checked_log(&world).await;
    assert_eq!(log.len(), 16 * 60, "each command is in the log once");
    for (id, seq) in acknowledged {
        assert_eq!(log[seq as usize - 1].id, id);
    }
}

#[tokio::test]
async fn appends_are_refused_while_the_head_is_locked_and_go_on_after() {
    let world = world().await;
    appended(world.appender.append(command("test/1", None, 1)).await);
    let (mut client, connection) = world.owner.connect("test").await.unwrap();
    tokio::spawn(connection);
    let lock = client.transaction().await.unwrap();
    lock.query("select from log_head for update", &[]).await.unwrap();
    let refused = world.appender.append(command("test/2", None, 1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    lock.rollback().await.unwrap();
    appended(world.appender.append(command("test/2", None, 1)).await);
    assert_eq!(checked_log(&world).await.len(), 2);
}

#[tokio::test]
async fn the_role_that_serves_cannot_change_the_log_and_nobody_can_by_mistake() {
    let world = world().await;
    appended(world.appender.append(command("test/1", None, 1)).await);
    let (app, connection) = world.direct.connect("test").await.unwrap();
    tokio::spawn(connection);
    for sql in [
        "update events set data = '{}'",
        "delete from events",
        "truncate events",
        "insert into events select * from events",
        "merge into events using (select 1) one on true when matched then delete",
        "update log_head set seq = 0",
        "update streams set version = 9",
        "copy events from stdin",
        "do $$ begin lock table events in exclusive mode; end $$",
        "alter table events disable trigger all",
        "drop trigger events_append_only on events",
        "drop table events",
        "create rule r as on update to events do instead nothing",
        "set session_replication_role = replica",
        "select setval('incident_number', 1)",
        "update users set disabled = true",
        "select password_hash from credentials for update",
        "create function f() returns int language sql as 'select 1'",
        "select state_incident(array['{}']::json[])",
    ] {
        let error = app.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code().unwrap().code(), "42501", "{sql}: {error}");
    }
    let (owner, connection) = world.owner.connect("test").await.unwrap();
    tokio::spawn(connection);
    owner.batch_execute("set role signalbox_owner").await.unwrap();
    for sql in ["update events set data = '{}'", "delete from events", "truncate events"] {
        let error = owner.batch_execute(sql).await.expect_err(sql);
        assert!(
            error.to_string().contains("append-only") || format!("{error:?}").contains("append-only"),
            "{sql}: {error:?}"
        );
    }
    assert_eq!(checked_log(&world).await.len(), 1);
}

#[tokio::test]
async fn a_batch_rings_once_however_many_events_it_has() {
    let world = world().await;
    let (client, mut connection) = world.owner.connect("test").await.unwrap();
    let (ring, mut rings) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let tokio_postgres::AsyncMessage::Notification(note) = message {
                let _ = ring.send((note.channel().to_owned(), note.payload().to_owned())).await;
            }
        }
    });
    client.batch_execute("listen events").await.unwrap();
    appended(world.appender.append(command("test/1", None, 100)).await);
    client.batch_execute("select pg_notify('events', 'end')").await.unwrap();
    assert_eq!(rings.recv().await.unwrap(), ("events".to_owned(), String::new()));
    assert_eq!(rings.recv().await.unwrap(), ("events".to_owned(), "end".to_owned()));
}

#[tokio::test]
async fn the_leaf_hash_can_be_recomputed_from_what_a_reader_sees() {
    let world = world().await;
    let mut odd = command("test/ünï\u{2028}", None, 3);
    odd.writes[0].events[1].data =
        json!({ "z": 1.5e300, "a": [true, null, "\u{1F600}\n"], "ä": { "b": 1, "a": -0.0 }, "n": 1e21 });
    odd.cause.session_id = Some("s-1".into());
    odd.cause.causation_id = Some(Uuid::now_v7());
    odd.cause.trace_id = Some("0af7651916cd43dd8448eb211c80319c".into());
    appended(world.appender.append(odd).await);
    let log = checked_log(&world).await;
    let mut hashes = HashSet::new();
    for event in &log {
        assert_eq!(hex(&recompute(event).unwrap()), hex(&event.leaf_hash));
        hashes.insert(event.leaf_hash.clone());
    }
    assert_eq!(hashes.len(), log.len());
}
