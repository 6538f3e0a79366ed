//! What readers received against the final log: nothing invented, skipped or repeated.

use std::collections::HashMap;

use super::{Connection, Digest, Event, Findings, Invariant, Received, find};

/// I2, I3, I6 and I7, on every connection and over each reader's resumes.
pub(super) fn check(
    connections: &[Connection],
    log: &[&Event],
    visible: impl Fn(u32, &Event) -> bool,
    findings: &mut Findings,
) {
    let mut positions: HashMap<u32, u64> = HashMap::new();
    for (number, connection) in connections.iter().enumerate() {
        let reader = connection.reader;
        let mut walk = Walk { name: Name { reader, number }, log, at: connection.cursor };
        // A reader that comes back with a cursor beyond what it received has a hole there;
        // an older cursor only asks for some events again, which is its right.
        if let (Some(&left_at), Some(cursor)) = (positions.get(&reader), connection.cursor) {
            walk.skipped(left_at, cursor + 1, &visible, findings);
        }
        for received in &connection.received {
            walk.step(*received, &visible, findings);
        }
        if let Some(at) = walk.at {
            positions.insert(reader, at);
        }
    }
}

/// A connection as a message names it.
#[derive(Clone, Copy)]
struct Name {
    reader: u32,
    /// Index in the history.
    number: usize,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "reader {}, connection {}", self.reader, self.number)
    }
}

/// One connection while it is checked.
struct Walk<'a> {
    name: Name,
    log: &'a [&'a Event],
    /// All up to this position was delivered or filtered; `None` before a live reader's first event.
    at: Option<u64>,
}

impl Walk<'_> {
    fn step(&mut self, received: Received, visible: &impl Fn(u32, &Event) -> bool, findings: &mut Findings) {
        let name = self.name;
        let seq = match received {
            Received::Event { seq, digest } => {
                self.content(seq, digest, visible, findings);
                if let Some(at) = self.at.filter(|at| *at >= seq) {
                    return findings.add(Invariant::NoRepeat, || {
                        format!("{name}: seq {seq} came when its cursor was already at {at}")
                    });
                }
                if let Some(at) = self.at {
                    self.skipped(at, seq, visible, findings);
                }
                seq
            }
            Received::Bookmark { seq } => {
                if let Some(at) = self.at {
                    self.skipped(at, seq + 1, visible, findings);
                }
                seq
            }
        };
        self.at = self.at.max(Some(seq));
    }

    /// I2 and I3 for one delivered event.
    fn content(&self, seq: u64, digest: Digest, visible: &impl Fn(u32, &Event) -> bool, findings: &mut Findings) {
        let name = self.name;
        match find(self.log, seq) {
            None => {
                findings.add(Invariant::NothingFromNowhere, || format!("{name}: seq {seq} came and is not in the log"))
            }
            Some(event) if event.digest != digest => {
                findings.add(Invariant::OnePositionOneValue, || {
                    format!("{name}: seq {seq} came with other content than the log has")
                });
            }
            Some(event) if !visible(name.reader, event) => {
                findings.add(Invariant::NothingFromNowhere, || {
                    format!("{name}: seq {seq} came and this reader may not see it")
                });
            }
            Some(_) => {}
        }
    }

    /// I6: reports every visible event strictly between two positions.
    fn skipped(&self, after: u64, before: u64, visible: &impl Fn(u32, &Event) -> bool, findings: &mut Findings) {
        // The usual case, decided without a look at the log.
        if before <= after + 1 {
            return;
        }
        let name = self.name;
        let first = self.log.partition_point(|event| event.seq <= after);
        let between = self.log.iter().skip(first).take_while(|event| event.seq < before);
        for event in between.filter(|event| visible(name.reader, event)) {
            findings.add(Invariant::NoSkip, || {
                format!("{name}: seq {} never came, its cursor went on from {after}", event.seq)
            });
        }
    }
}
