//! Notifications: channels (where to), rules (about what), and how often a delivery is tried.
//!
//! A delivery itself is work, like a queue: its attempts are events (`notification.sent`, `notification.failed`),
//! its place in the queue is not.

mod channel;
mod event;
pub mod limits;
mod rule;
pub mod schedule;
pub mod template;

#[cfg(test)]
mod tests;

pub use channel::{Channel, ChannelFacts, Target};
pub use event::{
    ChannelCreated, ChannelDeleted, ChannelDisabled, ChannelEnabled, ChannelEvent, ChannelReplayed, ChannelUpdated,
    Failed, RuleCreated, RuleDeleted, RuleEvent, RuleUpdated, SecretRotated, Sent, event_types,
};
pub use limits::Violation;
pub use rule::{Rule, RuleFacts, matches_type};

/// Types that no rule hears, or each delivery would lead to another one.
pub const UNHEARD: [&str; 2] = ["notification.sent", "notification.failed"];
