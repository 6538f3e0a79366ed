//! Roles: names for sets of permissions. Four are built in; the others are aggregates, so that a change of
//! what a role allows is an event, and reaches whoever holds it at once.

use std::collections::BTreeSet;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::permission::{
    self, AUTOMATIONS_APPROVE, AUTOMATIONS_READ, AUTOMATIONS_RUN, EVENTS_EXPORT, INCIDENTS_READ, INCIDENTS_WRITE,
    LOGS_READ, LOGS_WRITE, NOTIFICATIONS_READ, SERVERS_READ, SERVERS_WRITE, SYSTEM_READ, USERS_READ,
};
use super::user::{Violation, line};

/// Longest name of a role, in characters of `a-z 0-9 -`.
pub const NAME_CHARS: usize = 40;
/// Longest description, in characters: a line in a list.
pub const DESCRIPTION_CHARS: usize = 200;

/// A name for a set of permissions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// Works on incidents.
    Operator,
    /// Watches.
    Viewer,
    /// Reads everything and may take it home, changes nothing.
    Auditor,
    /// One that somebody made.
    #[serde(untagged)]
    Custom(String),
}

impl Role {
    /// Those that are built in.
    pub const BUILT_IN: [Role; 4] = [Role::Admin, Role::Operator, Role::Viewer, Role::Auditor];

    /// The role of this name, whether or not somebody made it.
    pub fn named(name: &str) -> Role {
        Role::BUILT_IN.into_iter().find(|role| role.as_str() == name).unwrap_or_else(|| Role::Custom(name.to_owned()))
    }

    /// As it stands in events and in the API.
    pub fn as_str(&self) -> &str {
        match self {
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
            Role::Auditor => "auditor",
            Role::Custom(name) => name,
        }
    }

    /// What a built-in role allows; `None` for one that somebody made.
    pub fn built_in(&self) -> Option<&'static [&'static str]> {
        Some(match self {
            Role::Admin => permission::ALL,
            Role::Operator => &[
                INCIDENTS_READ,
                INCIDENTS_WRITE,
                AUTOMATIONS_READ,
                AUTOMATIONS_RUN,
                AUTOMATIONS_APPROVE,
                LOGS_READ,
                LOGS_WRITE,
                NOTIFICATIONS_READ,
                SERVERS_READ,
                SERVERS_WRITE,
                SYSTEM_READ,
            ],
            Role::Viewer => &[INCIDENTS_READ, AUTOMATIONS_READ, LOGS_READ, SERVERS_READ],
            Role::Auditor => &[
                INCIDENTS_READ,
                AUTOMATIONS_READ,
                LOGS_READ,
                NOTIFICATIONS_READ,
                SERVERS_READ,
                USERS_READ,
                EVENTS_EXPORT,
                SYSTEM_READ,
            ],
            Role::Custom(_) => return None,
        })
    }
}

/// In the contract a role is its name.
impl JsonSchema for Role {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Role".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// A role that somebody made, as the log tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomRole {
    /// Names the stream `role/<id>`.
    pub id: Uuid,
    /// Never changes: users hold the role by it.
    pub name: String,
    /// For people.
    pub description: String,
    /// What it allows. A word that this version does not know allows nothing.
    pub permissions: BTreeSet<String>,
    /// Nobody holds it, and its name is free again.
    pub deleted: bool,
    /// Events in the stream.
    pub version: i64,
}

impl CustomRole {
    /// What it allows.
    pub fn allows(&self) -> BTreeSet<&'static str> {
        self.permissions.iter().filter(|_| !self.deleted).filter_map(|word| permission::named(word)).collect()
    }
}

/// `role.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// `a-z 0-9 -`.
    pub name: String,
    /// For people.
    pub description: String,
    /// What it allows.
    pub permissions: BTreeSet<String>,
}

/// `role.updated`: from now on it is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Updated {
    /// For people.
    pub description: String,
    /// What it allowed.
    pub old: BTreeSet<String>,
    /// What it allows.
    pub new: BTreeSet<String>,
}

/// `role.deleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deleted {}

/// What changes a role.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Event {
    Created(Created),
    Updated(Updated),
    Deleted(Deleted),
}

