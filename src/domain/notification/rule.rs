//! A rule: which events go to a channel, and what is said about them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::UNHEARD;
use super::event::RuleEvent;

/// What somebody says of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFacts {
    /// For people.
    pub name: String,
    /// Where to.
    pub channel: Uuid,
    /// Types such as `incident.created`, families such as `incident.*`, or `*`.
    pub types: Vec<String>,
    /// What must hold besides; `domain/condition.rs` is the language.
    pub condition: Option<String>,
    /// Template of a mail's subject.
    pub subject: Option<String>,
    /// Template of a mail's text, and of `text` in a webhook's payload.
    pub text: Option<String>,
    /// Whether it is applied.
    pub enabled: bool,
}

/// The current state of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Names the stream `notification-rule/<id>`.
    pub id: Uuid,
    /// As it was last said.
    pub facts: RuleFacts,
    /// Who last said it: the rule sees the events that this user may see, at the time of each.
    pub owner: String,
    /// It is gone.
    pub deleted: bool,
    /// Events in the stream.
    pub version: i64,
}

impl Rule {
    /// The rule after an event of this actor; `None` when the first event is not its creation.
    pub fn evolve(rule: Option<Rule>, id: Uuid, actor: &str, event: &RuleEvent) -> Option<Rule> {
        let owner = actor.to_owned();
        if let RuleEvent::Created(created) = event {
            return Some(Rule { id, facts: created.facts.clone(), owner, deleted: false, version: 1 });
        }
        let mut rule = rule?;
        rule.version += 1;
        match event {
            RuleEvent::Updated(updated) => (rule.facts, rule.owner) = (updated.new.clone(), owner),
            RuleEvent::Deleted(_) => rule.deleted = true,
            RuleEvent::Created(_) => {}
        }
        Some(rule)
    }

    /// Whether it hears of events of this type.
    pub fn hears(&self, kind: &str) -> bool {
        self.facts.enabled && !self.deleted && self.facts.types.iter().any(|pattern| matches_type(pattern, kind))
    }
}

/// Whether a pattern names a type: itself, its family with `.*`, or all with `*`; never one of [`UNHEARD`].
pub fn matches_type(pattern: &str, kind: &str) -> bool {
    let named = match pattern.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with('.') && kind.starts_with(family),
        None => pattern == kind,
    };
    named && !UNHEARD.contains(&kind)
}
