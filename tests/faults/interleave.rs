//! The hand-over from replay to live, in every order in which its steps can happen, through both doors of a stream.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::json;
use signalbox::domain::permission::INCIDENTS_READ;
use signalbox::domain::user::Role;
use signalbox::hub::{Bounds, Cursor, Encoding, Filter, Hub, Places, Reader, Subscription, Taken, Viewer};
use signalbox::log::{Cause, Command, Event, Head, NewEvent, Outcome, Write, read};
use signalbox::projections::Accounts;
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{World, world};

/// Events that the hub gets one by one while a reader comes and reads.
const PUBLISHED: usize = 4;
/// Steps of the reader that are mixed with them.
const STEPS: usize = 6;

/// A reader that has something to say says it within this time, and a wrong one is not waited for any longer.
const PROMPT: Duration = Duration::from_secs(5);

/// How a stream reaches its reader.
#[derive(Debug, Clone, Copy)]
pub enum Door {
    /// As a body inside the HTTP library.
    Body,
    /// Through a writer thread, over a socket of our own.
    Socket,
}

/// The reader's end of it.
pub enum End {
    Body(BoxStream<'static, Bytes>),
    Socket(TcpStream),
}

impl Door {
    pub async fn open(self, hub: &Arc<Hub>, reader: Reader) -> End {
        let listener = match self {
            Door::Body => return End::Body(reader.bytes().boxed()),
            Door::Socket => TcpListener::bind("127.0.0.1:0").unwrap(),
        };
        let end = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        hub.writers().unwrap().take(Taken { socket, head: Bytes::new(), reader, room });
        End::Socket(end)
    }
}

impl End {
    /// What comes next; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        let next = async {
            match self {
                End::Body(body) => body.next().await,
                End::Socket(socket) => {
                    let mut bytes = Vec::new();
                    socket.read_buf(&mut bytes).await.unwrap();
                    (!bytes.is_empty()).then_some(bytes.into())
                }
            }
        };
        timeout(PROMPT, next).await.expect("something to say")
    }
}

/// Every order of so many publications (true) and steps (false).
fn orders(publications: usize, steps: usize) -> Vec<Vec<bool>> {
    if publications + steps == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (publishes, left) in [(true, publications.checked_sub(1)), (false, steps.checked_sub(1))] {
        let Some(left) = left else { continue };
        let rest = if publishes { orders(left, steps) } else { orders(publications, left) };
        all.extend(rest.into_iter().map(|rest| [vec![publishes], rest].concat()));
    }
    all
}

async fn events(world: &World) -> Vec<Event> {
    for n in 0..PUBLISHED + 2 {
        let event = NewEvent {
            id: Uuid::now_v7(),
            kind: "incident.commented",
            data: json!({ "n": n, "padding": "x".repeat(500) }),
            occurred_at: OffsetDateTime::now_utc(),
            permissions: &[INCIDENTS_READ],
        };
        let writes = vec![Write { stream: "incident/1".into(), expected: None, events: vec![event] }];
        let command = Command { cause: Cause::system("test"), writes, states: Vec::new(), idempotency: None };
        assert!(matches!(world.appender.append(command).await.unwrap(), Outcome::Appended(_)));
    }
    read::after(&world.database, 0, read::PAGE_EVENTS).await.unwrap()
}

/// Frames without the beginning of one that a socket may end with.
fn whole(text: &str) -> &str {
    text.rsplit_once("\n\n").unwrap_or_default().0
}

/// Ids of a stream's frames; those of events apart from those that only move the cursor.
fn ids(text: &str) -> Vec<(i64, bool)> {
    let blocks = whole(text).split("\n\n").filter_map(|block| {
        let id = block.lines().find_map(|line| line.strip_prefix("id: ").or_else(|| line.strip_prefix("id:")))?;
        Some((id.parse().unwrap(), block.contains("incident.commented")))
    });
    blocks.collect()
}

