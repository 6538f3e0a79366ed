//! Who asks, and how. Handlers get it through `allowed.rs`.

use std::sync::Arc;

use poem::Request;
use poem::http::{HeaderMap, Method, StatusCode, header};
use uuid::Uuid;

use super::problem::Problem;
use super::{App, Asked};
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
    /// Their sign-in.
    pub session: Uuid,
    /// When their token expires, in Unix seconds.
    pub expires_at: i64,
    /// `Idempotency-Key`, with the hash of the whole request.
    key: Option<(String, Vec<u8>)>,
    /// `If-Match`: the version that the caller has seen.
    pub expected: Option<i64>,
    /// `If-None-Match`.
    pub known: Option<String>,
    cause: Cause,
}

impl Caller {
    /// Why events of this request happen.
    pub fn cause(&self) -> Cause {
        self.cause.clone()
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
        let shown = token(request, app).and_then(|(token, by_cookie)| {
            let claims = app.tokens.check(&token).map_err(|invalid| Problem::unauthorized(&invalid.to_string()))?;
            Ok((claims, by_cookie))
        });
        // Counted behind the signature, which costs microseconds, and before all that may ask the database.
        app.limits.admit(request, shown.as_ref().ok().map(|(claims, _)| claims.sub))?;
        let (claims, by_cookie) = shown?;
        let account = app.account(claims.sub).await?;
        if app.accounts.session_ended(claims.sid) {
            return Err(Problem::unauthorized("this session was ended"));
        }
        if by_cookie {
            same_origin(request)?;
        }
        let asked: Asked = request.data().cloned().unwrap_or_default();
        let headers = request.headers();
        let cause = Cause {
            actor: format!("user:{}", account.user.id),
            actor_name: account.user.username.clone(),
            session_id: text(headers, "signalbox-session")?,
            correlation_id: asked.correlation_id,
            causation_id: None,
            trace_id: asked.trace_id,
        };
        Ok(Caller {
            app: app.clone(),
            account,
            session: claims.sid,
            expires_at: claims.exp,
            key: text(headers, "idempotency-key")?.map(|key| (key, asked.hash)),
            expected: expected(headers)?,
            known: headers.get(header::IF_NONE_MATCH).and_then(|etag| etag.to_str().ok()).map(str::to_owned),
            cause,
        })
    }
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
