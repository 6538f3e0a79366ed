//! Writers and readers that work on through a fault, and the check of all they saw.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use load_tests::clock;
use load_tests::history::{self, Append, Connection, Digest, Event, History, Outcome, Received};
use reqwest::Method;
use serde_json::{Value, json};
use signalbox::postgres::Direct;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::harness::{Answer, Client, Frame, PATIENCE, Stream, apart};

/// No request may take longer, whatever is broken: the server's own longest wait is 10 s.
const ANSWER: Duration = Duration::from_secs(15);
/// Between the end of the last fault and the last reader at the head. The promise is 2 s; the rest is for a machine
/// with two cores and other tests on it.
const LIVENESS: Duration = Duration::from_secs(10);
/// Frames that a reader takes from one connection, at most; then it drops it and resumes.
const LIFE_FRAMES: usize = 80;

pub struct Load {
    writers: JoinSet<Written>,
    readers: JoinSet<Vec<Connection>>,
    stop: Arc<AtomicBool>,
    acknowledged: watch::Receiver<u64>,
    /// The head that readers end at, when it is known.
    goal: watch::Sender<i64>,
    positions: Arc<Vec<AtomicI64>>,
    clients: Vec<Client>,
}

#[derive(Default)]
struct Written {
    appends: Vec<Append>,
    /// Answers 503.
    refused: usize,
    longest: Duration,
}

/// What the writers met with.
#[derive(Debug, Default)]
pub struct Met {
    pub acknowledged: usize,
    /// Answers 503.
    pub refused: usize,
    /// The longest that one answer took.
    pub longest: Duration,
}

impl Load {
    /// Each writer and each reader goes from one client to the next; on the second client it may be another server.
    pub fn start(clients: &[Client], writers: usize, readers: usize) -> Load {
        let stop = Arc::<AtomicBool>::default();
        let (count, acknowledged) = watch::channel(0);
        let goal = watch::Sender::new(i64::MAX);
        let positions: Arc<Vec<AtomicI64>> = Arc::new((0..readers).map(|_| AtomicI64::new(0)).collect());
        let mut load = Load {
            writers: JoinSet::new(),
            readers: JoinSet::new(),
            stop: stop.clone(),
            acknowledged,
            goal: goal.clone(),
            positions: positions.clone(),
            clients: clients.to_vec(),
        };
        for number in 0..writers {
            load.writers.spawn(write(clients.to_vec(), number, stop.clone(), count.clone()));
        }
        for number in 0..readers {
            let (clients, goal, positions) = (clients.to_vec(), goal.subscribe(), positions.clone());
            load.readers.spawn(async move { read(clients, number, goal, &positions[number]).await });
        }
        load
    }

    /// Until so many more commands are acknowledged than now. It is how a test goes on, and how it measures recovery.
    pub async fn goes_on(&self, commands: u64) {
        let mut acknowledged = self.acknowledged.clone();
        let enough = *acknowledged.borrow() + commands;
        let going_on = acknowledged.wait_for(|count| *count >= enough);
        timeout(PATIENCE, going_on).await.expect("commands go on being acknowledged").unwrap();
    }

    /// Lets the writers finish, the readers reach the head, and checks every promise against the log.
    pub async fn ends_well(mut self, owner: &Direct) -> Met {
        self.stop.store(true, Relaxed);
        let (mut history, mut met) = (History::default(), Met::default());
        while let Some(written) = self.writers.join_next().await {
            let written = written.unwrap();
            met.refused += written.refused;
            met.longest = met.longest.max(written.longest);
            history.appends.extend(written.appends);
        }
        met.acknowledged = history.appends.len();
        history.log = log(owner).await;
        let head = history.log.last().map_or(0, |event| event.seq as i64);
        self.goal.send_replace(head);
        loop {
            match timeout(LIVENESS, self.readers.join_next()).await {
                Ok(Some(connections)) => history.connections.extend(connections.unwrap()),
                Ok(None) => break,
                Err(_) => panic!("readers are at {:?} of {head}; {}", self.positions, self.servers().await),
            }
        }
        let findings = history::check(&history);
        let described: Vec<String> = findings.violations.iter().map(ToString::to_string).collect();
        assert_eq!(findings.total(), 0, "{}", described.join("\n"));
        assert!(history.connections.iter().any(|connection| connection.received.len() > 1), "readers have read");
        met
    }
}

impl Load {
    /// What the servers say of themselves and of their streams.
    async fn servers(&self) -> String {
        let mut said = String::new();
        for client in &self.clients {
            for path in ["/api/v1/system", "/api/v1/system/streams"] {
                let answer = timeout(ANSWER, ask(client.request(Method::GET, path))).await;
                said += &format!("\n{path}: {answer:?}");
            }
        }
        said
    }
}

