//! One stream that comes back by itself.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use anyhow::{Context, Result};
use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use super::{backoff::Backoff, seen::Seen};
use crate::{
    changes,
    http::Head,
    sse::{Frame, Position, Reception},
};

/// Streams from one source address, far fewer than it has ports: those of lost connections rest for a while.
const STREAMS_PER_SOURCE: usize = 2_000;

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
    /// Nobody listens, or the connection broke before the stream was open.
    Failed,
    /// The server answered 429 or 503.
    Refused,
}

/// What a stream counts over all its connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Changes, each one once.
    pub(super) received: u64,
    /// Events that the id showed to be known already.
    pub(super) duplicates: u64,
    /// Changes that came again under another id: what no client could drop.
    pub(super) repeated: u64,
}

/// One reader.
#[derive(Debug)]
pub(super) struct Client {
    /// Number among all readers.
    number: usize,
    socket: Option<TcpStream>,
    reception: Reception,
    /// The request has been written.
    asked: bool,
    /// `ready` has come.
    open: bool,
    /// The thread was told so.
    counted: bool,
    /// The last id.
    pub(super) last: Option<u64>,
    backoff: Backoff,
    pub(super) seen: Seen,
    pub(super) counts: Counts,
}

impl Client {
    pub(super) fn new(number: usize) -> Client {
        Client {
            number,
            socket: None,
            reception: Reception::default(),
            asked: false,
            open: false,
            counted: false,
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
        let source = u8::try_from(2 + self.number / STREAMS_PER_SOURCE)?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)
            .context("open a socket; `ulimit -n` must be above the number of streams")?;
        // Closed by a reset, so that its port does not rest in TIME_WAIT.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, source), 0).into())?;
        socket.set_nonblocking(true)?;
        (self.reception, self.asked, self.open) = (Reception::default(), false, false);
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
    pub(super) fn turn(&mut self, request: &str, buffer: &mut [u8]) -> Result<Event> {
        let Some(socket) = &mut self.socket else { return Ok(Event::Nothing) };
        if !self.asked {
            if socket.take_error()?.is_some() {
                return Ok(self.over(Over::Failed, None));
            }
            if socket.peer_addr().is_err() {
                return Ok(Event::Nothing);
            }
            let cursor = self.last.map_or_else(String::new, |seq| format!("Last-Event-ID: {seq}\r\n"));
            // Fits into the empty send buffer.
            if socket.write_all(format!("{request}{cursor}\r\n").as_bytes()).is_err() {
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
            if !self.reception.is_open()
                && let Some((head, _)) = Head::parse(bytes)?
                && matches!(head.status, 429 | 503)
            {
                return Ok(self.over(Over::Refused, head.retry_after_s.map(Duration::from_secs)));
            }
            let mut reception = std::mem::take(&mut self.reception);
            reception.end(bytes, begun, |frame| self.take(&frame))?;
            self.reception = reception;
            // A read that did not fill the buffer has emptied the socket: epoll(7), question 9.
            if length < asked {
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
            self.backoff.opened();
        }
        if frame.event == b"reset" {
            anyhow::bail!("a stream at {:?} was reset: {}", self.last, String::from_utf8_lossy(frame.data));
        }
        let Some(Position(seq, 0)) = Position::parse(frame.id) else { return Ok(()) };
        let is_event = !matches!(frame.event, b"" | b"ready");
        let is_known = self.last.is_some_and(|last| seq <= last);
        self.last = self.last.max(Some(seq));
        if is_event && is_known {
            self.counts.duplicates += 1;
        } else if let Some(number) = changes::number(frame.data).filter(|_| is_event) {
            match self.seen.note(number) {
                true => self.counts.received += 1,
                false => self.counts.repeated += 1,
            }
        }
        Ok(())
    }

    fn lost(&mut self) -> Event {
        self.over(if self.counted { Over::Lost } else { Over::Failed }, None)
    }

    fn over(&mut self, over: Over, retry_after: Option<Duration>) -> Event {
        self.socket = None;
        (self.open, self.counted) = (false, false);
        let pause = match over {
            Over::Lost => self.backoff.after_loss(),
            Over::Failed | Over::Refused => self.backoff.after_failure(retry_after),
        };
        Event::Over(over, pause)
    }
}
