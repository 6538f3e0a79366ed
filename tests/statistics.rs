//! Incidents in figures: right, fresh, for those who may see them, and however many ask, one query.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::user::{Event, Role, RolesChanged};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::harness::{Answer, Client, PASSWORD, PATIENCE, World, execute, world};

const STATS: &str = "/api/v1/incidents/stats";
const INCIDENTS: &str = "/api/v1/incidents";

async fn step(client: &Client, incident: &Value, to: &str) {
    let path = format!("{INCIDENTS}/{}/status", incident["id"].as_str().unwrap());
    let answer = client.post(&path, json!({ "to": to, "resolution": "done" })).await;
    let answer = if answer.status == 200 { answer } else { client.post(&path, json!({ "to": to })).await };
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn act(client: &Client, incident: &Value, action: &str, body: Value) {
    let answer = client.post(&format!("{INCIDENTS}/{}/{action}", incident["id"].as_str().unwrap()), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// A world whose PostgreSQL counts how often it runs the statistics: whatever reads the log's head passes a
/// policy, which looks at the statement that it is part of.
async fn counting() -> World {
    let world = world().await;
    let sql = "create sequence counted; grant usage on counted to signalbox_app; \
               create function counts() returns boolean language plpgsql as $$ begin \
                 if current_query() like '%percentile_cont%' then perform nextval('counted'); end if; \
                 return true; end $$; \
               create policy counts on log_head for select using (counts()); \
               alter table log_head enable row level security";
    execute(&world.owner, sql).await;
    world
}

/// How often it has.
async fn queries(world: &World) -> i64 {
    world.value("select case when is_called then last_value else 0 end from counted").await
}

/// Lets every reading of incidents by the server wait, after its snapshot, for as long as the returned
/// connection lives. Writing goes on: it is the owner's function that writes. There must be an incident.
async fn hold(world: &World) -> tokio_postgres::Client {
    let sql = "create function held() returns boolean language plpgsql as $$ begin \
                 perform pg_advisory_lock_shared(7); perform pg_advisory_unlock_shared(7); return true; end $$; \
               create policy held on incidents for select using ((select held())); \
               alter table incidents enable row level security";
    execute(&world.owner, sql).await;
    let (client, connection) = world.owner.connect("holder").await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("select pg_advisory_lock(7)").await.unwrap();
    client
}

/// Looks until so many readings wait.
async fn waiting(world: &World, count: i64) {
    let sql = "select count(*) from pg_locks l join pg_database d on d.oid = l.database \
               where d.datname = current_database() and l.locktype = 'advisory' and not l.granted";
    let mut looks = interval(Duration::from_millis(5));
    let until = async {
        while world.value::<i64>(sql).await != count {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, until).await.unwrap();
}

#[tokio::test]
async fn the_figures_are_those_that_plain_sql_gives() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let empty = admin.get(STATS).await;
    assert_eq!(empty.json["open"]["total"], 0);
    assert_eq!(empty.json["time_to_resolve"], json!({ "measured": 0 }));
    assert_eq!(empty.json["oldest_open"], Value::Null);

    for (nth, severity) in ["P0", "P1", "P1", "P2", "P3", "P4", "P0", "P3", "P2", "P1"].iter().enumerate() {
        let body = json!({ "title": format!("number {nth}"), "severity": severity });
        let incident = admin.post(INCIDENTS, body).await.json;
        // One of each: as far as nth says, then cancelled, merged, reopened.
        let path = ["acknowledged", "investigating", "mitigated", "resolved", "closed"];
        for to in &path[..if nth < 6 { nth } else { 4 * usize::from(nth != 6) }] {
            step(&admin, &incident, to).await;
        }
        match nth {
            6 => act(&admin, &incident, "cancel", json!({ "reason": "a drill" })).await,
            7 => act(&admin, &incident, "merge", json!({ "into": "INC-1" })).await,
            8 => act(&admin, &incident, "reopen", json!({ "reason": "again" })).await,
            _ => {}
        }
    }
    let last = admin.get("/api/v1/events?limit=1").await.header("signalbox-seq").to_owned();
    let shown = admin.get(&format!("{STATS}?min_seq={last}&window_h=1")).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert_eq!(shown.header("signalbox-seq"), last);
    assert_eq!((&shown.json["window_h"], &shown.json["created_24h"]), (&json!(1), &json!(10)));

    let open = "status not in ('resolved', 'closed', 'cancelled')";
    for word in ["triggered", "acknowledged", "investigating", "mitigated"] {
        let count: i64 = world.value(&format!("select count(*) from incidents where status = '{word}'")).await;
        assert_eq!(shown.json["open"]["by_status"][word], count, "{word}");
    }
    for word in ["P0", "P1", "P2", "P3", "P4"] {
        let count: i64 =
            world.value(&format!("select count(*) from incidents where severity = '{word}' and {open}")).await;
        assert_eq!(shown.json["open"]["by_severity"][word], count, "{word}");
    }
    let total: i64 = world.value(&format!("select count(*) from incidents where {open}")).await;
    assert_eq!((&shown.json["open"]["total"], total), (&json!(total), 5));
    assert_eq!(shown.json["oldest_open"]["key"], "INC-1");
    let counts = "status <> 'cancelled' and state ->> 'merged_into' is null";
    let resolved: i64 = world
        .value(&format!("select count(*) from incidents where status in ('resolved', 'closed') and {counts}"))
        .await;
    assert_eq!((&shown.json["resolved_24h"], resolved), (&json!(resolved), 3));
    for (field, time) in [("time_to_acknowledge", "acknowledged_at"), ("time_to_resolve", "resolved_at")] {
        let took = format!("extract(epoch from (state ->> '{time}')::timestamptz - created_at)::float8");
        let of = format!("from incidents where {counts} and state ->> '{time}' is not null");
        let measured: i64 = world.value(&format!("select count(*) {of}")).await;
        assert_eq!(shown.json[field]["measured"], measured);
        let close = |name: &str, expected: f64| {
            let shown = shown.json[field][name].as_f64().unwrap();
            assert!((shown - expected).abs() < 1e-6 && shown > 0.0, "{field}.{name}: {shown}, not {expected}");
        };
        close("mean_s", world.value(&format!("select avg({took}) {of}")).await);
        for (name, share) in [("p50_s", 0.5), ("p90_s", 0.9), ("p95_s", 0.95)] {
            let sql = format!("select percentile_cont({share}) within group (order by {took}) {of}");
            close(name, world.value(&sql).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_and_then_a_thousand_who_ask_at_once_cost_one_query() {
    let world = counting().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    admin.report("one").await;
    admin.caught_up().await;
    let mut spent = 0;
    for (crowd, window_h) in [(50, 1), (1_000, 2)] {
        let began = Instant::now();
        let mut asks = JoinSet::new();
        for _ in 0..crowd {
            let admin = admin.clone();
            asks.spawn(async move { admin.get(&format!("{STATS}?window_h={window_h}")).await });
        }
        let answers = asks.join_all().await;
        let elapsed = began.elapsed();
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.json["created_24h"] == 1));
        let misses = answers.iter().filter(|answer| answer.header("signalbox-cache") == "miss").count() as i64;
        let cost = queries(&world).await - spent;
        spent += cost;
        // An answer is good for five seconds; a machine that needs longer for the crowd pays again.
        assert!(cost <= 1 + elapsed.as_secs() as i64 / 5, "{cost} queries for {crowd} in {elapsed:?}");
        assert_eq!(cost, misses, "what the answers say is what PostgreSQL counted");
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_its_query_to_the_others() {
    let world = counting().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    admin.report("one").await;
    admin.caught_up().await;
    let holder = hold(&world).await;
    let leaving = tokio::spawn(admin.request(Method::GET, STATS).send());
    waiting(&world, 1).await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    let staying = tokio::spawn({
        let admin = admin.clone();
        async move { admin.get(STATS).await }
    });
    // Its request is not seen in PostgreSQL. Another one, sent after it, is.
    let list = tokio::spawn({
        let admin = admin.clone();
        async move { admin.get(&format!("{INCIDENTS}?limit=1")).await }
    });
    waiting(&world, 2).await;
    drop(holder);
    let told = staying.await.unwrap();
    assert_eq!((told.status.as_u16(), &told.json["open"]["total"]), (200, &json!(1)));
    assert_ne!(told.header("signalbox-cache"), "miss");
    assert_eq!((list.await.unwrap().status.as_u16(), queries(&world).await), (200, 1));
}

#[tokio::test]
async fn a_query_under_way_when_an_event_arrives_does_not_answer_who_knows_the_event() {
    let world = counting().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    admin.report("one").await;
    admin.caught_up().await;
    let mut stream = admin.stream("", None).await;
    stream.until("ready").await;
    let holder = hold(&world).await;
    let before = tokio::spawn({
        let admin = admin.clone();
        async move { admin.get(STATS).await }
    });
    waiting(&world, 1).await;
    admin.report("two").await;
    let seq = stream.until("incident.created").await.pop().unwrap().id.unwrap();
    let after = tokio::spawn({
        let admin = admin.clone();
        async move { admin.get(&format!("{STATS}?min_seq={seq}")).await }
    });
    drop(holder);
    let before = before.await.unwrap();
    let position: i64 = before.header("signalbox-seq").parse().unwrap();
    assert!(before.json["open"]["total"] == 1 && position < seq, "true as of {position}, before {seq}");
    let after = after.await.unwrap();
    assert_eq!(after.json["open"]["total"], 2);
    assert!(after.header("signalbox-seq").parse::<i64>().unwrap() >= seq);
    let again = admin.get(STATS).await;
    assert_eq!((&again.json["open"]["total"], again.header("signalbox-cache")), (&json!(2), "hit"));
    assert_eq!(queries(&world).await, 2);
}

#[tokio::test]
async fn a_change_shows_at_once_after_a_quiet_second_and_within_a_second_always() {
    let world = counting().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let mut stream = admin.stream("?types=incident.*", None).await;
    stream.until("ready").await;
    assert_eq!(admin.get(STATS).await.json["open"]["total"], 0);
    sleep(Duration::from_secs(1)).await;
    admin.report("one").await;
    stream.until("incident.created").await;
    assert_eq!(admin.get(STATS).await.json["open"]["total"], 1, "at once");
    admin.report("two").await;
    stream.until("incident.created").await;
    sleep(Duration::from_secs(1)).await;
    let told = admin.get(STATS).await;
    assert_eq!(told.json["open"]["total"], 2, "within a second");
    assert_eq!(queries(&world).await, 3);

    let unchanged = Answer::of(admin.request(Method::GET, STATS).header("if-none-match", told.header("etag"))).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
    assert_eq!((unchanged.header("signalbox-cache"), unchanged.header("cache-control")), ("hit", "private, no-cache"));
}

#[tokio::test]
async fn whoever_lost_the_right_is_refused_however_fresh_the_answer_is() {
    let world = counting().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let vera = world.user("vera", Role::Viewer).await;
    let otto = world.user("otto", Role::Operator).await;
    admin.caught_up().await;
    let as_vera = server.anonymous().sign_in("vera", PASSWORD).await;
    let as_otto = server.anonymous().sign_in("otto", PASSWORD).await;
    let _ = otto;
    for client in [&admin, &as_vera, &as_otto] {
        let told = client.get(STATS).await;
        assert_eq!((told.status.as_u16(), told.header("signalbox-cache")), (200, "miss"), "other rights share nothing");
    }
    let change = RolesChanged { old: vera.roles.clone(), new: [].into() };
    world.happen_to(vera, Event::RolesChanged(change)).await;
    admin.caught_up().await;
    as_vera.get(STATS).await.is_problem(403, "forbidden");
    server.anonymous().get(STATS).await.is_problem(401, "unauthorized");
    assert_eq!(queries(&world).await, 3);
}

#[tokio::test]
async fn a_database_that_fails_is_asked_once_a_second_and_the_callers_are_told_to_come_back() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    admin.report("one").await;
    admin.caught_up().await;
    // A sequence counts although the statement fails.
    let sql = "create sequence asked; grant usage on asked to signalbox_app; \
               create function fails() returns boolean language plpgsql as $$ begin \
                 perform nextval('asked'); raise exception 'away'; end $$; \
               create policy fails on incidents for select using ((select fails())); \
               alter table incidents enable row level security";
    execute(&world.owner, sql).await;
    let began = Instant::now();
    let admin = Arc::new(admin);
    while began.elapsed() < Duration::from_secs(3) {
        let mut asks = JoinSet::new();
        for _ in 0..20 {
            let admin = admin.clone();
            asks.spawn(async move { admin.get(STATS).await });
        }
        for refused in asks.join_all().await {
            refused.is_problem(503, "database_unavailable");
            assert_eq!(refused.header("retry-after"), "1");
        }
        let asked: i64 = world.value("select case when is_called then last_value else 0 end from asked").await;
        assert!(asked <= 1 + began.elapsed().as_secs() as i64, "{asked} in {:?}", began.elapsed());
    }
    execute(&world.owner, "drop policy fails on incidents; alter table incidents disable row level security").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(admin.get(STATS).await.status, 200);
}

#[tokio::test]
async fn a_window_is_one_hour_to_thirty_days() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for window_h in ["1", "24", "720"] {
        let told = admin.get(&format!("{STATS}?window_h={window_h}")).await;
        assert_eq!((told.status.as_u16(), told.json["window_h"].to_string().as_str()), (200, window_h));
    }
    for window_h in ["0", "721", "-1", "a", "1.5", ""] {
        admin.get(&format!("{STATS}?window_h={window_h}")).await.is_problem(400, "invalid_parameter");
    }
    admin.get(&format!("{STATS}?window=1")).await.is_problem(400, "unknown_parameter");
}
