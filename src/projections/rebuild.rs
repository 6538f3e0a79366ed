//! Current state from nothing but the log.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::automation::{execution, runbook};
use crate::domain::notification::{Channel, ChannelEvent, Rule, RuleEvent};
use crate::domain::server::saved::{self, Filters};
use crate::domain::{incident, role, server, user};
use crate::incidents;
use crate::log::{Event, read};
use crate::postgres::Database;
use crate::servers;

/// The states that all events together make, as they are stored.
#[derive(Default)]
pub struct Rebuilt {
    incidents: HashMap<Uuid, incident::Incident>,
    users: HashMap<Uuid, user::User>,
    servers: HashMap<Uuid, server::Server>,
    filters: HashMap<Uuid, Filters>,
    channels: HashMap<Uuid, Channel>,
    rules: HashMap<Uuid, Rule>,
    runbooks: HashMap<Uuid, runbook::Runbook>,
    executions: HashMap<Uuid, execution::Execution>,
    roles: HashMap<Uuid, role::CustomRole>,
    /// Last event taken.
    pub seq: i64,
}

impl Rebuilt {
    /// Replays the log through the same rules that made it, page by page.
    ///
    /// # Errors
    /// The database did not answer, or an event cannot be read.
    pub async fn replay(database: &Database) -> anyhow::Result<Rebuilt> {
        let mut rebuilt = Rebuilt::default();
        loop {
            let page = read::after(database, rebuilt.seq, read::PAGE_EVENTS).await?;
            if page.is_empty() {
                return Ok(rebuilt);
            }
            for event in &page {
                rebuilt.take(event)?;
                rebuilt.seq = event.seq;
            }
        }
    }

    /// Whether the events of a stream make a state.
    pub fn knows(stream: &str) -> bool {
        stream.split_once('/').is_some_and(|(family, _)| FAMILIES.contains(&family))
    }

    /// Takes the next event of the log, or of one stream.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take(&mut self, event: &Event) -> anyhow::Result<()> {
        let (Some((family, _)), Some(id)) = (event.stream.split_once('/'), event.stream_id()) else { return Ok(()) };
        match family {
            "incident" => {
                let change = incident::Event::parse(&event.kind, &serde_json::from_str(event.data.get())?)?;
                let meta =
                    incident::Meta { stream_id: id, actor: event.actor.id.clone(), occurred_at: event.occurred_at };
                let after = incident::evolve(self.incidents.remove(&id), &change, &meta);
                self.incidents.insert(id, after);
            }
            "user" => {
                let change = user::Event::parse(&event.kind, event.data.get())?;
                let after = user::evolve(self.users.remove(&id), id, &change);
                self.users.extend(after.map(|user| (id, user)));
            }
            "server" => {
                let change = server::Event::parse(&event.kind, event.data.get())?;
                let meta =
                    server::Meta { stream_id: id, actor: event.actor.id.clone(), occurred_at: event.occurred_at };
                let after = server::evolve(self.servers.remove(&id), &change, &meta);
                self.servers.insert(id, after);
            }
            "server-filters" => {
                let change = saved::Event::parse(&event.kind, event.data.get())?;
                let before = self.filters.remove(&id).unwrap_or_else(|| Filters::of(id));
                self.filters.insert(id, before.after(&change));
            }
            "notification-channel" => {
                let change = ChannelEvent::parse(&event.kind, event.data.get())?;
                let after = Channel::evolve(self.channels.remove(&id), id, &change);
                self.channels.extend(after.map(|channel| (id, channel)));
            }
            "notification-rule" => {
                let change = RuleEvent::parse(&event.kind, event.data.get())?;
                let after = Rule::evolve(self.rules.remove(&id), id, &event.actor.id, &change);
                self.rules.extend(after.map(|rule| (id, rule)));
            }
            "runbook" => {
                let change = runbook::Event::parse(&event.kind, event.data.get())?;
                let before = self.runbooks.remove(&id);
                let after = runbook::evolve(before, id, &change, &event.actor.id, event.occurred_at);
                self.runbooks.extend(after.map(|runbook| (id, runbook)));
            }
            "execution" => {
                let change = execution::Event::parse(&event.kind, event.data.get())?;
                let before = self.executions.remove(&id);
                let after = execution::evolve(before, id, &change, &event.actor.id, event.occurred_at);
                self.executions.extend(after.map(|execution| (id, execution)));
            }
            "role" => {
                let change = role::Event::parse(&event.kind, event.data.get())?;
                let after = role::evolve(self.roles.remove(&id), id, &change);
                self.roles.extend(after.map(|role| (id, role)));
            }
            _ => {}
        }
        Ok(())
    }

    /// How many states there are.
    pub fn len(&self) -> usize {
        let people =
            self.incidents.len() + self.users.len() + self.roles.len() + self.servers.len() + self.filters.len();
        people + self.channels.len() + self.rules.len() + self.runbooks.len() + self.executions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each state by kind, id and stored text.
    ///
    /// # Errors
    /// None that an event can cause.
    pub fn states(&self) -> anyhow::Result<Vec<(&'static str, Uuid, String)>> {
        let incidents = self.incidents.iter().map(|(id, incident)| Ok(("incident", *id, incidents::json(incident))));
        let users = self.users.iter().map(|(id, user)| Ok(("user", *id, serde_json::to_string(user)?)));
        let servers = self.servers.iter().map(|(id, server)| Ok(("server", *id, servers::json(server))));
        let filters = self.filters.iter().map(|(id, kept)| Ok(("server_filters", *id, servers::filters_json(kept))));
        let channels =
            self.channels.iter().map(|(id, one)| Ok(("notification-channel", *id, serde_json::to_string(one)?)));
        let rules = self.rules.iter().map(|(id, one)| Ok(("notification-rule", *id, serde_json::to_string(one)?)));
        let here = incidents.chain(users).chain(servers).chain(filters).chain(channels).chain(rules);
        let runbooks = self.runbooks.iter().map(|(id, runbook)| Ok(("runbook", *id, serde_json::to_string(runbook)?)));
        let executions =
            self.executions.iter().map(|(id, execution)| Ok(("execution", *id, serde_json::to_string(execution)?)));
        let roles = self.roles.iter().map(|(id, role)| Ok(("role", *id, serde_json::to_string(role)?)));
        here.chain(runbooks).chain(executions).chain(roles).collect()
    }
}

