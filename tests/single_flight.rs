//! One question that many ask at once costs one load, and no answer outlives what the log said since.
//! Loads here are the test's own, so that they can be held, counted and made to fail at any step.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use signalbox::domain::permission::INCIDENTS_READ;
use signalbox::log::{Actor, Event, Head};
use signalbox::projections::{LoadFailed, OLDEST, SETTLE, SingleFlight, Source, Told, Wants};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};
use uuid::Uuid;

type Flight = SingleFlight<(), i64>;

static NOTHING: BTreeSet<&str> = BTreeSet::new();

fn flight() -> Arc<Flight> {
    Arc::new(Flight::new(head(0), &["incident."]))
}

fn head(seq: i64) -> Head {
    Head { epoch: Uuid::nil(), seq }
}

fn event(seq: i64, kind: &str) -> Event {
    Event {
        seq,
        id: Uuid::nil(),
        stream: String::new(),
        version: 1,
        kind: kind.to_owned(),
        data: RawValue::NULL.to_owned(),
        actor: Actor { id: String::new(), name: String::new() },
        permissions: Vec::new(),
        session_id: None,
        correlation_id: Uuid::nil(),
        causation_id: None,
        trace_id: None,
        occurred_at: OffsetDateTime::UNIX_EPOCH,
        recorded_at: OffsetDateTime::UNIX_EPOCH,
        leaf_hash: Vec::new(),
    }
}

/// A database of one number, the last event's `seq`, that can be held and counts who asks.
#[derive(Clone)]
struct Database {
    seq: Arc<AtomicI64>,
    asked: Arc<AtomicI64>,
    held: Arc<Semaphore>,
}

impl Database {
    /// One whose loads wait for [`Database::release`].
    fn held() -> Database {
        Database { seq: Arc::default(), asked: Arc::default(), held: Arc::new(Semaphore::new(0)) }
    }

    fn open() -> Database {
        let source = Database::held();
        source.release();
        source
    }

    fn release(&self) {
        self.held.add_permits(1_000);
    }

    /// Reads first and then takes its time, so that what happens meanwhile is not in it.
    async fn load(self) -> Result<(Head, i64), Infallible> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let seq = self.seq.load(Ordering::SeqCst);
        self.held.acquire().await.unwrap().forget();
        Ok((head(seq), seq))
    }

    async fn ask(&self, flight: &Flight, wants: Wants) -> Result<Told<i64>, LoadFailed> {
        flight.ask((), &NOTHING, wants, || self.clone().load()).await
    }

    /// Something happens, and the tail tells.
    fn happen(&self, flight: &Flight, kind: &str) -> i64 {
        let seq = self.seq.fetch_add(1, Ordering::SeqCst) + 1;
        flight.notice(&[event(seq, kind)]);
        seq
    }

    fn asked(&self) -> i64 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn callers_that_leave_take_the_load_from_nobody_not_even_201_of_them() {
    let (flight, database) = (flight(), Database::held());
    let mut leaving: Vec<_> = (0..201).map(|_| Box::pin(database.ask(&flight, Wants::Soon))).collect();
    for ask in &mut leaving {
        tokio::select! { biased; _ = ask => unreachable!("the load is held"), () = ready(()) => {} }
    }
    let mut staying = pin!(database.ask(&flight, Wants::Soon));
    tokio::select! { biased; _ = &mut staying => unreachable!("the load is held"), () = ready(()) => {} }
    while database.asked() == 0 {
        tokio::task::yield_now().await;
    }
    for ask in leaving {
        drop(ask);
        tokio::task::yield_now().await;
    }
    database.release();
    let told = staying.await.unwrap();
    assert_eq!((*told.answer, database.asked()), (0, 1));
}

