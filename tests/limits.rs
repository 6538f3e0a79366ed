//! Limits: what one user gets, what all get together, and what a process has files for.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use signalbox::domain::user::Role;

use crate::harness::{Answer, Client, PASSWORD, PATIENCE, Running, Stream, World, execute, world};
use crate::process::{Home, Program};

const STREAM: &str = "/api/v1/events/stream";
/// What a process tells the others by.
const PLACES: &str =
    "from pg_stat_activity where application_name like 'signalbox-places%' and datname = current_database()";

/// Two processes on one database, and somebody signed in at each.
async fn two_servers(world: &World, setting: &str) -> ([Running; 2], [Client; 2]) {
    let servers = [world.serve_with(&[setting]).await, world.serve_with(&[setting]).await];
    let clients = [servers[0].admin().await, servers[1].admin().await];
    (servers, clients)
}

/// Opens a stream, or says why not.
async fn open(client: &Client) -> Result<Stream, Answer> {
    let response = client.request(Method::GET, STREAM).send().await.unwrap();
    if response.status() == 200 {
        return Ok(Stream::of(response));
    }
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or_default();
    Err(Answer { status, headers, text, json })
}

/// Opens streams and waits until each is live.
async fn open_all(client: &Client, count: usize) -> Vec<Stream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = open(client).await.unwrap_or_else(|refused| panic!("{}", refused.text));
        stream.until("ready").await;
        streams.push(stream);
    }
    streams
}

/// Tries until there is a place.
async fn open_at_last(client: &Client) -> Stream {
    let started = Instant::now();
    loop {
        match open(client).await {
            Ok(stream) => return stream,
            Err(refused) => {
                refused.is_problem(429, "too_many_streams");
                assert!(started.elapsed() < PATIENCE, "{}", refused.text);
            }
        }
    }
}

async fn refused(client: &Client, says: &str) {
    let refused = open(client).await.err().expect("no place");
    refused.is_problem(429, "too_many_streams");
    assert!(refused.json["detail"].as_str().unwrap().starts_with(says), "{}", refused.text);
    assert_eq!(refused.header("retry-after"), "10");
}

