//! Two incidents that are one, and are not after all.

use uuid::Uuid;

use super::super::*;
use super::cases::{follow, incident, move_to, neighbour};

/// `INC-1` merged into an incident with the highest id.
fn merged() -> Incident {
    let into = Some(Uuid::max());
    Incident { merged_into: into, status_before_merge: Some(Status::Triggered), ..incident(&[]) }
}

#[test]
fn a_merge_closes_the_source_and_unmerging_gives_its_status_back() {
    let (source, target) = (incident(&[Status::Acknowledged]), neighbour());

    let (source_events, target_events) = decide_merge(&source, &target).unwrap();
    let source = follow(source, &source_events);
    let target = follow(target, &target_events);
    assert_eq!(source.status, Status::Closed);
    assert_eq!(source.merged_into, Some(target.id));
    assert_eq!(target.absorbed, [source.id]);

    let (source_events, target_events) = decide_unmerge(&source, &target).unwrap();
    let source = follow(source, &source_events);
    let target = follow(target, &target_events);
    assert_eq!(source.status, Status::Acknowledged);
    assert_eq!((source.merged_into, source.closed_at, source.reopened), (None, None, 0));
    assert!(target.absorbed.is_empty());
}

#[test]
fn a_repeated_merge_or_unmerge_does_nothing() {
    let target = Incident { id: Uuid::max(), ..neighbour() };
    assert_eq!(decide_merge(&merged(), &target), Ok((vec![], vec![])));
    assert_eq!(decide_unmerge(&incident(&[]), &target), Ok((vec![], vec![])));
}

#[test]
fn a_merge_writes_the_change_of_status_between_merged_and_unmerged() {
    let kinds = |events: &[Event]| events.iter().map(Event::kind).collect::<Vec<_>>();
    let (source, target) = (incident(&[]), neighbour());
    let (events, _) = decide_merge(&source, &target).unwrap();
    assert_eq!(kinds(&events), ["incident.merged", "incident.status.changed"]);
    let (events, _) = decide_unmerge(&follow(source, &events), &target).unwrap();
    assert_eq!(kinds(&events), ["incident.status.changed", "incident.unmerged"]);
}

#[test]
fn a_merged_incident_takes_comments_and_nothing_else() {
    let decide = |command| decide(Some(&merged()), &command);
    let refusal = Err(Refusal::Merged { into: Uuid::max() });
    assert_eq!(decide(move_to(Status::Resolved)), refusal);
    assert_eq!(decide(Command::Assign { assignee: None }), refusal);
    assert_eq!(decide(Command::Update(Update::default())), refusal);
    let (comment_id, text) = (Uuid::nil(), "same here".to_owned());
    assert!(decide(Command::Comment { comment_id, text }).is_ok());
    assert_eq!(allowed_actions(&merged()), [Action::Comment, Action::Unmerge]);
}

#[test]
fn a_merge_needs_a_target_that_goes_on() {
    let source = incident(&[]);
    let refusal = |target: Incident| decide_merge(&source, &target).unwrap_err();

    assert_eq!(refusal(source.clone()), Refusal::MergeIntoItself);
    let elsewhere = Incident { merged_into: Some(Uuid::max()), ..neighbour() };
    assert_eq!(refusal(elsewhere), Refusal::MergeIntoMerged { into: Uuid::max() });
    for status in [Status::Closed, Status::Cancelled] {
        let over = Incident { status, ..neighbour() };
        assert_eq!(refusal(over), Refusal::MergeIntoEnded { status });
    }
    let full = Incident { absorbed: vec![Uuid::max(); limits::ABSORBED], ..neighbour() };
    assert_eq!(refusal(full), Refusal::MergeIntoFull);
}

#[test]
fn a_merged_incident_is_merged_or_unmerged_where_it_is_only() {
    let refusal = Err(Refusal::Merged { into: Uuid::max() });
    assert_eq!(decide_merge(&merged(), &neighbour()), refusal);
    assert_eq!(decide_unmerge(&merged(), &neighbour()), refusal);
}
