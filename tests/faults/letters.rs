//! What comes late to a stream: a page of the log, or the word that there is something new.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use signalbox::domain::permission::INCIDENTS_READ;
use signalbox::domain::user::Role;
use signalbox::hub::{Bounds, Cursor, Encoding, Filter, Hub, Level, Places, Reader, Subscription, Viewer};
use signalbox::log::{Cause, Command, Event, Head, NewEvent, Outcome, Write, read};
use signalbox::projections::Accounts;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::interleave::{Door, End};
use super::short_or_long;
use crate::harness::{PATIENCE, Raw, Stream, World, world};

/// Without a word, a writer thread looks once a second. Whoever hears sooner was told.
const TOLD: Duration = Duration::from_millis(700);

async fn happen(world: &World, kind: &'static str, count: usize) {
    let event = |n| NewEvent {
        id: Uuid::now_v7(),
        kind,
        data: json!({ "n": n }),
        occurred_at: OffsetDateTime::now_utc(),
        permissions: &[INCIDENTS_READ],
    };
    let writes = vec![Write { stream: "incident/1".into(), expected: None, events: (0..count).map(event).collect() }];
    let command = Command { cause: Cause::system("test"), writes, states: Vec::new(), idempotency: None };
    assert!(matches!(world.appender.append(command).await.unwrap(), Outcome::Appended(_)));
}

/// Lets nobody read the log until it is dropped.
struct Shut {
    _transaction: tokio_postgres::Client,
}

impl Shut {
    async fn new(world: &World) -> Shut {
        let (client, driver) = world.owner.connect("test").await.unwrap();
        tokio::spawn(driver);
        client.batch_execute("begin; lock events in access exclusive mode").await.unwrap();
        Shut { _transaction: client }
    }

