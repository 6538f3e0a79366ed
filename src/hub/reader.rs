//! One stream: a cursor that is moved along the log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::ring::round_of;
use super::{Bye, Class, Filter, Hub, Open, Reset, Viewer, frame};
use crate::log::{Head, read};
use crate::metrics::Ended;
use crate::postgres::QueryError;

/// A comment at least this often, so that proxies (60 s by default) keep the connection.
const TICK: Duration = Duration::from_secs(15);
/// Every second tick is a heartbeat that clients can see: 30 s.
const TICKS_PER_HEARTBEAT: u32 = 2;
/// A filtered reader's cursor is moved at least once in so many events that were not for it.
const BOOKMARK_EVENTS: i64 = 1_000;
/// While the database is away, a reader that must replay waits this long before it is sent off.
const REPLAY_WAIT: Duration = Duration::from_secs(10);
/// Between two tries of a replay.
const REPLAY_PAUSE: Duration = Duration::from_millis(200);
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

/// A subscription. Costs its cursor and nothing per event.
pub struct Reader {
    hub: Arc<Hub>,
    class: Arc<Class>,
    viewer: Viewer,
    /// Changes of rights this reader has taken notice of; none yet, so the first round looks.
    rights_seen: Option<u64>,
    head: watch::Receiver<Head>,
    epoch: Uuid,
    /// All up to here was sent or filtered.
    cursor: i64,
    /// The id that the client knows.
    told: i64,
    stage: Stage,
    tick_at: Instant,
    ticks: u32,
    expires_at: Instant,
    open: Arc<Open>,
    opened_at: Instant,
    ended: Ended,
}

enum Stage {
    Opening(Option<Reset>),
    Replaying,
    Live,
    Ended,
}

impl Reader {
    /// Subscribes. The head is noted first, so that nothing falls between replay and live.
    ///
    /// A cursor from the future is compared with the log itself, since this process may lag behind the
    /// one that gave the cursor out.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn subscribe(hub: Arc<Hub>, viewer: Viewer, filter: Filter, from: Cursor) -> Result<Reader, QueryError> {
        let mut head = hub.head.subscribe();
        let mut at = *head.borrow_and_update();
        if from.after.is_some_and(|after| after > at.seq) {
            at = read::head(&hub.database).await?;
        }
        let refused = from.refused_by(at);
        let cursor = from.after.filter(|_| refused.is_none()).unwrap_or(at.seq);
        let open = hub.open.add(viewer, filter.clone(), None, cursor);
        let lifetime = u64::try_from(viewer.expires_at - OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(0);
        Ok(Reader {
            class: hub.class(filter),
            viewer,
            rights_seen: None,
            head,
            epoch: at.epoch,
            cursor,
            told: cursor,
            stage: Stage::Opening(refused),
            tick_at: Instant::now() + TICK,
            ticks: 0,
            expires_at: Instant::now() + Duration::from_secs(lifetime),
            open,
            opened_at: Instant::now(),
            ended: Ended::Left,
            hub,
        })
    }

