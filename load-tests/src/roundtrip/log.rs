//! The log itself, read behind the servers' backs.

use anyhow::Result;
use serde_json::Value;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::writer::KEY_MARK;
use crate::history::{Digest, Event};

/// Length of a key as text.
const KEY_BYTES: usize = 36;

/// The position of the last event.
pub(super) async fn head(url: &str) -> Result<u64> {
    let row = connect(url).await?.query_one("select coalesce(max(seq), 0) from events", &[]).await?;
    Ok(u64::try_from(row.get::<_, i64>(0))?)
}

/// Every event.
pub(super) async fn read(url: &str) -> Result<Vec<Event>> {
    let rows = connect(url)
        .await?
        .query("select seq, id, stream, version, type, data::text from events order by seq", &[])
        .await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let (seq, version) = (u64::try_from(row.get::<_, i64>("seq"))?, u64::try_from(row.get::<_, i64>("version"))?);
        let (id, stream, kind, data): (Uuid, String, String, String) =
            (row.get("id"), row.get("stream"), row.get("type"), row.get("data"));
        let text = written(&serde_json::from_str(&data)?);
        let key = text.strip_prefix(KEY_MARK).and_then(|text| text.get(..KEY_BYTES)).map(str::to_owned);
        let request = Digest::of((kind.as_str(), text.as_str()));
        let digest = digest(seq, id, &stream, version, &kind, &data);
        events.push(Event { seq, id, stream, version, key, request, digest });
    }
    Ok(events)
}

/// The digest of what a reader gets of an event.
pub(super) fn digest(seq: u64, id: Uuid, stream: &str, version: u64, kind: &str, data: &str) -> Digest {
    Digest::of((seq, id, stream, version, kind, data))
}

/// The text that a writer sent, wherever the event keeps it.
fn written(data: &Value) -> String {
    let text = ["text", "description"].into_iter().find_map(|name| data.get(name)?.as_str());
    text.unwrap_or_default().to_owned()
}

/// A session of the superuser.
pub(super) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
