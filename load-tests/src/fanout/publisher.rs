//! Events at a fixed rate over a few keep-alive connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::stamp;
use crate::http::{Connection, Request};

/// Connections that publish. With one, a single slow answer would hold the next event
/// back and hide its own delay; with eight, 10 events/s stay on time up to 0.8 s a request.
pub(super) const CONNECTIONS: usize = 8;

/// Where and what to publish.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Path of the POST, for each publisher in turn.
    pub paths: Vec<String>,
    /// Access token, if the server wants one.
    pub bearer: Option<String>,
    /// What stands before and after the stamped text in the request's body.
    pub around: (&'static str, &'static str),
    /// Length of the stamped text in bytes.
    pub text_bytes: usize,
}

/// How often to publish, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Events per second; `None` is as fast as the server answers.
    pub rate: Option<f64>,
    /// For how long.
    pub period: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Events that the server accepted; each must reach every stream.
    pub accepted: u64,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// Publishes on schedule.
///
/// # Errors
/// When a request fails or is refused: then nobody could say how many events to expect.
pub async fn publish(publication: &Publication, schedule: Schedule) -> Result<Published> {
    let begin = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut publishers = Vec::new();
    for path in publication.paths.iter().cycle().take(CONNECTIONS) {
        let publisher = Publisher {
            connection: Connection::open(publication.address).await?,
            path: path.clone(),
            publication: publication.clone(),
            next: next.clone(),
        };
        publishers.push(tokio::spawn(publisher.run(begin, schedule)));
    }
    let mut accepted = 0;
    for publisher in publishers {
        accepted += publisher.await.context("a publisher panicked")??;
    }
    Ok(Published { accepted, took: begin.elapsed() })
}

struct Publisher {
    connection: Connection,
    path: String,
    publication: Publication,
    /// Number of the next event, shared by all publishers.
    next: Arc<AtomicU64>,
}

impl Publisher {
    async fn run(mut self, begin: Instant, schedule: Schedule) -> Result<u64> {
        let mut accepted = 0;
        loop {
            let due = match schedule.rate {
                Some(rate) => {
                    let number = self.next.fetch_add(1, Relaxed);
                    begin + Duration::from_secs_f64(number as f64 / rate)
                }
                None => Instant::now(),
            };
            if due >= begin + schedule.period {
                return Ok(accepted);
            }
            sleep_until(due).await;
            self.post().await?;
            accepted += 1;
        }
    }

    async fn post(&mut self) -> Result<()> {
        let Publication { bearer, around, text_bytes, .. } = &self.publication;
        let key = Uuid::new_v4().to_string();
        let body = format!("{}{}{}", around.0, stamp::text(*text_bytes), around.1);
        let request = Request {
            method: "POST",
            path: &self.path,
            bearer: bearer.as_deref(),
            idempotency_key: Some(&key),
            body: body.as_bytes(),
        };
        let reply = self.connection.send(request).await?;
        if !(200..300).contains(&reply.head.status) {
            let body = String::from_utf8_lossy(reply.body);
            bail!("publishing was refused with status {}: {body}", reply.head.status);
        }
        Ok(())
    }
}
