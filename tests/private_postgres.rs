//! The private cluster, with the real PostgreSQL of this machine.
//!
//! What only root can show (giving up rights, another user's process) is tested when root runs the
//! tests, as containers do; everything else runs as anybody.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use signalbox::postgres::private::{Cluster, Error, Options, SUPERUSER};

/// How long a process may take to do what it surely does.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_fresh_directory_becomes_a_cluster_with_checksums_and_without_tcp() {
    let home = Home::new();
    let cluster = Cluster::start(&home.options()).unwrap();
    assert!(cluster.started_here() && cluster.is_running());
    assert_eq!(show(&cluster, "data_directory"), cluster.data_directory().to_str().unwrap());
    for (setting, value) in [
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("max_connections", "200"),
        ("jit", "off"),
        ("fsync", "off"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
    ] {
        assert_eq!(show(&cluster, setting), value, "{setting}");
    }
    cluster.stop().unwrap();
}

#[test]
fn a_durable_cluster_syncs_and_a_setting_of_the_caller_wins() {
    let home = Home::new();
    let mut options = home.options();
    options.durable = true;
    options.settings = vec![("max_connections".into(), "17".into()), ("listen_addresses".into(), "*".into())];
    let cluster = Cluster::start(&options).unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("max_connections", "17"),
        ("listen_addresses", ""), // but not over what keeps it private
    ] {
        assert_eq!(show(&cluster, setting), value, "{setting}");
    }
    cluster.stop().unwrap();
}

#[test]
fn stopping_and_dropping_end_it_in_order_and_a_second_start_keeps_the_data() {
    let home = Home::new();
    let first = Cluster::start(&home.options()).unwrap();
    query(&first, "create table kept as select 42 as answer");
    let pid = first.postmaster_pid();
    let pid_file = first.data_directory().join("postmaster.pid");
    assert!(pid_file.exists());
    first.stop().unwrap();
    assert!(!exists(pid) && !pid_file.exists());

    let second = Cluster::start(&home.options()).unwrap();
    assert_eq!(query(&second, "select answer from kept"), "42");
    let pid = second.postmaster_pid();
    drop(second);
    assert!(!exists(pid) && !pid_file.exists());
}

#[test]
fn two_simultaneous_first_starts_make_one_cluster() {
    let home = Home::new();
    let options = home.options();
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| Cluster::start(&options).unwrap());
        let other = scope.spawn(|| Cluster::start(&options).unwrap());
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(one.postmaster_pid(), other.postmaster_pid());
    assert!(one.started_here() != other.started_here());

    let (owner, sharer) = if one.started_here() { (one, other) } else { (other, one) };
    sharer.stop().unwrap();
    assert_eq!(query(&owner, "select 1"), "1");
}

#[test]
fn a_sharer_becomes_the_owner_when_the_owner_has_left() {
    let home = Home::new();
    let owner = Cluster::start(&home.options()).unwrap();
    let mut sharer = Cluster::start(&home.options()).unwrap();
    assert!(!sharer.started_here());
    owner.stop().unwrap();
    assert!(!sharer.is_running());

    sharer.restart().unwrap();
    assert!(sharer.started_here());
    assert_eq!(query(&sharer, "select 1"), "1");
}

#[test]
fn a_killed_postmaster_is_replaced_and_no_committed_row_is_lost() {
    let home = Home::new();
    let mut cluster = Cluster::start(&home.options()).unwrap();
    query(&cluster, "create table kept as select 42 as answer");
    let killed = cluster.postmaster_pid();
    kill_postmaster(&cluster);
    assert!(cluster.data_directory().join("postmaster.pid").exists());

    cluster.restart().unwrap();
    assert!(cluster.started_here() && cluster.is_running());
    assert_ne!(cluster.postmaster_pid(), killed);
    assert_eq!(query(&cluster, "select answer from kept"), "42");

    let alive = cluster.postmaster_pid();
    cluster.restart().unwrap();
    assert_eq!(cluster.postmaster_pid(), alive, "nothing to do");
}

