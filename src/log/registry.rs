//! Which types of event there are, who may read them, and what they carry.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What an event means for a client that shows the resource its stream names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// Its data say all that changed: write it into what is shown.
    Patch,
    /// They do not: load what is shown again.
    Invalidate,
}

/// One registered type.
#[derive(Debug, Clone, Serialize)]
pub struct EventType {
    /// Such as `incident.status.changed`.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Any one of these lets a reader see events of this type; none: everybody who is signed in.
    pub permissions: &'static [&'static str],
    /// JSON Schema (2020-12) of `data`, derived from the Rust type.
    pub schema: Value,
    /// Stored in the log, and so resumable.
    pub persistence: bool,
    /// Sent to streams.
    pub broadcast: bool,
    /// Waits for no window, and is sent early where only the essential is sent.
    pub critical: bool,
    /// One that repeats the event before it (same stream and data) within so many ms is not sent to streams.
    pub debounce_ms: u32,
    /// What a client does with one that it has no better idea for.
    pub fallback: Fallback,
    /// So many seconds after it was recorded, an event keeps its place and its hash and loses its data. The database's
    /// table `short_lived` says the same. `None`: it keeps them.
    pub ttl_s: Option<u32>,
}

/// All registered types, by name.
#[derive(Debug, Default)]
pub struct Registry {
    types: BTreeMap<&'static str, EventType>,
}

impl Registry {
    /// Of these types. A later one replaces an earlier one of the same name.
    pub fn new(types: impl IntoIterator<Item = EventType>) -> Registry {
        Registry { types: types.into_iter().map(|kind| (kind.name, kind)).collect() }
    }

    /// One type by its exact name.
    pub fn get(&self, name: &str) -> Option<&EventType> {
        self.types.get(name)
    }

    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = &EventType> {
        self.types.values()
    }

    /// The types that a filter such as `incident.created` or `incident.*` names. None: it names nothing.
    pub fn matching(&self, pattern: &str) -> Vec<&'static str> {
        match pattern.strip_suffix(".*") {
            Some(family) => self.types.keys().copied().filter(|name| in_family(name, family)).collect(),
            None => self.types.keys().copied().filter(|name| *name == pattern).collect(),
        }
    }
}

fn in_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.starts_with('.'))
}
