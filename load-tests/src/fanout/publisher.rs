//! Events over a few keep-alive connections, at a fixed rate or as fast as they are answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::{crowd::Received, stamp};
use crate::{
    clock,
    http::{Connection, Request},
};

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

/// How long a publisher rests that has to wait for streams to catch up.
const CATCH_UP: Duration = Duration::from_millis(1);

/// How often to publish, and how long.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// How the pace is set.
    pub pace: Pace,
    /// For how long.
    pub period: Duration,
    /// Connections that publish, each one event at a time. With one, a single slow answer
    /// would hold the next event back and hide its own delay.
    pub publishers: usize,
}

/// What sets the pace.
#[derive(Clone, Debug)]
pub enum Pace {
    /// Events per second.
    Rate(f64),
    /// The slower one of server and readers.
    Delivery(InFlight),
}

/// How many events may be on their way to the streams.
///
/// Some servers accept events many times faster than they deliver them. Without a bound,
/// one would measure how they fall apart with gigabytes in arrears.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// Events accepted or sent, that not all streams have.
    pub most: u64,
    /// Number of streams.
    pub streams: u64,
    /// What they have.
    pub received: Received,
}

impl InFlight {
    /// Waits until the event of that number may go, but not longer than until `end`.
    async fn room(&self, number: u64, end: Instant) {
        while number >= self.received.events() / self.streams.max(1) + self.most && Instant::now() < end {
            sleep(CATCH_UP).await;
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Events that the server accepted; each must reach every stream.
    pub accepted: u64,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// Publishes on schedule, or less when the publishers cannot keep it; never longer.
///
/// # Errors
/// When a request fails or is refused: then nobody could say how many events to expect.
pub async fn publish(publication: &Publication, schedule: Schedule) -> Result<Published> {
    let mut publishers = Vec::new();
    for index in 0..schedule.publishers {
        publishers.push(Publisher::connect(publication, index).await?);
    }
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let publish = |publisher: Publisher| tokio::spawn(publisher.run(begin, schedule.clone(), next.clone()));
    let publishers: Vec<_> = publishers.into_iter().map(publish).collect();
    let mut accepted = 0;
    for publisher in publishers {
        accepted += publisher.await.context("a publisher panicked")??;
    }
    Ok(Published { accepted, took: begin.elapsed() })
}

/// One connection that publishes.
pub struct Publisher {
    connection: Connection,
    path: String,
    publication: Publication,
}

impl Publisher {
    /// Connects the publisher of that number.
    pub async fn connect(publication: &Publication, index: usize) -> Result<Publisher> {
        let connection = Connection::open(publication.address).await?;
        let path = publication.paths.iter().cycle().nth(index).context("no path to publish to")?.clone();
        Ok(Publisher { connection, path, publication: publication.clone() })
    }

    /// Publishes until the period is over; `next` is the next event's number among all publishers.
    async fn run(mut self, begin: Instant, schedule: Schedule, next: Arc<AtomicU64>) -> Result<u64> {
        let mut accepted = 0;
        let end = begin + schedule.period;
        loop {
            let number = next.fetch_add(1, Relaxed);
            match &schedule.pace {
                Pace::Rate(rate) => sleep_until(end.min(begin + Duration::from_secs_f64(number as f64 / rate))).await,
                Pace::Delivery(in_flight) => in_flight.room(number, end).await,
            }
            if Instant::now() >= end {
                return Ok(accepted);
            }
            self.post(clock::now_ns()).await?;
            accepted += 1;
        }
    }

    /// Publishes one event that says when it was sent, in monotonic nanoseconds, and waits for the answer.
    pub async fn post(&mut self, sent_ns: u64) -> Result<()> {
        let Publication { bearer, around, text_bytes, .. } = &self.publication;
        let key = Uuid::new_v4().to_string();
        let body = format!("{}{}{}", around.0, stamp::text(sent_ns, *text_bytes), around.1);
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
