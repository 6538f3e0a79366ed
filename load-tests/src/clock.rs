//! One clock for all processes of a run.

use rustix::time::{ClockId, clock_gettime};

/// Monotonic nanoseconds since the machine started (CLOCK_MONOTONIC).
///
/// `Instant` cannot leave its process, and the wall clock may jump. Two processes on one
/// machine read the same value here, so a stamp written by one is an age in the other.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
