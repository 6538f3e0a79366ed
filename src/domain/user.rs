//! Users: who they are and what they may do.

use std::collections::BTreeSet;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::permission::{
    self, INCIDENTS_READ, INCIDENTS_WRITE, LOGS_READ, LOGS_WRITE, SERVERS_READ, SERVERS_WRITE, SYSTEM_READ, USERS_READ,
};

/// A name for a set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// Works on incidents.
    Operator,
    /// Watches.
    Viewer,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::Admin, Role::Operator, Role::Viewer, Role::Auditor];

    /// As it stands in events and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
            Role::Auditor => "auditor",
        }
    }

    /// What the role may do.
    pub fn permissions(self) -> &'static [&'static str] {
        match self {
            Role::Admin => permission::ALL,
            Role::Operator => {
                &[INCIDENTS_READ, INCIDENTS_WRITE, LOGS_READ, LOGS_WRITE, SERVERS_READ, SERVERS_WRITE, SYSTEM_READ]
            }
            Role::Viewer => &[INCIDENTS_READ, LOGS_READ, SERVERS_READ],
            Role::Auditor => &[INCIDENTS_READ, LOGS_READ, SERVERS_READ, USERS_READ, SYSTEM_READ],
        }
    }
}

/// A user as the log tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Names the stream `user/<id>`.
    pub id: Uuid,
    /// What they sign in with; lower case.
    pub username: String,
    /// What others see.
    pub name: String,
    /// Sorted.
    pub roles: BTreeSet<Role>,
    /// May not sign in, and open streams end.
    pub disabled: bool,
    /// Events in the stream.
    pub version: i64,
}

impl User {
    /// What all the roles together allow.
    pub fn permissions(&self) -> BTreeSet<&'static str> {
        self.roles.iter().flat_map(|role| role.permissions()).copied().collect()
    }
}

/// `user.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// What they sign in with; lower case.
    pub username: String,
    /// What others see.
    pub name: String,
    /// What they may do.
    pub roles: BTreeSet<Role>,
}

/// `user.password.changed`: the password itself, or its hash, never stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChanged {}

/// `user.roles.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolesChanged {
    /// Before.
    pub old: BTreeSet<Role>,
    /// From now on.
    pub new: BTreeSet<Role>,
}

/// `user.disabled` and `user.enabled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switched {
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// `user.signed_in`, `user.signed_out`; in the stream `session/<id>`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Session {
    /// Who.
    pub user: Uuid,
    /// What they sign in with.
    pub username: String,
}

/// `user.session.revoked`: a refresh token was shown twice, so one of the two who hold it stole it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SessionRevoked {
    /// Whose session.
    pub user: Uuid,
    /// Why it was ended.
    pub reason: String,
}

/// `user.sign_in.failed`; in the stream `system/sign-in`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SignInFailed {
    /// As it was typed, cut to 64 characters.
    pub username: String,
}

/// What changes a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Event {
    Created(Created),
    PasswordChanged(PasswordChanged),
    RolesChanged(RolesChanged),
    Disabled(Switched),
    Enabled(Switched),
}

impl Event {
    /// Reads a stored event of a `user/` stream.
    ///
    /// # Errors
    /// The type is none of a user's, or the data are not that type's.
    pub fn parse(kind: &str, data: &str) -> Result<Event, serde_json::Error> {
        use serde::de::Error;
        Ok(match kind {
            "user.created" => Event::Created(serde_json::from_str(data)?),
            "user.password.changed" => Event::PasswordChanged(serde_json::from_str(data)?),
            "user.roles.changed" => Event::RolesChanged(serde_json::from_str(data)?),
            "user.disabled" => Event::Disabled(serde_json::from_str(data)?),
            "user.enabled" => Event::Enabled(serde_json::from_str(data)?),
            other => return Err(serde_json::Error::custom(format!("{other} is no event of a user"))),
        })
    }

    /// Registered type name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Created(_) => "user.created",
            Event::PasswordChanged(_) => "user.password.changed",
            Event::RolesChanged(_) => "user.roles.changed",
            Event::Disabled(_) => "user.disabled",
            Event::Enabled(_) => "user.enabled",
        }
    }

    /// The event's facts.
    pub fn data(&self) -> Value {
        let data = match self {
            Event::Created(created) => serde_json::to_value(created),
            Event::PasswordChanged(changed) => serde_json::to_value(changed),
            Event::RolesChanged(changed) => serde_json::to_value(changed),
            Event::Disabled(switched) | Event::Enabled(switched) => serde_json::to_value(switched),
        };
        data.unwrap_or_default() // strings and lists: nothing in them can fail
    }
}

/// The user after an event. `None` when the first event of a stream is not its creation.
pub fn evolve(user: Option<User>, id: Uuid, event: &Event) -> Option<User> {
    if let Event::Created(created) = event {
        let Created { username, name, roles } = created.clone();
        return Some(User { id, username, name, roles, disabled: false, version: 1 });
    }
    let mut user = user?;
    user.version += 1;
    match event {
        Event::RolesChanged(changed) => user.roles = changed.new.clone(),
        Event::Disabled(_) => user.disabled = true,
        Event::Enabled(_) => user.disabled = false,
        Event::Created(_) | Event::PasswordChanged(_) => {}
    }
    Some(user)
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("user.created", "There is a new user.", schema_for!(Created).to_value()),
        ("user.password.changed", "A user has another password.", schema_for!(PasswordChanged).to_value()),
        ("user.roles.changed", "A user may do other things.", schema_for!(RolesChanged).to_value()),
        ("user.disabled", "A user may no longer sign in.", schema_for!(Switched).to_value()),
        ("user.enabled", "A user may sign in again.", schema_for!(Switched).to_value()),
        ("user.signed_in", "A user signed in.", schema_for!(Session).to_value()),
        ("user.signed_out", "A user signed out.", schema_for!(Session).to_value()),
        ("user.session.revoked", "A session was ended for safety.", schema_for!(SessionRevoked).to_value()),
        ("user.sign_in.failed", "Somebody could not sign in.", schema_for!(SignInFailed).to_value()),
    ]
}
