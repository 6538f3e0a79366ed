//! Channels and rules between the rules and the log: decided events as writes, stored states as what they are.

use serde_json::json;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::domain::notification::{Channel, ChannelEvent, Rule, RuleEvent};
use crate::domain::permission::NOTIFICATIONS_READ;
use crate::log::{Head, NewEvent, State, Write, hex};
use crate::postgres::{Database, QueryError};

/// What to append and what to store when this happens to a channel, and the channel after it.
///
/// # Panics
/// When there is neither a channel nor its creation.
pub fn write_channel(
    before: Option<&Channel>,
    id: Uuid,
    event: &ChannelEvent,
    at: OffsetDateTime,
) -> (Write, State, Channel) {
    let after = Channel::evolve(before.cloned(), id, event).expect("something happens to a channel that is");
    let new = new_event(event.kind(), event.data(), at);
    let expected = Some(before.map_or(0, |channel| channel.version));
    let write = Write { stream: format!("notification-channel/{id}"), expected, events: vec![new] };
    let state = State { kind: "notification_channel", json: text(&after) };
    (write, state, after)
}

/// The same of a rule, by this actor.
///
/// # Panics
/// When there is neither a rule nor its creation.
pub fn write_rule(
    before: Option<&Rule>,
    id: Uuid,
    actor: &str,
    event: &RuleEvent,
    at: OffsetDateTime,
) -> (Write, State, Rule) {
    let after = Rule::evolve(before.cloned(), id, actor, event).expect("something happens to a rule that is");
    let new = new_event(event.kind(), event.data(), at);
    let expected = Some(before.map_or(0, |rule| rule.version));
    let write = Write { stream: format!("notification-rule/{id}"), expected, events: vec![new] };
    let state = State { kind: "notification_rule", json: text(&after) };
    (write, state, after)
}

fn new_event(kind: &'static str, data: serde_json::Value, occurred_at: OffsetDateTime) -> NewEvent {
    NewEvent { id: Uuid::now_v7(), kind, data, occurred_at, permissions: &[NOTIFICATIONS_READ] }
}

/// A channel's new secret, stored beside the event that tells of it.
pub fn secret_state(channel: Uuid, secret: &[u8], overlap_s: u32) -> State {
    let json = json!({ "channel_id": channel, "secret": hex(secret), "overlap_s": overlap_s }).to_string();
    State { kind: "notification_secret", json }
}

/// The secrets of a row that are good now, the newest first.
pub fn secrets(row: &Row) -> Vec<Vec<u8>> {
    [row.get::<_, Option<Vec<u8>>>("secret"), row.get("previous")].into_iter().flatten().collect()
}

/// A channel that is not deleted with its secrets, and the position it is true as of.
///
/// # Errors
/// The database did not answer.
pub async fn channel(database: &Database, id: Uuid) -> Result<(Head, Option<(Channel, Vec<Vec<u8>>)>), QueryError> {
    let row = database.query_one(include_str!("../../sql/queries/notification_channel_show.sql"), &[&id]).await?;
    let found: Option<Json<Channel>> = row.try_get("state")?;
    Ok((head(&row)?, found.map(|Json(channel)| (channel, secrets(&row)))))
}

/// A rule that is not deleted, and the position it is true as of.
///
/// # Errors
/// The database did not answer.
pub async fn rule(database: &Database, id: Uuid) -> Result<(Head, Option<Rule>), QueryError> {
    let row = database.query_one(include_str!("../../sql/queries/notification_rule_show.sql"), &[&id]).await?;
    let found: Option<Json<Rule>> = row.try_get("state")?;
    Ok((head(&row)?, found.map(|Json(rule)| rule)))
}

/// All channels by name, and the position they are true as of.
///
/// # Errors
/// The database did not answer.
pub async fn channels(database: &Database) -> Result<(Head, Vec<Channel>), QueryError> {
    states(database.query(include_str!("../../sql/queries/notification_channels_list.sql"), &[]).await?)
}

/// All rules, or those of one channel, in the order of their creation, and the position they are true as of.
///
/// # Errors
/// The database did not answer.
pub async fn rules(database: &Database, channel: Option<Uuid>) -> Result<(Head, Vec<Rule>), QueryError> {
    states(database.query(include_str!("../../sql/queries/notification_rules_list.sql"), &[&channel]).await?)
}

/// How many channels and rules there are.
///
/// # Errors
/// The database did not answer.
pub async fn counts(database: &Database) -> Result<(i64, i64), QueryError> {
    let row = database.query_one(include_str!("../../sql/queries/notification_counts.sql"), &[]).await?;
    Ok((row.try_get("channels")?, row.try_get("rules")?))
}

fn states<T: serde::de::DeserializeOwned>(rows: Vec<Row>) -> Result<(Head, Vec<T>), QueryError> {
    let at = rows.first().map(head).transpose()?.ok_or(QueryError::NoRow)?;
    let mut states = Vec::new();
    for row in &rows {
        states.extend(row.try_get::<_, Option<Json<T>>>("state")?.map(|Json(state)| state));
    }
    Ok((at, states))
}

/// The position that a row is true as of.
///
/// # Errors
/// A row without it.
pub fn head(row: &Row) -> Result<Head, QueryError> {
    Ok(Head { epoch: row.try_get("epoch")?, seq: row.try_get("seq")? })
}

/// As it is stored; a rebuild gives the same bytes.
fn text<T: serde::Serialize>(state: &T) -> String {
    // Texts, numbers and lists: nothing in it can fail to serialise.
    serde_json::to_string(state).unwrap_or_default()
}
