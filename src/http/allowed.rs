//! What an operation needs, beside its handler: the first argument of every handler, so that nothing else of a
//! request is looked at before it. Only what implements [`Needs`] can stand there: an operation that does not
//! say what it needs does not compile.

use std::marker::PhantomData;
use std::ops::Deref;

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::caller::{ACCESS_COOKIE, Caller};
use super::denied::needs;
use crate::domain::permission::Needs;

/// How the document's own security schemes are called; a third name is what is needed. The framework has no
/// place for a permission, so it travels there, and `docs.rs` makes it the operation's `x-permission`.
pub(super) const SCHEMES: [&str; 2] = ["bearer", "cookie"];
/// What is needed where no permission is.
pub(super) const SIGNED_IN: &str = "signed_in";

/// A caller who may do what the operation needs.
pub struct Allowed<P>(pub Caller, PhantomData<P>);

impl<P> Deref for Allowed<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<'a, P: Needs> ApiExtractor<'a> for Allowed<P> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, description, name, key_in, scheme, bearer_format| MetaSecurityScheme {
            ty,
            description: Some(description),
            name,
            key_in,
            scheme,
            bearer_format,
            flows: None,
            openid_connect_url: None,
        };
        let bearer =
            "The access token that signing in gave, an API token, or a token of the issuer that the settings name.";
        registry.create_security_scheme("bearer", scheme("http", bearer, None, None, Some("bearer"), Some("JWT")));
        let cookie = "The same token in an HttpOnly cookie, for pages of the same origin.";
        registry.create_security_scheme(
            "cookie",
            scheme("apiKey", cookie, Some(ACCESS_COOKIE), Some("cookie"), None, None),
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        [SCHEMES[0], SCHEMES[1], P::PERMISSION.unwrap_or(SIGNED_IN)].to_vec()
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        let caller = Caller::of(request).await?;
        if let Some(permission) = P::PERMISSION {
            needs(&caller, permission)?;
        }
        Ok(Allowed(caller, PhantomData))
    }
}
