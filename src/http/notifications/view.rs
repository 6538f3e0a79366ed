//! Notifications as clients see and send them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::notification::{Channel, ChannelFacts, Rule, RuleFacts, Target};
use crate::http::text::Text;
use crate::log::stamp;

/// What a channel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "NotificationKind", rename_all = "lowercase")]
pub enum Kind {
    /// A signed POST, as <https://www.standardwebhooks.com> describes it.
    Webhook,
    /// A mail.
    Mail,
}

/// A channel as it is now.
#[derive(Debug, Object)]
#[oai(rename = "NotificationChannel")]
pub struct ChannelView {
    /// Its stream is `notification-channel/<id>`.
    id: Uuid,
    /// For people.
    name: String,
    /// What it does.
    kind: Kind,
    /// Where a webhook goes.
    url: Option<String>,
    /// Who gets the mail.
    to: Option<Vec<String>>,
    /// Whether anything is sent.
    enabled: bool,
    /// Why not.
    disabled_reason: Option<String>,
    /// How many events made this state; the ETag.
    version: i64,
    /// What signs a webhook's requests. Shown once: in the answer to the command that made it.
    #[oai(skip_serializing_if_is_none)]
    secret: Option<String>,
}

impl ChannelView {
    /// Without a secret.
    pub fn of(channel: &Channel) -> ChannelView {
        let facts = channel.facts.clone();
        let (kind, url, to) = match facts.target {
            Target::Webhook { url } => (Kind::Webhook, Some(url), None),
            Target::Mail { to } => (Kind::Mail, None, Some(to)),
        };
        ChannelView {
            id: channel.id,
            name: facts.name,
            kind,
            url,
            to,
            enabled: channel.disabled.is_none(),
            disabled_reason: channel.disabled.clone(),
            version: channel.version,
            secret: None,
        }
    }

    /// With it, in the spelling of Standard Webhooks.
    pub fn telling(self, secret: Option<&[u8]>) -> ChannelView {
        ChannelView { secret: secret.map(|secret| format!("whsec_{}", BASE64_STANDARD.encode(secret))), ..self }
    }
}

/// All channels.
#[derive(Debug, Object)]
#[oai(rename = "NotificationChannels")]
pub struct ChannelList {
    /// By name; at most 100.
    pub items: Vec<ChannelView>,
}

/// A new channel.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NewNotificationChannel", deny_unknown_fields)]
pub struct NewChannel {
    /// One line, 1 to 100 characters; no other channel has it.
    name: Text,
    /// What it does.
    kind: Kind,
    /// Of a webhook: `https://…` or `http://…`, without user and password. Redirects are not followed.
    url: Option<Text>,
    /// Of a mail: 1 to 20 addresses.
    to: Option<Vec<Text>>,
}

impl NewChannel {
    /// As the rules want it; `Err` names the field that its kind lacks or does not have.
    pub fn facts(self) -> Result<ChannelFacts, &'static str> {
        let target = match (self.kind, self.url, self.to) {
            (Kind::Webhook, Some(url), None) => Target::Webhook { url: url.0 },
            (Kind::Mail, None, Some(to)) => Target::Mail { to: strings(to) },
            (Kind::Webhook, None, _) | (Kind::Mail, Some(_), _) => return Err("/url"),
            (Kind::Webhook, Some(_), Some(_)) | (Kind::Mail, None, None) => return Err("/to"),
        };
        Ok(ChannelFacts { name: self.name.0, target })
    }
}

/// The facts to change; absent ones stay. A channel's kind stays.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NotificationChannelChanges", deny_unknown_fields)]
pub struct ChannelChanges {
    name: Option<Text>,
    url: Option<Text>,
    to: Option<Vec<Text>>,
}

