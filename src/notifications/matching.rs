//! Which events go where: rules, asked about each event in the order of the log.

use std::collections::HashSet;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::consumer::{Ended, Lease};
use crate::domain::condition::Condition;
use crate::domain::notification::Rule;
use crate::http::App;
use crate::hub::Filter;
use crate::log::Event;
use crate::postgres::{Database, QueryError};
use crate::projections::Accounts;

/// The rules that are applied, read for asking.
pub(super) struct Rules(Vec<(Rule, Option<Condition>)>);

impl Rules {
    /// As they are now.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn load(database: &Database) -> Result<Rules, QueryError> {
        let mut rules = Vec::new();
        for row in database.query(include_str!("../../sql/queries/notification_rules_all.sql"), &[]).await? {
            let Json(rule): Json<Rule> = row.try_get("state")?;
            match rule.facts.condition.as_deref().map(Condition::parse).transpose() {
                Ok(condition) => rules.push((rule, condition)),
                // It was accepted once: the language may only ever grow.
                Err(error) => tracing::error!(rule = %rule.id, %error, "a rule is not applied"),
            }
        }
        Ok(Rules(rules))
    }

    /// The channels that hear of an event, each with the first rule that says so.
    pub fn channels(&self, event: &Event, accounts: &Accounts) -> Vec<(Uuid, Uuid)> {
        let mut heard = HashSet::new();
        let mut facts = None;
        let mut channels = Vec::new();
        for (rule, condition) in self.0.iter().filter(|(rule, _)| rule.hears(&event.kind)) {
            let holds = |condition: &Condition| {
                condition.holds(
                    facts.get_or_insert_with(|| serde_json::from_str::<Value>(&event.json()).unwrap_or_default()),
                )
            };
            if !heard.contains(&rule.facts.channel)
                && may_see(rule, event, accounts)
                && condition.as_ref().is_none_or(holds)
            {
                heard.insert(rule.facts.channel);
                channels.push((rule.facts.channel, rule.id));
            }
        }
        channels
    }
}

/// A rule sees what its owner may see: nobody gets by a channel what no stream would give them.
fn may_see(rule: &Rule, event: &Event, accounts: &Accounts) -> bool {
    let owner = rule.owner.strip_prefix("user:").and_then(|id| id.parse().ok());
    let account = owner.and_then(|id| accounts.active(id));
    account.is_some_and(|account| Filter::default().within(&account.permissions).admits(event))
}

/// A row for the queue, as `sql/functions/consumed_notifications.sql` takes it.
pub(super) fn row(channel: Uuid, rule: Uuid, event: &Event, cause: &str) -> String {
    let id = Uuid::now_v7();
    json!({ "id": id, "channel_id": channel, "rule_id": rule, "seq": event.seq, "cause": cause }).to_string()
}

/// Follows the log and fills the queues.
pub(super) async fn follow(app: &App, mut lease: Lease, queued: &Notify) -> Ended {
    loop {
        if let Err(ended) = page(app, &mut lease, queued).await {
            return ended;
        }
    }
}

async fn page(app: &App, lease: &mut Lease, queued: &Notify) -> Result<(), Ended> {
    let mut rules = Rules::load(&app.background).await?;
    loop {
        let events = lease.next().await?;
        let Some(last) = events.last().map(|event| event.seq) else { continue };
        // Rules that changed in this page are applied to all of it: to events of a moment before, at most.
        let changes = |event: &Event| {
            event.kind.starts_with("notification.rule.") || event.kind == "notification.channel.deleted"
        };
        let changed = events.iter().any(|event| changes(event));
        if changed {
            rules = Rules::load(&app.background).await?;
        }
        let heard = |event| rules.channels(event, &app.accounts).into_iter();
        let rows =
            events.iter().flat_map(|event| heard(event).map(|(channel, rule)| row(channel, rule, event, "rule")));
        let rows: Vec<String> = rows.collect();
        let any = !rows.is_empty();
        lease.advance(last, rows).await?;
        if any {
            queued.notify_one();
        }
    }
}
