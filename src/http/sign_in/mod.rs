//! Signing in and out. Every sign-in, refusal and sign-out is an event.

mod own_password;
mod passwords;
mod sessions;

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem::Request;
use poem::http::header::SET_COOKIE;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_postgres::types::Json as PgJson;
use uuid::Uuid;

pub use own_password::OwnPassword;
pub use passwords::{Passwords, hash};
pub use sessions::Sessions;
pub(super) use sessions::{end_others, endings};

use super::App;
use super::allowed::Allowed;
use super::answer::Answer;
use super::caller::{ACCESS_COOKIE, cookie, same_origin};
use super::problem::Problem;
use super::text::Text;
use crate::domain::permission::Anyone;
use crate::domain::user::{Created, Event, Role, Session, SessionRevoked, SignInFailed, User, evolve};
use crate::log::{Appender, Cause, Command, Outcome, State, Write, hex, sha256, stamp};
use crate::postgres::Database;
use crate::users::happened;

/// The cookie that refreshes; sent nowhere but to the sign-in operations.
const REFRESH_COOKIE: &str = "signalbox_refresh";
const REFRESH_PATH: &str = "/api/v1/auth";
/// Bytes of a refresh token's secret.
const SECRET_BYTES: usize = 32;
/// Characters of a user name that is looked at or recorded.
const NAME_CHARS: usize = 64;

#[derive(Tags)]
pub(super) enum Tag {
    /// Who you are.
    SignIn,
}

/// The operations of signing in.
pub struct SignIn;

/// Who signs in.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct Credentials {
    /// Letter case does not matter.
    username: Text,
    /// At most 1,024 bytes.
    password: Text,
}

/// A refresh token; absent where a cookie carries it.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct Refresh {
    /// From the last answer; used once.
    refresh_token: Option<Text>,
}

/// What a sign-in gives.
#[derive(Debug, Object)]
pub struct Granted {
    /// Send it as `Authorization: Bearer …`. Browsers have it as a cookie too.
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds until it expires.
    expires_in: u32,
    /// Exchanges for the next pair, once. Showing it twice ends the session.
    refresh_token: String,
    /// Names the sign-in.
    session_id: Uuid,
}

/// Who you are and what you may do.
#[derive(Debug, Object)]
#[oai(rename = "Me")]
pub struct Me {
    /// Your id.
    id: Uuid,
    /// What you sign in with.
    username: String,
    /// What others see.
    name: String,
    /// Your roles.
    roles: Vec<String>,
    /// What they allow together.
    permissions: Vec<String>,
    /// Your sign-in.
    session_id: Uuid,
    /// When your access token expires.
    expires_at: OffsetDateTime,
}

#[derive(ApiResponse)]
enum SignedIn {
    /// Signed in.
    #[oai(status = 200)]
    Granted(Json<Granted>),
}

#[derive(ApiResponse)]
enum SignedOut {
    /// Signed out; the tokens are worth nothing any more.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::SignIn")]
impl SignIn {
    /// Sign in
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        app: Data<&Arc<App>>,
        body: Json<Credentials>,
    ) -> Answer<poem_openapi::payload::Response<SignedIn>> {
        let Credentials { username, password } = body.0;
        let (username, password) = (username.0.to_lowercase(), password.0);
        if password.len() > passwords::MOST_BYTES || username.chars().count() > NAME_CHARS {
            return Err(wrong());
        }
        app.passwords.attempt(&username)?;
        let find = include_str!("../../../sql/queries/sign_in_find.sql");
        let found = app.database.query_opt(find, &[&username]).await?;
        let stored = found.as_ref().map(|row| row.get("password_hash"));
        let right = app.passwords.check(password, stored).await?;
        let user = found.map(|row| row.get::<_, PgJson<User>>("state").0).filter(|user| right && !user.disabled);
        let Some(user) = user else {
            failed(&app, username).await?;
            return Err(wrong());
        };
        let (session, secret) = (Uuid::now_v7(), secret()?);
        record(&app, &user, session, "user.signed_in", session_event(&user), Some(&secret)).await?;
        app.accounts.keep(user.clone());
        grant(&app, user.id, session, &secret)
    }

