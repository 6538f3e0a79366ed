//! Users: who there is and what they may do. Nobody gives rights that they lack, and nobody changes a user who
//! has rights that they lack: an invitation to such a user would be a way to those rights.

mod view;

use poem::http::StatusCode;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{OpenApi, Tags};
use serde_json::json;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Json as PgJson;
use uuid::Uuid;

use super::allowed::Allowed;
use super::answer::{Answer, Done, Reply, Shown};
use super::caller::Caller;
use super::command::{Carried, Decision, carry_out};
use super::denied::needs_all;
use super::problem::Problem;
use super::sign_in::{end_others, endings, hashed, secret};
use super::{App, page};
use crate::domain::permission::{UsersRead, UsersWrite};
use crate::domain::role::Role;
use crate::domain::user::{self, Command, Event, Invited, Kind, Refusal, User, Violation};
use crate::log::{State, Write, hex, stamp};
use crate::users;
use view::{KindView, NewUser, Reason, UserChanges, UserPage, UserView};

/// Users of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 50;
const MOST_LIMIT: i64 = 200;
/// Characters of any one filter.
const FILTER_CHARS: usize = 100;
/// Why sign-ins end with a user's right to sign in.
const DISABLED: &str = "the user was disabled";
/// What every invitation begins with, for programs that look for leaked secrets.
const INVITATION: &str = "sbi_";
/// How long an invitation is good.
const INVITED_FOR: time::Duration = time::Duration::days(7);

#[derive(Tags)]
pub(super) enum Tag {
    /// Who there is, and what they may do.
    Users,
}

/// The operations on users.
pub struct Users;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Users")]
impl Users {
    /// Create a user
    ///
    /// A person gets an invitation, by which the password is set: `POST /api/v1/auth/accept`. A service account
    /// gets API tokens instead. Nobody grants a role with permissions that they lack.
    #[oai(path = "/users", method = "post", operation_id = "createUser")]
    async fn create(&self, caller: Allowed<UsersWrite>, body: Json<NewUser>) -> Answer<Done<UserView, 201>> {
        let (who, new, id, secret) = (caller.0.clone(), body.0.user(), Uuid::now_v7(), secret()?);
        let invitation = format!("{INVITATION}{secret}");
        let hash = hex(&hashed(&invitation));
        let is_person = new.kind == Kind::Person;
        let decide = move || create(who.clone(), id, new.clone(), hash.clone());
        let Carried { mut reply, seq, replayed } = carry_out(caller.0, decide).await?;
        if is_person && !replayed {
            reply = reply.with("invitation", &invitation);
        }
        Ok(Done::new(reply, seq, replayed))
    }