/// One order, one cursor, one size of the ring, one door: what the reader got.
#[allow(clippy::too_many_arguments)] // each is varied, or costs too much to be made anew each time
async fn play(
    world: &World,
    accounts: &Arc<Accounts>,
    viewer: Viewer,
    log: &[Event],
    order: &[bool],
    ring: usize,
    after: i64,
    door: Door,
) -> Vec<(i64, bool)> {
    let start = log.len() - PUBLISHED;
    let epoch = Uuid::new_v4();
    let head = Head { epoch, seq: log[start - 1].seq };
    let (stop, registry) = (CancellationToken::new(), Arc::new(signalbox::registry::registry()));
    let places = Places::open(world.direct.clone(), 0, stop.clone()).await.unwrap();
    let bounds = Bounds { ring_bytes: ring, stall: PROMPT };
    let hub = Hub::new(head, bounds, registry, world.database.clone(), accounts.clone(), stop.clone(), Arc::default());
    let hub = Arc::new(hub);
    let mut coming = read::after(&world.database, head.seq, read::PAGE_EVENTS).await.unwrap().into_iter();
    let mut reader = None;
    let (mut text, mut published) = (String::new(), head.seq);
    for publishes in order {
        if *publishes {
            let next = coming.next().unwrap();
            published = next.seq;
            hub.publish(vec![next]);
            continue;
        }
        let Some(reader) = &mut reader else {
            let filter = Filter { permissions: [INCIDENTS_READ].into(), ..Filter::default() };
            let from = Cursor { after: Some(after), epoch: None };
            let (peer, place, encoding) = (None, places.take(viewer.user).await.unwrap(), Encoding::Identity);
            let wanted = Subscription { viewer, peer, place, filter, from, encoding };
            let subscribed = Reader::subscribe(hub.clone(), wanted).await.unwrap();
            reader = Some(door.open(&hub, subscribed).await);
            continue;
        };
        // A reader that has said `ready` and all events has nothing to say.
        let last = ids(&text).last().map_or(after, |(id, _)| *id);
        if whole(&text).contains("event: ready") && last >= published {
            continue;
        }
        text += std::str::from_utf8(&reader.next().await.unwrap()).unwrap();
    }
    let mut reader = reader.unwrap();
    while !(whole(&text).contains("event: ready") && ids(&text).last().is_some_and(|(id, _)| *id >= published)) {
        text += std::str::from_utf8(&reader.next().await.unwrap()).unwrap();
    }
    stop.cancel();
    let mut rest = String::new();
    while let Some(bytes) = reader.next().await {
        rest += std::str::from_utf8(&bytes).unwrap();
    }
    assert!(rest.starts_with("retry: ") && rest.contains("event: bye") && ids(&rest).is_empty(), "{order:?}: {rest}");
    ids(&text)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_of_publishing_and_reading_each_event_is_told_once() {
    play_all(Door::Body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_of_publishing_and_reading_over_a_socket_each_event_is_told_once() {
    play_all(Door::Socket).await;
}

async fn play_all(door: Door) {
    let world = world().await;
    let user = world.user("reader", Role::Viewer).await;
    let accounts = Arc::new(Accounts::default());
    accounts.load(&world.database).await.unwrap();
    let expires_at = OffsetDateTime::now_utc().unix_timestamp() + 3_600;
    let viewer = Viewer { user: user.id, session: Uuid::now_v7(), expires_at };
    let log = events(&world).await;
    let first = log.len() - PUBLISHED;
    for ring in [0, 4_000, 1 << 20] {
        for after in [log[first - 2].seq, log[first - 1].seq] {
            for order in orders(PUBLISHED, STEPS) {
                let got = play(&world, &accounts, viewer, &log, &order, ring, after, door).await;
                let told: Vec<i64> = got.iter().filter(|(_, event)| *event).map(|(id, _)| *id).collect();
                let wanted: Vec<i64> = (after + 1..=log.last().unwrap().seq).collect();
                assert_eq!(told, wanted, "ring of {ring} bytes, from {after}, {order:?}: {got:?}");
                assert!(got.is_sorted_by_key(|(id, _)| *id), "{order:?}: {got:?}");
            }
        }
    }
}
