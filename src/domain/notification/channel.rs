//! A channel: somewhere that notifications go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::ChannelEvent;

/// Where to. The secret that signs is kept apart: it never stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Target {
    /// A signed POST.
    Webhook {
        /// `https://…` or `http://…`.
        url: String,
    },
    /// A mail to all of these at once.
    Mail {
        /// Addresses.
        to: Vec<String>,
    },
}

/// What somebody says of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelFacts {
    /// For people; unique among channels that are not deleted.
    pub name: String,
    /// Where to.
    pub target: Target,
}

/// The current state of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Names the stream `notification-channel/<id>`.
    pub id: Uuid,
    /// As it was last said.
    pub facts: ChannelFacts,
    /// Why nothing is sent; `None`: it is.
    pub disabled: Option<String>,
    /// It is gone, and its deliveries stay to be read.
    pub deleted: bool,
    /// Events in the stream.
    pub version: i64,
}

impl Channel {
    /// The channel after an event; `None` when the first event is not its creation.
    pub fn evolve(channel: Option<Channel>, id: Uuid, event: &ChannelEvent) -> Option<Channel> {
        if let ChannelEvent::Created(created) = event {
            return Some(Channel { id, facts: created.facts.clone(), disabled: None, deleted: false, version: 1 });
        }
        let mut channel = channel?;
        channel.version += 1;
        match event {
            ChannelEvent::Updated(updated) => channel.facts = updated.new.clone(),
            ChannelEvent::Disabled(disabled) => channel.disabled = Some(disabled.reason.clone()),
            ChannelEvent::Enabled(_) => channel.disabled = None,
            ChannelEvent::Deleted(_) => channel.deleted = true,
            ChannelEvent::Created(_) | ChannelEvent::Rotated(_) | ChannelEvent::Replayed(_) => {}
        }
        Some(channel)
    }
}
