//! The rules of executions, without a clock and without a database.

#![allow(clippy::unwrap_used)]

use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::*;
use crate::domain::automation::{Definition, Inputs, runbook};

const AT: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
const ONE: Lease = Lease { runner: Uuid::from_u128(1), token: 1 };
const TWO: Lease = Lease { runner: Uuid::from_u128(2), token: 2 };

fn wait(name: &str) -> serde_json::Value {
    step(name, json!({ "wait": { "seconds": 5 } }))
}

fn step(name: &str, more: serde_json::Value) -> serde_json::Value {
    let mut step = json!({ "name": name, "timeout_s": 60, "continue_on_failure": false, "repeatable": false });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

fn queued(steps: serde_json::Value, timeout_s: Option<u32>) -> Execution {
    let definition: Definition = serde_json::from_value(json!({
        "name": "Test", "description": "", "inputs": [], "steps": steps, "max_concurrent": 1, "timeout_s": timeout_s,
        "schedule": null, "on_event": null
    }))
    .unwrap();
    let id = Uuid::from_u128(7);
    let created = runbook::decide(None, &runbook::Command::Create(definition)).unwrap();
    let runbook = runbook::evolve(None, id, &created[0], "user:a", AT).unwrap();
    let queue = Queue {
        runbook,
        inputs: Inputs::default(),
        trigger: Trigger::Manual,
        reason: "a test".to_owned(),
        depth: 0,
        correlation_id: Uuid::from_u128(9),
    };
    let events = decide(None, &Command::Queue(Box::new(queue)), AT).unwrap();
    events.iter().fold(None, |state, event| evolve(state, id, &stored(event), "user:a", AT)).unwrap()
}

/// As it is stored and read again.
fn stored(event: &Event) -> Event {
    Event::parse(event.kind(), &event.data().to_string()).unwrap()
}

/// The execution after a command, and the types of what happened.
fn after(state: &Execution, command: Command, now: OffsetDateTime) -> (Execution, Vec<&'static str>) {
    let events = decide(Some(state), &command, now).unwrap();
    let fold = |state, event: &Event| evolve(state, Uuid::from_u128(7), &stored(event), "system", now);
    let state = events.iter().fold(Some(state.clone()), fold).unwrap();
    let kinds = events.iter().map(|event| event.kind().strip_prefix("automation.").unwrap()).collect();
    (state, kinds)
}

fn ended(outcome: Outcome) -> Ended {
    Ended::new(outcome, Some("said so".to_owned()), AT)
}

#[test]
fn steps_come_in_their_order_and_the_last_one_ends_it() {
    let state = queued(json!([wait("a"), wait("b")]), None);
    assert_eq!(next(&state, AT), Next::Leave, "it must be claimed first");
    let (state, kinds) = after(&state, Command::Claim(ONE), AT);
    assert_eq!((kinds, next(&state, AT)), (vec!["started"], Next::Start));
    let (state, kinds) = after(&state, Command::StartStep(ONE), AT);
    assert_eq!((kinds, next(&state, AT)), (vec!["step.started"], Next::Act));
    let (state, kinds) = after(&state, Command::FinishStep(ONE, ended(Outcome::Succeeded)), AT);
    assert_eq!((kinds, next(&state, AT), state.step), (vec!["step.finished"], Next::Start, 1));
    let (state, _) = after(&state, Command::StartStep(ONE), AT);
    let (state, kinds) = after(&state, Command::FinishStep(ONE, ended(Outcome::Succeeded)), AT);
    assert_eq!((kinds, state.status), (vec!["step.finished", "completed"], Status::Succeeded));
    assert_eq!(next(&state, AT), Next::Leave);
}

#[test]
fn attempts_are_counted_and_pauses_double_up_to_an_hour() {
    let retry = json!({ "wait": { "seconds": 5 }, "retry": { "attempts": 14, "pause_s": 2 } });
    let (mut state, _) = after(&queued(json!([step("a", retry)]), None), Command::Claim(ONE), AT);
    let mut pauses = Vec::new();
    let mut now = AT;
    loop {
        (state, _) = after(&state, Command::StartStep(ONE), now);
        let failed = Ended::new(Outcome::Failed, None, now);
        (state, _) = after(&state, Command::FinishStep(ONE, failed), now);
        let Next::Pause(until) = next(&state, now) else { break };
        pauses.push((until - now).whole_seconds());
        now = until;
        assert_eq!(next(&state, now), Next::Start);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 3_600, 3_600]);
    assert_eq!((state.status, state.steps[0].attempt), (Status::Failed, 14));
    let resume = Command::Resume { reason: None, secrets: Vec::new() };
    let (state, kinds) = after(&state, resume, now);
    assert_eq!((kinds, state.status), (vec!["resumed"], Status::Queued));
    let (state, kinds) = after(&state, Command::Claim(TWO), now);
    assert_eq!((kinds, next(&state, now)), (vec!["continued"], Next::Start));
}