/// Waits until so many streams are written down.
async fn written(world: &World, open: i64) {
    let started = Instant::now();
    while world.value::<i64>("select coalesce(sum(open), 0) from stream_places").await != open {
        assert!(started.elapsed() < PATIENCE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_streams_over_all_processes_and_the_next_is_told_why() {
    let world = world().await;
    let (servers, clients) = two_servers(&world, "--streams-per-user=3").await;
    let mut streams = open_all(&clients[0], 2).await;
    streams.extend(open_all(&clients[1], 1).await);
    for client in &clients {
        refused(client, "3 streams of this user are open and 3 are allowed").await;
    }
    // Somebody else's are not touched, nor are those that were open already.
    world.user("vera", Role::Viewer).await;
    open_all(&servers[1].anonymous().sign_in("vera", PASSWORD).await, 3).await;
    clients[0].report("still there").await;
    for stream in &mut streams {
        stream.until("incident.created").await;
    }
    // The place of a stream that closed on one process is there for the other.
    drop(streams.remove(0));
    let _reopened = open_at_last(&clients[1]).await;
    refused(&clients[0], "3 streams").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_streams_that_are_opened_everywhere_at_once_no_more_than_the_limit_get_a_place() {
    let world = world().await;
    let (_servers, clients) = two_servers(&world, "--streams-per-user=5").await;
    let opened = join_all((0..40).map(|n| open(&clients[n % 2]))).await;
    assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 5);
    drop(opened);
    written(&world, 0).await;
    open_all(&clients[0], 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_that_ask_at_once_one_waits_and_sees_what_the_other_took() {
    let world = world().await;
    let take = "select granted from places_take($1, array[$2::uuid], array[0], array[2], 3)";
    let user = uuid::Uuid::now_v7();
    let (first, driver) = world.direct.connect("test").await.unwrap();
    tokio::spawn(driver);
    let (second, driver) = world.direct.connect("test").await.unwrap();
    tokio::spawn(driver);
    first.batch_execute("select places_register(1, '{}', '{}')").await.unwrap();
    second.batch_execute("select places_register(2, '{}', '{}')").await.unwrap();
    first.batch_execute("begin").await.unwrap();
    assert_eq!(first.query_one(take, &[&1, &user]).await.unwrap().get::<_, i32>(0), 2);
    let asked = tokio::spawn(async move { second.query_one(take, &[&2, &user]).await.unwrap().get::<_, i32>(0) });
    let waits = "select exists (select from pg_locks where locktype = 'advisory' and not granted and database = \
                 (select oid from pg_database where datname = current_database()))";
    while !world.value::<bool>(waits).await {
        assert!(!asked.is_finished(), "it did not wait");
    }
    first.batch_execute("commit").await.unwrap();
    assert_eq!(asked.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_places_of_a_process_that_is_killed_come_back_at_once() {
    let world = world().await;
    let home = Home::new();
    let server = world.serve_with(&["--streams-per-user=3"]).await;
    let client = server.admin().await;
    let urls = [("DATABASE_URL", world.app_url.as_str()), ("DATABASE_MIGRATE_URL", world.owner_url.as_str())];
    let other = Program::start(&home.0, &[urls[0], urls[1], ("SIGNALBOX_STREAMS_PER_USER", "3")]);
    let streams = open_all(&Client::new(&other.url).with_token(&client.token), 3).await;
    refused(&client, "3 streams").await;
    other.signal(Signal::KILL);
    let killed = Instant::now();
    let _there = open_at_last(&client).await;
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_places_of_a_process_that_stops_come_back_while_its_streams_say_goodbye() {
    let world = world().await;
    let settings = ["--streams-per-user=2"];
    let (stopping, staying) = (world.serve_with(&settings).await, world.serve_with(&settings).await);
    let client = staying.admin().await;
    let _streams = open_all(&Client::new(&stopping.url).with_token(&client.token), 2).await;
    refused(&client, "2 streams").await;
    stopping.stop.cancel();
    let _there = open_at_last(&client).await;
    stopping.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_loses_its_session_tells_all_that_it_has_open_to_the_next() {
    let world = world().await;
    let (_servers, clients) = two_servers(&world, "--streams-per-user=3").await;
    let mut streams = open_all(&clients[0], 2).await;
    streams.extend(open_all(&clients[1], 1).await);
    execute(&world.owner, &format!("truncate stream_places; select pg_terminate_backend(pid, 5000) {PLACES}")).await;
    written(&world, 3).await;
    refused(&clients[1], "3 streams").await;
    clients[0].report("still there").await;
    for stream in &mut streams {
        stream.until("incident.created").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_each_process_counts_alone() {
    let world = world().await;
    let database: String = world.value("select current_database()::text").await;
    let (_servers, clients) = two_servers(&world, "--streams-per-user=2").await;
    let mut streams = open_all(&clients[0], 1).await;
    execute(&world.owner, &format!("revoke connect on database {database} from public")).await;
    execute(&world.owner, &format!("select pg_terminate_backend(pid, 5000) {PLACES}")).await;
    streams.extend(open_all(&clients[0], 1).await);
    streams.extend(open_all(&clients[1], 2).await);
    for client in &clients {
        refused(client, "2 streams").await;
    }
    execute(&world.owner, &format!("grant connect on database {database} to public")).await;
    written(&world, 4).await;
    // Nobody is thrown out, and nobody comes in before there is room.
    drop(streams.split_off(1));
    written(&world, 1).await;
    let _second = open_at_last(&clients[1]).await;
    refused(&clients[0], "2 streams").await;
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_streams_asks_for_its_places_together() {
    let world = world().await;
    let database: String = world.value("select current_database()::text").await;
    execute(&world.owner, &format!("alter role signalbox_app in database {database} set track_functions = 'pl'")).await;
    let server = world.serve_with(&["--streams-per-user=1000"]).await;
    let client = server.admin().await;
    let opened = join_all((0..300).map(|_| open(&client))).await;
    assert!(opened.iter().all(Result::is_ok));
    server.stop().await.unwrap(); // a session says what it did when it ends
    let calls = "select coalesce(sum(calls), 0)::bigint from pg_stat_user_functions where funcname = 'places_take'";
    let waiting = Instant::now();
    let calls = loop {
        match world.value::<i64>(calls).await {
            0 => assert!(waiting.elapsed() < PATIENCE),
            calls => break calls,
        }
    };
    assert!(calls <= 100, "{calls} queries for 300 streams; it should be a few each second");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_no_place_is_asked_for_or_counted() {
    let world = world().await;
    let server = world.serve_with(&["--streams-per-user=0", "--stream-opens-per-s=0", "--requests-per-s=0"]).await;
    let client = server.admin().await;
    let _streams = open_all(&client, 10).await;
    assert_eq!(world.value::<i64>(&format!("select count(*) {PLACES}")).await, 0);
    assert_eq!(world.value::<i64>("select count(*) from stream_places").await, 0);
    for _ in 0..50 {
        let answer = client.get("/api/v1/me").await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (200, ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_streams_is_spread_out_and_everybody_gets_in() {
    let world = world().await;
    let server = world.serve_with(&["--stream-opens-per-s=50"]).await;
    let client = server.admin().await;
    let started = Instant::now();
    let come = || async {
        let mut waits = Vec::new();
        loop {
            match open(&client).await {
                Ok(mut stream) => {
                    stream.until("ready").await;
                    return (stream, waits);
                }
                Err(refused) => {
                    refused.is_problem(503, "too_many_at_once");
                    let wait_s: u64 = refused.header("retry-after").parse().unwrap();
                    assert!((1..=5).contains(&wait_s), "{wait_s}");
                    waits.push(wait_s);
                    tokio::time::sleep(Duration::from_secs(wait_s)).await; // as it was told
                    assert!(started.elapsed() < PATIENCE);
                }
            }
        }
    };
    let opened = join_all((0..200).map(|_| come())).await;
    assert!(started.elapsed() > Duration::from_secs(2), "200 streams at 50 per second, 50 of them at once");
    let waits: BTreeSet<u64> = opened.iter().flat_map(|(_, waits)| waits).copied().collect();
    assert!(waits.len() >= 3, "spread: {waits:?}");
    assert_eq!(opened.len(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_uses_up_nobody_s_streams() {
    let world = world().await;
    let server = world.serve_with(&["--stream-opens-per-s=1"]).await;
    let client = server.admin().await;
    for token in ["", "made up"] {
        for _ in 0..5 {
            open(&client.with_token(token)).await.err().unwrap().is_problem(401, "unauthorized");
        }
    }
    open_all(&client, 1).await;
    let ticket = client.post("/api/v1/events/connect", serde_json::json!({})).await;
    let path = format!("{STREAM}/{}", ticket.json["stream_id"].as_str().unwrap());
    // A refused stream id is still good.
    let started = Instant::now();
    loop {
        let mut response = client.with_token("").request(Method::GET, &path).send().await.unwrap();
        if response.status() == 200 {
            assert!(response.chunk().await.unwrap().is_some());
            break;
        }
        assert_eq!(response.status(), 503);
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

/// Asks until refused; the answers before, and the refusal.
async fn until_refused(client: &Client, path: &str) -> (Vec<Answer>, Answer) {
    let mut before = Vec::new();
    loop {
        let answer = client.get(path).await;
        if answer.status == 429 {
            return (before, answer);
        }
        before.push(answer);
        assert!(before.len() < 100, "never refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_asks_too_often_is_told_how_often_and_when_again_and_nobody_else_is() {
    let world = world().await;
    let server = world.serve_with(&["--requests-per-s=1"]).await;
    let client = server.anonymous().sign_in("admin", PASSWORD).await;
    let (before, refused) = until_refused(&client, "/api/v1/me").await;
    assert!(before.len() >= 2, "twice as many at once: {}", before.len());
    assert_eq!((before[0].status.as_u16(), before[0].header("ratelimit")), (200, r#""requests";r=1;t=1"#));
    refused.is_problem(429, "too_many_requests");
    assert_eq!(refused.json["detail"], "at most 1 requests per second, 2 at once");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit"), r#""requests";r=0;t=2"#);
    for answer in before.iter().chain([&refused]) {
        assert_eq!(answer.header("ratelimit-policy"), r#""requests";q=2;w=2"#);
    }
    // Not what has a limit of its own, or none.
    for _ in 0..5 {
        for path in ["/livez", "/readyz", "/openapi.json", "/docs", "/"] {
            let answer = client.get(path).await;
            assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (200, ""), "{path}");
        }
        open_all(&client, 1).await;
    }
    world.user("vera", Role::Viewer).await;
    let vera = server.anonymous().sign_in("vera", PASSWORD).await;
    assert_eq!(vera.get("/api/v1/me").await.status, 200);
    // And again, as it was told.
    let (_, refused) = until_refused(&client, "/api/v1/me").await;
    tokio::time::sleep(Duration::from_secs(refused.header("retry-after").parse().unwrap())).await;
    assert_eq!(client.get("/api/v1/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_is_limited_by_address_whatever_a_header_says() {
    let world = world().await;
    let server = world.serve_with(&["--requests-per-s=1"]).await;
    let (before, refused) = until_refused(&server.anonymous().with_token("made up"), "/api/v1/me").await;
    before.iter().for_each(|answer| answer.is_problem(401, "unauthorized"));
    refused.is_problem(429, "too_many_requests");
    let mut limited = 0;
    for n in 0..10 {
        let request = server.anonymous().request(Method::GET, "/api/v1/incidents");
        let address = format!("203.0.113.{n}");
        let request = request.header("x-forwarded-for", &address).header("forwarded", format!("for={address}"));
        limited += usize::from(Answer::of(request).await.status == 429);
    }
    assert!(limited > 0, "every made-up address had a limit of its own");
    let client = server.anonymous().sign_in("admin", PASSWORD).await;
    assert_eq!(client.get("/api/v1/me").await.status, 200, "a user behind the same address");
}

/// Ticks of 10 ms that a process has computed.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// The program with at most so many open files, and its log.
fn program_with_files(world: &World, home: &Home, files: u32) -> Program {
    let mut command = Command::new("sh");
    let line = format!("ulimit -n {files} && exec {} serve --listen=127.0.0.1:0", env!("CARGO_BIN_EXE_signalbox"));
    command.args(["-c", &line]).current_dir(&home.0).stderr(File::create(home.0.join("log")).unwrap()).envs([
        ("DATABASE_URL", world.app_url.as_str()),
        ("DATABASE_MIGRATE_URL", &world.owner_url),
        ("SIGNALBOX_ADMIN_PASSWORD", PASSWORD),
    ]);
    Program::ready(&mut command)
}

/// More connections than there are files for, while the CPU is measured; then whether it recovers.
async fn crowd(program: &Program) {
    let (address, pid) = (program.url.strip_prefix("http://").unwrap(), program.child.id());
    let crowd: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (started, before) = (Instant::now(), ticks(pid));
    tokio::time::sleep(Duration::from_secs(2)).await; // the time that is measured
    let busy = (ticks(pid) - before) as f64 / 100.0 / started.elapsed().as_secs_f64();
    assert!(busy < 0.5, "{busy}");
    drop(crowd);
    assert_eq!(Client::new(&program.url).sign_in("admin", PASSWORD).await.get("/api/v1/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_as_many_as_there_are_files_for_and_the_others_wait() {
    let (world, home) = (world().await, Home::new());
    let program = program_with_files(&world, &home, 256);
    crowd(&program).await;
    let log = std::fs::read_to_string(home.0.join("log")).unwrap();
    assert_eq!(log.matches("at most 182 connections").count(), 1, "{log}");
    assert!(!log.contains("cannot accept"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_runs_out_of_files_pauses_and_recovers() {
    let (world, home) = (world().await, Home::new());
    let program = program_with_files(&world, &home, 1_024);
    // It serves, so it has looked at its limit already.
    assert_eq!(Client::new(&program.url).get("/livez").await.status, 200);
    let pid = Pid::from_child(&program.child);
    let few = Rlimit { current: Some(files(program.child.id()) as u64 + 20), maximum: Some(1_024) };
    let usual = prlimit(Some(pid), Resource::Nofile, few).unwrap();
    let started = Instant::now();
    crowd(&program).await;
    let failed = std::fs::read_to_string(home.0.join("log")).unwrap().matches("cannot accept").count();
    let most = started.elapsed().as_millis() / 50 + 1;
    assert!((1..=most).contains(&(failed as u128)), "{failed} failures, {most} at this pace");
    prlimit(Some(pid), Resource::Nofile, usual).unwrap();
}
