//! Access tokens: short-lived JWTs, signed with a key that all processes share.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// Who makes the tokens and who takes them.
const ISSUER: &str = "signalbox";
/// Clocks of two processes may differ by this much, in seconds.
const LEEWAY_S: u64 = 2;
/// Longer ones are not even looked at. Ours have some 400 bytes.
const MOST_BYTES: usize = 4_096;

/// What a token says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub struct Claims {
    /// The user.
    pub sub: Uuid,
    /// The sign-in that the token belongs to.
    pub sid: Uuid,
    /// Unix seconds.
    pub exp: i64,
    /// Unix seconds.
    pub iat: i64,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    iss: String,
    aud: String,
    nbf: i64,
    #[serde(flatten)]
    claims: Claims,
}

/// Makes and checks tokens.
pub struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    /// Life of a token, in seconds.
    pub life_s: u32,
}

/// The token is not one of ours, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// Past its time.
    #[error("the access token has expired")]
    Expired,
    /// Anything else; which check failed is nobody's business.
    #[error("the access token is not valid")]
    Forged,
}

impl Tokens {
    /// With the shared key and a life in seconds.
    pub fn new(key: &[u8], life_s: u32) -> Tokens {
        // One algorithm, whatever a token's header says; every claim required and checked.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_audience(&[ISSUER]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let signing = EncodingKey::from_secret(key);
        Tokens { signing, checking: DecodingKey::from_secret(key), validation, life_s }
    }

    /// A token for a user's session, and when it expires in Unix seconds.
    ///
    /// # Errors
    /// The crypto library failed.
    pub fn issue(&self, user: Uuid, session: Uuid) -> Result<(String, i64), jsonwebtoken::errors::Error> {
        let iat = OffsetDateTime::now_utc().unix_timestamp();
        let exp = iat + i64::from(self.life_s);
        let claims = Claims { sub: user, sid: session, exp, iat };
        let signed = Signed { iss: ISSUER.to_owned(), aud: ISSUER.to_owned(), nbf: iat, claims };
        Ok((encode(&Header::new(Algorithm::HS256), &signed, &self.signing)?, exp))
    }

    /// What a token says, if it is ours and not yet expired.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn check(&self, token: &str) -> Result<Claims, Invalid> {
        if token.len() > MOST_BYTES {
            return Err(Invalid::Forged);
        }
        match decode::<Signed>(token, &self.checking, &self.validation) {
            Ok(token) => Ok(token.claims.claims),
            Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature) => {
                Err(Invalid::Expired)
            }
            Err(_forged) => Err(Invalid::Forged),
        }
    }
}
