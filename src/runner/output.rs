//! What an execution prints: masked, cut, and gathered into batches, each one event `log.added`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::run::Stopped;
use crate::automations::fence;
use crate::domain::automation::Mask;
use crate::domain::automation::execution::Lease;
use crate::domain::logs::{Batch, Level, Line};
use crate::http::App;
use crate::log::{AppendError, Cause, Command, Idempotency, sha256};
use crate::logs;

/// Lines of a batch. A program that prints 100,000 lines makes 200 events.
const BATCH_LINES: usize = 500;
/// Bytes of a batch: a sixteenth of what one append of many may have.
const BATCH_BYTES: usize = 256 << 10;
/// A line that waits for others waits so long at most.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// Bytes of a line; the rest is left out, and the line says so.
const LINE_BYTES: usize = 8 << 10;
/// Between two tries to record a batch.
const AGAIN: Duration = Duration::from_millis(200);
/// PostgreSQL's code, made by `sql/functions/state_execution_fence.sql`.
const STALE: &str = "SB001";

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// Signalbox itself.
    System,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Source::Out => "stdout",
            Source::Err => "stderr",
            Source::System => "system",
        }
    }
}

/// What one attempt at one step prints.
pub struct Output {
    app: Arc<App>,
    execution: Uuid,
    lease: Lease,
    cause: Cause,
    step: usize,
    attempt: u32,
    mask: Arc<Mask>,
    lines: Vec<Line>,
    bytes: usize,
    /// When the lines that wait must go.
    due: Option<Instant>,
    /// Names each batch, so that it can be sent again.
    batch: u64,
    /// Bytes so far.
    pub printed: u64,
}

impl Output {
    /// Nothing printed yet.
    pub fn new(
        app: Arc<App>,
        (execution, lease): (Uuid, Lease),
        cause: Cause,
        (step, attempt): (usize, u32),
        mask: Arc<Mask>,
    ) -> Output {
        let (lines, bytes, due, batch, printed) = (Vec::new(), 0, None, 0, 0);
        Output { app, execution, lease, cause, step, attempt, mask, lines, bytes, due, batch, printed }
    }

    /// Takes all that a program prints, on both ways, until both end or `most` bytes have come.
    ///
    /// Returns whether all was taken. While the database takes nothing the program waits in its writes.
    ///
    /// # Errors
    /// The lease is another's.
    pub async fn pump(
        &mut self,
        out: impl AsyncRead + Unpin,
        err: impl AsyncRead + Unpin,
        most: u64,
    ) -> Result<bool, Stopped> {
        let longest = self.mask.longest();
        let (mut out, mut err) = (Lines::new(out, longest), Lines::new(err, longest));
        while !(out.ended && err.ended) {
            let due = self.due.unwrap_or_else(Instant::now);
            tokio::select! {
                more = out.read(), if !out.ended => self.take(Source::Out, more),
                more = err.read(), if !err.ended => self.take(Source::Err, more),
                () = sleep_until(due), if self.due.is_some() => self.flush().await?,
            }
            if self.lines.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES {
                self.flush().await?;
            }
            if self.printed > most {
                self.flush().await?;
                return Ok(false);
            }
        }
        self.flush().await?;
        Ok(true)
    }

    fn take(&mut self, source: Source, lines: Vec<Vec<u8>>) {
        for line in lines {
            self.print(source, &line);
        }
    }

    /// A line more. It is recorded with others, at the latest by [`Output::flush`].
    pub fn print(&mut self, source: Source, line: &[u8]) {
        self.printed += line.len() as u64 + 1;
        let mut text = self.mask.of(&String::from_utf8_lossy(line));
        if line.len() > LINE_BYTES {
            // The end may be the beginning of a secret, whose rest nobody looked at.
            text.truncate(text.floor_char_boundary(text.len().saturating_sub(self.mask.longest()).min(LINE_BYTES)));
            text += " … cut";
        }
        let level = if source == Source::Err { Level::Warn } else { Level::Info };
        let mut line = Line::of_output(level, text.as_bytes());
        let fields = json!({ "step": self.step, "attempt": self.attempt, "stream": source.as_str() });
        line.fields = fields.as_object().cloned().unwrap_or_default();
        self.bytes += line.message.len();
        self.lines.push(line);
        self.due.get_or_insert_with(|| Instant::now() + BATCH_WAIT);
    }