    /// List users
    ///
    /// By user name. The answer is true as of `Signalbox-Seq`.
    #[oai(path = "/users", method = "get", operation_id = "listUsers")]
    #[allow(clippy::too_many_arguments)] // each is a query parameter of the contract
    async fn list(
        &self,
        caller: Allowed<UsersRead>,
        /// Part of the user name, the name or the address.
        q: Query<Option<String>>,
        /// A role they hold.
        role: Query<Option<String>>,
        /// Persons, or service accounts.
        kind: Query<Option<KindView>>,
        /// Only those who may not sign in, or only those who may.
        disabled: Query<Option<bool>>,
        /// Rows of a page, 1 to 200; default 50.
        limit: Query<Option<i64>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<Shown<UserPage>> {
        let limit = page::limit(limit.0, DEFAULT_LIMIT, MOST_LIMIT)?;
        page::short([&q.0, &role.0, &cursor.0].into_iter().flatten(), FILTER_CHARS)?;
        let kind = kind.0.map(|kind| Kind::from(kind).as_str());
        let sql = include_str!("../../../sql/queries/users_list.sql");
        let more = limit + 1; // one row further, to know whether there is another page
        let rows = caller.app.database.query(sql, &[&q.0, &role.0, &kind, &disabled.0, &cursor.0, &more]).await?;
        let view = |row: &Row| {
            let PgJson(user) = row.get::<_, Option<PgJson<User>>>("state")?;
            Some(UserView::of(&caller.app, &user).signed_in(row.get("signed_in_at")))
        };
        let mut items: Vec<UserView> = rows.iter().filter_map(view).collect();
        let next = if items.len() as i64 > limit {
            items.pop();
            items.last().map(|last| last.username.clone())
        } else {
            None
        };
        Ok(Shown::bytes_of(&UserPage { items, next }, page::head(&rows)?, caller.known.as_deref()))
    }

    /// Show a user
    #[oai(path = "/users/:user", method = "get", operation_id = "getUser")]
    async fn show(
        &self,
        caller: Allowed<UsersRead>,
        /// Its id or its user name.
        user: Path<String>,
        /// Wait until this process has seen the position.
        min_seq: Query<Option<i64>>,
    ) -> Answer<Shown<UserView>> {
        caller.app.seen(min_seq.0).await?;
        let (head, found) = users::shown(&caller.app.database, &user.0).await?;
        let (user, signed_in_at) = found.ok_or_else(missing)?;
        // `If-None-Match` is not for it: what the roles allow changes without the user's version.
        let view = UserView::of(&caller.app, &user).signed_in(signed_in_at);
        Ok(Shown::version(&view, user.version, head, None))
    }

    /// Change a user's name or address
    #[oai(path = "/users/:user", method = "patch", operation_id = "updateUser")]
    async fn update(
        &self,
        caller: Allowed<UsersWrite>,
        user: Path<String>,
        body: Json<UserChanges>,
    ) -> Answer<Done<UserView>> {
        change(caller, user.0, body.0.command()).await
    }

    /// Disable a user
    ///
    /// Their streams end within a second, on every process; their sign-ins and API tokens are worth nothing.
    /// 409 for the last active administrator.
    #[oai(path = "/users/:user/disable", method = "post", operation_id = "disableUser")]
    async fn disable(
        &self,
        caller: Allowed<UsersWrite>,
        user: Path<String>,
        body: Json<Reason>,
    ) -> Answer<Done<UserView>> {
        change(caller, user.0, Command::Disable { reason: body.0.reason.map(String::from) }).await
    }

    /// Let a disabled user in again
    ///
    /// API tokens are good again, sign-ins stay over.
    #[oai(path = "/users/:user/enable", method = "post", operation_id = "enableUser")]
    async fn enable(
        &self,
        caller: Allowed<UsersWrite>,
        user: Path<String>,
        body: Json<Reason>,
    ) -> Answer<Done<UserView>> {
        change(caller, user.0, Command::Enable { reason: body.0.reason.map(String::from) }).await
    }

    /// Grant a role
    ///
    /// Open streams show what it allows from then on. Nobody grants a role with permissions that they lack.
    #[oai(path = "/users/:user/roles/:role", method = "put", operation_id = "grantRole")]
    async fn grant(
        &self,
        caller: Allowed<UsersWrite>,
        user: Path<String>,
        role: Path<String>,
    ) -> Answer<Done<UserView>> {
        change(caller, user.0, Command::Grant(Role::named(&role.0))).await
    }

    /// Revoke a role
    ///
    /// 409 for the role `admin` of the last active administrator.
    #[oai(path = "/users/:user/roles/:role", method = "delete", operation_id = "revokeRole")]
    async fn revoke(
        &self,
        caller: Allowed<UsersWrite>,
        user: Path<String>,
        role: Path<String>,
    ) -> Answer<Done<UserView>> {
        change(caller, user.0, Command::Revoke(Role::named(&role.0))).await
    }

    /// Invite a user anew
    ///
    /// For somebody who forgot the password, too. An earlier invitation is worth nothing from then on.
    #[oai(path = "/users/:user/invitation", method = "post", operation_id = "inviteUser")]
    async fn invite(&self, caller: Allowed<UsersWrite>, user: Path<String>) -> Answer<Done<UserView>> {
        let invitation = format!("{INVITATION}{}", secret()?);
        let expires_at = stamp::text(OffsetDateTime::now_utc() + INVITED_FOR);
        let (who, hash) = (caller.0.clone(), hex(&hashed(&invitation)));
        let decide = move || {
            let (who, name, hash, expires_at) = (who.clone(), user.0.clone(), hash.clone(), expires_at.clone());
            async move {
                let decision = decide(who, name, Command::Invite { expires_at: expires_at.clone() }).await?;
                Ok(with_invitation(decision, &hash, &expires_at))
            }
        };
        let Carried { mut reply, seq, replayed } = carry_out(caller.0, decide).await?;
        if !replayed {
            reply = reply.with("invitation", &invitation);
        }
        Ok(Done::new(reply, seq, replayed))
    }
}

async fn create(caller: Caller, id: Uuid, new: user::NewUser, hash: String) -> Result<Decision, Problem> {
    let is_person = new.kind == Kind::Person;
    let mut events = user::decide(None, &Command::Create(new.clone()), false).map_err(|no| refused(&no))?;
    for role in &new.roles {
        may_grant(&caller, role).await?;
    }
    if users::show(&caller.app.database, &new.username).await?.1.is_some() {
        return Err(Problem::conflict("username_taken", "there is a user of this name"));
    }
    let expires_at = stamp::text(OffsetDateTime::now_utc() + INVITED_FOR);
    if is_person {
        events.push(Event::Invited(Invited { expires_at: expires_at.clone() }));
    }
    let Some((write, state, user)) = users::write(None, id, &events) else { return Err(missing()) };
    let mut reply = Reply::new(StatusCode::CREATED, user.version, &UserView::of(&caller.app, &user));
    reply.location = Some(format!("/api/v1/users/{id}"));
    let decision = Decision::Append { writes: vec![write], states: vec![state], reply };
    Ok(if is_person { with_invitation(decision, &hash, &expires_at) } else { decision })
}

fn with_invitation(decision: Decision, hash: &str, expires_at: &str) -> Decision {
    let Decision::Append { writes, mut states, reply } = decision else { return decision };
    let user: Option<Uuid> = writes.first().and_then(|write| write.stream.split_once('/')?.1.parse().ok());
    let invitation = json!({ "user_id": user, "hash": hash, "expires_at": expires_at });
    states.push(State { kind: "invitation", json: invitation.to_string() });
    Decision::Append { writes, states, reply }
}

async fn change(caller: Allowed<UsersWrite>, name: String, command: Command) -> Answer<Done<UserView>> {
    let (who, app, cause) = (caller.0.clone(), caller.app.clone(), caller.cause());
    let disables = matches!(command, Command::Disable { .. }).then(|| name.clone());
    let decide = move || decide(who.clone(), name.clone(), command.clone());
    let carried = carry_out(caller.0, decide).await?;
    if let Some(name) = disables {
        end_others(&app, cause, named(&app, &name).await?.id, None, DISABLED).await?;
    }
    Ok(Done::new(carried.reply, carried.seq, carried.replayed))
}

async fn decide(caller: Caller, name: String, command: Command) -> Result<Decision, Problem> {
    let user = named(&caller.app, &name).await?;
    may_change(&caller, &user)?;
    if let Command::Grant(role) = &command {
        may_grant(&caller, role).await?;
    }
    if let Some(expected) = caller.expected.filter(|expected| *expected != user.version) {
        let detail = format!("you saw version {expected}; it is {} now", user.version);
        let mismatch = Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail);
        return Err(mismatch.current_version(user.version));
    }
    let last = user.administers() && !users::another_administers(&caller.app.database, user.id).await?;
    let events = user::decide(Some(&user), &command, last).map_err(|no| refused(&no))?;
    let shown = |user: &User| Reply::new(StatusCode::OK, user.version, &UserView::of(&caller.app, user));
    let Some((write, state, after)) = users::write(Some(&user), user.id, &events) else {
        return Ok(Decision::Unchanged(shown(&user)));
    };
    let (mut writes, mut states): (Vec<Write>, Vec<State>) = (vec![write], vec![state]);
    if after.disabled && !user.disabled {
        let (ended, over) = endings(&caller.app, user.id, None, DISABLED).await?;
        writes.extend(ended);
        states.extend(over);
    }
    Ok(Decision::Append { writes, states, reply: shown(&after) })
}

