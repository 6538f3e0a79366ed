//! The filters that a user keeps for the list of servers: one small aggregate per user.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::limits::Violations;
use super::refusal::Refusal;
use super::state::Status;

/// Filters of one user.
const FILTERS: usize = 50;
/// Name of a filter, in characters.
const NAME_CHARS: usize = 100;
/// Words to look for, in characters.
pub const WORDS_CHARS: usize = 500;

/// What the list can be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Any of these; none: all.
    pub status: Vec<Status>,
    /// All of these.
    pub labels: BTreeMap<String, String>,
    /// Words in name, host or description.
    pub words: Option<String>,
}

/// `server.filter.saved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterSaved {
    /// One of that name is replaced.
    pub name: String,
    /// What to list.
    pub filter: Filter,
}

/// `server.filter.removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterRemoved {
    /// Which one.
    pub name: String,
}

/// What happens to a user's filters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Event {
    Saved(FilterSaved),
    Removed(FilterRemoved),
}

/// A user's filters, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// Whose; names the stream `server-filters/<id>`.
    pub user: Uuid,
    /// By name.
    pub filters: BTreeMap<String, Filter>,
    /// Events in the stream.
    pub version: i64,
}

impl Filters {
    /// A user's who keeps none yet.
    pub fn of(user: Uuid) -> Filters {
        Filters { user, filters: BTreeMap::new(), version: 0 }
    }

    /// Keeps a filter under a name. Nothing happens when it is there.
    ///
    /// # Errors
    /// [`Refusal::Invalid`].
    pub fn save(&self, name: &str, filter: Filter) -> Result<Option<Event>, Refusal> {
        let mut found = Violations::default();
        found.text("/name", Some(name), 1..=NAME_CHARS, false);
        found.labels(Some(&filter.labels));
        found.text("/words", filter.words.as_deref(), 0..=WORDS_CHARS, false);
        let known = self.filters.get(name);
        if known.is_none() && self.filters.len() >= FILTERS {
            found.add("", format!("would be one more than the {FILTERS} filters that can be kept"));
        }
        if filter.status.len() > 4 {
            found.add("/status", "names a status twice".to_owned());
        }
        found.finish()?;
        let same = known == Some(&filter);
        Ok((!same).then(|| Event::Saved(FilterSaved { name: name.to_owned(), filter })))
    }

    /// Keeps it no longer. Nothing happens when there is none.
    pub fn remove(&self, name: &str) -> Option<Event> {
        self.filters.contains_key(name).then(|| Event::Removed(FilterRemoved { name: name.to_owned() }))
    }

    /// After one more event.
    pub fn after(mut self, event: &Event) -> Filters {
        self.version += 1;
        match event {
            Event::Saved(saved) => self.filters.insert(saved.name.clone(), saved.filter.clone()),
            Event::Removed(removed) => self.filters.remove(&removed.name),
        };
        self
    }
}

impl Event {
    /// Reads a stored event of a `server-filters/` stream.
    ///
    /// # Errors
    /// The type is none of these, or the data are not that type's.
    pub fn parse(kind: &str, data: &str) -> Result<Event, serde_json::Error> {
        use serde::de::Error;
        match kind {
            "server.filter.saved" => Ok(Event::Saved(serde_json::from_str(data)?)),
            "server.filter.removed" => Ok(Event::Removed(serde_json::from_str(data)?)),
            other => Err(serde_json::Error::custom(format!("{other} is no event of filters"))),
        }
    }

    /// Registered type name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Saved(_) => "server.filter.saved",
            Event::Removed(_) => "server.filter.removed",
        }
    }

    /// The event's facts.
    pub fn data(&self) -> Value {
        let data = match self {
            Event::Saved(saved) => serde_json::to_value(saved),
            Event::Removed(removed) => serde_json::to_value(removed),
        };
        data.unwrap_or_default() // text: nothing in it can fail
    }
}
