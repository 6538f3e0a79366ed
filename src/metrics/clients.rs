//! What clients report of themselves: what a process cannot see from its own side.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use super::{Lines, Name};

/// Why clients poll, as a label. What a client says besides is `other`: labels are for few values, and never a
/// stranger's text.
pub const REASONS: [&str; 11] = [
    "disabled",
    "degraded",
    "not_offered",
    "no_new_streams",
    "too_many_streams",
    "unreachable",
    "closed",
    "silent",
    "no_stream",
    "none",
    "other",
];
/// Where a client's time goes, as a label.
pub const STATES: [&str; 6] = ["connecting", "replaying", "live", "polling", "offline", "off"];

/// The counts of all clients that report to this process.
pub struct Clients {
    fallbacks: Family<Name, Counter>,
    state_seconds: Family<Name, Counter<f64, AtomicU64>>,
    render_seconds: Histogram,
}

impl Default for Clients {
    fn default() -> Clients {
        let clients = Clients {
            fallbacks: Family::default(),
            state_seconds: Family::default(),
            // A millisecond to half a minute.
            render_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
        };
        // Each with its line from the beginning: a rate over it is then 0 and not unknown.
        REASONS.iter().for_each(|&name| drop(clients.fallbacks.get_or_create(&Name { name })));
        STATES.iter().for_each(|&name| drop(clients.state_seconds.get_or_create(&Name { name })));
        clients
    }
}

impl Clients {
    /// A client began to poll, for one of [`REASONS`]; whatever else it says is `other`.
    pub fn fell_back(&self, reason: &str) {
        let name = REASONS.into_iter().find(|known| *known == reason).unwrap_or("other");
        self.fallbacks.get_or_create(&Name { name }).inc();
    }

    /// A client was in one of [`STATES`] for so long.
    pub fn was(&self, state: &'static str, long: Duration) {
        self.state_seconds.get_or_create(&Name { name: state }).inc_by(long.as_secs_f64());
    }

    /// A client painted an event so long after its commit, by two clocks.
    pub fn painted(&self, after: Duration) {
        self.render_seconds.observe(after.as_secs_f64());
    }

    pub(super) fn lines(&self, lines: Lines) -> Lines {
        lines
            .line("signalbox_client_fallbacks", "Times that clients began to poll, by reason", &self.fallbacks)
            .line("signalbox_client_state_seconds", "Time that clients spent, by state", &self.state_seconds)
            .line(
                "signalbox_client_commit_to_render_seconds",
                "From an event's commit to the first frame that a client painted with it, by two clocks",
                &self.render_seconds,
            )
    }
}
