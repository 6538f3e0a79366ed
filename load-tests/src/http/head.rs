//! The head of a response.

use anyhow::{Context, Result, bail};

/// Longest response head that is accepted, in bytes.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Most header lines of a response.
const MAX_HEADERS: usize = 64;

/// What the load client needs to know of a response before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// For example 201.
    pub status: u16,
    /// How the body ends.
    pub body: Body,
    /// `Signalbox-Seq`: the position of what the request wrote.
    pub seq: Option<u64>,
    /// `Retry-After` in seconds.
    pub retry_after_s: Option<u64>,
    /// Whether the server closes the connection after this response.
    pub close: bool,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// After so many bytes.
    Length(usize),
    /// By a chunk of length zero.
    Chunked,
    /// When the connection closes; how a stream over HTTP/1.0 ends.
    UntilClose,
}

impl Head {
    /// Reads a head from the start of `bytes` and returns its length in bytes with it;
    /// `None` while it is incomplete.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).context("a malformed response head")? else {
            if bytes.len() >= MAX_HEAD_BYTES {
                bail!("a response head longer than {MAX_HEAD_BYTES} bytes");
            }
            return Ok(None);
        };

        let status = response.code.context("a response without a status")?;
        let body = if status == 204 { Body::Length(0) } else { Body::UntilClose };
        let mut head = Head { status, body, seq: None, retry_after_s: None, close: false };
        for header in response.headers.iter() {
            let value = || std::str::from_utf8(header.value).unwrap_or_default().trim();
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                head.body = Body::Length(value().parse().context("content-length")?);
            } else if is("transfer-encoding") && value().eq_ignore_ascii_case("chunked") {
                head.body = Body::Chunked;
            } else if is("signalbox-seq") {
                head.seq = Some(value().parse().context("signalbox-seq")?);
            } else if is("retry-after") {
                head.retry_after_s = value().parse().ok();
            } else if is("connection") {
                head.close = value().eq_ignore_ascii_case("close");
            }
        }
        Ok(Some((head, length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\nSignalbox-Seq: 42\r\n\r\n{\"a\":1}";
        let (head, length) = Head::parse(bytes).expect("valid").expect("complete");
        assert_eq!((head.status, head.seq, head.body), (201, Some(42), Body::Length(7)));
        assert_eq!(&bytes[length..], b"{\"a\":1}");
        for shorter in 0..length {
            assert_eq!(Head::parse(&bytes[..shorter]).expect("valid so far"), None);
        }
    }

    #[test]
    fn a_response_that_is_not_http_is_refused() {
        assert!(Head::parse(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").is_err());
    }
}
