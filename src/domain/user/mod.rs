//! Users: who they are and what they may do.

mod decide;
mod event;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use super::role::Role;
pub use decide::{Command, NAME_CHARS, NewUser, Refusal, USERNAME_CHARS, Violation, decide, is_username, line};
pub use event::{
    AccessDenied, Created, Event, Invited, PasswordChanged, RolesChanged, Session, SessionRevoked, SignInFailed,
    Switched, TokenCreated, TokenRevoked, Updated, event_types,
};

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody who signs in.
    #[default]
    Person,
    /// A program: it has API tokens, and no password.
    ServiceAccount,
}

impl Kind {
    /// As it stands in events, in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Person => "person",
            Kind::ServiceAccount => "service_account",
        }
    }

    /// Whether it is somebody: what is left out where it is written.
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
    fn is_person(&self) -> bool {
        *self == Kind::Person
    }
}

/// `user.linked`: who a user is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Who says so.
    pub issuer: String,
    /// How they call the user; never given to anybody else.
    pub subject: String,
    /// They also decide the roles: the user was made at first sight of a token of theirs.
    pub decides_roles: bool,
    /// The Unix second of the token that the present roles come from; an older one changes nothing.
    pub as_of: i64,
}

/// A user as the log tells. What was added later is left out where it is not used, so that older states keep
/// their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Names the stream `user/<id>`.
    pub id: Uuid,
    /// What they sign in with; lower case.
    pub username: String,
    /// What others see.
    pub name: String,
    /// Where they can be written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A person or a program.
    #[serde(default, skip_serializing_if = "Kind::is_person")]
    pub kind: Kind,
    /// Who they are elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Sorted.
    pub roles: BTreeSet<Role>,
    /// May not sign in, and open streams end.
    pub disabled: bool,
    /// Events in the stream.
    pub version: i64,
}

impl User {
    /// Whether this user keeps the system in somebody's hands.
    pub fn administers(&self) -> bool {
        self.roles.contains(&Role::Admin) && !self.disabled && self.kind == Kind::Person
    }
}

/// The user after an event. `None` when the first event of a stream is not its creation.
pub fn evolve(user: Option<User>, id: Uuid, event: &Event) -> Option<User> {
    if let Event::Created(created) = event {
        let Created { username, name, roles, email, kind, identity } = created.clone();
        return Some(User { id, username, name, email, kind, identity, roles, disabled: false, version: 1 });
    }
    let mut user = user?;
    user.version += 1;
    match event {
        Event::Updated(updated) => {
            user.name.clone_from(&updated.name);
            user.email.clone_from(&updated.email);
        }
        Event::RolesChanged(changed) => user.roles = changed.new.clone(),
        Event::Disabled(_) => user.disabled = true,
        Event::Enabled(_) => user.disabled = false,
        Event::Linked(identity) => user.identity = Some(identity.clone()),
        Event::Created(_) | Event::PasswordChanged(_) | Event::Invited(_) => {}
    }
    Some(user)
}
