//! Whether a user streams or polls: the share, the switch and the level, asked beforehand or met at the door.
//!
//! Refusals carry `allowed: ["polling"]` and `Retry-After`: poll on the same cursor, and try again then.
//! Whom the rollout leaves out is told 409, not 403 and not 503. It is no right of theirs that is missing, so
//! signing in again would be in vain; and nothing is broken, so no proxy should retry and no alarm should ring.

use std::ops::Range;

use poem::http::{StatusCode, header};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::App;
use super::allowed::Allowed;
use super::answer::Answer;
use super::events::Tag;
use super::problem::Problem;
use crate::domain::permission::Anyone;
use crate::hub::Level;

/// A client that polls for now tries again after so many seconds: spread, so that not all come back at once,
/// and short enough for streams to be restored within 30 s.
const AGAIN_S: Range<u32> = 10..25;
/// The share of users changes seldom. In seconds.
const OFFERED_AGAIN_S: Range<u32> = 60..120;

/// The operations on transports.
pub struct Transports;

/// How to follow events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Transport {
    /// `GET /api/v1/events/stream`.
    Sse,
    /// `GET /api/v1/events`, on the same cursor.
    Polling,
}

/// Why to poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum Polling {
    /// Streams are offered to a share of users, and you are not among them yet.
    NotOffered,
    /// An administrator switched streams off.
    Disabled,
    /// This process protects itself.
    Degraded,
}

/// How you shall follow events now.
#[derive(Debug, Object)]
pub struct Offer {
    /// Open the stream, or poll.
    transport: Transport,
    /// Why to poll; absent where you may stream.
    reason: Option<Polling>,
    /// Seconds after which to ask again; absent where you may stream.
    retry_after_s: Option<u32>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Events")]
impl Transports {
    /// How to follow events
    ///
    /// What opening a stream would come to now, without opening one.
    #[oai(path = "/me/transport", method = "get", operation_id = "getTransport")]
    async fn transport(&self, caller: Allowed<Anyone>) -> Answer<Json<Offer>> {
        let reason = polling(&caller.app, caller.account.user.id);
        let transport = if reason.is_some() { Transport::Polling } else { Transport::Sse };
        Ok(Json(Offer { transport, reason, retry_after_s: reason.map(Polling::retry_after_s) }))
    }
}

impl Polling {
    fn retry_after_s(self) -> u32 {
        rand::random_range(if self == Polling::NotOffered { OFFERED_AGAIN_S } else { AGAIN_S })
    }
}

/// Why this user has to poll this process, if so.
fn polling(app: &App, user: Uuid) -> Option<Polling> {
    let word = app.control.word();
    if word.disabled() {
        return Some(Polling::Disabled);
    }
    if !word.offered_to(user) {
        return Some(Polling::NotOffered);
    }
    (app.hub.mode().level >= Level::NoNewStreams).then_some(Polling::Degraded)
}

/// Lets a user open a stream.
///
/// # Errors
/// 409 `streams_not_offered`; 503 `streams_disabled` or `no_new_streams`.
pub(super) fn admit(app: &App, user: Uuid) -> Result<(), Problem> {
    let Some(reason) = polling(app, user) else { return Ok(()) };
    let (status, code, detail) = match reason {
        Polling::NotOffered => {
            (StatusCode::CONFLICT, "streams_not_offered", "streams are not offered to you yet: poll instead")
        }
        Polling::Disabled => {
            (StatusCode::SERVICE_UNAVAILABLE, "streams_disabled", "streams are switched off: poll instead")
        }
        Polling::Degraded => {
            (StatusCode::SERVICE_UNAVAILABLE, "no_new_streams", "this process opens no streams now: poll instead")
        }
    };
    let problem = Problem::new(status, code, detail).allowed(["polling"]);
    Err(problem.header(header::RETRY_AFTER, &reason.retry_after_s().to_string()))
}
