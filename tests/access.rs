//! Who may do what, computed from what operations and event types declare, tried for everybody everywhere.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use signalbox::domain::permission;
use signalbox::domain::user::{Event, Role, Switched, User};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Answer, Client, Running, World, world};

/// Somebody who asks, and what they may do; `None`: nobody knows them.
struct Principal {
    name: String,
    may: Option<BTreeSet<String>>,
    who: Who,
}

enum Who {
    Nobody,
    /// A session of its own for each request, so that signing out ends nothing else.
    User(Uuid),
    ApiToken(String),
}

impl Principal {
    fn client(&self, server: &Running, anonymous: &Client) -> Client {
        match &self.who {
            Who::Nobody => anonymous.clone(),
            Who::User(id) => anonymous.with_token(&server.app.tokens.issue(*id, Uuid::now_v7()).unwrap().0),
            Who::ApiToken(token) => anonymous.with_token(token),
        }
    }
}

/// A client with an access token, without the time that a password takes.
pub fn signed_in(server: &Running, user: Uuid) -> Client {
    let (token, _) = server.app.tokens.issue(user, Uuid::now_v7()).unwrap();
    server.anonymous().with_token(&token)
}

fn set(permissions: &[&str]) -> Option<BTreeSet<String>> {
    Some(permissions.iter().map(|word| (*word).to_owned()).collect())
}

/// A service account's or anybody's API token.
pub async fn api_token(admin: &Client, user: &str, permissions: &[&str]) -> Answer {
    let body = json!({ "name": "test", "permissions": permissions });
    let made = admin.post(&format!("/api/v1/users/{user}/tokens"), body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made
}

/// A user with a role of its own that allows just this.
pub async fn holder(world: &World, admin: &Client, name: &str, permissions: &[&str]) -> User {
    let role = admin.post("/api/v1/roles", json!({ "name": name, "permissions": permissions })).await;
    assert_eq!(role.status, 201, "{}", role.text);
    let user = world.user(name, Role::Custom(name.to_owned())).await;
    admin.caught_up().await; // the grant is behind the role in the log
    user
}

async fn principals(world: &World, admin: &Client) -> Vec<Principal> {
    let mut all = vec![Principal { name: "nobody".to_owned(), may: None, who: Who::Nobody }];
    for role in Role::BUILT_IN {
        let user = world.user(&format!("some-{}", role.as_str()), role.clone()).await;
        let name = format!("the role {}", role.as_str());
        all.push(Principal { name, may: set(role.built_in().unwrap()), who: Who::User(user.id) });
    }
    for permission in permission::ALL {
        let name = format!("only-{}", permission.replace(['.', '_'], "-"));
        let user = holder(world, admin, &name, &[permission]).await;
        all.push(Principal { name, may: set(&[permission]), who: Who::User(user.id) });
    }
    let body = json!({ "username": "robot", "name": "Robot", "kind": "service_account", "roles": ["operator"] });
    assert_eq!(admin.post("/api/v1/users", body).await.status, 201);
    // Asked for more than the owner has: the intersection counts.
    let token = api_token(admin, "robot", &["incidents.read", "users.read"]).await;
    let token = token.json["token"].as_str().unwrap().to_owned();
    all.push(Principal { name: "a scoped token".to_owned(), may: set(&["incidents.read"]), who: Who::ApiToken(token) });

    let gone = world.user("gone", Role::Admin).await;
    let gone = world.happen_to(gone, Event::Disabled(Switched { reason: None })).await;
    all.push(Principal { name: "a disabled admin".to_owned(), may: None, who: Who::User(gone.id) });
    let revoked = api_token(admin, "robot", &["incidents.read"]).await;
    let path = format!("/api/v1/users/robot/tokens/{}", revoked.json["id"].as_str().unwrap());
    assert_eq!(Answer::of(admin.request(Method::DELETE, &path)).await.status, 200);
    let revoked = revoked.json["token"].as_str().unwrap().to_owned();
    all.push(Principal { name: "a revoked token".to_owned(), may: None, who: Who::ApiToken(revoked) });
    admin.caught_up().await;
    all
}

/// A path whose names name nothing, so that nothing is changed by what is allowed.
fn filled(path: &str, operation: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path") {
        let value = match (parameter["schema"]["type"].as_str(), parameter["schema"]["format"].as_str()) {
            (Some("integer"), _) => "1".to_owned(),
            (_, Some("uuid")) => Uuid::new_v4().to_string(),
            _ => "names-nothing".to_owned(),
        };
        path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &value);
    }
    path
}

