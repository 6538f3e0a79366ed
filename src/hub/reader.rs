//! One stream: a cursor that is moved along the log. It waits for nothing itself; whoever owns the socket
//! asks it what comes next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Bye, Class, Encoding, Filter, Hub, Level, Moment, Open, Page, Place, Reset, Round, Viewer, frame};
use crate::log::{Head, read};
use crate::metrics::{Ended, Resumed};
use crate::postgres::QueryError;

/// A comment at least this often, so that proxies (60 s by default) keep the connection.
const TICK: Duration = Duration::from_secs(15);
/// Every second tick is a heartbeat that clients can see: 30 s.
const TICKS_PER_HEARTBEAT: u32 = 2;
/// A filtered reader's cursor is moved at least once in so many events that were not for it.
const BOOKMARK_EVENTS: i64 = 1_000;
/// A reader whose socket is full and who is so far behind is said to lag.
pub(super) const LAGGING_EVENTS: i64 = 800;
/// From here on it catches up like one that was away, and is told `ready` when it has.
pub(super) const BEHIND_EVENTS: i64 = 1_000;
/// What `retry:` says, in ms: spread, so that a restart does not bring everybody back at once.
const RETRY_MS: std::ops::Range<u32> = 7_000..13_000;
/// The same where the server closes and is known to be back soon.
const RETRY_AFTER_BYE_MS: std::ops::Range<u32> = 500..5_000;

/// Where a reader wants to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Last event it has; `None` begins with what happens from now on.
    pub after: Option<i64>,
    /// The history it has it from, if it knows.
    pub epoch: Option<Uuid>,
}

impl Cursor {
    /// Why this cursor means nothing in a log that ends at `head`.
    pub fn refused_by(&self, head: Head) -> Option<Reset> {
        if self.epoch.is_some_and(|epoch| epoch != head.epoch) {
            return Some(Reset::Epoch);
        }
        self.after.is_some_and(|after| after > head.seq).then_some(Reset::Future)
    }
}

/// What a reader wants, and who it is.
pub struct Subscription {
    /// Whose rights count.
    pub viewer: Viewer,
    /// From where, for operators.
    pub peer: Option<SocketAddr>,
    /// Taken before, given back with the reader.
    pub place: Place,
    /// Which events.
    pub filter: Filter,
    /// From which position on.
    pub from: Cursor,
    /// In which form.
    pub encoding: Encoding,
}

/// An open subscription. Costs its cursor and nothing per event.
pub struct Reader {
    hub: Arc<Hub>,
    class: Arc<Class>,
    open: Arc<Open>,
    /// Changes of rights this reader has taken notice of; none yet, so the first look counts.
    rights_seen: Option<u64>,
    epoch: Uuid,
    /// All up to here was sent or filtered.
    cursor: i64,
    /// The id that the client knows.
    told: i64,
    /// Critical events up to here were sent early.
    previewed: i64,
    level: Level,
    stage: Stage,
    tick_at: Instant,
    ticks: u32,
    expires_at: Instant,
    resuming: Option<Resuming>,
    ended: Ended,
    /// Comes back with the end of the stream.
    _place: Place,
}

/// How a stream began, until it is told `ready` for the first time.
struct Resuming {
    from: i64,
    outcome: Resumed,
}

enum Stage {
    Opening(Option<Reset>),
    CatchingUp,
    Live,
    Ended,
}

/// What comes next on a stream.
pub(super) enum Step {
    /// Events.
    Round(Arc<Round>),
    /// A frame of our own.
    Frame(Bytes),
    /// The last frame.
    Bye(Bytes, Bye),
    /// The page of the log behind this cursor is wanted, for [`Reader::replay`].
    Page(i64),
    /// Nothing until something changes, or until this time.
    Wait(Instant),
    /// Nothing any more.
    End,
}

