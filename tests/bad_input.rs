//! What nobody should send: each mistake has its own clear answer, and leaves nothing in the log.

use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use signalbox::domain::user::Role;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{Answer, Client, PATIENCE, Running, Stream, World, execute, world};

const INCIDENTS: &str = "/api/v1/incidents";
const STREAM: &str = "/api/v1/events/stream";
const EVENTS: &str = "/api/v1/events";
/// A body that would be accepted.
const GOOD: &str = r#"{"title":"good"}"#;

/// A server, its admin, and an eye on what is recorded.
struct Desk {
    world: World,
    server: Running,
    admin: Client,
}

async fn desk() -> Desk {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let desk = Desk { world, server, admin };
    // From here on the process has seen all there is.
    assert_eq!(desk.admin.get(&format!("{INCIDENTS}?min_seq={}", desk.head().await)).await.status, 200);
    desk
}

impl Desk {
    /// What the log and the incidents hold.
    async fn recorded(&self) -> String {
        let sql = "select format('%s events, %s incidents', seq, (select count(*) from incidents)) from log_head";
        self.world.value(sql).await
    }

    /// Asserts that a request is answered with this problem, and that nothing was recorded.
    async fn refuses(&self, request: RequestBuilder, status: u16, code: &str) -> Answer {
        let before = self.recorded().await;
        let answer = timeout(PATIENCE, Answer::of(request)).await.expect("an answer, not a stream");
        answer.is_problem(status, code);
        assert_eq!(self.recorded().await, before, "{}", answer.text);
        answer
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.admin.request(Method::GET, path)
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.admin.request(Method::POST, path).header("content-type", "application/json").body(body)
    }

    /// What a reader is told first who resumes like this.
    async fn resumed(&self, path: &str, last_id: Option<&str>) -> (String, Value) {
        let request = self.get(path);
        let request = last_id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let mut stream = Stream::of(request.send().await.unwrap());
        assert_eq!(stream.status, 200);
        let first = stream.event().await;
        (first.event, first.data)
    }

    async fn head(&self) -> i64 {
        self.world.value("select seq from log_head").await
    }
}