/// Takes in every operation of the document, whoever adds it: what is expected comes from `x-permission` alone.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_operations_declare_and_nothing_else() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    admin.report("something to see").await;
    let document = server.anonymous().get("/openapi.json").await.json;
    let (mut tried, anonymous) = (BTreeMap::new(), server.anonymous());
    for principal in principals(&world, &admin).await {
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let mut request = principal.client(&server, &anonymous).request(method, &filled(path, operation));
                if operation["requestBody"].is_object() {
                    request = request.json(&json!({}));
                }
                let response = request.send().await.unwrap();
                let (status, about) = (response.status().as_u16(), format!("{}: {id}", principal.name));
                let needed = operation["x-permission"].as_str();
                assert_ne!(status, 500, "{about}");
                match (needed, &principal.may) {
                    // Whoever it is: what is refused here is a request from another site's page.
                    (None, _) => assert!(status != 403 || id == "refresh", "{about} is for everybody"),
                    (Some(_), None) => assert_eq!(status, 401, "{about}"),
                    (Some(needed), Some(may)) if needed == "signed_in" || may.contains(needed) => {
                        assert!(![401, 403].contains(&status), "{about} is {status}");
                    }
                    (Some(needed), Some(_)) => {
                        assert_eq!(status, 403, "{about}");
                        let problem: Value = response.json().await.unwrap();
                        assert_eq!((&problem["code"], &problem["missing"]), (&json!("forbidden"), &json!(needed)));
                        assert!(problem["decision_id"].as_str().unwrap().parse::<Uuid>().is_ok(), "{about}");
                    }
                }
                *tried.entry(status).or_insert(0) += 1;
            }
        }
    }
    assert!(tried[&401] > 50 && tried[&403] > 50 && tried[&200] > 50, "{tried:?}");
}

