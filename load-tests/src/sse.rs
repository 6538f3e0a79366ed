//! A server-sent event stream as it comes off a socket, for thousands of sockets at once.
//!
//! A [`Reception`] is what one stream keeps between two reads: less than 100 bytes, and a
//! copy of an unfinished frame if a read ended inside one. The bytes themselves are read
//! into a buffer that all streams of a thread share, so an event costs no allocation.

use anyhow::{Result, bail};
use memchr::memchr;

use crate::http::{Body, Chunked, Head};

/// One frame, without the empty line that ends it. The fields are borrowed from the read buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// `id:`, empty when the frame has none.
    pub id: &'a [u8],
    /// `event:`, empty when the frame has none.
    pub event: &'a [u8],
    /// `data:`; the last line when there are several, which the measured servers never send.
    pub data: &'a [u8],
    /// `retry:`, empty when the frame has none.
    pub retry: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of `bytes` and its length. While its empty line is missing, what there
    /// is of it and `None`. `inside` says that the bytes begin within a line of data.
    fn first(bytes: &'a [u8], mut inside: bool) -> (Frame<'a>, Option<usize>) {
        let mut frame = Frame::default();
        let mut length = 0;
        loop {
            let rest = bytes.get(length..).unwrap_or_default();
            let end = memchr(b'\n', rest);
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            length += line.len() + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match (end, inside) {
                (_, true) => frame.data = line,
                (Some(_), false) if line.is_empty() => return (frame, Some(length)),
                (_, false) => frame.field(line),
            }
            if end.is_none() {
                return (frame, None);
            }
            inside = false;
        }
    }

    fn field(&mut self, line: &'a [u8]) {
        let (name, value) = line.split_at(memchr(b':', line).unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"id" => self.id = value,
            b"event" => self.event = value,
            b"data" => self.data = value,
            b"retry" => self.retry = value,
            // The name of a comment is empty.
            _ => {}
        }
    }
}

/// A position in a stream, comparable within it.
///
/// Signalbox sends one number; Nchan sends the second in which it stored a message and the
/// message's number within that second, `1700000000:3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64, pub u64);

impl Position {
    /// Reads an SSE id; `None` when it has neither form.
    pub fn parse(id: &[u8]) -> Option<Position> {
        let text = std::str::from_utf8(id).ok()?;
        let (first, second) = text.split_once(':').unwrap_or((text, "0"));
        Some(Position(first.parse().ok()?, second.parse().ok()?))
    }
}

/// How far one stream has been received.
#[derive(Debug, Default)]
pub struct Reception {
    /// `None` until the response head is complete.
    coding: Option<Coding>,
    /// An unfinished head, or an unfinished frame freed of its transfer coding.
    unfinished: Vec<u8>,
    /// Whether `unfinished` goes on with a line of data whose beginning was handed out.
    inside: bool,
    pieces: Option<Pieces>,
}

/// How to hand out frames that are too long to be kept until they are complete.
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    /// An unfinished frame of more bytes is handed out as far as it has come.
    pub above_bytes: usize,
    /// So many bytes of it are handed out again with what follows: one less than what is
    /// looked for in the data, so that nothing is cut in two and nothing found twice.
    pub again_bytes: usize,
}

#[derive(Debug)]
enum Coding {
    Plain,
    Chunked(Chunked),
}

impl Reception {
    /// A reception that does not wait for the end of long frames.
    pub fn in_pieces(pieces: Pieces) -> Reception {
        Reception { pieces: Some(pieces), ..Reception::default() }
    }

    /// Whether the response head has come.
    pub fn is_open(&self) -> bool {
        self.coding.is_some()
    }

    /// Puts what is unfinished at the front of `buffer`; the next read goes behind it.
    ///
    /// # Errors
    /// When a frame fills the whole buffer.
    pub fn begin(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.unfinished.len();
        match buffer.get_mut(..length) {
            Some(front) if length < MAX_FRAME_BYTES => front.copy_from_slice(&self.unfinished),
            _ => bail!("a frame of more than {length} bytes"),
        }
        Ok(length)
    }

    /// Takes what begins with the unfinished bytes and goes on with those just read, from
    /// `fresh`, and hands out each frame that is complete now.
    ///
    /// # Errors
    /// When the response is not a 200, its coding is broken, or `on_frame` fails.
    pub fn end(
        &mut self,
        bytes: &mut [u8],
        mut fresh: usize,
        mut on_frame: impl FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut from = 0;
        if self.coding.is_none() {
            let Some((coding, length)) = open(bytes)? else {
                self.keep(bytes);
                return Ok(());
            };
            self.coding = Some(coding);
            (from, fresh) = (length, length);
        }
        let mut to = bytes.len();
        if let Some(Coding::Chunked(chunked)) = &mut self.coding {
            to = fresh + chunked.decode(bytes.get_mut(fresh..).unwrap_or_default())?;
        }
        let mut rest = bytes.get(from..to).unwrap_or_default();
        while !rest.is_empty() {
            let (frame, length) = Frame::first(rest, self.inside);
            let Some(length) = length else {
                if let Some(pieces) = self.pieces.filter(|pieces| rest.len() > pieces.above_bytes) {
                    on_frame(frame)?;
                    self.inside = true;
                    rest = rest.get(rest.len() - pieces.again_bytes..).unwrap_or_default();
                }
                break;
            };
            on_frame(frame)?;
            self.inside = false;
            rest = rest.get(length..).unwrap_or_default();
        }
        self.keep(rest);
        Ok(())
    }

