//! What has had its time: replies, measurements, quiet callers, and what short-lived events said.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;

use crate::http::{self, App};
use crate::log::read;
use crate::postgres::QueryError;
use crate::servers;

/// How often.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Goes round for as long as the process serves.
pub async fn forget(app: Arc<App>) {
    let mut ticks = interval(FORGET_EVERY);
    loop {
        ticks.tick().await;
        app.limits.forget();
        if let Err(error) = read::forget_replies(&app.database).await {
            tracing::warn!(%error, "old replies stay for now");
        }
        if let Err(error) = http::note_used_tokens(&app).await {
            tracing::warn!(%error, "when API tokens were used last is not written down");
        }
        if let Err(error) = servers::forget_measures(&app.background).await {
            tracing::warn!(%error, "old measurements stay for now");
        }
        if let Err(error) = expire(&app).await {
            tracing::warn!(%error, "short-lived events keep their data for now");
        }
    }
}

/// Lets short-lived events that had their time lose their data: in the database, a part of the log after the
/// other, then in this process's memory, whichever process went over the log.
async fn expire(app: &App) -> Result<(), QueryError> {
    loop {
        let swept = read::expire(&app.background).await?;
        app.hub.expire(&swept);
        if !swept.iter().any(|swept| swept.more) {
            return Ok(());
        }
    }
}