#[tokio::test]
async fn a_load_that_panics_fails_for_all_who_wait_and_is_not_begun_again_by_each() {
    let (flight, begun) = (flight(), Arc::new(AtomicI64::new(0)));
    let mut asks = JoinSet::new();
    for _ in 0..300 {
        let (flight, begun) = (flight.clone(), begun.clone());
        asks.spawn(async move {
            let load = || {
                let begun = begun.clone();
                async move {
                    let loads = begun.fetch_add(1, Ordering::SeqCst);
                    assert!(loads < 0, "a mistake in a loader");
                    Ok::<_, Infallible>((head(0), loads))
                }
            };
            flight.ask((), &NOTHING, Wants::Soon, load).await
        });
    }
    for asked in asks.join_all().await {
        assert_eq!(asked.unwrap_err(), LoadFailed);
    }
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_database_that_is_away_is_asked_once_a_second() {
    let (flight, database) = (flight(), Database::open());
    let began = Instant::now();
    let mut looks = interval(Duration::from_millis(10));
    for wants in [Wants::Soon, Wants::Newest].into_iter().cycle() {
        looks.tick().await;
        let load = || {
            let database = database.clone();
            async move {
                database.load().await.unwrap();
                Err("away")
            }
        };
        assert_eq!(flight.ask((), &NOTHING, wants, load).await.unwrap_err(), LoadFailed);
        let elapsed = began.elapsed();
        assert!(database.asked() <= 1 + elapsed.as_millis() as i64 / SETTLE.as_millis() as i64);
        if elapsed > SETTLE * 3 {
            break;
        }
    }
    assert!(database.asked() >= 3, "it is asked again, and sees that the database is back");
    assert_eq!(database.ask(&flight, Wants::Soon).await.unwrap_err(), LoadFailed, "not yet");
    sleep(SETTLE).await;
    assert_eq!(*database.ask(&flight, Wants::Soon).await.unwrap().answer, 0);
}

#[tokio::test]
async fn under_constant_change_one_load_a_second_answers_all_and_misses_nothing_older_than_that() {
    let (flight, database) = (flight(), Database::open());
    let began = Instant::now();
    let mut happenings = interval(Duration::from_millis(6)); // 167 a second
    // When which event was seen.
    let mut seen = vec![(began, 0)];
    while began.elapsed() < SETTLE * 3 {
        happenings.tick().await;
        let asked = Instant::now();
        let told = database.ask(&flight, Wants::Soon).await.unwrap();
        let owed = seen.iter().rev().find(|(at, _)| *at + SETTLE <= asked).map_or(0, |(_, seq)| *seq);
        assert!(*told.answer >= owed, "{} lacks {owed}, seen a second before", told.answer);
        assert!(told.head.seq <= *seen.last().map(|(_, seq)| seq).unwrap(), "not true as of the future");
        seen.push((Instant::now(), database.happen(&flight, "incident.updated")));
    }
    assert!((2..=4).contains(&database.asked()), "{} loads", database.asked());
    let counts = flight.counts().await;
    assert_eq!(counts.misses as i64, database.asked());
    assert_eq!((counts.hits + counts.misses, counts.size), (seen.len() as u64 - 1, 1));
}

#[tokio::test]
async fn who_wants_the_newest_waits_for_it_and_still_costs_one_load_a_second() {
    let (flight, database) = (flight(), Database::open());
    let began = Instant::now();
    while began.elapsed() < SETTLE * 3 {
        let seq = database.happen(&flight, "incident.created");
        assert!(*database.ask(&flight, Wants::Newest).await.unwrap().answer >= seq);
        assert!(database.asked() <= 1 + began.elapsed().as_millis() as i64 / SETTLE.as_millis() as i64);
    }
}

#[tokio::test]
async fn after_a_quiet_second_a_change_shows_at_once_and_what_changes_nothing_costs_nothing() {
    let (flight, database) = (flight(), Database::open());
    let first = database.ask(&flight, Wants::Soon).await.unwrap();
    assert_eq!((*first.answer, first.head.seq, first.source), (0, 0, Source::Miss));
    sleep(SETTLE).await;
    database.happen(&flight, "system.started");
    let same = database.ask(&flight, Wants::Newest).await.unwrap();
    assert_eq!((*same.answer, same.head.seq, same.source), (0, 1, Source::Hit), "true as of what was seen since");
    database.happen(&flight, "incident.created");
    let next = database.ask(&flight, Wants::Soon).await.unwrap();
    assert_eq!((*next.answer, next.head.seq, next.source), (2, 2, Source::Miss));
}

#[tokio::test]
async fn a_load_under_way_when_an_event_arrives_is_not_the_answer_for_who_knows_the_event() {
    let (flight, database) = (flight(), Database::held());
    let mut before = pin!(database.ask(&flight, Wants::Soon));
    while database.asked() == 0 {
        tokio::select! { biased; _ = &mut before => unreachable!("the load is held"), () = tokio::task::yield_now() => {} }
    }
    let began = Instant::now();
    database.happen(&flight, "incident.created");
    let mut at_once = pin!(database.ask(&flight, Wants::Newest));
    tokio::select! { biased; _ = &mut at_once => unreachable!("the load is held"), () = ready(()) => {} }
    sleep_until(began + SETTLE).await; // a load that takes longer than answers may lag
    let mut later = pin!(database.ask(&flight, Wants::Soon));
    tokio::select! { biased; _ = &mut later => unreachable!("the load is held"), () = ready(()) => {} }
    database.release();
    let old = before.await.unwrap();
    assert_eq!((*old.answer, old.head.seq), (0, 0), "it asked before, and is told as of when");
    assert_eq!(*at_once.await.unwrap().answer, 1);
    assert_eq!(*later.await.unwrap().answer, 1);
    assert_eq!(*database.ask(&flight, Wants::Soon).await.unwrap().answer, 1, "the old answer did not stay");
    assert_eq!(database.asked(), 2);
}

#[tokio::test]
async fn an_answer_that_nothing_changed_is_loaded_anew_after_five_seconds() {
    let (flight, database) = (flight(), Database::open());
    let began = Instant::now();
    database.ask(&flight, Wants::Soon).await.unwrap();
    sleep_until(began + OLDEST - SETTLE).await;
    let kept = database.ask(&flight, Wants::Newest).await.unwrap();
    assert!(kept.source == Source::Hit || began.elapsed() >= OLDEST, "{kept:?}");
    sleep_until(Instant::now() + SETTLE).await;
    assert_eq!(database.ask(&flight, Wants::Soon).await.unwrap().source, Source::Miss);
}

#[tokio::test]
async fn another_history_and_other_rights_have_answers_of_their_own() {
    let (flight, database) = (flight(), Database::open());
    database.ask(&flight, Wants::Soon).await.unwrap();
    let rights = BTreeSet::from([INCIDENTS_READ]);
    let other = flight.ask((), &rights, Wants::Soon, || database.clone().load()).await.unwrap();
    assert_eq!((other.source, database.asked()), (Source::Miss, 2));
    flight.rewrite(Head { epoch: Uuid::max(), seq: 0 });
    // A database whose new history the tail knows, and the loads do not come from it: each is taken once.
    assert_eq!(database.ask(&flight, Wants::Newest).await.unwrap().source, Source::Miss);
    assert_eq!(database.asked(), 3);
}
