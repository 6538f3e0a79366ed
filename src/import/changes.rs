//! What a row says that the row before it did not, as commands.
//!
//! Compared are two rows, not the row and the incident: what operators changed here meanwhile stays, unless
//! the service desk changed the same fact.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::row::{Facts, Row, State};
use crate::domain::incident::{Command, Incident, Status, Transition, Update};

/// What the row before an incident's first one would have said: the same, but that it is new.
pub(super) fn unborn(row: &Row) -> Facts {
    let state = State { word: "New".to_owned(), status: Some(Status::Triggered), resolution: None };
    Facts { state, ..row.facts.clone() }
}

/// The commands that carry a row into its incident, each with the time it happened.
pub(super) fn changes(before: &Facts, row: &Row, incident: &Incident) -> Vec<(OffsetDateTime, Command)> {
    let after = &row.facts;
    let labels = (before.labels != after.labels).then(|| relabelled(&incident.labels, &before.labels, &after.labels));
    let update = Update {
        title: changed(&before.title, &after.title),
        description: changed(&before.description, &after.description),
        severity: changed(&before.severity, &after.severity),
        priority: changed(&before.priority, &after.priority),
        affected_servers: changed(&before.affected_servers, &after.affected_servers),
        labels,
        dedup_key: None,
    };
    let mut commands = Vec::new();
    if update != Update::default() {
        commands.push((row.updated_at, Command::Update(update)));
    }
    if before.assignee != after.assignee {
        commands.push((row.updated_at, Command::Assign { assignee: after.assignee.clone() }));
    }
    if before.state.word != after.state.word {
        commands.push(state_command(row, incident));
    }
    commands
}

/// A new word for the state moves the incident; one that means the same status is a comment.
fn state_command(row: &Row, incident: &Incident) -> (OffsetDateTime, Command) {
    let State { word, status, resolution } = row.facts.state.clone();
    let said = format!("Service desk: {word}");
    match status {
        Some(to) if to != incident.status => {
            let closed = row.closed_at.filter(|_| to == Status::Closed);
            let transition = Transition { to, reason: Some(said), resolution };
            (closed.unwrap_or(row.updated_at), Command::Record(transition))
        }
        _ => (row.updated_at, Command::Comment { comment_id: row.id, text: said }),
    }
}

fn changed<T: Clone + PartialEq>(before: &T, after: &T) -> Option<T> {
    (before != after).then(|| after.clone())
}

/// The incident's labels with what changed between two rows: labels of other origin stay.
fn relabelled(
    now: &BTreeMap<String, String>,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels = now.clone();
    labels.retain(|key, _| after.contains_key(key) || !before.contains_key(key));
    labels.extend(
        after.iter().filter(|(key, value)| before.get(*key) != Some(*value)).map(|(k, v)| (k.clone(), v.clone())),
    );
    labels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

    use time::macros::datetime;
    use uuid::Uuid;

    use super::super::row::tests::row;
    use super::*;
    use crate::domain::incident::{Meta, Severity, decide, evolve};

    fn born(row: &Row) -> Incident {
        let events = decide(None, &row.create(1)).unwrap();
        let meta = Meta { stream_id: Uuid::nil(), actor: "system:import".to_owned(), occurred_at: row.opened_at };
        evolve(None, &events[0], &meta)
    }

    fn between(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<(OffsetDateTime, Command)> {
        let (before, after) = (row(before).unwrap(), row(after).unwrap());
        changes(&before.facts, &after, &born(&before))
    }

    #[test]
    fn equal_rows_change_nothing() {
        assert_eq!(between(&[], &[("sys_mod_count", "7"), ("sys_updated_at", "01-03-2016 08:00")]), []);
    }

    #[test]
    fn only_what_changed_is_updated() {
        let commands = between(&[], &[("impact", "1 - High"), ("assigned_to", "Resolver 1")]);
        let at = datetime!(2016-02-29 01:16 UTC);
        let update = Update { severity: Some(Severity::P1), ..Update::default() };
        let assign = Command::Assign { assignee: Some("Resolver 1".to_owned()) };
        assert_eq!(commands, [(at, Command::Update(update)), (at, assign)]);
    }

    #[test]
    fn labels_of_other_origin_stay() {
        let (before, after) = (row(&[("rfc", "CHG1")]).unwrap(), row(&[("location", "Location 3")]).unwrap());
        let mut incident = born(&before);
        incident.labels.insert("ours".to_owned(), "1".to_owned());
        let commands = changes(&before.facts, &after, &incident);
        let [(_, Command::Update(Update { labels: Some(labels), .. }))] = commands.as_slice() else {
            panic!("{commands:?}");
        };
        assert_eq!((labels["ours"].as_str(), labels["location"].as_str()), ("1", "Location 3"));
        assert!(!labels.contains_key("change"));
    }

    #[test]
    fn closing_happens_at_the_time_of_closing() {
        let commands = between(&[], &[("incident_state", "Closed"), ("sys_updated_at", "01-03-2016 08:00")]);
        let (at, Command::Record(transition)) = &commands[0] else { panic!("{commands:?}") };
        assert_eq!(*at, datetime!(2016-03-05 12:00 UTC));
        assert_eq!(transition.to, Status::Closed);
        assert_eq!(transition.resolution.as_deref(), Some("code 5, Resolved by 149"));
    }

    #[test]
    fn a_word_without_a_move_is_a_comment() {
        let commands = between(&[], &[("incident_state", "-100")]);
        assert!(matches!(&commands[0].1, Command::Comment { text, .. } if text == "Service desk: -100"));
    }
}
