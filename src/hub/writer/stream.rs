//! One socket and what is still to be written to it.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Taken;
use crate::hub::reader::Step;
use crate::hub::{Moment, Reader, Round};

/// Rounds that are written before others get their turn: 256 KiB.
const ROUNDS_AT_ONCE: usize = 4;
/// A reader of a stream has nothing to say; one that sends more than this at once is closed. In bytes.
const MOST_SAID: usize = 64 << 10;

/// A stream of a writer thread.
pub(super) struct Stream {
    pub socket: TcpStream,
    pub reader: Reader,
    /// What the socket did not take: a part of a round that the whole class shares, or a frame.
    unsent: Bytes,
    /// When the socket took something last, or had nothing to take.
    pub moved_at: Instant,
    /// A page of the log is on its way to it.
    pub awaits_page: bool,
    /// It was said in the log that it lags.
    pub lags: bool,
    _room: OwnedSemaphorePermit,
}

/// How a turn ended.
pub(super) enum Turn {
    /// Nothing to do until something changes.
    Idle,
    /// The socket is full.
    Blocked,
    /// There is more to write, but others are waiting.
    More,
    /// This page of the log is wanted.
    Page(i64),
    /// The stream is over, in order or not.
    Over,
}

impl Stream {
    /// Takes over a socket. The head and the first frame will be written in one go.
    pub fn open(taken: Taken, moment: &Moment) -> Stream {
        let Taken { socket, head, mut reader, room } = taken;
        let unsent = match reader.next(moment) {
            Step::Frame(frame) => Bytes::from([head, frame].concat()),
            _ => head,
        };
        let (socket, moved_at) = (TcpStream::from_std(socket), moment.at);
        Stream { socket, reader, unsent, moved_at, awaits_page: false, lags: false, _room: room }
    }

    /// Whether something waits for the socket.
    pub fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Writes until all is said, the socket is full, or others shall have their turn. `sent` hears of each round, and
    /// whether it is news.
    pub fn write(
        &mut self,
        moment: &Moment,
        mut given: Option<Step>,
        sent: &mut impl FnMut(&Arc<Round>, bool),
    ) -> Turn {
        for _ in 0..ROUNDS_AT_ONCE {
            match self.flush(moment) {
                Ok(true) => {}
                Ok(false) => return Turn::Blocked,
                Err(_left) => return Turn::Over,
            }
            if self.awaits_page {
                return Turn::Idle;
            }
            match given.take().unwrap_or_else(|| self.reader.next(moment)) {
                Step::Round(round) => {
                    sent(&round, self.reader.is_live());
                    (self.unsent, self.moved_at) = (round.frames.clone(), moment.at);
                }
                Step::Frame(frame) => (self.unsent, self.moved_at) = (frame, moment.at),
                Step::Bye(frame, reason) => {
                    tracing::debug!(stream = self.reader.number(), reason = reason.as_str(), "a stream ends");
                    (self.unsent, self.moved_at) = (frame, moment.at);
                }
                Step::Page(cursor) => return Turn::Page(cursor),
                Step::Wait(_) => return Turn::Idle,
                Step::End => return Turn::Over,
            }
        }
        Turn::More
    }

    /// True when nothing is left to write.
    fn flush(&mut self, moment: &Moment) -> std::io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => {
                    self.unsent.advance(length);
                    self.moved_at = moment.at;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent = Bytes::new(); // lets go of the round
        Ok(true)
    }

    /// Throws away what the reader says. False when it has left or says too much.
    pub fn listen(&mut self) -> bool {
        let mut said = [0; 4096];
        for _ in 0..MOST_SAID / said.len() {
            match self.socket.read(&mut said) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_left) => return false,
            }
        }
        false
    }
}
