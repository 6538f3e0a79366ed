//! Debouncing: events of some types say the same thing many times within a moment.

use std::collections::HashMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use crate::log::{Event, Registry};

/// Streams whose last event is remembered. Beyond it all are forgotten, and a repetition may get through.
const MOST_STREAMS: usize = 4_096;

/// Remembers the last event of each debounced type and stream.
pub(super) struct Repetitions {
    registry: Arc<Registry>,
    last: HashMap<(String, String), (String, OffsetDateTime)>,
}

impl Repetitions {
    pub fn of(registry: Arc<Registry>) -> Repetitions {
        Repetitions { registry, last: HashMap::new() }
    }

    /// Whether an event repeats the one before it within its type's time. Asked once for each, in order.
    pub fn notice(&mut self, event: &Event) -> bool {
        let Some(window_ms) = self.registry.get(&event.kind).map(|kind| kind.debounce_ms).filter(|ms| *ms > 0) else {
            return false;
        };
        if self.last.len() >= MOST_STREAMS {
            self.last.clear();
        }
        let (key, now) = ((event.kind.clone(), event.stream.clone()), event.recorded_at);
        let data = event.data.get();
        match self.last.get(&key) {
            // Measured from the last one sent, so that an endless series is thinned out and not silenced.
            Some((said, at)) if said == data && now - *at < Duration::milliseconds(window_ms.into()) => true,
            _ => {
                self.last.insert(key, (data.to_owned(), now));
                false
            }
        }
    }
}
