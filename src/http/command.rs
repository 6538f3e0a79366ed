//! From a decision to the log, so that a retry does nothing twice and a closed tab cancels nothing.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use poem::http::StatusCode;

use super::App;
use super::answer::Reply;
use super::caller::Caller;
use super::problem::Problem;
use crate::log::{AppendError, Command, Outcome, State, StoredReply, Write, read};

/// A stream that moves on while a command is decided makes it decide anew, so many times.
const ATTEMPTS: usize = 8;
/// PostgreSQL's codes for a second row where there may be one, and for what a `state_` function refuses because
/// another command came first.
const OVERTAKEN: [&str; 2] = ["23505", "23514"];

/// What a command came to.
pub enum Decision {
    /// These events shall happen.
    Append {
        /// Events and the versions they were decided on.
        writes: Vec<Write>,
        /// The states after them.
        states: Vec<State>,
        /// What the client is told.
        reply: Reply,
    },
    /// All is as it was asked to be.
    Unchanged(Reply),
}

/// A command that was carried out.
pub struct Carried {
    /// What the client is told.
    pub reply: Reply,
    /// Place of the last event.
    pub seq: Option<i64>,
    /// It was carried out before, under the same key.
    pub replayed: bool,
}

/// Keys whose first command is still under way in this process.
#[derive(Default)]
pub struct InFlight(Mutex<HashSet<(String, String)>>);

/// Carries out one command: decides, appends, and decides anew when another command came first.
///
/// Runs in a task of its own: a client that leaves cancels nothing.
///
/// # Errors
/// The decision's problem; 422 for a key that was used for something else; 409 while the key's first
/// command is under way; 503 when the database does not take it.
pub async fn carry_out<D, F>(caller: Caller, decide: D) -> Result<Carried, Problem>
where
    D: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<Decision, Problem>> + Send,
{
    let work = tokio::spawn(async move {
        let _turn = Turn::take(&caller)?;
        for _ in 0..ATTEMPTS {
            if let Some(carried) = attempt(&caller, decide().await).await? {
                return Ok(carried);
            }
        }
        Err(Problem::unavailable("busy", "this resource changes too fast; nothing was recorded", 1))
    });
    match work.await {
        Ok(carried) => carried,
        Err(error) => {
            tracing::error!(%error, "command task failed");
            let detail = "the server failed; send the command again with the same Idempotency-Key";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail))
        }
    }
}

/// `None`: a stream moved on; decide anew.
async fn attempt(caller: &Caller, decided: Result<Decision, Problem>) -> Result<Option<Carried>, Problem> {
    let (writes, states, reply) = match decided {
        Ok(Decision::Append { writes, states, reply }) => (writes, states, reply),
        // The state may be what it is because this very command was carried out before: the key tells.
        Ok(Decision::Unchanged(reply)) => {
            let before = replay(caller).await?;
            return Ok(Some(before.unwrap_or(Carried { reply, seq: None, replayed: false })));
        }
        Err(problem) => return replay(caller).await?.map(Some).ok_or(problem),
    };
    // A Reply is numbers, text and JSON.
    let kept = serde_json::to_string(&reply).unwrap_or_default();
    let command = Command { cause: caller.cause(), writes, states, idempotency: caller.idempotency(kept) };
    let asked = Instant::now();
    let outcome = caller.app.appender.append(command).await;
    caller.app.metrics.appended(asked.elapsed());
    let outcome = match outcome {
        // What may be there once was there first, such as a dedup key: decided anew, the command sees it.
        Err(AppendError::Refused { sqlstate, .. }) if OVERTAKEN.contains(&sqlstate.as_str()) => return Ok(None),
        outcome => outcome?,
    };
    match outcome {
        Outcome::Appended(appended) => Ok(Some(Carried { reply, seq: Some(appended.last_seq), replayed: false })),
        Outcome::Duplicate(stored) => again(caller, &stored).map(Some),
        Outcome::Conflict { .. } => Ok(None),
    }
}

/// What the caller's key was answered before, if it was. A decision that reaches out into the world asks first.
///
/// # Errors
/// 422 for a key that was used for something else; 503 when the database does not answer.
pub async fn replay(caller: &Caller) -> Result<Option<Carried>, Problem> {
    let Some(key) = caller.idempotency(String::new()) else { return Ok(None) };
    let stored = read::reply(&caller.app.database, &key).await?;
    stored.map(|stored| again(caller, &stored)).transpose()
}

fn again(caller: &Caller, stored: &StoredReply) -> Result<Carried, Problem> {
    if caller.idempotency(String::new()).is_some_and(|key| key.body_hash != stored.body_hash) {
        let detail = "this Idempotency-Key was used for another request; nothing was recorded";
        return Err(Problem::unacceptable("idempotency_key_reused", detail));
    }
    let reply = serde_json::from_str(stored.reply.get()).map_err(|error| {
        tracing::error!(%error, "a stored reply cannot be read");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the first answer cannot be read")
    })?;
    Ok(Carried { reply, seq: Some(stored.seq), replayed: true })
}

/// A key's turn in this process. Across processes the log decides.
struct Turn {
    app: Arc<App>,
    key: Option<(String, String)>,
}

impl Turn {
    fn take(caller: &Caller) -> Result<Turn, Problem> {
        let key = caller.idempotency(String::new()).map(|key| (key.principal, key.key));
        if let Some(key) = &key {
            let mut in_flight = caller.app.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !in_flight.insert(key.clone()) {
                let detail = "the first request with this Idempotency-Key is still under way";
                return Err(Problem::new(StatusCode::CONFLICT, "in_flight", detail));
            }
        }
        Ok(Turn { app: caller.app.clone(), key })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.app.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    }
}
