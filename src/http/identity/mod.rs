//! Users from elsewhere: tokens of one issuer that the settings name, checked with keys that it publishes.
//!
//! Nothing in a token says how it is to be checked: its `kid` only picks among the keys that were fetched from
//! the address in the settings, and each key has one algorithm. `jku`, `x5u` and the like are not looked at.
//! A user is made at first sight, or linked by an address that the issuer has verified; both are events. Who
//! was made at first sight has the roles that the issuer says; who was linked keeps what they were granted here.

mod fetch;
mod keys;
mod strict;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation, decode};
use poem::Request;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::Json as PgJson;
use uuid::Uuid;

use super::App;
use super::problem::Problem;
use crate::config::ServeConfig;
use crate::domain::role::Role;
use crate::domain::user::{self, Created, Event, Identity, Kind, RolesChanged, USERNAME_CHARS, User, is_username};
use crate::egress::Trust;
use crate::log::{AppendError, Cause, Command, Outcome, hex, sha256};
use crate::users;
pub use keys::{Key, Keys};
use strict::Claims;

/// Longest token that is looked at, in bytes: those of large issuers have some 2,000.
const MOST_BYTES: usize = 8_192;
/// The issuer's clock may differ from ours by this much, in seconds.
const SKEW_S: u64 = 30;
/// Longest subject, in bytes (OpenID Connect Core, section 2).
const SUBJECT_BYTES: usize = 255;
/// A user who changes while a token is looked at is looked at anew, so many times.
const ATTEMPTS: usize = 4;

/// The issuer, as the settings name it.
pub struct Identities {
    issuer: String,
    audience: String,
    keys: Keys,
    roles_claim: String,
    roles: HashMap<String, Role>,
}

/// What of a token's header is looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood (RFC 7515, section 4.1.11): we understand none of it.
    crit: Option<serde_json::Value>,
}

impl Header {
    fn of(token: &str) -> Option<Header> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn algorithm(&self) -> Option<Algorithm> {
        match self.alg.as_str() {
            "RS256" => Some(Algorithm::RS256),
            "EdDSA" => Some(Algorithm::EdDSA),
            _ => None,
        }
    }
}

/// Whether a token claims to be another issuer's. Whatever else it claims is checked by our own key.
pub(super) fn is_foreign(token: &str) -> bool {
    token.len() <= MOST_BYTES && Header::of(token).is_some_and(|header| header.algorithm().is_some())
}

