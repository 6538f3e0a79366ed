//! Setting a password: with the old one, or with an invitation. Nobody sets one for somebody else.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::json;
use tokio_postgres::types::Json as PgJson;
use uuid::Uuid;

use super::{hashed, passwords, sessions};
use crate::domain::permission::Anyone;
use crate::domain::user::{self, Command, User, Violation};
use crate::http::App;
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply};
use crate::http::command::{Decision, carry_out};
use crate::http::problem::Problem;
use crate::http::sign_in::Tag;
use crate::http::text::Text;
use crate::http::users::{invalid, refused};
use crate::log::{Cause, Outcome, State};
use crate::users;

/// Shortest password, in characters: too long for the lists of common ones, which have 8 and fewer.
const FEWEST_CHARS: usize = 12;
/// Why sign-ins end with it.
const WHY: &str = "the password changed";
/// An invitation that loses a race is looked for again, so many times.
const ATTEMPTS: usize = 4;

/// The operations on one's own password.
pub struct OwnPassword;

/// Another password.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub struct PasswordChange {
    /// The present one.
    old: Text,
    /// At least 12 characters, at most 1,024 bytes.
    new: Text,
}

/// What was done.
#[derive(Debug, Object)]
pub struct PasswordChanged {
    /// Whose password.
    user: Uuid,
    /// Your other sign-ins that ended with it.
    ended_sessions: u32,
}

/// A first password, or one for somebody who forgot it.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct Acceptance {
    /// As it was shown to whoever made the user.
    invitation: Text,
    /// At least 12 characters, at most 1,024 bytes.
    password: Text,
}

#[derive(ApiResponse)]
enum Accepted {
    /// The password is set; sign in with it.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::SignIn")]
impl OwnPassword {
    /// Change your password
    ///
    /// Your other sign-ins end with it. Wrong attempts count like failed sign-ins.
    #[oai(path = "/me/password", method = "post", operation_id = "changePassword")]
    async fn change(&self, caller: Allowed<Anyone>, body: Json<PasswordChange>) -> Answer<Done<PasswordChanged>> {
        let (app, user) = (caller.app.clone(), caller.account.user.clone());
        let PasswordChange { old, new } = body.0;
        acceptable("/new", &new.0)?;
        app.passwords.attempt(&user.username)?;
        let find = include_str!("../../../sql/queries/credential_find.sql");
        let stored = app.database.query_opt(find, &[&user.id]).await?.map(|row| row.get("password_hash"));
        if old.0.len() > passwords::MOST_BYTES || !app.passwords.check(old.0.clone(), stored).await? {
            super::failed(&app, user.username.clone()).await?;
            let wrong = Violation::of("/old", "is not your password");
            return Err(invalid(&[wrong]));
        }
        if old == new {
            return Err(invalid(&[Violation::of("/new", "is the old one")]));
        }
        let hash = app.passwords.hash(new.0).await?;
        let (who, but) = (caller.0.clone(), caller.session);
        let decide = move || {
            let (app, id, hash) = (who.app.clone(), who.account.user.id, hash.clone());
            async move {
                let user = users::show(&app.database, &id.to_string()).await?.1;
                let user = user.ok_or_else(|| Problem::not_found("there is no such user"))?;
                let (mut writes, mut states) = sessions::endings(&app, id, Some(but), WHY).await?;
                let ended_sessions = u32::try_from(writes.len()).unwrap_or(u32::MAX);
                let events = user::decide(Some(&user), &Command::ChangePassword, false).map_err(|no| refused(&no))?;
                let Some((write, state, after)) = users::write(Some(&user), id, &events) else {
                    return Err(Problem::not_found("there is no such user"));
                };
                writes.push(write);
                states.extend([state, credential(id, &hash)]);
                let reply = Reply::new(StatusCode::OK, after.version, &PasswordChanged { user: id, ended_sessions });
                Ok(Decision::Append { writes, states, reply })
            }
        };
        let cause = caller.cause();
        let carried = carry_out(caller.0.without_key(), decide).await?;
        sessions::end_others(&app, cause, user.id, Some(but), WHY).await?;
        Ok(Done::new(carried.reply, carried.seq, carried.replayed))
    }

    /// Set a password by an invitation
    ///
    /// An invitation is good once, for seven days.
    #[oai(path = "/auth/accept", method = "post", operation_id = "acceptInvitation")]
    async fn accept(
        &self,
        app: Data<&Arc<App>>,
        request: &poem::Request,
        body: Json<Acceptance>,
    ) -> Answer<poem_openapi::payload::Response<Accepted>> {
        app.limits.stranger(request)?;
        let Acceptance { invitation, password } = body.0;
        acceptable("/password", &password.0)?;
        let invitation = hashed(&invitation.0);
        let mut hash = None;
        for _ in 0..ATTEMPTS {
            let find = include_str!("../../../sql/queries/invitation_find.sql");
            let found = app.database.query_opt(find, &[&invitation]).await?;
            let user = found.map(|row| row.get::<_, PgJson<User>>("state").0).filter(|user| !user.disabled);
            let user = user.ok_or_else(|| Problem::unauthorized("this invitation is unknown, used or too old"))?;
            if hash.is_none() {
                hash = Some(app.passwords.hash(password.0.clone()).await?); // not before the invitation is known
            }
            if accept(&app, &user, hash.as_deref().unwrap_or_default()).await? {
                return Ok(poem_openapi::payload::Response::new(Accepted::Done));
            }
        }
        Err(Problem::unavailable("busy", "this user changes too fast; nothing was recorded", 1))
    }
}

/// Whether it was done; if not, the user has changed meanwhile.
async fn accept(app: &App, user: &User, hash: &str) -> Result<bool, Problem> {
    let (mut writes, mut states) = sessions::endings(app, user.id, None, WHY).await?;
    let events = user::decide(Some(user), &Command::ChangePassword, false).map_err(|no| refused(&no))?;
    let Some((write, state, _)) = users::write(Some(user), user.id, &events) else { return Ok(false) };
    writes.push(write);
    let used_up = State { kind: "invitation", json: json!({ "user_id": user.id, "hash": null }).to_string() };
    states.extend([state, credential(user.id, hash), used_up]);
    let actor = format!("user:{}", user.id);
    let cause = Cause { actor, actor_name: user.username.clone(), ..Cause::system("invitation") };
    let command = crate::log::Command { cause: cause.clone(), writes, states, idempotency: None };
    let done = matches!(app.appender.append(command).await?, Outcome::Appended(_));
    if done {
        sessions::end_others(app, cause, user.id, None, WHY).await?;
    }
    Ok(done)
}

fn credential(user: Uuid, hash: &str) -> State {
    State { kind: "credential", json: json!({ "user_id": user, "password_hash": hash }).to_string() }
}

fn acceptable(pointer: &str, password: &str) -> Result<(), Problem> {
    if password.chars().count() >= FEWEST_CHARS && password.len() <= passwords::MOST_BYTES {
        return Ok(());
    }
    let most = passwords::MOST_BYTES;
    Err(invalid(&[Violation::of(pointer, format!("has at least {FEWEST_CHARS} characters and at most {most} bytes"))]))
}
