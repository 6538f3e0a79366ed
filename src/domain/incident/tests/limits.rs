//! What a command may carry.

use serde_json::json;

use super::super::*;
use super::world::report;

/// Where and why a report is invalid.
fn violations(create: Create) -> Vec<Violation> {
    match decide(None, &Command::Create(create)) {
        Err(Refusal::Invalid(violations)) => violations,
        other => panic!("not refused as invalid: {other:?}"),
    }
}

fn pointers(create: Create) -> Vec<String> {
    violations(create).into_iter().map(|violation| violation.pointer).collect()
}

#[test]
fn limits_count_characters_and_the_last_one_is_inside() {
    let title = |length| Create { title: "ü".repeat(length), ..report(1) };
    assert!(decide(None, &Command::Create(title(200))).is_ok());
    let pointer = "/title".to_owned();
    let message = "has 201 characters, at most 200 can be".to_owned();
    assert_eq!(violations(title(201)), [Violation { pointer, message }]);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let create = Create {
        title: " ".to_owned(),
        description: "windows\r\nlines".to_owned(),
        assignee: Some(String::new()),
        affected_servers: vec!["web-1".to_owned(), "web\t2".to_owned()],
        labels: [("Team~a/b".to_owned(), String::new())].into(),
        dedup_key: Some("k".repeat(256)),
        ..report(1)
    };
    let mut found = pointers(create);
    found.sort();
    let expected = ["/affected_servers/1", "/assignee", "/dedup_key", "/description", "/labels/Team~0a~1b", "/title"];
    assert_eq!(found, expected);
}

#[test]
fn no_text_carries_control_characters_but_line_feed_and_tab() {
    for control in ('\0'..' ').filter(|char| !matches!(char, '\n' | '\t')) {
        let create = Create { description: format!("a{control}b"), ..report(1) };
        assert_eq!(pointers(create), ["/description"], "{control:?}");
    }
    let lines = Create { description: "first\n\tsecond".to_owned(), ..report(1) };
    assert!(decide(None, &Command::Create(lines)).is_ok());
}

#[test]
fn a_title_is_one_line() {
    let two = Create { title: "first\nsecond".to_owned(), ..report(1) };
    assert_eq!(pointers(two), ["/title"]);
}

#[test]
fn too_many_servers_are_one_violation_and_repetitions_do_not_count() {
    let bad_names = (0..101).map(|number| format!("web-{number}\0")).collect();
    let create = Create { affected_servers: bad_names, ..report(1) };
    assert_eq!(pointers(create), ["/affected_servers"]);

    let bad_again = vec!["web\0".to_owned(); 1_000];
    let create = Create { affected_servers: bad_again, ..report(1) };
    assert_eq!(pointers(create), ["/affected_servers/0"]);

    let repeated = vec!["web-1".to_owned(); 1_000];
    let create = Create { affected_servers: repeated, ..report(1) };
    let events = decide(None, &Command::Create(create)).unwrap();
    assert_eq!(events[0].data()["affected_servers"], json!(["web-1"]));
}
