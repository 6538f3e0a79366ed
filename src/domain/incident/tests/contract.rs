//! What others see: names, JSON, schemas.

use serde_json::{Value, json};

use super::super::*;
use super::cases::incident;

#[test]
fn a_key_has_one_spelling() {
    assert_eq!(number("INC-42"), Some(42));
    for name in ["INC-042", "INC-+42", "inc-42", "INC-0", "INC--1", "INC-", "42", " INC-42"] {
        assert_eq!(number(name), None, "{name}");
    }
}

#[test]
fn words_read_back_and_sort_as_declared() {
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(*status));
        assert_eq!(json!(status), json!(status.as_str()));
    }
    assert!(Severity::P0 < Severity::P4 && Priority::Low < Priority::Urgent);
    assert_eq!(Severity::parse("p0"), None);
}

#[test]
fn times_are_written_in_utc_with_six_digits() {
    let json = serde_json::to_value(incident(&[Status::Acknowledged])).unwrap();
    assert_eq!(json["created_at"], "2026-01-02T03:04:05.000000Z");
    assert_eq!(json["acknowledged_at"], "2026-03-04T12:00:00.123456Z");
    assert_eq!(json["resolved_at"], Value::Null);
}

#[test]
fn an_unknown_type_or_field_is_not_read() {
    let unknown = Event::parse("incident.vanished", &json!({})).unwrap_err();
    assert_eq!(unknown.to_string(), "`incident.vanished` is no event type of incidents");

    let data = json!({ "old": null, "new": "ada", "mood": "good" });
    let unfit = Event::parse("incident.assigned", &data).unwrap_err();
    assert_eq!(unfit.to_string(), "the data does not fit `incident.assigned`");
}

#[test]
fn each_type_has_a_closed_self_contained_schema() {
    for EventType { name, description, schema } in event_types() {
        assert!(name.starts_with("incident."), "{name}");
        assert!(description.ends_with('.'), "{name}: {description}");
        assert_eq!(schema["additionalProperties"], json!(false), "{name}");
        assert!(schema.get("$defs").is_none(), "{name} points outside itself");
    }
}
