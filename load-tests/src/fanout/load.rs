//! Events to all streams, and what it costs to deliver them.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::{
    Options,
    crowd::{Crowd, Tally},
    publisher::{InFlight, Pace, Published, Schedule, publish},
    system::System,
};
use crate::process::{self, Cpu};

/// How long the last events may take to arrive; what has not come by then counts as lost.
const DRAIN: Duration = Duration::from_secs(30);

/// A pause after opening, for what servers do before streams are idle.
const SETTLE: Duration = Duration::from_secs(1);

/// What one system did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Load {
    /// Events that the schedule asked for in a second; none when it was as fast as it goes.
    pub(super) offered_per_s: Option<f64>,
    /// Events accepted in a second.
    pub(super) published_per_s: f64,
    /// Events received by all streams in a second, from the first publish to the last arrival.
    pub(super) deliveries_per_s: f64,
    /// The server's CPU for a million deliveries, publishing included.
    pub(super) cpu_s_per_million: f64,
    /// The part of it in the server's own code; the rest is the kernel's, most of it writes to sockets.
    user_cpu_s_per_million: f64,
    /// PostgreSQL's, where the system has one.
    pub(super) postgres_cpu_s_per_million: Option<f64>,
    /// The readers' and publishers', which share the cores with the server.
    pub(super) client_cpu_s_per_million: f64,
    /// From the time of the request to the read by the client: half of all deliveries.
    pub(super) p50_ms: f64,
    /// The same, 99 of 100.
    pub(super) p99_ms: f64,
    /// The same, the slowest.
    max_ms: f64,
    /// From the record in the log to the read by the client, where events say when they were recorded: half of all.
    pub(super) recorded_p50_ms: Option<f64>,
    /// The same, 99 of 100.
    pub(super) recorded_p99_ms: Option<f64>,
    /// Of the events accepted, what each stream did not get.
    pub(super) lost: u64,
    /// Arrived again or out of order.
    pub(super) repeated: u64,
    /// Streams that the server ended.
    pub(super) closed: u64,
    /// Mean bytes of an event's data.
    pub(super) event_bytes: f64,
}

/// CPU of everyone involved, read at one moment or spent between two.
pub(super) struct Spent {
    server: Cpu,
    postgres: Option<Cpu>,
    client: Cpu,
}

impl Spent {
    /// What a server, the PostgreSQL behind it and this process have spent so far.
    pub(super) fn so_far(pid: u32, postgres_pid: Option<u32>) -> Result<Spent> {
        Ok(Spent {
            server: process::cpu(pid)?,
            postgres: postgres_pid.map(process::cpu).transpose()?,
            client: process::cpu_alone(std::process::id())?,
        })
    }

    /// What was spent since an earlier reading.
    pub(super) fn since(&self, earlier: &Spent) -> Spent {
        Spent {
            server: self.server.since(earlier.server),
            postgres: self.postgres.zip(earlier.postgres).map(|(now, earlier)| now.since(earlier)),
            client: self.client.since(earlier.client),
        }
    }
}

impl Load {
    /// Puts the figures together; `took` is the time from the first publish to the last arrival.
    pub(super) fn of(rate: Option<f64>, published: Published, tally: &Tally, spent: &Spent, took: Duration) -> Load {
        let millions = tally.received as f64 / 1e6;
        let latency_ms = |quantile| tally.latency_us.value_at_quantile(quantile) as f64 / 1e3;
        let recorded = (!tally.recorded_us.is_empty()).then_some(&tally.recorded_us);
        let recorded_ms = |quantile| recorded.map(|recorded| recorded.value_at_quantile(quantile) as f64 / 1e3);
        // Stream by stream: one that got an event twice must not hide one that got it not.
        let lost = |&received: &u64| published.accepted.saturating_sub(received);
        let surplus = |&received: &u64| received.saturating_sub(published.accepted);
        Load {
            offered_per_s: rate,
            published_per_s: published.accepted as f64 / published.took.as_secs_f64(),
            deliveries_per_s: tally.received as f64 / took.as_secs_f64(),
            cpu_s_per_million: spent.server.total_s() / millions,
            user_cpu_s_per_million: spent.server.user_s / millions,
            postgres_cpu_s_per_million: spent.postgres.map(|cpu| cpu.total_s() / millions),
            client_cpu_s_per_million: spent.client.total_s() / millions,
            p50_ms: latency_ms(0.5),
            p99_ms: latency_ms(0.99),
            max_ms: tally.latency_us.max() as f64 / 1e3,
            recorded_p50_ms: recorded_ms(0.5),
            recorded_p99_ms: recorded_ms(0.99),
            lost: tally.by_stream.iter().map(lost).sum(),
            repeated: tally.repeated + tally.by_stream.iter().map(surplus).sum::<u64>(),
            closed: tally.closed,
            event_bytes: tally.data_bytes as f64 / tally.received as f64,
        }
    }
}

/// Opens the streams, publishes, and waits for the last arrival.
pub(super) async fn load(options: &Options, system: &System, rate: Option<f64>) -> Result<Load> {
    let streams = options.streams();
    let crowd = Crowd::open_all(system.subscription.clone(), streams, options.readers).await?;
    tokio::time::sleep(SETTLE).await;

    let before = Spent::so_far(system.pid, system.postgres_pid)?;
    let begin = Instant::now();
    let period = Duration::from_secs(options.seconds);
    let in_flight = || InFlight { most: options.in_flight, streams: streams as u64, received: crowd.received() };
    let pace = rate.map_or_else(|| Pace::Delivery(in_flight()), Pace::Rate);
    let schedule = Schedule { pace, period, publishers: options.publishers };
    let published = publish(&system.publication, schedule).await?;
    let expected = published.accepted * streams as u64;
    let crowd = tokio::task::spawn_blocking(move || {
        crowd.wait_for(expected, DRAIN);
        crowd
    })
    .await?;
    let took = begin.elapsed();
    let spent = Spent::so_far(system.pid, system.postgres_pid)?.since(&before);
    Ok(Load::of(rate, published, &crowd.finish()?, &spent, took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_got_an_event_twice_does_not_hide_one_that_got_it_not() -> Result<()> {
        let spent = Spent { server: Cpu::default(), postgres: None, client: Cpu::default() };
        let published = Published { accepted: 2, took: Duration::from_secs(1) };
        let tally = Tally { received: 6, by_stream: vec![2, 1, 3], ..Tally::new()? };
        let load = Load::of(None, published, &tally, &spent, Duration::from_secs(1));
        assert_eq!((load.lost, load.repeated), (1, 1));
        Ok(())
    }
}
