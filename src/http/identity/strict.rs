//! Claims, each said once: of two values of one name, no two programs pick the same.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Words of the roles claim that are looked at.
const MOST_ROLES: usize = 100;

/// A JSON object without repeated names.
pub struct Object(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Object;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Object, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = pairs.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(A::Error::custom("a claim is there twice"));
                    }
                }
                Ok(Object(object))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

/// What of a token is looked at.
pub struct Claims {
    /// Never given to anybody else.
    pub subject: String,
    /// In Unix seconds.
    pub issued_at: i64,
    /// In Unix seconds.
    pub expires_at: i64,
    /// What they would like to be called here.
    pub username: Option<String>,
    /// What others see.
    pub name: Option<String>,
    /// Only one that the issuer has verified.
    pub verified_email: Option<String>,
    /// Words of the roles claim.
    pub roles: Vec<String>,
}

impl Claims {
    /// `None`: one that is needed is missing, or is not what it should be.
    pub fn of(claims: Map<String, Value>, roles_claim: &str) -> Option<Claims> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let verified = claims.get("email_verified") == Some(&Value::Bool(true));
        let roles = match claims.get(roles_claim) {
            Some(Value::String(word)) => vec![word.clone()],
            Some(Value::Array(words)) => {
                words.iter().filter_map(Value::as_str).take(MOST_ROLES).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Some(Claims {
            subject: text("sub")?,
            issued_at: claims.get("iat")?.as_i64()?,
            expires_at: claims.get("exp")?.as_i64()?,
            username: text("preferred_username"),
            name: text("name"),
            verified_email: text("email")
                .filter(|email| verified && email.len() <= 254 && !email.chars().any(char::is_control)),
            roles,
        })
    }
}