impl Event {
    /// Reads a stored event of a `role/` stream.
    ///
    /// # Errors
    /// The type is none of a role's, or the data are not that type's.
    pub fn parse(kind: &str, data: &str) -> Result<Event, serde_json::Error> {
        use serde::de::Error;
        Ok(match kind {
            "role.created" => Event::Created(serde_json::from_str(data)?),
            "role.updated" => Event::Updated(serde_json::from_str(data)?),
            "role.deleted" => Event::Deleted(serde_json::from_str(data)?),
            other => return Err(serde_json::Error::custom(format!("{other} is no event of a role"))),
        })
    }

    /// Registered type name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Created(_) => "role.created",
            Event::Updated(_) => "role.updated",
            Event::Deleted(_) => "role.deleted",
        }
    }

    /// The event's facts.
    pub fn data(&self) -> Value {
        let data = match self {
            Event::Created(created) => serde_json::to_value(created),
            Event::Updated(updated) => serde_json::to_value(updated),
            Event::Deleted(deleted) => serde_json::to_value(deleted),
        };
        data.unwrap_or_default() // strings and lists: nothing in them can fail
    }
}

/// What is asked of a role.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the events say what each field is
pub enum Command {
    Create { name: String, description: String, permissions: BTreeSet<String> },
    Update { description: Option<String>, permissions: Option<BTreeSet<String>> },
    Delete,
}

/// Decides what happens; nothing, when all is as it was asked to be. A deleted role takes no command.
///
/// # Errors
/// What is wrong with the command.
pub fn decide(role: Option<&CustomRole>, command: &Command) -> Result<Vec<Event>, Vec<Violation>> {
    let mut wrong = Vec::new();
    let event = match (role, command) {
        (_, Command::Create { name, description, permissions }) => {
            let letters = |name: &str| name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
            if name.is_empty() || name.len() > NAME_CHARS || !letters(name) {
                wrong.push(Violation::of("/name", format!("has 1 to {NAME_CHARS} of `a-z 0-9 -`")));
            } else if Role::named(name).built_in().is_some() {
                wrong.push(Violation::of("/name", "is the name of a role that is built in"));
            }
            check(&mut wrong, description, permissions);
            let (name, description, permissions) = (name.clone(), description.clone(), permissions.clone());
            Event::Created(Created { name, description, permissions })
        }
        (Some(role), Command::Update { description, permissions }) => {
            let new = permissions.clone().unwrap_or_else(|| role.permissions.clone());
            let description = description.clone().unwrap_or_else(|| role.description.clone());
            check(&mut wrong, &description, &new);
            if new == role.permissions && description == role.description {
                return Ok(Vec::new());
            }
            Event::Updated(Updated { description, old: role.permissions.clone(), new })
        }
        (Some(_), Command::Delete) => Event::Deleted(Deleted {}),
        (None, Command::Update { .. } | Command::Delete) => return Ok(Vec::new()),
    };
    if wrong.is_empty() { Ok(vec![event]) } else { Err(wrong) }
}

fn check(wrong: &mut Vec<Violation>, description: &str, permissions: &BTreeSet<String>) {
    line(wrong, "/description", description, 0..=DESCRIPTION_CHARS);
    if permissions.iter().any(|word| permission::named(word).is_none()) {
        let known = permission::ALL.join(", ");
        wrong.push(Violation::of("/permissions", format!("has a word that is none of: {known}")));
    }
}

/// The role after an event. `None` when the first event of a stream is not its creation.
pub fn evolve(role: Option<CustomRole>, id: Uuid, event: &Event) -> Option<CustomRole> {
    if let Event::Created(created) = event {
        let Created { name, description, permissions } = created.clone();
        return Some(CustomRole { id, name, description, permissions, deleted: false, version: 1 });
    }
    let mut role = role?;
    role.version += 1;
    match event {
        Event::Updated(updated) => {
            role.description.clone_from(&updated.description);
            role.permissions.clone_from(&updated.new);
        }
        Event::Deleted(_) => role.deleted = true,
        Event::Created(_) => {}
    }
    Some(role)
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("role.created", "There is a new role.", schema_for!(Created).to_value()),
        ("role.updated", "Whoever holds a role may do other things.", schema_for!(Updated).to_value()),
        ("role.deleted", "A role that nobody holds is gone.", schema_for!(Deleted).to_value()),
    ]
}
