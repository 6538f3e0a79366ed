//! The same night, in which the process that does it all is killed at any moment: the story ends the same.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use signalbox::postgres::Direct;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Night;
use super::story::{CONTINUED, STORY, are_of_runs, is_told_right};
use crate::faults::short_or_long;

/// Nights at once: each has a database, a process or two, and two cores are few.
const AT_ONCE: usize = 5;
/// Moments of a night, each a place in the log and a little later.
const MOMENTS: usize = 10;
/// The time of a step, and of a notification.
const LITTLE_MS: std::ops::Range<u64> = 0..40;

/// When a process is killed, and who goes on.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Behind so many events of the night.
    events: i64,
    /// So long after the last of them.
    later_ms: u64,
    /// A process that stood by goes on; otherwise one that is started then.
    stands_by: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_in_the_night_a_process_is_killed_the_story_ends_the_same() {
    let seed: u64 = match std::env::var("SIGNALBOX_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_not_set) => rand::random(),
    };
    eprintln!("SIGNALBOX_SEED={seed} repeats these moments");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut nights, turns) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for nth in 0..short_or_long(MOMENTS, 10 * MOMENTS) {
        // A tenth of the night each, so that all of it has its moment.
        let tenth = STORY.len() / MOMENTS;
        let events = i64::try_from(nth % MOMENTS * tenth + random.random_range(0..tenth)).unwrap();
        let moment = Moment { events, later_ms: random.random_range(LITTLE_MS), stands_by: random.random() };
        let turns = turns.clone();
        nights.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            eprintln!("begins: {moment:?}");
            ends_the_same(moment).await;
            eprintln!("ended well: {moment:?}");
        });
    }
    while let Some(ended) = nights.join_next().await {
        ended.unwrap_or_else(|error| panic!("with SIGNALBOX_SEED={seed}: {error}"));
    }
}

async fn ends_the_same(moment: Moment) {
    let (mut night, program) = Night::falls().await;
    let heir = if moment.stands_by { Some(night.processes.start().await) } else { None };
    let until = night.evening + moment.events;
    let (owner, processes, operator) = (night.world.owner.clone(), night.processes.clone(), night.operator.clone());
    let killed = async move {
        reaches(&owner, until).await;
        sleep(Duration::from_millis(moment.later_ms)).await; // the moment that was drawn
        program.signal(Signal::KILL);
        drop(program); // which waits for its end
        let heir = match heir {
            Some(heir) => heir,
            None => processes.start().await,
        };
        operator.turns_to(&heir.url);
        heir
    };
    let ((), heir) = tokio::join!(night.passes(), killed);
    let story = is_told_right(&mut night, 1).await;
    let lost = story.events.iter().filter(|event| story.word(event) == CONTINUED).count();
    assert!(are_of_runs(&story.printed(), lost), "{lost} lost: {:?}", story.printed());
    drop(heir);
}

/// Waits until the log has come so far.
async fn reaches(owner: &Direct, seq: i64) {
    let (client, connection) = owner.connect("test").await.unwrap();
    let driver = tokio::spawn(connection);
    while client.query_one("select seq from log_head", &[]).await.unwrap().get::<_, i64>(0) < seq {
        sleep(Duration::from_millis(1)).await; // asks again; what is waited for is the place in the log
    }
    drop(client);
    let _ = driver.await;
}
