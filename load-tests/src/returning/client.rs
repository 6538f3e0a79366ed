//! One stream that comes back by itself.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use serde::Deserialize;

use super::{
    backoff::Backoff,
    page::{self, Page, Refusal},
    seen::Seen,
};
use crate::{
    changes,
    http::{Head, Reply},
    sse::{Frame, Position, Reception},
    stream,
};

/// What became of a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// Nothing that matters outside.
    Nothing,
    /// The server said `ready`.
    Opened,
    /// It is over; come back after this time.
    Over(Over, Duration),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// An open stream broke or was closed.
    Lost,
    /// An open stream was closed after it had been told so.
    Told(Bye),
    /// Nobody listens, or the connection broke before the stream was open.
    Failed,
    /// The server answered 429 or 503.
    Refused,
    /// It was a poll, and is answered.
    Polled,
}

/// Why the server closed a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bye {
    /// An administrator switched streams off: poll.
    Disabled,
    /// The process protects itself: poll.
    Degraded,
    /// Come back to a stream.
    #[serde(other)]
    Other,
}

/// Whom a client asks, as whom, and how.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// From one poll to the next, where streams are refused.
    pub(crate) poll_every: Duration,
}

/// What a stream counts over all its connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Changes, each one once.
    pub(crate) received: u64,
    /// Of them, those that came as the answer to a poll.
    pub(crate) polled: u64,
    /// Events that the id showed to be known already.
    pub(crate) duplicates: u64,
    /// Changes that came again under another id: what no client could drop.
    pub(crate) repeated: u64,
}

/// One reader.
#[derive(Debug)]
pub(super) struct Client {
    /// Number among all readers.
    number: usize,
    poll_every: Duration,
    socket: Option<TcpStream>,
    reception: Reception,
    /// The request has been written.
    asked: bool,
    /// `ready` has come.
    open: bool,
    /// The thread was told so.
    counted: bool,
    /// The stream's farewell.
    bye: Option<Bye>,
    /// While it was told to poll: when to try the stream again.
    stream_due: Option<Instant>,
    /// The connection is a poll.
    polls: bool,
    /// The last id.
    pub(super) last: Option<u64>,
    backoff: Backoff,
    pub(super) seen: Seen,
    pub(super) counts: Counts,
}

impl Client {
    pub(super) fn new(number: usize, poll_every: Duration) -> Client {
        Client {
            number,
            poll_every,
            socket: None,
            reception: Reception::default(),
            asked: false,
            open: false,
            counted: false,
            bye: None,
            stream_due: None,
            polls: false,
            last: None,
            backoff: Backoff::default(),
            seen: Seen::default(),
            counts: Counts::default(),
        }
    }