    /// Whether the server has ended the stream in order. One that neither side cuts into chunks ends
    /// with its connection.
    pub fn is_over(&self) -> bool {
        matches!(&self.coding, Some(Coding::Chunked(chunked)) if chunked.is_done())
    }

    /// Keeps what was read until more has come.
    pub fn keep(&mut self, rest: &[u8]) {
        self.unfinished.clear();
        self.unfinished.extend_from_slice(rest);
    }
}

/// Longest frame that is accepted, in bytes: a body of 256 KiB, and as much again for
/// what the server adds to it. Read buffers are at least twice as long.
pub const MAX_FRAME_BYTES: usize = 512 * 1024;

/// Reads the response head; `None` while it is incomplete.
fn open(bytes: &[u8]) -> Result<Option<(Coding, usize)>> {
    let Some((head, length)) = Head::parse(bytes)? else { return Ok(None) };
    if head.status != 200 {
        let rest = String::from_utf8_lossy(bytes.get(length..).unwrap_or_default());
        bail!("the stream was refused with status {}: {rest}", head.status);
    }
    match head.body {
        Body::Chunked => Ok(Some((Coding::Chunked(Chunked::default()), length))),
        Body::UntilClose => Ok(Some((Coding::Plain, length))),
        Body::Length(_) => bail!("a stream of limited length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
        retry: 9000\n\n: hello\n\nid: 7\nevent: ready\n\nid:8\r\nevent:a\r\ndata: x: y\r\n\r\n\
        id: 1700000000:3\ndata:  z\n\n";

    /// Every frame that a reception hands out when the bytes come in pieces.
    fn receive(bytes: &[u8], piece: usize) -> Vec<[String; 3]> {
        receive_by(Reception::default(), bytes, piece)
    }

    fn receive_by(mut reception: Reception, bytes: &[u8], piece: usize) -> Vec<[String; 3]> {
        let mut buffer = vec![0; 2 * MAX_FRAME_BYTES];
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece) {
            let begun = reception.begin(&mut buffer).expect("room");
            let filled = begun + piece.len();
            buffer[begun..filled].copy_from_slice(piece);
            let on_frame = |frame: Frame<'_>| {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                frames.push([text(frame.id), text(frame.event), text(frame.data)]);
                Ok(())
            };
            reception.end(&mut buffer[..filled], begun, on_frame).expect("valid");
        }
        frames
    }

    #[test]
    fn frames_are_the_same_however_their_bytes_are_cut() {
        let expected = [["", "", ""], ["", "", ""], ["7", "ready", ""], ["8", "a", "x: y"], ["1700000000:3", "", " z"]];
        for piece in 1..=PLAIN.len() {
            assert_eq!(receive(PLAIN, piece), expected, "cut into pieces of {piece} bytes");
        }
    }

    #[test]
    fn a_chunked_stream_is_the_same_stream() {
        let coded = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            6\r\nid: 8\n\r\n9\r\ndata: xy\n\r\n1\r\n\n\r\n";
        for piece in 1..=coded.len() {
            assert_eq!(receive(coded, piece), [["8", "", "xy"]], "cut into pieces of {piece}");
        }
    }

    #[test]
    fn a_stream_that_the_end_of_its_connection_ends_is_the_same_stream() {
        let plain = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nid: 8\ndata: xy\n\nid: 9\ndata: cut off";
        for piece in 1..=plain.len() {
            assert_eq!(receive(plain, piece), [["8", "", "xy"]], "cut into pieces of {piece}");
        }
    }

    #[test]
    fn what_is_looked_for_in_a_long_frame_is_found_once_however_it_is_cut() {
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        let marks = (10..60).map(|number| format!("mark{number}")).collect::<Vec<_>>();
        let bytes = format!("{head}event: data\ndata:[{}]\n\nid: 9\ndata: mark99\n\n", marks.join(","));
        for piece in 1..=bytes.len() {
            let pieces = Pieces { above_bytes: 40, again_bytes: "markNN".len() - 1 };
            let frames = receive_by(Reception::in_pieces(pieces), bytes.as_bytes(), piece);
            let found = |frame: &[String; 3]| {
                frame[2]
                    .match_indices("mark")
                    .filter_map(|(at, _)| Some(frame[2].get(at..at + 6)?.to_owned()))
                    .collect::<Vec<_>>()
            };
            let (last, long) = frames.split_last().expect("frames");
            assert_eq!(long.iter().flat_map(found).collect::<Vec<_>>(), marks, "cut into pieces of {piece}");
            assert_eq!(last, &["9", "", "mark99"]);
        }
    }

    #[test]
    fn a_refusal_names_its_status() {
        let mut bytes = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nbusy".to_vec();
        let error = Reception::default().end(&mut bytes, 0, |_| Ok(())).expect_err("refused");
        assert_eq!(error.to_string(), "the stream was refused with status 429: busy");
    }

    #[test]
    fn positions_of_both_servers_compare_within_themselves() {
        assert!(Position::parse(b"9") < Position::parse(b"10"));
        assert!(Position::parse(b"1700000000:9") < Position::parse(b"1700000000:10"));
        assert_eq!(Position::parse(b"x"), None);
    }
}
