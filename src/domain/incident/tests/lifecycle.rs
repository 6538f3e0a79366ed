//! From report to end and back.

use std::collections::BTreeSet;

use serde_json::json;
use time::{Duration, macros::datetime};

use super::super::*;
use super::cases::{after, ended, incident, move_to};
use super::world::report;

#[test]
fn a_report_begins_as_triggered_with_version_1() {
    let incident = incident(&[]);
    assert_eq!(incident.status, Status::Triggered);
    assert_eq!(incident.version, 1);
    assert_eq!(incident.key(), "INC-1");
    assert_eq!(incident.created_by, "user:ada");
}

#[test]
fn every_fact_of_the_report_is_in_the_state() {
    let create = Create {
        description: "since\nnoon".to_owned(),
        priority: Priority::Urgent,
        assignee: Some("grace".to_owned()),
        dedup_key: Some("disk:web-1".to_owned()),
        ..report(1)
    };
    let event = &decide(None, &Command::Create(create)).unwrap()[0];
    let facts = event.data();
    let blank = incident(&[]);
    let meta = Meta { stream_id: blank.id, actor: "user:ada".to_owned(), occurred_at: blank.created_at };
    let state = serde_json::to_value(evolve(None, event, &meta)).unwrap();
    for (field, fact) in facts.as_object().unwrap() {
        assert_eq!(&state[field], fact, "{field}");
    }
}

#[test]
fn every_changed_fact_is_in_the_state() {
    let update = Update {
        title: Some("checkout is down".to_owned()),
        description: Some("since noon".to_owned()),
        severity: Some(Severity::P0),
        priority: Some(Priority::Urgent),
        affected_servers: Some(vec!["web-2".to_owned()]),
        labels: Some([("team".to_owned(), "web".to_owned())].into()),
        dedup_key: Some(Some("disk:web-2".to_owned())),
    };
    let command = Command::Update(update);
    let changes = decide(Some(&incident(&[])), &command).unwrap()[0].data()["changes"].clone();
    let state = serde_json::to_value(after(incident(&[]), &command)).unwrap();
    assert_eq!(changes.as_object().unwrap().len(), 7);
    for (field, change) in changes.as_object().unwrap() {
        assert_eq!(state[field], change["new"], "{field}");
    }
}

#[test]
fn an_update_tells_only_what_changed() {
    let update = Update {
        title: Some("checkout is slow".to_owned()),
        severity: Some(Severity::P0),
        affected_servers: Some(["web-2", "web-1", "web-2"].map(str::to_owned).to_vec()),
        dedup_key: Some(None),
        ..Update::default()
    };
    let events = decide(Some(&incident(&[])), &Command::Update(update)).unwrap();
    let expected = json!({ "changes": {
        "severity": { "old": "P2", "new": "P0" },
        "affected_servers": { "old": ["web-1"], "new": ["web-2", "web-1"] },
    }});
    assert_eq!(events[0].data(), expected);
}

#[test]
fn a_day_in_the_life_sets_each_time_once() {
    use Status::{Acknowledged, Investigating, Mitigated, Resolved};
    let incident = incident(&[Acknowledged, Investigating, Mitigated, Resolved]);
    let noon = datetime!(2026-03-04 12:00:00.123456 UTC);
    assert_eq!(incident.acknowledged_at, Some(noon));
    assert_eq!(incident.mitigated_at, Some(noon + Duration::hours(2)));
    assert_eq!(incident.resolved_at, Some(noon + Duration::hours(3)));
    assert_eq!(incident.closed_at, None);
}

/// Written down a second time on purpose: a change of the table has to be meant.
#[test]
fn the_status_machine_is_this_one() {
    let machine = Status::ALL.iter().map(|from| {
        let names: Vec<_> = moves(*from).iter().map(|action| action.as_str()).collect();
        format!("{from}: {}", names.join(" "))
    });
    let expected = [
        "triggered: acknowledge investigate mitigate resolve cancel",
        "acknowledged: unacknowledge investigate mitigate resolve cancel",
        "investigating: acknowledge mitigate resolve cancel",
        "mitigated: investigate resolve cancel",
        "resolved: close reopen",
        "closed: reopen",
        "cancelled: reopen",
    ];
    assert!(machine.eq(expected));
}

