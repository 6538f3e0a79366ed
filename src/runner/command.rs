//! A program of the allow-list: no shell, arguments as a list, an environment of its own, a guard between.

use std::future::Future;
use std::process::Stdio;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep_until};

use super::allowed::AllowedCommand;
use super::guard;
use super::lease::Held;
use super::output::{Output, Source};
use super::run::{Halt, Stopped};
use crate::domain::automation::execution::{Ended, Outcome};

/// This very program, also when its file was replaced meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// For the guard to end all that runs. What the kernel cannot end in this time, nobody can.
const END_WAIT: Duration = Duration::from_secs(5);

/// Runs a program to its end, or until `halt` tells why not.
///
/// When this returns, nothing that the program started runs any more.
///
/// # Errors
/// The lease is another's.
///
/// # Cancellation
/// The guard notices at once, and ends everything.
pub async fn run(
    held: &Held,
    allowed: &AllowedCommand,
    arguments: &[String],
    output: &mut Output,
    halt: impl Future<Output = Halt>,
) -> Result<Ended, Stopped> {
    let mut child = match start(allowed, arguments) {
        Ok(child) => child,
        Err(error) => return Ok(ended(Outcome::Failed, format!("the guard could not be started: {error}"))),
    };
    let (Some(stdin), Some(out), Some(err)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Ok(ended(Outcome::Failed, "the guard has no pipes".to_owned()));
    };
    let mut life = Some(stdin);
    let mut until = held.until.clone();
    until.mark_changed();
    let (mut halted, mut all_taken, mut status) = (None, None, None);
    {
        let pump = output.pump(out, err, allowed.output_kib << 10);
        tokio::pin!(pump, halt);
        let mut last = None;
        while all_taken.is_none() || status.is_none() {
            let gives_up = last.unwrap_or_else(Instant::now);
            tokio::select! {
                taken = &mut pump, if all_taken.is_none() => all_taken = Some(taken?),
                ended = child.wait(), if status.is_none() => status = Some(ended),
                why = &mut halt, if halted.is_none() => halted = Some(why),
                Ok(()) = until.changed(), if life.is_some() => {
                    let certain = *until.borrow_and_update();
                    hold(&mut life, certain).await;
                }
                () = sleep_until(gives_up), if last.is_some() => break,
            }
            if last.is_none() && (halted.is_some() || all_taken == Some(false)) {
                life = None; // the guard ends all of it, and the pipes close
                last = Some(Instant::now() + END_WAIT);
            }
        }
    }
    let status = match status {
        Some(Ok(status)) => status,
        Some(Err(error)) => return Ok(ended(Outcome::Failed, format!("how it ended is not known: {error}"))),
        None if matches!(halted, Some(Halt::Lost)) => return Err(Stopped::Lost),
        None => return Ok(ended(Outcome::Failed, "it could not be ended".to_owned())),
    };
    Ok(match halted {
        Some(Halt::Lost) => return Err(Stopped::Lost),
        Some(Halt::Cancelled) => ended(Outcome::Cancelled, "ended with all that it had started".to_owned()),
        Some(Halt::TimedOut(reason)) => ended(Outcome::TimedOut, reason),
        None if all_taken == Some(false) => {
            let said = format!("it printed more than {} KiB", allowed.output_kib);
            output.print(Source::System, said.as_bytes());
            output.flush().await?;
            ended(Outcome::Failed, said)
        }
        None if status.success() => ended(Outcome::Succeeded, "exit code 0".to_owned()),
        None => {
            ended(Outcome::Failed, status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}")))
        }
    })
}

fn start(allowed: &AllowedCommand, arguments: &[String]) -> std::io::Result<Child> {
    Command::new(THIS_PROGRAM)
        .arg(guard::NAME)
        .arg(&allowed.program)
        .args(&allowed.arguments)
        .args(arguments)
        .env_clear()
        .envs(&allowed.environment)
        .current_dir(&allowed.directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0) // what a terminal sends to the server is not for it
        .spawn()
}

/// Tells the guard for how long the lease is certain. A guard that is gone needs no telling.
async fn hold(life: &mut Option<ChildStdin>, certain: Instant) {
    let left = certain.saturating_duration_since(Instant::now()).as_millis();
    if let Some(stdin) = life
        && stdin.write_all(format!("{left}\n").as_bytes()).await.is_err()
    {
        *life = None;
    }
}

fn ended(outcome: Outcome, reason: String) -> Ended {
    Ended::new(outcome, Some(reason), OffsetDateTime::now_utc())
}
