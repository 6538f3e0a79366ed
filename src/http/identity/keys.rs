//! The issuer's keys: fetched by one request at a time, kept for a while, and asked for again when a token names
//! one that is not known, but never more often than the settings say, whatever tokens name.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use tokio::sync::Mutex;

use super::fetch::{Source, fetch};
use crate::egress::Trust;
use crate::http::problem::Problem;

/// Keys of one issuer; more are not looked at.
const MOST_KEYS: usize = 50;
/// Bytes of an RSA modulus: 2,048 to 8,192 bits. Checking a signature with a longer one is only work.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// While the issuer cannot be reached, the keys that it gave last are good for so long.
const STALE_FOR: Duration = Duration::from_secs(3_600);

/// A key, and the one algorithm that it is for.
pub struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys of an issuer.
pub struct Keys {
    source: Source,
    cache_for: Duration,
    refetch_after: Duration,
    known: RwLock<Option<Known>>,
    /// Held while they are fetched: when they were asked for last.
    asked: Mutex<Option<Instant>>,
}

struct Known {
    keys: HashMap<String, Arc<Key>>,
    at: Instant,
}

impl Keys {
    /// At this address. Nothing is fetched yet.
    ///
    /// # Errors
    /// An address that is none, or not by HTTPS.
    pub fn new(url: &str, trust: &Trust, cache_for: Duration, refetch_after: Duration) -> anyhow::Result<Keys> {
        let (known, asked) = (RwLock::default(), Mutex::default());
        Ok(Keys { source: Source::of(url, trust)?, cache_for, refetch_after, known, asked })
    }

    /// The key of this name; `None`: the issuer has none. `before_asking` may refuse to ask the issuer.
    ///
    /// # Errors
    /// What `before_asking` says; 503 when the issuer's keys cannot be had.
    pub async fn find(
        &self,
        kid: &str,
        before_asking: impl FnOnce() -> Result<(), Problem>,
    ) -> Result<Option<Arc<Key>>, Problem> {
        if let Some(key) = self.look(kid, self.cache_for) {
            return Ok(Some(key));
        }
        before_asking()?;
        let mut asked = self.asked.lock().await;
        if let Some(key) = self.look(kid, self.cache_for) {
            return Ok(Some(key)); // fetched while this one waited
        }
        if asked.is_none_or(|at| at.elapsed() >= self.refetch_after) {
            *asked = Some(Instant::now());
            match fetch(&self.source).await {
                Ok(document) => {
                    let known = Known { keys: keys(&document), at: Instant::now() };
                    tracing::info!(keys = known.keys.len(), "the issuer's keys");
                    *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                }
                Err(error) => tracing::warn!(%error, "the issuer's keys cannot be had; the last ones go on"),
            }
        }
        match self.look(kid, STALE_FOR) {
            None if !self.has_any() => {
                Err(Problem::unavailable("issuer_unavailable", "the keys of the token's issuer cannot be had", 5))
            }
            found => Ok(found),
        }
    }

    fn look(&self, kid: &str, within: Duration) -> Option<Arc<Key>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.at.elapsed() < within)?.keys.get(kid).cloned()
    }

    fn has_any(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_some_and(|known| known.at.elapsed() < STALE_FOR)
    }
}

/// The keys of a JWK set (RFC 7517) that can be used here; others are passed over.
fn keys(document: &Value) -> HashMap<String, Arc<Key>> {
    let all = document["keys"].as_array().into_iter().flatten().take(MOST_KEYS);
    all.filter_map(|jwk| Some((jwk["kid"].as_str()?.to_owned(), Arc::new(key(jwk)?)))).collect()
}

fn key(jwk: &Value) -> Option<Key> {
    let text = |name: &str| jwk[name].as_str();
    if text("use").is_some_and(|usage| usage != "sig") {
        return None;
    }
    let is_for = |name: &str| text("alg").is_none_or(|algorithm| algorithm == name);
    match text("kty")? {
        "RSA" if is_for("RS256") => {
            let (modulus, exponent) = (text("n")?, text("e")?);
            let length = BASE64_URL_SAFE_NO_PAD.decode(modulus).ok()?.len();
            let decoding = DecodingKey::from_rsa_components(modulus, exponent).ok()?;
            MODULUS_BYTES.contains(&length).then_some(Key { algorithm: Algorithm::RS256, decoding })
        }
        "OKP" if is_for("EdDSA") && text("crv") == Some("Ed25519") => {
            let decoding = DecodingKey::from_ed_components(text("x")?).ok()?;
            Some(Key { algorithm: Algorithm::EdDSA, decoding })
        }
        _ => None,
    }
}
