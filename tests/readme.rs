//! The README, done as it says: the program started like that, and its examples typed into one shell, from top to bottom.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Client, Mailbox, PATIENCE, Receiver};
use crate::process::{Home, Program};
use crate::servers::{listen, ssh_greeting};

static README: LazyLock<String> =
    LazyLock::new(|| std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap());

/// How the README has the program started for its examples.
const START: &str = "make run";

/// What stands between a piece's output and the next one's.
const PIECE: &str = "=== piece ";
/// What stands behind each answer.
const ANSWER: &str = "=== answer ";

/// curl in the examples. A stream does not end by itself, and nobody presses Ctrl-C here; each answer's status is told.
const CURL: &str = r#"#!/bin/sh
PATH=${PATH#*:}
case " $* " in *" -N "*) most=3 ;; *) most=60 ;; esac
exec curl --silent --max-time $most --write-out '%{stderr}\n=== answer %{http_code} %{method} %{url}\n' "$@"
"#;

/// What the output of a piece must hold that begins with this comment.
const SAYS: &[(&str, &[&str])] = &[
    ("Who am I", &[r#""username":"admin""#, "incidents.write"]),
    ("Report an incident.", &[r#""title":"Disk full on db-1""#]),
    ("Take a step", &[r#""status":"acknowledged""#]),
    ("An illegal one", &[r#""code":"illegal_transition""#, r#""allowed":["#]),
    ("Follow everything", &["event: user.signed_in", "event: ready", "Disk full on db-1"]),
    ("The same by polling", &[r#""type":"incident.created""#]),
    ("Test it now", &["speaks SSH: SSH-2.0-TestServer", r#""status":"up""#]),
    ("Let it be down", &[r#""status":"maintenance""#, r#""last_24h":"#]),
    ("With it, how busy", &[r#""cpu_avg":12.5"#]),
    ("What it may not do", &[r#""missing":"users.read""#, r#""decision_id":""#]),
    ("May I, and why", &[r#""allowed":true"#, r#""why":"#]),
    ("My sign-ins", &[r#""current":true"#, r#""current":false"#]),
    ("Everything in figures", &[r#""time_zone":"Europe/Berlin""#, r#""name":"db-1""#]),
    ("This process", &[r#""breakers":["#, r#""status":"ok""#, "sse_events_sent"]),
    ("Streams off and on", &[r#""transport":"polling""#]),
    ("Are they there", &[r#""sent":true"#]),
    ("What became of it", &[r#""cause":"rule""#]),
    ("What it printed", &["Filesystem"]),
    ("Let it go on", &[r#""status":"succeeded""#]),
    ("Search", &["no route to 10.0.0.7"]),
    ("Newest first", &[r#""type":"incident.status.changed""#, r#""name":"admin""#]),
    ("What an event changed", &[r#""before":{"#, r#""after":{"#, r#""items":[{"seq":"#]),
    ("Who took what home", &[r#""format":"csv""#, r#""format":"ndjson""#]),
    ("Count them", &[r#""total":"#, "Filesystem"]),
    ("Follow the errors", &["event: log.added", "no route to 10.0.0.7"]),
];

/// Blocks of this language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("\n```{language}\n");
    README.split(&start).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// What a reader types at once: a comment and the commands below it.
fn pieces() -> Vec<&'static str> {
    blocks("sh").into_iter().flat_map(|block| block.split("\n\n")).collect()
}

/// The words of a piece's comment.
fn comment(piece: &str) -> String {
    let lines = piece.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches(['#', ' '])).collect::<Vec<_>>().join(" ")
}

/// The settings that the README starts the program with.
fn settings() -> Vec<(String, String)> {
    let lines = README.lines().filter(|line| line.starts_with("    ") && line.ends_with(START));
    let line = lines.max_by_key(|line| line.len()).unwrap();
    let words = line.trim().trim_end_matches(START).split_whitespace();
    words.map(|word| word.split_once('=').map(|(name, value)| (name.into(), value.into())).unwrap()).collect()
}

/// As `make run` does, on a free port and in a folder of its own.
fn start(home: &Path, mailbox: &Mailbox) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["serve", "--demo", "--listen=127.0.0.1:0"]).envs(settings());
    command.env("SIGNALBOX_DIRECTORY", home.join("signalbox")).env("SIGNALBOX_SMTP_URL", &mailbox.url);
    Program::ready(command.stderr(Stdio::null()))
}

/// Types it all, and gives what each piece wrote.
async fn type_all(home: &Path, program: &Program, more: &[(&str, &str)]) -> Vec<String> {
    let folder = home.join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("curl"), CURL).unwrap();
    std::fs::set_permissions(folder.join("curl"), Permissions::from_mode(0o755)).unwrap();
    let typed = pieces().into_iter().enumerate().map(|(nth, piece)| format!("printf '\\n{PIECE}{nth}\\n'\n{piece}\n"));
    std::fs::write(home.join("typed"), typed.collect::<String>()).unwrap();
    let written = File::create(home.join("written")).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = tokio::process::Command::new("sh")
        .current_dir(home)
        .arg("typed")
        .env("PATH", path)
        .env("URL", &program.url)
        .envs(more.iter().copied())
        .stdin(Stdio::piped())
        .stdout(written.try_clone().unwrap())
        .stderr(written)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let stdin = shell.stdin.take().unwrap().into_owned_fd().unwrap();
    writeln!(File::from(stdin), "{}", program.password()).unwrap();
    let done = timeout(3 * PATIENCE, shell.wait()).await;
    let written = std::fs::read_to_string(home.join("written")).unwrap();
    assert!(done.is_ok_and(|status| status.unwrap().success()), "{written}");
    written.split(&format!("\n{PIECE}")).skip(1).map(|one| one.split_once('\n').unwrap().1.to_owned()).collect()
}

/// Asserts that every answer has the status that the README promises: 2xx, where the comment names none.
fn check_statuses(piece: &str, written: &str) {
    let comment = comment(piece);
    let promised = comment.split(" is ").skip(1).find_map(|rest| rest.get(..3)?.parse::<u16>().ok());
    let answers: Vec<&str> = written.lines().filter_map(|line| line.strip_prefix(ANSWER)).collect();
    assert!(!answers.is_empty() || !piece.contains("curl "), "nothing was answered\n{piece}\n{written}");
    for answer in answers {
        let status: u16 = answer[..3].parse().unwrap();
        let kept = promised.map_or((200..300).contains(&status), |promised| status == promised);
        assert!(kept, "{answer}\n{piece}\n{written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_does_what_the_readme_says() {
    let home = Home::new();
    let (mut receiver, mut mailbox) = (Receiver::start().await, Mailbox::start().await);
    let (port, _) = listen(ssh_greeting()).await;
    let program = start(home.path(), &mailbox);
    let port = port.to_string();
    let written = type_all(home.path(), &program, &[("SSH_PORT", &port), ("WEBHOOK_URL", &receiver.url)]).await;

    let pieces = pieces();
    assert_eq!(written.len(), pieces.len());
    for (piece, written) in pieces.iter().zip(&written) {
        check_statuses(piece, written);
    }
    for (begins, words) in SAYS {
        let nth = pieces.iter().position(|piece| comment(piece).starts_with(begins));
        let written = &written[nth.unwrap_or_else(|| panic!("no example begins with {begins:?}"))];
        for word in *words {
            assert!(written.contains(word), "{begins} … lacks {word}:\n{written}");
        }
    }

    let admin = Client::new(&program.url).sign_in("admin", program.password()).await;
    let reported = admin.get("/api/v1/incidents?q=Disk%20full%20on%20db-1").await;
    let [incident] = reported.json["items"].as_array().unwrap().as_slice() else { panic!("{}", reported.text) };
    assert_eq!((&incident["status"], &incident["created_by"]), (&json!("mitigated"), &admin_id(&admin).await));
    Client::new(&program.url).sign_in("olga", "at least twelve characters").await;
    let mail = mailbox.next().await;
    assert_eq!(mail.to, ["ops@example.org"]);
    assert_eq!(receiver.next().await.json()["type"], "notification.test");
    while !receiver.next().await.body.contains("P0: db-1 does not answer") {}
    assert!(std::fs::read_to_string(home.path().join("df.txt")).unwrap().starts_with("Filesystem"));
}

async fn admin_id(admin: &Client) -> Value {
    format!("user:{}", admin.get("/api/v1/me").await.json["id"].as_str().unwrap()).into()
}

#[test]
fn the_commands_that_the_readme_shows_are_those_that_it_starts_with() {
    let (_, file) = settings().into_iter().find(|(name, _)| name == "SIGNALBOX_COMMANDS").unwrap();
    let file = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let [shown] = blocks("json").try_into().unwrap();
    assert_eq!(shown, file.trim_end());
    serde_json::from_str::<Value>(shown).unwrap();
}
