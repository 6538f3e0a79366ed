//! The command line of the load tests.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use load_tests::{append, dashboard, fanout, herd, logs, output, polling, roundtrip, serve, slow, storm, switch};
use signalbox::runner::guard;

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
    /// The server killed under thousands of streams, which all come back.
    Storm(storm::Options),
    /// Readers that stop reading, and what the others feel of it.
    Slow(slow::Options),
    /// Many users who ask for the same dashboard in the same moment.
    Herd(herd::Options),
    /// The dashboard's answers, from memory and not.
    Dashboard(dashboard::Options),
    /// Log lines in a second, and how soon they are found.
    Logs(logs::Options),
    /// Lines in a second that a runbook's command prints.
    Output(output::Options),
    /// A panel that polls, and the same panel on streams.
    Polling(polling::Options),
    /// Streams switched off and on again, in one process for the other.
    Switch(switch::Options),
    /// Coming and going for long, with faults; memory must stay.
    Soak(roundtrip::soak::Options),
    /// The server, as a process of its own.
    #[command(hide = true)]
    Serve(Box<serve::Options>),
    /// The writing process of `floor`.
    #[command(hide = true)]
    FloorWriter(fanout::floor::Writing),
}

/// A guard of a command is this program too, as it is the server's.
fn main() -> Result<ExitCode> {
    if guard::is_called() {
        return Ok(guard::main());
    }
    play()?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn play() -> Result<()> {
    match Scenario::parse() {
        Scenario::Append(options) => append::run(options).await,
        Scenario::Fanout(options) => fanout::run(options).await,
        Scenario::Roundtrip(options) => roundtrip::run(options).await,
        Scenario::Storm(options) => storm::run(options).await,
        Scenario::Slow(options) => slow::run(options).await,
        Scenario::Herd(options) => herd::run(options).await,
        Scenario::Dashboard(options) => dashboard::run(options).await,
        Scenario::Logs(options) => logs::run(options).await,
        Scenario::Output(options) => output::run(options).await,
        Scenario::Polling(options) => polling::run(options).await,
        Scenario::Switch(options) => switch::run(options).await,
        Scenario::Soak(options) => roundtrip::soak::run(options).await,
        Scenario::Serve(options) => serve::run(*options).await,
        Scenario::Floor(options) => fanout::floor::run(options).await,
        Scenario::Delay(options) => fanout::delay::run(options).await,
        Scenario::FloorWriter(writing) => fanout::floor::write(writing),
    }
}
