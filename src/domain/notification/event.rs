//! What can happen to channels, rules and deliveries. These are facts of the log: they are only ever added to.

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::channel::ChannelFacts;
use super::rule::RuleFacts;

/// One table makes an enum of events, their names and their parser.
macro_rules! events {
    ($(#[$about:meta])* $name:ident { $($event:ident($data:ident) = $kind:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each variant is the struct it holds")]
        pub enum $name { $($event($data),)+ }

        impl $name {
            /// Registered type name.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$event(_) => $kind,)+ }
            }

            /// The event's facts.
            pub fn data(&self) -> Value {
                // Texts, numbers and lists: nothing in them can fail to serialise.
                match self { $(Self::$event(event) => serde_json::to_value(event).unwrap_or_default(),)+ }
            }

            /// Reads a stored event.
            ///
            /// # Errors
            /// The type is none of these, or the data are not that type's.
            pub fn parse(kind: &str, data: &str) -> Result<Self, serde_json::Error> {
                use serde::de::Error;
                match kind {
                    $($kind => serde_json::from_str(data).map(Self::$event),)+
                    other => Err(serde_json::Error::custom(format!("{other} is no event of this stream"))),
                }
            }
        }
    };
}

events! {
    /// One event of a channel's stream.
    ChannelEvent {
        Created(ChannelCreated) = "notification.channel.created",
        Updated(ChannelUpdated) = "notification.channel.updated",
        Disabled(ChannelDisabled) = "notification.channel.disabled",
        Enabled(ChannelEnabled) = "notification.channel.enabled",
        Rotated(SecretRotated) = "notification.channel.secret.rotated",
        Replayed(ChannelReplayed) = "notification.channel.replayed",
        Deleted(ChannelDeleted) = "notification.channel.deleted",
    }
}

events! {
    /// One event of a rule's stream.
    RuleEvent {
        Created(RuleCreated) = "notification.rule.created",
        Updated(RuleUpdated) = "notification.rule.updated",
        Deleted(RuleDeleted) = "notification.rule.deleted",
    }
}

/// There is a new channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelCreated {
    /// What was said of it.
    pub facts: ChannelFacts,
}

/// A channel has another name or target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelUpdated {
    /// Before.
    pub old: ChannelFacts,
    /// From now on.
    pub new: ChannelFacts,
}

/// Nothing more is sent; what waited is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelDisabled {
    /// In the words of whoever did it, or what the receiver answered.
    pub reason: String,
}

/// What happens from now on is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelEnabled {}

/// The channel signs with a new secret, and with the old one as well for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotated {
    /// For so long, in seconds, both are good.
    pub overlap_s: u32,
}

/// Events of the past are sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelReplayed {
    /// Names the replay.
    pub replay: Uuid,
    /// Events behind this position.
    pub after: i64,
    /// The last position; `null`: the head at that time.
    pub until: Option<i64>,
}

/// A channel is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelDeleted {}

/// There is a new rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleCreated {
    /// What was said of it.
    pub facts: RuleFacts,
}

/// A rule says something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleUpdated {
    /// Before.
    pub old: RuleFacts,
    /// From now on.
    pub new: RuleFacts,
}

/// A rule is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDeleted {}

/// `notification.sent`: a receiver has taken it; in the stream `notification-delivery/<id>`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Sent {
    /// Where to.
    pub channel: Uuid,
    /// About which event; `null` in a test.
    pub event_seq: Option<i64>,
    /// How many attempts it took, from 1.
    pub attempt: i32,
    /// A test that somebody asked for.
    pub test: bool,
    /// What the receiver said, such as `200`.
    pub answer: String,
    /// How long that took.
    pub latency_ms: i32,
}

/// `notification.failed`: an attempt came to nothing; in the stream `notification-delivery/<id>`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Failed {
    /// Where to.
    pub channel: Uuid,
    /// About which event; `null` in a test.
    pub event_seq: Option<i64>,
    /// Of how many so far, from 1.
    pub attempt: i32,
    /// A test that somebody asked for.
    pub test: bool,
    /// A stable word, such as `answered` or `timeout`.
    pub reason: String,
    /// The same for people.
    pub detail: String,
    /// How long that took.
    pub latency_ms: i32,
    /// In so many seconds it is tried again; `null`: never.
    pub retry_in_s: Option<i64>,
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("notification.channel.created", "There is a new channel.", schema_for!(ChannelCreated).to_value()),
        (
            "notification.channel.updated",
            "A channel has another name or target.",
            schema_for!(ChannelUpdated).to_value(),
        ),
        ("notification.channel.disabled", "A channel sends nothing more.", schema_for!(ChannelDisabled).to_value()),
        ("notification.channel.enabled", "A channel sends again.", schema_for!(ChannelEnabled).to_value()),
        (
            "notification.channel.secret.rotated",
            "A channel signs with a new secret.",
            schema_for!(SecretRotated).to_value(),
        ),
        (
            "notification.channel.replayed",
            "Events of the past are sent again.",
            schema_for!(ChannelReplayed).to_value(),
        ),
        ("notification.channel.deleted", "A channel is gone.", schema_for!(ChannelDeleted).to_value()),
        ("notification.rule.created", "There is a new rule.", schema_for!(RuleCreated).to_value()),
        ("notification.rule.updated", "A rule says something else.", schema_for!(RuleUpdated).to_value()),
        ("notification.rule.deleted", "A rule is gone.", schema_for!(RuleDeleted).to_value()),
        ("notification.sent", "A receiver has taken a notification.", schema_for!(Sent).to_value()),
        ("notification.failed", "An attempt to notify came to nothing.", schema_for!(Failed).to_value()),
    ]
}