/// Streams whose events make states, by the first part of their names.
const FAMILIES: [&str; 9] = [
    "incident",
    "user",
    "server",
    "server-filters",
    "notification-channel",
    "notification-rule",
    "runbook",
    "execution",
    "role",
];

/// What `sql/queries/states_all.sql` calls states.
const KINDS: [&str; 9] = [
    "incident",
    "user",
    "server",
    "server_filters",
    "notification-channel",
    "notification-rule",
    "runbook",
    "execution",
    "role",
];

/// A state that is stored differently from what the log makes of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// `incident`, `user`, …
    pub kind: &'static str,
    /// Whose state.
    pub id: Uuid,
    /// As stored; `None` when it is missing.
    pub stored: Option<String>,
    /// As the log makes it; `None` when the log knows nothing of it.
    pub rebuilt: Option<String>,
}

/// Compares every stored state with the log, byte for byte. While commands come in, states that they
/// touch meanwhile may differ; run it when nothing is written.
///
/// # Errors
/// The database did not answer, or an event cannot be read.
pub async fn compare(database: &Database) -> anyhow::Result<(Rebuilt, Vec<Difference>)> {
    let rebuilt = Rebuilt::replay(database).await?;
    let mut stored: HashMap<(String, Uuid), String> = HashMap::new();
    for row in database.query(include_str!("../../sql/queries/states_all.sql"), &[]).await? {
        stored.insert((row.get("kind"), row.get("id")), row.get("state"));
    }
    let mut differences = Vec::new();
    for (kind, id, text) in rebuilt.states()? {
        let stored = stored.remove(&(kind.to_owned(), id));
        if stored.as_ref() != Some(&text) {
            differences.push(Difference { kind, id, stored, rebuilt: Some(text) });
        }
    }
    for ((kind, id), text) in stored {
        let kind = KINDS.into_iter().find(|known| *known == kind).unwrap_or("unknown");
        differences.push(Difference { kind, id, stored: Some(text), rebuilt: None });
    }
    Ok((rebuilt, differences))
}