#[test]
fn a_restart_awaits_the_orphaned_backends() {
    let home = Home::new();
    let mut cluster = Cluster::start(&home.options()).unwrap();
    let url = cluster.url("postgres", SUPERUSER);
    // Spinning, because a backend that waits notices the death of its postmaster at once.
    let spin = "do $$ declare until timestamptz := clock_timestamp() + interval '1.5 s';
                begin while clock_timestamp() < until loop end loop; end $$";
    let busy = std::thread::spawn(move || try_query(&url, spin));
    wait_until("the statement runs", || {
        let running = "select count(*) from pg_stat_activity where query like 'do $$%'";
        query(&cluster, running) == "1"
    });
    kill_postmaster(&cluster);

    cluster.restart().unwrap();
    assert!(busy.is_finished(), "PostgreSQL must not run beside an orphan");
    assert!(fs::read_to_string(log_of(&cluster)).unwrap().contains("shared memory block"));
}

#[test]
fn a_pid_file_whose_number_now_belongs_to_another_process_is_stale() {
    let home = Home::new();
    let cluster = Cluster::start(&home.options()).unwrap();
    let data = cluster.data_directory().to_owned();
    let account = fs::metadata(&data).unwrap();
    kill_postmaster(&cluster);
    drop(cluster);

    let mut stranger = Command::new("/bin/cat");
    stranger.uid(account.uid()).gid(account.gid()).stdin(Stdio::piped());
    let mut stranger = stranger.spawn().unwrap();
    for file in [data.join("postmaster.pid"), home.path().join("socket/.s.PGSQL.5432.lock")] {
        let text = fs::read_to_string(&file).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        fs::write(&file, format!("{}\n{rest}", stranger.id())).unwrap();
    }
    let cluster = Cluster::start(&home.options()).unwrap();
    assert!(cluster.started_here());
    assert!(exists(i32::try_from(stranger.id()).unwrap()));
    drop(stranger.stdin.take());
    stranger.wait().unwrap();
}

#[test]
fn postgres_stops_by_itself_within_two_seconds_of_our_violent_death() {
    let home = Home::new();
    let mut server = OtherProcess::start(&home, None);
    let pid = server.postmaster_pid;
    assert!(exists(pid));
    server.child.kill().unwrap(); // SIGKILL
    let death = Instant::now();
    server.child.wait().unwrap();
    wait_until("PostgreSQL is gone", || !exists(pid));
    assert!(death.elapsed() < Duration::from_secs(2), "{:?}", death.elapsed());
    assert!(!home.path().join("data/postmaster.pid").exists(), "not in order");
}

#[test]
fn a_second_process_shares_the_cluster_and_does_not_stop_it() {
    let home = Home::new();
    let cluster = Cluster::start(&home.options()).unwrap();
    let mut guest = OtherProcess::start(&home, None);
    assert_eq!(guest.postmaster_pid, cluster.postmaster_pid());
    assert!(!guest.started_here);
    drop(guest.child.stdin.take());
    assert!(guest.child.wait().unwrap().success());
    assert_eq!(query(&cluster, "select 1"), "1");
}

#[test]
fn missing_binaries_are_one_error_that_says_what_to_do() {
    let home = Home::new();
    let mut options = home.options();
    options.binaries = Some("/nowhere/bin".into());
    let message = Cluster::start(&options).unwrap_err().to_string();
    for part in ["/nowhere/bin", "apt install postgresql", "SIGNALBOX_PG_BIN", "DATABASE_URL"] {
        assert!(message.contains(part), "{part} is missing in: {message}");
    }
}

#[test]
fn an_older_postgresql_is_refused_with_its_version() {
    let home = Home::new();
    let old = home.path().join("old");
    fs::create_dir(&old).unwrap();
    let postgres = old.join("postgres");
    fs::write(&postgres, "#!/bin/sh\necho 'postgres (PostgreSQL) 13.22'\n").unwrap();
    fs::set_permissions(&postgres, Permissions::from_mode(0o755)).unwrap();
    let mut options = home.options();
    options.binaries = Some(old);
    let message = Cluster::start(&options).unwrap_err().to_string();
    assert!(message.contains("(PostgreSQL 13)"), "{message}");
}