/// A user by id or user name.
///
/// # Errors
/// 404; 503.
pub(super) async fn named(app: &App, name: &str) -> Result<User, Problem> {
    users::show(&app.database, name).await?.1.ok_or_else(missing)
}

fn missing() -> Problem {
    Problem::not_found("there is no such user")
}

/// Refuses a caller who lacks something that the user has.
///
/// # Errors
/// 403.
pub(super) fn may_change(caller: &Caller, user: &User) -> Result<(), Problem> {
    let has = user.roles.iter().flat_map(|role| caller.app.accounts.allows(role));
    needs_all(caller, has, || "this user may do what you may not; nobody changes such a user".to_owned())
}

/// Refuses a caller who lacks something that the role allows, and a role that is none.
async fn may_grant(caller: &Caller, role: &Role) -> Result<(), Problem> {
    let allows = match role.built_in() {
        Some(permissions) => permissions.iter().copied().collect(),
        None => match users::role(&caller.app.database, role.as_str()).await?.1 {
            Some((role, _)) => role.allows(),
            None => return Err(invalid(&[Violation::of("/roles", "names a role that does not exist")])),
        },
    };
    needs_all(caller, allows, || "nobody grants what they may not do themselves".to_owned())
}

/// The problem of a command that was refused.
pub(super) fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Invalid(violations) => invalid(violations),
        Refusal::LastAdministrator => Problem::conflict("last_administrator", refusal.to_string()),
        Refusal::ServiceAccount => Problem::conflict("service_account", refusal.to_string()),
    }
}

/// The problem of input that breaks limits.
pub(super) fn invalid(violations: &[Violation]) -> Problem {
    Problem::unacceptable("invalid", "the input is not acceptable: errors says why")
        .errors(violations.iter().map(|violation| (violation.pointer.clone(), violation.message.clone())))
}