    /// Exchange a refresh token for the next pair
    #[oai(path = "/auth/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        body: Json<Refresh>,
    ) -> Answer<poem_openapi::payload::Response<SignedIn>> {
        let invalid = || Problem::unauthorized("this refresh token is not valid; sign in again");
        let shown = match body.0.refresh_token {
            Some(token) => token.0,
            None => {
                same_origin(request)?;
                cookie(request.headers(), REFRESH_COOKIE).ok_or_else(invalid)?
            }
        };
        let (session, old) = shown.split_once('.').ok_or_else(invalid)?;
        let session: Uuid = session.parse().map_err(|_not_ours| invalid())?;
        app.passwords.refresh(session)?; // before the database is asked
        app.limits.stranger(request)?;
        let next = secret()?;
        let exchange = include_str!("../../../sql/queries/session_refresh.sql");
        let row = app.database.query_opt(exchange, &[&session, &hashed(old), &hashed(&next)]).await?;
        let row = row.ok_or_else(invalid)?;
        let user = app.account(row.get("user_id")).await?.user.clone();
        if !row.get::<_, bool>("newest") {
            if !row.get::<_, bool>("used") {
                return Err(invalid()); // made up: ends nobody's session
            }
            // Two hold the same token: one of them stole it. Neither goes on.
            let data = SessionRevoked { user: user.id, reason: "a refresh token was shown twice".to_owned() };
            record(&app, &user, session, "user.session.revoked", json!(data), None).await?;
            app.accounts.end(session);
            return Err(invalid());
        }
        grant(&app, user.id, session, &next)
    }

    /// Sign out
    #[oai(path = "/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, caller: Allowed<Anyone>) -> Answer<poem_openapi::payload::Response<SignedOut>> {
        let user = &caller.account.user;
        if caller.app.accounts.token(caller.session).is_some() {
            return Err(Problem::conflict("no_session", "an API token is not signed in; revoke it instead"));
        }
        record(&caller.app, user, caller.session, "user.signed_out", session_event(user), None).await?;
        caller.app.accounts.end(caller.session);
        let response = poem_openapi::payload::Response::new(SignedOut::Done)
            .header(SET_COOKIE, set_cookie(&caller.app, ACCESS_COOKIE, "", "/", 0))
            .header(SET_COOKIE, set_cookie(&caller.app, REFRESH_COOKIE, "", REFRESH_PATH, 0));
        Ok(response)
    }

    /// Who you are and what you may do
    #[oai(path = "/me", method = "get", operation_id = "me")]
    async fn me(&self, caller: Allowed<Anyone>) -> Answer<Json<Me>> {
        let user = &caller.account.user;
        Ok(Json(Me {
            id: user.id,
            username: user.username.clone(),
            name: user.name.clone(),
            roles: user.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            permissions: caller.account.permissions.iter().map(|&permission| permission.to_owned()).collect(),
            session_id: caller.session,
            expires_at: OffsetDateTime::from_unix_timestamp(caller.expires_at).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }))
    }
}

fn grant(app: &App, user: Uuid, session: Uuid, secret: &str) -> Answer<poem_openapi::payload::Response<SignedIn>> {
    let (access_token, _) = app.tokens.issue(user, session).map_err(|error| {
        tracing::error!(%error, "cannot sign a token");
        Problem::unavailable("no_token", "cannot sign a token now", 1)
    })?;
    let refresh_token = format!("{}.{secret}", session.simple());
    let life_s = app.tokens.life_s;
    let session_s = i64::from(app.config.session_h) * 3_600;
    let access_cookie = set_cookie(app, ACCESS_COOKIE, &access_token, "/", i64::from(life_s));
    let refresh_cookie = set_cookie(app, REFRESH_COOKIE, &refresh_token, REFRESH_PATH, session_s);
    let granted = Granted {
        access_token,
        token_type: "Bearer".to_owned(),
        expires_in: life_s,
        refresh_token,
        session_id: session,
    };
    Ok(poem_openapi::payload::Response::new(SignedIn::Granted(Json(granted)))
        .header(SET_COOKIE, access_cookie)
        .header(SET_COOKIE, refresh_cookie)
        .header("cache-control", "no-store"))
}

