//! Chunked transfer coding, undone in place.

use anyhow::{Result, bail};

/// Undoes the chunked coding of one body, fed in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Chunked(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the line that holds a chunk's length.
    Size {
        so_far: usize,
        extension: bool,
    },
    /// In a chunk's data.
    Data {
        left: usize,
    },
    /// In the line end after the data.
    DataEnd,
    /// In the trailer lines after the last chunk; `empty` while the line has no byte yet.
    Trailer {
        empty: bool,
    },
    Done,
}

impl Default for State {
    fn default() -> State {
        State::Size { so_far: 0, extension: false }
    }
}

impl Chunked {
    /// Moves the body's own bytes to the front of `bytes` and returns their number.
    ///
    /// # Errors
    /// When a length is no hexadecimal number, or bytes follow the end of the body: a
    /// client without pipelining has not asked for them.
    pub fn decode(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let (mut read, mut written) = (0, 0);
        while let Some(&byte) = bytes.get(read) {
            match self.0 {
                State::Data { left } => {
                    let length = left.min(bytes.len() - read);
                    bytes.copy_within(read..read + length, written);
                    read += length;
                    written += length;
                    self.0 = match left - length {
                        0 => State::DataEnd,
                        left => State::Data { left },
                    };
                    continue;
                }
                State::Done => bail!("bytes after the end of a chunked body"),
                framing => self.0 = framing.step(byte)?,
            }
            read += 1;
        }
        Ok(written)
    }

    /// Whether the last chunk and its trailer have been read.
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }
}

impl State {
    /// One byte of what stands between the chunks' data.
    fn step(self, byte: u8) -> Result<State> {
        Ok(match (self, byte) {
            (State::Size { so_far: 0, .. }, b'\n') => State::Trailer { empty: true },
            (State::Size { so_far, .. }, b'\n') => State::Data { left: so_far },
            (State::Size { .. }, b'\r') => self,
            (State::Size { so_far, extension }, _) if extension || byte == b';' => {
                State::Size { so_far, extension: true }
            }
            (State::Size { so_far, .. }, _) => match char::from(byte).to_digit(16) {
                Some(digit) if so_far <= usize::MAX >> 8 => {
                    State::Size { so_far: so_far * 16 + digit as usize, extension: false }
                }
                _ => bail!("byte {byte:#04x} in the length of a chunk"),
            },
            (State::DataEnd, b'\n') => State::default(),
            (State::Trailer { empty: true }, b'\n') => State::Done,
            (State::Trailer { .. }, b'\n') => State::Trailer { empty: true },
            (State::Trailer { .. }, b'\r') | (State::DataEnd, b'\r') => self,
            (State::Trailer { .. }, _) => State::Trailer { empty: false },
            (State::DataEnd, _) => bail!("byte {byte:#04x} after the data of a chunk"),
            (State::Data { .. } | State::Done, _) => self,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODED: &[u8] = b"5;name=value\r\nid: 1\r\nA\r\n\ndata: two\r\n0\r\nTrailer: x\r\n\r\n";
    const BODY: &[u8] = b"id: 1\ndata: two";

    #[test]
    fn a_body_is_the_same_however_its_bytes_are_cut() {
        for piece in 1..=CODED.len() {
            let mut chunked = Chunked::default();
            let mut body = Vec::new();
            for bytes in CODED.chunks(piece) {
                let mut bytes = bytes.to_vec();
                let length = chunked.decode(&mut bytes).expect("valid");
                body.extend_from_slice(&bytes[..length]);
            }
            assert_eq!(body, BODY, "cut into pieces of {piece} bytes");
            assert!(chunked.is_done());
        }
    }

    #[test]
    fn a_length_that_is_no_number_is_refused() {
        assert!(Chunked::default().decode(&mut b"xyz\r\n".to_vec()).is_err());
        assert!(Chunked::default().decode(&mut b"fffffffffffffffffff\r\n".to_vec()).is_err());
    }
}
