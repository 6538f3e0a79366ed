//! Sign-ins that go on: who has which, and ending them. Access tokens and streams end with their sign-in.

use poem::http::StatusCode;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use serde_json::json;
use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::domain::permission::{Anyone, UsersRead, UsersWrite};
use crate::domain::user::{SessionRevoked, User};
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Done, Reply, Shown};
use crate::http::caller::Caller;
use crate::http::command::{Decision, carry_out};
use crate::http::page::head;
use crate::http::problem::Problem;
use crate::http::users::{Tag, may_change, named};
use crate::http::{App, HEAD_ONLY};
use crate::log::{Cause, Command, State, Write, stamp};
use crate::postgres::QueryError;
use crate::users::happened;

/// Sign-ins that a list shows.
const SHOWN: i64 = 200;
/// Sign-ins that end in the transaction that disables their user or changes the password; more end right behind it.
const ENDED_AT_ONCE: i64 = 500;

/// The operations on sign-ins.
pub struct Sessions;

/// A sign-in that goes on.
#[derive(Debug, Clone, Object)]
#[oai(rename = "Session", skip_serializing_if_is_none)]
pub struct View {
    /// Names it.
    id: Uuid,
    /// Since when.
    created_at: OffsetDateTime,
    /// Last time that it got new tokens.
    refreshed_at: OffsetDateTime,
    /// Until when it can.
    expires_at: OffsetDateTime,
    /// It is the one that asks.
    current: bool,
}

/// Sign-ins that go on.
#[derive(Debug, Object)]
#[oai(rename = "Sessions")]
pub struct Views {
    /// The newest first; at most 200.
    items: Vec<View>,
}

/// A sign-in that was ended.
#[derive(Debug, Object)]
#[oai(rename = "EndedSession")]
pub struct Ended {
    /// Which one.
    id: Uuid,
    /// Whose.
    user: Uuid,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Users")]
impl Sessions {
    /// List your sign-ins
    #[oai(path = "/me/sessions", method = "get", operation_id = "listMySessions")]
    async fn mine(&self, caller: Allowed<Anyone>) -> Answer<Shown<Views>> {
        list(&caller, caller.account.user.id).await
    }

    /// End one of your sign-ins
    ///
    /// Its tokens are worth nothing and its streams end within a second, on every process.
    #[oai(path = "/me/sessions/:session", method = "delete", operation_id = "endMySession")]
    async fn end_mine(&self, caller: Allowed<Anyone>, session: Path<Uuid>) -> Answer<Done<Ended>> {
        let owner = caller.account.user.clone();
        end(caller.0, owner, session.0, "ended by its user").await
    }

    /// List a user's sign-ins
    #[oai(path = "/users/:user/sessions", method = "get", operation_id = "listUserSessions")]
    async fn of(&self, caller: Allowed<UsersRead>, user: Path<String>) -> Answer<Shown<Views>> {
        let owner = named(&caller.app, &user.0).await?;
        list(&caller, owner.id).await
    }

    /// End a user's sign-in
    #[oai(path = "/users/:user/sessions/:session", method = "delete", operation_id = "endUserSession")]
    async fn end(&self, caller: Allowed<UsersWrite>, user: Path<String>, session: Path<Uuid>) -> Answer<Done<Ended>> {
        let owner = named(&caller.app, &user.0).await?;
        may_change(&caller, &owner)?;
        end(caller.0, owner, session.0, "ended by an administrator").await
    }
}

async fn list(caller: &Caller, owner: Uuid) -> Answer<Shown<Views>> {
    let rows = of(&caller.app, owner, None, SHOWN).await?;
    let view = |row: &Row| -> Result<Option<View>, QueryError> {
        let Some(id) = row.try_get(HEAD_ONLY)? else { return Ok(None) };
        let (created_at, refreshed_at) = (row.try_get("created_at")?, row.try_get("refreshed_at")?);
        let (expires_at, current) = (row.try_get("expires_at")?, id == caller.session);
        Ok(Some(View { id, created_at, refreshed_at, expires_at, current }))
    };
    let items = rows.iter().filter_map(|row| view(row).transpose()).collect::<Result<_, _>>()?;
    Ok(Shown::bytes_of(&Views { items }, head(&rows)?, caller.known.as_deref()))
}

async fn of(app: &App, owner: Uuid, but: Option<Uuid>, most: i64) -> Result<Vec<Row>, QueryError> {
    app.database.query(include_str!("../../../sql/queries/sessions_of.sql"), &[&owner, &but, &most]).await
}

async fn end(caller: Caller, owner: User, session: Uuid, why: &'static str) -> Answer<Done<Ended>> {
    let (who, user) = (caller.clone(), owner.id);
    let decide = move || {
        let who = who.clone();
        async move {
            let find = include_str!("../../../sql/queries/session_find.sql");
            let found = who.app.database.query_opt(find, &[&session, &user]).await?;
            found.ok_or_else(|| Problem::not_found("there is no such sign-in; perhaps it is over"))?;
            let (write, state) = ending(user, session, why);
            let reply = Reply::new(StatusCode::OK, 1, &Ended { id: session, user });
            Ok(Decision::Append { writes: vec![write], states: vec![state], reply })
        }
    };
    let app = caller.app.clone();
    let carried = carry_out(caller, decide).await?;
    app.accounts.end(session); // here at once, elsewhere by the event
    Ok(Done::new(carried.reply, carried.seq, carried.replayed))
}

fn ending(user: Uuid, session: Uuid, why: &str) -> (Write, State) {
    let data = SessionRevoked { user, reason: why.to_owned() };
    let events = vec![happened("user.session.revoked", json!(data))];
    let expires_at = stamp::text(OffsetDateTime::now_utc());
    let state = json!({ "id": session, "user_id": user, "refresh_hash": "", "expires_at": expires_at, "ended": true });
    let write = Write { stream: format!("session/{session}"), expected: None, events };
    (write, State { kind: "session", json: state.to_string() })
}

/// What ends a user's sign-ins, but for one of them.
///
/// # Errors
/// The database did not answer.
pub async fn endings(
    app: &App,
    user: Uuid,
    but: Option<Uuid>,
    why: &str,
) -> Result<(Vec<Write>, Vec<State>), QueryError> {
    let rows = of(app, user, but, ENDED_AT_ONCE).await?;
    let ids = rows.iter().filter_map(|row| row.try_get::<_, Option<Uuid>>(HEAD_ONLY).transpose());
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    Ok(ids.into_iter().map(|session| ending(user, session, why)).unzip())
}

/// Ends what was too much for one transaction. Nearly always there is nothing left.
///
/// # Errors
/// The database did not take it; those that are left go on.
pub async fn end_others(app: &App, cause: Cause, user: Uuid, but: Option<Uuid>, why: &str) -> Result<(), Problem> {
    loop {
        let (writes, states) = endings(app, user, but, why).await?;
        if writes.is_empty() {
            return Ok(());
        }
        app.appender.append(Command { cause: cause.clone(), writes, states, idempotency: None }).await?;
    }
}