fn set_cookie(app: &App, name: &str, value: &str, path: &str, life_s: i64) -> String {
    let secure = if app.config.secure_cookies { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}")
}

/// An event of a session and, in the same transaction, the session: begun with a secret, ended without.
async fn record(
    app: &App,
    user: &User,
    session: Uuid,
    kind: &'static str,
    data: Value,
    secret: Option<&str>,
) -> Result<(), Problem> {
    let expires_at = OffsetDateTime::now_utc() + time::Duration::hours(i64::from(app.config.session_h));
    let state = json!({
        "id": session,
        "user_id": user.id,
        "refresh_hash": hex(&hashed(secret.unwrap_or_default())),
        "expires_at": stamp::text(expires_at),
        "ended": secret.is_none(),
    });
    let cause =
        Cause { actor: format!("user:{}", user.id), actor_name: user.username.clone(), ..Cause::system("sign-in") };
    let states = vec![State { kind: "session", json: state.to_string() }];
    append(app, cause, format!("session/{session}"), kind, data, states).await
}

async fn failed(app: &App, username: String) -> Result<(), Problem> {
    let data = json!(SignInFailed { username });
    append(app, Cause::system("sign-in"), "system/sign-in".to_owned(), "user.sign_in.failed", data, Vec::new()).await
}

async fn append(
    app: &App,
    cause: Cause,
    stream: String,
    kind: &'static str,
    data: Value,
    states: Vec<State>,
) -> Result<(), Problem> {
    let writes = vec![Write { stream, expected: None, events: vec![happened(kind, data)] }];
    app.appender.append(Command { cause, writes, states, idempotency: None }).await?;
    Ok(())
}

/// Makes the user `admin` where there is no user yet. Gives the password if it had to make one up.
///
/// # Errors
/// The database did not answer.
pub async fn first_admin(
    database: &Database,
    appender: &Appender,
    password: Option<&str>,
) -> anyhow::Result<Option<String>> {
    if !database.query(include_str!("../../../sql/queries/users_all.sql"), &[]).await?.is_empty() {
        return Ok(None);
    }
    let made_up = match password {
        Some(_) => None,
        None => Some(secret().map_err(|_problem| anyhow::anyhow!("no random bytes"))?[..20].to_owned()),
    };
    let password = password.or(made_up.as_deref()).unwrap_or_default();
    // The same id everywhere: of several processes on an empty database, one makes the admin.
    let id = Uuid::from_u128(1);
    let (username, name) = ("admin".to_owned(), "Admin".to_owned());
    let created = Event::Created(Created { username, name, roles: [Role::Admin].into(), ..Created::default() });
    let user = evolve(None, id, &created).ok_or_else(|| anyhow::anyhow!("a created user exists"))?;
    let credential = json!({ "user_id": id, "password_hash": hash(password)? });
    let command = Command {
        cause: Cause::system("first-start"),
        writes: vec![Write {
            stream: format!("user/{id}"),
            expected: Some(0),
            events: vec![happened(created.kind(), created.data())],
        }],
        states: vec![
            State { kind: "user", json: serde_json::to_string(&user)? },
            State { kind: "credential", json: credential.to_string() },
        ],
        idempotency: None,
    };
    match appender.append(command).await? {
        Outcome::Appended(_) => Ok(made_up),
        Outcome::Conflict { .. } | Outcome::Duplicate(_) => Ok(None),
    }
}

fn session_event(user: &User) -> Value {
    json!(Session { user: user.id, username: user.username.clone() })
}

/// One answer for an unknown user, a wrong password and a disabled user.
fn wrong() -> Problem {
    Problem::unauthorized("user name or password is wrong")
}

/// Random text that nobody guesses.
pub(super) fn secret() -> Result<String, Problem> {
    let mut bytes = [0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_unspecified| Problem::unavailable("no_entropy", "the system gives no random bytes", 1))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of it.
pub(super) fn hashed(secret: &str) -> Vec<u8> {
    sha256(secret.as_bytes()).to_vec()
}
