//! Streams in gzip, at the price of one compression for a whole class of readers.
//!
//! A deflated piece that refers to nothing before it and ends at a byte's boundary can follow any other piece
//! (RFC 1951, section 3.2; zlib calls it a full flush). So a round is deflated once, alone, and every reader of
//! its class gets the same bytes, wherever it came in. Nothing waits to be compressed together with what comes
//! next. The stream has no trailer: it ends with its connection, in the middle of nothing.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, FlushCompress, Status};

/// Smaller pieces are stored as they are, 5 bytes longer.
const LEAST_BYTES: usize = 256;
/// Before the first piece: deflate, no name, no time, an unknown system (RFC 1952, section 2.3).
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// Bytes that one stored block can hold.
const STORED_BYTES: usize = u16::MAX as usize;

/// How a reader wants its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As they are.
    #[default]
    Identity,
    /// `Content-Encoding: gzip`.
    Gzip,
}

impl Encoding {
    /// The first piece of a stream.
    pub(super) fn opening(self, frames: &Bytes) -> Bytes {
        match self {
            Encoding::Identity => frames.clone(),
            Encoding::Gzip => Bytes::from([&GZIP_HEAD, self.piece(frames).as_ref()].concat()),
        }
    }

    /// Any other piece. An empty one stays empty.
    pub(super) fn piece(self, frames: &Bytes) -> Bytes {
        match self {
            Encoding::Identity => frames.clone(),
            Encoding::Gzip if frames.len() < LEAST_BYTES => stored(frames),
            Encoding::Gzip => deflated(frames).unwrap_or_else(|| stored(frames)),
        }
    }
}

/// `None` when it does not become smaller.
fn deflated(frames: &Bytes) -> Option<Bytes> {
    let mut piece = Vec::with_capacity(frames.len());
    let mut compress = Compress::new(Compression::fast(), false);
    let status = compress.compress_vec(frames, &mut piece, FlushCompress::Full);
    // A full output may hide that the flush is not complete.
    let complete = matches!(status, Ok(Status::Ok)) && compress.total_in() == frames.len() as u64;
    (complete && piece.len() < piece.capacity()).then(|| Bytes::from(piece))
}

fn stored(frames: &Bytes) -> Bytes {
    let mut piece = BytesMut::new();
    for block in frames.chunks(STORED_BYTES) {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        piece.put_u8(0); // not the last block; stored
        piece.put_u16_le(length);
        piece.put_u16_le(!length);
        piece.put_slice(block);
    }
    piece.freeze()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    #[test]
    fn pieces_of_any_size_in_any_order_make_one_stream() {
        let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let text = b"id: 7\nevent: incident.commented\ndata: {}\n\n".repeat(300);
        let pieces =
            [&b":\n\n"[..], &text, &noise, b"", &text[..LEAST_BYTES], &noise[..1], &text].map(Bytes::copy_from_slice);
        let mut sent = Encoding::Gzip.opening(&pieces[0]).to_vec();
        pieces[1..].iter().for_each(|piece| sent.extend_from_slice(&Encoding::Gzip.piece(piece)));
        assert_eq!(sent[..10], GZIP_HEAD);
        assert!(sent.len() < 2 * noise.len(), "{} bytes", sent.len());
        let whole = pieces.concat();
        let mut read = vec![0; whole.len()];
        DeflateDecoder::new(&sent[10..]).read_exact(&mut read).expect("all of it, though the stream has no end");
        assert_eq!(read, whole);
    }
}
