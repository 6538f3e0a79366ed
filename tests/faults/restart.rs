//! The server itself is killed.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use super::load::Load;
use super::short_or_long;
use crate::harness::{Client, PASSWORD, Proxy, World, world};
use crate::process::{Home, Program};

/// On the database of a test, at an address of its own each time.
pub async fn start(home: &Home, world: &World) -> Program {
    start_through(&world.app_url, home, world).await
}

/// The same on a way of its own to the database.
pub async fn start_through(url: &str, home: &Home, world: &World) -> Program {
    let (home, url, owner) = (home.path().to_owned(), url.to_owned(), world.owner_url.clone());
    let start = move || {
        let unlimited = ["STREAMS_PER_USER", "STREAM_OPENS_PER_S", "REQUESTS_PER_S"];
        let unlimited = unlimited.map(|name| (format!("SIGNALBOX_{name}"), "0"));
        let mut settings: Vec<(&str, &str)> = unlimited.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        settings.extend([("DATABASE_URL", url.as_str()), ("DATABASE_MIGRATE_URL", &owner)]);
        settings.extend([("SIGNALBOX_ADMIN_PASSWORD", PASSWORD), ("SIGNALBOX_POOL_SIZE", "4")]);
        Program::start(&home, &settings)
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_again_and_again_under_load_keeps_every_promise() {
    let world = world().await;
    let home = Home::new();
    let mut program = start(&home, &world).await;
    let proxy = Proxy::to(program.address()).await;
    let client = Client::new(&format!("http://{}", proxy.address)).sign_in("admin", PASSWORD).await;
    let load = Load::start(&[client], 6, 6);
    let began = Instant::now();
    let mut kills = 0;
    while kills < short_or_long(4, 50) {
        load.goes_on(rand::random_range(1..40)).await;
        program.signal(Signal::KILL);
        program = start(&home, &world).await;
        proxy.redirect(program.address());
        kills += 1;
    }
    load.goes_on(20).await;
    load.ends_well(&world.owner).await;
    let limit = short_or_long(Duration::from_secs(60), Duration::from_secs(300));
    assert!(began.elapsed() < limit, "{kills} kills in {:?}", began.elapsed());
}
