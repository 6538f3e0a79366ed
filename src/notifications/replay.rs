//! Events of the past, into a channel's queue again: a bounded consumer beside the one that follows.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use uuid::Uuid;

use super::matching::{Rules, row};
use crate::consumer::Ended;
use crate::http::App;
use crate::log::read;

/// How often replays that were asked for are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Works off replays, one page after the other, by the rules as they are now.
pub(super) async fn follow(app: &App, fence: i64, queued: &Notify) -> Ended {
    loop {
        if let Err(ended) = pages(app, fence, queued).await {
            return ended;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A page of each replay there is, until there is none.
async fn pages(app: &App, fence: i64, queued: &Notify) -> Result<(), Ended> {
    loop {
        let replays = app.background.query(include_str!("../../sql/queries/notification_replays_all.sql"), &[]).await?;
        if replays.is_empty() {
            return Ok(());
        }
        let rules = Rules::load(&app.background).await?;
        for replay in replays {
            let (id, channel): (Uuid, Uuid) = (replay.get("id"), replay.get("channel_id"));
            let (seq, until): (i64, i64) = (replay.get("seq"), replay.get("until"));
            let events = read::after(&app.background, seq, (until - seq).min(read::PAGE_EVENTS)).await?;
            let to = events.last().map_or(until.max(seq), |event| event.seq);
            let heard = |event| rules.channels(event, &app.accounts).into_iter().filter(|(heard, _)| *heard == channel);
            let rows =
                events.iter().flat_map(|event| heard(event).map(|(channel, rule)| row(channel, rule, event, "replay")));
            let rows: Vec<String> = rows.collect();
            let sql = include_str!("../../sql/queries/notification_replay.sql");
            if !app.background.query_one(sql, &[&fence, &id, &seq, &to, &rows]).await?.get::<_, bool>(0) {
                return Err(Ended::Lost);
            }
            queued.notify_one();
        }
    }
}
