//! Appends against the final log: durability, order in real time, one event per key.

use std::collections::HashMap;

use super::{Append, Event, Findings, Invariant, Outcome, find};

/// I1, I2 for what failed, I5 and I13.
pub(super) fn check(appends: &[Append], log: &[&Event], findings: &mut Findings) {
    let by_key = index_by_key(log, findings);
    for append in appends {
        match append.outcome {
            Outcome::Ok { seq } => durable(append, seq, log, findings),
            Outcome::Fail => {
                if let Some(event) = by_key.get(append.key.as_str()) {
                    findings.add(Invariant::NothingFromNowhere, || {
                        format!("key {} failed and is at seq {}", append.key, event.seq)
                    });
                }
            }
            Outcome::Unknown => {}
        }
    }
    real_time_order(appends, &by_key, findings);
}

/// The first event of every key; reports keys that wrote more than one (I13).
fn index_by_key<'a>(log: &[&'a Event], findings: &mut Findings) -> HashMap<&'a str, &'a Event> {
    let mut by_key: HashMap<&str, &Event> = HashMap::new();
    for event in log.iter().copied() {
        let Some(key) = event.key.as_deref() else { continue };
        let first = *by_key.entry(key).or_insert(event);
        if first.seq != event.seq {
            findings.add(Invariant::IdempotentAppend, || {
                format!("key {key} wrote seq {} and seq {}", first.seq, event.seq)
            });
        }
    }
    by_key
}

/// I1: the log has, at the acknowledged position, what this append asked for.
fn durable(append: &Append, seq: u64, log: &[&Event], findings: &mut Findings) {
    let Some(event) = find(log, seq) else {
        return findings.add(Invariant::AckedIsDurable, || {
            format!("key {} was acknowledged at seq {seq}, which is gone", append.key)
        });
    };
    if event.key.as_deref() != Some(&append.key) {
        findings.add(Invariant::AckedIsDurable, || {
            let found = event.key.as_deref().unwrap_or("no key");
            format!("key {} was acknowledged at seq {seq}, which holds {found}", append.key)
        });
    } else if event.request != append.request {
        findings.add(Invariant::AckedIsDurable, || {
            format!("key {} is at seq {seq} with other content than was sent", append.key)
        });
    }
}

/// I5: sweeps over time with the highest position acknowledged so far.
///
/// An append of unknown outcome that the log knows counts as well: it had to take a
/// position above all that was acknowledged before its first try was sent.
fn real_time_order(appends: &[Append], by_key: &HashMap<&str, &Event>, findings: &mut Findings) {
    let mut sent: Vec<(u64, u64, &str)> = Vec::with_capacity(appends.len());
    let mut acknowledged: Vec<(u64, u64, &str)> = Vec::with_capacity(appends.len());
    for append in appends {
        let key = append.key.as_str();
        match append.outcome {
            Outcome::Ok { seq } => {
                sent.push((append.invoke_ns, seq, key));
                acknowledged.push((append.done_ns, seq, key));
            }
            Outcome::Unknown => {
                sent.extend(by_key.get(key).map(|event| (append.invoke_ns, event.seq, key)));
            }
            Outcome::Fail => {}
        }
    }
    sent.sort_unstable();
    acknowledged.sort_unstable();

    let mut answers = acknowledged.into_iter().peekable();
    let mut highest = (0, "");
    for (invoke_ns, seq, key) in sent {
        while let Some((_, earlier_seq, earlier_key)) = answers.next_if(|(done_ns, ..)| *done_ns < invoke_ns) {
            highest = highest.max((earlier_seq, earlier_key));
        }
        if highest.0 >= seq && highest.1 != key {
            findings.add(Invariant::RealTimeOrder, || {
                format!(
                    "key {key} is at seq {seq} but was sent after key {} was acknowledged at seq {}",
                    highest.1, highest.0
                )
            });
        }
    }
}