#[test]
fn every_move_can_be_undone() {
    for from in Status::ALL {
        for to in ends(*from) {
            assert!(reachable(to).contains(from), "no way back from {to} to {from}");
        }
    }
}

/// Every status that moves lead to in the end.
fn reachable(from: Status) -> BTreeSet<Status> {
    let further = |found: &BTreeSet<Status>| found.iter().flat_map(|at| ends(*at)).collect();
    Status::ALL.iter().fold(BTreeSet::from([from]), |found, _| &found | &further(&found))
}

/// Every status one move leads to, whatever the incident's past.
fn ends(from: Status) -> Vec<Status> {
    let reopened = [Status::Triggered, Status::Investigating];
    let end = |action: &Action| action.leads_to().map_or(reopened.to_vec(), |to| vec![to]);
    moves(from).iter().flat_map(end).collect()
}

#[test]
fn an_illegal_move_is_refused_with_the_legal_ones() {
    let (from, to) = (Status::Resolved, Status::Acknowledged);
    let refusal = decide(Some(&incident(&[from])), &move_to(to)).unwrap_err();
    assert_eq!(refusal.to_string(), "an incident that is resolved cannot become acknowledged");
    let allowed = vec![Action::Close, Action::Reopen];
    assert_eq!(refusal, Refusal::IllegalTransition { from, to, allowed });
}

#[test]
fn reopening_goes_back_to_work_only_if_somebody_had_taken_it() {
    use Status::{Acknowledged, Cancelled, Closed, Investigating, Resolved, Triggered};
    let reopened = |path: &[Status]| {
        let incident = after(incident(path), &Command::Reopen { reason: None });
        assert_eq!((incident.reopened, incident.resolved_at, incident.closed_at), (1, None, None));
        incident.status
    };
    assert_eq!(reopened(&[Resolved]), Triggered, "nobody saw it");
    assert_eq!(reopened(&[Acknowledged, Resolved, Closed]), Investigating, "somebody had it");
    assert_eq!(reopened(&[Acknowledged, Triggered, Cancelled]), Triggered, "they gave it back");
}

#[test]
fn reopening_clears_the_resolution() {
    let resolve = Command::ChangeStatus(ended(Status::Resolved, "replaced the disk"));
    let closed = after(after(incident(&[]), &resolve), &move_to(Status::Closed));
    assert_eq!(closed.resolution.as_deref(), Some("replaced the disk"));
    let open = after(closed, &Command::Reopen { reason: None });
    assert_eq!(open.resolution, None);
}

#[test]
fn a_resolution_without_an_end_is_refused() {
    let command = Command::ChangeStatus(ended(Status::Mitigated, "restarted it"));
    let refusal = decide(Some(&incident(&[])), &command).unwrap_err();
    let pointer = "/resolution".to_owned();
    let message = "belongs to resolved and closed, not to mitigated".to_owned();
    assert_eq!(refusal, Refusal::Invalid(vec![Violation { pointer, message }]));
}

#[test]
fn a_recorded_status_may_jump_and_says_so() {
    let record = Command::Record(ended(Status::Closed, "by phone"));
    let event = &decide(Some(&incident(&[])), &record).unwrap()[0];
    let expected = json!({
        "old": "triggered",
        "new": "closed",
        "cause": "record",
        "reason": null,
        "resolution": "by phone",
    });
    assert_eq!(event.kind(), "incident.status.changed");
    assert_eq!(event.data(), expected);
}

#[test]
fn only_create_makes_an_incident_and_only_once() {
    assert_eq!(decide(None, &move_to(Status::Closed)), Err(Refusal::Missing));
    let again = Command::Create(report(1));
    assert_eq!(decide(Some(&incident(&[])), &again), Err(Refusal::Exists));
}