/// The same of the stream, its twin, its search, single events and exports: what is expected comes from the event
/// types alone.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_the_events_whose_types_declare_it_and_no_others() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let incident = admin.report("something to see").await;
    let assign = format!("/api/v1/incidents/{}/assign", incident["key"].as_str().unwrap());
    assert_eq!(admin.post(&assign, json!({ "assignee": "ada" })).await.status, 200);
    assert_eq!(admin.post("/api/v1/system/streams/enable", json!({ "reason": "test" })).await.status, 200);
    let mut principals = principals(&world, &admin).await;
    // Whoever takes events home needs a permission for that beside what lets them see any.
    for permission in permission::ALL.iter().copied().filter(|one| *one != permission::EVENTS_EXPORT) {
        let (name, both) = (format!("exports-{}", permission.replace(['.', '_'], "-")), [permission, "events.export"]);
        let user = holder(&world, &admin, &name, &both).await;
        principals.push(Principal { name, may: set(&both), who: Who::User(user.id) });
    }
    admin.caught_up().await;
    let head: i64 = world.value("select seq from log_head").await;
    let all = admin.get("/api/v1/events?limit=1000").await.json["items"].clone();
    let all: Vec<&Value> = all.as_array().unwrap().iter().filter(|event| event["seq"].as_i64() <= Some(head)).collect();
    assert_eq!(all.len() as i64, head, "an admin sees everything");
    let types = admin.get("/api/v1/event-types").await.json;
    let declared: BTreeMap<&str, &Value> = types["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| (kind["name"].as_str().unwrap(), &kind["permissions"]))
        .collect();
    for event in &all {
        assert_eq!(&event["permissions"], declared[event["type"].as_str().unwrap()], "{event}");
    }
    let anonymous = server.anonymous();
    for principal in principals {
        let client = principal.client(&server, &anonymous);
        let Some(may) = &principal.may else {
            assert_eq!(client.stream("", Some(0)).await.status, 401, "{}", principal.name);
            for path in ["/api/v1/events", "/api/v1/events/search", "/api/v1/events/export"] {
                client.get(path).await.is_problem(401, "unauthorized");
            }
            continue;
        };
        let visible = |event: &Value| {
            let any = event["permissions"].as_array().unwrap();
            any.is_empty() || any.iter().any(|one| may.contains(one.as_str().unwrap()))
        };
        let expected: Vec<i64> =
            all.iter().filter(|event| visible(event)).map(|event| event["seq"].as_i64().unwrap()).collect();
        let frames = client.stream("", Some(0)).await.until("ready").await;
        let events = frames.iter().filter(|frame| frame.data["version"].is_i64());
        let replayed = events.map(|frame| frame.data["seq"].as_i64().unwrap()).collect();
        let within = |seen: Vec<i64>| -> Vec<i64> { seen.into_iter().filter(|seq| *seq <= head).collect() };
        assert_eq!(within(replayed), expected, "replay to {}", principal.name);
        let page = client.get("/api/v1/events?limit=1000").await.json;
        let polled = page["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()).collect();
        assert_eq!(within(polled), expected, "poll by {}", principal.name);
        let page = client.get(&format!("/api/v1/events/search?limit=1000&to_seq={head}")).await.json;
        let mut found: Vec<i64> =
            page["items"].as_array().unwrap().iter().map(|one| one["seq"].as_i64().unwrap()).collect();
        found.reverse();
        assert_eq!(found, expected, "search by {}", principal.name);
        let export = client.get(&format!("/api/v1/events/export?to_seq={head}")).await;
        if may.contains(permission::EVENTS_EXPORT) {
            let lines = export.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let exported: Vec<i64> = lines.map(|line| line["event"]["seq"].as_i64().unwrap()).collect();
            assert_eq!(exported, expected, "export by {}", principal.name);
        } else {
            export.is_problem(403, "forbidden");
        }
        for event in &all {
            let seq = event["seq"].as_i64().unwrap();
            let status = client.get(&format!("/api/v1/events/{seq}")).await.status;
            assert_eq!(status == 200, expected.contains(&seq), "{} and event {seq}: {status}", principal.name);
        }
    }
}

#[tokio::test]
async fn a_refusal_names_what_is_missing_and_floods_nothing() {
    let world = world().await;
    let server = world.serve().await;
    let vera = signed_in(&server, world.user("vera", Role::Viewer).await.id);
    let first = vera.post("/api/v1/incidents", json!({ "title": "x" })).await;
    first.is_problem(403, "forbidden");
    assert_eq!(first.json["missing"], "incidents.write");
    for n in 0..50 {
        let again = vera.post(&format!("/api/v1/incidents/{n}/comments"), json!({ "text": "x" })).await;
        assert_eq!((again.status.as_u16(), &again.json["decision_id"]), (403, &first.json["decision_id"]));
    }
    let other = vera.get("/api/v1/users").await;
    assert_eq!((other.status.as_u16(), &other.json["missing"]), (403, &json!("users.read")));
    assert_ne!(other.json["decision_id"], first.json["decision_id"]);

    let admin = server.admin().await;
    let denied = admin.stream("?types=access.denied", Some(0)).await.until("access.denied").await.pop().unwrap();
    assert_eq!(denied.data["data"]["decision_id"], first.json["decision_id"]);
    assert_eq!(denied.data["data"]["operation"], "POST /api/v1/incidents");
    assert_eq!(denied.data["actor"]["name"], "vera");
    let denials: i64 = world.value("select count(*) from events where type = 'access.denied'").await;
    assert!((1..=2).contains(&denials), "52 refusals are 2 decisions, not {denials} events");
}

#[tokio::test]
async fn one_can_ask_whether_one_may_and_why() {
    let world = world().await;
    let server = world.serve().await;
    let otto = world.user("otto", Role::Operator).await;
    let client = signed_in(&server, otto.id);
    let may = client.get("/api/v1/me/can?action=incidents.write").await.json;
    assert_eq!((&may["allowed"], &may["roles"]), (&json!(true), &json!(["operator"])));
    let may_not = client.get("/api/v1/me/can?action=users.write").await.json;
    assert_eq!((&may_not["allowed"], &may_not["missing"]), (&json!(false), &json!("users.write")));
    client.get("/api/v1/me/can?action=everything").await.is_problem(400, "unknown_permission");
    let admin = server.admin().await;
    let token = api_token(&admin, "otto", &["incidents.read"]).await;
    let token = server.anonymous().with_token(token.json["token"].as_str().unwrap());
    let scoped = token.get("/api/v1/me/can?action=incidents.write").await.json;
    assert_eq!((&scoped["allowed"], &scoped["roles"]), (&json!(false), &json!(["operator"])));
}

/// A part of a token as it is sent.
pub fn part(json: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

fn by_hmac(algorithm: hmac::Algorithm, key: &[u8], header: &str, claims: &str) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(algorithm, key), text.as_bytes());
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Claims of a good token, changed by `change`; a null takes a claim away.
pub fn changed(good: &Value, change: &Value) -> String {
    let mut claims = good.clone();
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
    }
    claims.to_string()
}