    /// Waits until so many streams' pages are wanted.
    async fn keeps_out(&self, world: &World, pages: i64) {
        let waiting = "select count(*) from pg_stat_activity where application_name = 'signalbox' and \
                       wait_event_type = 'Lock' and datname = current_database()";
        let began = Instant::now();
        loop {
            // Not in the transaction that locks: that one sees the same list of sessions again and again.
            let found: i64 = world.value(waiting).await;
            if found == pages {
                return;
            }
            assert!(began.elapsed() < PATIENCE / 6, "{found} instead of {pages} wait");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_after_the_token_has_run_out_is_not_told() {
    let world = world().await;
    let server = world.serve_with(&["--ring-mib=0", "--access-token-s=3"]).await;
    happen(&world, "incident.commented", 10).await;
    let client = server.admin().await;
    let shut = Shut::new(&world).await;
    let http2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let request = http2.get(format!("{}/api/v1/events/stream?last_event_id=0", server.url)).bearer_auth(&client.token);
    let over_http2 = Stream::of(request.send().await.unwrap());
    let over_http1 = client.stream("", Some(0)).await;
    shut.keeps_out(&world, 1).await; // one query for both
    sleep(Duration::from_secs(4)).await; // the token runs out
    drop(shut);
    for mut stream in [over_http1, over_http2] {
        let told = stream.until("bye").await;
        assert_eq!(told.last().unwrap().data["reason"], "token_expired");
        assert!(told.iter().all(|frame| frame.event != "incident.commented"), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_a_stream_that_has_left_is_not_told_to_the_one_in_its_place() {
    let world = world().await;
    let server = world.serve_with(&["--ring-mib=0"]).await;
    happen(&world, "incident.commented", 900).await;
    let client = server.admin().await;
    client.caught_up().await;
    let last = read::head(&world.database).await.unwrap().seq;
    let shut = Shut::new(&world).await;
    // One for each thread that writes to sockets; those that come next take their places there.
    let threads = std::thread::available_parallelism().unwrap().get().min(8);
    let mut leaving = Vec::new();
    for _ in 0..threads {
        let mut raw = Raw::connect(server.address);
        raw.open_stream(&client.token, "?last_event_id=800").await;
        raw.until("Signalbox\n\n").await;
        leaving.push(raw);
    }
    shut.keeps_out(&world, 1).await;
    leaving.into_iter().for_each(Raw::reset);
    server.has_open(0).await;
    let next = join_all((0..threads).map(|_| client.stream("?types=incident.commented", Some(0)))).await;
    shut.keeps_out(&world, 2).await;
    drop(shut);
    for mut stream in next {
        let told = stream.until("ready").await;
        let events = told.iter().filter(|frame| frame.event == "incident.commented");
        let ids = Vec::from_iter(events.filter_map(|frame| frame.id));
        assert_eq!(ids.len(), 900, "from {:?} to {:?} of {last}", ids.first(), ids.last());
    }
}

/// A stream of a hub, behind this position or from now on.
async fn open(hub: &Arc<Hub>, world: &World, user: Uuid, after: Option<i64>) -> End {
    let expires_at = OffsetDateTime::now_utc().unix_timestamp() + 3_600;
    let viewer = Viewer { user, session: Uuid::now_v7(), expires_at };
    let places = Places::open(world.direct.clone(), 0, CancellationToken::new()).await.unwrap();
    let filter = Filter { permissions: [INCIDENTS_READ].into(), ..Filter::default() };
    let (place, from) = (places.take(user).await.unwrap(), Cursor { after, epoch: None });
    let reader = Reader::subscribe(
        hub.clone(),
        Subscription { viewer, peer: None, place, filter, from, encoding: Encoding::Identity },
    )
    .await
    .unwrap();
    Door::Socket.open(hub, reader).await
}

/// A hub without a server, and one stream of it.
struct Follower {
    hub: Arc<Hub>,
    user: Uuid,
    end: End,
    text: String,
    seq: i64,
    stop: CancellationToken,
}

impl Follower {
    async fn new(world: &World) -> Follower {
        let user = world.user("reader", Role::Viewer).await;
        let accounts = Arc::new(Accounts::default());
        accounts.load(&world.database).await.unwrap();
        let stop = CancellationToken::new();
        let head = read::head(&world.database).await.unwrap();
        let bounds = Bounds { ring_bytes: 32 << 20, stall: TOLD * 10 };
        let registry = Arc::new(signalbox::registry::registry());
        let hub = Hub::new(head, bounds, registry, world.database.clone(), accounts, stop.clone(), Arc::default());
        let hub = Arc::new(hub);
        let end = open(&hub, world, user.id, None).await;
        Follower { hub, user: user.id, end, text: String::new(), seq: head.seq, stop }
    }

    /// Appends events, which nobody is told yet.
    async fn coming(&self, world: &World, kind: &'static str, count: usize) -> impl Iterator<Item = Event> + use<> {
        happen(world, kind, count).await;
        read::after(&world.database, self.seq, read::PAGE_EVENTS).await.unwrap().into_iter()
    }

    fn publish(&mut self, event: Event) {
        self.seq = event.seq;
        self.hub.publish(vec![event]);
    }

    /// Waits until all that is published is told.
    async fn is_told(&mut self) {
        let id = format!("id: {}\nevent: incident.", self.seq);
        let told = async {
            while !self.text.contains(&id) {
                self.text += std::str::from_utf8(&self.end.next().await.unwrap()).unwrap();
            }
        };
        timeout(TOLD, told).await.unwrap_or_else(|_| panic!("{id} is told by the look of each second only"));
        self.text.clear();
    }

    /// How long it takes to tell these, each after the one before it.
    async fn one_by_one(&mut self, events: impl Iterator<Item = Event>) -> Duration {
        let began = Instant::now();
        for event in events {
            self.publish(event);
            self.is_told().await;
        }
        began.elapsed()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_a_thread_looks_is_told_with_no_delay() {
    let world = world().await;
    let mut follower = Follower::new(&world).await;
    for _ in 0..short_or_long(5, 50) {
        let mut events = follower.coming(&world, "incident.commented", 1_000).await;
        // Two, the second at any time while the first is told.
        while let (Some(first), Some(second)) = (events.next(), events.next()) {
            follower.publish(first);
            for _ in 0..rand::random_range(0..3_000) {
                std::hint::spin_loop();
            }
            follower.publish(second);
            follower.is_told().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_event_does_not_wait_for_those_that_are_gathered() {
    let world = world().await;
    let mut follower = Follower::new(&world).await;
    follower.hub.change_mode(|mode| mode.level = Level::Batched);
    let calm = follower.coming(&world, "incident.commented", 20).await;
    let calm = follower.one_by_one(calm).await;
    let critical = follower.coming(&world, "incident.created", 20).await;
    let critical = follower.one_by_one(critical).await;
    assert!(calm > Duration::from_millis(800), "gathered for 50 ms each: {calm:?}");
    assert!(critical * 2 < calm, "critical ones took {critical:?}, others {calm:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ring_held_of_another_history_is_told_to_nobody() {
    let world = world().await;
    let mut follower = Follower::new(&world).await;
    let events = follower.coming(&world, "incident.commented", 3).await;
    follower.one_by_one(events).await;
    // The new history is the same one, but ends an event earlier.
    let head = Head { epoch: Uuid::new_v4(), seq: follower.seq - 1 };
    follower.hub.rewrite(head);
    let mut end = open(&follower.hub, &world, follower.user, Some(head.seq - 1)).await;
    let mut text = String::new();
    while !text.contains("id: ") {
        text += std::str::from_utf8(&end.next().await.unwrap()).unwrap();
    }
    assert!(text.contains(&format!("id: {}\nevent: incident.commented\n", head.seq)), "{text}");
}
