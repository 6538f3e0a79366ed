//! What an event changed.

use serde_json::{Value, json};

use super::{auditor, happen};
use crate::access::{holder, signed_in};
use crate::harness::world;
use signalbox::log::Cause;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_shows_its_aggregate_before_and_after_it() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let key = admin.report("disk full").await["key"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/incidents/{key}");
    let taken = admin.post(&format!("{path}/status"), json!({ "to": "acknowledged", "reason": "looking" })).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    admin.patch(&path, json!({ "severity": "P0" })).await;
    let auditor = auditor(&world, &server).await;
    let incident = "stream like 'incident/%'";
    let first: i64 = world.value(&format!("select min(seq) from events where {incident}")).await;
    let states = async |seq: i64| auditor.get(&format!("/api/v1/events/{seq}/states")).await.json;
    let created = states(first).await;
    assert_eq!((created.get("before"), &created["after"]["status"]), (None, &json!("triggered")), "{created}");
    let changed = states(taken.header("signalbox-seq").parse().unwrap()).await;
    assert_eq!((&changed["before"], &changed["after"]["status"]), (&created["after"], &json!("acknowledged")));
    // Every state that is stored is what its last event made it.
    let sql = "select json_agg(json_build_object('seq', seq, 'state', state)) from (
                 select max(e.seq) as seq, i.state::jsonb as state from events e
                   join incidents i on e.stream = 'incident/' || i.id group by i.id, i.state::jsonb
                 union all
                 select max(e.seq), u.state::jsonb from events e
                   join users u on e.stream = 'user/' || u.id group by u.id, u.state::jsonb) s";
    let stored: Value = world.value(sql).await;
    let stored = stored.as_array().unwrap();
    assert!(stored.len() >= 3, "an incident and two users");
    for one in stored {
        assert_eq!(states(one["seq"].as_i64().unwrap()).await["after"], one["state"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_that_cannot_be_shown_say_why_and_events_that_one_may_not_see_are_not_there() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let hidden = admin.report("hidden").await["id"].as_str().unwrap().to_owned();
    let seen = happen(&world, Cause::system("test"), &format!("incident/{hidden}"), "seen", &["logs.read"]).await;
    let rita = signed_in(&server, holder(&world, &admin, "logs-only", &["logs.read"]).await.id);
    let states = async |seq: i64| rita.get(&format!("/api/v1/events/{seq}/states")).await;
    let unknown = |why: &str| json!({ "unknown": why });
    assert_eq!(states(seen).await.json, unknown("not_yours"), "it was created by an event that is not hers");
    states(seen - 1).await.is_problem(404, "not_found");
    states(1 << 40).await.is_problem(404, "not_found");
    let loose = happen(&world, Cause::system("test"), "test/loose", "x", &["logs.read"]).await;
    assert_eq!(states(loose).await.json, unknown("stateless"));
}
