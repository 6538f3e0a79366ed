//! One night, played with everything that is real: a server goes down, a rule opens an incident, a runbook looks at it,
//! a program and a mailbox are told, and an operator takes it to its end.
//!
//! | file         | what is there                                                                   |
//! |--------------|---------------------------------------------------------------------------------|
//! | `mod.rs`     | who takes part, and what they do                                                |
//! | `host.rs`    | the machine that goes down                                                      |
//! | `watch.rs`   | who reads and who acts, whichever process serves                                |
//! | `story.rs`   | what the log says of it, and what it must say                                   |
//! | `calm.rs`    | a night without faults: every word of the story, and the dashboard at each step |
//! | `killed.rs`  | the same night, in which a process is killed at any moment                      |

mod calm;
mod host;
mod killed;
mod story;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use tokio::time::{Instant, sleep};

use crate::automations::{shell, write_whole};
use crate::harness::{Client, Mailbox, PASSWORD, PATIENCE, Receiver, World, world};
use crate::process::{Home, Program};
use host::Host;
use story::{LOOKS, OPENS};
use watch::{Operator, Reader};

/// The name of the server that goes down.
const SERVER: &str = "db-1";
/// What the command of the second runbook prints, a while apart.
const LINES: [&str; 3] = ["looking at db-1", "nobody answers there", "looked at db-1"];

/// Who takes part.
struct Night {
    world: World,
    _home: Home,
    processes: Processes,
    host: Host,
    receiver: Receiver,
    mailbox: Mailbox,
    operator: Operator,
    reader: Reader,
    /// The channel of `receiver`, with its secret, and that of `mailbox`.
    pager: Value,
    mail: Value,
    /// Position before anything happens.
    evening: i64,
}

impl Night {
    /// Everything is set up, and the server is up. The program serves, and others may be started beside it.
    async fn falls() -> (Night, Program) {
        let (world, home, host) = (world().await, Home::new(), Host::start().await);
        let (receiver, mailbox) = (Receiver::start().await, Mailbox::start().await);
        let processes = Processes::of(&world, &home, &mailbox);
        let program = processes.start().await;
        let admin = program.admin().await;
        let operator = Operator::new(admin.clone());
        let pager = json!({ "name": "pager", "kind": "webhook", "url": receiver.url });
        let pager = made(&admin, "/api/v1/notification-channels", pager).await;
        let mail = json!({ "name": "mail", "kind": "mail", "to": ["ops@example.org"] });
        let mail = made(&admin, "/api/v1/notification-channels", mail).await;
        let types = json!(["incident.created", "incident.status.changed", "automation.notified"]);
        rule(&admin, &pager, types, "").await;
        let ends = "type == \"incident.created\" || data.new == \"resolved\"";
        rule(&admin, &mail, json!(["incident.created", "incident.status.changed"]), ends).await;
        write_whole(&admin, opens()).await;
        write_whole(&admin, looks()).await;
        let check = json!({ "method": "ssh", "interval_s": 10, "timeout_s": 10, "retries": 0 });
        let (address, port) = (host.address.ip(), host.address.port());
        let server = json!({ "name": SERVER, "host": address, "port": port, "check": check });
        made(&admin, "/api/v1/servers", server).await;
        // Both consumers of the log have begun, so that no event of the night is before their time.
        let ready = "select (select count(*) from consumers) = 2 and (select status from servers) = 'up'";
        let patience = Instant::now() + PATIENCE;
        while !world.value::<bool>(ready).await {
            assert!(Instant::now() < patience, "the evening never ends");
            sleep(Duration::from_millis(20)).await; // asks again; what is waited for is the answer
        }
        admin.caught_up().await;
        let evening: i64 = world.value("select seq from log_head").await;
        let reader = Reader::start(operator.clients(), evening);
        let night =
            Night { world, _home: home, processes, host, receiver, mailbox, operator, reader, pager, mail, evening };
        (night, program)
    }

    /// The server goes down: until the incident is open, looked at, and everybody told.
    async fn server_goes_down(&mut self) {
        self.host.close().await;
        self.reader.hears("the runbooks are done", 2, |event| event["type"] == "automation.completed").await;
        self.reader.hears("all were told of it", 3, is_sent).await;
    }

    /// The operator takes the incident: until that was told.
    async fn operator_acknowledges(&self) {
        let step = json!({ "to": "acknowledged", "reason": "looking" });
        self.operator.carries_out(&format!("{}/status", self.incident()), step).await;
        self.reader.hears("it was told", 4, is_sent).await;
    }

