//! What the server says of itself, and what administrators tell all its processes.

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The stream that says whether there are streams, and for whom.
pub const STREAMS: &str = "system/streams";
/// Most characters of a reason.
const REASON_CHARS: usize = 2_000;
/// Everybody.
const WHOLE: u8 = 100;

/// `system.started`: a server process serves.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Started {
    /// Names the process until it ends.
    pub process: Uuid,
    /// Of the program.
    pub version: String,
}

/// `system.stopped`: a server process ended in order. One that was killed says nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stopped {
    /// As it said when it started.
    pub process: Uuid,
}

/// `system.level.changed`: a process gives its streams less, or more again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LevelChanged {
    /// As it said when it started.
    pub process: Uuid,
    /// `normal`, `batched`, `essential_only`, `no_new_streams` or `polling_only`.
    pub old: &'static str,
    /// From now on.
    pub new: &'static str,
    /// Which breaker, and what it measured.
    pub reason: String,
}

/// `system.streams.disabled` and `system.streams.enabled`, for all processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switched {
    /// Why, in the words of whoever did it.
    pub reason: String,
}

/// `system.streams.share.changed`: how many of a hundred users are offered streams. The others poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareChanged {
    /// Before, in percent.
    pub old: u8,
    /// From now on, in percent.
    pub new: u8,
}

/// What changes whether there are streams.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Event {
    Disabled(Switched),
    Enabled(Switched),
    ShareChanged(ShareChanged),
}

impl Event {
    /// Reads a stored event of the stream [`STREAMS`].
    ///
    /// # Errors
    /// The type is none of that stream's, or the data are not that type's.
    pub fn parse(kind: &str, data: &str) -> Result<Event, serde_json::Error> {
        use serde::de::Error;
        Ok(match kind {
            "system.streams.disabled" => Event::Disabled(serde_json::from_str(data)?),
            "system.streams.enabled" => Event::Enabled(serde_json::from_str(data)?),
            "system.streams.share.changed" => Event::ShareChanged(serde_json::from_str(data)?),
            other => return Err(serde_json::Error::custom(format!("{other} is no event of {STREAMS}"))),
        })
    }

    /// Registered type name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Disabled(_) => "system.streams.disabled",
            Event::Enabled(_) => "system.streams.enabled",
            Event::ShareChanged(_) => "system.streams.share.changed",
        }
    }

    /// The event's facts.
    pub fn data(&self) -> Value {
        let data = match self {
            Event::Disabled(switched) | Event::Enabled(switched) => serde_json::to_value(switched),
            Event::ShareChanged(changed) => serde_json::to_value(changed),
        };
        data.unwrap_or_default() // text and numbers: nothing in them can fail
    }
}

/// Whether there are streams, and for whom, as the log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streams {
    /// No process opens one; everybody polls.
    pub disabled: bool,
    /// Of the last switch, off or on.
    pub reason: Option<String>,
    /// Percent of users that are offered streams.
    pub share: u8,
    /// Events in the stream.
    pub version: i64,
}

impl Default for Streams {
    fn default() -> Streams {
        Streams { disabled: false, reason: None, share: WHOLE, version: 0 }
    }
}

/// What an administrator can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// No streams, from any process.
    Disable {
        /// Why.
        reason: String,
    },
    /// Streams again, from every process.
    Enable {
        /// Why.
        reason: String,
    },
    /// Streams for so many users of a hundred.
    Share {
        /// 0 to 100.
        percent: i64,
    },
}

/// Input that is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// JSON Pointer of the field.
    pub pointer: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// What happens when this is asked of streams as they are. Nothing, when all is as asked.
