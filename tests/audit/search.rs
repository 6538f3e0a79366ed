//! Finding events.

use serde_json::json;
use signalbox::domain::user::Role;
use signalbox::log::Cause;

use super::{EXPORT, SEARCH, auditor, filled, happen, seqs};
use crate::access::{holder, signed_in};
use crate::harness::{Client, World, world};

/// Every page of a search, and how many there were.
async fn found(client: &Client, query: &str, limit: usize) -> (Vec<i64>, usize) {
    let (mut seqs, mut query, mut pages) = (Vec::new(), query.to_owned(), 0);
    loop {
        let page = client.get(&format!("{SEARCH}?limit={limit}{query}")).await;
        assert_eq!(page.status, 200, "{query}: {}", page.text);
        let items = page.json["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        seqs.extend(items.iter().map(|event| event["seq"].as_i64().unwrap()));
        pages += 1;
        let Some(next) = page.json["next"].as_i64() else { return (seqs, pages) };
        let others = query.split('&').filter(|one| !one.starts_with("to_seq=")).collect::<Vec<_>>().join("&");
        query = format!("{others}&to_seq={next}");
    }
}

/// A log in which every filter finds something and leaves something out; the filters, each with what it means in SQL.
async fn a_log_and_its_filters(world: &World, admin: &Client) -> Vec<(String, String)> {
    let (cause, other) = (Cause::system("test"), Cause { actor_name: "ada".to_owned(), ..Cause::system("desk") });
    let correlation = cause.correlation_id;
    let together = Cause { session_id: Some("war-room:1".to_owned()), ..other.clone() };
    for n in 0..40 {
        let cause = [&cause, &other, &together][n % 3].clone();
        let permissions: &[&str] = [&["incidents.read"][..], &["users.read"], &[], &["a", "logs.read"]][n % 4];
        happen(world, cause, ["test/a", "test/b"][n % 2], &n.to_string(), permissions).await;
    }
    let incident = admin.report("found again").await;
    let stream = format!("incident/{}", incident["id"].as_str().unwrap());
    admin
        .post(&format!("/api/v1/incidents/{}/comments", incident["key"].as_str().unwrap()), json!({ "text": "x" }))
        .await;
    let head: i64 = world.value("select seq from log_head").await;
    let at = |seq: i64| {
        format!(
            "select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from events where seq = {seq}"
        )
    };
    let early: String = world.value(&at(head - 30)).await;
    let late: String = world.value(&at(head - 5)).await;
    let filters = [
        (String::new(), "true".to_owned()),
        (format!("&from_seq={}", head - 20), format!("seq >= {}", head - 20)),
        (format!("&to_seq={}&from_seq={}", head - 3, head - 33), format!("seq between {} and {}", head - 33, head - 3)),
        (format!("&since={early}"), format!("recorded_at >= '{early}'")),
        (format!("&since={early}&before={late}"), format!("recorded_at >= '{early}' and recorded_at < '{late}'")),
        ("&types=incident.*,user.created".to_owned(), "(type like 'incident.%' or type = 'user.created')".to_owned()),
        ("&types=incident.commented".to_owned(), "type = 'incident.commented'".to_owned()),
        ("&stream=test/b".to_owned(), "stream = 'test/b'".to_owned()),
        (
            format!("&stream={stream}&types=incident.created"),
            format!("stream = '{stream}' and type = 'incident.created'"),
        ),
        (
            format!("&stream=test/a&before={late}&to_seq={}", head - 9),
            format!("stream = 'test/a' and recorded_at < '{late}' and seq <= {}", head - 9),
        ),
        ("&actor=system:desk".to_owned(), "actor = 'system:desk'".to_owned()),
        ("&actor=ada".to_owned(), "actor_name = 'ada'".to_owned()),
        (format!("&correlation_id={correlation}"), format!("correlation_id = '{correlation}'")),
        ("&session=war-room:1".to_owned(), "session_id = 'war-room:1'".to_owned()),
        ("&session=war%20room".to_owned(), "false".to_owned()),
        ("&stream=there/is-none".to_owned(), "false".to_owned()),
        ("&from_seq=9&to_seq=3".to_owned(), "false".to_owned()),
        ("&from_seq=-9223372036854775808&to_seq=9223372036854775807".to_owned(), "true".to_owned()),
        (format!("&before={early}&actor=admin&types=incident.*"), "false".to_owned()),
    ];
    filters.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_and_an_export_find_what_plain_sql_finds_and_the_reader_may_see() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let logs = signed_in(&server, holder(&world, &admin, "logs-only", &["logs.read", "events.export"]).await.id);
    let auditor = auditor(&world, &server).await;
    let filters = a_log_and_its_filters(&world, &admin).await;
    let all = Role::Auditor.built_in().unwrap().join(",");
    for (client, may) in [(&auditor, all.as_str()), (&logs, "logs.read,events.export")] {
        for (query, sql) in &filters {
            let head: i64 = world.value("select seq from log_head").await;
            let visible = format!("(permissions = '{{}}' or permissions && '{{{may}}}')");
            let expected: Vec<i64> = world
                .value(&format!("select coalesce(array_agg(seq order by seq), '{{}}') from events where seq <= {head} and {visible} and ({sql})"))
                .await;
            let exported = client.get(&format!("{EXPORT}?{}", query.trim_start_matches('&'))).await;
            assert_eq!(exported.status, 200, "{query}: {}", exported.text);
            assert_eq!(seqs(&exported.text), expected, "the export of {query} with {may}");
            let behind = |seq: &i64| *seq <= head; // the export above is in the log by now
            for limit in [3, 1000] {
                let (seqs, pages) = found(client, query, limit).await;
                let mut seqs: Vec<i64> = seqs.into_iter().filter(behind).collect();
                seqs.reverse();
                assert_eq!(seqs, expected, "{query} by {limit} with {may}");
                assert!(limit == 1000 || pages >= expected.len() / 3, "{query}: {pages} pages");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_little_in_a_large_log_goes_on_from_page_to_page() {
    let world = world().await;
    let cause = Cause::system("needle");
    let first = happen(&world, cause.clone(), "test/needle", "first", &["incidents.read"]).await;
    filled(&world, 600_000, 0).await; // more than one request looks at
    let last = happen(&world, cause.clone(), "test/needle", "last", &["incidents.read"]).await;
    let server = world.serve().await;
    let auditor = auditor(&world, &server).await;
    let (seqs, pages) = found(&auditor, "&actor=system:needle", 10).await;
    assert_eq!((seqs, pages > 1), (vec![last, first], true), "{pages} pages");
    let correlated = format!("&correlation_id={}", cause.correlation_id);
    assert_eq!(found(&auditor, &correlated, 10).await.0, vec![last, first]);
    // What has a place is found at once, wherever it is.
    assert_eq!(found(&auditor, "&stream=test/needle", 10).await, (vec![last, first], 1));
    let upto = format!("&stream=test/filler&to_seq={}&from_seq={}", first + 7, first + 5);
    assert_eq!(found(&auditor, &upto, 10).await, (vec![first + 7, first + 6, first + 5], 1));
}
