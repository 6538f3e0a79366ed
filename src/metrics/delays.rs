//! The last delays from commit to send, for the latency breaker.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// So many are remembered.
const DELAYS: usize = 100;
/// Older ones say nothing of now. In seconds.
const FRESH_S: u64 = 60;
/// Fewer fresh ones than this say nothing.
const LEAST: usize = 20;

/// A fixed ring of delays. Writing one is two atomic instructions and a look at the clock; nobody waits.
///
/// A reader may see a few delays of the next round already: it asks for a mean, not for a moment.
#[derive(Debug)]
pub struct Delays {
    began: Instant,
    /// The second it was written in, from 1, in the upper half; microseconds in the lower. 0: none yet.
    slots: [AtomicU64; DELAYS],
    next: AtomicUsize,
}

impl Default for Delays {
    fn default() -> Delays {
        Delays { began: Instant::now(), slots: [const { AtomicU64::new(0) }; DELAYS], next: AtomicUsize::new(0) }
    }
}

impl Delays {
    /// Remembers a delay; the oldest is forgotten. Longer ones than 71 minutes count as that.
    pub fn record(&self, micros: u64) {
        self.record_at(Instant::now(), micros);
    }

    /// Mean of the fresh ones, if there are enough.
    pub fn mean(&self) -> Option<Duration> {
        self.mean_at(Instant::now())
    }

    fn record_at(&self, now: Instant, micros: u64) {
        let slot = self.next.fetch_add(1, Ordering::Relaxed) % DELAYS;
        let packed = self.second(now) << 32 | micros.min(u64::from(u32::MAX));
        self.slots[slot].store(packed, Ordering::Relaxed);
    }

    fn mean_at(&self, now: Instant) -> Option<Duration> {
        let oldest = self.second(now).saturating_sub(FRESH_S).max(1);
        let slots = self.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        let fresh: Vec<u64> =
            slots.filter(|slot| slot >> 32 >= oldest).map(|slot| slot & u64::from(u32::MAX)).collect();
        (fresh.len() >= LEAST).then(|| Duration::from_micros(fresh.iter().sum::<u64>() / fresh.len() as u64))
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_the_last_hundred_that_are_fresh() {
        let delays = Delays::default();
        let after = |seconds| delays.began + Duration::from_secs(seconds);
        (0..19).for_each(|_| delays.record_at(after(0), 7_000));
        assert_eq!(delays.mean_at(after(0)), None, "too few");
        delays.record_at(after(0), 7_000);
        assert_eq!(delays.mean_at(after(60)), Some(Duration::from_millis(7)));
        assert_eq!(delays.mean_at(after(61)), None, "too old");
        (0..100).for_each(|n| delays.record_at(after(100), n * 1_000));
        assert_eq!(delays.mean_at(after(100)), Some(Duration::from_micros(49_500)));
        (0..50).for_each(|_| delays.record_at(after(101), u64::MAX));
        let most = u64::from(u32::MAX);
        let mean = ((50..100).sum::<u64>() * 1_000 + 50 * most) / 100;
        assert_eq!(delays.mean_at(after(101)), Some(Duration::from_micros(mean)));
    }
}
