//! When a delivery that failed is tried again.

use std::time::Duration;

/// Behind each failed attempt, before jitter; 3 days and 4 hours together. The steps are those that the Standard
/// Webhooks specification proposes: quick ones for a receiver that restarts, days for one that nobody looks after.
pub const PAUSES: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(5 * 3_600),
    Duration::from_secs(10 * 3_600),
    Duration::from_secs(10 * 3_600),
    Duration::from_secs(14 * 3_600),
    Duration::from_secs(14 * 3_600),
    Duration::from_secs(20 * 3_600),
];
/// A receiver that says of a message itself that it will not have it gets it so often: the others wait behind it.
pub const REFUSED_ATTEMPTS: i32 = 2;
/// The most that a receiver's `Retry-After` is followed.
pub const RETRY_AFTER_MOST: Duration = Duration::from_secs(24 * 3_600);
/// A channel whose every attempt has failed for so long is disabled.
pub const DISABLE_AFTER: Duration = Duration::from_secs(5 * 24 * 3_600);

/// How long to wait behind the failed attempt of this number, from 1; `None`: it was the last.
///
/// `chance` is from 0 to 1 and moves the pause by up to a fifth, so that channels that failed together do not come
/// back together. What the receiver asked for is a floor.
pub fn pause(attempt: i32, refused: bool, chance: f64, retry_after: Option<Duration>) -> Option<Duration> {
    if refused && attempt >= REFUSED_ATTEMPTS {
        return None;
    }
    let pause = PAUSES.get(usize::try_from(attempt - 1).ok()?)?.mul_f64(0.8 + 0.4 * chance);
    Some(pause.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MOST)))
}
