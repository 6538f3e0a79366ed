//! The tail: one connection that hears of new events and reads them, in order, without a gap.
//!
//! LISTEN, then read, then wait for a wake-up, a local nudge or the safety timer. A notification is a
//! hint and its payload is ignored: lost, repeated, spoofed or missing ones change nothing but the delay.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket, Statement};
use uuid::Uuid;

use super::read::PAGE_EVENTS;
use super::{Event, Head};
use crate::postgres::{ConnectError, Direct, explain};

/// The log is read this often even when nothing rings.
const SAFETY_INTERVAL: Duration = Duration::from_secs(1);
/// The same where notifications do not arrive, as through a pooler.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// A read that takes longer means that the connection is dead, whatever TCP says.
const READ_WAIT: Duration = Duration::from_secs(3);
/// Between self-notifications, which prove that LISTEN works and not only the socket.
const ECHO_INTERVAL: Duration = Duration::from_secs(5);
/// A self-notification that takes longer is lost.
const ECHO_WAIT: Duration = Duration::from_secs(2);
/// A notification that brought nothing is followed by this pause, which an append of this process ends: a flood of
/// them costs 500 reads/s at most.
const FLOOD_PAUSE: Duration = Duration::from_millis(2);
/// Between attempts to connect; doubled up to the second, with jitter.
const RECONNECT_FIRST: Duration = Duration::from_millis(20);
const RECONNECT_LAST: Duration = Duration::from_secs(2);
/// Where LISTEN did not work, it is tried again after this time.
const LISTEN_AGAIN: Duration = Duration::from_secs(60);

/// What the tail brings.
#[derive(Debug)]
pub enum Tailed {
    /// The next events; never empty, never a gap before, between or after.
    Events(Vec<Event>),
    /// The database holds another history than the one followed so far, as after a restore.
    Rewritten(Head),
}

/// `seq` is not consecutive: a mistake in this program or a log changed by force.
#[derive(Debug, thiserror::Error)]
#[error("the log has a hole: event {found} follows {position}")]
pub struct Hole {
    /// Last event before it.
    pub position: i64,
    /// First event behind it.
    pub found: i64,
}

/// Follows the log from a position on.
pub struct Tail {
    database: Direct,
    head: Head,
    /// Rung by this process's appender.
    nudge: Arc<Notify>,
    session: Option<Listening>,
    /// All that was committed before the last ring has been read.
    drained: bool,
    pause: Duration,
    /// Whether notifications arrive; for health.
    listening: watch::Sender<bool>,
}

