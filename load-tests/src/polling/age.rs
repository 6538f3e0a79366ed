//! How old a change is when a user sees it.

use super::panel::News;
use crate::changes::Change;

/// Ages added up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ages {
    sum_ns: u128,
    seen: u64,
    /// Changes that an answer never showed before the end.
    pub(super) unseen: u64,
}

impl Ages {
    /// Adds the ages at which one user saw the changes: each with the first answer that is true as of
    /// its position or later. `changes` are in the order of the log.
    pub(super) fn add(&mut self, changes: &[Change], news: &[News]) {
        let mut news = news.iter().peekable();
        for change in changes {
            while news.next_if(|answer| answer.seq < change.seq).is_some() {}
            match news.peek() {
                Some(answer) => {
                    self.sum_ns += u128::from(answer.at_ns.saturating_sub(change.sent_ns));
                    self.seen += 1;
                }
                None => self.unseen += 1,
            }
        }
    }

    /// The mean, in milliseconds.
    pub(super) fn mean_ms(&self) -> f64 {
        self.sum_ns as f64 / self.seen.max(1) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_as_old_as_the_first_answer_that_shows_it() {
        let change = |seq, sent_ns| Change { seq, sent_ns };
        let answer = |seq, at_ns| News { seq, at_ns };
        let mut ages = Ages::default();
        let changes = [change(1, 0), change(2, 3_000_000), change(3, 4_000_000)];
        ages.add(&changes, &[answer(0, 1), answer(2, 5_000_000)]);
        assert_eq!((ages.mean_ms(), ages.unseen), (3.5, 1));
    }
}
