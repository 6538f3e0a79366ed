//! A breaker: watches one number, and says how much is to be taken from streams while it is bad.
//!
//! ```text
//! closed ── bad for a while ──> open ── better after its hold time ──> half open ── stays good ──> closed
//!                                 ^                                        │
//!                                 └──────────── bad again ─────────────────┘
//! ```
//!
//! Pure: the clock is an argument. An open breaker goes up its steps as the number gets worse, and down one
//! step at a time. What keeps it from flapping: it opens only when the number stays bad; it leaves a step
//! only well below where it entered it, and not before the hold time; and each opening that follows soon
//! after another doubles that time.

use std::time::{Duration, Instant};

use super::Level;

/// An open breaker stays on a step at least so long.
const HOLD: Duration = Duration::from_secs(10);
/// Doubled so far at most: whoever is hurt by a breaker waits minutes, not hours.
const HOLD_MOST: Duration = Duration::from_secs(160);
/// A half-open breaker watches so long before it closes.
const TRIAL: Duration = Duration::from_secs(10);
/// An opening so long after the last closing has nothing to do with it.
const CALM: Duration = Duration::from_secs(300);

/// From which number on, once it has stayed there how long, streams are given what.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The number is at least this.
    pub at: f64,
    /// Without a break for so long.
    pub stays: Duration,
    /// Then this level.
    pub level: Level,
}

/// Watches one number.
#[derive(Debug)]
pub struct Breaker {
    /// From mild to severe.
    steps: Vec<Step>,
    /// A step is left below this share of the number it begins at.
    leave: f64,
    /// Since when the number has reached each step.
    reached: Vec<Option<Instant>>,
    state: State,
    hold: Duration,
    closed_at: Option<Instant>,
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Closed,
    /// On a step, since then.
    Open {
        /// Index of the step.
        step: usize,
        /// When it was entered.
        since: Instant,
    },
    /// On trial: streams are given everything, since then.
    HalfOpen {
        /// When the trial began.
        since: Instant,
    },
}

