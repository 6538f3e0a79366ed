//! Clients that hold a connection and say too little: each is closed in time, and nobody else notices.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::restart::start;
use super::short_or_long;
use crate::harness::{Client, PATIENCE, world};
use crate::process::{Home, Program};

/// src/http: 10 s for what tells the protocol, then 10 s for a head, or 10 s for a body.
const CLOSED: Duration = Duration::from_secs(25);
/// Of HTTP/2, where silence is asked about after 20 s, and 10 s are left for the answer.
const HTTP2_CLOSED: Duration = Duration::from_secs(40);
/// Between two bytes of those who say little.
const DRIP: Duration = Duration::from_millis(700);

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How somebody says too little.
struct Manner {
    name: &'static str,
    /// At once.
    begins: String,
    /// Byte by byte from then on, and again from its beginning when it is over.
    drips: &'static str,
    within: Duration,
}

fn manners(token: &str) -> Vec<Manner> {
    let manner = |name, begins: &str, drips, within| Manner { name, begins: begins.to_owned(), drips, within };
    let command = format!(
        "POST /api/v1/incidents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"title\":\""
    );
    let mut manners = vec![
        manner("nothing at all", "", "", CLOSED),
        manner("the beginning of a preface", "PRI", "", CLOSED),
        manner("a preface that stops", "PRI * HTTP/2.0\r\n", "", CLOSED),
        manner("a preface byte by byte", "", "PRI * HTTP/2.0\r\n\r\n", CLOSED),
        manner("a head that stops", "GET /livez HTTP/1.1\r\nHost: x\r\n", "", CLOSED),
        manner("a head byte by byte", "GET /livez HTTP/1.1\r\nHost: x\r\n", "X-More: and more\r\n", CLOSED),
        manner("a body that stops", &command, "", CLOSED),
        manner("a body byte by byte", &command, "more and more", CLOSED),
        manner("nothing after an answer", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "", CLOSED),
    ];
    if short_or_long(false, true) {
        manners.push(manner("a preface and nothing else", PREFACE, "", HTTP2_CLOSED));
    }
    manners
}

/// Plays it until the other side closes; says how long that took.
async fn play(program: &Program, manner: &Manner) -> Duration {
    let socket = TcpStream::connect(program.address()).await.unwrap();
    let (mut from, mut to) = socket.into_split();
    let started = Instant::now();
    to.write_all(manner.begins.as_bytes()).await.unwrap();
    let speaking = tokio::spawn({
        let drips = manner.drips;
        async move {
            for byte in drips.bytes().cycle() {
                tokio::time::sleep(DRIP).await; // this is what it does to the server
                if to.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
            std::future::pending().await // it stays, and is silent
        }
    });
    let mut answer = Vec::new();
    let closed = timeout(manner.within, from.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "{}: still open after {:?}", manner.name, manner.within);
    speaking.abort();
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_too_little_is_closed_in_time_and_thousands_of_them_harm_nobody() {
    let (world, home) = (world().await, Home::new());
    let program = start(&home, &world).await;
    let client = program.admin().await;
    let mut stream = client.stream("?types=incident.created", None).await;
    stream.until("ready").await;
    let manners = manners(&client.token);
    let crowd = (0..short_or_long(800, 4_000)).map(|n| play(&program, &manners[n % manners.len()]));
    let others = async {
        let mut slowest = Duration::ZERO;
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            let asked = Instant::now();
            client.report("meanwhile").await;
            stream.until("incident.created").await;
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let (_, slowest) = tokio::join!(join_all(crowd), others);
    assert!(slowest < Duration::from_secs(2), "a command and its event took {slowest:?}");
    let answer = timeout(PATIENCE, Client::new(&program.url).get("/livez")).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_which_protocol_costs_no_computing_time() {
    let (world, home) = (world().await, Home::new());
    let program = start(&home, &world).await;
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        let mut socket = TcpStream::connect(program.address()).await.unwrap();
        socket.write_all(b"PRI").await.unwrap();
        silent.push(socket);
    }
    let client = Client::new(&program.url);
    assert_eq!(client.get("/livez").await.status, 200); // so all before it are accepted
    let (used, from) = (program.used(), Instant::now());
    let mut byte = [0];
    // The last one is closed when its time is over.
    let closed = timeout(CLOSED, silent.last_mut().unwrap().read(&mut byte)).await.expect("closed");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    let (used, passed) = (program.used() - used, from.elapsed());
    assert!(used < passed / 5, "{used:?} of computing in {passed:?}");
}