/// One command after another, each until its outcome is known.
async fn write(clients: Vec<Client>, number: usize, stop: Arc<AtomicBool>, count: watch::Sender<u64>) -> Written {
    let mut written = Written::default();
    let mut turn = number;
    while !stop.load(Relaxed) {
        let key = Uuid::new_v4().to_string();
        let invoke_ns = clock::now_ns();
        let seq = loop {
            turn += 1;
            let asked = Instant::now();
            let client = &clients[turn % clients.len()];
            let request = client.request(Method::POST, "/api/v1/incidents").header("idempotency-key", &key);
            let asking = ask(request.json(&json!({ "title": key })));
            let answer = timeout(ANSWER, asking).await.expect("an answer, be it a refusal, and no hang");
            written.longest = written.longest.max(asked.elapsed());
            match answer.map(|answer| (answer.status.as_u16(), answer)) {
                Ok((201, answer)) => break answer.header("signalbox-seq").parse().unwrap(),
                Ok((503, _)) => written.refused += 1,
                // The first request with this key is still under way; or the server is gone.
                Ok((409, _)) | Err(_) => {}
                Ok((_, answer)) => panic!("a good command may only be told to come back, not: {answer:?}"),
            }
            sleep(Duration::from_millis(rand::random_range(1..50))).await; // what a client does, not a wait
        };
        let request = Digest::of(&key);
        let outcome = Outcome::Ok { seq };
        written.appends.push(Append { key, request, invoke_ns, done_ns: clock::now_ns(), outcome });
        count.send_modify(|count| *count += 1);
    }
    written
}

/// An answer read whole, where reading may fail because the server was killed.
async fn ask(request: reqwest::RequestBuilder) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let response = apart(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status, headers, text, json })
}

/// Follows the log over many connections until the goal is known and reached.
async fn read(
    clients: Vec<Client>,
    number: usize,
    mut goal: watch::Receiver<i64>,
    position: &AtomicI64,
) -> Vec<Connection> {
    let mut connections = Vec::new();
    let mut turn = number;
    while position.load(Relaxed) < *goal.borrow() {
        turn += 1;
        let cursor = position.load(Relaxed);
        let request = clients[turn % clients.len()].request(Method::GET, "/api/v1/events/stream");
        let opened = timeout(ANSWER, apart(request.header("last-event-id", cursor))).await;
        let Ok(response) = opened.expect("a stream opens or is refused, and does not hang") else { continue };
        let mut connection = Connection { reader: number as u32, cursor: Some(cursor as u64), received: Vec::new() };
        let mut stream = Stream::of(response);
        let mut life = rand::random_range(1..LIFE_FRAMES);
        while life > 0 && position.load(Relaxed) < *goal.borrow() {
            // With the goal comes the time to stop dropping connections.
            life -= usize::from(*goal.borrow() == i64::MAX);
            let frame = tokio::select! {
                frame = stream.next() => frame,
                _ = goal.changed() => continue,
            };
            let Some(frame) = frame else { break };
            assert_ne!(frame.event, "reset", "the log is the same as ever: {frame:?}");
            if let Some(id) = frame.id {
                connection.received.push(received(&frame, id));
                position.store(id, Relaxed);
            }
        }
        connections.push(connection);
    }
    connections
}

fn received(frame: &Frame, id: i64) -> Received {
    let seq = id as u64;
    let text = |name: &str| frame.data[name].as_str().unwrap().to_owned();
    match frame.data.get("stream") {
        None => Received::Bookmark { seq },
        Some(_) => {
            assert_eq!(frame.data["seq"], id);
            let version = frame.data["version"].as_u64().unwrap();
            let digest = digest(seq, &text("id"), &text("stream"), version, &text("type"), &frame.data["data"]);
            Received::Event { seq, digest }
        }
    }
}

fn digest(seq: u64, id: &str, stream: &str, version: u64, kind: &str, data: &Value) -> Digest {
    Digest::of((seq, id, stream, version, kind, data.to_string()))
}

/// The log itself, read behind the servers' backs.
async fn log(owner: &Direct) -> Vec<Event> {
    let (client, connection) = owner.connect("test").await.unwrap();
    tokio::spawn(connection);
    let sql = "select seq, id, stream, version, type, data::text from events order by seq";
    let rows = client.query(sql, &[]).await.unwrap();
    let event = |row: &tokio_postgres::Row| {
        let (seq, version) = (row.get::<_, i64>(0) as u64, row.get::<_, i64>(3) as u64);
        let (id, stream, kind, data): (Uuid, String, &str, String) = (row.get(1), row.get(2), row.get(4), row.get(5));
        let data: Value = serde_json::from_str(&data).unwrap();
        let key = (kind == "incident.created").then(|| data["title"].as_str().unwrap().to_owned());
        let request = Digest::of(key.as_deref().unwrap_or_default());
        Event {
            seq,
            id,
            request,
            key,
            digest: digest(seq, &id.to_string(), &stream, version, kind, &data),
            stream,
            version,
        }
    };
    rows.iter().map(event).collect()
}
