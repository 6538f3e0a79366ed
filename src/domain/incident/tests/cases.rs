//! One incident, brought where a case begins.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::super::*;
use super::world::World;

/// When a case's first move happens; finer than a microsecond, as real clocks are.
const NOON: OffsetDateTime = datetime!(2026-03-04 12:00:00.123456789 UTC);

/// `INC-1`, moved through these statuses an hour apart, the first at noon.
pub fn incident(path: &[Status]) -> Incident {
    let stream = &mut World::new().streams[0];
    for (hours, to) in (0..).zip(path) {
        stream.try_command(&move_to(*to), NOON + Duration::hours(hours)).unwrap();
    }
    stream.state.take().unwrap()
}

/// `INC-2`, as reported.
pub fn neighbour() -> Incident {
    World::new().streams[1].state.take().unwrap()
}

/// The incident after a command that must be accepted.
pub fn after(incident: Incident, command: &Command) -> Incident {
    let events = decide(Some(&incident), command).unwrap();
    follow(incident, &events)
}

/// The incident after events of the next day.
pub fn follow(incident: Incident, events: &[Event]) -> Incident {
    let occurred_at = NOON + Duration::days(1);
    let meta = Meta { stream_id: incident.id, actor: "user:ada".to_owned(), occurred_at };
    events.iter().fold(incident, |incident, event| evolve(Some(incident), event, &meta))
}

pub fn move_to(to: Status) -> Command {
    Command::ChangeStatus(Transition::new(to, None))
}

pub fn ended(to: Status, resolution: &str) -> Transition {
    Transition { to, reason: None, resolution: Some(resolution.to_owned()) }
}
