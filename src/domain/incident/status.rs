//! The three scales of an incident: how far along, how bad, how soon.

use super::words::words;

words! {
    /// How far along an incident is. `action.rs` holds the moves between these.
    Status {
        /// Reported; nobody has taken it yet.
        Triggered = "triggered",
        /// Somebody has seen it and answers for it.
        Acknowledged = "acknowledged",
        /// Somebody is looking for the cause, or waits for someone who knows.
        Investigating = "investigating",
        /// The harm has stopped; the cause remains.
        Mitigated = "mitigated",
        /// The cause is gone.
        Resolved = "resolved",
        /// Done with: resolved and reviewed, or merged into another incident.
        Closed = "closed",
        /// It was no incident: a false alarm, a drill, a mistake.
        Cancelled = "cancelled",
    }
}

impl Status {
    /// Does somebody still have to do something?
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Triggered | Self::Acknowledged | Self::Investigating | Self::Mitigated)
    }
}

words! {
    /// How bad the harm is: a property of the incident. The worst sorts first.
    Severity {
        /// Everything is down, or data is being lost.
        P0 = "P0",
        /// A main function is down for many.
        P1 = "P1",
        /// A function is impaired, or down for a few.
        P2 = "P2",
        /// A nuisance with a way around it.
        P3 = "P3",
        /// Cosmetic, or a question.
        P4 = "P4",
    }
}

words! {
    /// How soon to work on it: a choice of the team, apart from severity. A P1 in a system that is
    /// switched off on Monday may be low; a typo in tonight's press release may be urgent.
    Priority {
        /// When nothing else waits.
        Low = "low",
        /// In its turn.
        Normal = "normal",
        /// Before the normal ones.
        High = "high",
        /// Now.
        Urgent = "urgent",
    }
}
