//! A writer: an incident, a few comments on it, the next incident; each until it is known.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::Shared;
use crate::{
    clock,
    history::{Append, Digest, Outcome},
    http::{Connection, Request},
};

/// Longer than the server's own longest wait for an outcome, 10 s.
const ANSWER: Duration = Duration::from_secs(15);

/// How long a command is repeated before its sender gives up: longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between a failure and the next try, at most; the pause itself is random.
const PAUSE_MS: u64 = 100;

/// What stands before the key in every text, so that an event tells which command wrote it.
pub(super) const KEY_MARK: &str = "key=";

/// Comments on an incident, at most.
const COMMENTS: u32 = 12;

/// All that a writer did.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) appends: Vec<Append>,
    /// Requests sent again.
    pub(super) retries: u64,
}

/// One writer.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The process that is asked next.
    process: usize,
    connection: Option<Connection>,
    written: Written,
}

/// What a try came to.
enum Try {
    /// Done, at this position, with the resource's id.
    Done { seq: u64, id: Uuid },
    /// Refused for good.
    Refused(String),
    /// Not now, or not yet.
    Later(Duration),
}

impl Writer {
    pub(super) fn new(number: u32, shared: Arc<Shared>) -> Writer {
        Writer { shared, process: number as usize, connection: None, written: Written::default() }
    }

    pub(super) async fn run(mut self) -> Written {
        while !self.shared.written.load(Relaxed) {
            let Some(incident) = self.append("/api/v1/incidents", "incident.created").await else { continue };
            let path = format!("/api/v1/incidents/{incident}/comments");
            for _ in 0..rand::random_range(0..=COMMENTS) {
                if !self.shared.written.load(Relaxed) {
                    sleep(self.shared.pause).await;
                    self.append(&path, "incident.commented").await;
                }
            }
        }
        self.written
    }

    /// Carries out one command, whatever it takes, and notes what became of it.
    async fn append(&mut self, path: &str, kind: &str) -> Option<Uuid> {
        let key = Uuid::new_v4().to_string();
        let text = format!("{KEY_MARK}{key} {:016x}", rand::random::<u64>());
        let body = match kind {
            "incident.created" => json!({ "title": "Round trip", "severity": "P3", "description": text }),
            _ => json!({ "text": text }),
        };
        let body = body.to_string();
        let invoke_ns = clock::now_ns();
        let (outcome, id) = self.send(path, &key, &body).await;
        let request = Digest::of((kind, text.as_str()));
        let done_ns = clock::now_ns();
        self.written.appends.push(Append { key, request, invoke_ns, done_ns, outcome });
        id
    }

    /// Sends one command until its outcome is known or the patience is gone.
    async fn send(&mut self, path: &str, key: &str, body: &str) -> (Outcome, Option<Uuid>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let pause = match timeout(ANSWER, self.attempt(path, key, body)).await {
                Ok(Ok(Try::Done { seq, id })) => return (Outcome::Ok { seq }, Some(id)),
                Ok(Ok(Try::Refused(why))) => {
                    // A good command: a refusal is worth a look even where no promise breaks.
                    crate::report::note(format_args!("refused: {why}"));
                    return (Outcome::Fail, None);
                }
                Ok(Ok(Try::Later(pause))) => pause,
                // The connection's state is unknown too: the next try takes a new one.
                Ok(Err(_)) | Err(_) => {
                    self.connection = None;
                    Duration::ZERO
                }
            };
            if Instant::now() > deadline {
                return (Outcome::Unknown, None);
            }
            self.written.retries += 1;
            self.process += 1;
            self.connection = None;
            let jitter = Duration::from_millis(rand::random_range(0..PAUSE_MS));
            sleep(pause + jitter).await;
        }
    }

    async fn attempt(&mut self, path: &str, key: &str, body: &str) -> Result<Try> {
        #[derive(Deserialize)]
        struct Resource {
            id: Uuid,
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(Connection::open(self.shared.servers.address(self.process)).await?),
        };
        let request = Request {
            method: "POST",
            path,
            bearer: Some(&self.shared.token),
            idempotency_key: Some(key),
            body: body.as_bytes(),
        };
        let reply = connection.send(request).await?;
        let close = reply.head.close;
        let outcome = match (reply.head.status, reply.head.seq) {
            (200..=299, Some(seq)) => Try::Done { seq, id: reply.json::<Resource>()?.id },
            (200..=299, None) => bail!("an answer without Signalbox-Seq"),
            // 409: the first request with this key is still under way.
            (408 | 409 | 425 | 429 | 500..=599, _) => {
                Try::Later(Duration::from_secs(reply.head.retry_after_s.unwrap_or(0).min(2)))
            }
            (status, _) => Try::Refused(format!("status {status}: {}", String::from_utf8_lossy(reply.body))),
        };
        if close {
            self.connection = None;
        }
        Ok(outcome)
    }
}