    /// Begins to connect; the socket is to be registered.
    ///
    /// # Errors
    /// Only what the scenario itself lacks, such as file descriptors. That nobody listens is an event.
    pub(super) fn connect(&mut self, address: SocketAddr) -> Result<Option<&mut TcpStream>> {
        let socket = stream::socket(self.number)?;
        socket.set_nonblocking(true)?;
        (self.reception, self.asked, self.open, self.bye) = (Reception::default(), false, false, None);
        self.polls = self.stream_due.is_some_and(|due| Instant::now() < due);
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(_nobody_listens) => return Ok(None),
        }
        Ok(Some(self.socket.insert(TcpStream::from_std(socket.into()))))
    }

    /// When to try again after a connection that did not even begin.
    pub(super) fn failed(&mut self) -> Duration {
        self.backoff.after_failure(None)
    }

    /// Sends the request once the connection stands, then reads what there is.
    pub(super) fn turn(&mut self, access: &Access, buffer: &mut [u8]) -> Result<Event> {
        let Some(socket) = &mut self.socket else { return Ok(Event::Nothing) };
        if !self.asked {
            if socket.take_error()?.is_some() {
                return Ok(self.over(Over::Failed, None));
            }
            if socket.peer_addr().is_err() {
                return Ok(Event::Nothing);
            }
            let Access { address, token, .. } = access;
            let request = match self.polls {
                true => page::request(*address, token, self.last.context("a cursor to poll on")?),
                false => stream::request(*address, token, self.last),
            };
            // Fits into the empty send buffer.
            if socket.write_all(request.as_bytes()).is_err() {
                return Ok(self.over(Over::Failed, None));
            }
            self.asked = true;
        }
        self.read(buffer)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Event> {
        loop {
            let Some(socket) = &mut self.socket else { return Ok(Event::Nothing) };
            let begun = self.reception.begin(buffer)?;
            let room = buffer.get_mut(begun..).unwrap_or_default();
            let (length, asked) = match socket.read(room) {
                Ok(0) => return Ok(self.lost()),
                Ok(length) => (length, room.len()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_reset) => return Ok(self.lost()),
            };
            let bytes = buffer.get_mut(..begun + length).unwrap_or_default();
            // What is no stream is read whole.
            if self.polls || !self.reception.is_open() && is_refused(bytes)? {
                if let Some(reply) = page::whole(bytes)? {
                    return self.answered(&reply);
                }
                self.reception.keep(bytes);
            } else {
                let mut reception = std::mem::take(&mut self.reception);
                reception.end(bytes, begun, |frame| self.take(&frame))?;
                self.reception = reception;
                if self.reception.is_over() {
                    return Ok(self.lost());
                }
            }
            // A read that did not fill the buffer has emptied the socket: epoll(7), question 9. But what comes
            // behind a farewell may be there already, and an end that was there is not told again.
            if length < asked && self.bye.is_none() {
                break;
            }
        }
        let opened = self.open && !self.counted;
        self.counted = self.open;
        Ok(if opened { Event::Opened } else { Event::Nothing })
    }

    /// One frame, as a browser takes it.
    fn take(&mut self, frame: &Frame<'_>) -> Result<()> {
        if let Some(retry_ms) = std::str::from_utf8(frame.retry).ok().and_then(|text| text.parse().ok()) {
            self.backoff.retry = Some(Duration::from_millis(retry_ms));
        }
        if frame.event == b"ready" {
            self.open = true;
            self.stream_due = None;
            self.backoff.opened();
        }
        if frame.event == b"bye" {
            #[derive(Deserialize)]
            struct Farewell {
                reason: Bye,
            }
            self.bye = Some(serde_json::from_slice::<Farewell>(frame.data).context("a farewell")?.reason);
        }
        if frame.event == b"reset" {
            bail!("a stream at {:?} was reset: {}", self.last, String::from_utf8_lossy(frame.data));
        }
        let Some(Position(seq, 0)) = Position::parse(frame.id) else { return Ok(()) };
        match frame.event {
            b"" | b"ready" => self.last = self.last.max(Some(seq)),
            _ => self.note(seq, frame.data),
        }
        Ok(())
    }

    /// One event, however it came.
    fn note(&mut self, seq: u64, data: &[u8]) {
        let is_known = self.last.is_some_and(|last| seq <= last);
        self.last = self.last.max(Some(seq));
        if is_known {
            self.counts.duplicates += 1;
        } else if let Some(number) = changes::number(data) {
            match self.seen.note(number) {
                true => self.counts.received += 1,
                false => self.counts.repeated += 1,
            }
        }
    }

    /// An answer that is no stream.
    fn answered(&mut self, reply: &Reply<'_>) -> Result<Event> {
        let retry_after = reply.head.retry_after_s.map(Duration::from_secs);
        match reply.head.status {
            429 | 503 if self.polls => Ok(self.over(Over::Refused, retry_after)),
            429 | 503 => {
                let refusal = serde_json::from_slice::<Refusal>(reply.body);
                let may_poll = self.last.is_some() && refusal.is_ok_and(|refusal| refusal.allows_polling());
                // Spread by the server, so nothing comes on top of it.
                self.stream_due = retry_after.filter(|_| may_poll).map(|pause| Instant::now() + pause);
                Ok(self.over(Over::Refused, retry_after))
            }
            _ => {
                let page: Page<'_> = reply.json()?;
                let (received_before, is_full) = (self.counts.received, page.items.len() == page::LIMIT);
                for event in page.items {
                    self.note(page::seq(event)?, event.get().as_bytes());
                }
                self.last = self.last.max(Some(page.next));
                self.counts.polled += self.counts.received - received_before;
                Ok(self.over(Over::Polled, is_full.then_some(Duration::ZERO)))
            }
        }
    }

    fn lost(&mut self) -> Event {
        let over = match (self.counted, self.bye) {
            (true, None) => Over::Lost,
            (true, Some(bye)) => Over::Told(bye),
            (false, _) => Over::Failed,
        };
        self.over(over, None)
    }

    /// `retry_after` is what an answer asked for; after a page, zero says that there is more.
    fn over(&mut self, over: Over, retry_after: Option<Duration>) -> Event {
        self.socket = None;
        (self.open, self.counted) = (false, false);
        let pause = match over {
            Over::Told(Bye::Disabled | Bye::Degraded) => {
                self.stream_due = Some(Instant::now() + self.backoff.after_loss());
                self.until_poll(rand::random_range(0.0..1.0))
            }
            Over::Lost | Over::Told(Bye::Other) => self.backoff.after_loss(),
            Over::Refused if !self.polls && self.stream_due.is_some() => self.until_poll(rand::random_range(0.0..1.0)),
            Over::Polled => retry_after.unwrap_or_else(|| self.until_poll(1.0)),
            Over::Failed | Over::Refused => self.backoff.after_failure(retry_after),
        };
        Event::Over(over, pause)
    }

    /// Until the next poll, after this share of the time between two; but not longer than until the stream is due.
    fn until_poll(&self, share: f64) -> Duration {
        let due = self.stream_due.map(|due| due.saturating_duration_since(Instant::now()));
        self.poll_every.mul_f64(share).min(due.unwrap_or_default())
    }
}

/// Whether this begins with the whole head of an answer that asks to come back.
fn is_refused(bytes: &[u8]) -> Result<bool> {
    Ok(Head::parse(bytes)?.is_some_and(|(head, _)| matches!(head.status, 429 | 503)))
}
