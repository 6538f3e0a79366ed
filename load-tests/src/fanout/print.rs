//! The tables of a run.

use serde::Serialize;

use super::{Measured, Options, floor::Ceiling, idle::Idle, load::Load};
use crate::report::{self, Table, thousands};

/// How far ours is from the physical limit: its figure divided by the bare loop's.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Ratio {
    cpu: f64,
    p50: f64,
    p99: f64,
    deliveries: f64,
}

/// Ours and the bare loop at the last rate, if both were measured.
pub(super) fn ratio(systems: &[Measured]) -> Option<Ratio> {
    let last = |key| systems.iter().find(|system| system.key == key)?.loads.last();
    let (ours, floor) = (last("ours")?, last("floor")?);
    Some(Ratio {
        cpu: ours.cpu_s_per_million / floor.cpu_s_per_million,
        p50: ours.p50_ms / floor.p50_ms,
        p99: ours.p99_ms / floor.p99_ms,
        deliveries: ours.deliveries_per_s / floor.deliveries_per_s,
    })
}

/// An empty table of loads.
pub(super) fn loads(title: String) -> Table {
    let heads = [
        "",
        "offered/s",
        "events/s",
        "deliveries/s",
        "CPU s for 1 M",
        "readers' CPU s",
        "p50 ms",
        "p99 ms",
        "since record p50",
        "p99",
        "lost",
        "repeated",
        "closed",
    ];
    Table::new(title, heads)
}

/// One row of it.
pub(super) fn load(table: &mut Table, name: &str, load: &Load) {
    table.row([
        name.to_owned(),
        load.offered_per_s.map_or_else(|| "most".to_owned(), thousands),
        thousands(load.published_per_s),
        thousands(load.deliveries_per_s),
        format!("{:.2}", load.cpu_s_per_million),
        format!("{:.2}", load.client_cpu_s_per_million),
        format!("{:.2}", load.p50_ms),
        format!("{:.2}", load.p99_ms),
        or_dash(load.recorded_p50_ms.map(|ms| format!("{ms:.2}"))),
        or_dash(load.recorded_p99_ms.map(|ms| format!("{ms:.2}"))),
        load.lost.to_string(),
        load.repeated.to_string(),
        load.closed.to_string(),
    ]);
}

/// Everything that `fanout` measured.
pub(super) fn run(options: &Options, systems: &[Measured], ceiling: &Ceiling) {
    let streams = thousands(options.streams() as f64);
    let Options { seconds, publishers, .. } = options;
    let mut table = loads(format!("{streams} streams, {seconds} s of publishing by {publishers} connections"));
    for index in 0..options.schedule().len() {
        for system in systems {
            if let Some(figures) = system.loads.get(index) {
                load(&mut table, system.name, figures);
            }
        }
    }
    table.print();

    let mut table = Table::new(
        format!("{streams} idle streams"),
        [
            "",
            "bytes a stream",
            "the first time",
            "above the start",
            "left when closed",
            "% of before",
            "% of a core for 1,000",
        ],
    );
    for system in systems {
        if let Some(idle) = &system.idle {
            idle_row(&mut table, system.name, idle);
        }
    }
    table.print();

    report::note("");
    if let Some(ratio) = ratio(systems) {
        report::note(format_args!(
            "Ours divided by the bare loop: CPU {:.2}, p50 {:.2}, p99 {:.2}, deliveries/s {:.2}",
            ratio.cpu, ratio.p50, ratio.p99, ratio.deliveries
        ));
    }
    let ours = systems.iter().flat_map(|ours| &ours.loads).next();
    if let Some((load, cpu)) = ours.and_then(|load| Some((load, load.postgres_cpu_s_per_million?))) {
        report::note(format_args!(
            "{:.0} bytes of data in an event; PostgreSQL's CPU for a million deliveries: {cpu:.2} s",
            load.event_bytes
        ));
    }
    report::note(format_args!(
        "The readers themselves take {} such events/s from a bare loop, {} when 16 come in one write",
        thousands(ceiling.single.deliveries_per_s),
        thousands(ceiling.batched.deliveries_per_s),
    ));
}

fn idle_row(table: &mut Table, name: &str, idle: &Idle) {
    table.row([
        name.to_owned(),
        thousands(idle.bytes_per_stream),
        or_dash(idle.cold_bytes_per_stream.map(thousands)),
        thousands(idle.above_start_bytes_per_stream),
        thousands(idle.left_bytes_per_stream),
        format!("{:.1}", idle.memory_left_percent),
        or_dash(idle.idle_cpu_percent_per_1000.map(|percent| format!("{percent:.2}"))),
    ]);
}

fn or_dash(figure: Option<String>) -> String {
    figure.unwrap_or_else(|| "-".to_owned())
}
