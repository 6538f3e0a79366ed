//! Refusals for want of a permission: each is told why, with an id, and some are recorded.
//!
//! The log must not be for anybody to flood who is not allowed to do anything. So what one user lacks is one
//! decision for a minute, with one id and one event, however often it is asked for; and all users together
//! cause a few events a second at most. What is not recorded is in the server's own log.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::json;
use uuid::Uuid;

use super::caller::Caller;
use super::problem::Problem;
use crate::domain::user::AccessDenied;
use crate::log::{Command, Write};
use crate::users::happened;

/// For so long, the same user's lack of the same permission is the same decision.
const SAME_FOR: Duration = Duration::from_secs(60);
/// Decisions remembered; beyond them, those of the last minute are forgotten early.
const MOST_DECISIONS: usize = 10_000;
/// Events in a second, of all users.
const EVENTS_PER_S: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
/// Characters of a path that are recorded.
const PATH_CHARS: usize = 200;

/// Who lacks what: the id of the decision, and when it was made.
type Decisions = HashMap<(Uuid, &'static str), (Uuid, Instant)>;

/// The refusals of the last minute.
pub struct Denials {
    decisions: Mutex<Decisions>,
    events: DefaultDirectRateLimiter,
}

impl Default for Denials {
    fn default() -> Denials {
        Denials { decisions: Mutex::default(), events: RateLimiter::direct(Quota::per_second(EVENTS_PER_S)) }
    }
}

impl Denials {
    /// The id of this decision, and whether it is to be recorded.
    fn decide(&self, user: Uuid, missing: &'static str) -> (Uuid, bool) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((id, at)) = decisions.get(&(user, missing))
            && now.duration_since(*at) < SAME_FOR
        {
            return (*id, false);
        }
        if decisions.len() >= MOST_DECISIONS {
            decisions.retain(|_, (_, at)| now.duration_since(*at) < SAME_FOR);
        }
        if decisions.len() >= MOST_DECISIONS {
            decisions.clear();
        }
        let id = Uuid::now_v7();
        decisions.insert((user, missing), (id, now));
        (id, self.events.check().is_ok())
    }
}

/// Refuses a caller without this permission, and says so.
///
/// # Errors
/// 403 with `missing` and `decision_id`.
pub(super) fn needs(caller: &Caller, permission: &'static str) -> Result<(), Problem> {
    needs_all(caller, [permission], || format!("this needs the permission {permission}"))
}

/// The same of several; the first one that is missing is named, and `why` says what for.
///
/// # Errors
/// 403 with `missing` and `decision_id`.
pub(super) fn needs_all(
    caller: &Caller,
    permissions: impl IntoIterator<Item = &'static str>,
    why: impl Fn() -> String,
) -> Result<(), Problem> {
    let missing = permissions.into_iter().find(|permission| !caller.account.permissions.contains(permission));
    let Some(missing) = missing else { return Ok(()) };
    let (decision, to_record) = caller.app.denials.decide(caller.account.user.id, missing);
    let user = &caller.account.user;
    tracing::info!(user = user.username, missing, operation = caller.operation, %decision, "denied");
    if to_record {
        record(caller, missing, decision);
    }
    Err(Problem::forbidden(missing, decision, why()))
}

/// In a task of its own: the answer does not wait for it, and is the same without it.
fn record(caller: &Caller, missing: &str, decision_id: Uuid) {
    let operation = caller.operation.chars().take(PATH_CHARS).collect();
    let data = AccessDenied { user: caller.account.user.id, missing: missing.to_owned(), operation, decision_id };
    let events = vec![happened("access.denied", json!(data))];
    let writes = vec![Write { stream: "system/access".to_owned(), expected: None, events }];
    let command = Command { cause: caller.cause(), writes, states: Vec::new(), idempotency: None };
    let appender = caller.app.appender.clone();
    tokio::spawn(async move {
        if let Err(error) = appender.append(command).await {
            tracing::warn!(%error, "a denial is not recorded");
        }
    });
}
