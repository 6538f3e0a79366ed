#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::limits::{check_channel, check_rule};
use super::schedule::{DISABLE_AFTER, PAUSES, REFUSED_ATTEMPTS, RETRY_AFTER_MOST, pause};
use super::template::{CHARS, Template};
use super::{ChannelFacts, RuleFacts, Target, matches_type};

#[test]
fn a_pause_grows_with_each_attempt_is_jittered_and_never_shorter_than_the_receiver_asked_for() {
    for (attempt, base) in (1..).zip(PAUSES) {
        assert_eq!(pause(attempt, false, 0.0, None), Some(base.mul_f64(0.8)));
        assert_eq!(pause(attempt, false, 1.0, None), Some(base.mul_f64(1.2)));
    }
    assert!(PAUSES.is_sorted());
    assert_eq!(pause(11, false, 0.5, None), None, "the last");
    let hour = Duration::from_secs(3_600);
    assert_eq!(pause(1, false, 0.5, Some(hour)), Some(hour));
    assert_eq!(pause(1, false, 0.5, Some(hour * 1_000)), Some(RETRY_AFTER_MOST));
    assert_eq!(pause(4, false, 0.5, Some(Duration::from_secs(1))), Some(PAUSES[3]));
    assert_eq!(pause(REFUSED_ATTEMPTS, true, 0.5, None), None, "the message itself is not wanted");
}

#[test]
fn one_delivery_is_given_up_before_its_channel_is() {
    let all: Duration = PAUSES.iter().map(|pause| pause.mul_f64(1.2)).sum();
    assert!(all > Duration::from_secs(3 * 24 * 3_600) && all < DISABLE_AFTER, "{all:?}");
}

#[test]
fn a_template_shows_facts_and_nothing_else() {
    let event =
        json!({ "type": "incident.created", "data": { "title": "{{type}} ö", "n": 1, "tags": ["a"], "a b": true } });
    let render = |text: &str| Template::parse(text).unwrap().render(&event);
    assert_eq!(render("{{ data.title }} is {{data.n}}, {{data.tags}}{{data.nothing}}"), "{{type}} ö is 1, [\"a\"]");
    assert_eq!(render("{{data[\"a b\"]}} }} { {"), "true }} { {");
    for (text, position) in [("ö {{", 5), ("{{data.}}", 8), ("{{data }", 8), ("{{data | upper}}", 8)] {
        assert_eq!(Template::parse(text).unwrap_err().position, position, "{text}");
    }
    assert!(Template::parse(&"x".repeat(CHARS + 1)).is_err());
}

#[test]
fn a_pattern_names_a_type_its_family_or_all_but_never_what_deliveries_say() {
    assert!(matches_type("incident.created", "incident.created"));
    assert!(matches_type("incident.*", "incident.status.changed"));
    assert!(matches_type("*", "user.created"));
    assert!(!matches_type("incident.*", "incidental.created"));
    assert!(!matches_type("inc*", "incident.created"));
    assert!(!matches_type("*", "notification.failed") && !matches_type("notification.sent", "notification.sent"));
    assert!(matches_type("notification.*", "notification.channel.disabled"));
}

#[test]
fn what_is_wrong_is_told_where() {
    let channel = |target| ChannelFacts { name: "pager".to_owned(), target };
    let webhook = |url: &str| check_channel(&channel(Target::Webhook { url: url.to_owned() }));
    assert_eq!(webhook("https://example.org/x"), []);
    for url in ["ftp://example.org", "example.org", "https://a b", ""] {
        assert_eq!(webhook(url)[0].pointer, "/url", "{url}");
    }
    let mail = |to: &[&str]| check_channel(&channel(Target::Mail { to: to.iter().map(|&to| to.to_owned()).collect() }));
    assert_eq!(mail(&["ops@example.org"]), []);
    for to in ["ops", "@example.org", "a@b@c", "a b@c", "a@b\r\nBcc: c@d", "a@", "<a@b>"] {
        assert_eq!(mail(&["ops@example.org", to])[0].pointer, "/to/1", "{to}");
    }
    assert_eq!(mail(&[])[0].pointer, "/to");
    let rule = RuleFacts {
        name: " ".to_owned(),
        channel: Uuid::nil(),
        types: Vec::new(),
        condition: Some("data.severity =".to_owned()),
        subject: Some("{{".to_owned()),
        text: None,
        enabled: true,
    };
    let pointers: Vec<String> = check_rule(&rule).into_iter().map(|violation| violation.pointer).collect();
    assert_eq!(pointers, ["/name", "/types", "/condition", "/subject"]);
}