#[tokio::test]
async fn a_body_that_is_no_incident_is_refused() {
    let desk = desk().await;
    let deep = format!(r#"{{"title":{}"#, "[".repeat(100_000));
    let deep_whole = format!(r#"{{"title":"x","labels":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = r#"{"title":"#.repeat(25_000);
    for body in [
        "",
        " ",
        "{",
        "nul",
        "null",
        "[]",
        "\"title\"",
        r#"{"title":"x"} {}"#,
        r#"{"title":"x",}"#,
        r#"{'title':'x'}"#,
        r#"{"title":"\ud800"}"#,
        r#"{"title":"\x41"}"#,
        "{\"title\":\"line\nbreak\"}",
        "\u{feff}{\"title\":\"x\"}",
        r#"{"title":NaN}"#,
        "{}",
        r#"{"title":null}"#,
        r#"{"title":5}"#,
        r#"{"title":true}"#,
        r#"{"title":["x"]}"#,
        r#"{"title":"x","severity":"P9"}"#,
        r#"{"title":"x","severity":3}"#,
        r#"{"title":"x","labels":["a"]}"#,
        r#"{"title":"x","labels":{"a":1}}"#,
        r#"{"title":"x","affected_servers":"web-1"}"#,
        r#"{"title":"x","affected_servers":[1]}"#,
        r#"{"title":"x","colour":"red"}"#,
        r#"{"title":"x","number":7}"#,
        r#"{"title":"x","status":"closed"}"#,
        &deep,
        &deep_whole,
        &deep_objects,
    ] {
        desk.refuses(desk.post(INCIDENTS, body.to_owned()), 400, "malformed_body").await;
    }
    desk.refuses(desk.post(INCIDENTS, &b"{\"title\":\"\xff\"}"[..]), 400, "malformed_body").await;
    desk.refuses(desk.post(INCIDENTS, &b"{\"title\":\"\xed\xa0\x80\"}"[..]), 400, "malformed_body").await;
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_told_where_and_what_would_fit() {
    let desk = desk().await;
    let check = json!({ "name": "a", "host": "a.example.org", "check": { "method": "icmp", "intervals": 60 } });
    let window = json!({ "ends_at": "tomorrow" });
    for (path, body, expected) in [
        (INCIDENTS, json!({}), vec![("/title", "is required")]),
        (
            INCIDENTS,
            json!({ "title": 5, "severity": "P9" }),
            vec![("/severity", "must be one of: P0, P1, P2, P3, P4"), ("/title", "must be a string")],
        ),
        (INCIDENTS, json!({ "title": "x", "labels": { "a/b": 1 } }), vec![("/labels/a~1b", "must be a string")]),
        (
            INCIDENTS,
            json!({ "title": "x", "affected_servers": ["a", null] }),
            vec![("/affected_servers/1", "must be a string")],
        ),
        (INCIDENTS, json!([]), vec![("", "must be an object")]),
        (
            "/api/v1/servers",
            check,
            vec![
                ("/check/intervals", "is not known; there are: enabled, interval_s, method, retries, timeout_s"),
                ("/check/method", "must be one of: tcp, ssh"),
            ],
        ),
        ("/api/v1/servers", json!({ "name": "a", "host": "b", "port": 65_536 }), vec![("/port", "must be 0 to 65535")]),
        ("/api/v1/servers/a/maintenance", window, vec![("/ends_at", "must be a time such as 2026-01-31T12:00:00Z")]),
        (
            "/api/v1/incidents/INC-1/status",
            json!({ "to": "acknowledge" }),
            vec![(
                "/to",
                "must be one of: triggered, acknowledged, investigating, mitigated, resolved, closed, cancelled",
            )],
        ),
    ] {
        let answer = desk.refuses(desk.post(path, body.to_string()), 400, "malformed_body").await;
        let expected: Vec<Value> = expected.iter().map(|(at, why)| json!({ "pointer": at, "message": why })).collect();
        assert_eq!(answer.json["errors"], json!(expected), "{}", answer.text);
    }
    let answer = desk.refuses(desk.post(INCIDENTS, r#"{"title":"x",}"#), 400, "malformed_body").await;
    assert_eq!(answer.json["detail"], "trailing comma at line 1 column 14");
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_told_what_would_fit() {
    let desk = desk().await;
    for (query, expected) in [
        ("incidents?severity=P9", "must be one of: P0, P1, P2, P3, P4"),
        ("incidents?limit=many", "must be a whole number"),
        ("incidents?created_from=yesterday", "must be a time such as 2026-01-31T12:00:00Z"),
        ("events?execution=1", "must be a UUID"),
    ] {
        let answer = desk.refuses(desk.get(&format!("/api/v1/{query}")), 400, "invalid_parameter").await;
        let name = query.split(['?', '=']).nth(1).unwrap();
        let expected = json!([{ "pointer": format!("query/{name}"), "message": expected }]);
        assert_eq!(answer.json["errors"], expected, "{}", answer.text);
    }
}

#[tokio::test]
async fn every_command_refuses_a_body_with_a_field_it_does_not_know() {
    let desk = desk().await;
    let path = format!("{INCIDENTS}/{}", desk.admin.report("one").await["id"].as_str().unwrap());
    for (command, body) in [
        ("/assign", json!({ "assignee": "admin" })),
        ("/comments", json!({ "text": "x" })),
        ("/status", json!({ "to": "resolved" })),
        ("/cancel", json!({ "reason": "x" })),
        ("/reopen", json!({ "reason": "x" })),
        ("/merge", json!({ "into": "INC-1" })),
    ] {
        let mut body = body;
        body["version"] = json!(1);
        desk.refuses(desk.post(&format!("{path}{command}"), body.to_string()), 400, "malformed_body").await;
    }
    let patch = desk.admin.request(Method::PATCH, &path).json(&json!({ "title": "y", "id": Uuid::nil() }));
    desk.refuses(patch, 400, "malformed_body").await;
    let login = json!({ "username": "admin", "password": "x", "role": "admin" });
    desk.refuses(desk.post("/api/v1/auth/login", login.to_string()), 400, "malformed_body").await;
}

#[tokio::test]
async fn the_nul_character_is_refused_and_what_only_looks_like_it_is_kept() {
    let desk = desk().await;
    for body in [
        r#"{"title":"a\u0000b"}"#,
        r#"{"title":"a\\\u0000b"}"#,
        r#"{"title":"x","labels":{"a\u0000":"b"}}"#,
        r#"{"title":"x","affected_servers":["\u0000"]}"#,
        "{\"title\":\"a\0b\"}",
    ] {
        desk.refuses(desk.post(INCIDENTS, body.to_owned()), 422, "nul_character").await;
    }
    let accepted = Answer::of(desk.post(INCIDENTS, r#"{"title":"a\\u0000b"}"#)).await;
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    assert_eq!(accepted.json["title"], r"a\u0000b");
}

#[tokio::test]
async fn a_body_beyond_the_limits_is_refused_and_errors_points_at_the_field() {
    let desk = desk().await;
    let path = format!("{INCIDENTS}/{}", desk.admin.report("one").await["id"].as_str().unwrap());
    let (assign, comments, status) = (format!("{path}/assign"), format!("{path}/comments"), format!("{path}/status"));
    let many: Vec<String> = (0..101).map(|n| format!("web-{n}")).collect();
    for (path, body, pointer) in [
        (INCIDENTS, json!({ "title": "" }), "/title"),
        (INCIDENTS, json!({ "title": " \u{2003} " }), "/title"),
        (INCIDENTS, json!({ "title": "two\nlines" }), "/title"),
        (INCIDENTS, json!({ "title": "\u{1b}[2J" }), "/title"),
        (INCIDENTS, json!({ "title": "x".repeat(201) }), "/title"),
        (INCIDENTS, json!({ "title": "x", "description": "x".repeat(16_385) }), "/description"),
        (INCIDENTS, json!({ "title": "x", "assignee": "" }), "/assignee"),
        (INCIDENTS, json!({ "title": "x", "dedup_key": "x".repeat(256) }), "/dedup_key"),
        (INCIDENTS, json!({ "title": "x", "affected_servers": many }), "/affected_servers"),
        (INCIDENTS, json!({ "title": "x", "affected_servers": ["a", ""] }), "/affected_servers/1"),
        (INCIDENTS, json!({ "title": "x", "labels": { "Team/~": "x" } }), "/labels/Team~1~0"),
        (&assign, json!({ "assignee": "x".repeat(65) }), "/assignee"),
        (&comments, json!({ "text": "" }), "/text"),
        (&comments, json!({ "text": "x".repeat(8_193) }), "/text"),
        (&status, json!({ "to": "acknowledged", "resolution": "x" }), "/resolution"),
        (&status, json!({ "to": "resolved", "reason": "x".repeat(2_001) }), "/reason"),
    ] {
        let answer = desk.refuses(desk.post(path, body.to_string()), 422, "invalid").await;
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    // A title is measured in characters, not bytes.
    desk.admin.report(&"ü".repeat(200)).await;
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_refused() {
    let desk = desk().await;
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"]
    {
        let request = desk.admin.request(Method::POST, INCIDENTS).header("content-type", content_type).body(GOOD);
        desk.refuses(request, 415, "unsupported_media_type").await;
    }
    desk.refuses(desk.admin.request(Method::POST, INCIDENTS).body(GOOD), 415, "unsupported_media_type").await;
    let answer = desk.refuses(desk.admin.request(Method::POST, INCIDENTS), 415, "unsupported_media_type").await;
    assert_eq!(answer.json["detail"], "send it with the Content-Type that this operation takes: application/json");
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused_whether_it_says_so_or_not() {
    let desk = desk().await;
    let megabyte = "x".repeat(1 << 20);
    let chunk = format!("{:x}\r\n{megabyte}\r\n", megabyte.len());
    for (header, part) in
        [(format!("content-length: {}", 10 << 20), &megabyte), ("transfer-encoding: chunked".to_owned(), &chunk)]
    {
        let before = desk.recorded().await;
        let head = format!(
            "POST {INCIDENTS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{header}\r\n\r\n",
            desk.admin.token
        );
        let answer = raw(&desk.server, head, vec![part.clone(); 10]).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(answer.contains(r#""code":"too_large""#), "{answer}");
        assert_eq!(desk.recorded().await, before);
    }
}

/// Sends bytes as they are, and gives what is answered before the server hangs up.
async fn raw(server: &Running, head: String, parts: Vec<String>) -> String {
    let address = server.url.strip_prefix("http://").unwrap();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let writing = tokio::spawn(async move {
        for part in std::iter::once(head).chain(parts) {
            if writer.write_all(part.as_bytes()).await.is_err() {
                break; // refused before the end, as it should be
            }
        }
        writer
    });
    let mut answer = Vec::new();
    let reading =
        async { while !answer.ends_with(b"}") && reader.read_buf(&mut answer).await.is_ok_and(|count| count > 0) {} };
    timeout(PATIENCE, reading).await.unwrap();
    writing.abort();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_refused_with_those_it_has() {
    let desk = desk().await;
    let path = format!("{INCIDENTS}/{}", desk.admin.report("one").await["id"].as_str().unwrap());
    let assign = format!("{path}/assign");
    for (method, path, allowed) in [
        (Method::DELETE, INCIDENTS, "GET, POST"),
        (Method::PUT, &*path, "GET, PATCH"),
        (Method::DELETE, &path, "GET, PATCH"),
        (Method::GET, &assign, "POST"),
        (Method::POST, EVENTS, "GET"),
        (Method::DELETE, "/api/v1/events/1", "GET"),
        (Method::POST, STREAM, "GET"),
        (Method::GET, "/api/v1/auth/login", "POST"),
        (Method::POST, "/docs", "GET"),
        (Method::POST, "/openapi.json", "GET"),
    ] {
        let request = desk.admin.request(method, path).json(&json!({ "title": "x" }));
        let answer = desk.refuses(request, 405, "method_not_allowed").await;
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn a_path_or_id_that_names_nothing_is_not_found() {
    let desk = desk().await;
    let number = desk.admin.report("one").await["number"].as_i64().unwrap();
    let nobody = Uuid::now_v7();
    for path in [
        "/nothing".to_owned(),
        "/api".to_owned(),
        "/api/v2/incidents".to_owned(),
        "/api/v1/incident".to_owned(),
        format!("{INCIDENTS}/{nobody}"),
        format!("{INCIDENTS}/no-uuid"),
        format!("{INCIDENTS}/INC-{}", number + 1),
        format!("{INCIDENTS}/INC-0{number}"),
        format!("{INCIDENTS}/inc-{number}"),
        format!("{INCIDENTS}/INC-99999999999999999999"),
        format!("{INCIDENTS}/%00"),
        format!("{INCIDENTS}/..%2f..%2fopenapi.json"),
        format!("{INCIDENTS}/{nobody}/timeline"),
        format!("{INCIDENTS}/{nobody}/nothing"),
        "/api/v1/events/no-number".to_owned(),
        "/api/v1/events/0".to_owned(),
        "/api/v1/events/-1".to_owned(),
        "/api/v1/events/9223372036854775807".to_owned(),
        "/api/v1/events/99999999999999999999".to_owned(),
    ] {
        desk.refuses(desk.get(&path), 404, "not_found").await;
    }
    for command in ["assign", "cancel", "reopen", "unmerge"] {
        let path = format!("{INCIDENTS}/no-uuid/{command}");
        desk.refuses(desk.post(&path, "{}"), 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_query_parameter_that_an_operation_does_not_know_is_refused() {
    let desk = desk().await;
    let path = format!("{INCIDENTS}/{}", desk.admin.report("one").await["id"].as_str().unwrap());
    for path in [
        format!("{INCIDENTS}?stauts=closed"),
        format!("{INCIDENTS}?Status=closed"),
        format!("{INCIDENTS}?status=closed&nothing"),
        format!("{INCIDENTS}?=closed"),
        format!("{INCIDENTS}?__proto__=x"),
        format!("{path}?fields=title"),
        format!("{EVENTS}?type=incident.created"),
        format!("{STREAM}?since=3"),
        "/api/v1/me?x=1".to_owned(),
    ] {
        desk.refuses(desk.get(&path), 400, "unknown_parameter").await;
    }
    desk.refuses(desk.post(&format!("{INCIDENTS}?dry_run=true"), GOOD), 400, "unknown_parameter").await;
}

#[tokio::test]
async fn a_query_parameter_with_a_senseless_value_is_refused() {
    let desk = desk().await;
    desk.admin.report("one").await;
    for query in [
        "?status=open",
        "?status=triggered,nonsense",
        "?severity=p1",
        "?priority=7",
        "?order=title",
        "?order=-updated_at;drop%20table%20incidents",
        "?limit=0",
        "?limit=-1",
        "?limit=201",
        "?limit=ten",
        "?limit=99999999999999999999",
        "?created_from=yesterday",
        "?created_before=2026-02-30T00:00:00Z",
        "?label=no-colon",
        "?min_seq=x",
        "?q=%00",
        "?q=a%00b",
        "?status=%00",
    ] {
        desk.refuses(desk.get(&format!("{INCIDENTS}{query}")), 400, "invalid_parameter").await;
    }
    for query in
        ["?limit=0", "?limit=1001", "?wait=31", "?wait=-1", "?after=x", "?after=9223372036854775808", "?epoch=x"]
    {
        desk.refuses(desk.get(&format!("{EVENTS}{query}")), 400, "invalid_parameter").await;
    }
    let long = format!("{INCIDENTS}?q={}", "x".repeat(501));
    desk.refuses(desk.get(&long), 400, "invalid_parameter").await;
    // What is odd but harmless finds nothing.
    for query in ["?q=%ff", "?q='%20or%20''='", "?server=%25", "?label=a:%7B%22", "?assignee=%F0%9F%92%A5"] {
        let answer = desk.admin.get(&format!("{INCIDENTS}{query}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json["items"]), (200, &json!([])), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_cursor_that_no_answer_of_this_list_gave_is_refused() {
    let desk = desk().await;
    for n in 0..3 {
        desk.admin.report(&format!("incident {n}")).await;
    }
    let first = desk.admin.get(&format!("{INCIDENTS}?limit=1&order=number")).await;
    let cursor = first.json["next"].as_str().unwrap();
    let fits = desk.admin.get(&format!("{INCIDENTS}?limit=1&order=number&cursor={cursor}")).await;
    assert_eq!(fits.json["items"][0]["title"], "incident 1");
    for query in [
        "?cursor=x".to_owned(),
        "?cursor=".to_owned(),
        "?cursor=bnVsbA".to_owned(),
        format!("?order=number&cursor={}", &cursor[1..]),
        format!("?order=-number&cursor={cursor}"),
        format!("?order=number&status=closed&cursor={cursor}"),
        format!("?order=number&q=incident&cursor={cursor}"),
    ] {
        desk.refuses(desk.get(&format!("{INCIDENTS}{query}")), 400, "invalid_cursor").await;
    }
    // A forged key of the right list.
    let known: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    for key in ["x", "", "1; drop table incidents", "99999999999999999999", "a\0b"] {
        let mut forged = known.clone();
        forged["key"][0] = json!(key);
        let forged = BASE64_URL_SAFE_NO_PAD.encode(forged.to_string());
        desk.refuses(desk.get(&format!("{INCIDENTS}?order=number&cursor={forged}")), 400, "invalid_value").await;
    }
}

#[tokio::test]
async fn a_position_that_is_no_number_is_refused_before_a_stream_opens() {
    let desk = desk().await;
    for last_id in ["x", "-1", "+1", "1.0", " 1 2", "0x10", "1,2", "9223372036854775808", &"9".repeat(1_000), "１"] {
        let value = HeaderValue::from_bytes(last_id.as_bytes()).unwrap();
        desk.refuses(desk.get(STREAM).header("last-event-id", value), 400, "invalid_cursor").await;
    }
    for query in ["?last_event_id=x", "?lastEventId=-1", "?last_event_id=99999999999999999999", "?last_event_id=1%0A"] {
        desk.refuses(desk.get(&format!("{STREAM}{query}")), 400, "invalid_cursor").await;
    }
    desk.refuses(desk.get(&format!("{EVENTS}?after=-1")), 400, "invalid_cursor").await;
    for path in [STREAM, EVENTS] {
        desk.refuses(desk.get(&format!("{path}?epoch=today")), 400, "invalid_parameter").await;
    }
}

#[tokio::test]
async fn a_position_in_the_future_or_of_another_history_is_told_so_on_every_door() {
    let desk = desk().await;
    let head = desk.head().await;
    let epoch: Uuid = desk.world.value("select epoch from log_head").await;
    for last_id in [head + 1, head + 1_000, i64::MAX] {
        let last_id = last_id.to_string();
        let (event, data) = desk.resumed(STREAM, Some(&last_id)).await;
        assert_eq!((event.as_str(), &data["reason"], &data["seq"]), ("reset", &json!("future"), &json!(head)));
        assert_eq!(data["epoch"], json!(epoch));
        desk.refuses(desk.get(&format!("{EVENTS}?after={last_id}")), 410, "cursor_gone").await;
    }
    let elsewhere = Uuid::new_v4();
    for last_id in [None, Some("0"), Some("1")] {
        let (event, data) = desk.resumed(&format!("{STREAM}?epoch={elsewhere}"), last_id).await;
        assert_eq!((event.as_str(), &data["reason"], &data["seq"]), ("reset", &json!("epoch"), &json!(head)));
    }
    desk.refuses(desk.get(&format!("{EVENTS}?after=0&epoch={elsewhere}")), 410, "cursor_gone").await;
    // The end itself, in this history, is a good place.
    let (event, data) = desk.resumed(&format!("{STREAM}?epoch={epoch}"), Some(&head.to_string())).await;
    assert_eq!((event.as_str(), &data["seq"]), ("ready", &json!(head)));
    assert_eq!(desk.admin.get(&format!("{EVENTS}?after={head}&epoch={epoch}")).await.status, 200);
}

#[tokio::test]
async fn a_filter_with_a_type_that_is_not_registered_is_refused() {
    let desk = desk().await;
    for types in
        ["incident.exploded", "incident", "incident.", "*", "incident*", "incident.created,x", "", ",", "INCIDENT.*"]
    {
        for door in [STREAM, EVENTS] {
            desk.refuses(desk.get(&format!("{door}?types={types}")), 400, "unknown_event_type").await;
        }
    }
    let control = desk
        .refuses(desk.get(&format!("{EVENTS}?types=%1b%5b2J{}", "x".repeat(1_000))), 400, "unknown_event_type")
        .await;
    assert!(control.text.len() < 600 && !control.text.contains('\u{1b}'), "{}", control.text);
}

#[tokio::test]
async fn if_match_of_an_old_version_is_refused_with_the_present_one() {
    let desk = desk().await;
    let path = format!("{INCIDENTS}/{}", desk.admin.report("one").await["id"].as_str().unwrap());
    let old = desk.admin.get(&path).await;
    let comments = format!("{path}/comments");
    desk.admin.post(&comments, json!({ "text": "somebody was faster" })).await;
    let patch = || desk.admin.request(Method::PATCH, &path).json(&json!({ "title": "mine" }));
    for stale in [old.header("etag"), "\"0\"", "\"3\"", "\"-1\""] {
        let answer = desk.refuses(patch().header("if-match", stale), 412, "version_mismatch").await;
        assert_eq!(answer.json["current_version"], 2);
        desk.refuses(desk.post(&comments, r#"{"text":"x"}"#).header("if-match", stale), 412, "version_mismatch").await;
    }
    let into = desk.admin.report("two").await["key"].as_str().unwrap().to_owned();
    let merge = desk.post(&format!("{path}/merge"), json!({ "into": into }).to_string());
    desk.refuses(merge.header("if-match", "\"1\""), 412, "version_mismatch").await;
    for malformed in ["2", "\"2", "\"two\"", "W/\"2\"", "\"1\", \"2\"", "\"\"", "\"9223372036854775808\""] {
        desk.refuses(patch().header("if-match", malformed), 400, "invalid_header").await;
    }
    let fresh = Answer::of(patch().header("if-match", "\"2\"")).await;
    assert_eq!((fresh.status.as_u16(), fresh.header("etag")), (200, "\"3\""));
}

#[tokio::test]
async fn an_idempotency_key_that_was_used_for_something_else_is_refused() {
    let desk = desk().await;
    let with_key = |path: &str, body: &str| desk.post(path, body.to_owned()).header("idempotency-key", "k-1");
    let first = Answer::of(with_key(INCIDENTS, GOOD)).await;
    assert_eq!(first.status, 201);
    let path = format!("{INCIDENTS}/{}", first.json["id"].as_str().unwrap());
    desk.refuses(with_key(INCIDENTS, r#"{"title":"other"}"#), 422, "idempotency_key_reused").await;
    desk.refuses(with_key(INCIDENTS, r#"{"title": "good"}"#), 422, "idempotency_key_reused").await;
    desk.refuses(with_key(INCIDENTS, r#"{"title":""}"#), 422, "idempotency_key_reused").await;
    desk.refuses(with_key(&format!("{path}/comments"), r#"{"text":"x"}"#), 422, "idempotency_key_reused").await;
    desk.refuses(with_key(&format!("{path}/reopen"), "{}"), 422, "idempotency_key_reused").await;
    desk.refuses(with_key(&format!("{INCIDENTS}/no-uuid/reopen"), "{}"), 422, "idempotency_key_reused").await;
    // Another user's key is another key.
    desk.world.user("olga", Role::Operator).await;
    let olga = desk.server.anonymous().sign_in("olga", crate::harness::PASSWORD).await;
    let theirs = olga.post_with(INCIDENTS, json!({ "title": "theirs" }), &[("idempotency-key", "k-1")]).await;
    assert_eq!((theirs.status.as_u16(), theirs.header("idempotency-replayed")), (201, ""));
}

#[tokio::test]
async fn a_header_that_is_not_visible_ascii_or_too_long_is_refused() {
    let desk = desk().await;
    let long = "x".repeat(256);
    for value in ["schlüssel".as_bytes(), b"\xff\xfe", b"a\tb", b"two words", b"", long.as_bytes()] {
        for name in ["idempotency-key", "signalbox-session"] {
            let request = desk.post(INCIDENTS, GOOD).header(name, HeaderValue::from_bytes(value).unwrap());
            desk.refuses(request, 400, "invalid_header").await;
        }
    }
    let odd = || HeaderValue::from_bytes("é".as_bytes()).unwrap();
    let path = format!("{INCIDENTS}/{}", desk.admin.report("one").await["id"].as_str().unwrap());
    desk.refuses(desk.post(&format!("{path}/reopen"), "{}").header("if-match", odd()), 400, "invalid_header").await;
    desk.refuses(desk.get(STREAM).header("last-event-id", odd()), 400, "invalid_cursor").await;
    let anonymous = desk.server.anonymous();
    let authorization = HeaderValue::from_bytes("Bearer é".as_bytes()).unwrap();
    desk.refuses(anonymous.request(Method::GET, INCIDENTS).header(AUTHORIZATION, authorization), 401, "unauthorized")
        .await;
    // What only describes a request is passed over.
    let request = desk.get(INCIDENTS).header("traceparent", odd()).header("signalbox-correlation", odd());
    assert_eq!(Answer::of(request.header("if-none-match", odd())).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_must_have_been_seen_is_waited_for_and_then_refused() {
    let desk = desk().await;
    let head = desk.head().await;
    let path = |seq: i64| format!("{INCIDENTS}?min_seq={seq}");
    for seq in [i64::MIN, -1, 0, head] {
        assert_eq!(desk.admin.get(&path(seq)).await.status, 200);
    }
    for seq in [head + 1, i64::MAX] {
        desk.refuses(desk.get(&path(seq)), 410, "cursor_gone").await;
    }
    // The log says there is more, but this process does not get to see it.
    execute(&desk.world.owner, "update log_head set seq = seq + 1").await;
    let answer = desk.refuses(desk.get(&path(head + 1)), 503, "not_there_yet").await;
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_asked_to_on_every_operation_but_the_public_ones() {
    let desk = desk().await;
    let anonymous = desk.server.anonymous();
    let document = anonymous.get("/openapi.json").await.json;
    let mut public = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let filled = path.replace("{incident}", "INC-1").replace("{seq}", "1").replace("{stream_id}", "x");
        for (method, operation) in operations.as_object().unwrap() {
            if operation["security"] == json!([]) {
                public.push(operation["operationId"].as_str().unwrap().to_owned());
                continue;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = desk.refuses(anonymous.request(method, &filled).json(&json!({})), 401, "unauthorized").await;
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"signalbox\"", "{path}");
        }
    }
    public.sort_unstable();
    assert_eq!(public, ["acceptInvitation", "livez", "login", "readyz", "refresh", "streamEventsById"]);
}

/// A token from its three parts, signed or not.
fn token(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
}

/// HMAC, as good as the key.
fn hmac(algorithm: hmac::Algorithm, key: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, key);
    move |text| hmac::sign(&key, text).as_ref().to_vec()
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

#[tokio::test]
async fn a_token_that_we_did_not_make_is_refused_and_nobody_learns_why() {
    let desk = desk().await;
    let key: Vec<u8> = desk.world.value("select value from secrets where name = 'access-token'").await;
    let admin: Uuid = desk.world.value("select id from users").await;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let claims = json!({
        "iss": "signalbox", "aud": "signalbox", "sub": admin, "sid": Uuid::now_v7(),
        "exp": now + 600, "iat": now, "nbf": now
    });
    let with = |name: &str, value: Value| {
        let mut changed = claims.clone();
        changed[name] = value;
        changed.to_string()
    };
    let without = |name: &str| {
        let mut changed = claims.clone();
        changed.as_object_mut().unwrap().remove(name);
        changed.to_string()
    };
    let good = claims.to_string();
    let ours = hmac(HMAC_SHA256, &key);
    // This is how a good one is made, so that the ones below are refused for their faults alone.
    let accepted = desk.admin.with_token(&token(HS256, &good, &ours)).get("/api/v1/me").await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);

    let theirs = Ed25519KeyPair::generate().unwrap();
    let public = BASE64_URL_SAFE_NO_PAD.encode(theirs.public_key().as_ref());
    let jwk = format!(r#"{{"alg":"EdDSA","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{public}"}}}}"#);
    let symmetric =
        format!(r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{}"}}}}"#, BASE64_URL_SAFE_NO_PAD.encode("mine"));
    let (mine, none) = (hmac(HMAC_SHA256, b"mine"), |_: &[u8]| Vec::new());
    let real = token(HS256, &good, &ours);
    let [head, body, signature] = real.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let other_body = BASE64_URL_SAFE_NO_PAD.encode(with("exp", json!(now + 601)));
    let twice = |name: &str, value: &str| good.replacen('{', &format!("{{\"{name}\":{value},"), 1);
    let forged = vec![
        // Another signature, or none.
        token(HS256, &good, &mine),
        token(HS256, &good, hmac(HMAC_SHA256, b"")),
        token(HS256, &good, none),
        token(HS256, &good, |_| vec![0; 32]),
        format!("{head}.{other_body}.{signature}"),
        format!("{head}.{body}.{}", &signature[..signature.len() - 2]),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}.{body}.{signature}.x"),
        format!(".{body}.{signature}"),
        // Another algorithm than ours.
        token(r#"{"alg":"none"}"#, &good, none),
        token(r#"{"alg":"None"}"#, &good, none),
        token(r#"{"alg":"nOnE"}"#, &good, &ours),
        token(r#"{"alg":""}"#, &good, &ours),
        token(r#"{"typ":"JWT"}"#, &good, &ours),
        token(r#"{"alg":"hs256"}"#, &good, &ours),
        token(r#"{"alg":"HS384"}"#, &good, hmac(HMAC_SHA384, &key)),
        token(r#"{"alg":"HS512"}"#, &good, hmac(HMAC_SHA512, &key)),
        token(r#"{"alg":"HS512"}"#, &good, &ours),
        token(r#"{"alg":"RS256"}"#, &good, &ours),
        token(r#"{"alg":"ES256"}"#, &good, &ours),
        token(r#"{"alg":"EdDSA"}"#, &good, |text| theirs.sign(text).as_ref().to_vec()),
        // Keys that the token brings along.
        token(&jwk, &good, |text| theirs.sign(text).as_ref().to_vec()),
        token(&symmetric, &good, &mine),
        token(r#"{"alg":"HS256","kid":"../../dev/null"}"#, &good, hmac(HMAC_SHA256, b"")),
        token(r#"{"alg":"HS256","kid":"x' union select 'mine"}"#, &good, &mine),
        token(r#"{"alg":"HS256","jku":"http://127.0.0.1:1/keys"}"#, &good, &mine),
        token(r#"{"alg":"HS256","x5u":"http://127.0.0.1:1/keys"}"#, &good, &mine),
        // Ours, for something or somebody else.
        token(HS256, &with("iss", json!("elsewhere")), &ours),
        token(HS256, &with("aud", json!("elsewhere")), &ours),
        token(HS256, &with("aud", json!(["elsewhere"])), &ours),
        token(HS256, &with("nbf", json!(now + 60)), &ours),
        token(HS256, &with("sub", json!("admin")), &ours),
        token(HS256, &with("sid", json!("x")), &ours),
        token(HS256, &with("exp", json!((now + 600).to_string())), &ours),
        token(HS256, &with("exp", json!(now as f64 + 600.5)), &ours),
        token(HS256, &with("exp", json!(u64::MAX)), &ours),
        token(HS256, &with("exp", json!(1e30)), &ours),
        token(HS256, &with("exp", Value::Null), &ours),
        token(HS256, &with("exp", json!([now + 600])), &ours),
        token(HS256, &with("nbf", json!((now).to_string())), &ours),
        token(HS256, &with("iat", json!("yesterday")), &ours),
        token(HS256, &without("exp"), &ours),
        token(HS256, &without("nbf"), &ours),
        token(HS256, &without("iat"), &ours),
        token(HS256, &without("iss"), &ours),
        token(HS256, &without("aud"), &ours),
        token(HS256, &without("sub"), &ours),
        token(HS256, &without("sid"), &ours),
        token(HS256, &twice("exp", &(now + 9_999).to_string()), &ours),
        token(HS256, &twice("sub", &json!(Uuid::nil()).to_string()), &ours),
        // No token at all.
        token(HS256, "null", &ours),
        token(HS256, "", &ours),
        token("[]", &good, &ours),
        "x".to_owned(),
        "..".to_owned(),
        "null".to_owned(),
        format!("{real}{}", "x".repeat(8_000)),
        token(HS256, &with("padding", json!("x".repeat(4_000))), &ours),
    ];
    let mut bodies = std::collections::HashSet::new();
    for token in &forged {
        let client = desk.admin.with_token(token);
        let mut answer = desk.refuses(client.request(Method::GET, "/api/v1/me"), 401, "unauthorized").await;
        assert!(answer.headers.contains_key("www-authenticate"));
        answer.json.as_object_mut().unwrap().remove("request_id");
        bodies.insert(answer.json.to_string());
        desk.refuses(client.request(Method::POST, INCIDENTS).json(&json!({ "title": "x" })), 401, "unauthorized").await;
        desk.refuses(client.request(Method::GET, STREAM), 401, "unauthorized").await;
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");

    // Ours, but over, or of nobody.
    let nobody = with("sub", json!(Uuid::now_v7()));
    let expired = [now - 60, 0, -1, i64::MIN].map(|exp| with("exp", json!(exp)));
    for claims in expired.iter().chain([&nobody]) {
        let client = desk.admin.with_token(&token(HS256, claims, &ours));
        desk.refuses(client.request(Method::GET, STREAM), 401, "unauthorized").await;
    }
    // Whether it is over is told to nobody but its owner.
    let forged = desk.admin.with_token(&token(HS256, &expired[0], &mine)).get("/api/v1/me").await;
    assert!(!forged.text.contains("expired"), "{}", forged.text);

    for authorization in ["", "Bearer", "Bearer ", "Basic YWRtaW46YWRtaW4=", &real, &format!("Token {real}")] {
        let request = desk.server.anonymous().request(Method::GET, "/api/v1/me").header(AUTHORIZATION, authorization);
        desk.refuses(request, 401, "unauthorized").await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_or_no_http_ends_the_connection_and_no_other() {
    let desk = desk().await;
    let before = desk.recorded().await;
    let long = format!("GET /api/v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", "x".repeat(1 << 20));
    for (head, status) in
        [(long, "431"), ("BREW /coffee\r\n\r\n".to_owned(), "400"), ("\0\0\0\0\r\n\r\n".to_owned(), "400")]
    {
        let answer = raw(&desk.server, head, Vec::new()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(desk.recorded().await, before);
    assert_eq!(desk.admin.get("/api/v1/me").await.status, 200);
}
