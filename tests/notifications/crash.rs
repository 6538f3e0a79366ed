//! Processes that are killed: nothing is lost, and what is done twice is recognisable.

use std::collections::HashSet;

use rustix::process::Signal;
use serde_json::json;

use super::{rule, webhook};
use crate::harness::{Client, PASSWORD, Receiver, world};
use crate::process::{Home, Program};

const INCIDENTS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_the_one_that_notifies_is_killed_and_every_incident_is_told_of_in_order() {
    let world = world().await;
    let home = Home::new();
    let start = || {
        let settings = [
            ("DATABASE_URL", world.app_url.as_str()),
            ("DATABASE_MIGRATE_URL", world.owner_url.as_str()),
            ("SIGNALBOX_ADMIN_PASSWORD", PASSWORD),
            ("SIGNALBOX_EGRESS_ALLOW", "127.0.0.0/8"),
        ];
        Program::start(home.path(), &settings)
    };
    let mut receiver = Receiver::start().await;
    let mut survivor = start();
    let client = survivor.admin().await;
    rule(&client, &webhook(&client, "pager", &receiver).await, json!({})).await;
    let mut requests = Vec::new();
    for round in 0..3 {
        // The survivor of the last round holds the lease, or takes it; the new one waits for its turn.
        let heir = start();
        let (told, client) = (requests.len(), Client::new(&heir.url).sign_in("admin", PASSWORD).await);
        let reporting = tokio::spawn(async move {
            for n in 0..INCIDENTS {
                client.report(&format!("{round}-{n:02}")).await;
            }
        });
        while requests.len() < told + 5 {
            requests.push(receiver.next().await);
        }
        survivor.signal(Signal::KILL);
        reporting.await.unwrap();
        let last = format!("{round}-{:02}", INCIDENTS - 1);
        while requests.last().is_none_or(|request: &crate::harness::Received| request.title() != last) {
            requests.push(receiver.next().await);
        }
        survivor = heir;
    }
    let mut known = HashSet::new();
    let first_times: Vec<String> = requests
        .iter()
        .filter(|request| known.insert(request.headers["webhook-id"].clone()))
        .map(|request| request.title())
        .collect();
    let expected: Vec<String> =
        (0..3).flat_map(|round| (0..INCIDENTS).map(move |n| format!("{round}-{n:02}"))).collect();
    assert_eq!(first_times, expected, "each once by its id, in the order of the log");
    let twice = requests.len() - expected.len();
    assert!(twice <= 3, "a kill repeats what was under way and no more: {twice}");
    let queued: i64 = world.value("select count(*) from notification_deliveries").await;
    assert_eq!(queued, expected.len() as i64, "in the database, once each");
}
