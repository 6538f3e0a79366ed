//! What a channel or a rule may say.

use super::channel::{ChannelFacts, Target};
use super::rule::RuleFacts;
use super::template::Template;
use crate::domain::condition::Condition;

/// Channels that are not deleted; each may have one delivery under way.
pub const CHANNELS: i64 = 100;
/// Rules that are not deleted; each is asked about every event.
pub const RULES: i64 = 200;
/// Characters of a name.
pub const NAME_CHARS: usize = 100;
/// Characters of an address on the web.
pub const URL_CHARS: usize = 2_000;
/// Recipients of a mail.
pub const RECIPIENTS: usize = 20;
/// Characters of a mail address (RFC 5321).
pub const ADDRESS_CHARS: usize = 254;
/// Patterns of a rule.
pub const TYPES: usize = 20;
/// Characters of one.
pub const TYPE_CHARS: usize = 100;
/// Characters of a reason.
pub const REASON_CHARS: usize = 500;

/// One broken limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the command's JSON body, as an RFC 6901 pointer.
    pub pointer: String,
    /// A phrase that follows the field's name: "must not be blank".
    pub message: String,
}

fn violation(pointer: impl Into<String>, message: impl Into<String>) -> Violation {
    Violation { pointer: pointer.into(), message: message.into() }
}

/// What is wrong with a channel's facts. Whether its host may be connected to is not known here.
pub fn check_channel(facts: &ChannelFacts) -> Vec<Violation> {
    let mut wrong = check_line("/name", &facts.name, NAME_CHARS);
    match &facts.target {
        Target::Webhook { url } => {
            let length = url.chars().count();
            let scheme = url.starts_with("https://") || url.starts_with("http://");
            if !scheme || length > URL_CHARS || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
                wrong.push(violation("/url", format!("must be http(s)://… of at most {URL_CHARS} characters")));
            }
        }
        Target::Mail { to } => {
            if !(1..=RECIPIENTS).contains(&to.len()) {
                wrong.push(violation("/to", format!("must have 1 to {RECIPIENTS} addresses")));
            }
            for (nth, address) in to.iter().enumerate().filter(|(_, address)| !is_address(address)) {
                wrong.push(violation(format!("/to/{nth}"), format!("{address:?} is no mail address")));
            }
        }
    }
    wrong
}

/// What is wrong with a rule's facts. Whether its channel and types exist is not known here.
pub fn check_rule(facts: &RuleFacts) -> Vec<Violation> {
    let mut wrong = check_line("/name", &facts.name, NAME_CHARS);
    if !(1..=TYPES).contains(&facts.types.len()) {
        wrong.push(violation("/types", format!("must have 1 to {TYPES} types")));
    }
    for (nth, _) in facts.types.iter().enumerate().filter(|(_, kind)| kind.chars().count() > TYPE_CHARS) {
        wrong.push(violation(format!("/types/{nth}"), format!("has at most {TYPE_CHARS} characters")));
    }
    if let Some(error) = facts.condition.as_deref().and_then(|text| Condition::parse(text).err()) {
        wrong.push(violation("/condition", error.to_string()));
    }
    for (pointer, text) in [("/subject", &facts.subject), ("/text", &facts.text)] {
        if text.as_deref().is_some_and(|text| text.contains('\0')) {
            wrong.push(violation(pointer, "must not contain the character NUL"));
        }
        if let Some(error) = text.as_deref().and_then(|text| Template::parse(text).err()) {
            wrong.push(violation(pointer, error.to_string()));
        }
    }
    wrong
}

/// What is wrong with a text of one line.
pub fn check_line(pointer: &str, text: &str, most: usize) -> Vec<Violation> {
    if text.trim().is_empty() {
        vec![violation(pointer, "must not be blank")]
    } else if text.chars().count() > most || text.chars().any(char::is_control) {
        vec![violation(pointer, format!("must be one line of at most {most} characters"))]
    } else {
        Vec::new()
    }
}

/// The form that every mail server takes; whether there is such a mailbox only a mail tells.
fn is_address(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_graphic() && !"()<>[],;:\\\"".contains(c));
    let parts = text.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && host.split('.').all(|label| !label.is_empty()) && !host.contains('@')
    });
    plain && parts && text.len() <= ADDRESS_CHARS
}