impl Breaker {
    /// Closed. Without steps it never opens.
    pub fn new(steps: Vec<Step>, leave: f64) -> Breaker {
        let reached = vec![None; steps.len()];
        Breaker { steps, leave, reached, state: State::Closed, hold: HOLD, closed_at: None }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The number at which it begins to open, if any.
    pub fn limit(&self) -> Option<f64> {
        self.steps.first().map(|step| step.at)
    }

    /// What streams are given, as far as this number goes.
    pub fn level(&self) -> Level {
        match self.state {
            State::Open { step, .. } => self.steps[step].level,
            State::Closed | State::HalfOpen { .. } => Level::Normal,
        }
    }

    /// Takes notice of the number as it is now. To be called every second or so, with times that never go back.
    pub fn observe(&mut self, now: Instant, value: f64) {
        for (step, since) in self.steps.iter().zip(&mut self.reached) {
            *since = (value >= step.at).then(|| since.unwrap_or(now));
        }
        let stayed = |(step, since): (&Step, &Option<Instant>)| since.is_some_and(|since| now - since >= step.stays);
        let worst = self.steps.iter().zip(&self.reached).rposition(stayed);
        let below = |step: usize| value < self.steps[step].at * self.leave;
        match (self.state, worst) {
            (State::Closed, Some(step)) => {
                let soon = self.closed_at.is_some_and(|closed| now - closed < CALM);
                self.hold = if soon { (self.hold * 2).min(HOLD_MOST) } else { HOLD };
                self.state = State::Open { step, since: now };
            }
            (State::Open { step, .. }, Some(worse)) if worse > step => {
                self.state = State::Open { step: worse, since: now };
            }
            (State::Open { step, since }, _) if now - since >= self.hold && below(step) => {
                self.state = match step.checked_sub(1) {
                    Some(milder) => State::Open { step: milder, since: now },
                    None => State::HalfOpen { since: now },
                };
            }
            (State::HalfOpen { .. }, _) if self.limit().is_some_and(|limit| value >= limit) => {
                self.hold = (self.hold * 2).min(HOLD_MOST);
                self.state = State::Open { step: 0, since: now };
            }
            (State::HalfOpen { since }, _) if now - since >= TRIAL => {
                self.closed_at = Some(now);
                self.state = State::Closed;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAYS: Duration = Duration::from_secs(3);

    /// At 10 batched, at 20 no new streams, at 20 for a minute polling only.
    fn breaker() -> Breaker {
        let step = |at, stays, level| Step { at, stays, level };
        let steps = vec![
            step(10.0, STAYS, Level::Batched),
            step(20.0, STAYS, Level::NoNewStreams),
            step(20.0, Duration::from_secs(60), Level::PollingOnly),
        ];
        Breaker::new(steps, 0.8)
    }

    /// The level after each second of these values.
    fn levels(breaker: &mut Breaker, start: Instant, values: impl IntoIterator<Item = f64>) -> Vec<Level> {
        let seconds = values.into_iter().enumerate();
        let level = |(second, value)| {
            breaker.observe(start + Duration::from_secs(second as u64), value);
            breaker.level()
        };
        seconds.map(level).collect()
    }

    fn changes(levels: &[Level]) -> usize {
        levels.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn a_spike_opens_nothing_and_what_stays_bad_does() {
        let spikes = [0.0, 99.0, 99.0, 99.0].repeat(50);
        assert_eq!(changes(&levels(&mut breaker(), Instant::now(), spikes)), 0);
        let bad = levels(&mut breaker(), Instant::now(), [10.0; 5]);
        assert_eq!(bad, [Level::Normal, Level::Normal, Level::Normal, Level::Batched, Level::Batched]);
    }

    #[test]
    fn it_climbs_with_the_number_and_with_time() {
        let seen = levels(&mut breaker(), Instant::now(), [[10.0; 10].as_slice(), &[20.0; 70]].concat());
        assert_eq!((seen[9], seen[12], seen[13]), (Level::Batched, Level::Batched, Level::NoNewStreams));
        assert_eq!((seen[69], seen[70], seen[79]), (Level::NoNewStreams, Level::PollingOnly, Level::PollingOnly));
    }

    #[test]
    fn it_holds_then_comes_down_a_step_at_a_time_and_closes_by_itself() {
        let (mut breaker, start) = (breaker(), Instant::now());
        let seen = levels(&mut breaker, start, [[20.0; 4].as_slice(), &[0.0; 40]].concat());
        assert_eq!(seen[3], Level::NoNewStreams);
        assert_eq!((seen[12], seen[13], seen[22], seen[23]), {
            use Level::{Batched, NoNewStreams, Normal};
            (NoNewStreams, Batched, Batched, Normal)
        });
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn just_below_the_limit_is_not_well() {
        let seen = levels(&mut breaker(), Instant::now(), [[10.0; 4].as_slice(), &[8.0; 300]].concat());
        assert_eq!((changes(&seen), seen[303]), (1, Level::Batched));
    }

    #[test]
    fn bad_again_on_trial_it_opens_at_once_and_holds_twice_as_long() {
        let (mut breaker, start) = (breaker(), Instant::now());
        let values = [[10.0; 4].as_slice(), &[0.0; 10], &[10.0], &[0.0; 40]].concat();
        let seen = levels(&mut breaker, start, values);
        assert_eq!((seen[12], seen[13], seen[14]), (Level::Batched, Level::Normal, Level::Batched));
        assert_eq!((seen[33], seen[34]), (Level::Batched, Level::Normal));
    }

    #[test]
    fn without_steps_it_never_opens() {
        assert_eq!(changes(&levels(&mut Breaker::new(Vec::new(), 0.8), Instant::now(), [1e9; 100])), 0);
    }

    proptest! {
        #[test]
        fn whatever_the_number_does_a_level_is_held_and_is_left_in_the_end(
            values in prop::collection::vec(prop_oneof![Just(0.0), Just(9.0), Just(10.0), Just(25.0)], 1..600),
        ) {
            let (mut breaker, start) = (breaker(), Instant::now());
            let seen = levels(&mut breaker, start, values.iter().copied());
            let mut changed = None;
            for second in 1..seen.len() {
                if seen[second] < seen[second - 1] {
                    prop_assert!(changed.is_some_and(|before| second - before >= 10), "lowered within the hold time");
                }
                if seen[second] != seen[second - 1] {
                    changed = Some(second);
                }
            }
            // Three steps, each held for HOLD_MOST at most, and the trial.
            let later = start + Duration::from_secs(values.len() as u64);
            levels(&mut breaker, later, vec![0.0; 3 * 161 + 12]);
            prop_assert_eq!(breaker.state(), State::Closed);
        }

        #[test]
        fn a_number_that_swings_makes_few_changes_whatever_its_rhythm(bad_s in 1_usize..120, good_s in 1_usize..120) {
            let wave = [vec![15.0; bad_s], vec![0.0; good_s]].concat();
            let hour: Vec<f64> = wave.iter().copied().cycle().take(3_600).collect();
            let seen = levels(&mut breaker(), Instant::now(), hour);
            // Ten while the hold time doubles up to 160 s, then two for each of those.
            prop_assert!(changes(&seen) <= 10 + 2 * 3_600 / 160, "{} changes in an hour", changes(&seen));
        }
    }
}
