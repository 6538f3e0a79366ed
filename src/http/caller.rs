//! Who asks, and how. Handlers get it through `allowed.rs`.

use std::sync::Arc;

use poem::Request;
use poem::http::{HeaderMap, Method, StatusCode, header};
use uuid::Uuid;

use super::problem::Problem;
use super::{App, Asked, identity, tokens};
use crate::hub::Viewer;
use crate::log::{Cause, Idempotency};
use crate::projections::Account;

/// Name of the cookie that carries an access token for browsers of the same origin.
pub const ACCESS_COOKIE: &str = "signalbox_access";
/// Most characters of an idempotency key or a session's name.
const NAME_CHARS: usize = 255;

/// A signed-in user's request.
#[derive(Clone)]
pub struct Caller {
    /// What the handler works with.
    pub app: Arc<App>,
    /// Who, with the rights of now.
    pub account: Arc<Account>,
    /// Their sign-in, or their API token.
    pub session: Uuid,
    /// When their token expires, in Unix seconds.
    pub expires_at: i64,
    /// Method and path of the request.
    pub operation: String,
    /// `Idempotency-Key`, with the hash of the whole request.
    key: Option<(String, Vec<u8>)>,
    /// `If-Match`: the version that the caller has seen.
    pub expected: Option<i64>,
    /// `If-None-Match`.
    pub known: Option<String>,
    /// `Signalbox-Correlation` names the story that its events belong to.
    pub names_story: bool,
    cause: Cause,
}

impl Caller {
    /// The same without an idempotency key: a hash of the body would be kept, and there is a password in it.
    pub fn without_key(self) -> Caller {
        Caller { key: None, ..self }
    }

    /// Why events of this request happen.
    pub fn cause(&self) -> Cause {
        self.cause.clone()
    }

    /// The same request as a part of a story that is under way, unless it names one itself.
    pub fn within(mut self, story: Option<Uuid>) -> Caller {
        if let Some(correlation_id) = story.filter(|_| !self.names_story) {
            self.cause.correlation_id = correlation_id;
        }
        self
    }

    /// Whose rights a stream has.
    pub fn viewer(&self) -> Viewer {
        Viewer { user: self.account.user.id, session: self.session, expires_at: self.expires_at }
    }

    /// The key under which `reply` is to be kept, if the client sent one.
    pub fn idempotency(&self, reply: String) -> Option<Idempotency> {
        let (key, body_hash) = self.key.clone()?;
        Some(Idempotency { principal: self.cause.actor.clone(), key, body_hash, reply })
    }

    /// Who sent this request.
    ///
    /// # Errors
    /// 401 without a valid token; 403 for a cookie from elsewhere; 429; 503.
    pub(super) async fn of(request: &Request) -> Result<Caller, Problem> {
        let app: &Arc<App> = request.data().ok_or_else(|| Problem::unauthorized("not signed in"))?;
        let (who, by_cookie) = match token(request, app) {
            Ok((token, by_cookie)) => (who(app, request, &token).await?, by_cookie),
            Err(nobody) => {
                app.limits.admit(request, None)?;
                return Err(nobody);
            }
        };
        app.account(who.user).await?; // perhaps of another process, a moment ago
        let account = app.accounts.rights(who.user, who.session);
        let account = account.ok_or_else(|| Problem::unauthorized("this session was ended"))?;
        if by_cookie {
            same_origin(request)?;
        }
        let asked: Asked = request.data().cloned().unwrap_or_default();
        let headers = request.headers();
        let cause = Cause {
            actor: format!("user:{}", account.user.id),
            actor_name: account.user.username.clone(),
            session_id: text(headers, "signalbox-session")?,
            correlation_id: asked.correlation_id.unwrap_or_else(Uuid::now_v7),
            causation_id: None,
            trace_id: asked.trace_id,
        };
        Ok(Caller {
            app: app.clone(),
            account,
            session: who.session,
            expires_at: who.expires_at,
            operation: format!("{} {}", request.method(), request.uri().path()),
            key: text(headers, "idempotency-key")?.map(|key| (key, asked.hash)),
            names_story: asked.correlation_id.is_some(),
            expected: expected(headers)?,
            known: headers.get(header::IF_NONE_MATCH).and_then(|etag| etag.to_str().ok()).map(str::to_owned),
            cause,
        })
    }
}

/// Whom a token stands for.
struct Who {
    user: Uuid,
    session: Uuid,
    expires_at: i64,
}

/// Whom the token stands for that was shown. Each request is counted once: behind the signature, which costs
/// microseconds, and before all that may ask the database.
async fn who(app: &Arc<App>, request: &Request, shown: &str) -> Result<Who, Problem> {
    if tokens::is_api_token(shown) {
        let token = tokens::check(app, request, shown).await?;
        return Ok(Who { user: token.user, session: token.id, expires_at: token.expires_at });
    }
    if let Some(identities) = app.identities.as_ref().filter(|_| identity::is_foreign(shown)) {
        let (user, session, expires_at) = identities.check(app, request, shown).await?;
        return Ok(Who { user, session, expires_at });
    }
    let claims = app.tokens.check(shown).map_err(|invalid| Problem::unauthorized(&invalid.to_string()));
    app.limits.admit(request, claims.as_ref().ok().map(|claims| claims.sub))?;
    let claims = claims?;
    Ok(Who { user: claims.sub, session: claims.sid, expires_at: claims.exp })
}

/// The token, and whether a cookie brought it.
fn token(request: &Request, app: &App) -> Result<(String, bool), Problem> {
    if let Some(header) = request.headers().get(header::AUTHORIZATION) {
        let bearer = header.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        return bearer
            .map(|token| (token, false))
            .ok_or_else(|| Problem::unauthorized("Authorization is not a bearer token"));
    }
    if let Some(token) = cookie(request.headers(), ACCESS_COOKIE) {
        return Ok((token, true));
    }
    if app.config.query_token && request.uri().path().ends_with("/events/stream") {
        let query = request.uri().query().unwrap_or_default();
        if let Some(token) = query.split('&').find_map(|pair| pair.strip_prefix("access_token=")) {
            return Ok((token.to_owned(), false));
        }
    }
    Err(Problem::unauthorized("not signed in"))
}

/// The value of a cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

/// A cookie travels with requests that other sites cause; those may not change anything.
pub(super) fn same_origin(request: &Request) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let value = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let same = match (value("sec-fetch-site"), value("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == value("host"),
        (None, None) => false,
    };
    if same {
        return Ok(());
    }
    let detail = "a cookie is good for requests of the same origin only; send a bearer token";
    Err(Problem::new(StatusCode::FORBIDDEN, "cross_origin", detail))
}

/// A header that names something, in visible ASCII.
fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let value = value.to_str().unwrap_or_default();
    if value.is_empty() || value.len() > NAME_CHARS || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = format!("the header {name} is 1 to {NAME_CHARS} visible ASCII characters");
        return Err(Problem::bad_request("invalid_header", detail));
    }
    Ok(Some(value.to_owned()))
}

/// `If-Match: "3"`; `*` matches any version.
fn expected(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(None);
    }
    let version =
        value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|version| version.parse().ok());
    version.map(Some).ok_or_else(|| {
        Problem::bad_request("invalid_header", "If-Match is the ETag that an answer carried, such as \"3\", or *")
    })
}
