//! How much a process still gives its streams when something goes wrong.

use serde::Serialize;

/// Levels of degradation, from none to no streams at all. Each includes what the ones before it do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every event at once.
    #[default]
    Normal,
    /// Events are gathered for up to 50 ms, so that fewer and larger writes carry them.
    Batched,
    /// Only critical events are sent, early and without an `id`; all come in order when the level ends.
    EssentialOnly,
    /// Open streams stay; new ones are refused.
    NoNewStreams,
    /// All streams are closed; clients poll on the same cursor.
    PollingOnly,
}

impl Level {
    /// As it stands in events, in metrics' labels and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Normal => "normal",
            Level::Batched => "batched",
            Level::EssentialOnly => "essential_only",
            Level::NoNewStreams => "no_new_streams",
            Level::PollingOnly => "polling_only",
        }
    }
}