    /// The operator ends it: until that was told.
    async fn operator_resolves(&self) {
        let step = json!({ "to": "resolved", "resolution": "plugged in again" });
        self.operator.carries_out(&format!("{}/status", self.incident()), step).await;
        self.reader.hears("it was told", 6, is_sent).await;
    }

    /// The server is there again: until somebody has noticed.
    async fn server_comes_up(&mut self) {
        self.host.open().await;
        let is_up = |event: &Value| event["type"] == "server.status.changed" && event["data"]["new"] == "up";
        self.reader.hears("the server is up", 1, is_up).await;
    }

    /// Where the incident is, as the reader has heard.
    fn incident(&self) -> String {
        let heard = self.reader.heard();
        let created = heard.iter().find(|event| event["type"] == "incident.created").expect("an incident");
        format!("/api/v1/incidents/INC-{}", created["data"]["number"])
    }

    /// All of it.
    async fn passes(&mut self) {
        self.server_goes_down().await;
        self.operator_acknowledges().await;
        self.operator_resolves().await;
        self.server_comes_up().await;
    }
}

fn is_sent(event: &Value) -> bool {
    event["type"] == "notification.sent"
}

/// The rule: opens an incident when a server goes down, and says in it why. Without a dedup key, so that nothing but
/// the transaction keeps it from opening two.
fn opens() -> Value {
    json!({
        "name": OPENS,
        "inputs": [{ "name": "server", "required": true }, { "name": "why", "required": true }],
        "steps": [
            { "name": "Open", "incident": { "open": {
                "title": "{{inputs.server}} is down", "severity": "P1", "affected_servers": ["{{inputs.server}}"]
            } } },
            { "name": "Note", "incident": { "incident": "{{steps.Open.incident}}", "comment": "{{inputs.why}}" } }
        ],
        "on_event": {
            "types": ["server.status.changed"], "condition": "data.new == \"down\"",
            "inputs_from": { "server": "/data/name", "why": "/data/message" }
        }
    })
}

/// What is done about each bad incident.
fn looks() -> Value {
    json!({
        "name": LOOKS,
        "inputs": [{ "name": "number", "kind": "integer", "required": true }, { "name": "server", "required": true }],
        "steps": [
            { "name": "Diagnose", "repeatable": true,
              "command": { "name": "diagnose", "arguments": ["{{inputs.server}}"] } },
            { "name": "Tell", "notification": { "subject": "INC-{{inputs.number}} was looked at", "text": "." } },
            { "name": "Note", "incident": { "incident": "INC-{{inputs.number}}", "comment": "looked at" } }
        ],
        "on_event": {
            "types": ["incident.created"], "condition": "data.severity == \"P1\"",
            "inputs_from": { "number": "/data/number", "server": "/data/affected_servers/0" }
        }
    })
}

/// How a process is started, any number of times: with a command that takes its time.
#[derive(Clone)]
struct Processes {
    home: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl Processes {
    fn of(world: &World, home: &Home, mailbox: &Mailbox) -> Processes {
        let diagnose = "echo looking at $1; sleep 0.3; echo nobody answers there >&2; sleep 0.3; echo looked at $1";
        let file = home.path().join("commands.json");
        std::fs::write(&file, json!({ "diagnose": shell(diagnose) }).to_string()).unwrap();
        let settings = vec![
            ("DATABASE_URL", world.app_url.clone()),
            ("DATABASE_MIGRATE_URL", world.owner_url.clone()),
            ("SIGNALBOX_ADMIN_PASSWORD", PASSWORD.to_owned()),
            ("SIGNALBOX_COMMANDS", file.to_str().unwrap().to_owned()),
            ("SIGNALBOX_EGRESS_ALLOW", "127.0.0.0/8".to_owned()),
            ("SIGNALBOX_SMTP_URL", mailbox.url.clone()),
            ("SIGNALBOX_POOL_SIZE", "4".to_owned()),
        ];
        Processes { home: home.path().to_owned(), settings }
    }

    async fn start(&self) -> Program {
        let Processes { home, settings } = self.clone();
        let start = move || {
            let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Program::start(&home, &settings)
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }
}

async fn rule(admin: &Client, channel: &Value, types: Value, condition: &str) {
    let condition = (!condition.is_empty()).then_some(condition);
    let rule = json!({ "name": channel["name"], "channel": channel["id"], "types": types, "condition": condition });
    made(admin, "/api/v1/notification-rules", rule).await;
}

async fn made(admin: &Client, path: &str, body: Value) -> Value {
    let answer = admin.post(path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json
}