#[test]
fn a_failure_that_is_passed_over_is_told_at_the_end() {
    let passed = step("a", json!({ "wait": { "seconds": 5 }, "continue_on_failure": true }));
    let (state, _) = after(&queued(json!([passed, wait("b")]), None), Command::Claim(ONE), AT);
    let (state, _) = after(&state, Command::StartStep(ONE), AT);
    let (state, _) = after(&state, Command::FinishStep(ONE, ended(Outcome::Failed)), AT);
    let (state, _) = after(&state, Command::StartStep(ONE), AT);
    let events = decide(Some(&state), &Command::FinishStep(ONE, ended(Outcome::Succeeded)), AT).unwrap();
    assert_eq!(events[1].data(), json!({ "passed_over": 1 }));
}

#[test]
fn whoever_takes_over_goes_on_where_that_is_safe_and_says_what_was_interrupted_where_it_is_not() {
    let http = |method: &str| json!({ "http": { "method": method, "url": "http://x", "headers": {}, "body": null, "expect": [] } });
    let command = json!({ "command": { "name": "x", "arguments": [] } });
    let mut repeatable = command.clone();
    repeatable["repeatable"] = json!(true);
    for (what, safe) in [
        (json!({ "wait": { "seconds": 5 } }), true),
        (http("GET"), true),
        (http("PUT"), true),
        (http("POST"), false),
        (command, false),
        (repeatable, true),
    ] {
        let (state, _) = after(&queued(json!([step("a", what.clone())]), None), Command::Claim(ONE), AT);
        let (state, _) = after(&state, Command::StartStep(ONE), AT);
        let (state, kinds) = after(&state, Command::Claim(TWO), AT);
        if safe {
            assert_eq!((kinds, next(&state, AT)), (vec!["continued"], Next::Act), "{what}");
        } else {
            assert_eq!(kinds, ["continued", "step.finished", "failed"], "{what}");
            assert_eq!(state.steps[0].status, StepStatus::Interrupted);
        }
        let late = decide(Some(&state), &Command::FinishStep(ONE, ended(Outcome::Succeeded)), AT);
        assert_eq!(late, Err(Refusal::Fenced), "the one before has nothing to say any more");
        assert_eq!(decide(Some(&state), &Command::Claim(ONE), AT), Err(Refusal::Fenced));
    }
}

#[test]
fn a_wish_to_end_it_is_carried_out_by_whoever_runs_it_and_at_once_when_nobody_does() {
    let state = queued(json!([wait("a")]), None);
    let cancel = || Command::Cancel { reason: Some("enough".to_owned()) };
    let (ended_at_once, kinds) = after(&state, cancel(), AT);
    assert_eq!((kinds, ended_at_once.status), (vec!["cancelled"], Status::Cancelled));
    let (state, _) = after(&state, Command::Claim(ONE), AT);
    let (state, _) = after(&state, Command::StartStep(ONE), AT);
    let (state, kinds) = after(&state, cancel(), AT);
    assert_eq!((kinds, next(&state, AT), state.status), (vec!["cancel.requested"], Next::Cancel, Status::Running));
    assert_eq!(decide(Some(&state), &cancel(), AT), Ok(Vec::new()), "asked twice, it happens once");
    let (state, kinds) = after(&state, Command::Cancelled(ONE), AT);
    assert_eq!((kinds, state.end_reason.as_deref()), (vec!["step.finished", "cancelled"], Some("enough")));
    assert!(matches!(
        decide(Some(&state), &Command::Approve { actor: "a".into(), reason: None }, AT),
        Err(Refusal::Illegal { .. })
    ));
}

#[test]
fn an_execution_has_an_end_in_time_whatever_its_steps_say() {
    let (state, _) = after(&queued(json!([wait("a")]), Some(10)), Command::Claim(ONE), AT);
    let late = AT + Duration::seconds(10);
    assert_eq!((next(&state, late - Duration::seconds(1)), next(&state, late)), (Next::Start, Next::TimeOut));
    let (state, kinds) = after(&state, Command::TimeOut(ONE), late);
    assert_eq!((kinds, state.status), (vec!["timed_out"], Status::TimedOut));
}
