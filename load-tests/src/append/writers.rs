//! Writers that each carry out one command after another, as fast as they are answered.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use tokio::{task::JoinSet, time::Instant};

use super::{change::Change, http::Http, ours::Ours, usual::Usual};

/// The hash of what was asked for, which a server takes of the request.
const BODY_HASH: [u8; 32] = [7; 32];

/// How one writer carries out its commands.
#[derive(Debug)]
pub enum Writer {
    /// A transaction for each.
    Usual(Usual),
    /// By the server's append queue.
    Ours(Ours),
    /// By the server's HTTP API.
    Http(Http),
}

impl Writer {
    async fn append(&mut self, change: &Change) -> Result<()> {
        let seq = match self {
            Writer::Usual(usual) => usual.append(change, &BODY_HASH).await?,
            Writer::Ours(ours) => ours.append(change, &BODY_HASH).await?,
            Writer::Http(http) => http.append(change).await?,
        };
        ensure!(seq > 0, "an append without a place in the log");
        Ok(())
    }
}

/// What the writers did together.
#[derive(Debug)]
pub struct Rate {
    /// Commands acknowledged in a second.
    pub per_s: f64,
    /// From the call to the acknowledgement, in microseconds.
    pub latency_us: Histogram<u64>,
}

/// Of latencies in microseconds, to three digits.
pub fn histogram() -> Histogram<u64> {
    // Three is one of the five numbers of digits that it accepts.
    Histogram::new(3).unwrap_or_else(|_| unreachable!("three significant digits are allowed"))
}

/// Lets all writers write for a period and gives them back for the next one.
///
/// # Errors
/// The first failed command's: a run with failures measures something else.
pub async fn write(writers: Vec<Writer>, period: Duration) -> Result<(Rate, Vec<Writer>)> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for writer in writers {
        tasks.spawn(write_one(writer, begin + period));
    }
    let mut latency_us = histogram();
    let mut writers = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let (writer, latencies) = ended.context("a writer panicked")??;
        latency_us.add(latencies)?;
        writers.push(writer);
    }
    let per_s = latency_us.len() as f64 / begin.elapsed().as_secs_f64();
    Ok((Rate { per_s, latency_us }, writers))
}

async fn write_one(mut writer: Writer, end: Instant) -> Result<(Writer, Histogram<u64>)> {
    let mut latency_us = histogram();
    let mut change = Change::first();
    let mut sent = Instant::now();
    while sent < end {
        writer.append(&change).await?;
        change = change.next();
        let answered = Instant::now();
        latency_us.record(u64::try_from((answered - sent).as_micros())?)?;
        sent = answered;
    }
    Ok((writer, latency_us))
}
