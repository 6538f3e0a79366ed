//! By event: a durable consumer of the log that starts what an event calls for, and moves its checkpoint with that.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio_postgres::types::Json;

use super::start::{NotStarted, Start, started};
use crate::automations::{self, CHAIN_MOST, FOLLOWING_MOST, execution_id_of};
use crate::consumer::{Ended, Lease};
use crate::domain::automation::EventTrigger;
use crate::domain::automation::execution::Trigger;
use crate::domain::automation::runbook::Runbook;
use crate::domain::condition::Condition;
use crate::http::App;
use crate::log::{Cause, Command, Event, Outcome};

/// A runbook that events can start, read once.
struct Rule {
    runbook: Runbook,
    trigger: EventTrigger,
    /// `None`: always.
    condition: Option<Condition>,
}

/// Follows the log while this process holds the lease.
pub async fn follow(app: Arc<App>, mut lease: Lease) -> Ended {
    let mut rules = None;
    loop {
        if let Err(ended) = page(&app, &mut lease, &mut rules).await {
            return ended;
        }
    }
}

/// The rules are read again where a page has a change of a runbook, and not for every page.
async fn page(app: &App, lease: &mut Lease, rules: &mut Option<Vec<Rule>>) -> Result<(), Ended> {
    let events = lease.next().await?;
    if rules.is_none() || events.iter().any(|event| event.kind.starts_with("automation.runbook.")) {
        *rules = Some(load(app).await?);
    }
    for event in &events {
        for rule in rules.iter().flatten().filter(|rule| rule.wants(event)) {
            begin(app, lease, rule, event).await?;
        }
    }
    let last = events.last().map_or(lease.position(), |event| event.seq);
    lease.advance(last, Vec::new()).await
}

async fn load(app: &App) -> Result<Vec<Rule>, Ended> {
    let rows = app.background.query(include_str!("../../sql/queries/runbooks_triggered.sql"), &[]).await?;
    let runbooks = rows.iter().filter_map(|row| row.try_get("state").ok().map(|Json(runbook)| runbook));
    Ok(runbooks.filter_map(Rule::of).collect())
}

/// Starts an execution. Its id is made of runbook and event: a repetition after a crash starts nothing twice.
async fn begin(app: &App, lease: &mut Lease, rule: &Rule, event: &Event) -> Result<(), Ended> {
    let (depth, following) = automations::chain(&app.background, event).await?;
    if depth >= CHAIN_MOST || following >= FOLLOWING_MOST {
        let correlation = event.correlation_id;
        tracing::warn!(depth, following, %correlation, runbook = %rule.runbook.id, "rules start each other; no more");
        return Ok(());
    }
    let json: Value = serde_json::from_str(&event.json()).unwrap_or_default();
    let mut inputs: BTreeMap<String, Value> = rule.trigger.inputs.clone();
    for (name, pointer) in &rule.trigger.inputs_from {
        inputs.extend(json.pointer(pointer).map(|value| (name.clone(), value.clone())));
    }
    let begun = Start {
        runbook: &rule.runbook,
        id: execution_id_of(&format!("{} by event {}", rule.runbook.id, event.id)),
        inputs: &inputs,
        trigger: Trigger::Event { seq: event.seq, event_type: event.kind.clone(), stream: event.stream.clone() },
        reason: format!("{} happened in {} (event {})", event.kind, event.stream, event.seq),
        depth: depth.unsigned_abs(),
    };
    let cause = Cause {
        correlation_id: event.correlation_id,
        causation_id: Some(event.id),
        trace_id: event.trace_id.clone(),
        ..Cause::system("rules")
    };
    let (write, state) = match started(app, begun, &cause).await {
        Ok(started) => started,
        Err(NotStarted::Query(error)) => return Err(Ended::Query(error)),
        Err(error) => {
            tracing::warn!(%error, runbook = %rule.runbook.id, seq = event.seq, "a rule started nothing");
            return Ok(());
        }
    };
    let states = vec![state, lease.guard().state()];
    let command = Command { cause, writes: vec![write], states, idempotency: None };
    match app.appender.append(command).await? {
        Outcome::Appended(_) | Outcome::Duplicate(_) => Ok(()),
        Outcome::Conflict { stream, .. } => {
            tracing::debug!(stream, "a rule was followed before");
            Ok(())
        }
    }
}

impl Rule {
    fn of(runbook: Runbook) -> Option<Rule> {
        let trigger = runbook.definition.on_event.clone()?;
        let condition = match trigger.condition.trim() {
            "" => None,
            text => Some(Condition::parse(text).ok()?),
        };
        Some(Rule { runbook, trigger, condition })
    }

    /// Whether the event calls for it. What the runbook itself does never does: a rule that starts itself directly is
    /// a mistake, and one that does so over others is stopped by the length of the chain.
    fn wants(&self, event: &Event) -> bool {
        let named = self.trigger.types.iter().any(|pattern| names(pattern, &event.kind));
        if !named || event.occurred_at < self.runbook.created_at || self.is_its_own(event) {
            return false;
        }
        let Some(condition) = &self.condition else { return true };
        serde_json::from_str::<Value>(&event.json()).is_ok_and(|json| condition.holds(&json))
    }

    fn is_its_own(&self, event: &Event) -> bool {
        let stream = automations::runbook_stream(self.runbook.id);
        let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        event.stream == stream || data["runbook_id"] == self.runbook.id.to_string()
    }
}

/// `incident.created`, or a family such as `incident.*`.
fn names(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(family) => kind.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')),
        None => kind == pattern,
    }
}