#[test]
fn a_cluster_of_another_major_version_is_left_alone() {
    let home = Home::new();
    Cluster::start(&home.options()).unwrap().stop().unwrap();
    fs::write(home.path().join("data/PG_VERSION"), "13\n").unwrap();
    let error = Cluster::start(&home.options()).unwrap_err();
    assert!(matches!(error, Error::WrongVersion { cluster: 13, .. }), "{error}");
    assert!(error.to_string().contains("pg_upgrade"), "{error}");
}

#[test]
fn a_refused_setting_is_an_error_that_shows_what_postgres_said() {
    let home = Home::new();
    let mut options = home.options();
    options.settings = vec![("max_connections".into(), "many".into())];
    let message = Cluster::start(&options).unwrap_err().to_string();
    assert!(message.contains("max_connections"), "{message}");
}

#[test]
fn a_long_path_puts_the_socket_into_tmp() {
    let home = Home::new();
    let mut options = home.options();
    options.directory = home.path().join("x".repeat(120));
    let cluster = Cluster::start(&options).unwrap();
    let socket_directory = cluster.socket_directory().to_owned();
    assert!(socket_directory.starts_with("/tmp"));
    assert_eq!(mode(&socket_directory), 0o700);
    assert_eq!(query(&cluster, "select 1"), "1");
    cluster.stop().unwrap();
    fs::remove_dir(socket_directory).unwrap();
}

#[test]
fn a_path_with_odd_characters_works() {
    let home = Home::new();
    let mut options = home.options();
    options.directory = home.path().join("a, \"b\"'ü%2F c");
    let cluster = Cluster::start(&options).unwrap();
    assert_eq!(query(&cluster, "select 1"), "1");
}

#[test]
fn an_abandoned_initdb_is_cleared_away() {
    let home = Home::new();
    let abandoned = home.path().join("initdb-1");
    fs::create_dir(&abandoned).unwrap();
    fs::write(abandoned.join("PG_VERSION"), "15\n").unwrap();
    let cluster = Cluster::start(&home.options()).unwrap();
    assert_eq!(query(&cluster, "select 1"), "1");
    assert!(!abandoned.exists());
}

#[test]
fn a_log_that_has_outgrown_its_limit_is_emptied_and_written_on() {
    let home = Home::new();
    let cluster = Cluster::start(&home.options()).unwrap();
    let log = log_of(&cluster);
    let file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.set_len(11 << 20).unwrap();
    cluster.trim_log().unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);

    let _ = try_query(&cluster.url("postgres", SUPERUSER), "select 1 / 0");
    wait_until("the mishap is in the log", || fs::read_to_string(&log).unwrap().contains("division by zero"));
    assert!(fs::metadata(&log).unwrap().len() < 10_000);
}

#[test]
fn root_gives_up_its_rights_and_may_still_connect() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let cluster = Cluster::start(&home.options()).unwrap();
    let process = fs::metadata(format!("/proc/{}", cluster.postmaster_pid())).unwrap();
    assert_eq!(process.uid(), uid_of("postgres"));
    for private in [cluster.data_directory(), cluster.socket_directory()] {
        let found = fs::metadata(private).unwrap();
        assert_eq!((found.uid(), mode(private)), (process.uid(), 0o700), "{private:?}");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", cluster.postmaster_pid())).unwrap();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
    assert_eq!(groups.trim(), "", "root's groups are given up too");
    assert_eq!(fs::metadata(home.path()).unwrap().uid(), 0, "the caller's directory stays root's");
    assert_eq!(query(&cluster, "select 1"), "1");
}

