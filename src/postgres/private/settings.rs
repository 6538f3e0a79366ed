//! What PostgreSQL is started with. Nothing is written into `postgresql.conf`, which stays the
//! operator's.

use super::Options;
use super::place::Place;

/// For a server with one small machine to itself.
const ALWAYS: &[(&str, &str)] = &[
    ("max_connections", "200"),
    // Our statements are short and known; compiling one costs more than running it.
    ("jit", "off"),
    // Full-page images after a checkpoint shrink to a fraction; the disk is slower than the CPU.
    // "on" (pglz) exists in every build, lz4 does not.
    ("wal_compression", "on"),
    // A line every few minutes would be most of the log.
    ("log_checkpoints", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

const DURABLE: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    // The first change of a page after a checkpoint writes the whole page: rarer checkpoints, fewer of those.
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "15min"),
];

/// For tests. Only a power failure could lose what is committed: without `synchronous_commit` a
/// killed server would too, without `full_page_writes` it might tear a page, and with `fsync` off
/// both cost next to nothing.
const THROW_AWAY: &[(&str, &str)] = &[("fsync", "off")];

/// What the rest of this module relies on. Everybody who connects is trusted, so there is no TCP.
const FIXED: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("port", "5432"),
    ("unix_socket_permissions", "0700"),
    ("cluster_name", "signalbox"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
];

/// `-c name=value` for each setting; the last of a name wins.
pub(super) fn arguments(place: &Place, options: &Options) -> Vec<String> {
    let by_durability = if options.durable { DURABLE } else { THROW_AWAY };
    // A list whose elements may be quoted: a path may hold a comma.
    let socket_directory = place.socket_directory().display().to_string();
    let socket_directory = format!("\"{}\"", socket_directory.replace('"', "\"\""));

    let named = |&(name, value): &(&str, &str)| format!("{name}={value}");
    let ours = ALWAYS.iter().chain(by_durability).map(named);
    let buffers = options.durable.then(|| format!("shared_buffers={}MB", shared_buffers_mib(memory_mib())));
    let theirs = options.settings.iter().map(|(name, value)| format!("{name}={value}"));
    let fixed = FIXED.iter().map(named);
    let socket = [format!("unix_socket_directories={socket_directory}")];
    ours.chain(buffers)
        .chain(theirs)
        .chain(fixed)
        .chain(socket)
        .flat_map(|setting| ["-c".to_owned(), setting])
        .collect()
}

/// A quarter of the machine's memory, as PostgreSQL's manual advises, from 128 MiB to 1 GiB: the machine is
/// not PostgreSQL's alone.
fn shared_buffers_mib(memory_mib: u64) -> u64 {
    (memory_mib / 4).clamp(128, 1_024)
}

/// The machine's memory; where it cannot be asked (macOS), a small one's.
fn memory_mib() -> u64 {
    let information = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total_kib = information.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().split(' ').next());
    total_kib.and_then(|kib| kib.parse::<u64>().ok()).map_or(1_024, |kib| kib / 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_grow_with_the_machine_within_limits() {
        assert_eq!([256, 1_024, 2_048, 65_536].map(shared_buffers_mib), [128, 256, 512, 1_024]);
        assert!(memory_mib() > 0);
    }
}
