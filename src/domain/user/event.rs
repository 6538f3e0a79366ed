//! What happens to users, their sign-ins and their tokens. No event carries a secret or its hash.

use std::collections::BTreeSet;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Identity, Kind, Role};

/// `user.created`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// What they sign in with; lower case.
    pub username: String,
    /// What others see.
    pub name: String,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// Where they can be written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A person, unless it says otherwise.
    #[serde(default, skip_serializing_if = "Kind::is_person")]
    pub kind: Kind,
    /// Who they are elsewhere: made at first sight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// `user.updated`: from now on it is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Updated {
    /// What others see.
    pub name: String,
    /// Where they can be written to.
    pub email: Option<String>,
}

/// `user.password.changed`: the password itself, or its hash, never stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChanged {}

/// `user.invited`: whoever has the invitation may set the user's password, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invited {
    /// RFC 3339.
    pub expires_at: String,
}

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

/// `user.session.revoked`: somebody ended a sign-in, or a refresh token was shown twice.
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

/// `token.created`; in the stream `token/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreated {
    /// Whose rights it has a part of.
    pub user: Uuid,
    /// For people.
    pub name: String,
    /// At most this; less, where the user has less.
    pub permissions: BTreeSet<String>,
    /// RFC 3339.
    pub expires_at: String,
}

/// `token.revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRevoked {
    /// Whose token.
    pub user: Uuid,
}

/// `access.denied`; in the stream `system/access`. Repetitions within a minute are one event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccessDenied {
    /// Who was refused.
    pub user: Uuid,
    /// The permission that they lack.
    pub missing: String,
    /// The method and path of the request.
    pub operation: String,
    /// As in the answer.
    pub decision_id: Uuid,
}

/// What changes a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is the struct it holds
pub enum Event {
    Created(Created),
    Updated(Updated),
    Invited(Invited),
    PasswordChanged(PasswordChanged),
    RolesChanged(RolesChanged),
    Disabled(Switched),
    Enabled(Switched),
    Linked(Identity),
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
            "user.updated" => Event::Updated(serde_json::from_str(data)?),
            "user.invited" => Event::Invited(serde_json::from_str(data)?),
            "user.password.changed" => Event::PasswordChanged(serde_json::from_str(data)?),
            "user.roles.changed" => Event::RolesChanged(serde_json::from_str(data)?),
            "user.disabled" => Event::Disabled(serde_json::from_str(data)?),
            "user.enabled" => Event::Enabled(serde_json::from_str(data)?),
            "user.linked" => Event::Linked(serde_json::from_str(data)?),
            other => return Err(serde_json::Error::custom(format!("{other} is no event of a user"))),
        })
    }

    /// Registered type name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Created(_) => "user.created",
            Event::Updated(_) => "user.updated",
            Event::Invited(_) => "user.invited",
            Event::PasswordChanged(_) => "user.password.changed",
            Event::RolesChanged(_) => "user.roles.changed",
            Event::Disabled(_) => "user.disabled",
            Event::Enabled(_) => "user.enabled",
            Event::Linked(_) => "user.linked",
        }
    }

    /// The event's facts.
    pub fn data(&self) -> Value {
        let data = match self {
            Event::Created(created) => serde_json::to_value(created),
            Event::Updated(updated) => serde_json::to_value(updated),
            Event::Invited(invited) => serde_json::to_value(invited),
            Event::PasswordChanged(changed) => serde_json::to_value(changed),
            Event::RolesChanged(changed) => serde_json::to_value(changed),
            Event::Disabled(switched) | Event::Enabled(switched) => serde_json::to_value(switched),
            Event::Linked(identity) => serde_json::to_value(identity),
        };
        data.unwrap_or_default() // strings and lists: nothing in them can fail
    }
}

/// Name, description and JSON Schema of each type.
pub fn event_types() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("user.created", "There is a new user.", schema_for!(Created).to_value()),
        ("user.updated", "A user has another name or address.", schema_for!(Updated).to_value()),
        ("user.invited", "A user may set a password, by an invitation.", schema_for!(Invited).to_value()),
        ("user.password.changed", "A user has another password.", schema_for!(PasswordChanged).to_value()),
        ("user.roles.changed", "A user may do other things.", schema_for!(RolesChanged).to_value()),
        ("user.disabled", "A user may no longer sign in.", schema_for!(Switched).to_value()),
        ("user.enabled", "A user may sign in again.", schema_for!(Switched).to_value()),
        ("user.linked", "A user is known elsewhere.", schema_for!(Identity).to_value()),
        ("user.signed_in", "A user signed in.", schema_for!(Session).to_value()),
        ("user.signed_out", "A user signed out.", schema_for!(Session).to_value()),
        ("user.session.revoked", "A session was ended for safety.", schema_for!(SessionRevoked).to_value()),
        ("user.sign_in.failed", "Somebody could not sign in.", schema_for!(SignInFailed).to_value()),
        ("token.created", "There is a new API token.", schema_for!(TokenCreated).to_value()),
        ("token.revoked", "An API token is worth nothing any more.", schema_for!(TokenRevoked).to_value()),
        ("access.denied", "Somebody asked for what they may not.", schema_for!(AccessDenied).to_value()),
    ]
}