impl Reader {
    /// Subscribes. The head is noted first, so that nothing falls between replay and live.
    ///
    /// A cursor from the future is compared with the log itself, since this process may lag behind the
    /// one that gave the cursor out.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn subscribe(hub: Arc<Hub>, wanted: Subscription) -> Result<Reader, QueryError> {
        let Subscription { viewer, peer, place, filter, from, encoding } = wanted;
        let mut at = hub.head();
        if from.after.is_some_and(|after| after > at.seq) {
            at = read::head(&hub.database).await?;
        }
        let refused = from.refused_by(at);
        let cursor = from.after.filter(|_| refused.is_none()).unwrap_or(at.seq);
        let lifetime = u64::try_from(viewer.expires_at - OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
        let outcome = match (refused, from.after) {
            (Some(_), _) => Resumed::Reset,
            (None, None) => Resumed::Fresh,
            (None, Some(_)) => Resumed::Ring,
        };
        let class = hub.class(filter, encoding);
        Ok(Reader {
            open: hub.open.add(viewer, class.filter.clone(), peer, cursor),
            class,
            rights_seen: None,
            epoch: at.epoch,
            cursor,
            told: cursor,
            previewed: cursor,
            level: Level::Normal,
            stage: Stage::Opening(refused),
            tick_at: Instant::now() + TICK,
            ticks: 0,
            expires_at: Instant::now() + Duration::from_secs(lifetime),
            resuming: Some(Resuming { from: cursor, outcome }),
            ended: Ended::Left,
            _place: place,
            hub,
        })
    }

    /// The hub that it reads from.
    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Names it among the streams of this process.
    pub(super) fn number(&self) -> u64 {
        self.open.number
    }

    /// What to do now. To be asked again after each [`Step::Round`] or [`Step::Frame`] that was written.
    pub(super) fn next(&mut self, moment: &Moment) -> Step {
        if let Stage::Opening(refused) = self.stage {
            self.stage = Stage::CatchingUp;
            return Step::Frame(self.class.encoding.opening(&self.opening(refused)));
        }
        let step = self.step(moment);
        self.encoded(step)
    }

    /// Rounds are encoded for their class; a frame of our own is not yet.
    fn encoded(&self, step: Step) -> Step {
        match step {
            Step::Frame(frame) => Step::Frame(self.class.encoding.piece(&frame)),
            Step::Bye(frame, reason) => Step::Bye(self.class.encoding.piece(&frame), reason),
            other => other,
        }
    }

    fn step(&mut self, moment: &Moment) -> Step {
        if matches!(self.stage, Stage::Ended) {
            return Step::End;
        }
        if let Some(step) = self.first_of_all(moment) {
            return step;
        }
        let step = match self.level {
            Level::Normal | Level::Batched => self.advance(moment.head),
            Level::EssentialOnly | Level::NoNewStreams | Level::PollingOnly => self.preview(moment.head),
        };
        step.unwrap_or_else(|| self.idle(moment))
    }

    /// Takes the page that was asked for. `None`: nothing in it was for this reader.
    pub(super) fn replay(&mut self, page: &Page, moment: &Moment) -> Option<Step> {
        // A page may take seconds: rights, sign-in and history are not what they were when it was asked for.
        if let Some(step) = self.first_of_all(moment) {
            return Some(self.encoded(step));
        }
        self.hub.metrics.ring_misses.inc();
        if let Some(resuming) = self.resuming.as_mut().filter(|resuming| resuming.outcome == Resumed::Ring) {
            resuming.outcome = Resumed::Log;
        }
        let round = self.class.replay(page, self.cursor);
        self.take(round).map(|step| self.encoded(step))
    }

    /// Ends it from outside, as when the page did not come.
    pub(super) fn bye(&mut self, reason: Bye) -> Step {
        let step = self.farewell(reason);
        self.encoded(step)
    }

    fn farewell(&mut self, reason: Bye) -> Step {
        self.stage = Stage::Ended;
        self.ended = Ended::of(reason.as_str());
        let retry_ms = if reason.is_brief() { RETRY_AFTER_BYE_MS } else { RETRY_MS };
        Step::Bye(frame::bye(reason, rand::random_range(retry_ms)), reason)
    }