#[tokio::test]
async fn no_forged_access_token_is_good() {
    let world = world().await;
    let server = world.serve().await;
    server.admin().await;
    let key: String = world.value("select encode(value, 'hex') from secrets where name = 'access-token'").await;
    let key: Vec<u8> = (0..key.len()).step_by(2).map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap()).collect();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let good = json!({ "iss": "signalbox", "aud": "signalbox", "sub": Uuid::from_u128(1), "sid": Uuid::now_v7(),
        "iat": now, "nbf": now, "exp": now + 600 });
    let claims = good.to_string();
    let plain = r#"{"alg":"HS256","typ":"JWT"}"#;
    let ours = |header: &str, claims: &str| by_hmac(hmac::HMAC_SHA256, &key, header, claims);
    let theirs = |header: &str| by_hmac(hmac::HMAC_SHA256, b"guessed", header, &claims);
    let token = ours(plain, &claims);
    let me = |token: String| {
        let client = server.anonymous().with_token(&token);
        async move { client.get("/api/v1/me").await }
    };
    assert_eq!(me(token.clone()).await.status, 200, "what is forged below is otherwise good");

    let mut forged: Vec<(String, String)> = Vec::new();
    for none in ["none", "None", "NONE", "nOnE"] {
        forged.push((none.to_owned(), format!("{}.{}.", part(&json!({ "alg": none }).to_string()), part(&claims))));
    }
    for (name, header) in [
        ("an empty header", "{}"),
        ("no JSON", "alg"),
        ("RS256", r#"{"alg":"RS256"}"#),
        ("EdDSA", r#"{"alg":"EdDSA"}"#),
        ("ES256", r#"{"alg":"ES256"}"#),
        ("HS384", r#"{"alg":"HS384"}"#),
        ("HS512", r#"{"alg":"HS512"}"#),
        ("an algorithm that is a list", r#"{"alg":["HS256"]}"#),
        ("two algorithms", r#"{"alg":"HS256","alg":"none"}"#),
    ] {
        forged.push((name.to_owned(), ours(header, &claims)));
    }
    forged.push(("HS384 all through".to_owned(), by_hmac(hmac::HMAC_SHA384, &key, r#"{"alg":"HS384"}"#, &claims)));
    forged.push(("HS512 all through".to_owned(), by_hmac(hmac::HMAC_SHA512, &key, r#"{"alg":"HS512"}"#, &claims)));
    forged.push(("an empty key".to_owned(), by_hmac(hmac::HMAC_SHA256, b"", plain, &claims)));
    for header in [
        json!({ "alg": "HS256", "kid": "../../../../dev/null" }),
        json!({ "alg": "HS256", "kid": "' union select 'x" }),
        json!({ "alg": "HS256", "kid": "access-token" }),
        json!({ "alg": "HS256", "jku": "http://127.0.0.1:1/keys" }),
        json!({ "alg": "HS256", "x5u": "http://127.0.0.1:1/keys" }),
        json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "Z3Vlc3NlZA" } }),
        json!({ "alg": "HS256", "crit": ["exp"] }),
    ] {
        forged.push((header.to_string(), theirs(&header.to_string())));
    }
    for change in [
        json!({ "iss": "somebody" }),
        json!({ "iss": null }),
        json!({ "aud": "somebody" }),
        json!({ "aud": null }),
        json!({ "aud": [] }),
        json!({ "exp": null }),
        json!({ "exp": now - 60 }),
        json!({ "exp": (now + 600).to_string() }),
        json!({ "exp": -1 }),
        json!({ "exp": 1e300 }),
        json!({ "exp": true }),
        json!({ "nbf": now + 60 }),
        json!({ "nbf": null }),
        json!({ "nbf": "0" }),
        json!({ "sub": null }),
        json!({ "sub": "admin" }),
        json!({ "sub": Uuid::now_v7() }),
        json!({ "sub": 1 }),
        json!({ "sid": null }),
        json!({ "sid": "x" }),
        json!({ "iat": null }),
        json!({ "padding": "x".repeat(4_096) }),
    ] {
        forged.push((change.to_string().chars().take(80).collect(), ours(plain, &changed(&good, &change))));
    }
    for (name, value) in [("sub", json!(Uuid::from_u128(2))), ("exp", json!(now + 700)), ("aud", json!("signalbox"))] {
        let twice = claims.replacen('{', &format!("{{\"{name}\":{value},"), 1);
        forged.push((format!("{name} twice"), ours(plain, &twice)));
    }
    let parts: Vec<&str> = token.split('.').collect();
    for (name, text) in [
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{token}.x")),
        ("five parts", format!("{token}.x.y")),
        ("padding", format!("{token}=")),
        (
            "another's signature",
            format!("{}.{}.{}", parts[0], part(&changed(&good, &json!({ "exp": now + 601 }))), parts[2]),
        ),
        ("a longer signature", format!("{token}AA")),
        ("a shorter one", token[..token.len() - 2].to_owned()),
        ("claims that are a list", ours(plain, "[]")),
        ("nothing", ".".repeat(2)),
        ("an API token", "sbx_".to_owned()),
        ("an API token of nobody", format!("sbx_{}_secret", Uuid::now_v7().simple())),
    ] {
        forged.push((name.to_owned(), text));
    }
    assert!(forged.len() >= 60);
    for (name, token) in forged {
        let refused = me(token).await;
        refused.is_problem(401, "unauthorized");
        let details = [
            "the access token is not valid",
            "the access token has expired",
            "the API token is not valid",
            "this user may not sign in",
        ];
        assert!(details.contains(&refused.json["detail"].as_str().unwrap()), "{name}: {}", refused.text);
    }
}