impl Identities {
    /// As the settings say; `None` when they name no issuer.
    ///
    /// # Errors
    /// A setting that means nothing.
    pub fn new(config: &ServeConfig, trust: &Trust) -> anyhow::Result<Option<Identities>> {
        let Some(url) = &config.jwks_url else { return Ok(None) };
        let (issuer, audience) = config
            .jwks_issuer
            .clone()
            .zip(config.jwks_audience.clone())
            .context("SIGNALBOX_JWKS_URL needs SIGNALBOX_JWKS_ISSUER and SIGNALBOX_JWKS_AUDIENCE")?;
        let mut roles = HashMap::new();
        for pair in config.jwks_roles.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (word, role) =
                pair.split_once('=').with_context(|| format!("SIGNALBOX_JWKS_ROLES: {pair} is no word=role"))?;
            roles.insert(word.to_owned(), Role::named(role));
        }
        let [cache, refetch] = [config.jwks_cache_s, config.jwks_refetch_s].map(|s| Duration::from_secs(s.into()));
        let keys = Keys::new(url, trust, cache, refetch)?;
        Ok(Some(Identities { issuer, audience, keys, roles_claim: config.jwks_roles_claim.clone(), roles }))
    }

    /// Whose token it is: the user, what stands for the sign-in, and when the token expires in Unix seconds.
    ///
    /// # Errors
    /// 401 when it is not good; 429; 503.
    pub(super) async fn check(&self, app: &App, request: &Request, token: &str) -> Result<(Uuid, Uuid, i64), Problem> {
        let claims = match self.claims(app, request, token).await {
            Ok(claims) => claims,
            Err(problem) => {
                app.limits.admit(request, None)?;
                return Err(problem);
            }
        };
        let known = app.accounts.identity(&self.issuer, &claims.subject);
        app.limits.admit(request, known)?;
        let user = self.user(app, &claims, known).await?;
        let hash = sha256(token.as_bytes());
        let session = Uuid::from_slice(&hash[..16]).unwrap_or_default();
        Ok((user, session, claims.expires_at))
    }

    async fn claims(&self, app: &App, request: &Request, token: &str) -> Result<Claims, Problem> {
        let forged = || Problem::unauthorized("the access token is not valid");
        let header = Header::of(token).filter(|header| header.crit.is_none()).ok_or_else(forged)?;
        let algorithm = header.algorithm().ok_or_else(forged)?;
        let kid = header.kid.ok_or_else(forged)?;
        let key = self.keys.find(&kid, || app.limits.stranger(request)).await?;
        let key = key.filter(|key| key.algorithm == algorithm).ok_or_else(forged)?;
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = SKEW_S;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = match decode::<strict::Object>(token, &key.decoding, &validation) {
            Ok(token) => Claims::of(token.claims.0, &self.roles_claim),
            Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature) => {
                return Err(Problem::unauthorized("the access token has expired"));
            }
            Err(_forged) => None,
        };
        let latest = OffsetDateTime::now_utc().unix_timestamp() + SKEW_S as i64;
        let sound = |claims: &Claims| {
            claims.issued_at <= latest
                && (1..=SUBJECT_BYTES).contains(&claims.subject.len())
                && !claims.subject.contains('\n')
        };
        claims.filter(sound).ok_or_else(forged)
    }

    /// The user, made or changed if need be.
    async fn user(&self, app: &App, claims: &Claims, mut known: Option<Uuid>) -> Result<Uuid, Problem> {
        let roles: BTreeSet<Role> = claims.roles.iter().filter_map(|word| self.roles.get(word)).cloned().collect();
        let roles: BTreeSet<Role> = roles.into_iter().filter(|role| app.accounts.knows(role)).collect();
        for _ in 0..ATTEMPTS {
            let user = match known {
                Some(id) => Some((app.account(id).await?.user.clone(), true)),
                None => self.look_up(app, claims).await?,
            };
            let (id, before, events) = match user {
                Some((user, true)) => {
                    let events = self.differences(&user, claims, &roles);
                    (user.id, Some(user), events)
                }
                Some((user, false)) => (user.id, Some(user), vec![Event::Linked(self.identity(claims, false))]),
                None => {
                    let (id, created) = self.create(app, claims, roles.clone()).await?;
                    (id, None, vec![Event::Created(created)])
                }
            };
            let Some((write, state, user)) = users::write(before.as_ref(), id, &events) else {
                before.into_iter().for_each(|user| app.accounts.keep(user));
                return Ok(id);
            };
            let (cause, writes) = (Cause::system("identity"), vec![write]);
            match app.appender.append(Command { cause, writes, states: vec![state], idempotency: None }).await {
                Ok(Outcome::Appended(_)) => {
                    app.accounts.keep(user);
                    return Ok(id);
                }
                // Their roles would leave nobody to administer: they stay as they are.
                Err(AppendError::Refused { constraint: Some(rule), .. }) if rule == "users_administrator" => {
                    return Ok(id);
                }
                // Another request made the user first, or took the name.
                Ok(Outcome::Conflict { .. } | Outcome::Duplicate(_)) | Err(AppendError::Refused { .. }) => known = None,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::unavailable("busy", "this user changes too fast; come back", 1))
    }

    /// A user, and whether they are linked already.
    async fn look_up(&self, app: &App, claims: &Claims) -> Result<Option<(User, bool)>, Problem> {
        let find = include_str!("../../../sql/queries/user_by_identity.sql");
        let name = format!("{}\n{}", self.issuer, claims.subject);
        let found = app.database.query_opt(find, &[&name, &claims.verified_email]).await?;
        Ok(found.map(|row| (row.get::<_, PgJson<User>>("state").0, row.get("linked"))))
    }

    /// What a newer token says of a user whose roles the issuer decides.
    fn differences(&self, user: &User, claims: &Claims, roles: &BTreeSet<Role>) -> Vec<Event> {
        let decides = user.identity.as_ref().is_some_and(|known| known.decides_roles && known.as_of < claims.issued_at);
        if !decides || user.roles == *roles {
            return Vec::new();
        }
        let changed = RolesChanged { old: user.roles.clone(), new: roles.clone() };
        vec![Event::Linked(self.identity(claims, true)), Event::RolesChanged(changed)]
    }

    fn identity(&self, claims: &Claims, decides_roles: bool) -> Identity {
        let (issuer, subject) = (self.issuer.clone(), claims.subject.clone());
        Identity { issuer, subject, decides_roles, as_of: claims.issued_at }
    }

    /// The id comes from issuer and subject, so that of several requests at first sight one makes the user.
    async fn create(&self, app: &App, claims: &Claims, roles: BTreeSet<Role>) -> Result<(Uuid, Created), Problem> {
        let hash = sha256(format!("{}\n{}", self.issuer, claims.subject).as_bytes());
        let id = Uuid::from_slice(&hash[..16]).unwrap_or_default();
        let wanted = claims.username.as_deref().or(claims.verified_email.as_deref()).map(str::to_lowercase);
        let mut username = wanted.filter(|name| is_username(name) && name.len() < USERNAME_CHARS - 8);
        if let Some(name) = &username
            && users::show(&app.database, name).await?.1.is_some()
        {
            username = Some(format!("{name}-{}", hex(&hash[16..19])));
        }
        let username = username.unwrap_or_else(|| format!("external-{}", hex(&hash[16..22])));
        let name = claims.name.clone().filter(|name| {
            let mut wrong = Vec::new();
            user::line(&mut wrong, "", name, 1..=user::NAME_CHARS);
            wrong.is_empty()
        });
        let name = name.unwrap_or_else(|| username.clone());
        let identity = Some(self.identity(claims, true));
        let created =
            Created { username, name, roles, email: claims.verified_email.clone(), kind: Kind::Person, identity };
        Ok((id, created))
    }
}
