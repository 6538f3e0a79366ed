//! Who gets in, for how long, and how fast they are out again.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use signalbox::domain::user::{Event, Role, RolesChanged, Switched};
use signalbox::postgres::APP_ROLE;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use uuid::Uuid;

use crate::harness::{Answer, Client, PASSWORD, PATIENCE, Running, Stream, World, execute, world};

const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";
const LOGOUT: &str = "/api/v1/auth/logout";
const INCIDENTS: &str = "/api/v1/incidents";
const CONNECT: &str = "/api/v1/events/connect";

async fn sign_in(server: &Running, username: &str, password: &str) -> Answer {
    server.anonymous().post(LOGIN, json!({ "username": username, "password": password })).await
}

/// The answer without what names the request.
fn told(answer: &Answer) -> (u16, Value, BTreeSet<String>) {
    let mut body = answer.json.clone();
    body.as_object_mut().unwrap().remove("request_id");
    (answer.status.as_u16(), body, answer.headers.keys().map(ToString::to_string).collect())
}

/// Looks until a request is refused as not signed in, and gives the refusal.
async fn refused(client: &Client) -> Answer {
    let mut looks = interval(Duration::from_millis(5));
    let refusal = timeout(PATIENCE, async {
        loop {
            let answer = client.get("/api/v1/me").await;
            if answer.status != 200 {
                return answer;
            }
            looks.tick().await;
        }
    });
    let refusal = refusal.await.unwrap();
    refusal.is_problem(401, "unauthorized");
    refusal
}

/// A stream that is live, from now on.
async fn live(client: &Client) -> Stream {
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    stream
}

/// Asserts that a stream ends for this reason and says whether to come back.
async fn ends(stream: &mut Stream, reason: &str) {
    let bye = stream.until("bye").await.pop().unwrap();
    assert_eq!((&bye.data["reason"], &bye.data["reconnect"]), (&json!(reason), &json!(reason != "revoked")));
    assert!(bye.retry_ms.is_some());
    assert!(stream.next().await.is_none(), "bye is the last frame");
}

fn disabled() -> Event {
    Event::Disabled(Switched { reason: Some("left".to_owned()) })
}

async fn events_of(world: &World, kind: &str) -> i64 {
    world.value(&format!("select count(*) from events where type = '{kind}'")).await
}

#[tokio::test]
async fn signing_in_gives_a_token_that_says_who_one_is() {
    let world = world().await;
    let server = world.serve().await;
    let granted = sign_in(&server, "Admin", PASSWORD).await;
    assert_eq!((granted.status.as_u16(), &granted.json["token_type"]), (200, &json!("Bearer")));
    assert_eq!((&granted.json["expires_in"], granted.header("cache-control")), (&json!(900), "no-store"));
    let client = server.anonymous().with_token(granted.json["access_token"].as_str().unwrap());
    let me = client.get("/api/v1/me").await.json;
    assert_eq!((&me["username"], &me["roles"]), (&json!("admin"), &json!(["admin"])));
    assert_eq!(me["session_id"], granted.json["session_id"]);
    let lower = Answer::of(
        server
            .anonymous()
            .request(Method::GET, "/api/v1/me")
            .header("authorization", format!("bEARER {}", client.token)),
    );
    assert_eq!(lower.await.status, 200);
    assert_eq!(events_of(&world, "user.signed_in").await, 1);
}

