//! Whether one may, and why: what a panel asks before it shows a button.

use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::allowed::Allowed;
use super::answer::Answer;
use super::problem::Problem;
use super::sign_in::Tag;
use crate::domain::permission::{self, Anyone};

/// The operation on decisions.
pub struct Decisions;

/// Whether you may, and why.
#[derive(Debug, Object)]
#[oai(rename = "Decision", skip_serializing_if_is_none)]
pub struct View {
    /// What was asked about.
    action: String,
    /// You may.
    allowed: bool,
    /// Your roles that allow it.
    roles: Vec<String>,
    /// The permission that you lack.
    missing: Option<String>,
    /// In words.
    why: String,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::SignIn")]
impl Decisions {
    /// Whether you may do something, and why
    #[oai(path = "/me/can", method = "get", operation_id = "canI")]
    async fn can(
        &self,
        caller: Allowed<Anyone>,
        /// A permission, such as `incidents.write`.
        action: Query<String>,
    ) -> Answer<Json<View>> {
        let Some(action) = permission::named(&action.0) else {
            let detail = format!("action is one of: {}", permission::ALL.join(", "));
            return Err(Problem::bad_request("unknown_permission", detail));
        };
        let held = caller.account.user.roles.iter().filter(|role| caller.app.accounts.allows(role).contains(action));
        let roles: Vec<String> = held.map(|role| role.as_str().to_owned()).collect();
        let allowed = caller.account.permissions.contains(action);
        let why = match (allowed, roles.is_empty()) {
            (true, _) => format!("{} allows it", roles.join(" and ")),
            (false, true) => "none of your roles allows it".to_owned(),
            (false, false) => "your role allows it, but the API token does not have it".to_owned(),
        };
        let missing = (!allowed).then(|| action.to_owned());
        Ok(Json(View { action: action.to_owned(), allowed, roles, missing, why }))
    }
}