impl ChannelChanges {
    /// The facts after it; `Err` names the field that its kind does not have.
    pub fn applied(self, facts: &ChannelFacts) -> Result<ChannelFacts, &'static str> {
        let target = match (&facts.target, self.url, self.to) {
            (target, None, None) => target.clone(),
            (Target::Webhook { .. }, Some(url), None) => Target::Webhook { url: url.0 },
            (Target::Mail { .. }, None, Some(to)) => Target::Mail { to: strings(to) },
            (Target::Webhook { .. }, _, Some(_)) => return Err("/to"),
            (Target::Mail { .. }, Some(_), _) => return Err("/url"),
        };
        Ok(ChannelFacts { name: self.name.map_or_else(|| facts.name.clone(), String::from), target })
    }
}

/// Why a channel shall send nothing more.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NotificationDisabling", deny_unknown_fields)]
pub struct Disabling {
    /// One line, 1 to 500 characters.
    pub reason: Text,
}

/// A new secret.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NotificationSecretRotation", deny_unknown_fields)]
pub struct Rotation {
    /// For so long the old secret signs as well, 0 to 604,800; default 86,400.
    pub overlap_s: Option<u32>,
}

/// Events to send again.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NotificationReplay", deny_unknown_fields)]
pub struct Replay {
    /// Events behind this position.
    pub after: i64,
    /// The last position; default the newest.
    pub until: Option<i64>,
}

/// What came of a test.
#[derive(Debug, Object)]
#[oai(rename = "NotificationTest")]
pub struct TestView {
    /// The delivery, in the channel's list.
    pub delivery: Uuid,
    /// Whether the receiver took it.
    pub sent: bool,
    /// Why not: a stable word.
    pub reason: Option<String>,
    /// What the receiver said, or what went wrong.
    pub detail: String,
    /// The beginning of the receiver's answer.
    pub response: Option<String>,
    /// How long it took.
    pub latency_ms: i64,
}

/// A rule as it is now.
#[derive(Debug, Object)]
#[oai(rename = "NotificationRule")]
pub struct RuleView {
    /// Its stream is `notification-rule/<id>`.
    id: Uuid,
    /// For people.
    name: String,
    /// Where to.
    channel: Uuid,
    /// Types such as `incident.created`, families such as `incident.*`, or `*`.
    types: Vec<String>,
    /// What must hold besides.
    condition: Option<String>,
    /// Template of a mail's subject.
    subject: Option<String>,
    /// Template of a mail's text, and of `text` in a webhook's payload.
    text: Option<String>,
    /// Whether it is applied.
    enabled: bool,
    /// Who last changed it: the rule sees the events that this user may see.
    owner: String,
    /// How many events made this state; the ETag.
    version: i64,
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> RuleView {
        let Rule { id, facts, owner, version, .. } = rule.clone();
        let RuleFacts { name, channel, types, condition, subject, text, enabled } = facts;
        RuleView { id, name, channel, types, condition, subject, text, enabled, owner, version }
    }
}

/// All rules.
#[derive(Debug, Object)]
#[oai(rename = "NotificationRules")]
pub struct RuleList {
    /// In the order of their creation; at most 200.
    pub items: Vec<RuleView>,
}

/// A new rule.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NewNotificationRule", deny_unknown_fields)]
pub struct NewRule {
    /// One line, 1 to 100 characters.
    name: Text,
    /// Where to.
    channel: Uuid,
    /// 1 to 20 types such as `incident.created`, families such as `incident.*`, or `*`. What deliveries say
    /// (`notification.sent`, `notification.failed`) is never among them.
    types: Vec<Text>,
    /// What must hold besides, as in `data.severity in ["P0", "P1"] && data.title contains "db"`; at most 1,000
    /// characters.
    condition: Option<Text>,
    /// Template of a mail's subject, as in `{{data.severity}}: {{data.title}}`; at most 4,000 characters.
    subject: Option<Text>,
    /// Template of a mail's text, and of `text` in a webhook's payload; at most 4,000 characters.
    text: Option<Text>,
    /// Default true.
    enabled: Option<bool>,
}