    /// The stream's bytes until it ends.
    pub fn bytes(self) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::unfold(self, |mut reader| async move { reader.next().await.map(|bytes| (bytes, reader)) })
    }

    /// What to write next; `None` after the last frame.
    async fn next(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Opening(refused) => {
                self.stage = Stage::Replaying;
                let opening = frame::opening(rand::random_range(RETRY_MS));
                let head = Head { epoch: self.epoch, seq: self.cursor };
                return Some(refused.map_or(opening.clone(), |reason| join(&opening, &frame::reset(reason, head))));
            }
            Stage::Ended => return None,
            going => self.stage = going,
        }
        loop {
            if let Some(reason) = self.ends() {
                return Some(self.bye(reason, RETRY_AFTER_BYE_MS));
            }
            let head = *self.head.borrow_and_update();
            if head.epoch != self.epoch {
                (self.epoch, self.cursor, self.told) = (head.epoch, head.seq, head.seq);
                return Some(frame::reset(Reset::Epoch, head));
            }
            if self.cursor < head.seq {
                match self.advance().await {
                    Ok(None) => continue,
                    Ok(frames) => return frames,
                    Err(reason) => return Some(self.bye(reason, RETRY_MS)),
                }
            }
            if matches!(self.stage, Stage::Replaying) {
                self.stage = Stage::Live;
                self.told = self.cursor;
                return Some(frame::ready(Head { epoch: self.epoch, seq: self.cursor }));
            }
            if let Some(tick) = self.wait().await {
                return Some(tick);
            }
        }
    }

    fn bye(&mut self, reason: Bye, retry_ms: std::ops::Range<u32>) -> Bytes {
        self.stage = Stage::Ended;
        self.ended = Ended::of(reason.as_str());
        frame::bye(reason, rand::random_range(retry_ms))
    }

    fn ends(&mut self) -> Option<Bye> {
        if self.hub.stop.is_cancelled() {
            return Some(Bye::Shutdown);
        }
        if Instant::now() >= self.expires_at {
            return Some(Bye::TokenExpired);
        }
        let changes = Some(self.hub.accounts.changes());
        if changes != self.rights_seen {
            self.rights_seen = changes;
            if self.hub.accounts.session_ended(self.viewer.session) {
                return Some(Bye::Revoked);
            }
            // Fails closed: a user this process does not know has no rights.
            let Some(account) = self.hub.accounts.active(self.viewer.user) else { return Some(Bye::Revoked) };
            if self.class.filter.permissions != account.permissions {
                let filter = Filter { permissions: account.permissions.clone(), ..self.class.filter.clone() };
                self.class = self.hub.class(filter);
            }
        }
        None
    }

    /// The next round, from the ring or else from the log. `None`: nothing in it was for this reader.
    async fn advance(&mut self) -> Result<Option<Bytes>, Bye> {
        let (frames, cursor, last) = match self.hub.round(&self.class, self.cursor) {
            Some(round) => (round.frames.clone(), round.cursor, round.last),
            None => {
                let page = self.page().await?;
                let round = round_of(&page, self.cursor, &self.class.filter);
                (round.frames, round.cursor, round.last)
            }
        };
        self.cursor = cursor;
        self.open.moved_to(cursor);
        if let Some(last) = last {
            self.told = last;
            return Ok(Some(frames));
        }
        if self.cursor - self.told >= BOOKMARK_EVENTS {
            self.told = self.cursor;
            return Ok(Some(frame::bookmark(self.told)));
        }
        Ok(None)
    }

    async fn page(&self) -> Result<Vec<crate::log::Event>, Bye> {
        let deadline = Instant::now() + REPLAY_WAIT;
        loop {
            let Ok(_turn) = self.hub.replays.acquire().await else { return Err(Bye::Shutdown) };
            match read::after(&self.hub.database, self.cursor, read::PAGE_EVENTS).await {
                Ok(page) => return Ok(page),
                Err(error) if Instant::now() > deadline => {
                    tracing::warn!(%error, "replay given up");
                    return Err(Bye::Unavailable);
                }
                Err(error) => tracing::debug!(%error, "replay not possible yet"),
            }
            tokio::select! {
                () = sleep(REPLAY_PAUSE) => {}
                () = self.hub.stop.cancelled() => return Err(Bye::Shutdown),
            }
        }
    }

    /// Until there may be something to do; on a tick, the bytes that keep the stream alive.
    async fn wait(&mut self) -> Option<Bytes> {
        tokio::select! {
            _ = self.head.changed() => return None,
            () = sleep_until(self.tick_at.min(self.expires_at)) => {}
            () = self.hub.stop.cancelled() => return None,
        }
        if Instant::now() < self.tick_at {
            return None; // the token expires
        }
        self.tick_at += TICK;
        self.ticks += 1;
        let alive = match self.ticks % TICKS_PER_HEARTBEAT {
            0 => frame::heartbeat(self.cursor, OffsetDateTime::now_utc()),
            _ => frame::COMMENT,
        };
        if self.told == self.cursor {
            return Some(alive);
        }
        self.told = self.cursor;
        Some(join(&frame::bookmark(self.told), &alive))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hub.open.remove(&self.open);
        self.hub.metrics.ended(self.ended, self.opened_at.elapsed());
    }
}

fn join(first: &Bytes, second: &Bytes) -> Bytes {
    Bytes::from([first.as_ref(), second.as_ref()].concat())
}
