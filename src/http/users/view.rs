//! Users as the API shows and takes them.

use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::role::Role;
use crate::domain::user::{self, Command, Kind, User};
use crate::http::App;
use crate::http::text::Text;

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "UserKind", rename_all = "snake_case")]
pub enum KindView {
    /// Somebody who signs in.
    Person,
    /// A program: it has API tokens, and no password.
    ServiceAccount,
}

impl From<KindView> for Kind {
    fn from(kind: KindView) -> Kind {
        match kind {
            KindView::Person => Kind::Person,
            KindView::ServiceAccount => Kind::ServiceAccount,
        }
    }
}

/// A user.
#[derive(Debug, Object)]
#[oai(rename = "User", skip_serializing_if_is_none)]
pub struct UserView {
    id: Uuid,
    /// What they sign in with; it never changes.
    pub username: String,
    /// What others see.
    name: String,
    /// Where they can be written to.
    email: Option<String>,
    kind: KindView,
    /// By name.
    roles: Vec<String>,
    /// What the roles allow together.
    permissions: Vec<String>,
    /// May not sign in.
    disabled: bool,
    /// The issuer that knows them elsewhere.
    issuer: Option<String>,
    /// When they last signed in here; absent where they never did, and in the answer to a command.
    signed_in_at: Option<OffsetDateTime>,
    /// How many events made this state; the ETag of a command's answer.
    version: i64,
    /// By it the password is set, within seven days. It is shown in the answer that makes it, and never again:
    /// not even to the same `Idempotency-Key`.
    invitation: Option<String>,
}

impl UserView {
    /// With what the roles allow now.
    pub fn of(app: &App, user: &User) -> UserView {
        let permissions: std::collections::BTreeSet<&str> =
            user.roles.iter().flat_map(|role| app.accounts.allows(role)).collect();
        UserView {
            id: user.id,
            username: user.username.clone(),
            name: user.name.clone(),
            email: user.email.clone(),
            kind: match user.kind {
                Kind::Person => KindView::Person,
                Kind::ServiceAccount => KindView::ServiceAccount,
            },
            roles: user.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            permissions: permissions.into_iter().map(str::to_owned).collect(),
            disabled: user.disabled,
            issuer: user.identity.as_ref().map(|identity| identity.issuer.clone()),
            signed_in_at: None,
            version: user.version,
            invitation: None,
        }
    }

    /// With when they last signed in.
    pub fn signed_in(self, signed_in_at: Option<OffsetDateTime>) -> UserView {
        UserView { signed_in_at, ..self }
    }
}

/// A page of users.
#[derive(Debug, Object)]
pub struct UserPage {
    /// At most `limit`.
    pub items: Vec<UserView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub next: Option<String>,
}

/// A new user.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct NewUser {
    /// 1 to 64 of `a-z 0-9 . _ @ + -`; capital letters become small ones.
    username: Text,
    /// What others see; 1 to 100 characters.
    name: Text,
    /// Where they can be written to.
    email: Option<Text>,
    /// Default `person`.
    kind: Option<KindView>,
    /// By name; at most 20.
    #[oai(default)]
    roles: Vec<Text>,
}

impl NewUser {
    /// As the rules want it.
    pub fn user(self) -> user::NewUser {
        user::NewUser {
            username: self.username.0.to_lowercase(),
            name: self.name.0,
            email: self.email.map(String::from),
            kind: self.kind.unwrap_or(KindView::Person).into(),
            roles: self.roles.iter().map(|role| Role::named(&role.0)).collect(),
        }
    }
}

/// What to change; absent fields stay.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct UserChanges {
    name: Option<Text>,
    /// `null` removes it.
    email: MaybeUndefined<Text>,
}

impl UserChanges {
    /// As the rules want it.
    pub fn command(self) -> Command {
        let email = match self.email {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(email) => Some(Some(email.0)),
        };
        Command::Update { name: self.name.map(String::from), email }
    }
}

/// Why.
#[derive(Debug, Clone, Object)]
#[oai(rename = "UserReason", deny_unknown_fields)]
pub struct Reason {
    /// One line of at most 2,000 characters.
    pub reason: Option<Text>,
}
