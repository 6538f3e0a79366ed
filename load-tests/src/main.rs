//! The command line of the load tests.

use anyhow::Result;
use clap::Parser;
use load_tests::{append, fanout, roundtrip, serve};

/// Scenarios that measure Signalbox, and the designs and servers to compare it with.
#[derive(Parser)]
#[command(version)]
enum Scenario {
    /// Appends in a second.
    Append(append::Options),
    /// One event to thousands of streams.
    Fanout(fanout::Options),
    /// Commands in, events out, faults in between, and every promise checked.
    Roundtrip(roundtrip::Options),
    /// What the kernel's writes alone cost, and what the readers of `fanout` can take at most.
    #[command(alias = "client-ceiling")]
    Floor(fanout::floor::Options),
    /// One event at a time to one stream.
    Delay(fanout::delay::Options),
    /// The server, as a process of its own.
    #[command(hide = true)]
    Serve(serve::Options),
    /// The writing process of `floor`.
    #[command(hide = true)]
    FloorWriter(fanout::floor::Writing),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Scenario::parse() {
        Scenario::Append(options) => append::run(options).await,
        Scenario::Fanout(options) => fanout::run(options).await,
        Scenario::Roundtrip(options) => roundtrip::run(options).await,
        Scenario::Serve(options) => serve::run(options).await,
        Scenario::Floor(options) => fanout::floor::run(options).await,
        Scenario::Delay(options) => fanout::delay::run(options).await,
        Scenario::FloorWriter(writing) => fanout::floor::write(writing),
    }
}