///
/// Enabling always happens, also where the log says enabled already: a process that was started with
/// streams off waits for this very word.
///
/// # Errors
/// [`Invalid`].
pub fn decide(streams: &Streams, command: &Command) -> Result<Vec<Event>, Invalid> {
    Ok(match command {
        Command::Disable { reason } => {
            let event = Event::Disabled(Switched { reason: checked(reason)? });
            if streams.disabled { Vec::new() } else { vec![event] }
        }
        Command::Enable { reason } => vec![Event::Enabled(Switched { reason: checked(reason)? })],
        Command::Share { percent } => {
            let new = u8::try_from(*percent)
                .ok()
                .filter(|percent| *percent <= WHOLE)
                .ok_or_else(|| Invalid { pointer: "/percent", message: format!("is 0 to {WHOLE}") })?;
            let changed = ShareChanged { old: streams.share, new };
            if changed.old == new { Vec::new() } else { vec![Event::ShareChanged(changed)] }
        }
    })
}

/// It ends up in logs and on terminals, so nothing in it moves a cursor.
fn checked(reason: &str) -> Result<String, Invalid> {
    let fits = (1..=REASON_CHARS).contains(&reason.chars().count());
    if fits && reason.chars().all(|char| char >= ' ' || matches!(char, '\n' | '\t')) {
        return Ok(reason.to_owned());
    }
    let message = format!("has 1 to {REASON_CHARS} characters, none of them a control character");
    Err(Invalid { pointer: "/reason", message })
}

/// Streams after an event.
pub fn evolve(mut streams: Streams, event: &Event) -> Streams {
    streams.version += 1;
    match event {
        Event::Disabled(switched) | Event::Enabled(switched) => {
            streams.disabled = matches!(event, Event::Disabled(_));
            streams.reason = Some(switched.reason.clone());
        }
        Event::ShareChanged(changed) => streams.share = changed.new,
    }
    streams
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("system.started", "A server process serves.", schema_for!(Started).to_value()),
        ("system.stopped", "A server process ended in order.", schema_for!(Stopped).to_value()),
        (
            "system.level.changed",
            "A process gives its streams less, to protect itself, or more again.",
            schema_for!(LevelChanged).to_value(),
        ),
        ("system.streams.disabled", "Streams are switched off; clients poll.", schema_for!(Switched).to_value()),
        ("system.streams.enabled", "Streams are switched on again.", schema_for!(Switched).to_value()),
        (
            "system.streams.share.changed",
            "Another share of users is offered streams.",
            schema_for!(ShareChanged).to_value(),
        ),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn after(streams: Streams, command: Command) -> Streams {
        let events = decide(&streams, &command).unwrap();
        // As it is stored and read again.
        let stored = events.iter().map(|event| Event::parse(event.kind(), &event.data().to_string()).unwrap());
        stored.fold(streams, |streams, event| evolve(streams, &event))
    }

    #[test]
    fn the_switch_is_what_the_last_word_said() {
        let reason = || "maintenance".to_owned();
        let off = after(Streams::default(), Command::Disable { reason: reason() });
        assert_eq!(off, Streams { disabled: true, reason: Some(reason()), share: 100, version: 1 });
        assert_eq!(after(off.clone(), Command::Disable { reason: "again".to_owned() }), off, "it is off already");
        let on = after(off, Command::Enable { reason: "done".to_owned() });
        assert_eq!((on.disabled, on.version), (false, 2));
        assert_eq!(after(on, Command::Enable { reason: reason() }).version, 3, "a process may wait for the word");
    }

    #[test]
    fn a_share_is_0_to_100_percent() {
        for percent in [-1, 101, 256, i64::MAX] {
            let refused = decide(&Streams::default(), &Command::Share { percent }).unwrap_err();
            assert_eq!(refused.pointer, "/percent");
        }
        let none = after(Streams::default(), Command::Share { percent: 0 });
        assert_eq!((none.share, none.version), (0, 1));
        assert_eq!(after(none.clone(), Command::Share { percent: 0 }), none);
    }

    #[test]
    fn a_switch_has_a_reason() {
        for reason in [String::new(), "x".repeat(2_001), "\u{1b}[2J".to_owned()] {
            let refused = decide(&Streams::default(), &Command::Disable { reason }).unwrap_err();
            assert_eq!(refused.pointer, "/reason");
        }
    }
}
