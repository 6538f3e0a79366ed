//! API tokens: `sbx_<id>_<secret>`, for programs. A token has a part of its owner's rights, looked up at every
//! use: it never allows what its owner may not do. Only a hash of the secret is kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use poem::Request;
use poem::http::StatusCode;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::json;
use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use super::allowed::Allowed;
use super::answer::{Answer, Done, Reply, Shown};
use super::caller::Caller;
use super::command::{Carried, Decision, carry_out};
use super::denied::needs_all;
use super::page::head;
use super::problem::Problem;
use super::sign_in::{hashed, secret};
use super::text::Text;
use super::users::{Tag, invalid, may_change, named};
use super::{App, HEAD_ONLY};
use crate::domain::permission::{self, Anyone, UsersRead, UsersWrite};
use crate::domain::user::{TokenCreated, TokenRevoked, User, Violation, line};
use crate::log::{State, Write, hex, stamp};
use crate::postgres::QueryError;
use crate::projections::ApiToken;
use crate::users::happened;

/// What every API token begins with, for programs that look for leaked secrets.
const PREFIX: &str = "sbx_";
/// Longest name, in characters.
const NAME_CHARS: usize = 100;
/// Life of a token, in days: by default, and at most.
const DEFAULT_DAYS: u32 = 90;
const MOST_DAYS: u32 = 366;
/// Tokens that one user may have at once.
const MOST_TOKENS: usize = 100;

/// The operations on API tokens.
pub struct Tokens;

/// An API token, without its secret.
#[derive(Debug, Clone, Object)]
#[oai(rename = "ApiToken", skip_serializing_if_is_none)]
pub struct View {
    /// Names it.
    id: Uuid,
    /// For people.
    name: String,
    /// At most this; less, where its owner has less.
    permissions: Vec<String>,
    /// Since when.
    created_at: OffsetDateTime,
    /// Until when.
    expires_at: OffsetDateTime,
    /// To the minute; absent when it was not used yet.
    last_used_at: Option<OffsetDateTime>,
    /// Send it as `Authorization: Bearer …`. It is shown in the answer that creates it, and never again: not even
    /// to the same `Idempotency-Key`.
    token: Option<String>,
}

/// API tokens.
#[derive(Debug, Object)]
#[oai(rename = "ApiTokens")]
pub struct Views {
    /// The newest first; at most 100.
    items: Vec<View>,
}

/// A new API token.
#[derive(Debug, Clone, Object)]
#[oai(rename = "NewApiToken", deny_unknown_fields)]
pub struct New {
    /// What it is for; 1 to 100 characters.
    name: Text,
    /// What it may do, of what both its owner and you may do.
    permissions: Vec<Text>,
    /// Days until it expires, 1 to 366; default 90.
    expires_in_days: Option<u32>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Users")]
impl Tokens {
    /// List your API tokens
    #[oai(path = "/me/tokens", method = "get", operation_id = "listMyTokens")]
    async fn mine(&self, caller: Allowed<Anyone>) -> Answer<Shown<Views>> {
        list(&caller, caller.account.user.id).await
    }

    /// Create an API token for yourself
    ///
    /// One that is created by an API token expires no later than that one.
    #[oai(path = "/me/tokens", method = "post", operation_id = "createMyToken")]
    async fn create_mine(&self, caller: Allowed<Anyone>, body: Json<New>) -> Answer<Done<View, 201>> {
        let owner = caller.account.user.id.to_string();
        create(caller.0, owner, body.0).await
    }

    /// Revoke one of your API tokens
    ///
    /// Streams that it opened end within a second, on every process.
    #[oai(path = "/me/tokens/:token", method = "delete", operation_id = "revokeMyToken")]
    async fn revoke_mine(&self, caller: Allowed<Anyone>, token: Path<Uuid>) -> Answer<Done<View>> {
        let owner = caller.account.user.clone();
        revoke(caller.0, owner, token.0).await
    }

    /// List a user's API tokens
    #[oai(path = "/users/:user/tokens", method = "get", operation_id = "listUserTokens")]
    async fn of(&self, caller: Allowed<UsersRead>, user: Path<String>) -> Answer<Shown<Views>> {
        let owner = named(&caller.app, &user.0).await?;
        list(&caller, owner.id).await
    }

    /// Create an API token for a user, such as a service account
    #[oai(path = "/users/:user/tokens", method = "post", operation_id = "createUserToken")]
    async fn create(
        &self,
        caller: Allowed<UsersWrite>,
        user: Path<String>,
        body: Json<New>,
    ) -> Answer<Done<View, 201>> {
        create(caller.0, user.0, body.0).await
    }

