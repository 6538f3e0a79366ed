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
pub(super) struct Of<'a> {
    /// Its id.
    pub delivery: Uuid,
    /// Where it went.
    pub channel: Channel,
    /// What it told of.
    pub event: &'a Event,
    /// How many attempts there were, this one included.
    pub attempt: i32,
    /// For how long every attempt of the channel before this one has failed.
    pub failing_s: Option<f64>,
    /// That the process still holds the queues.
    pub guard: Guard,
}

/// What the event and the attempts log say of an attempt beside its outcome.
struct Attempt {
    delivery: Uuid,
    channel: Uuid,
    /// `None` in a test.
    event_seq: Option<i64>,
    attempt: i32,
    retry_in_s: Option<f64>,
    at: OffsetDateTime,
}

/// What a test came to, for the command that asked for it. A test is in no queue, and disables nothing.
pub fn tested(delivery: Uuid, channel: &Channel, outcome: &Outcome) -> (Write, State) {
    let at = stamp::micros(OffsetDateTime::now_utc());
    let test = Attempt { delivery, channel: channel.id, event_seq: None, attempt: 1, retry_in_s: None, at };
    test.told(outcome)
}

/// Records an attempt, and disables a channel that is gone or has failed for days.
///
/// # Errors
/// [`Ended`]: it may not be recorded, and then it is made again.
pub(super) async fn record(app: &App, of: Of<'_>, outcome: &Outcome) -> Result<(), Ended> {
    let at = stamp::micros(OffsetDateTime::now_utc());
    let retry = outcome.reason.and_then(|_| pause(of.attempt, outcome.refused, rand::random(), outcome.retry_after));
    let retry_in_s = retry.filter(|_| !outcome.gone).map(|pause| pause.as_secs_f64());
    let (delivery, event_seq) = (of.delivery, Some(of.event.seq));
    let attempt = Attempt { delivery, channel: of.channel.id, event_seq, attempt: of.attempt, retry_in_s, at };
    let mut channel = Some(of.channel.clone());
    for _ in 0..ATTEMPTS {
        let (write, state) = attempt.told(outcome);
        let (mut writes, mut states) = (vec![write], vec![state, of.guard.state()]);
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
fn cause(event: &Event) -> Cause {
    Cause {
        correlation_id: event.correlation_id,
        causation_id: Some(event.id),
        trace_id: event.trace_id.clone(),
        ..Cause::system("notifications")
    }
}

fn reason_to_disable(of: &Of<'_>, outcome: &Outcome) -> Option<String> {
    let days = DISABLE_AFTER.as_secs() / 86_400;
    if outcome.gone {
        Some("the receiver answered 410 Gone".to_owned())
    } else if outcome.reason.is_some() && of.failing_s.is_some_and(|s| s > DISABLE_AFTER.as_secs_f64()) {
        Some(format!("every attempt has failed for {days} days; the last: {}", outcome.detail))
    } else {
        None
    }
}

impl Attempt {
    fn told(&self, outcome: &Outcome) -> (Write, State) {
        let stream = format!("notification-delivery/{}", self.delivery);
        let write = Write { stream, expected: None, events: vec![self.event(outcome)] };
        (write, State { kind: "notification_attempt", json: self.json(outcome) })
    }

    fn event(&self, outcome: &Outcome) -> NewEvent {
        let &Attempt { channel, event_seq, attempt, .. } = self;
        let (test, latency_ms) = (event_seq.is_none(), milliseconds(outcome));
        let (kind, data) = match outcome.reason {
            None => {
                let answer = outcome.detail.clone();
                ("notification.sent", json!(Sent { channel, event_seq, attempt, test, answer, latency_ms }))
            }
            Some(reason) => {
                let (reason, detail) = (reason.to_owned(), outcome.detail.clone());
                let retry_in_s = self.retry_in_s.map(|s| s.ceil() as i64);
                let failed = Failed { channel, event_seq, attempt, test, reason, detail, latency_ms, retry_in_s };
                ("notification.failed", json!(failed))
            }
        };
        NewEvent { id: Uuid::now_v7(), kind, data, occurred_at: self.at, permissions: &[NOTIFICATIONS_READ] }
    }

    /// As `sql/functions/state_notification_attempt.sql` takes it.
    fn json(&self, outcome: &Outcome) -> String {
        json!({
            "delivery_id": self.delivery,
            "channel_id": self.channel,
            "attempt": self.attempt,
            "at": stamp::text(self.at),
            "outcome": if outcome.reason.is_none() { "sent" } else { "failed" },
            "reason": outcome.reason,
            "detail": outcome.detail,
            "response": outcome.response,
            "latency_ms": milliseconds(outcome),
            "retry_in_s": self.retry_in_s,
            "test": self.event_seq.is_none(),
        })
        .to_string()
    }
}

fn milliseconds(outcome: &Outcome) -> i32 {
    i32::try_from(outcome.latency.as_millis()).unwrap_or(i32::MAX)
}