#[test]
fn root_in_a_directory_closed_to_postgres_gets_one_in_var_lib() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    let mut options = home.options();
    options.directory = home.path().join("inner");
    let cluster = Cluster::start(&options).unwrap();
    let elsewhere = Home(cluster.data_directory().parent().unwrap().to_owned());
    let name = elsewhere.path().to_str().unwrap();
    assert!(name.starts_with("/var/lib/signalbox-"), "{name}");
    assert_eq!(query(&cluster, "create table kept as select 42 as answer"), "");
    cluster.stop().unwrap();

    let again = Cluster::start(&options).unwrap();
    assert_eq!(query(&again, "select answer from kept"), "42");
    again.stop().unwrap();
}

#[test]
fn an_unprivileged_user_runs_it_as_itself_and_root_goes_on_as_that_user() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let nobody = uid_of("nobody");
    chown(home.path(), Some(nobody), Some(nobody)).unwrap();
    let mut server = OtherProcess::start(&home, Some(nobody));
    assert!(server.started_here);
    assert_eq!(owner_of_process(server.postmaster_pid), nobody);
    drop(server.child.stdin.take());
    assert!(server.child.wait().unwrap().success());

    let cluster = Cluster::start(&home.options()).unwrap();
    assert_eq!(owner_of_process(cluster.postmaster_pid()), nobody);
}

/// Not a guarantee but the other process of those above; does nothing when run as a test.
/// It says what it started and holds it until its stdin ends.
#[test]
fn other_process_of_the_tests_above() {
    let Some(directory) = std::env::var_os("SIGNALBOX_TEST_CLUSTER") else {
        return;
    };
    let cluster = Cluster::start(&options(directory.into())).unwrap();
    let mut stdout = std::io::stdout();
    let (pid, started_here) = (cluster.postmaster_pid(), cluster.started_here());
    writeln!(stdout, "\nCLUSTER {pid} {started_here}").unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    cluster.stop().unwrap();
}

struct OtherProcess {
    child: Child,
    /// Held open: the test runner in there panics when it cannot write its result.
    _stdout: BufReader<ChildStdout>,
    postmaster_pid: i32,
    started_here: bool,
}

impl OtherProcess {
    fn start(home: &Home, uid: Option<u32>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["other_process_of_the_tests_above", "--nocapture"])
            .env("SIGNALBOX_TEST_CLUSTER", home.path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid);
        }
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("CLUSTER ") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the other process ended");
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        Self {
            child,
            _stdout: stdout,
            postmaster_pid: words[1].parse().unwrap(),
            started_here: words[2].parse().unwrap(),
        }
    }
}

/// A directory that everybody may pass through, removed at the end.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("signalbox-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o755).create(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn options(&self) -> Options {
        options(self.0.clone())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(directory: PathBuf) -> Options {
    Options { directory, binaries: None, durable: false, settings: Vec::new() }
}

fn query(cluster: &Cluster, sql: &str) -> String {
    try_query(&cluster.url("postgres", SUPERUSER), sql).unwrap()
}

fn show(cluster: &Cluster, setting: &str) -> String {
    query(cluster, &format!("show {setting}"))
}

/// The first column of the first row as text, empty without a row.
fn try_query(url: &str, sql: &str) -> Result<String, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        let rows = client.simple_query(sql).await?;
        drop(client);
        let _ = connection.await;
        let first = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(first.unwrap_or_default())
    })
}

fn kill_postmaster(cluster: &Cluster) {
    let pid = cluster.postmaster_pid();
    let works_in = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    assert_eq!(works_in, cluster.data_directory(), "signal only what is ours");
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    wait_until("the postmaster is gone", || !cluster.is_running());
}

/// Bounded polling of what tells that something has happened.
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !happened() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn exists(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

fn owner_of_process(pid: i32) -> u32 {
    fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}

fn log_of(cluster: &Cluster) -> PathBuf {
    cluster.data_directory().with_file_name("postgres.log")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn uid_of(name: &str) -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
    line.split(':').nth(2).unwrap().parse().unwrap()
}