#[tokio::test]
async fn nobody_learns_whether_a_user_exists() {
    let world = world().await;
    let server = world.serve().await;
    let gone = world.user("gone", Role::Operator).await;
    world.happen_to(gone, disabled()).await;
    let wrong = told(&sign_in(&server, "admin", "wrong").await);
    assert_eq!((wrong.0, &wrong.1["code"]), (401, &json!("unauthorized")));
    for (username, password) in [
        ("nobody", "wrong"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("gone", "wrong"),
        ("admin", ""),
        ("", ""),
        ("admin' or '1'='1", "x"),
        ("admin ", PASSWORD),
        (&"a".repeat(65), PASSWORD),
        ("admin", &"a".repeat(1_025)),
        ("admin", &format!("{PASSWORD} ")),
        ("admin", &PASSWORD.to_uppercase()),
    ] {
        assert_eq!(told(&sign_in(&server, username, password).await), wrong, "{username}");
    }
    assert_eq!(events_of(&world, "user.signed_in").await, 0);
    assert_eq!(events_of(&world, "user.sign_in.failed").await, 11, "all that was looked at is recorded");
}

#[tokio::test]
async fn guessing_is_slowed_down_for_the_name_that_is_guessed_at_and_no_other() {
    let world = world().await;
    let server = world.serve_with(&["--sign-ins-per-minute=5"]).await;
    world.user("olga", Role::Operator).await;
    for name in ["admin", "ADMIN", "Admin", "admin", "admin"] {
        sign_in(&server, name, "wrong").await.is_problem(401, "unauthorized");
    }
    let failed = events_of(&world, "user.sign_in.failed").await;
    for password in ["wrong", PASSWORD] {
        let slowed = sign_in(&server, "admin", password).await;
        slowed.is_problem(429, "too_many_sign_ins");
        assert!(slowed.header("retry-after").parse::<u32>().unwrap() > 0);
    }
    assert_eq!(events_of(&world, "user.sign_in.failed").await, failed, "what is not looked at is not recorded");
    assert_eq!(sign_in(&server, "olga", PASSWORD).await.status, 200);
}

/// Cookies that an answer sets, as they are sent back: name and value.
fn cookies(answer: &Answer) -> Vec<String> {
    let set = answer.headers.get_all("set-cookie").iter();
    set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn cookies_are_out_of_reach_of_scripts_and_of_other_sites() {
    let world = world().await;
    for (settings, secure) in [(&[][..], false), (&["--secure-cookies"], true)] {
        let server = world.serve_with(settings).await;
        let granted = sign_in(&server, "admin", PASSWORD).await;
        let set: Vec<&str> =
            granted.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(set.len(), 2);
        for (cookie, name, path) in [(set[0], "signalbox_access=", "/"), (set[1], "signalbox_refresh=", "/api/v1/auth")]
        {
            assert!(cookie.starts_with(name), "{cookie}");
            let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
            for attribute in ["HttpOnly", "SameSite=Strict", &format!("Path={path}")] {
                assert!(attributes.contains(&attribute), "{cookie}");
            }
            assert_eq!(attributes.contains(&"Secure"), secure);
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
    }
}

#[tokio::test]
async fn a_cookie_reads_from_anywhere_and_writes_from_its_own_origin_only() {
    let world = world().await;
    let server = world.serve().await;
    let granted = sign_in(&server, "admin", PASSWORD).await;
    let cookies = cookies(&granted).join("; ");
    let anonymous = server.anonymous();
    anonymous.with_token(granted.json["access_token"].as_str().unwrap()).caught_up().await;
    let request = |method, path: &str, headers: &[(&str, &str)]| {
        let request = anonymous.request(method, path).header("cookie", &cookies);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    assert_eq!(Answer::of(request(Method::GET, "/api/v1/me", &[])).await.status, 200);
    let mut stream = Stream::of(request(Method::GET, "/api/v1/events/stream", &[]).send().await.unwrap());
    assert_eq!((stream.status, stream.event().await.event.as_str()), (200, "ready"));

    let port = server.url.rsplit(':').next().unwrap();
    let before: i64 = world.value("select seq from log_head").await;
    for headers in [
        &[][..],
        &[("origin", "https://elsewhere.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1")],
        &[("origin", "http://127.0.0.1:1")],
        &[("origin", &format!("http://127.0.0.1:{port}.elsewhere.example"))],
        &[("origin", "http://localhost")],
        &[("referer", &server.url)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "nonsense")],
        &[("sec-fetch-site", "cross-site"), ("origin", &server.url)],
    ] {
        for (path, body) in
            [(INCIDENTS, json!({ "title": "x" })), (REFRESH, json!({})), (LOGOUT, json!({})), (CONNECT, json!({}))]
        {
            let answer = Answer::of(request(Method::POST, path, headers).json(&body)).await;
            answer.is_problem(403, "cross_origin");
        }
    }
    assert_eq!(world.value::<i64>("select seq from log_head").await, before);
    for headers in [&[("sec-fetch-site", "same-origin")], &[("origin", &*server.url)]] {
        let answer = Answer::of(request(Method::POST, INCIDENTS, headers).json(&json!({ "title": "x" }))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    // A bearer token is no cookie: no other site can send it.
    let bearer = anonymous.with_token(granted.json["access_token"].as_str().unwrap());
    let elsewhere =
        bearer.post_with(INCIDENTS, json!({ "title": "x" }), &[("origin", "https://elsewhere.example")]).await;
    assert_eq!(elsewhere.status, 201);
}

fn refresh(client: &Client, token: &Value) -> impl Future<Output = Answer> + use<> {
    Answer::of(client.request(Method::POST, REFRESH).json(&json!({ "refresh_token": token })))
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_pair_on_any_process() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let mut granted = sign_in(&servers[0], "admin", PASSWORD).await;
    for n in 0..4 {
        let anonymous = servers[n % 2].anonymous();
        let next = refresh(&anonymous, &granted.json["refresh_token"]).await;
        assert_eq!(next.status, 200, "{}", next.text);
        assert_eq!(next.json["session_id"], granted.json["session_id"]);
        assert_ne!(next.json["refresh_token"], granted.json["refresh_token"]);
        let client = anonymous.with_token(next.json["access_token"].as_str().unwrap());
        assert_eq!(client.get("/api/v1/me").await.status, 200);
        granted = next;
    }
    // The same with cookies.
    let request = servers[0].anonymous().request(Method::POST, REFRESH).json(&json!({}));
    let by_cookie =
        Answer::of(request.header("cookie", cookies(&granted).join("; ")).header("origin", &servers[0].url)).await;
    assert_eq!(by_cookie.status, 200, "{}", by_cookie.text);
    assert_ne!(cookies(&by_cookie)[1], cookies(&granted)[1]);
}

#[tokio::test]
async fn a_refresh_token_that_is_none_is_refused_and_ends_nothing() {
    let world = world().await;
    let server = world.serve().await;
    let granted = sign_in(&server, "admin", PASSWORD).await;
    let anonymous = server.anonymous();
    let before: i64 = world.value("select seq from log_head").await;
    let known = granted.json["refresh_token"].as_str().unwrap();
    let made_up = format!("{}.made-up", known.split('.').next().unwrap()); // the session's id is no secret
    let unknown = format!("{}.x", Uuid::now_v7().simple());
    for token in ["", "x", ".", "x.y", &unknown, &made_up, &known.replace('.', ""), &"x".repeat(100_000)] {
        refresh(&anonymous, &json!(token)).await.is_problem(401, "unauthorized");
    }
    anonymous.post(REFRESH, json!({})).await.is_problem(403, "cross_origin");
    assert_eq!(world.value::<i64>("select seq from log_head").await, before);
    execute(&world.owner, "update sessions set expires_at = now() - interval '1 second'").await;
    refresh(&anonymous, &granted.json["refresh_token"]).await.is_problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_refresh_token_ends_the_session_for_whoever_holds_it() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let first = sign_in(&servers[0], "admin", PASSWORD).await;
    let second = refresh(&servers[0].anonymous(), &first.json["refresh_token"]).await;
    assert_eq!(second.status, 200);
    let clients =
        servers.each_ref().map(|server| server.anonymous().with_token(second.json["access_token"].as_str().unwrap()));
    let mut streams = [live(&clients[0]).await, live(&clients[1]).await];
    refresh(&servers[0].anonymous(), &first.json["refresh_token"]).await.is_problem(401, "unauthorized");
    clients[0].get("/api/v1/me").await.is_problem(401, "unauthorized");
    refresh(&servers[1].anonymous(), &second.json["refresh_token"]).await.is_problem(401, "unauthorized");
    for stream in &mut streams {
        ends(stream, "revoked").await;
    }
    clients[1].get("/api/v1/me").await.is_problem(401, "unauthorized");
    assert_eq!(events_of(&world, "user.session.revoked").await, 1);
    // Only that session: the user signs in again.
    assert_eq!(sign_in(&servers[0], "admin", PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_here_at_once_and_elsewhere_within_a_second() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let granted = sign_in(&servers[0], "admin", PASSWORD).await;
    let clients =
        servers.each_ref().map(|server| server.anonymous().with_token(granted.json["access_token"].as_str().unwrap()));
    let other_session = servers[1].admin().await;
    let mut streams = [live(&clients[0]).await, live(&clients[1]).await];
    let out = Answer::of(clients[0].request(Method::POST, LOGOUT)).await;
    let at = Instant::now();
    assert_eq!(out.status, 204);
    assert!(cookies(&out).iter().all(|cookie| cookie.ends_with('=')), "{:?}", cookies(&out));
    clients[0].get("/api/v1/me").await.is_problem(401, "unauthorized");
    refused(&clients[1]).await;
    assert!(at.elapsed() < Duration::from_secs(1), "{:?}", at.elapsed());
    for stream in &mut streams {
        ends(stream, "revoked").await;
    }
    refresh(&servers[1].anonymous(), &granted.json["refresh_token"]).await.is_problem(401, "unauthorized");
    assert_eq!(events_of(&world, "user.signed_out").await, 1);
    assert_eq!(other_session.get("/api/v1/me").await.status, 200);
    // A process that starts later knows it too.
    let third = world.serve().await;
    third.anonymous().with_token(&clients[0].token).get("/api/v1/me").await.is_problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_here_is_over_here_even_while_the_log_cannot_be_read() {
    let world = world().await;
    let server = world.serve().await;
    let anonymous = server.anonymous();
    let stolen = sign_in(&server, "admin", PASSWORD).await;
    let next = refresh(&anonymous, &stolen.json["refresh_token"]).await;
    let (robbed, leaving) = (anonymous.with_token(next.json["access_token"].as_str().unwrap()), server.admin().await);
    // What ended can now be known from the commands themselves only; appending goes on.
    execute(&world.owner, &format!("revoke select on events from {APP_ROLE}")).await;
    refresh(&anonymous, &stolen.json["refresh_token"]).await.is_problem(401, "unauthorized");
    robbed.get("/api/v1/me").await.is_problem(401, "unauthorized");
    assert_eq!(Answer::of(leaving.request(Method::POST, LOGOUT)).await.status, 204);
    leaving.get("/api/v1/me").await.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let world = world().await;
    let server = world.serve_with(&["--access-token-s=2"]).await;
    let client = server.admin().await;
    let mut stream = live(&client).await;
    let opened = Instant::now();
    ends(&mut stream, "token_expired").await;
    assert!(opened.elapsed() < Duration::from_secs(4), "{:?}", opened.elapsed());
    let refusal = refused(&client).await;
    assert!(refusal.json["detail"].as_str().unwrap().contains("expired"), "{}", refusal.text);
    client.get("/api/v1/events/stream").await.is_problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_out_on_every_process() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let olga = world.user("olga", Role::Operator).await;
    let granted = sign_in(&servers[0], "olga", PASSWORD).await;
    let clients =
        servers.each_ref().map(|server| server.anonymous().with_token(granted.json["access_token"].as_str().unwrap()));
    let admin = servers[0].admin().await;
    let mut of_admin = live(&admin).await;
    let mut streams = [live(&clients[0]).await, live(&clients[1]).await];
    let olga = world.happen_to(olga, disabled()).await;
    for (stream, client) in streams.iter_mut().zip(&clients) {
        ends(stream, "revoked").await;
        client.get("/api/v1/me").await.is_problem(401, "unauthorized");
        client.post(INCIDENTS, json!({ "title": "x" })).await.is_problem(401, "unauthorized");
    }
    for server in &servers {
        sign_in(server, "olga", PASSWORD).await.is_problem(401, "unauthorized");
        refresh(&server.anonymous(), &granted.json["refresh_token"]).await.is_problem(401, "unauthorized");
    }
    of_admin.until("user.disabled").await; // others go on
    // Enabled again, the user signs in again.
    world.happen_to(olga, Event::Enabled(Switched { reason: None })).await;
    of_admin.until("user.sign_in.failed").await; // streams may leave the second one out: it says the same
    of_admin.until("user.enabled").await;
    let refused = "select count(*) from events where type = 'user.sign_in.failed'";
    assert_eq!(world.value::<i64>(refused).await, 2);
    assert_eq!(sign_in(&servers[0], "olga", PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_away_takes_effect_on_open_streams_with_the_event_that_says_so() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let anna = world.user("anna", Role::Auditor).await;
    let client = server.anonymous().sign_in("anna", PASSWORD).await;
    let mut stream = live(&client).await;
    world.user("one", Role::Viewer).await;
    while stream.event().await.data["data"]["username"] != "one" {}
    let change = RolesChanged { old: anna.roles.clone(), new: [Role::Viewer].into() };
    world.happen_to(anna, Event::RolesChanged(change)).await;
    world.user("two", Role::Viewer).await;
    let incident = admin.report("still to be seen").await;
    let may = json!(["automations.read", "incidents.read", "logs.read", "servers.read"]);
    let told = stream.event().await;
    assert_eq!((told.event.as_str(), &told.data), ("rights", &json!({ "permissions": may })));
    let next = stream.event().await;
    assert_eq!((next.event.as_str(), &next.data["data"]["number"]), ("incident.created", &incident["number"]));
    // What was to be seen before is not to be seen again.
    let replayed = client.replay("").await;
    let events: Vec<&str> =
        replayed.iter().map(|frame| frame.event.as_str()).filter(|event| !event.is_empty()).collect();
    assert_eq!(events, ["incident.created", "ready"]);
    assert_eq!(client.get("/api/v1/me").await.json["permissions"], may);
}

#[tokio::test]
async fn a_token_in_the_query_is_good_for_streams_where_the_server_allows_it_and_nowhere_else() {
    let world = world().await;
    let servers = [world.serve().await, world.serve_with(&["--query-token"]).await];
    let token = servers[0].admin().await.token;
    servers[1].anonymous().with_token(&token).caught_up().await;
    let ask =
        |server: &Running, path: &str| server.anonymous().request(Method::GET, &format!("{path}?access_token={token}"));
    Answer::of(ask(&servers[0], "/api/v1/events/stream")).await.is_problem(401, "unauthorized");
    let mut stream = Stream::of(ask(&servers[1], "/api/v1/events/stream").send().await.unwrap());
    assert_eq!((stream.status, stream.event().await.event.as_str()), (200, "ready"));
    for path in ["/api/v1/me", "/api/v1/events", INCIDENTS] {
        Answer::of(ask(&servers[1], path)).await.is_problem(400, "unknown_parameter");
    }
    let forged = servers[1].anonymous().get(&format!("/api/v1/events/stream?access_token={token}x")).await;
    forged.is_problem(401, "unauthorized");
}

/// A one-time stream id.
async fn ticket(client: &Client) -> String {
    let answer = Answer::of(client.request(Method::POST, CONNECT)).await;
    assert_eq!((answer.status.as_u16(), &answer.json["expires_in"]), (201, &json!(30)), "{}", answer.text);
    answer.json["stream_id"].as_str().unwrap().to_owned()
}

fn redeem(server: &Running, ticket: &str) -> RequestBuilder {
    server.anonymous().request(Method::GET, &format!("/api/v1/events/stream/{ticket}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_id_opens_one_stream_with_the_rights_of_whoever_got_it() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    world.user("victor", Role::Viewer).await;
    let viewer = servers[0].anonymous().sign_in("victor", PASSWORD).await;
    servers[0].admin().await.report("to be seen").await;
    let id = ticket(&viewer).await;
    let mut tries = JoinSet::new();
    for n in 0..10 {
        let request = redeem(&servers[n % 2], &id).header("last-event-id", "0");
        tries.spawn(async move { Stream::of(request.send().await.unwrap()) });
    }
    let streams = tries.join_all().await;
    let mut opened: Vec<Stream> = streams.into_iter().filter(|stream| stream.status == 200).collect();
    assert_eq!(opened.len(), 1, "of ten tries at once");
    let frames = opened[0].until("incident.created").await;
    assert!(frames.iter().all(|frame| !frame.event.starts_with("user.")), "{frames:?}");
    Answer::of(redeem(&servers[0], &id)).await.is_problem(401, "unauthorized");
    for nonsense in ["x", &"x".repeat(1_000), "%00"] {
        Answer::of(redeem(&servers[0], nonsense)).await.is_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_mistake_in_the_filter_does_not_use_up_a_stream_id() {
    let world = world().await;
    let server = world.serve().await;
    let id = ticket(&server.admin().await).await;
    for query in ["?types=nothing", "?last_event_id=x", "?epoch=x", "?since=1"] {
        let answer = Answer::of(redeem(&server, &format!("{id}{query}"))).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
    let mut stream = Stream::of(redeem(&server, &id).send().await.unwrap());
    assert_eq!((stream.status, stream.event().await.event.as_str()), (200, "ready"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_id_is_worth_no_more_than_the_session_it_came_from() {
    let world = world().await;
    let server = world.serve().await;
    let olga = world.user("olga", Role::Operator).await;
    let client = server.anonymous().sign_in("olga", PASSWORD).await;
    let old = ticket(&client).await;
    execute(&world.owner, "update stream_tickets set expires_at = now() - interval '1 second'").await;
    Answer::of(redeem(&server, &old)).await.is_problem(401, "unauthorized");

    let over = ticket(&client).await;
    execute(&world.owner, "update stream_tickets set token_exp = now() - interval '1 second'").await;
    Answer::of(redeem(&server, &over)).await.is_problem(401, "unauthorized");

    let soon = ticket(&client).await;
    execute(&world.owner, "update stream_tickets set token_exp = now() + interval '2 seconds'").await;
    let mut stream = Stream::of(redeem(&server, &soon).send().await.unwrap());
    ends(&mut stream, "token_expired").await;

    let left = ticket(&client).await;
    assert_eq!(Answer::of(client.request(Method::POST, LOGOUT)).await.status, 204);
    Answer::of(redeem(&server, &left)).await.is_problem(401, "unauthorized");

    let client = server.anonymous().sign_in("olga", PASSWORD).await;
    let (before, mut stream) = (ticket(&client).await, live(&client).await);
    world.happen_to(olga, disabled()).await;
    ends(&mut stream, "revoked").await;
    Answer::of(redeem(&server, &before)).await.is_problem(401, "unauthorized");
}

#[tokio::test]
async fn the_first_start_shows_a_password_once_and_makes_one_admin() {
    let world = world().await;
    let start = || {
        let mut process = Command::new(env!("CARGO_BIN_EXE_signalbox"));
        let process = process.args(["serve", "--listen=127.0.0.1:0", "--pool-size=2"]);
        let process = process.env("DATABASE_URL", &world.owner_url).stdout(Stdio::piped()).stderr(Stdio::piped());
        process.kill_on_drop(true).spawn().unwrap()
    };
    // Two at once on an empty database, and one later.
    let mut processes = vec![start(), start()];
    let (mut shown, mut urls) = (Vec::new(), Vec::new());
    for n in 0..3 {
        if n == 2 {
            processes.push(start());
        }
        let mut lines = BufReader::new(processes[n].stdout.take().unwrap()).lines();
        while let Some(line) = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap() {
            if let Some((_, rest)) = line.split_once("with the password ") {
                shown.push(rest.split(' ').next().unwrap().to_owned());
            }
            if let Some((_, url)) = line.split_once("listens on ") {
                urls.push(url.to_owned());
                break;
            }
        }
    }
    assert_eq!((shown.len(), urls.len()), (1, 3));
    let password = &shown[0];
    assert!(password.len() >= 20);
    for url in &urls {
        let client = Client::new(url).sign_in("admin", password).await;
        assert_eq!(client.get("/api/v1/me").await.json["roles"], json!(["admin"]));
    }
    assert_eq!(world.value::<i64>("select count(*) from users").await, 1);
    assert_eq!(events_of(&world, "user.created").await, 1);
    let mut log = String::new();
    for mut process in processes {
        let mut stderr = process.stderr.take().unwrap();
        process.kill().await.unwrap();
        stderr.read_to_string(&mut log).await.unwrap();
    }
    assert!(!log.contains(password.as_str()), "the password is no matter of the log");
}

#[tokio::test]
async fn no_secret_is_ever_recorded() {
    let world = world().await;
    let server = world.serve().await;
    let granted = sign_in(&server, "admin", PASSWORD).await;
    sign_in(&server, "admin", "nearly the right password").await.is_problem(401, "unauthorized");
    let next = refresh(&server.anonymous(), &granted.json["refresh_token"]).await;
    let client = server.anonymous().with_token(next.json["access_token"].as_str().unwrap());
    let id = ticket(&client).await;
    let keyed = client.post_with(INCIDENTS, json!({ "title": "x" }), &[("idempotency-key", "k")]).await;
    assert_eq!(keyed.status, 201);
    refresh(&server.anonymous(), &granted.json["refresh_token"]).await.is_problem(401, "unauthorized");
    let again = server.admin().await;
    assert_eq!(Answer::of(again.request(Method::POST, LOGOUT)).await.status, 204);

    let hash: String = world.value("select password_hash from credentials").await;
    let refresh_hashes: String = world.value("select string_agg(encode(refresh_hash, 'hex'), ' ') from sessions").await;
    let key: String = world.value("select encode(value, 'hex') from secrets where name = 'access-token'").await;
    let mut secrets =
        vec![PASSWORD.to_owned(), "nearly the right password".to_owned(), hash.clone(), key, id, again.token];
    secrets.extend(hash.rsplit('$').take(2).map(str::to_owned));
    secrets.extend(refresh_hashes.split(' ').map(str::to_owned));
    for answer in [&granted, &next] {
        let [access, refresh] = ["access_token", "refresh_token"].map(|name| answer.json[name].as_str().unwrap());
        secrets.extend(
            [access, access.rsplit('.').next().unwrap(), refresh.split('.').nth(1).unwrap()].map(str::to_owned),
        );
    }
    for table in ["events", "idempotency", "users", "incidents"] {
        let text: String = world.value(&format!("select string_agg({table}::text, ' ') from {table}")).await;
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {table}");
        }
    }
    for kind in ["user.signed_in", "user.signed_out", "user.sign_in.failed", "user.session.revoked"] {
        assert!(events_of(&world, kind).await > 0, "{kind} was looked through");
    }
    // Where secrets are kept, they are kept as what cannot be turned back.
    for table in ["sessions", "stream_tickets", "credentials"] {
        let text: String = world.value(&format!("select string_agg({table}::text, ' ') from {table}")).await;
        for secret in [PASSWORD, next.json["refresh_token"].as_str().unwrap().split('.').nth(1).unwrap(), &secrets[4]] {
            assert!(!text.contains(secret), "{secret} is in {table}");
        }
    }
    assert!(hash.starts_with("$argon2id$"));
}
