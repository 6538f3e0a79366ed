//! What is sent: the event itself for programs, and a subject and a text for people.

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::notification::template::Template;
use crate::domain::notification::{Channel, Rule};
use crate::log::{Event, stamp};

const SUBJECT: &str = "[Signalbox] {{type}} {{data.title}}";
const TEXT: &str = "{{type}} in {{stream}}, by {{actor.name}} at {{recorded_at}}\n\n{{data}}\n";

/// One notification, the same at each attempt.
#[derive(Debug)]
pub struct Message {
    /// Names the delivery; receivers know a repetition by it.
    pub id: Uuid,
    /// The event's type.
    pub kind: String,
    /// When it was recorded.
    pub timestamp: String,
    /// The event as every door shows it.
    pub event: Value,
    /// One line.
    pub subject: String,
    /// Any number of lines.
    pub text: String,
}

impl Message {
    /// About an event, in the words of a rule.
    pub fn of(id: Uuid, event: &Event, rule: Option<&Rule>) -> Message {
        let facts = serde_json::from_str(&event.json()).unwrap_or_default();
        let subject = rule.and_then(|rule| rule.facts.subject.as_deref()).unwrap_or(SUBJECT);
        let text = rule.and_then(|rule| rule.facts.text.as_deref()).unwrap_or(TEXT);
        Message {
            id,
            kind: event.kind.clone(),
            timestamp: stamp::text(event.recorded_at),
            subject: line(&render(subject, &facts)),
            text: render(text, &facts),
            event: facts,
        }
    }

    /// A test of a channel.
    pub fn test(id: Uuid, channel: &Channel, at: OffsetDateTime) -> Message {
        let text = format!("This is a test of the channel {}.", channel.facts.name);
        Message {
            id,
            kind: "notification.test".to_owned(),
            timestamp: stamp::text(at),
            event: json!({ "type": "notification.test", "data": { "channel": channel.id } }),
            subject: format!("[Signalbox] test of {}", channel.facts.name),
            text,
        }
    }

    /// The payload of a webhook, in the form that Standard Webhooks proposes; `text` is what chats show.
    pub fn payload(&self) -> String {
        json!({ "type": self.kind, "timestamp": self.timestamp, "data": self.event, "text": self.text }).to_string()
    }
}

fn render(template: &str, facts: &Value) -> String {
    // It was accepted once: the language may only ever grow.
    Template::parse(template).map(|template| template.render(facts)).unwrap_or_default()
}

/// A header has one line.
fn line(text: &str) -> String {
    let one = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect::<String>();
    one.trim().to_owned()
}
