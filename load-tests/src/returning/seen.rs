//! Which changes one stream has received: a bit for each, so that 10,000 streams cost a few megabytes.

/// The changes of one stream, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Vec<u64>);

impl Seen {
    /// Notes a change; false when it was noted before.
    pub(super) fn note(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let Some(bits) = self.0.get_mut(word) else { return false };
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }

    /// How many of the changes 0 to one less than `changes` never came.
    pub(super) fn missing(&self, changes: u64) -> u64 {
        let came: u32 = self.0.iter().map(|bits| bits.count_ones()).sum();
        changes.saturating_sub(u64::from(came))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_and_what_never_came_show() {
        let mut seen = Seen::default();
        assert!(seen.note(0) && seen.note(64) && seen.note(63));
        assert!(!seen.note(64));
        assert_eq!(seen.missing(65), 62);
    }
}
