//! The guard of a command: a small process between the server and the program, which ends the program and all that
//! it started when the server says so, when the server falls silent, and when the server is no more.
//!
//! The server holds the other end of the guard's standard input. A kernel closes it however the server ends, also by
//! `kill -9`: that is the signal, and it needs nobody who lives on. While the server holds the lease it writes, as
//! text, for how many milliseconds; a server that is frozen writes nothing, and its time runs out here as well,
//! before the lease does in the database.
//!
//! What the program starts stays below the guard: one process group, and, because the guard adopts orphans
//! (`PR_SET_CHILD_SUBREAPER`), also whatever leaves that group. When the program itself ends, so does the rest.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, wait};

/// The first argument of a process that is a guard.
pub const NAME: &str = "guard";
/// What is said without a word of how long to live: nothing was renewed yet.
const FIRST: Duration = Duration::from_secs(5);
/// Exit code when the program could not be started, as shells have it.
const NOT_STARTED: u8 = 127;
/// Exit code of what was ended.
const ENDED: u8 = 137;
/// Looks for processes that were started while others were ended.
const AGAIN: Duration = Duration::from_millis(20);
/// Messages that may wait: each is looked at within microseconds.
const MESSAGES: usize = 16;

enum Message {
    /// The server still holds the lease, for so long.
    Holds(Duration),
    /// The server said stop, or is no more.
    Stop,
    /// The program has ended, with this exit code.
    Exited(u8),
    /// There is no process left below this one.
    AllGone,
}

/// Whether this process is to be a guard.
pub fn is_called() -> bool {
    std::env::args_os().nth(1).is_some_and(|name| name == NAME)
}

/// Runs the program that the rest of the command line names, and guards it to its end. Exits as it did.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(2);
    let Some(program) = arguments.next() else { return ExitCode::from(NOT_STARTED) };
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(getpid())) {
        eprintln!("signalbox: orphans cannot be adopted: {error}");
    }
    let mut command = Command::new(&program);
    let child = match command.args(arguments).stdin(Stdio::null()).process_group(0).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("signalbox: {} cannot be started: {error}", program.to_string_lossy());
            return ExitCode::from(NOT_STARTED);
        }
    };
    let group = Pid::from_child(&child);
    let (say, said) = sync_channel(MESSAGES);
    let listen = say.clone();
    std::thread::spawn(move || listen_to_server(&listen));
    std::thread::spawn(move || reap(child, &say));
    ExitCode::from(guard(group, &said))
}

/// Waits for whatever comes first, then ends all that is left.
fn guard(group: Pid, said: &Receiver<Message>) -> u8 {
    let mut until = Instant::now() + FIRST;
    let mut code = ENDED;
    loop {
        match said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Holds(time)) => until = Instant::now() + time,
            Ok(Message::Exited(exited)) => {
                code = exited;
                break;
            }
            Ok(Message::AllGone) => return code,
            Ok(Message::Stop) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    loop {
        // The group first: what is forked meanwhile is forked into it. No such process: all of it has ended.
        let _ = kill_process_group(group, Signal::KILL);
        for pid in below() {
            let _ = kill_process(pid, Signal::KILL);
        }
        match said.recv_timeout(AGAIN) {
            Ok(Message::AllGone) | Err(RecvTimeoutError::Disconnected) => return code,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Lines of milliseconds, until the end of the input.
fn listen_to_server(say: &SyncSender<Message>) {
    for line in BufReader::new(std::io::stdin().lock()).lines() {
        let Some(time) = line.ok().and_then(|line| line.trim().parse().ok()) else { break };
        if say.send(Message::Holds(Duration::from_millis(time))).is_err() {
            return;
        }
    }
    let _ = say.send(Message::Stop);
}

/// Takes note of every process below that ends, the program among them.
fn reap(child: Child, say: &SyncSender<Message>) {
    let program = Pid::from_child(&child);
    while let Ok(Some((pid, status))) = wait(WaitOptions::empty()) {
        if pid == program {
            let status = std::process::ExitStatus::from_raw(status.as_raw());
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            let _ = say.send(Message::Exited(u8::try_from(code).unwrap_or(u8::MAX)));
        }
    }
    let _ = say.send(Message::AllGone);
}

/// Processes directly below this one: those that it started, and those that it adopted.
fn below() -> Vec<Pid> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)));
    }
    found
}
