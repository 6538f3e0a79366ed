//! Polling on a stream's cursor, while the server asks for it.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::{Body, Head, Reply};

/// Events of a page at most; a full one is followed by the next at once.
pub(super) const LIMIT: usize = 100;

/// What is behind a cursor.
#[derive(Debug, Deserialize)]
pub(super) struct Page<'a> {
    /// The events as the stream would send them.
    #[serde(borrow)]
    pub(super) items: Vec<&'a RawValue>,
    /// The next cursor.
    pub(super) next: u64,
}

/// Why there was no stream.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    allowed: Vec<String>,
}

impl Refusal {
    /// The client shall poll until it tries again.
    pub(super) fn allows_polling(&self) -> bool {
        self.allowed.iter().any(|way| way == "polling")
    }
}

/// The request for what is behind a cursor.
pub(super) fn request(address: SocketAddr, token: &str, after: u64) -> String {
    format!(
        "GET /api/v1/events?after={after}&limit={LIMIT} HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
}

/// An answer, once it has come whole.
pub(super) fn whole(bytes: &[u8]) -> Result<Option<Reply<'_>>> {
    let Some((head, from)) = Head::parse(bytes)? else { return Ok(None) };
    let Body::Length(length) = head.body else { bail!("an answer that does not tell its length") };
    Ok(bytes.get(from..from + length).map(|body| Reply { head, body }))
}

/// The position of an event.
pub(super) fn seq(event: &RawValue) -> Result<u64> {
    #[derive(Deserialize)]
    struct Event {
        seq: u64,
    }
    Ok(serde_json::from_str::<Event>(event.get()).context("an event without its position")?.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_once_it_is_whole() -> Result<()> {
        let body = r#"{"items":[{"seq":8,"data":{}}],"next":9}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let bytes = answer.as_bytes();
        for length in 0..bytes.len() {
            assert!(whole(&bytes[..length])?.is_none(), "{length} bytes");
        }
        let page: Page<'_> = whole(bytes)?.context("an answer")?.json()?;
        assert_eq!(page.items.into_iter().map(seq).collect::<Result<Vec<_>>>()?, [8]);
        assert_eq!(page.next, 9);
        Ok(())
    }
}
