//! Passwords: argon2id, in a bounded number of threads, behind a rate limit.

use std::num::NonZeroU32;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use crate::http::problem::Problem;

/// Hashes at once: each takes 19 MiB and some 20 ms of one core.
const HASHES_AT_ONCE: usize = 2;
/// For a turn; then the request is answered 503.
const TURN_WAIT: Duration = Duration::from_secs(3);
/// Longest password, in bytes: more would only be work.
pub const MOST_BYTES: usize = 1_024;
/// Names the limiter remembers before it forgets the quiet ones.
const MOST_NAMES: usize = 10_000;

/// Checks passwords without letting anybody use up the processor.
pub struct Passwords {
    attempts: DefaultKeyedRateLimiter<String>,
    refreshes: DefaultKeyedRateLimiter<Uuid>,
    turns: Semaphore,
    /// Checked for users that do not exist, so that they take as long.
    nobody: String,
}

impl Passwords {
    /// With so many attempts per name and minute, and refreshes per session and minute.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(attempts_per_minute: u32, refreshes_per_minute: u32) -> anyhow::Result<Passwords> {
        let quota = |per_minute| Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Ok(Passwords {
            attempts: RateLimiter::keyed(quota(attempts_per_minute)),
            refreshes: RateLimiter::keyed(quota(refreshes_per_minute)),
            turns: Semaphore::new(HASHES_AT_ONCE),
            nobody: hash("nobody has this password")?,
        })
    }

    /// Takes one attempt of a name; 429 when there is none left.
    ///
    /// # Errors
    /// 429.
    pub fn attempt(&self, username: &str) -> Result<(), Problem> {
        take(&self.attempts, &username.to_owned(), "too_many_sign_ins", "too many attempts for this name")
    }

    /// Takes one refresh of a session; 429 when there is none left.
    ///
    /// # Errors
    /// 429.
    pub fn refresh(&self, session: Uuid) -> Result<(), Problem> {
        take(&self.refreshes, &session, "too_many_refreshes", "too many refreshes of this session")
    }

    /// The PHC string of a password, when its turn comes.
    ///
    /// # Errors
    /// 503 when no turn comes.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        let busy = || Problem::unavailable("busy", "too many sign-ins at once", 2);
        let Ok(Ok(_turn)) = timeout(TURN_WAIT, self.turns.acquire()).await else { return Err(busy()) };
        let hashed = tokio::task::spawn_blocking(move || hash(&password)).await;
        hashed.ok().and_then(Result::ok).ok_or_else(busy)
    }

    /// Whether the password is the one that was hashed. Without a hash the answer is no, as slowly.
    ///
    /// # Errors
    /// 503 when no turn comes.
    pub async fn check(&self, password: String, hashed: Option<String>) -> Result<bool, Problem> {
        let busy = || Problem::unavailable("busy", "too many sign-ins at once", 2);
        let Ok(Ok(_turn)) = timeout(TURN_WAIT, self.turns.acquire()).await else { return Err(busy()) };
        let known = hashed.is_some();
        let hashed = hashed.unwrap_or_else(|| self.nobody.clone());
        let checked = tokio::task::spawn_blocking(move || verify(&password, &hashed)).await;
        Ok(checked.unwrap_or(false) && known)
    }
}

fn take<K: Clone + Eq + std::hash::Hash>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
    code: &str,
    detail: &str,
) -> Result<(), Problem> {
    if limiter.len() > MOST_NAMES {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|until| {
        let wait_s = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        Problem::new(poem::http::StatusCode::TOO_MANY_REQUESTS, code, detail)
            .header(poem::http::header::RETRY_AFTER, &wait_s.to_string())
    })
}

/// The PHC string of a password, with a salt of its own.
///
/// # Errors
/// The system gives no random bytes.
pub fn hash(password: &str) -> anyhow::Result<String> {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|error| anyhow::anyhow!("cannot hash a password: {error}"))
}

fn verify(password: &str, hashed: &str) -> bool {
    match PasswordHash::new(hashed) {
        Ok(hashed) => Argon2::default().verify_password(password.as_bytes(), &hashed).is_ok(),
        Err(error) => {
            tracing::error!(%error, "a stored password hash cannot be read");
            false
        }
    }
}
