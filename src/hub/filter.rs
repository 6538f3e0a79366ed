//! Which events a reader gets: what it asked for, within what it may see.

use std::collections::BTreeSet;

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
    }

    /// The one rule of who sees what, on live, replay, query and export.
    fn may_see(&self, event: &Event) -> bool {
        event.permissions.is_empty() || event.permissions.iter().any(|any| self.permissions.contains(any.as_str()))
    }
}
