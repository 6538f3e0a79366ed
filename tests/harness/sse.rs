//! Server-sent events as the WHATWG says, on a parser of the tests' own.

use flate2::{Decompress, FlushDecompress};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;

use super::PATIENCE;

/// One block of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub id: Option<i64>,
    pub event: String,
    pub data: Value,
    pub retry_ms: Option<u64>,
}

pub struct Stream {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    bytes: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
    /// Comment lines so far.
    pub comments: usize,
}

impl Stream {
    pub fn of(response: reqwest::Response) -> Stream {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Stream { status, headers, bytes: response.bytes_stream().boxed(), text: String::new(), comments: 0 }
    }

    /// The same of an answer in gzip, unpacked as it comes.
    pub fn of_gzip(response: reqwest::Response) -> Stream {
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let mut stream = Stream::of(response);
        let mut inflate = Decompress::new(false);
        let mut to_skip = 10; // a head without optional fields
        let unpacked = stream.bytes.map(move |piece| {
            let piece = piece?;
            let head = piece.len().min(to_skip);
            to_skip -= head;
            let (mut rest, mut text) = (&piece[head..], Vec::new());
            while !rest.is_empty() {
                let before = inflate.total_in();
                text.reserve(64 << 10);
                inflate.decompress_vec(rest, &mut text, FlushDecompress::Sync).unwrap();
                rest = &rest[usize::try_from(inflate.total_in() - before).unwrap()..];
            }
            Ok(text.into())
        });
        stream.bytes = unpacked.boxed();
        stream
    }

    /// The next block that is not only comments; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                self.comments += block.lines().filter(|line| line.starts_with(':')).count();
                if block.lines().any(|line| !line.is_empty() && !line.starts_with(':')) {
                    return Some(frame(&block));
                }
                continue;
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// False when the stream has ended.
    async fn read(&mut self) -> bool {
        match timeout(PATIENCE, self.bytes.next()).await.expect("a stream says something within its patience") {
            Some(Ok(bytes)) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
            Some(Err(_)) | None => return false,
        }
        true
    }

    /// Waits for a block, comments among them, and says how many comment lines there were until then.
    pub async fn comment(&mut self) -> usize {
        let end = loop {
            match self.text.find("\n\n") {
                Some(end) => break end + 2,
                None => assert!(self.read().await, "the stream goes on"),
            }
        };
        self.comments += self.text.drain(..end).as_str().lines().filter(|line| line.starts_with(':')).count();
        self.comments
    }

    /// The next block of an event from the log or of control, past `retry:` and bookmarks.
    pub async fn event(&mut self) -> Frame {
        loop {
            let frame = self.next().await.expect("the stream goes on");
            if !frame.event.is_empty() {
                return frame;
            }
        }
    }

    /// Says goodbye with this reason, and that it is worth coming back, and then ends.
    pub async fn is_closed_with(&mut self, reason: &str) {
        let bye = self.until("bye").await.pop().unwrap();
        assert_eq!(bye.data, serde_json::json!({ "reason": reason, "reconnect": true }));
        assert!(bye.retry_ms.is_some_and(|ms| ms > 0) && self.next().await.is_none());
    }

    /// Blocks up to and with the one of this event.
    pub async fn until(&mut self, event: &str) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("ended before {event}: {frames:?}"));
            let found = frame.event == event;
            frames.push(frame);
            if found {
                return frames;
            }
        }
    }
}

fn frame(block: &str) -> Frame {
    let mut frame = Frame { id: None, event: String::new(), data: Value::Null, retry_ms: None };
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => frame.id = Some(value.parse().unwrap()),
            "event" => frame.event = value.to_owned(),
            "data" => frame.data = serde_json::from_str(value).unwrap(),
            "retry" => frame.retry_ms = Some(value.parse().unwrap()),
            "" => {} // a comment
            other => panic!("unknown field {other}"),
        }
    }
    frame
}
