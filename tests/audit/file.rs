//! What is in the files.

use std::io::Write as _;
use std::process::{Command as Program, Stdio};

use serde_json::{Value, json};
use signalbox::log::Cause;
use uuid::Uuid;

use super::{EXPORT, auditor, happen, lines};
use crate::harness::{python, world};

const PROOFS: &str = include_str!("../../openapi/proofs.md");

/// What a program in Python writes when it reads this.
async fn through(program: String, input: Vec<u8>) -> String {
    let run = move || {
        let mut python = Program::new(python::programs().join("python"))
            .args(["-c", &program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = python.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
        let output = String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap();
        writer.join().unwrap();
        output
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Python's csv module reads the file, and takes off what protects spreadsheets.
const READ_CSV: &str = "
import csv, io, json, sys
text = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8', newline='')
plain = lambda field: field[1:] if field.startswith(\"'\") else field
rows = csv.reader(text, strict=True)
names = next(rows)
for row in rows:
    assert len(row) == len(names), row
    assert not row or row[0][:1] not in '=+-@', row
    assert not any(field[:1] in tuple('=+-@\\t\\r\\n') and field for field in row), row
    print(json.dumps(dict(zip(names, map(plain, row)))))
";

#[tokio::test(flavor = "multi_thread")]
async fn csv_read_by_another_program_says_what_ndjson_says_and_starts_no_formula() {
    let world = world().await;
    let server = world.serve().await;
    for (n, odd) in
        ["=1+1", "+1", "-1", "@SUM(A1)", "'quoted'", "\ttab", "a,b\";\"c", "Größe 🚒 \u{2028}"].iter().enumerate()
    {
        let cause = Cause {
            actor_name: (*odd).to_owned(),
            session_id: Some(format!("={n}")),
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()).filter(|_| n % 2 == 0),
            causation_id: Some(Uuid::now_v7()).filter(|_| n % 3 == 0),
            ..Cause::system("test")
        };
        let permissions: &[&str] = [&["incidents.read", "logs.read"][..], &[]][n % 2];
        happen(&world, cause, &format!("={odd}"), &format!("{odd}\r\nsecond line, {odd}"), permissions).await;
    }
    let auditor = auditor(&world, &server).await;
    let upto: i64 = world.value("select seq from log_head").await;
    let csv = auditor.get(&format!("{EXPORT}?format=csv&to_seq={upto}")).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(csv.header("content-disposition").ends_with(".csv\""));
    let ndjson = auditor.get(&format!("{EXPORT}?to_seq={upto}")).await;
    let rows = lines(&through(READ_CSV.to_owned(), csv.text.into_bytes()).await);
    let proven = lines(&ndjson.text);
    assert_eq!((rows.len(), proven.len() as i64), (proven.len(), upto), "the auditor sees all of this log");
    for (row, line) in rows.iter().zip(&proven) {
        let (event, text) = (&line["event"], |name: &str| row[name].as_str().unwrap().to_owned());
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for name in ["seq", "id", "stream", "version", "type", "correlation_id", "occurred_at", "recorded_at"] {
            assert_eq!(text(name), plain(&event[name]), "{name} of {event}");
        }
        for name in ["session_id", "causation_id", "trace_id"] {
            assert_eq!(text(name), event[name].as_str().unwrap_or_default(), "{name} of {event}");
        }
        let permissions: Vec<&str> = row["permissions"].as_str().unwrap().split_whitespace().collect();
        assert_eq!((json!(permissions), text("leaf_hash")), (event["permissions"].clone(), plain(&line["leaf_hash"])));
        assert_eq!(
            (text("actor_id"), text("actor_name")),
            (plain(&event["actor"]["id"]), plain(&event["actor"]["name"]))
        );
        assert_eq!(serde_json::from_str::<Value>(&text("data")).unwrap(), event["data"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_an_export_can_be_proven_with_the_program_in_proofs_md() {
    let world = world().await;
    let server = world.serve().await;
    let auditor = auditor(&world, &server).await;
    let admin = server.admin().await;
    for title in ["Größe \u{1F6A8}", "\"quoted\" \u{2028}"] {
        admin.report(title).await;
    }
    let export = auditor.get(EXPORT).await.text;
    let count = export.lines().count();
    assert!(count > 5, "{export}");
    let program = PROOFS.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    let verdicts = through(program.clone(), export.clone().into_bytes()).await;
    assert_eq!(verdicts.lines().collect::<Vec<_>>(), vec!["True"; count]);
    let forged = export.replace("quoted", "forged");
    assert!(through(program, forged.into_bytes()).await.contains("False"));
}
