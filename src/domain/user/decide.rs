//! What may be done to a user. That somebody must be left to administer is said here for what is known, and
//! held by the database where two commands race (`state_user.sql`).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::event::{Created, Event, Invited, PasswordChanged, RolesChanged, Switched, Updated};
use super::{Kind, Role, User};

/// Longest user name, in characters of `a-z 0-9 . _ @ + -`.
pub const USERNAME_CHARS: usize = 64;
/// Longest name, in characters.
pub const NAME_CHARS: usize = 100;
/// Longest address, in characters (RFC 5321).
pub const EMAIL_CHARS: usize = 254;
/// Longest reason, in characters.
pub const REASON_CHARS: usize = 2_000;
/// Most roles of one user.
pub const ROLES: usize = 20;

/// One broken limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the command's JSON body, as an RFC 6901 pointer.
    pub pointer: String,
    /// What is wrong, as a phrase that follows the field's name.
    pub message: String,
}

impl Violation {
    /// At this place.
    pub fn of(pointer: &str, message: impl Into<String>) -> Violation {
        Violation { pointer: pointer.to_owned(), message: message.into() }
    }
}

/// Why a command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The command breaks the limits; the list is never empty.
    #[error("the input is not acceptable: errors says why")]
    Invalid(Vec<Violation>),
    /// Nobody would be left who may do everything.
    #[error("this is the last active administrator; make somebody else one first")]
    LastAdministrator,
    /// A program signs in with API tokens only.
    #[error("a service account has no password")]
    ServiceAccount,
}

/// A user who is to be.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the event says what each field is
pub struct NewUser {
    pub username: String,
    pub name: String,
    pub email: Option<String>,
    pub kind: Kind,
    pub roles: BTreeSet<Role>,
}

/// What is asked of a user.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the events say what each field is
pub enum Command {
    Create(NewUser),
    Update { name: Option<String>, email: Option<Option<String>> },
    Grant(Role),
    Revoke(Role),
    Disable { reason: Option<String> },
    Enable { reason: Option<String> },
    Invite { expires_at: String },
    ChangePassword,
}

/// Decides what happens; nothing, when all is as it was asked to be.
///
/// `last` says that no other user administers.
///
/// # Errors
/// [`Refusal`].
pub fn decide(user: Option<&User>, command: &Command, last: bool) -> Result<Vec<Event>, Refusal> {
    let (user, event) = match (user, command) {
        (_, Command::Create(new)) => return create(new),
        (None, _) => return Ok(Vec::new()),
        (Some(user), command) => (user, change(user, command)?),
    };
    let ends = matches!(&event, Some(Event::Disabled(_)))
        || matches!(&event, Some(Event::RolesChanged(changed)) if !changed.new.contains(&Role::Admin));
    if last && ends && user.administers() {
        return Err(Refusal::LastAdministrator);
    }
    Ok(event.into_iter().collect())
}

fn create(new: &NewUser) -> Result<Vec<Event>, Refusal> {
    let mut wrong = Vec::new();
    if !is_username(&new.username) {
        let message = format!("has 1 to {USERNAME_CHARS} of `a-z 0-9 . _ @ + -`, a letter or digit first");
        wrong.push(Violation::of("/username", message));
    }
    line(&mut wrong, "/name", &new.name, 1..=NAME_CHARS);
    address(&mut wrong, new.email.as_deref());
    if new.roles.len() > ROLES {
        wrong.push(Violation::of("/roles", format!("has at most {ROLES} roles")));
    }
    let NewUser { username, name, email, kind, roles } = new.clone();
    let created = Created { username, name, roles, email, kind, identity: None };
    if wrong.is_empty() { Ok(vec![Event::Created(created)]) } else { Err(Refusal::Invalid(wrong)) }
}

/// `None`: all is as it was asked to be.
fn change(user: &User, command: &Command) -> Result<Option<Event>, Refusal> {
    let mut wrong = Vec::new();
    let event = match command {
        Command::Update { name, email } => {
            let name = name.clone().unwrap_or_else(|| user.name.clone());
            let email = email.clone().unwrap_or_else(|| user.email.clone());
            line(&mut wrong, "/name", &name, 1..=NAME_CHARS);
            address(&mut wrong, email.as_deref());
            let changes = name != user.name || email != user.email;
            changes.then_some(Event::Updated(Updated { name, email }))
        }
        Command::Grant(role) | Command::Revoke(role) => {
            let mut new = user.roles.clone();
            match command {
                Command::Grant(_) => new.insert(role.clone()),
                _ => new.remove(role),
            };
            if new.len() > ROLES {
                wrong.push(Violation::of("", format!("a user has at most {ROLES} roles")));
            }
            (new != user.roles).then(|| Event::RolesChanged(RolesChanged { old: user.roles.clone(), new }))
        }
        Command::Disable { reason } => {
            reason.iter().for_each(|reason| line(&mut wrong, "/reason", reason, 0..=REASON_CHARS));
            (!user.disabled).then(|| Event::Disabled(Switched { reason: reason.clone() }))
        }
        Command::Enable { reason } => {
            reason.iter().for_each(|reason| line(&mut wrong, "/reason", reason, 0..=REASON_CHARS));
            user.disabled.then(|| Event::Enabled(Switched { reason: reason.clone() }))
        }
        Command::Invite { .. } | Command::ChangePassword if user.kind == Kind::ServiceAccount => {
            return Err(Refusal::ServiceAccount);
        }
        Command::Invite { expires_at } => Some(Event::Invited(Invited { expires_at: expires_at.clone() })),
        Command::ChangePassword => Some(Event::PasswordChanged(PasswordChanged {})),
        Command::Create(_) => None,
    };
    if wrong.is_empty() { Ok(event) } else { Err(Refusal::Invalid(wrong)) }
}

/// Whether this may be a user's name: one spelling of each, and nothing that means something in a URL.
pub fn is_username(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= USERNAME_CHARS
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || b"._@+-".contains(&byte))
}

fn address(wrong: &mut Vec<Violation>, email: Option<&str>) {
    let Some(email) = email else { return };
    let parts = email.split_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty());
    let fits = parts.is_some_and(|(_, host)| !host.contains('@')) && email.chars().count() <= EMAIL_CHARS;
    if !fits || email.chars().any(|char| char.is_control() || char.is_whitespace()) {
        wrong.push(Violation::of("/email", format!("is name@host, at most {EMAIL_CHARS} characters")));
    }
}

/// Refuses text that is not one line of so many characters: it ends up in subjects, logs and terminals.
pub fn line(wrong: &mut Vec<Violation>, pointer: &str, text: &str, chars: RangeInclusive<usize>) {
    let control = text.chars().any(char::is_control);
    if control || !chars.contains(&text.chars().count()) || (*chars.start() > 0 && text.trim().is_empty()) {
        let message = format!("is one line of {} to {} characters", chars.start(), chars.end());
        wrong.push(Violation::of(pointer, message));
    }
}
