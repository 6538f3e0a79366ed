//! How long a good client waits before it connects again.

use std::time::Duration;

/// The first ceiling; doubled with each failure in a row up to the last.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(30);

/// What a client remembers of its failures and of what the server asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    /// What `retry:` last said.
    pub(super) retry: Option<Duration>,
    /// Tries in a row that opened no stream.
    failures: u32,
}

impl Backoff {
    /// A stream opened: the next loss is the first one again.
    pub(super) fn opened(&mut self) {
        self.failures = 0;
    }

    /// After an open stream was lost: what `retry:` said, which the server has spread already;
    /// without it, as after a failure.
    pub(super) fn after_loss(&mut self) -> Duration {
        match self.retry {
            Some(retry) => retry,
            None => self.after_failure(None),
        }
    }

    /// After a try that opened no stream: full jitter below 1, 2, 4 … 30 s, on top of Retry-After,
    /// so that those who were sent away together do not come back together.
    pub(super) fn after_failure(&mut self, retry_after: Option<Duration>) -> Duration {
        let ceiling = (FIRST * 2_u32.pow(self.failures.min(5))).min(LAST);
        self.failures += 1;
        retry_after.unwrap_or_default() + ceiling.mul_f64(rand::random_range(0.0..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_never_undercut_the_server() {
        let mut backoff = Backoff::default();
        for ceiling_s in [1, 2, 4, 8, 16, 30, 30] {
            assert!(backoff.after_failure(None) < Duration::from_secs(ceiling_s), "{backoff:?}");
        }
        assert!(backoff.after_failure(Some(Duration::from_secs(7))) >= Duration::from_secs(7));
        backoff.opened();
        assert!(backoff.after_failure(None) < Duration::from_secs(1));
    }

    #[test]
    fn after_a_loss_the_server_says_when() {
        let mut backoff = Backoff { retry: Some(Duration::from_millis(7_300)), ..Backoff::default() };
        assert_eq!(backoff.after_loss(), Duration::from_millis(7_300));
    }
}
