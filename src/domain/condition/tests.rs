#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{CHARS, Condition, DEPTH};

fn event() -> Value {
    json!({
        "seq": 7,
        "type": "incident.created",
        "actor": { "id": "user:1", "name": "ada" },
        "recorded_at": "2026-01-02T03:04:05.000000Z",
        "data": {
            "title": "Größe of db-1",
            "severity": "P1",
            "number": 42,
            "share": 0.5,
            "urgent": true,
            "assignee": null,
            "affected_servers": ["db-1", "db-2"],
            "labels": { "team/name": "storage", "in": "x" },
        },
    })
}

#[test]
fn what_holds_and_what_does_not() {
    let holds = [
        r#"data.severity == "P1""#,
        r#"data.severity in ["P0", "P1"] && !(data.title contains "drill" || actor.name == "import")"#,
        r#"data.title contains "db""#,
        r#""db-1" in data.title"#,
        r#"data.affected_servers contains "db-2""#,
        r#"data.labels contains "team/name""#,
        r#"data.labels["team/name"] == "storage""#,
        r#"data.labels.in == "x""#,
        r#"data.number == 42.0 && data.number > 41 && data.number <= 42 && data.share < 1"#,
        r#"data.urgent"#,
        r#"data.assignee == null && data.nothing.at.all == null"#,
        r#"data.nothing != "P1""#,
        r#"recorded_at >= "2026-01-01""#,
        r#"!data.nothing"#,
        r#"true || false && false"#,
        r#"seq == 7 && type == "incident.created""#,
        r#"data.title contains "Gr\u00f6\u00dfe""#,
    ];
    for text in holds {
        assert!(Condition::parse(text).unwrap().holds(&event()), "{text}");
    }
    let fails = [
        r#"data.severity == "p1""#,
        r#"data.number == "42""#,
        r#"data.number < "43""#,
        r#"data.number > "41""#,
        r#"data.severity"#,
        r#"data.nothing < 1"#,
        r#"data.title contains 1"#,
        r#"data.severity in []"#,
        r#"(true || false) && false"#,
        r#"!true || false"#,
    ];
    for text in fails {
        assert!(!Condition::parse(text).unwrap().holds(&event()), "{text}");
    }
}

#[test]
fn a_text_that_is_no_condition_is_told_where() {
    let wrong = [
        ("", 1, "expected a fact"),
        ("data.severity = \"P1\"", 15, "means nothing"),
        ("data.größe", 8, "means nothing"),
        ("data.", 6, "expected a name"),
        ("data.a == ", 11, "expected a fact"),
        ("(data.a", 8, "expected &&, || or )"),
        ("data.a == \"x", 11, "has no end"),
        ("data.a == \"\\x\"", 11, "not a text"),
        ("data.a == 1x", 11, "not a number"),
        ("data.a in [1,]", 14, "expected a text or a number"),
        ("data.a in [1 2]", 14, "expected , or ]"),
        ("data.a data.b", 8, "expected &&, || or the end"),
        ("data.a == 1 == 2", 13, "expected &&, || or the end"),
        ("data[\"a\"", 9, "expected ]"),
        ("\"ä\" == §", 8, "means nothing"),
    ];
    for (text, position, message) in wrong {
        let error = Condition::parse(text).unwrap_err();
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let deep = |levels: usize| format!("{}true{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Condition::parse(&deep(DEPTH - 1)).is_ok());
    assert!(Condition::parse(&deep(DEPTH)).unwrap_err().message.contains("deeper"));
    assert!(Condition::parse(&"!".repeat(CHARS)).unwrap_err().message.contains("deeper"));
    let long = format!("data.a == \"{}\"", "ä".repeat(CHARS));
    assert!(Condition::parse(&long).unwrap_err().message.contains("characters"));
    let keys = vec!["a"; 17].join(".");
    assert!(Condition::parse(&keys).unwrap_err().message.contains("keys"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-c.\\[\\]\"\\\\!&|<>=() 0-9\u{e4}-]{0,40}") {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(error.position <= text.chars().count() + 1);
        }
    }
}
