//! Changes at a fixed rate: comments on incidents, each sent under its key until it is answered.
//!
//! The publisher of `fanout` gives up at the first refusal; this one goes on through a crash of
//! the server, and knows of each change where it is in the log.

use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use memchr::memmem::Finder;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    clock,
    fanout::stamp,
    http::{Connection, Request},
    stage::Stage,
};

/// Changes per second of one connection: it stays on time while an answer takes less than 100 ms.
const RATE_OF_CONNECTION: f64 = 10.0;

/// Fewest connections, so that a single slow answer does not hold the next change back.
const FEWEST_CONNECTIONS: usize = 8;

/// Longer than the server's own longest wait for an outcome, 10 s.
const ANSWER: Duration = Duration::from_secs(15);

/// How long a change is repeated before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between a failure and the next try, at most; the pause itself is random.
const PAUSE_MS: u64 = 200;

/// What stands before a change's number in its text.
const MARK: &[u8] = b"number=";

/// Digits of a number: always the same, so that all changes have the same size.
const DIGITS: usize = 10;

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));

/// What to publish.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Changes per second.
    pub rate: f64,
    /// Bytes of each one's text.
    pub bytes: usize,
}

/// One change that is in the log.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Its position.
    pub seq: u64,
    /// Monotonic nanoseconds just before it was first sent.
    pub sent_ns: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Published {
    /// In no order. Their numbers are 0 to one less than there are.
    pub changes: Vec<Change>,
    /// Requests sent again under the same key.
    pub retries: u64,
    /// Bytes of all texts.
    pub bytes: u64,
}

/// Publishers at work.
#[derive(Debug)]
pub struct Publishing {
    publishers: JoinSet<Result<Published>>,
    stop: CancellationToken,
}

/// The number of the change that this event carries.
pub fn number(data: &[u8]) -> Option<u64> {
    let digits = FINDER.find(data)? + MARK.len();
    std::str::from_utf8(data.get(digits..digits + DIGITS)?).ok()?.parse().ok()
}

impl Publishing {
    /// Begins, on as many incidents as there are connections: shared, they would wait for each other's version.
    pub async fn begin(stage: &Stage, pace: Pace) -> Result<Publishing> {
        let connections = FEWEST_CONNECTIONS.max((pace.rate / RATE_OF_CONNECTION).ceil() as usize);
        let incidents = stage.report_incidents(connections).await?;
        let stop = CancellationToken::new();
        let next = Arc::new(AtomicU64::new(0));
        let begin = Instant::now();
        let mut publishers = JoinSet::new();
        for (index, incident) in incidents.into_iter().enumerate() {
            let publisher = Publisher {
                address: stage.address,
                token: stage.token.clone(),
                path: format!("/api/v1/incidents/{incident}/comments"),
                text_bytes: pace.bytes,
                period: Duration::from_secs_f64(connections as f64 / pace.rate),
                next: next.clone(),
                stop: stop.clone(),
                connection: None,
                published: Published::default(),
            };
            // One after the other, not all at once.
            publishers.spawn(publisher.run(begin + Duration::from_secs_f64(index as f64 / pace.rate)));
        }
        Ok(Publishing { publishers, stop })
    }

    /// Begins no more changes and waits for the last answer.
    ///
    /// # Errors
    /// When a change was refused, or not answered for a minute: then nobody could say what to expect.
    pub async fn stop(mut self) -> Result<Published> {
        self.stop.cancel();
        let mut all = Published::default();
        while let Some(published) = self.publishers.join_next().await {
            let published = published.context("a publisher panicked")??;
            all.changes.extend(published.changes);
            all.retries += published.retries;
            all.bytes += published.bytes;
        }
        Ok(all)
    }
}

struct Publisher {
    address: SocketAddr,
    token: String,
    path: String,
    text_bytes: usize,
    /// Between two changes of this publisher.
    period: Duration,
    /// Number of the next change, shared by all publishers.
    next: Arc<AtomicU64>,
    stop: CancellationToken,
    connection: Option<Connection>,
    published: Published,
}

impl Publisher {
    async fn run(mut self, mut due: Instant) -> Result<Published> {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(self.published),
                () = sleep_until(due) => {}
            }
            // Numbers are drawn when a change is sent, so that none is left out at the end.
            let number = self.next.fetch_add(1, Relaxed);
            let change = self.send(number).await?;
            self.published.changes.push(change);
            due += self.period;
        }
    }

    /// Sends one change until it is answered.
    async fn send(&mut self, number: u64) -> Result<Change> {
        let key = Uuid::new_v4().to_string();
        let mark = format!("number={number:0DIGITS$} ");
        let sent_ns = clock::now_ns();
        let text = format!("{mark}{}", stamp::text(sent_ns, self.text_bytes.saturating_sub(mark.len())));
        self.published.bytes += text.len() as u64;
        let body = format!(r#"{{"text":"{text}"}}"#);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match timeout(ANSWER, self.attempt(&key, &body)).await {
                Ok(Ok(Some(seq))) => return Ok(Change { seq, sent_ns }),
                Ok(Ok(None)) => {}
                Ok(Err(error)) if error.is::<Refused>() => return Err(error),
                Ok(Err(_)) | Err(_) => self.connection = None,
            }
            if Instant::now() > deadline {
                bail!("change {number} was not answered for {} s", PATIENCE.as_secs());
            }
            self.published.retries += 1;
            sleep(Duration::from_millis(rand::random_range(0..PAUSE_MS))).await;
        }
    }

    /// The position, or nothing when the server asks to come back.
    async fn attempt(&mut self, key: &str, body: &str) -> Result<Option<u64>> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(Connection::open(self.address).await?),
        };
        let request = Request {
            method: "POST",
            path: &self.path,
            bearer: Some(&self.token),
            idempotency_key: Some(key),
            body: body.as_bytes(),
        };
        let reply = connection.send(request).await?;
        match (reply.head.status, reply.head.seq) {
            (200..=299, Some(seq)) => Ok(Some(seq)),
            // 409: the first request with this key is still under way.
            (408 | 409 | 425 | 429 | 500..=599, _) => Ok(None),
            (status, _) => Err(Refused { status, body: String::from_utf8_lossy(reply.body).into_owned() }.into()),
        }
    }
}

/// A good command that the server will never take.
#[derive(Debug)]
struct Refused {
    status: u16,
    body: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "publishing was refused with status {}: {}", self.status, self.body)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_the_middle_of_an_event() {
        assert_eq!(number(br#"{"seq":7,"data":{"text":"number=0000000042 sent=1"}}"#), Some(42));
        assert_eq!(number(br#"{"seq":8,"data":{}}"#), None);
    }
}
