//! Users from elsewhere: an issuer that publishes its keys, changes them, is down, and is impersonated.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding};
use aws_lc_rs::{hmac, signature};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use signalbox::projections::rebuild::compare;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::access::{changed, part};
use crate::harness::{Answer, Running, World, world};

const ISSUER: &str = "https://issuer.example";
const ME: &str = "/api/v1/me";

/// A key of the issuer, or of somebody who would like to be.
enum Key {
    Rsa(Box<RsaKey>),
    Ed(Ed25519KeyPair),
}

impl Key {
    fn rsa() -> Key {
        Key::Rsa(Box::new(RsaKey::generate(KeySize::Rsa2048).unwrap()))
    }

    fn ed() -> Key {
        Key::Ed(Ed25519KeyPair::generate().unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Key::Rsa(_) => "RS256",
            Key::Ed(_) => "EdDSA",
        }
    }

    fn public(&self) -> &[u8] {
        match self {
            Key::Rsa(key) => key.public_key().as_ref(),
            Key::Ed(key) => key.public_key().as_ref(),
        }
    }

    /// As it is published.
    fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            // RFC 8017, A.1.1: a sequence of two integers; the first has 256 bytes behind a zero.
            Key::Rsa(_) => {
                json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": text(&self.public()[9..265]), "e": "AQAB" })
            }
            Key::Ed(_) => json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(self.public()) }),
        }
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_by(&RSA_PKCS1_SHA256, header, claims)
    }

    fn sign_by(&self, encoding: &'static dyn RsaEncoding, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
                signature
            }
            Key::Ed(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// A good token of these claims.
    fn token(&self, kid: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "kid": kid }).to_string(), &claims.to_string())
    }
}

