//! Waiting for another process, which gives no signal but its files and its end.

use std::time::{Duration, Instant};

/// How often something cheap is asked.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Asks every `interval` until there is an answer; `None` when `limit` has passed without one.
/// Asks at least once.
#[allow(
    clippy::disallowed_methods,
    reason = "sleeping is banned for the sake of async workers; this module blocks by contract"
)]
pub(super) fn poll<T>(interval: Duration, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(interval);
    }
}
