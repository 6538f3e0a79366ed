//! Current state from nothing but the log.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::server::saved::{self, Filters};
use crate::domain::{incident, server, user};
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

    fn take(&mut self, event: &Event) -> anyhow::Result<()> {
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
            _ => {}
        }
        Ok(())
    }

    /// How many states there are.
    pub fn len(&self) -> usize {
        self.incidents.len() + self.users.len() + self.servers.len() + self.filters.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each state by kind, id and stored text.
    pub fn states(&self) -> anyhow::Result<Vec<(&'static str, Uuid, String)>> {
        let incidents = self.incidents.iter().map(|(id, incident)| Ok(("incident", *id, incidents::json(incident))));
        let users = self.users.iter().map(|(id, user)| Ok(("user", *id, serde_json::to_string(user)?)));
        let servers = self.servers.iter().map(|(id, server)| Ok(("server", *id, servers::json(server))));
        let filters = self.filters.iter().map(|(id, kept)| Ok(("server_filters", *id, servers::filters_json(kept))));
        incidents.chain(users).chain(servers).chain(filters).collect()
    }
}

/// A state that is stored differently from what the log makes of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// `incident`, `user`, `server` or `server_filters`.
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
        let kinds = ["incident", "user", "server", "server_filters"]; // those of states_all.sql
        let kind = kinds.into_iter().find(|known| *known == kind).unwrap_or("unknown");
        differences.push(Difference { kind, id, stored: Some(text), rebuilt: None });
    }
    Ok((rebuilt, differences))
}