impl NewRule {
    /// As the rules want it.
    pub fn facts(self) -> RuleFacts {
        RuleFacts {
            name: self.name.0,
            channel: self.channel,
            types: strings(self.types),
            condition: self.condition.map(String::from),
            subject: self.subject.map(String::from),
            text: self.text.map(String::from),
            enabled: self.enabled.unwrap_or(true),
        }
    }
}

/// The facts to change; absent ones stay, and `null` removes.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NotificationRuleChanges", deny_unknown_fields)]
pub struct RuleChanges {
    name: Option<Text>,
    channel: Option<Uuid>,
    types: Option<Vec<Text>>,
    condition: MaybeUndefined<Text>,
    subject: MaybeUndefined<Text>,
    text: MaybeUndefined<Text>,
    enabled: Option<bool>,
}

impl RuleChanges {
    /// The facts after it.
    pub fn applied(self, facts: &RuleFacts) -> RuleFacts {
        let facts = facts.clone();
        RuleFacts {
            name: self.name.map_or(facts.name, String::from),
            channel: self.channel.unwrap_or(facts.channel),
            types: self.types.map_or(facts.types, strings),
            condition: changed(self.condition, facts.condition),
            subject: changed(self.subject, facts.subject),
            text: changed(self.text, facts.text),
            enabled: self.enabled.unwrap_or(facts.enabled),
        }
    }
}

fn changed(change: MaybeUndefined<Text>, before: Option<String>) -> Option<String> {
    match change {
        MaybeUndefined::Undefined => before,
        MaybeUndefined::Null => None,
        MaybeUndefined::Value(text) => Some(text.0),
    }
}

fn strings(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(String::from).collect()
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "NotificationStatus", rename_all = "lowercase")]
pub enum Status {
    /// It waits for its turn, or to be tried again.
    Pending,
    /// The receiver took it.
    Sent,
    /// It was given up.
    Failed,
    /// It was never to be sent: the reason says why.
    Skipped,
}

impl Status {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Sent => "sent",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        }
    }

    /// Of a stored word.
    pub fn of(word: &str) -> Status {
        [Status::Pending, Status::Sent, Status::Failed]
            .into_iter()
            .find(|status| status.as_str() == word)
            .unwrap_or(Status::Skipped)
    }
}

/// One delivery and its attempts.
#[derive(Debug, Object)]
#[oai(rename = "NotificationDelivery")]
pub struct DeliveryView {
    /// `webhook-id` without `msg_`; its stream is `notification-delivery/<id>`.
    pub id: Uuid,
    /// The event that it tells of; absent in a test.
    pub event_seq: Option<i64>,
    /// The rule that wanted it; absent in a test.
    pub rule: Option<Uuid>,
    /// `rule`, `replay` or `test`.
    pub cause: String,
    /// What became of it.
    pub status: Status,
    /// Why it was not sent, or not yet: a stable word.
    pub reason: Option<String>,
    /// When it is tried next.
    pub next_attempt_at: Option<OffsetDateTime>,
    /// When it was put in the queue.
    pub created_at: OffsetDateTime,
    /// When it was sent, given up or skipped.
    pub ended_at: Option<OffsetDateTime>,
    /// What was tried, the oldest first.
    pub attempts: Vec<AttemptView>,
}

/// One attempt.
#[derive(Debug, Object, Deserialize)]
#[oai(rename = "NotificationAttempt")]
pub struct AttemptView {
    /// From 1.
    attempt: i32,
    /// When it began to be recorded.
    #[serde(with = "stamp")]
    at: OffsetDateTime,
    /// `sent` or `failed`.
    outcome: String,
    /// Why it failed: a stable word.
    reason: Option<String>,
    /// What the receiver said, such as `503`, or what went wrong.
    detail: String,
    /// The beginning of the receiver's answer, at most 1,024 bytes.
    response: Option<String>,
    /// How long it took.
    latency_ms: i32,
}

/// A page of deliveries.
#[derive(Debug, Object)]
#[oai(rename = "NotificationDeliveries")]
pub struct DeliveryPage {
    /// The newest first; at most `limit`.
    pub items: Vec<DeliveryView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub next: Option<String>,
}
