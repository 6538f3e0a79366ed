//! Whose story a command on an incident goes on with: that of its report.

use moka::future::Cache;
use uuid::Uuid;

use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::incidents;
use crate::log::read;

/// Incidents whose story is known without asking the database. It never changes: only room bounds it.
const KEPT_INCIDENTS: u64 = 10_000;

/// Correlation ids of reports, by incident.
pub struct Stories(Cache<Uuid, Uuid>);

impl Default for Stories {
    fn default() -> Stories {
        Stories(Cache::new(KEPT_INCIDENTS))
    }
}

/// The same caller, whose events have the correlation id of the incident's report.
///
/// # Errors
/// The database did not answer.
pub async fn within(caller: Caller, name: &str) -> Result<Caller, Problem> {
    if caller.names_story {
        return Ok(caller);
    }
    let (database, stories) = (&caller.app.database, &caller.app.stories.0);
    let id = match name.parse() {
        Ok(id) => Some(id),
        Err(_key) => incidents::named(database, name).await?.map(|incident| incident.id),
    };
    // That there is none is the command's to say: a key that was used for something else comes first.
    let Some(id) = id else { return Ok(caller) };
    if let Some(story) = stories.get(&id).await {
        return Ok(caller.within(Some(story)));
    }
    let story = read::stream(database, &incidents::stream(id), 0, 1).await?.first().map(|event| event.correlation_id);
    if let Some(story) = story {
        stories.insert(id, story).await;
    }
    Ok(caller.within(story))
}
