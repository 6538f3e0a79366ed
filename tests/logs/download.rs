//! Lines as files: what went in comes out, byte for byte.

use serde_json::{Value, json};

use super::{LOGS, send_raw, sent};
use crate::harness::{Client, world};

/// Bytes of a body of plain text: under the limit of 256 KiB and of 2,000 lines.
const PIECE_BYTES: usize = 200 << 10;

/// Sends a file as it is, in pieces that end with a line.
async fn send_file(client: &Client, source: &str, file: &[u8]) -> usize {
    let (mut lines, mut piece) = (0, Vec::new());
    let mut all = file.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(line) = all.next() {
        piece.extend_from_slice(line);
        lines += 1;
        if piece.len() + all.peek().map_or(PIECE_BYTES, |next| next.len()) > PIECE_BYTES || lines % 1_999 == 0 {
            let answer = send_raw(client, &format!("?source={source}"), "text/plain", &piece).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            piece.clear();
        }
    }
    assert!(piece.is_empty());
    lines
}

/// Downloads what a source wrote, in both forms, and compares it with the file.
async fn comes_back(client: &Client, source: &str, file: &[u8], lines: usize) {
    let text = client.get(&format!("{LOGS}/download?source={source}&format=text")).await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let whole = if file.ends_with(b"\n") { file.to_vec() } else { [file, b"\n"].concat() };
    assert!(text.text.as_bytes() == whole, "{source} as text: {} bytes, not {}", text.text.len(), whole.len());

    let ndjson = client.get(&format!("{LOGS}/download?source={source}")).await;
    assert_eq!(ndjson.header("content-type"), "application/x-ndjson");
    let found: Vec<Value> = ndjson.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), lines);
    let messages: String = found.iter().map(|line| line["message"].as_str().unwrap().to_owned() + "\n").collect();
    assert!(messages.as_bytes() == whole, "{source} as NDJSON");
}

/// With `SIGNALBOX_LOG_FILES`, every `*.log` of that folder as well.
#[tokio::test(flavor = "multi_thread")]
async fn files_come_back_byte_for_byte() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let odd =
        "Ünïcode 🚒 \u{2028}\u{feff} tab\t esc\u{1b}[2J bell\u{7} del\u{7f} bs\u{8}\\u0000 \"quoted\" {\"json\":1}";
    let made: String = (0..3_000).map(|n| format!("{n} {odd}{}\r\n", "x".repeat(n % 90))).collect();
    let mut files = vec![
        ("made-up".to_owned(), (made + "\n\n\r\n   \nlast, without an end").into_bytes()),
        ("longest".to_owned(), "x".repeat(16_384).into_bytes()),
    ];
    if let Ok(folder) = std::env::var("SIGNALBOX_LOG_FILES") {
        for entry in std::fs::read_dir(folder)
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "log"))
        {
            files.push((entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()));
        }
    }
    for (source, file) in &files {
        let lines = send_file(&admin, source, file).await;
        comes_back(&admin, source, file, lines).await;
    }
}

#[tokio::test]
async fn fields_and_odd_characters_of_a_line_come_back_on_every_door() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let mut tail = admin.stream("?types=log.added", None).await;
    tail.until("ready").await;
    let message = "a\r\nid: 7\n\ndata: {}\n\u{1b}]0;x\u{7}\u{2029}";
    let fields = json!({ "ünï": [1, 2.5, null, { "deep": true }], "e": 1e300, "long": 9_007_199_254_740_991_i64 });
    sent(&admin, json!({ "source": "odd", "lines": [{ "message": message, "fields": fields }] })).await;
    let told = tail.event().await.data["data"]["lines"][0].clone();
    let listed = admin.get(LOGS).await.json["items"][0].clone();
    let downloaded: Value = serde_json::from_str(&admin.get(&format!("{LOGS}/download")).await.text).unwrap();
    for line in [told, listed, downloaded] {
        assert_eq!((&line["message"], &line["fields"]), (&json!(message), &fields));
    }
}

#[tokio::test]
async fn a_download_holds_what_was_recorded_before_it_and_keeps_to_its_filter() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let line =
        |n: usize| json!({ "level": if n.is_multiple_of(3) { "error" } else { "info" }, "message": format!("{n}") });
    let lines: Vec<Value> = (0..1_400).map(line).collect();
    let seq = sent(&admin, json!({ "source": "a", "lines": lines })).await;
    sent(&admin, json!({ "source": "b", "lines": [line(3)] })).await;
    let answer = admin.get(&format!("{LOGS}/download?format=text&source=a&level=error&q=3")).await;
    let expected: String = (0..1_400_usize)
        .filter(|n| n.is_multiple_of(3) && n.to_string().contains('3'))
        .map(|n| format!("{n}\n"))
        .collect();
    assert_eq!(
        (answer.text.as_str(), answer.header("signalbox-seq")),
        (expected.as_str(), (seq + 1).to_string().as_str())
    );
    assert_eq!(admin.get(&format!("{LOGS}/download?q=nothing")).await.text, "");
}