    /// Revoke a user's API token
    #[oai(path = "/users/:user/tokens/:token", method = "delete", operation_id = "revokeUserToken")]
    async fn revoke(&self, caller: Allowed<UsersWrite>, user: Path<String>, token: Path<Uuid>) -> Answer<Done<View>> {
        let owner = named(&caller.app, &user.0).await?;
        may_change(&caller, &owner)?;
        revoke(caller.0, owner, token.0).await
    }
}

async fn list(caller: &Caller, owner: Uuid) -> Answer<Shown<Views>> {
    let rows = of(&caller.app, owner).await?;
    let items = rows.iter().filter_map(|row| view(row).transpose()).collect::<Result<_, QueryError>>()?;
    Ok(Shown::bytes_of(&Views { items }, head(&rows)?, caller.known.as_deref()))
}

async fn of(app: &App, owner: Uuid) -> Result<Vec<Row>, QueryError> {
    let most = i64::try_from(MOST_TOKENS).unwrap_or(i64::MAX);
    app.database.query(include_str!("../../sql/queries/tokens_of.sql"), &[&owner, &most]).await
}

/// `None`: the row says only where the log ends.
fn view(row: &Row) -> Result<Option<View>, QueryError> {
    let Some(id) = row.try_get(HEAD_ONLY)? else { return Ok(None) };
    Ok(Some(View {
        id,
        name: row.try_get("name")?,
        permissions: row.try_get("permissions")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        token: None,
    }))
}

/// The secret is in none of what is recorded or kept for a repetition: it is put into the first answer only.
async fn create(caller: Caller, owner: String, body: New) -> Answer<Done<View, 201>> {
    let (id, secret) = (Uuid::now_v7(), secret()?);
    let token = format!("{PREFIX}{}_{secret}", id.simple());
    let (who, hash) = (caller.clone(), hex(&hashed(&secret)));
    let decide = move || decide(who.clone(), owner.clone(), body.clone(), id, hash.clone());
    let Carried { mut reply, seq, replayed } = carry_out(caller, decide).await?;
    if !replayed {
        reply = reply.with("token", &token);
    }
    Ok(Done::new(reply, seq, replayed))
}

async fn decide(caller: Caller, owner: String, body: New, id: Uuid, hash: String) -> Result<Decision, Problem> {
    let owner = named(&caller.app, &owner).await?;
    if owner.id != caller.account.user.id {
        may_change(&caller, &owner)?;
    }
    let days = body.expires_in_days.unwrap_or(DEFAULT_DAYS);
    let (name, words) = (body.name.0, BTreeSet::from_iter(body.permissions.into_iter().map(String::from)));
    let permissions: BTreeSet<&'static str> = words.iter().filter_map(|word| permission::named(word)).collect();
    let mut wrong = Vec::new();
    line(&mut wrong, "/name", &name, 1..=NAME_CHARS);
    if permissions.len() != words.len() || words.is_empty() {
        wrong.push(Violation::of("/permissions", format!("are one or more of: {}", permission::ALL.join(", "))));
    }
    if !(1..=MOST_DAYS).contains(&days) {
        wrong.push(Violation::of("/expires_in_days", format!("is 1 to {MOST_DAYS}")));
    }
    if !wrong.is_empty() {
        return Err(invalid(&wrong));
    }
    needs_all(&caller, permissions.iter().copied(), || "nobody gives a token what they may not do".to_owned())?;
    if of(&caller.app, owner.id).await?.len() >= MOST_TOKENS {
        let detail = format!("a user has at most {MOST_TOKENS} API tokens; revoke one");
        return Err(Problem::conflict("too_many_tokens", detail));
    }
    let created_at = stamp::micros(OffsetDateTime::now_utc());
    let mut expires_at = created_at + time::Duration::days(days.into());
    if caller.app.accounts.token(caller.session).is_some() {
        let own = OffsetDateTime::from_unix_timestamp(caller.expires_at).unwrap_or(created_at);
        expires_at = expires_at.min(own);
    }
    let permissions: Vec<String> = words.into_iter().collect();
    let event = TokenCreated {
        user: owner.id,
        name: name.clone(),
        permissions: permissions.iter().cloned().collect(),
        expires_at: stamp::text(expires_at),
    };
    let state = json!({
        "id": id, "user_id": owner.id, "name": name, "hash": hash, "permissions": permissions,
        "created_at": stamp::text(created_at), "expires_at": stamp::text(expires_at), "revoked": false,
    });
    let view = View { id, name, permissions, created_at, expires_at, last_used_at: None, token: None };
    let events = vec![happened("token.created", json!(event))];
    Ok(Decision::Append {
        writes: vec![Write { stream: format!("token/{id}"), expected: Some(0), events }],
        states: vec![State { kind: "api_token", json: state.to_string() }],
        reply: Reply::new(StatusCode::CREATED, 1, &view),
    })
}

async fn revoke(caller: Caller, owner: User, token: Uuid) -> Answer<Done<View>> {
    let who = caller.clone();
    let decide = move || {
        let (who, owner) = (who.clone(), owner.clone());
        async move {
            let rows = of(&who.app, owner.id).await?;
            let views = rows.iter().filter_map(|row| view(row).transpose()).collect::<Result<Vec<_>, QueryError>>()?;
            let view = views.into_iter().find(|view| view.id == token);
            let view = view.ok_or_else(|| Problem::not_found("there is no such API token; perhaps it was revoked"))?;
            let events = vec![happened("token.revoked", json!(TokenRevoked { user: owner.id }))];
            let state = json!({ "id": token, "revoked": true });
            Ok(Decision::Append {
                writes: vec![Write { stream: format!("token/{token}"), expected: Some(1), events }],
                states: vec![State { kind: "api_token", json: state.to_string() }],
                reply: Reply::new(StatusCode::OK, 2, &view),
            })
        }
    };
    let app = caller.app.clone();
    let Carried { reply, seq, replayed } = carry_out(caller, decide).await?;
    app.accounts.end(token); // here at once, elsewhere by the event
    Ok(Done::new(reply, seq, replayed))
}

/// Whether this has the form of an API token.
pub(super) fn is_api_token(shown: &str) -> bool {
    shown.starts_with(PREFIX)
}

/// The API token that is shown. The request counts as its owner's; or, until it is known whose it is, as its
/// address's: guesses cost the database no more than other strangers may.
///
/// # Errors
/// 401 when it is none that is good; 429; 503.
pub(super) async fn check(app: &App, request: &Request, shown: &str) -> Result<Arc<ApiToken>, Problem> {
    let invalid = || Problem::unauthorized("the API token is not valid");
    let parts = shown.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
    let parts = parts.and_then(|(id, secret)| Some((id.parse::<Uuid>().ok()?, hashed(secret))));
    let Some((id, hash)) = parts else {
        app.limits.stranger(request)?;
        return Err(invalid());
    };
    let right = |token: &ApiToken| verify_slices_are_equal(&token.hash, &hash).is_ok();
    let known = app.accounts.token(id).filter(|token| right(token));
    let token = match known {
        Some(token) => {
            app.limits.admit(request, Some(token.user))?;
            token
        }
        None => {
            app.limits.stranger(request)?;
            find(app, id).await?.filter(|token| right(token)).ok_or_else(invalid)?
        }
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    if token.expires_at <= now || app.accounts.session_ended(id) {
        return Err(invalid());
    }
    token.use_at(now);
    Ok(token)
}

/// An API token that is good, from memory or else from the database.
///
/// # Errors
/// The database did not answer.
pub(super) async fn find(app: &App, id: Uuid) -> Result<Option<Arc<ApiToken>>, Problem> {
    if let Some(token) = app.accounts.token(id) {
        return Ok(Some(token));
    }
    let found = app.database.query_opt(include_str!("../../sql/queries/token_find.sql"), &[&id]).await?;
    Ok(found.map(|row| {
        let words: Vec<String> = row.get("permissions");
        let permissions = words.iter().filter_map(|word| permission::named(word)).collect();
        let token = ApiToken::new(id, row.get("user_id"), row.get("hash"), permissions, row.get("expires_at"));
        app.accounts.keep_token(token)
    }))
}

/// Writes down when API tokens were used last. To be called once a minute.
///
/// # Errors
/// The database did not answer.
pub async fn note_used_tokens(app: &App) -> Result<(), QueryError> {
    let used = app.accounts.used_tokens(OffsetDateTime::now_utc().unix_timestamp());
    if used.is_empty() {
        return Ok(());
    }
    let (ids, times): (Vec<Uuid>, Vec<i64>) = used.into_iter().unzip();
    app.database.query(include_str!("../../sql/queries/tokens_used.sql"), &[&ids, &times]).await?;
    Ok(())
}