/// Publishes keys on a real socket, and counts how often it is asked.
struct Issuer {
    url: String,
    /// Status line and body.
    answer: Arc<Mutex<(&'static str, String)>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(("200 OK", String::new())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (answers, count) = (answer.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut head, mut piece) = (Vec::new(), [0; 1_024]);
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    match stream.read(&mut piece).await {
                        Ok(length @ 1..) => head.extend_from_slice(&piece[..length]),
                        _ => break,
                    }
                }
                count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = answers.lock().unwrap().clone();
                let length = body.len();
                let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
                let _ = stream.write_all(text.as_bytes()).await; // whoever has left needs no answer
            }
        });
        Issuer { url, answer, asked }
    }

    fn publish(&self, keys: &[Value]) {
        *self.answer.lock().unwrap() = ("200 OK", json!({ "keys": keys }).to_string());
    }

    fn say(&self, status: &'static str, body: String) {
        *self.answer.lock().unwrap() = (status, body);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn serve(&self, world: &World, cache_s: u32, refetch_s: u32) -> Running {
        let settings = [
            format!("--jwks-url={}", self.url),
            format!("--jwks-issuer={ISSUER}"),
            "--jwks-audience=signalbox-panel".to_owned(),
            "--jwks-roles=ops=operator, board=viewer,root=admin".to_owned(),
            format!("--jwks-cache-s={cache_s}"),
            format!("--jwks-refetch-s={refetch_s}"),
        ];
        world.serve_with(&settings.each_ref().map(String::as_str)).await
    }
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn claims(subject: &str, more: &Value) -> Value {
    let mut claims =
        json!({ "iss": ISSUER, "aud": "signalbox-panel", "sub": subject, "iat": now(), "exp": now() + 600 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

async fn me(server: &Running, token: &str) -> Answer {
    server.anonymous().with_token(token).get(ME).await
}

async fn events_of(world: &World, kind: &str) -> i64 {
    world.value(&format!("select count(*) from events where type = '{kind}' and actor = 'system:identity'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_from_elsewhere_is_made_at_first_sight_and_once() {
    let (world, issuer) = (world().await, Issuer::start().await);
    let (rsa, ed) = (Key::rsa(), Key::ed());
    issuer.publish(&[json!({ "kty": "EC", "kid": "other" }), rsa.jwk("r"), ed.jwk("e")]);
    let servers = [issuer.serve(&world, 300, 10).await, issuer.serve(&world, 300, 10).await];
    let mona =
        claims("1|mona", &json!({ "preferred_username": "Mona", "name": "Mona M.", "roles": ["ops", "unknown"] }));
    let token = rsa.token("r", &mona);
    let mut together = JoinSet::new();
    for n in 0..16 {
        let client = servers[n % 2].anonymous().with_token(&token);
        together.spawn(async move { client.get(ME).await });
    }
    for answer in together.join_all().await {
        assert_eq!((answer.status.as_u16(), &answer.json["username"]), (200, &json!("mona")), "{}", answer.text);
        assert_eq!((&answer.json["roles"], &answer.json["name"]), (&json!(["operator"]), &json!("Mona M.")));
    }
    assert_eq!(events_of(&world, "user.created").await, 1);
    assert!(issuer.asked() <= 2, "one process asks once, however many wait");
    let client = servers[1].anonymous().with_token(&token);
    assert_eq!(client.post("/api/v1/incidents", json!({ "title": "by Mona" })).await.status, 201);
    let seen = client.replay("").await;
    assert_eq!(seen.iter().filter(|frame| frame.event == "incident.created").count(), 1);

    // The other algorithm; a name that somebody has; a name that is none; and no roles at all.
    for (subject, name, starts) in [("2", "admin", "admin-"), ("3", "Ümläut", "external-"), ("4", "", "external-")] {
        let token = ed.token("e", &claims(subject, &json!({ "preferred_username": name, "roles": "nothing" })));
        let answer = me(&servers[0], &token).await;
        assert!(answer.json["username"].as_str().unwrap().starts_with(starts), "{}", answer.text);
        assert_eq!(answer.json["permissions"], json!([]));
    }
    assert_eq!(compare(&world.database).await.unwrap().1, []);
}

#[tokio::test]
async fn a_user_is_linked_by_an_address_that_the_issuer_has_verified_and_keeps_their_roles() {
    let (world, issuer) = (world().await, Issuer::start().await);
    let key = Key::ed();
    issuer.publish(&[key.jwk("e")]);
    let server = issuer.serve(&world, 300, 10).await;
    let admin = server.admin().await;
    let olga = json!({ "username": "olga", "name": "Olga", "email": "olga@example.org", "roles": ["auditor"] });
    assert_eq!(admin.post("/api/v1/users", olga).await.status, 201);
    let unverified = json!({ "email": "olga@example.org", "roles": ["root"] });
    let stranger = me(&server, &key.token("e", &claims("stranger", &unverified))).await;
    assert!(stranger.json["username"].as_str().unwrap().starts_with("external-"), "{}", stranger.text);
    let as_text = json!({ "email": "olga@example.org", "email_verified": "true" });
    assert_ne!(me(&server, &key.token("e", &claims("another", &as_text))).await.json["username"], "olga");
    let verified = json!({ "email": "OLGA@example.org", "email_verified": true, "roles": ["root"] });
    for _ in 0..2 {
        let linked = me(&server, &key.token("e", &claims("olga-elsewhere", &verified))).await;
        assert_eq!((&linked.json["username"], &linked.json["roles"]), (&json!("olga"), &json!(["auditor"])));
    }
    assert_eq!(events_of(&world, "user.linked").await, 1);
    // Linked once: another subject with the same address is somebody else.
    let second = me(&server, &key.token("e", &claims("second", &verified))).await;
    assert_ne!(second.json["username"], "olga");
    assert_eq!(compare(&world.database).await.unwrap().1, []);
}

#[tokio::test]
async fn roles_follow_the_newest_token_and_no_older_one() {
    let (world, issuer) = (world().await, Issuer::start().await);
    let key = Key::rsa();
    issuer.publish(&[key.jwk("r")]);
    let server = issuer.serve(&world, 300, 10).await;
    let admin = server.admin().await;
    let token =
        |roles: Value, age_s: i64| key.token("r", &claims("m", &json!({ "roles": roles, "iat": now() - age_s })));
    let (oldest, older, newest) = (token(json!(["ops"]), 20), token(json!("board"), 10), token(json!(["root"]), 0));
    for (token, roles) in
        [(&oldest, "operator"), (&older, "viewer"), (&oldest, "viewer"), (&newest, "admin"), (&older, "admin")]
    {
        assert_eq!(me(&server, token).await.json["roles"], json!([roles]));
    }
    assert_eq!(events_of(&world, "user.roles.changed").await, 2);
    // Disabled here, whatever the issuer says.
    let name = me(&server, &newest).await.json["username"].as_str().unwrap().to_owned();
    assert_eq!(admin.post(&format!("/api/v1/users/{name}/disable"), json!({})).await.status, 200);
    admin.caught_up().await;
    me(&server, &newest).await.is_problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_without_a_restart_and_are_asked_for_no_more_often_than_allowed() {
    let (world, issuer) = (world().await, Issuer::start().await);
    let (old, new) = (Key::rsa(), Key::ed());
    issuer.publish(&[old.jwk("2026-1")]);
    let (eager, patient) = (issuer.serve(&world, 300, 0).await, issuer.serve(&world, 300, 3_600).await);
    let (by_old, by_new) =
        (old.token("2026-1", &claims("m", &json!({}))), new.token("2026-2", &claims("m", &json!({}))));
    for server in [&eager, &patient] {
        assert_eq!(me(server, &by_old).await.status, 200);
        me(server, &by_new).await.is_problem(401, "unauthorized");
    }
    issuer.publish(&[old.jwk("2026-1"), new.jwk("2026-2")]);
    for token in [&by_new, &by_old] {
        assert_eq!(me(&eager, token).await.status, 200, "a key that is not known is asked for");
    }
    let before = issuer.asked();
    let mut together = JoinSet::new();
    for n in 0..50 {
        let client = patient.anonymous().with_token(&new.token(&format!("made-up-{n}"), &claims("m", &json!({}))));
        together.spawn(async move { client.get(ME).await.status.as_u16() });
    }
    assert_eq!(together.join_all().await, vec![401; 50]);
    assert_eq!(issuer.asked(), before, "asked for the first token, and not again within the hour");
    assert_eq!(me(&eager, &by_old).await.status, 200);
    assert_eq!(issuer.asked(), before, "a key that is known is not asked for");

    // A key that was taken back; an issuer that is down.
    let forgetful = issuer.serve(&world, 0, 0).await;
    assert_eq!(me(&forgetful, &by_old).await.status, 200);
    issuer.publish(&[new.jwk("2026-2")]);
    me(&forgetful, &by_old).await.is_problem(401, "unauthorized");
    for (status, body) in [
        ("500 Internal Server Error", "{}".to_owned()),
        ("200 OK", "nonsense".to_owned()),
        ("302 Found", String::new()),
    ] {
        issuer.say(status, body);
        assert_eq!(me(&forgetful, &by_new).await.status, 200, "its last keys go on: {status}");
        me(&forgetful, &by_old).await.is_problem(401, "unauthorized");
    }
    let late = issuer.serve(&world, 300, 0).await;
    me(&late, &by_new).await.is_problem(503, "issuer_unavailable");
    issuer.say("200 OK", json!({ "keys": [new.jwk("2026-2")], "padding": "x".repeat(200 << 10) }).to_string());
    me(&late, &by_new).await.is_problem(503, "issuer_unavailable");
    assert_eq!(late.admin().await.get(ME).await.status, 200, "our own sign-in needs no issuer");
    issuer.publish(&[new.jwk("2026-2")]);
    assert_eq!(me(&late, &by_new).await.status, 200);
}

#[tokio::test]
async fn no_forged_token_of_the_issuer_is_good() {
    let (world, issuer, theirs) = (world().await, Issuer::start().await, Issuer::start().await);
    let (rsa, ed, attacker) = (Key::rsa(), Key::ed(), Key::rsa());
    let weak = Key::Rsa(Box::new(RsaKey::generate(KeySize::Rsa2048).unwrap()));
    let mut short = weak.jwk("short");
    short["n"] = json!(BASE64_URL_SAFE_NO_PAD.encode(&weak.public()[9..137]));
    let mut encrypts = attacker.jwk("encrypts");
    encrypts["use"] = json!("enc");
    issuer.publish(&[rsa.jwk("r"), ed.jwk("e"), short, encrypts, json!({ "kty": "oct", "kid": "o", "k": "c2VjcmV0" })]);
    theirs.publish(&[attacker.jwk("r"), attacker.jwk("theirs")]);
    let server = issuer.serve(&world, 300, 0).await;
    let good = claims("m", &json!({ "roles": ["root"] }));
    let text = good.to_string();
    assert_eq!(me(&server, &rsa.token("r", &good)).await.status, 200, "what is forged below is otherwise good");
    assert_eq!(me(&server, &ed.token("e", &good)).await.status, 200);
    assert_eq!(
        me(&server, &rsa.token("r", &claims("m", &json!({ "aud": ["else", "signalbox-panel"] })))).await.status,
        200
    );

    let mut forged: BTreeMap<String, String> = BTreeMap::new();
    let mut forge = |name: String, token: String| assert!(forged.insert(name.clone(), token).is_none(), "{name} twice");
    for (name, secret) in
        [("the public key", rsa.public()), ("the modulus", &rsa.public()[9..265]), ("the other key", ed.public())]
    {
        for (algorithm, digest) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let signed = format!("{}.{}", part(&json!({ "alg": algorithm, "kid": "r" }).to_string()), part(&text));
            let tag = hmac::sign(&hmac::Key::new(digest, secret), signed.as_bytes());
            forge(format!("{algorithm} with {name}"), format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)));
        }
    }
    for algorithm in ["none", "None", "RS256", "EdDSA"] {
        let header = json!({ "alg": algorithm, "kid": "r" }).to_string();
        forge(format!("{algorithm} without a signature"), format!("{}.{}.", part(&header), part(&text)));
    }
    for header in [
        json!({ "alg": "RS256" }),
        json!({ "alg": "RS256", "kid": "unknown" }),
        json!({ "alg": "RS256", "kid": "e" }),
        json!({ "alg": "RS256", "kid": "" }),
        json!({ "alg": "RS256", "kid": ["r"] }),
        json!({ "alg": "RS256", "kid": "../r" }),
        json!({ "alg": "EdDSA", "kid": "r" }),
        json!({ "alg": "RS384", "kid": "r" }),
        json!({ "alg": "PS256", "kid": "r" }),
        json!({ "alg": "ES256", "kid": "r" }),
        json!({ "alg": "rs256", "kid": "r" }),
        json!({ "kid": "r" }),
        json!({ "alg": "RS256", "kid": "r", "crit": ["exp"] }),
        json!({ "alg": "RS256", "kid": "o" }),
        json!({ "alg": "RS256", "kid": "short" }),
    ] {
        forge(header.to_string(), rsa.sign(&header.to_string(), &text));
    }
    for header in [
        json!({ "alg": "RS256", "kid": "r" }),
        json!({ "alg": "RS256", "kid": "theirs", "jku": theirs.url }),
        json!({ "alg": "RS256", "kid": "r", "jku": theirs.url }),
        json!({ "alg": "RS256", "kid": "r", "x5u": theirs.url }),
        json!({ "alg": "RS256", "kid": "r", "jwk": attacker.jwk("r") }),
        json!({ "alg": "RS256", "kid": "encrypts" }),
        json!({ "alg": "RS256", "kid": "r", "x5c": [BASE64_URL_SAFE_NO_PAD.encode(attacker.public())] }),
    ] {
        forge(format!("the attacker's {header}"), attacker.sign(&header.to_string(), &text));
    }
    let header = json!({ "alg": "RS256", "kid": "r" }).to_string();
    for change in [
        json!({ "iss": "https://elsewhere.example" }),
        json!({ "iss": null }),
        json!({ "iss": format!("{ISSUER}/") }),
        json!({ "aud": "another" }),
        json!({ "aud": null }),
        json!({ "aud": [] }),
        json!({ "exp": now() - 40 }),
        json!({ "exp": null }),
        json!({ "exp": (now() + 600).to_string() }),
        json!({ "exp": 1e300 }),
        json!({ "exp": -1 }),
        json!({ "nbf": now() + 60 }),
        json!({ "nbf": "x" }),
        json!({ "iat": now() + 60 }),
        json!({ "iat": null }),
        json!({ "iat": "x" }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 1 }),
        json!({ "sub": "a\nb" }),
        json!({ "sub": "x".repeat(256) }),
        json!({ "padding": "x".repeat(8_192) }),
    ] {
        forge(change.to_string().chars().take(60).collect(), rsa.sign(&header, &changed(&good, &change)));
    }
    for (name, value) in [("sub", json!("other")), ("roles", json!(["ops"])), ("exp", json!(now() + 900))] {
        let twice = text.replacen('{', &format!("{{\"{name}\":{value},"), 1);
        forge(format!("{name} twice"), rsa.sign(&header, &twice));
    }
    forge("SHA-512 under RS256".to_owned(), rsa.sign_by(&RSA_PKCS1_SHA512, &header, &text));
    forge("PSS under RS256".to_owned(), rsa.sign_by(&signature::RSA_PSS_SHA256, &header, &text));
    assert!(forged.len() >= 55, "{}", forged.len());
    for (name, token) in forged {
        let refused = me(&server, &token).await;
        assert_eq!(refused.status, 401, "{name}: {}", refused.text);
        refused.is_problem(401, "unauthorized");
    }
    assert_eq!(theirs.asked(), 0, "no token says where keys are");
    assert_eq!(events_of(&world, "user.created").await, 1);
    // Without an issuer in the settings nothing of it is good.
    let without = world.serve().await;
    me(&without, &rsa.token("r", &good)).await.is_problem(401, "unauthorized");
}

#[test]
fn keys_come_by_https_unless_from_this_machine() {
    let trust = signalbox::egress::Trust::read(None).unwrap();
    for url in ["http://issuer.example/keys", "ftp://127.0.0.1/keys", "/keys", "http://127.0.0.1.example/keys"] {
        let (cache, refetch) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
        assert!(signalbox::http::identity::Keys::new(url, &trust, cache, refetch).is_err(), "{url}");
    }
}
