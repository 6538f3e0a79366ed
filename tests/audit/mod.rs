//! The log for auditors: what is found and taken home is what plain SQL says that they may see, whole or not at all.

mod export;
mod file;
mod search;
mod states;

use serde_json::{Value, json};
use signalbox::domain::user::Role;
use signalbox::log::{Cause, Command, NewEvent, Outcome, Write};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::access::signed_in;
use crate::harness::{Client, Running, World, execute};

pub const SEARCH: &str = "/api/v1/events/search";
pub const EXPORT: &str = "/api/v1/events/export";

/// So many events behind each other in the stream `test/filler`, each with `padding` bytes more than it needs.
async fn filled(world: &World, events: i64, padding: usize) {
    let sql = format!(
        "insert into events
         select h.seq + n, gen_random_uuid(), 'test/filler', n, 'incident.commented',
                ('{{\"padding\":\"' || repeat('x', {padding}) || '\",\"text\":\"' || n || '\"}}')::json,
                'system:test', 'test', '{{incidents.read}}', null, gen_random_uuid(), null, null,
                clock_timestamp(), greatest(h.recorded_at, now()), sha256(int8send(n))
           from log_head h, generate_series(1, {events}) n;
         insert into streams values ('test/filler', {events});
         update log_head set seq = seq + {events}, recorded_at = greatest(recorded_at, now());
         analyze events;"
    );
    execute(&world.owner, &sql).await;
}

/// Something that somebody did.
async fn happen(world: &World, cause: Cause, stream: &str, text: &str, permissions: &'static [&'static str]) -> i64 {
    let event = NewEvent {
        id: Uuid::now_v7(),
        kind: "incident.commented",
        data: json!({ "text": text }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions,
    };
    let write = Write { stream: stream.to_owned(), expected: None, events: vec![event] };
    let command = Command { cause, writes: vec![write], states: Vec::new(), idempotency: None };
    match world.appender.append(command).await.unwrap() {
        Outcome::Appended(appended) => appended.last_seq,
        other => panic!("{other:?}"),
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn seqs(text: &str) -> Vec<i64> {
    lines(text).iter().map(|line| line["event"]["seq"].as_i64().unwrap()).collect()
}

async fn auditor(world: &World, server: &Running) -> Client {
    let anna = world.user("anna", Role::Auditor).await;
    let client = signed_in(server, anna.id);
    client.caught_up().await;
    client
}
