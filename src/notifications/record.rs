//! What came of an attempt: the event that tells of it, the attempts log and the queue, in one transaction.

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Outcome, store};
use crate::consumer::{Ended, Guard};
use crate::domain::notification::schedule::{DISABLE_AFTER, pause};
use crate::domain::notification::{Channel, ChannelDisabled, ChannelEvent, Failed, Sent};
use crate::domain::permission::NOTIFICATIONS_READ;
use crate::http::App;
use crate::log::{Cause, Command, Event, NewEvent, State, Write, stamp};

/// A channel that changes at the same time makes it be recorded anew, so many times.
const ATTEMPTS: usize = 8;

/// Of what delivery.
pub struct Of<'a> {
    /// Its id.
    pub delivery: Uuid,
    /// Where it went.
    pub channel: Channel,
    /// What it told of; `None` in a test.
    pub event: Option<&'a Event>,
    /// How many attempts there were, this one included.
    pub attempt: i32,
    /// For how long every attempt of the channel before this one has failed.
    pub failing_s: Option<f64>,
    /// That the process still holds the queues; `None` in a test, which is in no queue.
    pub guard: Option<Guard>,
}

/// Records an attempt, and disables a channel that is gone or has failed for days.
///
/// # Errors
/// [`Ended`]: it may not be recorded, and then it is made again.
pub async fn record(app: &App, of: Of<'_>, outcome: &Outcome) -> Result<(), Ended> {
    let at = stamp::micros(OffsetDateTime::now_utc());
    let test = of.event.is_none();
    let retry = outcome.reason.and_then(|_| pause(of.attempt, outcome.refused, rand::random(), outcome.retry_after));
    let retry_in_s = retry.filter(|_| !test && !outcome.gone).map(|pause| pause.as_secs_f64());
    let event = happened(&of, outcome, retry_in_s, at);
    let attempt = attempt(&of, outcome, retry_in_s, at);
    let mut channel = Some(of.channel.clone());
    for _ in 0..ATTEMPTS {
        let stream = format!("notification-delivery/{}", of.delivery);
        let mut writes = vec![Write { stream, expected: None, events: vec![event.clone()] }];
        let mut states = vec![State { kind: "notification_attempt", json: attempt.clone() }];
        states.extend(of.guard.map(|guard| guard.state()));
        let gives_up = reason_to_disable(&of, outcome).zip(channel.take().filter(|channel| channel.disabled.is_none()));
        if let Some((reason, channel)) = gives_up {
            let disabled = ChannelEvent::Disabled(ChannelDisabled { reason });
            let (write, state, _) = store::write_channel(Some(&channel), channel.id, &disabled, at);
            writes.push(write);
            states.push(state);
        }
        let command = Command { cause: cause(of.event), writes, states, idempotency: None };
        match app.appender.append(command).await? {
            crate::log::Outcome::Conflict { .. } => {
                channel = store::channel(&app.background, of.channel.id).await?.1.map(|(channel, _)| channel);
            }
            _ => return Ok(()),
        }
    }
    Err(Ended::Lost)
}

/// What is caused by an event belongs to what the event belongs to.
fn cause(event: Option<&Event>) -> Cause {
    let ours = Cause::system("notifications");
    match event {
        Some(event) => Cause {
            correlation_id: event.correlation_id,
            causation_id: Some(event.id),
            trace_id: event.trace_id.clone(),
            ..ours
        },
        None => ours,
    }
}

fn reason_to_disable(of: &Of<'_>, outcome: &Outcome) -> Option<String> {
    let days = DISABLE_AFTER.as_secs() / 86_400;
    if of.event.is_none() {
        None // a test only tells
    } else if outcome.gone {
        Some("the receiver answered 410 Gone".to_owned())
    } else if outcome.reason.is_some() && of.failing_s.is_some_and(|s| s > DISABLE_AFTER.as_secs_f64()) {
        Some(format!("every attempt has failed for {days} days; the last: {}", outcome.detail))
    } else {
        None
    }
}

fn happened(of: &Of<'_>, outcome: &Outcome, retry_in_s: Option<f64>, at: OffsetDateTime) -> NewEvent {
    let (channel, event_seq) = (of.channel.id, of.event.map(|event| event.seq));
    let (test, latency_ms) = (of.event.is_none(), milliseconds(outcome));
    let (kind, data) = match outcome.reason {
        None => {
            let answer = outcome.detail.clone();
            ("notification.sent", json!(Sent { channel, event_seq, attempt: of.attempt, test, answer, latency_ms }))
        }
        Some(reason) => {
            let (reason, detail) = (reason.to_owned(), outcome.detail.clone());
            let retry_in_s = retry_in_s.map(|s| s.ceil() as i64);
            let failed =
                Failed { channel, event_seq, attempt: of.attempt, test, reason, detail, latency_ms, retry_in_s };
            ("notification.failed", json!(failed))
        }
    };
    NewEvent { id: Uuid::now_v7(), kind, data, occurred_at: at, permissions: &[NOTIFICATIONS_READ] }
}

/// As `sql/functions/state_notification_attempt.sql` takes it.
fn attempt(of: &Of<'_>, outcome: &Outcome, retry_in_s: Option<f64>, at: OffsetDateTime) -> String {
    json!({
        "delivery_id": of.delivery,
        "channel_id": of.channel.id,
        "attempt": of.attempt,
        "at": stamp::text(at),
        "outcome": if outcome.reason.is_none() { "sent" } else { "failed" },
        "reason": outcome.reason,
        "detail": outcome.detail,
        "response": outcome.response,
        "latency_ms": milliseconds(outcome),
        "retry_in_s": retry_in_s,
        "test": of.event.is_none(),
    })
    .to_string()
}

fn milliseconds(outcome: &Outcome) -> i32 {
    i32::try_from(outcome.latency.as_millis()).unwrap_or(i32::MAX)
}
