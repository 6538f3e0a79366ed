//! Log lines: kept with the event that tells of them, found, followed, and gone when they are old.

mod api;
mod download;
mod tail;

use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::logs::{Batch, Level, Line};
use signalbox::log::{Cause, Command, Outcome, State, Write};
use signalbox::logs;
use time::OffsetDateTime;

use crate::harness::{Answer, Client, World, execute, world};

const LOGS: &str = "/api/v1/logs";

/// Sends a batch and gives its event's place.
async fn sent(client: &Client, body: Value) -> i64 {
    let answer = client.post(LOGS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.header("signalbox-seq").parse().unwrap()
}

/// Sends a body of any type.
async fn send_raw(client: &Client, query: &str, content_type: &str, body: &[u8]) -> Answer {
    let request = client.request(Method::POST, &format!("{LOGS}{query}"));
    Answer::of(request.header("content-type", content_type).body(body.to_vec())).await
}

fn batch(source: &str, messages: &[&str]) -> Batch {
    let line = |message: &&str| Line { message: (*message).to_owned(), ..Line::default() };
    Batch { source: source.to_owned(), server: None, execution: None, lines: messages.iter().map(line).collect() }
}

fn command(writes: Vec<Write>, states: Vec<State>) -> Command {
    Command { cause: Cause::system("test"), writes, states, idempotency: None }
}

/// Appends a batch and gives its event's place.
async fn add(world: &World, batch: &Batch) -> i64 {
    batch.check(OffsetDateTime::now_utc()).unwrap();
    let (write, state) = logs::write(batch, OffsetDateTime::now_utc());
    match world.appender.append(command(vec![write], vec![state])).await.unwrap() {
        Outcome::Appended(appended) => appended.last_seq,
        other => panic!("{other:?}"),
    }
}

/// Places of all stored lines and what they say, in order.
async fn stored(world: &World) -> Value {
    let sql = "select coalesce(json_agg(json_build_array(seq, line, message) order by seq, line), '[]') from log_lines";
    world.value(sql).await
}

#[tokio::test]
async fn lines_are_stored_with_the_event_that_tells_of_them_or_not_at_all() {
    let world = world().await;
    let first = add(&world, &batch("sshd", &["one", "two"])).await;
    let second = add(&world, &batch("sshd", &["three"])).await;
    let all = json!([[first, 1, "one"], [first, 2, "two"], [second, 1, "three"]]);
    assert_eq!(stored(&world).await, all);
    let same_time = "select bool_and(l.recorded_at = e.recorded_at and l.at = e.recorded_at)
                       from log_lines l join events e using (seq)";
    assert!(world.value::<bool>(same_time).await);

    let (write, state) = logs::write(&batch("sshd", &["never"]), OffsetDateTime::now_utc());
    let broken = State { kind: "log_lines", json: state.json.replace(r#""level":3"#, r#""level":"bad""#) };
    assert_ne!(broken.json, state.json);
    world.appender.append(command(vec![write], vec![broken])).await.unwrap_err();
    assert_eq!(stored(&world).await, all);
    assert_eq!(world.value::<i64>("select seq from log_head").await, second, "no event without its lines");
}

#[tokio::test]
async fn an_event_carries_its_lines_while_they_are_few_and_counts_them_otherwise() {
    let world = world().await;
    let mut few = batch("nova-api", &["listening", "failed"]);
    few.lines[1].level = Level::Error;
    let many = batch("nova-api", &["x"; 21]);
    let large = batch("nova-api", &["x".repeat(9 << 10).as_str()]);
    let mut events = Vec::new();
    for batch in [&few, &many, &large] {
        let seq = add(&world, batch).await;
        events.push(world.value::<Value>(&format!("select data from events where seq = {seq}")).await);
    }
    let lines = json!([{ "level": "info", "message": "listening" }, { "level": "error", "message": "failed" }]);
    let levels = json!({ "info": 1, "error": 1 });
    assert_eq!(events[0], json!({ "source": "nova-api", "count": 2, "levels": levels, "lines": lines }));
    assert_eq!(events[1], json!({ "source": "nova-api", "count": 21, "levels": { "info": 21 } }));
    assert_eq!(events[2], json!({ "source": "nova-api", "count": 1, "levels": { "info": 1 } }));
    assert_eq!(world.value::<i64>("select count(*) from log_lines").await, 24);
}

#[tokio::test]
async fn old_days_go_whole_and_the_log_stays_gapless() {
    let world = world().await;
    add(&world, &batch("sshd", &["of today"])).await;
    for days in [1, 3, 40] {
        let day = format!("(now() at time zone 'UTC')::date - {days}");
        let line = format!("insert into log_lines (at, recorded_at, seq, line, level, source, message)
                            values (now(), (({day})::timestamp + time '12:00') at time zone 'UTC', 1, 1, 3, 'old', 'of {days}')");
        execute(&world.owner, &format!("set role signalbox_owner; select log_partition_add({day}); {line}")).await;
    }
    let log: String =
        world.value("select string_agg(seq || ' ' || leaf_hash::text, ',' order by seq) from events").await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'log_lines'::regclass";
    let before: i64 = world.value(partitions).await;

    assert!(logs::keep(&world.database, 0).await.unwrap().is_empty(), "0 keeps all");
    assert_eq!(logs::keep(&world.database, 30).await.unwrap().len(), 1);
    assert_eq!(logs::keep(&world.database, 2).await.unwrap().len(), 1);
    assert!(logs::keep(&world.database, 2).await.unwrap().is_empty());
    let left: String = world.value("select string_agg(message, ',' order by recorded_at) from log_lines").await;
    assert_eq!(left, "of 1,of today");
    assert_eq!(world.value::<i64>(partitions).await, before - 2, "dropped, not emptied");
    let after: String =
        world.value("select string_agg(seq || ' ' || leaf_hash::text, ',' order by seq) from events").await;
    assert_eq!(after, log);
}

#[tokio::test]
async fn a_batch_is_not_lost_for_want_of_a_partition_and_the_next_days_are_made_ahead() {
    let world = world().await;
    let today = world.value::<String>("select to_char(now() at time zone 'UTC', 'YYYYMMDD')").await;
    let ahead = "select count(*) from pg_inherits where inhparent = 'log_lines'::regclass";
    assert_eq!(world.value::<i64>(ahead).await, 8, "today and a week");
    execute(&world.owner, &format!("drop table log_lines_{today}")).await;
    add(&world, &batch("sshd", &["kept"])).await;
    assert_eq!(stored(&world).await[0][2], "kept");
    logs::keep(&world.database, 30).await.unwrap();
    assert_eq!(world.value::<i64>(ahead).await, 8);
}

#[tokio::test]
async fn of_processes_that_keep_partitions_at_once_one_does_and_who_serves_may_not_drop_by_itself() {
    let world = world().await;
    let days = "select log_partition_add((now() at time zone 'UTC')::date - n) from generate_series(40, 59) n";
    execute(&world.owner, &format!("set role signalbox_owner; {days}")).await;
    let keeping = (0..8).map(|_| logs::keep(&world.database, 30));
    let mut dropped = Vec::new();
    for kept in futures_util::future::join_all(keeping).await {
        dropped.extend(kept.unwrap());
    }
    dropped.extend(logs::keep(&world.database, 30).await.unwrap());
    let once = dropped.len();
    dropped.sort();
    dropped.dedup();
    assert_eq!((once, dropped.len()), (20, 20), "each day once");
    for forbidden in ["delete from log_lines", "drop table log_lines", "select log_partition_add('2001-01-01')"] {
        let refused = world.database.query(forbidden, &[]).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied") || refused.contains("must be owner"), "{refused}");
    }
}

#[tokio::test]
async fn words_of_a_day_that_is_over_are_indexed_and_today_s_are_not() {
    let world = world().await;
    let day = "(now() at time zone 'UTC')::date - 1";
    execute(&world.owner, &format!("set role signalbox_owner; select log_partition_add({day})")).await;
    for _ in 0..2 {
        logs::index_words(&world.direct).await.unwrap();
        let indexed =
            "select coalesce(string_agg(tablename, ','), '') from pg_indexes where indexdef like '%gin_trgm_ops%'";
        let yesterday = format!("select 'log_lines_' || to_char({day}, 'YYYYMMDD')");
        assert_eq!(world.value::<String>(indexed).await, world.value::<String>(&yesterday).await);
    }
}
