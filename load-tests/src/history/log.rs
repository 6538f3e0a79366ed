//! The final log by itself: no holes, no duplicate versions.

use std::collections::HashMap;

use super::{Event, Findings, Invariant};

/// I4: positions are 1..n, and the versions of each stream are 1..n in that order.
pub(super) fn check(log: &[&Event], findings: &mut Findings) {
    let mut expected_seq = 1;
    let mut versions: HashMap<&str, u64> = HashMap::new();
    for event in log {
        if event.seq != expected_seq {
            findings
                .add(Invariant::GaplessLog, || format!("the log goes from seq {} to {}", expected_seq - 1, event.seq));
        }
        expected_seq = event.seq + 1;

        let version = versions.entry(&event.stream).or_default();
        if event.version != *version + 1 {
            findings.add(Invariant::GaplessLog, || {
                format!(
                    "stream {} goes from version {} to {} at seq {}",
                    event.stream, version, event.version, event.seq
                )
            });
        }
        *version = event.version;
    }
}
