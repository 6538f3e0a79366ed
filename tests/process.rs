//! The program itself: started, killed and started again.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Client, PASSWORD, PATIENCE, execute, world};

/// A folder of a test's own, removed at the end.
pub struct Home(pub PathBuf);

impl Home {
    pub fn new() -> Home {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("signalbox-process-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let home = Home(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&home.0).unwrap();
        home
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, ready to serve.
pub struct Program {
    pub child: Child,
    pub url: String,
    said: String,
}

impl Program {
    pub fn start(directory: &Path, more: &[(&str, &str)]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
        // These tests try again at once, which one user should not.
        let unlimited = [("SIGNALBOX_STREAMS_PER_USER", "0"), ("SIGNALBOX_REQUESTS_PER_S", "0")];
        command
            .current_dir(directory)
            .args(["serve", "--listen=127.0.0.1:0"])
            .envs(unlimited)
            .envs(more.iter().copied());
        Program::ready(command.stderr(Stdio::null()))
    }

    /// Starts what is given and waits until it listens.
    pub fn ready(command: &mut Command) -> Program {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().unwrap_or_else(|| panic!("ended before it served: {said}")).unwrap();
            if let Some(url) = line.strip_prefix("Signalbox listens on ") {
                break url.to_owned();
            }
            said += &line;
        };
        Program { child, url, said }
    }

    /// The one-time password that it printed.
    pub fn password(&self) -> &str {
        self.said.split("the password ").nth(1).unwrap().split(' ').next().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Memory it holds, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Files it has open, sockets among them.
    pub fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Computing time it has used, of all its threads together.
    pub fn used(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10) // 100 a second on every Linux there is
    }

    /// Its threads whose name begins so.
    pub fn threads(&self, name: &str) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().flatten();
        let names = threads.map(|thread| std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default());
        names.filter(|found| found.starts_with(name)).count()
    }

    pub async fn admin(&self) -> Client {
        Client::new(&self.url).sign_in("admin", PASSWORD).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ADMIN: (&str, &str) = ("SIGNALBOX_ADMIN_PASSWORD", PASSWORD);

/// Kills the postmaster of a folder, which may just be on its way up again.
async fn kill_postmaster(directory: &Path) {
    let file = directory.join(".signalbox/data/postmaster.pid");
    let killed = async {
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let pid = text.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw);
            if pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, killed).await.expect("a postmaster to kill");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_needs_nothing_and_tells_a_password_once() {
    let home = Home::new();
    let first = Program::start(&home.0, &[]);
    let password = first.password().to_owned();
    Client::new(&first.url).sign_in("admin", &password).await.report("it works").await;
    first.signal(Signal::TERM);
    drop(first);
    let second = Program::start(&home.0, &[]);
    assert_eq!(second.said, "", "no second password");
    let client = Client::new(&second.url).sign_in("admin", &password).await;
    assert_eq!(client.get("/api/v1/incidents/INC-1").await.json["title"], "it works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_keeps_every_acknowledged_command() {
    let home = Home::new();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let server = Program::start(&home.0, &[ADMIN]);
        let client = server.admin().await;
        for (title, id) in &acknowledged {
            let shown = client.get(&format!("/api/v1/incidents/{id}")).await;
            assert_eq!(shown.json["title"].as_str(), Some(String::as_str(title)), "{}", shown.text);
        }
        for n in 0..20 {
            let title = format!("{round}-{n}");
            let incident = client.report(&title).await;
            acknowledged.push((title, incident["id"].as_str().unwrap().to_owned()));
        }
        server.signal(Signal::KILL);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_postgresql_that_is_killed_comes_back_and_streams_go_on() {
    let home = Home::new();
    let server = Program::start(&home.0, &[ADMIN]);
    let client = server.admin().await;
    let mut stream = client.stream("?types=incident.created", Some(0)).await;
    for round in 0..3 {
        kill_postmaster(&home.0).await;
        let title = format!("after kill {round}");
        let key = format!("key-{round}");
        let started = Instant::now();
        loop {
            // Not recorded, or not known whether: the same key asks again until it is.
            let answer =
                client.post_with("/api/v1/incidents", json!({ "title": title }), &[("idempotency-key", &key)]).await;
            match answer.status.as_u16() {
                201 => break,
                503 => assert!(started.elapsed() < PATIENCE, "{}", answer.text),
                _ => panic!("{}", answer.text),
            }
        }
    }
    let mut titles = Vec::new();
    while titles.len() < 3 {
        titles.extend(stream.event().await.data["data"]["title"].as_str().map(str::to_owned));
    }
    assert_eq!(titles, ["after kill 0", "after kill 1", "after kill 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_on_an_empty_database_migrate_it_once_and_make_one_admin() {
    let world = world().await;
    execute(&world.owner, "drop schema public cascade; create schema public; grant usage on schema public to public")
        .await;
    let home = Home::new();
    let (url, owner) = (world.app_url.clone(), world.owner_url.clone());
    let starts: Vec<_> = (0..8)
        .map(|n| {
            let (home, url, owner) = (home.0.clone(), url.clone(), owner.clone());
            std::thread::spawn(move || {
                // Some sign in as the role that serves; others as a superuser, and serve in that role.
                let serving = if n % 2 == 0 { &url } else { &owner };
                let urls = [("DATABASE_URL", serving.as_str()), ("DATABASE_MIGRATE_URL", &owner)];
                Program::start(&home, &[urls[0], urls[1], ADMIN, ("SIGNALBOX_POOL_SIZE", "2")])
            })
        })
        .collect();
    let programs: Vec<Program> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    assert_eq!(world.value::<i64>("select count(*) from users").await, 1);
    let client = programs[0].admin().await;
    client.report("seen by all").await;
    client_on(&programs[1], &client).report("from another").await;
    for program in &programs {
        let mut stream = client_on(program, &client).stream("?types=incident.created", Some(0)).await;
        assert_eq!(stream.until("incident.created").await.pop().unwrap().data["data"]["title"], "seen by all");
    }
}

/// The same sign-in on another process: tokens are good everywhere.
fn client_on(program: &Program, client: &Client) -> Client {
    Client::new(&program.url).with_token(&client.token)
}
