//! Which events a reader gets: what it asked for, within what it may see.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::log::Event;

/// A reader's wish and its rights. Equal filters belong to one class, whose rounds are encoded once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Filter {
    /// Type names; empty: all.
    pub types: BTreeSet<&'static str>,
    /// One aggregate's stream, such as `incident/0198…`.
    pub stream: Option<String>,
    /// One collaboration session.
    pub session: Option<String>,
    /// What the event's data say.
    pub facts: Facts,
    /// What the reader may do.
    pub permissions: BTreeSet<&'static str>,
}

impl Filter {
    /// The same wish of a reader who may do this.
    pub fn within(self, permissions: &BTreeSet<&'static str>) -> Filter {
        Filter { permissions: permissions.clone(), ..self }
    }

    /// Whether the reader gets this event.
    pub fn admits(&self, event: &Event) -> bool {
        (self.types.is_empty() || self.types.contains(event.kind.as_str()))
            && self.stream.as_ref().is_none_or(|stream| *stream == event.stream)
            && self.session.as_ref().is_none_or(|session| event.session_id.as_ref() == Some(session))
            && self.may_see(event)
            && self.facts.hold(event)
    }

    /// The one rule of who sees what, on live, replay, query and export.
    fn may_see(&self, event: &Event) -> bool {
        event.permissions.is_empty() || event.permissions.iter().any(|any| self.permissions.contains(any.as_str()))
    }
}

/// What an event's data must say, whatever its type. Looked for last, since the data must be read for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Facts {
    /// `server`.
    pub server: Option<String>,
    /// `execution`.
    pub execution: Option<String>,
    /// `levels` counts something of at least one of these; empty: whatever it counts.
    pub levels: BTreeSet<&'static str>,
}

/// The same in an event's data. Data that say something else by these names say nothing.
#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    server: Option<Cow<'a, str>>,
    #[serde(borrow)]
    execution: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    levels: BTreeMap<Cow<'a, str>, IgnoredAny>,
}

impl Facts {
    fn hold(&self, event: &Event) -> bool {
        if *self == Facts::default() {
            return true;
        }
        let said: Said<'_> = serde_json::from_str(event.data.get()).unwrap_or_default();
        self.server.as_deref().is_none_or(|server| said.server.as_deref() == Some(server))
            && self.execution.as_deref().is_none_or(|execution| said.execution.as_deref() == Some(execution))
            && (self.levels.is_empty() || self.levels.iter().any(|level| said.levels.contains_key(*level)))
    }
}