    /// Whether it is told of events as they happen.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live)
    }

    /// It will be closed because its socket has taken nothing for too long.
    pub(super) fn stalled(&mut self) {
        self.ended = Ended::Stalled;
    }

    /// The socket takes no more for now. True when that makes it one that lags.
    pub(super) fn blocked(&mut self, head: Head) -> bool {
        let behind = head.seq - self.cursor;
        if behind >= BEHIND_EVENTS && matches!(self.stage, Stage::Live) {
            self.stage = Stage::CatchingUp;
        }
        behind >= LAGGING_EVENTS
    }

    fn opening(&self, refused: Option<Reset>) -> Bytes {
        let opening = frame::opening(rand::random_range(RETRY_MS));
        let head = Head { epoch: self.epoch, seq: self.cursor };
        refused.map_or(opening.clone(), |reason| join(&opening, &frame::reset(reason, head)))
    }

    /// What has to be said before any event: the end, other rights, another history, another level.
    fn first_of_all(&mut self, moment: &Moment) -> Option<Step> {
        if let Some(reason) = self.ends(moment) {
            return Some(self.farewell(reason));
        }
        if self.rights_seen != Some(moment.rights) {
            self.rights_seen = Some(moment.rights);
            let Viewer { user, session, .. } = self.open.viewer;
            // Fails closed: a user this process does not know has no rights.
            let Some(account) = self.hub.accounts.rights(user, session) else {
                return Some(self.farewell(Bye::Revoked));
            };
            if self.class.filter.permissions != account.permissions {
                let filter = (*self.class.filter).clone().within(&account.permissions);
                self.class = self.hub.class(filter, self.class.encoding);
                return Some(Step::Frame(frame::rights(&account.permissions)));
            }
        }
        if moment.head.epoch != self.epoch {
            (self.epoch, self.cursor, self.told) = (moment.head.epoch, moment.head.seq, moment.head.seq);
            self.previewed = self.cursor;
            self.open.moved_to(self.cursor);
            return Some(Step::Frame(frame::reset(Reset::Epoch, moment.head)));
        }
        if moment.mode.level != self.level {
            self.level = moment.mode.level;
            self.previewed = self.previewed.max(self.cursor);
            return Some(Step::Frame(frame::level(self.level)));
        }
        None
    }

    fn ends(&self, moment: &Moment) -> Option<Bye> {
        if moment.stopping {
            return Some(Bye::Shutdown);
        }
        if moment.mode.disabled {
            return Some(Bye::Disabled);
        }
        if moment.mode.level == Level::PollingOnly {
            return Some(Bye::Degraded);
        }
        if moment.at >= self.expires_at {
            return Some(Bye::TokenExpired);
        }
        None
    }

    /// Onwards to the head. `None`: there already.
    fn advance(&mut self, head: Head) -> Option<Step> {
        while self.cursor < head.seq {
            let Some(round) = self.hub.round(&self.class, self.cursor) else { return Some(Step::Page(self.cursor)) };
            if let Some(step) = self.take(round) {
                return Some(step);
            }
        }
        if matches!(self.stage, Stage::CatchingUp) {
            self.stage = Stage::Live;
            self.told = self.cursor;
            if let Some(Resuming { from, outcome }) = self.resuming.take() {
                self.hub.metrics.resumed(outcome, u64::try_from(self.cursor - from).unwrap_or(0));
            }
            return Some(Step::Frame(frame::ready(Head { epoch: self.epoch, seq: self.cursor })));
        }
        None
    }

    fn take(&mut self, round: Arc<Round>) -> Option<Step> {
        self.cursor = round.cursor;
        self.open.moved_to(self.cursor);
        if let Some(last) = round.last {
            self.told = last;
            return Some(Step::Round(round));
        }
        if self.cursor - self.told >= BOOKMARK_EVENTS {
            self.told = self.cursor;
            return Some(Step::Frame(frame::bookmark(self.told)));
        }
        None
    }

    /// Critical events early, while the cursor stays where it is.
    fn preview(&mut self, head: Head) -> Option<Step> {
        if self.previewed >= head.seq {
            return None;
        }
        let round = self.hub.preview(&self.class, self.previewed);
        self.previewed = round.cursor;
        round.last.is_some().then_some(Step::Round(round))
    }

    /// On a tick, the bytes that keep the stream alive.
    fn idle(&mut self, moment: &Moment) -> Step {
        if moment.at < self.tick_at {
            return Step::Wait(self.tick_at.min(self.expires_at));
        }
        self.tick_at += TICK;
        self.ticks += 1;
        let alive = match self.ticks % TICKS_PER_HEARTBEAT {
            0 => frame::heartbeat(self.cursor, OffsetDateTime::now_utc()),
            _ => frame::COMMENT,
        };
        if self.told == self.cursor {
            return Step::Frame(alive);
        }
        self.told = self.cursor;
        Step::Frame(join(&frame::bookmark(self.told), &alive))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hub.open.remove(&self.open);
        let lasted = (OffsetDateTime::now_utc() - self.open.opened_at).try_into().unwrap_or_default();
        self.hub.metrics.ended(self.ended, lasted);
    }
}

fn join(first: &Bytes, second: &Bytes) -> Bytes {
    Bytes::from([first.as_ref(), second.as_ref()].concat())
}
