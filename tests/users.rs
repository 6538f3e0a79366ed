//! Users, their roles, their sign-ins and their API tokens, from one end of their lives to the other.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::user::Role;
use signalbox::projections::rebuild::compare;
use tokio::time::{interval, timeout};

use crate::access::{api_token, holder, signed_in};
use crate::harness::{Answer, Client, PASSWORD, PATIENCE, Stream, execute, world};

const USERS: &str = "/api/v1/users";
const NEW_PASSWORD: &str = "a second horse, a third battery";

async fn delete(client: &Client, path: &str) -> Answer {
    Answer::of(client.request(Method::DELETE, path)).await
}

async fn grant(client: &Client, user: &str, role: &str) -> Answer {
    Answer::of(client.request(Method::PUT, &format!("{USERS}/{user}/roles/{role}"))).await
}

/// Asks until the answer has this status: what another process does reaches this one by the log.
async fn becomes(client: &Client, path: &str, status: u16) -> Duration {
    let (at, mut looks) = (Instant::now(), interval(Duration::from_millis(5)));
    let wait = async {
        while client.get(path).await.status.as_u16() != status {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
    at.elapsed()
}

async fn live(client: &Client) -> Stream {
    let mut stream = client.stream("", None).await;
    stream.until("ready").await;
    stream
}

#[tokio::test]
async fn a_user_is_invited_once_sets_a_password_and_signs_in() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let new = json!({ "username": "Olga", "name": "Olga O.", "email": "olga@example.org", "roles": ["operator"] });
    let made = admin.post_with(USERS, new.clone(), &[("idempotency-key", "olga")]).await;
    assert_eq!((made.status.as_u16(), &made.json["username"]), (201, &json!("olga")), "{}", made.text);
    let invitation = made.json["invitation"].as_str().unwrap().to_owned();
    let again = admin.post_with(USERS, new.clone(), &[("idempotency-key", "olga")]).await;
    assert_eq!((again.header("idempotency-replayed"), &again.json["invitation"]), ("true", &Value::Null));
    admin.post(USERS, new).await.is_problem(409, "username_taken");

    let anonymous = server.anonymous();
    let accept = |invitation: &str, password: &str| {
        let body = json!({ "invitation": invitation, "password": password });
        let anonymous = anonymous.clone();
        async move { anonymous.post("/api/v1/auth/accept", body).await }
    };
    accept(&invitation, "short").await.is_problem(422, "invalid");
    accept("sbi_made-up", NEW_PASSWORD).await.is_problem(401, "unauthorized");
    assert_eq!(accept(&invitation, NEW_PASSWORD).await.status, 204);
    accept(&invitation, PASSWORD).await.is_problem(401, "unauthorized");
    let olga = anonymous.clone().sign_in("OLGA", NEW_PASSWORD).await;
    assert_eq!(olga.get("/api/v1/me").await.json["roles"], json!(["operator"]));

    // Forgotten: a new invitation, and what the old password opened is over.
    let path = format!("{USERS}/olga/invitation");
    let (first, second) = (admin.post(&path, json!(null)).await, admin.post(&path, json!(null)).await);
    let [first, second] = [first, second].map(|answer| answer.json["invitation"].as_str().unwrap().to_owned());
    accept(&first, PASSWORD).await.is_problem(401, "unauthorized");
    assert_eq!(accept(&second, PASSWORD).await.status, 204);
    becomes(&olga, "/api/v1/me", 401).await;
    for table in ["events", "idempotency", "users", "invitations"] {
        let text: String =
            world.value(&format!("select coalesce(string_agg({table}::text, ' '), '') from {table}")).await;
        for secret in [&invitation, &first, &second, NEW_PASSWORD, PASSWORD] {
            assert!(!text.contains(secret), "a secret is in {table}");
        }
    }
    let robot = json!({ "username": "robot", "name": "Robot", "kind": "service_account" });
    let robot = admin.post(USERS, robot).await;
    assert_eq!((robot.status.as_u16(), &robot.json["invitation"]), (201, &Value::Null));
    admin.post(&format!("{USERS}/robot/invitation"), json!(null)).await.is_problem(409, "service_account");
}

#[tokio::test]
async fn users_are_found_by_filters_and_in_pages() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for n in 0..7 {
        let role = if n % 2 == 0 { "viewer" } else { "operator" };
        let body = json!({ "username": format!("user-{n}"), "name": format!("Größe {n}"), "roles": [role] });
        assert_eq!(admin.post(USERS, body).await.status, 201);
    }
    assert_eq!(admin.post(&format!("{USERS}/user-3/disable"), json!({ "reason": "left" })).await.status, 200);
    let names = |answer: &Answer| -> Vec<String> {
        let items = answer.json["items"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
        items.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("role=operator", vec!["user-1", "user-3", "user-5"]),
        ("disabled=true", vec!["user-3"]),
        ("q=größe%206", vec!["user-6"]),
        ("role=operator&disabled=false", vec!["user-1", "user-5"]),
        ("kind=service_account", vec![]),
        ("q=%25", vec![]),
    ] {
        assert_eq!(names(&admin.get(&format!("{USERS}?{query}")).await), expected, "{query}");
    }
    let (mut all, mut query) = (Vec::new(), format!("{USERS}?limit=3"));
    loop {
        let page = admin.get(&query).await;
        all.extend(names(&page));
        let Some(next) = page.json["next"].as_str() else { break };
        query = format!("{USERS}?limit=3&cursor={next}");
    }
    assert_eq!((all.len(), all[0].as_str(), all[7].as_str()), (8, "admin", "user-6"));
    admin.get(&format!("{USERS}?limit=0")).await.is_problem(400, "invalid_parameter");

    let path = format!("{USERS}/user-0");
    let etag = admin.get(&path).await.header("etag").to_owned();
    let renamed = admin.patch(&path, json!({ "name": "Ada", "email": "ada@example.org" })).await;
    assert_eq!((renamed.status.as_u16(), &renamed.json["email"]), (200, &json!("ada@example.org")));
    assert_eq!(admin.patch(&path, json!({ "email": null })).await.json["email"], Value::Null);
    let stale =
        Answer::of(admin.request(Method::PATCH, &path).header("if-match", etag).json(&json!({ "name": "Eve" })));
    stale.await.is_problem(412, "version_mismatch");
    for wrong in
        [json!({ "name": "" }), json!({ "name": "a\nb" }), json!({ "email": "nobody" }), json!({ "email": "a@b@c" })]
    {
        admin.patch(&path, wrong).await.is_problem(422, "invalid");
    }
    assert_eq!(compare(&world.database).await.unwrap().1, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_always_left_to_administer_even_when_two_put_each_other_out() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let admin = servers[0].admin().await;
    let disable = |user: &str| format!("{USERS}/{user}/disable");
    admin.post(&disable("admin"), json!({})).await.is_problem(409, "last_administrator");
    delete(&admin, &format!("{USERS}/admin/roles/admin")).await.is_problem(409, "last_administrator");
    world.user("robot", Role::Viewer).await;
    let body = json!({ "username": "machine", "name": "M", "kind": "service_account", "roles": ["admin"] });
    assert_eq!(admin.post(USERS, body).await.status, 201);
    admin.post(&disable("admin"), json!({})).await.is_problem(409, "last_administrator");

    let anna = world.user("anna", Role::Admin).await;
    for round in 0..10 {
        let root = world.value::<String>("select id::text from users where username = 'admin'").await.parse().unwrap();
        let clients = [signed_in(&servers[0], root), signed_in(&servers[1], anna.id)];
        let (disable_anna, disable_admin) = (disable("anna"), disable("admin"));
        let (one, other) =
            tokio::join!(clients[0].post(&disable_anna, json!({})), clients[1].post(&disable_admin, json!({})));
        let left: i64 = world
            .value("select count(*) from users where not disabled and kind = 'person' and 'admin' = any (roles)")
            .await;
        assert_eq!(left, 1, "round {round}: {} {}", one.text, other.text);
        let done = [&one, &other].iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1, "round {round}: {} {}", one.text, other.text);
        let (winner, out) = if one.status == 200 { (&clients[0], "anna") } else { (&clients[1], "admin") };
        assert_eq!(winner.post(&format!("{USERS}/{out}/enable"), json!({})).await.status, 200);
        for (client, server) in clients.iter().zip(&servers) {
            becomes(client, "/api/v1/me", 200).await;
            server.admin().await;
        }
    }
    assert_eq!(compare(&world.database).await.unwrap().1, []);
}

#[tokio::test]
async fn nobody_gives_rights_they_lack_or_changes_who_has_more() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let desk = holder(&world, &admin, "helpdesk", &["users.read", "users.write"]).await;
    world.user("vera", Role::Viewer).await;
    let desk = signed_in(&server, desk.id);
    let before: i64 = world.value("select count(*) from events where type not like 'access.%'").await;
    let new = |role: &str| json!({ "username": "new", "name": "New", "roles": [role] });
    let token = json!({ "name": "x", "permissions": ["users.read", "incidents.read"] });
    for (answer, missing) in [
        (grant(&desk, "helpdesk", "admin").await, "automations.approve"),
        (grant(&desk, "helpdesk", "viewer").await, "automations.read"),
        (desk.post(USERS, new("viewer")).await, "automations.read"),
        (desk.post("/api/v1/roles", json!({ "name": "r", "permissions": ["system.control"] })).await, "system.control"),
        (desk.patch("/api/v1/roles/helpdesk", json!({ "permissions": ["system.read"] })).await, "system.read"),
        (desk.post(&format!("{USERS}/admin/invitation"), json!(null)).await, "automations.approve"),
        (desk.post(&format!("{USERS}/admin/disable"), json!({})).await, "automations.approve"),
        (desk.patch(&format!("{USERS}/vera"), json!({ "email": "me@example.org" })).await, "automations.read"),
        (desk.post(&format!("{USERS}/helpdesk/tokens"), token).await, "incidents.read"),
    ] {
        answer.is_problem(403, "forbidden");
        assert_eq!(answer.json["missing"], missing, "{}", answer.text);
        assert!(answer.json["decision_id"].is_string());
    }
    let after: i64 = world.value("select count(*) from events where type not like 'access.%'").await;
    assert_eq!(after, before);
    assert_eq!(desk.post(USERS, new("helpdesk")).await.status, 201, "what one has, one may give");
    assert_eq!(desk.post(&format!("{USERS}/new/disable"), json!({})).await.status, 200);
    admin
        .post(USERS, json!({ "username": "other", "name": "x", "roles": ["no-such"] }))
        .await
        .is_problem(422, "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_changes_open_streams_on_every_process() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let admin = servers[0].admin().await;
    let wanda = holder(&world, &admin, "watch", &["system.read"]).await;
    let clients = servers.each_ref().map(|server| signed_in(server, wanda.id));
    let mut streams = [live(&clients[0]).await, live(&clients[1]).await];
    admin.report("unseen").await;
    let change = json!({ "permissions": ["system.read", "incidents.read"] });
    let changed = admin.patch("/api/v1/roles/watch", change).await;
    assert_eq!((changed.status.as_u16(), &changed.json["version"]), (200, &json!(2)), "{}", changed.text);
    for client in &clients {
        assert!(becomes(client, "/api/v1/incidents", 200).await < Duration::from_secs(1));
    }
    admin.report("seen").await;
    for stream in &mut streams {
        let frame = stream.until("incident.created").await.pop().unwrap();
        assert_eq!(frame.data["data"]["title"], "seen", "what came before the change stays unseen");
    }
    assert_eq!(admin.patch("/api/v1/roles/watch", json!({ "permissions": ["system.read"] })).await.status, 200);
    for client in &clients {
        assert!(becomes(client, "/api/v1/incidents", 403).await < Duration::from_secs(1));
    }
    admin.report("unseen again").await;
    let last = admin.post("/api/v1/system/streams/enable", json!({ "reason": "the last frame" })).await;
    assert_eq!(last.status, 200);
    for stream in &mut streams {
        let frames = stream.until("system.streams.enabled").await;
        assert!(frames.iter().all(|frame| frame.event != "incident.created"), "{frames:?}");
    }
    // Started later, and known all the same.
    let third = world.serve().await;
    signed_in(&third, wanda.id).get("/api/v1/system").await.json["process"].as_str().unwrap();
    assert_eq!(compare(&world.database).await.unwrap().1, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_deleted_only_while_nobody_holds_it_and_never_granted_afterwards() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    world.user("vera", Role::Viewer).await;
    admin.patch("/api/v1/roles/viewer", json!({ "permissions": [] })).await.is_problem(409, "built_in");
    for wrong in ["", "Admin", "admin", "a b", &"a".repeat(41)] {
        admin.post("/api/v1/roles", json!({ "name": wrong, "permissions": [] })).await.is_problem(422, "invalid");
    }
    let unknown = json!({ "name": "r", "permissions": ["incidents.eat"] });
    admin.post("/api/v1/roles", unknown).await.is_problem(422, "invalid");
    for round in 0..10 {
        let role = json!({ "name": "passing", "permissions": ["system.read"] });
        assert_eq!(admin.post("/api/v1/roles", role.clone()).await.status, 201);
        admin.post("/api/v1/roles", role).await.is_problem(409, "name_taken");
        let (granted, deleted) =
            tokio::join!(grant(&admin, "vera", "passing"), delete(&admin, "/api/v1/roles/passing"));
        let outcome = (granted.status.as_u16(), deleted.status.as_u16());
        assert!([(200, 409), (422, 200)].contains(&outcome), "round {round}: {} {}", granted.text, deleted.text);
        if granted.status == 200 {
            deleted.is_problem(409, "role_held");
            assert_eq!(delete(&admin, &format!("{USERS}/vera/roles/passing")).await.status, 200);
            assert_eq!(delete(&admin, "/api/v1/roles/passing").await.status, 200);
        }
        assert_eq!(admin.get("/api/v1/roles/passing").await.status, 404);
    }
    assert_eq!(admin.get("/api/v1/roles").await.json["items"].as_array().unwrap().len(), 4);
    assert_eq!(compare(&world.database).await.unwrap().1, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_token_has_a_part_of_its_owner_s_rights_and_ends_everywhere_when_it_is_revoked() {
    let world = world().await;
    let servers = [world.serve().await, world.serve().await];
    let admin = servers[0].admin().await;
    let body =
        json!({ "username": "robot", "name": "Robot", "kind": "service_account", "roles": ["operator", "auditor"] });
    assert_eq!(admin.post(USERS, body).await.status, 201);
    let made = api_token(&admin, "robot", &["incidents.read", "incidents.write"]).await;
    let text = made.json["token"].as_str().unwrap().to_owned();
    assert!(text.starts_with("sbx_"));
    let clients = servers.each_ref().map(|server| server.anonymous().with_token(&text));
    for client in &clients {
        assert_eq!(client.get("/api/v1/incidents").await.status, 200);
        assert_eq!(client.get(USERS).await.json["missing"], "users.read", "the owner may, the token may not");
    }
    let incident = clients[1].post("/api/v1/incidents", json!({ "title": "by a program" })).await;
    assert_eq!((incident.status.as_u16(), &incident.json["created_by"]), (201, &made_by(&world).await));
    // A one-time stream id that a token got has the token's rights, on a process that never saw the token.
    let ticket =
        clients[0].post("/api/v1/events/connect", json!({})).await.json["stream_id"].as_str().unwrap().to_owned();
    let third = world.serve().await;
    let by_ticket = third.anonymous().request(Method::GET, &format!("/api/v1/events/stream/{ticket}"));
    let mut by_ticket = Stream::of(by_ticket.header("last-event-id", "0").send().await.unwrap());
    let frames = by_ticket.until("ready").await;
    assert!(frames.iter().any(|frame| frame.event == "incident.created"));
    assert!(frames.iter().all(|frame| !frame.event.starts_with("user.")), "{frames:?}");

    let mut streams = [live(&clients[0]).await, live(&clients[1]).await];
    let tokens = format!("{USERS}/robot/tokens");
    assert_eq!(admin.get(&tokens).await.json["items"][0]["last_used_at"], Value::Null);
    for server in &servers {
        signalbox::http::note_used_tokens(&server.app).await.unwrap();
    }
    assert!(admin.get(&tokens).await.json["items"][0]["last_used_at"].is_string());

    // The owner loses a role: the token loses its part at once.
    assert_eq!(delete(&admin, &format!("{USERS}/robot/roles/operator")).await.status, 200);
    for client in &clients {
        let wait = async { while client.post("/api/v1/incidents", json!({ "title": "x" })).await.status != 403 {} };
        timeout(PATIENCE, wait).await.unwrap();
    }
    let revoked = delete(&admin, &format!("{tokens}/{}", made.json["id"].as_str().unwrap())).await;
    let at = Instant::now();
    assert_eq!(revoked.status, 200, "{}", revoked.text);
    for stream in streams.iter_mut().chain([&mut by_ticket]) {
        assert_eq!(stream.until("bye").await.pop().unwrap().data["reason"], "revoked");
    }
    assert!(at.elapsed() < Duration::from_secs(1), "{:?}", at.elapsed());
    for client in &clients {
        client.get("/api/v1/me").await.is_problem(401, "unauthorized");
    }
    let fourth = world.serve().await;
    fourth.anonymous().with_token(&text).get("/api/v1/me").await.is_problem(401, "unauthorized");
    assert_eq!(admin.get(&tokens).await.json["items"], json!([]));

    let short = api_token(&admin, "robot", &["incidents.read"]).await.json["token"].as_str().unwrap().to_owned();
    execute(&world.owner, "update api_tokens set expires_at = now() - interval '1 second'").await;
    servers[0].anonymous().with_token(&short).get("/api/v1/me").await.is_problem(401, "unauthorized");
    for table in ["events", "idempotency", "api_tokens"] {
        let all: String =
            world.value(&format!("select coalesce(string_agg({table}::text, ' '), '') from {table}")).await;
        for token in [&text, &short] {
            assert!(!all.contains(token.rsplit_once('_').unwrap().1), "a secret is in {table}");
        }
    }
    assert_eq!(compare(&world.database).await.unwrap().1, []);
}

async fn made_by(world: &crate::harness::World) -> Value {
    json!(format!("user:{}", world.value::<String>("select id::text from users where username = 'robot'").await))
}

#[tokio::test]
async fn a_token_makes_no_token_that_may_more_or_lives_longer() {
    let world = world().await;
    let server = world.serve().await;
    let otto = signed_in(&server, world.user("otto", Role::Operator).await.id);
    let mine = "/api/v1/me/tokens";
    let made = otto.post(mine, json!({ "name": "ci", "permissions": ["incidents.read"], "expires_in_days": 1 })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = otto.with_token(made.json["token"].as_str().unwrap());
    let more = token.post(mine, json!({ "name": "x", "permissions": ["incidents.write"] })).await;
    more.is_problem(403, "forbidden");
    let longer =
        token.post(mine, json!({ "name": "x", "permissions": ["incidents.read"], "expires_in_days": 300 })).await;
    assert_eq!(longer.status, 201, "{}", longer.text);
    let second = |token: &Answer| token.json["expires_at"].as_str().unwrap()[..19].to_owned();
    assert_eq!(second(&longer), second(&made));
    for wrong in [
        json!({ "name": "x", "permissions": [] }),
        json!({ "name": "", "permissions": ["incidents.read"] }),
        json!({ "name": "x", "permissions": ["all"] }),
        json!({ "name": "x", "permissions": ["incidents.read"], "expires_in_days": 0 }),
    ] {
        otto.post(mine, wrong).await.is_problem(422, "invalid");
    }
    let out = token.post("/api/v1/auth/logout", json!(null)).await;
    out.is_problem(409, "no_session");
    let other = signed_in(&server, world.user("eve", Role::Operator).await.id);
    let path = format!("{mine}/{}", made.json["id"].as_str().unwrap());
    delete(&other, &path).await.is_problem(404, "not_found");
    assert_eq!(delete(&otto, &path).await.status, 200);
    token.get("/api/v1/me").await.is_problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_are_listed_and_ended_and_a_new_password_ends_the_others() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    world.user("olga", Role::Operator).await;
    let sign_in = || server.anonymous().sign_in("olga", PASSWORD);
    let [here, phone, lost] = [sign_in().await, sign_in().await, sign_in().await];
    let list = here.get("/api/v1/me/sessions").await.json["items"].clone();
    let list = list.as_array().unwrap();
    assert_eq!((list.len(), list.iter().filter(|one| one["current"] == true).count()), (3, 1));
    let lost_id = lost.get("/api/v1/me").await.json["session_id"].as_str().unwrap().to_owned();
    let mut stream = live(&lost).await;
    assert_eq!(delete(&here, &format!("/api/v1/me/sessions/{lost_id}")).await.status, 200);
    assert_eq!(stream.until("bye").await.pop().unwrap().data["reason"], "revoked");
    lost.get("/api/v1/me").await.is_problem(401, "unauthorized");
    delete(&here, &format!("/api/v1/me/sessions/{lost_id}")).await.is_problem(404, "not_found");
    assert_eq!(admin.get(&format!("{USERS}/olga/sessions")).await.json["items"].as_array().unwrap().len(), 2);

    let change = |old: &str, new: &str| {
        let (here, body) = (here.clone(), json!({ "old": old, "new": new }));
        async move { here.post_with("/api/v1/me/password", body, &[("idempotency-key", "k")]).await }
    };
    change("wrong", NEW_PASSWORD).await.is_problem(422, "invalid");
    change(PASSWORD, "short").await.is_problem(422, "invalid");
    change(PASSWORD, PASSWORD).await.is_problem(422, "invalid");
    let mut stream = live(&phone).await;
    let changed = change(PASSWORD, NEW_PASSWORD).await;
    assert_eq!((changed.status.as_u16(), &changed.json["ended_sessions"]), (200, &json!(1)), "{}", changed.text);
    assert_eq!(stream.until("bye").await.pop().unwrap().data["reason"], "revoked");
    becomes(&phone, "/api/v1/me", 401).await;
    assert_eq!(here.get("/api/v1/me").await.status, 200);
    let wrong = json!({ "username": "olga", "password": PASSWORD });
    server.anonymous().post("/api/v1/auth/login", wrong).await.is_problem(401, "unauthorized");
    let again = server.anonymous().sign_in("olga", NEW_PASSWORD).await;
    let kept: i64 = world.value("select count(*) from idempotency").await;
    assert_eq!(kept, 0, "a hash of a body with a password in it is not kept");

    // Disabled: all of them, here and after the user is enabled again.
    assert_eq!(admin.post(&format!("{USERS}/olga/disable"), json!({})).await.status, 200);
    becomes(&again, "/api/v1/me", 401).await;
    assert_eq!(admin.post(&format!("{USERS}/olga/enable"), json!({})).await.status, 200);
    admin.caught_up().await;
    again.get("/api/v1/me").await.is_problem(401, "unauthorized");
    let id = world.value::<String>("select id::text from users where username = 'olga'").await.parse().unwrap();
    becomes(&signed_in(&server, id), "/api/v1/me", 200).await;
}

#[tokio::test]
async fn refreshing_has_a_limit_for_each_session() {
    let world = world().await;
    let server = world.serve_with(&["--refreshes-per-minute=3"]).await;
    let login = json!({ "username": "admin", "password": PASSWORD });
    let granted = server.anonymous().post("/api/v1/auth/login", login.clone()).await.json;
    let other = server.anonymous().post("/api/v1/auth/login", login).await.json;
    let session = granted["refresh_token"].as_str().unwrap().split('.').next().unwrap();
    let guess = json!({ "refresh_token": format!("{session}.guess") });
    for _ in 0..3 {
        server.anonymous().post("/api/v1/auth/refresh", guess.clone()).await.is_problem(401, "unauthorized");
    }
    let slowed = server.anonymous().post("/api/v1/auth/refresh", guess).await;
    slowed.is_problem(429, "too_many_refreshes");
    assert!(slowed.header("retry-after").parse::<u32>().unwrap() > 0);
    let others = json!({ "refresh_token": other["refresh_token"] });
    assert_eq!(server.anonymous().post("/api/v1/auth/refresh", others).await.status, 200);
}

#[tokio::test]
async fn the_list_says_when_each_signed_in_last_and_that_some_never_did() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for (username, kind) in [("olga", "person"), ("robot", "service_account")] {
        let body = json!({ "username": username, "name": username, "kind": kind });
        assert_eq!(admin.post(USERS, body).await.status, 201);
    }
    let vera = world.user("vera", Role::Viewer).await;
    let mut before = String::new();
    for again in [false, true] {
        server.anonymous().sign_in("vera", PASSWORD).await;
        let listed = admin.get(USERS).await.json["items"].clone();
        let at = |username: &str| {
            let users = listed.as_array().unwrap();
            users.iter().find(|user| user["username"] == username).unwrap()["signed_in_at"].clone()
        };
        assert_eq!([at("olga"), at("robot")], [Value::Null, Value::Null]);
        assert!(at("admin").is_string() && at("vera").as_str() > Some(before.as_str()), "{again}: {listed}");
        assert_eq!(admin.get(&format!("{USERS}/vera")).await.json["signed_in_at"], at("vera"));
        before = at("vera").as_str().unwrap().to_owned();
    }
    // Signed out, they were here all the same.
    execute(&world.owner, &format!("update sessions set ended_at = now() where user_id = '{}'", vera.id)).await;
    assert_eq!(admin.get(&format!("{USERS}/vera")).await.json["signed_in_at"], before.as_str());
}