    /// Records what waits, however often it must be tried while the lease is ours.
    ///
    /// # Errors
    /// The lease is another's.
    pub async fn flush(&mut self) -> Result<(), Stopped> {
        (self.due, self.bytes) = (None, 0);
        while !self.lines.is_empty() {
            let lines: Vec<Line> = self.lines.drain(..self.lines.len().min(BATCH_LINES)).collect();
            self.batch += 1;
            self.record(lines).await?;
        }
        Ok(())
    }

    async fn record(&self, lines: Vec<Line>) -> Result<(), Stopped> {
        let source = format!("execution/{}", self.execution);
        let batch = Batch { source, server: None, execution: Some(self.execution), lines };
        let key = format!("{}/{}/{}/{}", self.lease.token, self.step, self.attempt, self.batch);
        let idempotency = Idempotency {
            principal: format!("execution/{}", self.execution),
            body_hash: sha256(key.as_bytes()).to_vec(),
            key,
            reply: "null".to_owned(),
        };
        loop {
            let (write, state) = logs::write(&batch, OffsetDateTime::now_utc());
            let states = vec![state, fence(self.execution, self.lease.token)];
            let idempotency = Some(idempotency.clone());
            let command = Command { cause: self.cause.clone(), writes: vec![write], states, idempotency };
            match self.app.appender.append(command).await {
                Ok(_appended_now_or_before) => return Ok(()),
                Err(AppendError::Refused { sqlstate, .. }) if sqlstate == STALE => return Err(Stopped::Lost),
                Err(AppendError::Refused { message, .. }) => {
                    tracing::error!(message, "lines of an execution could not be recorded");
                    return Ok(());
                }
                Err(error) => {
                    tracing::debug!(%error, "lines of an execution wait");
                    sleep(AGAIN).await;
                }
            }
        }
    }
}

/// Lines of a pipe. A line that is too long comes cut, with so many bytes more as a secret may need to be known.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    most: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(pipe: R, longest_secret: usize) -> Lines<R> {
        Lines { reader: BufReader::new(pipe), line: Vec::new(), most: LINE_BYTES + longest_secret, ended: false }
    }

    /// The lines that became whole with what comes next.
    ///
    /// # Cancellation
    /// Safe: nothing is taken before it has come.
    async fn read(&mut self) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        // A pipe that cannot be read has ended.
        let piece = self.reader.fill_buf().await.unwrap_or_default();
        let length = piece.len();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = (self.most + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < part.len() {
                whole.push(taken(&mut self.line));
            }
        }
        if length == 0 {
            self.ended = true;
            if !self.line.is_empty() {
                whole.push(taken(&mut self.line));
            }
        }
        self.reader.consume(length);
        whole
    }
}

/// The line that is whole, and an empty one in its place.
fn taken(line: &mut Vec<u8>) -> Vec<u8> {
    let mut line = std::mem::take(line);
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_line_is_put_together_from_whatever_pieces_it_comes_in() {
        let (mut write, read) = tokio::io::duplex(3); // so that no piece is longer
        let text = b"one\r\n\nhunter22 and no end".to_vec();
        let writing = tokio::spawn(async move { write.write_all(&text).await.unwrap() });
        let mut lines = Lines::new(read, 8);
        let mut found = Vec::new();
        while !lines.ended {
            found.extend(lines.read().await);
        }
        writing.await.unwrap();
        assert_eq!(found, [&b"one"[..], b"", b"hunter22 and no end"]);
    }

    #[tokio::test]
    async fn a_line_without_end_takes_bounded_memory() {
        let text = vec![b'x'; 1 << 20];
        let mut lines = Lines::new(&text[..], 100);
        let mut found = Vec::new();
        while !lines.ended {
            found.extend(lines.read().await);
            assert!(lines.line.capacity() <= 4 * LINE_BYTES);
        }
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), LINE_BYTES + 101);
    }
}
