//! The one connection that listens: halted, deaf, flooded, behind a pooler.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use signalbox::log::{Tail, Tailed, read};
use signalbox::postgres::{APP_ROLE, Direct};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::short_or_long;
use crate::harness::{Client, Fault, OwnPostgres, PATIENCE, Stream, World, backend, own_directory, world};

/// A read that is not answered is given up after 3 s, an echo after 2 s, and every 5 s there is one.
const NOTICED: Duration = Duration::from_secs(20);

/// Reports through one server and waits for it on a stream of another.
async fn arrives(client: &Client, stream: &mut Stream, title: &str, within: Duration) {
    client.report(title).await;
    let arrival = async { while stream.event().await.data["data"]["title"] != title {} };
    timeout(within, arrival).await.unwrap_or_else(|_| panic!("{title} has not arrived within {within:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_appends_is_heard_and_not_only_found_by_the_safety_timer() {
    let world = world().await;
    let (listening, writing) = (world.serve().await, world.serve().await);
    let (reader, writer) = (listening.admin().await, writing.admin().await);
    let mut stream = reader.stream("?types=incident.created", None).await;
    stream.until("ready").await;
    let began = Instant::now();
    for n in 0..20 {
        arrives(&writer, &mut stream, &format!("rung {n}"), NOTICED).await;
    }
    // By the timer, each would be awaited for 1 s: the one before it has just set it anew.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_whose_socket_stays_open_and_silent_is_given_up_and_nothing_is_lost() {
    let world = world().await;
    let (proxy, url) = world.proxy().await;
    let (halted, writing) = (world.serve_through(&url, &[]).await, world.serve().await);
    let (reader, writer) = (halted.admin().await, writing.admin().await);
    let mut stream = reader.stream("?types=incident.created", None).await;
    stream.until("ready").await;
    for round in 0..short_or_long(1, 5) {
        arrives(&writer, &mut stream, &format!("before {round}"), NOTICED).await;
        assert_eq!(proxy.strike("signalbox-tail", Fault::Hold), 1);
        arrives(&writer, &mut stream, &format!("silent {round}"), NOTICED).await;
        proxy.strike("signalbox-tail", Fault::Pass);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_no_longer_hears_notifications_notices_and_listens_anew() {
    let world = world().await;
    let (proxy, url) = world.proxy().await;
    let (deaf, writing) = (world.serve_through(&url, &[]).await, world.serve().await);
    let (reader, writer) = (deaf.admin().await, writing.admin().await);
    let mut stream = reader.stream("?types=incident.created", None).await;
    stream.until("ready").await;
    assert_eq!(proxy.strike("signalbox-tail", Fault::Mute), 1);
    // The safety timer brings events meanwhile; only the echo tells that the bell is broken.
    arrives(&writer, &mut stream, "unheard", NOTICED).await;
    let anew = async {
        while proxy.count("signalbox-tail", Fault::Pass) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(NOTICED, anew).await.expect("another session in its place");
    arrives(&writer, &mut stream, "heard again", NOTICED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_whose_backend_is_halted_is_given_up_and_nothing_is_lost() {
    let (postgres, world) = OwnPostgres::start(&[]).await;
    let server = world.serve().await;
    let client = server.admin().await;
    let mut stream = client.stream("?types=incident.created", None).await;
    stream.until("ready").await;
    for round in 0..short_or_long(1, 5) {
        arrives(&client, &mut stream, &format!("before {round}"), NOTICED).await;
        let halted = backend(&world, "signalbox-tail", &postgres.data_directory()).await;
        kill_process(halted, Signal::STOP).unwrap();
        arrives(&client, &mut stream, &format!("halted {round}"), NOTICED).await;
        kill_process(halted, Signal::CONT).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_spoofed_notifications_costs_five_hundred_reads_a_second_at_most() {
    let world = world().await;
    let (proxy, url) = world.proxy().await;
    let server = world.serve_through(&url, &[]).await;
    let client = server.admin().await;
    let before = (proxy.calls("signalbox-tail"), Instant::now());
    let floods = (0..4).map(|_| {
        let direct = world.direct.clone();
        tokio::spawn(async move {
            let (client, connection) = direct.connect("flood").await.unwrap();
            tokio::spawn(connection);
            let (from, flood_s) = (Instant::now(), short_or_long(2, 20));
            while from.elapsed().as_secs() < flood_s as u64 {
                client.batch_execute("notify events, '999999999'").await.unwrap();
            }
        })
    });
    for flood in floods.collect::<Vec<_>>() {
        flood.await.unwrap();
    }
    let (reads, elapsed) = (proxy.calls("signalbox-tail") - before.0, before.1.elapsed());
    assert!(reads > 10, "the flood has rung: {reads}");
    assert!(reads as f64 <= 500.0 * elapsed.as_secs_f64() + 20.0, "{reads} reads in {elapsed:?}");
    client.report("all is well").await;
}

/// PgBouncer in transaction mode in front of a test's database.
struct Pooler {
    child: Child,
    home: PathBuf,
    url: String,
}

impl Pooler {
    async fn start(world: &World) -> Pooler {
        let home = own_directory();
        fs::create_dir_all(&home).unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // As root it gives up its rights, for those of whom PostgreSQL's socket belongs to.
        let socket = world.socket_directory.display();
        let owner = fs::metadata(&world.socket_directory).unwrap().uid();
        let root = rustix::process::geteuid().is_root();
        let user = if root { format!("user = {}\n", user_of(owner)) } else { String::new() };
        let users = home.join("users.txt");
        fs::write(&users, format!("\"{APP_ROLE}\" \"\"\n")).unwrap();
        let settings = format!(
            "[databases]\n{name} = host={socket} port=5432\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n\
             auth_file = {users}\npool_mode = transaction\nignore_startup_parameters = options,extra_float_digits\n{user}",
            name = world.name,
            port = address.port(),
            users = users.display(),
        );
        let file = home.join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new("pgbouncer");
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        let child = command.arg("--quiet").arg(&file).stdout(Stdio::null()).spawn();
        let child = child.expect("pgbouncer is missing: `make test` installs it as root, else `apt install pgbouncer`");
        let up = async { while TcpStream::connect(address).await.is_err() {} };
        timeout(PATIENCE, up).await.expect("pgbouncer listens");
        Pooler { child, home, url: format!("postgresql://{APP_ROLE}@{address}/{}?sslmode=disable", world.name) }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn user_of(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    users.find(|user| user[2] == uid.to_string()).unwrap()[0].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_pooler_the_tail_says_that_it_does_not_hear_and_polls() {
    let world = world().await;
    let pooler = Pooler::start(&world).await;
    let head = read::head(&world.database).await.unwrap();
    let (heard, mut listening) = watch::channel(true);
    let direct = Direct::serving(&pooler.url).unwrap();
    let mut tail = Tail::new(direct, head, Arc::new(Notify::new()), heard);
    let server = world.serve().await;
    let client = server.admin().await;
    let (sent, mut tailed) = tokio::sync::mpsc::channel(16);
    let following = tokio::spawn(async move {
        while let Ok(Tailed::Events(events)) = tail.next().await {
            for event in events {
                sent.send((event.seq, Instant::now())).await.unwrap();
            }
        }
    });
    timeout(NOTICED, listening.wait_for(|listening| !listening)).await.expect("the self-test fails").unwrap();
    let until = Instant::now() + Duration::from_secs(short_or_long(3, 10));
    let mut last = head.seq;
    while Instant::now() < until {
        let answer = client.post("/api/v1/incidents", json!({ "title": "polled" })).await;
        let seq: i64 = answer.header("signalbox-seq").parse().unwrap();
        let appended = Instant::now();
        while last < seq {
            let (next, at) = timeout(NOTICED, tailed.recv()).await.expect("delivery goes on").unwrap();
            assert_eq!(next, last + 1);
            last = next;
            assert!(at.saturating_duration_since(appended) < Duration::from_secs(2), "ten times a second");
        }
    }
    assert!(!*listening.borrow(), "it still knows that it does not hear");
    following.abort();
}