/// A connection that listens.
struct Listening {
    client: Client,
    after: Statement,
    rung: Arc<Notify>,
    echo_channel: String,
    /// Counts the echoes heard.
    echoed: watch::Receiver<u64>,
    echo_at: Instant,
    driver: JoinHandle<()>,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{}", explain(.0))]
    Query(#[from] tokio_postgres::Error),
    #[error("no answer in time")]
    TimedOut(#[from] tokio::time::error::Elapsed),
    #[error("notifications no longer arrive")]
    Silent,
    #[error("time to try LISTEN again")]
    ListenAgain,
}

impl Tail {
    /// Follows from `head` on. `listening` tells whether notifications arrive.
    pub fn new(database: Direct, head: Head, nudge: Arc<Notify>, listening: watch::Sender<bool>) -> Tail {
        Tail { database, head, nudge, session: None, drained: false, pause: RECONNECT_FIRST, listening }
    }

    /// Waits for what comes next, however often the database goes away meanwhile.
    ///
    /// # Errors
    /// [`Hole`]: do not go on.
    ///
    /// # Cancellation
    /// Safe: the position advances only with the events that are returned.
    pub async fn next(&mut self) -> Result<Tailed, Hole> {
        loop {
            match self.step().await {
                Ok(Some(Tailed::Events(events))) => return self.advance(events).map(Tailed::Events),
                Ok(Some(rewritten)) => return Ok(rewritten),
                Ok(None) => {}
                Err(lost) => {
                    tracing::warn!(%lost, "tail connection given up");
                    self.session = None;
                    sleep(self.pause.mul_f64(rand::random_range(0.5..1.5))).await;
                    self.pause = (self.pause * 2).min(RECONNECT_LAST);
                }
            }
        }
    }

    fn advance(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Hole> {
        for event in &events {
            if event.seq != self.head.seq + 1 {
                return Err(Hole { position: self.head.seq, found: event.seq });
            }
            self.head.seq = event.seq;
        }
        Ok(events)
    }

    /// Connects if need be, waits if all is read, reads.
    async fn step(&mut self) -> Result<Option<Tailed>, Lost> {
        let Some(session) = &mut self.session else {
            let (session, head) = Listening::open(&self.database, &self.listening).await?;
            self.session = Some(session);
            self.drained = false;
            if head.epoch == self.head.epoch && head.seq >= self.head.seq {
                return Ok(None);
            }
            tracing::error!(was = ?self.head, is = ?head, "the log was rewritten");
            self.head = head;
            return Ok(Some(Tailed::Rewritten(head)));
        };
        // A ring after the last read leaves a permit in `rung`, so nothing falls between read and wait.
        let listening = *self.listening.borrow();
        let rung = self.drained && session.wait(&self.nudge, listening).await?;
        let events = session.read(self.head.seq).await?;
        self.drained = events.len() < PAGE_EVENTS as usize;
        self.pause = RECONNECT_FIRST;
        if events.is_empty() {
            if rung {
                // As a rule the notification of a batch that was read when this process appended it.
                self.drained = timeout(FLOOD_PAUSE, self.nudge.notified()).await.is_err();
            }
            return Ok(None);
        }
        Ok(Some(Tailed::Events(events)))
    }
}

impl Listening {
    /// LISTEN first, then look at the head: what commits in between rings.
    async fn open(database: &Direct, listening: &watch::Sender<bool>) -> Result<(Listening, Head), Lost> {
        let (client, connection) = database.connect("signalbox-tail").await?;
        let rung = Arc::new(Notify::new());
        let (echo, echoed) = watch::channel(0);
        let driver = tokio::spawn(drive(connection, rung.clone(), echo));
        // A channel of its own: a uuid is all that stands in the statement.
        let echo_channel = format!("signalbox_echo_{}", Uuid::new_v4().simple());
        timeout(READ_WAIT, client.batch_execute(&format!("listen events; listen {echo_channel}"))).await??;
        let after = timeout(READ_WAIT, client.prepare(include_str!("../../sql/queries/events_after.sql"))).await??;
        let echo_at = Instant::now() + ECHO_INTERVAL;
        let mut session = Listening { client, after, rung, echo_channel, echoed, echo_at, driver };
        let heard = match session.hears_others(database).await {
            Err(Lost::Silent) => {
                tracing::error!("notifications do not arrive (a pooler in between?): polling every {POLL_INTERVAL:?}");
                session.echo_at = Instant::now() + LISTEN_AGAIN;
                false
            }
            echo => echo.map(|()| true)?,
        };
        listening.send_replace(heard);
        let head = session.client.query_one(include_str!("../../sql/queries/log_head.sql"), &[]);
        let head = timeout(READ_WAIT, head).await??;
        Ok((session, Head { epoch: head.get(0), seq: head.get(1) }))
    }

    async fn read(&self, position: i64) -> Result<Vec<Event>, Lost> {
        let rows = timeout(READ_WAIT, self.client.query(&self.after, &[&position, &PAGE_EVENTS])).await??;
        Ok(rows.iter().map(Event::from_row).collect::<Result<_, _>>()?)
    }

    /// Until something may be there to read; true if a notification said so.
    async fn wait(&mut self, nudge: &Notify, listening: bool) -> Result<bool, Lost> {
        // Before it waits and not after: what rings meanwhile is then read at once.
        if Instant::now() >= self.echo_at {
            if !listening {
                return Err(Lost::ListenAgain);
            }
            self.echo().await?;
        }
        let interval = if listening { SAFETY_INTERVAL } else { POLL_INTERVAL };
        Ok(tokio::select! {
            () = self.rung.notified() => true,
            () = nudge.notified() => false,
            () = sleep(interval) => false,
        })
    }

    /// Waits for a notification from another session. One's own proves nothing here: it comes with the answer
    /// to the statement that sends it, which a pooler passes on.
    async fn hears_others(&mut self, database: &Direct) -> Result<(), Lost> {
        let heard = *self.echoed.borrow();
        let (other, connection) = database.connect("signalbox-echo").await?;
        let notify = format!("notify {}", self.echo_channel);
        let sent = async {
            tokio::select! {
                sent = other.batch_execute(&notify) => sent,
                ended = connection => ended,
            }
        };
        timeout(READ_WAIT, sent).await??;
        self.heard_since(heard).await
    }

    /// Sends a notification to itself and waits until it arrives.
    async fn echo(&mut self) -> Result<(), Lost> {
        let heard = *self.echoed.borrow();
        let sent = async { self.client.query("select pg_notify($1, '')", &[&self.echo_channel]).await };
        timeout(READ_WAIT, sent).await??;
        self.heard_since(heard).await
    }

    async fn heard_since(&mut self, heard: u64) -> Result<(), Lost> {
        match timeout(ECHO_WAIT, self.echoed.wait_for(|count| *count > heard)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_driver_ended)) => return Err(Lost::Silent),
            Err(_elapsed) => return Err(Lost::Silent),
        }
        self.echo_at = Instant::now() + ECHO_INTERVAL;
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Moves a connection's bytes and rings for its notifications. Ends with the connection.
async fn drive<S: TlsStream + Unpin>(
    mut connection: Connection<Socket, S>,
    rung: Arc<Notify>,
    echo: watch::Sender<u64>,
) {
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(note))) if note.channel() == "events" => rung.notify_one(),
            Some(Ok(AsyncMessage::Notification(_echo))) => echo.send_modify(|count| *count += 1),
            Some(Ok(_notice)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "tail connection failed");
                break;
            }
            None => break,
        }
    }
    rung.notify_one(); // the next read finds the connection closed
}
