//! PostgreSQL goes away under load, in every way it can, and comes back.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use tokio::time::timeout;

use super::load::{Load, Met};
use super::short_or_long;
use crate::harness::{OwnPostgres, World, backend};

/// From the moment PostgreSQL accepts connections again to the first acknowledged command. Its own pauses between
/// tries to connect are 1 s at most.
const RECOVERY: Duration = Duration::from_secs(5);

/// Two servers, writers and readers; the fault comes again and again; each time commands go on in time.
async fn under_load(strikes: u32, strike: impl AsyncFn(&OwnPostgres, &World)) -> Met {
    let (postgres, world) = OwnPostgres::start(&[]).await;
    let servers = [world.serve().await, world.serve().await];
    let load = Load::start(&[servers[0].admin().await, servers[1].admin().await], 4, 6);
    for _ in 0..strikes {
        load.goes_on(20).await;
        strike(&postgres, &world).await;
        let back = Instant::now();
        let recovered = timeout(RECOVERY, load.goes_on(1)).await;
        recovered.unwrap_or_else(|_| panic!("no command acknowledged {:?} after PostgreSQL is back", back.elapsed()));
    }
    load.goes_on(20).await;
    load.ends_well(&world.owner).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immediate_stop_of_postgresql_under_load_loses_nothing() {
    under_load(short_or_long(2, 20), async |postgres, _| {
        postgres.signal(Signal::QUIT);
        postgres.restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postmaster_that_is_killed_under_load_is_an_error_of_seconds_and_no_hang() {
    under_load(short_or_long(2, 20), async |postgres, _| {
        postgres.signal(Signal::KILL);
        postgres.restart().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_killed_restarts_all_of_postgresql_and_loses_nothing() {
    under_load(short_or_long(2, 10), async |postgres, world| {
        let append = backend(world, "signalbox-append-%", &postgres.data_directory()).await;
        kill_process(append, Signal::KILL).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postmaster_that_is_halted_lets_sessions_work_and_new_ones_give_up_in_time() {
    let (postgres, world) = OwnPostgres::start(&[]).await;
    let server = world.serve().await;
    let client = server.admin().await;
    let load = Load::start(&[client], 4, 4);
    load.goes_on(20).await;
    let append = backend(&world, "signalbox-append-%", &postgres.data_directory()).await;
    let tail = backend(&world, "signalbox-tail", &postgres.data_directory()).await;
    postgres.signal(Signal::STOP);
    load.goes_on(20).await; // with the sessions that are there
    // Now new ones are needed, and nobody answers.
    kill_process(append, Signal::TERM).unwrap();
    kill_process(tail, Signal::TERM).unwrap();
    tokio::time::sleep(Duration::from_secs(short_or_long(12, 30))).await; // the fault's own length
    postgres.signal(Signal::CONT);
    timeout(Duration::from_secs(10), load.goes_on(20)).await.expect("recovery");
    let met = load.ends_well(&world.owner).await;
    assert!(met.refused > 0, "those who wait are told so: {met:?}");
}
