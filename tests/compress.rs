//! Answers in gzip say the same as plain ones, in versions that caches and commands can tell apart.

use std::io::Write;
use std::process::{Command, Stdio};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, world};

const INCIDENTS: &str = "/api/v1/incidents";
const GZIP: &[(&str, &str)] = &[("accept-encoding", "gzip")];

/// An answer as it came over the wire.
struct Packed {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Packed {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Unpacked by a program that is not ours.
    fn unpacked(&self) -> Vec<u8> {
        assert_eq!(self.header("content-encoding"), "gzip");
        let mut gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, bytes) = (gzip.stdin.take().unwrap(), self.bytes.clone());
        let writing = std::thread::spawn(move || input.write_all(&bytes));
        let output = gzip.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        assert!(output.status.success(), "gzip takes it for whole");
        output.stdout
    }
}

async fn get(client: &Client, path: &str, headers: &[(&'static str, &str)]) -> Packed {
    let request =
        headers.iter().fold(client.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Packed { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
}

/// An incident whose answer is larger than what is too small to compress.
async fn long(client: &Client) -> Value {
    let body = json!({ "title": "long", "description": "ÄÖÜ all work and no play\n".repeat(100) });
    client.post(INCIDENTS, body).await.json
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_in_gzip_says_the_same_as_the_plain_one() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    for _ in 0..60 {
        long(&admin).await;
    }
    // Up to and beyond what a worker compresses by itself.
    for limit in [1, 20, 60] {
        let path = format!("{INCIDENTS}?limit={limit}");
        let plain = get(&admin, &path, &[]).await;
        let packed = get(&admin, &path, GZIP).await;
        assert!(packed.bytes.len() * 4 < plain.bytes.len(), "{} of {}", packed.bytes.len(), plain.bytes.len());
        assert_eq!(packed.unpacked(), plain.bytes);
        assert_eq!(packed.header("content-length"), packed.bytes.len().to_string());
        for answer in [&plain, &packed] {
            assert_eq!((answer.status, answer.header("vary")), (200, "accept-encoding"));
            assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        }
        assert_eq!(plain.header("content-encoding"), "");
    }
    for path in ["/docs", "/openapi.json"] {
        assert_eq!(get(&admin, path, GZIP).await.unpacked(), get(&admin, path, &[]).await.bytes);
    }
}

#[tokio::test]
async fn only_who_prefers_gzip_gets_it() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let path = format!("{INCIDENTS}/{}", long(&admin).await["id"].as_str().unwrap());
    for (accepted, packed) in [
        ("gzip", true),
        ("GZIP", true),
        ("x-gzip", true),
        ("br, gzip, deflate, zstd", true),
        ("gzip;q=0.001", true),
        ("gzip; q=1.000", true),
        ("gzip ; Q=0.5 , identity;q=0.5", true),
        ("*", true),
        ("*;q=0.5, identity;q=0", true),
        ("identity;q=0, gzip", true),
        ("", false),
        ("identity", false),
        ("gzip;q=0", false),
        ("gzip;q=0.000", false),
        ("*, gzip;q=0", false),
        ("*;q=0", false),
        ("gzip;q=0.5, identity;q=0.6", false),
        ("br, deflate", false),
        ("gzipped", false),
        ("gzip;q=1.001", false),
        ("gzip;q=0.1234", false),
        ("gzip;q=-1", false),
        ("gzip;q=2", false),
        ("gzip;q=", false),
        ("gzip;level=9", false),
    ] {
        let answer = get(&admin, &path, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding") == "gzip", packed, "{accepted}");
    }
    let small = get(&admin, "/api/v1/me", GZIP).await;
    assert_eq!((small.header("content-encoding"), small.header("vary")), ("", "accept-encoding"), "too small");
    assert_eq!(get(&admin, "/livez", GZIP).await.header("vary"), "", "of no type that is ever packed");
}

#[tokio::test]
async fn a_version_is_known_again_in_either_encoding() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let path = format!("{INCIDENTS}/{}", long(&admin).await["id"].as_str().unwrap());
    assert_eq!(get(&admin, &path, &[]).await.header("etag"), "\"1\"");
    assert_eq!(get(&admin, &path, GZIP).await.header("etag"), "\"1-gzip\"", "other bytes have another tag");
    for (accepted, known, status, tag) in [
        ("gzip", "\"1-gzip\"", 304, "\"1-gzip\""),
        ("gzip", "W/\"1-gzip\"", 304, "\"1-gzip\""),
        ("gzip", "\"0-gzip\", \"1\"", 304, "\"1\""),
        ("gzip", "\"0-gzip\"", 200, "\"1-gzip\""),
        ("identity", "\"1\"", 304, "\"1\""),
        ("identity", "\"1-gzip\"", 200, "\"1\""),
    ] {
        let answer = get(&admin, &path, &[("accept-encoding", accepted), ("if-none-match", known)]).await;
        assert_eq!((answer.status, answer.header("etag")), (status, tag), "{accepted}, {known}");
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert!(status != 304 || answer.bytes.is_empty());
    }
    // What was seen in gzip can be changed on.
    for (known, status) in [("\"1-gzip\"", 200), ("\"1-gzip\"", 412), ("\"2\"", 200), ("\"3-gzip\"", 200)] {
        let comment = json!({ "text": "seen" });
        let answer = admin.post_with(&format!("{path}/comments"), comment, &[("if-match", known)]).await;
        assert_eq!(answer.status, status, "{known}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_answer_that_holds_a_token_is_never_packed() {
    let world = world().await;
    let server = world.serve().await;
    let credentials = json!({ "username": "admin", "password": crate::harness::PASSWORD });
    let request = server.anonymous().request(Method::POST, "/api/v1/auth/login").header("accept-encoding", "gzip");
    let granted = Answer::of(request.json(&credentials)).await;
    assert_eq!((granted.status.as_u16(), granted.header("content-encoding")), (200, ""));
}

#[tokio::test]
async fn a_body_that_would_have_to_be_unpacked_is_refused_unread() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    // 100 MiB of zeros in 100 KiB.
    let bomb = tokio::task::spawn_blocking(|| {
        let shell = "head -c 104857600 /dev/zero | gzip -9";
        Command::new("sh").args(["-c", shell]).output().unwrap().stdout
    });
    let bomb = bomb.await.unwrap();
    assert!((1_000..256 << 10).contains(&bomb.len()));
    for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "unheard-of"] {
        let request = admin.request(Method::POST, INCIDENTS).header("content-type", "application/json");
        let refused = Answer::of(request.header("content-encoding", encoding).body(bomb.clone())).await;
        refused.is_problem(415, "unsupported_encoding");
        assert_eq!(refused.header("accept-encoding"), "identity");
    }
    let plain = admin.request(Method::POST, INCIDENTS).header("content-encoding", "identity");
    assert_eq!(Answer::of(plain.json(&json!({ "title": "plain" }))).await.status, 201);
}
