//! Notifications: channels, rules and what became of deliveries.

mod channels;
mod deliveries;
mod rules;
mod view;

use poem::http::StatusCode;
use poem_openapi::Tags;
use uuid::Uuid;

use super::App;
use super::caller::Caller;
use super::problem::Problem;
use crate::domain::notification::{Channel, Rule, Violation};
use crate::log::Head;
use crate::notifications::store;
pub use channels::Channels;
pub use deliveries::Deliveries;
pub use rules::Rules;

#[derive(Tags)]
enum Tag {
    /// What happens is told elsewhere: by webhooks and by mail.
    Notifications,
}

/// A channel with the secrets that are good now, and the position it is true as of.
async fn channel(app: &App, id: Uuid) -> Result<(Head, Channel, Vec<Vec<u8>>), Problem> {
    let (head, found) = store::channel(&app.database, id).await?;
    let (channel, secrets) = found.ok_or_else(|| Problem::not_found("there is no such channel"))?;
    Ok((head, channel, secrets))
}

/// A rule, and the position it is true as of.
async fn rule(app: &App, id: Uuid) -> Result<(Head, Rule), Problem> {
    let (head, found) = store::rule(&app.database, id).await?;
    Ok((head, found.ok_or_else(|| Problem::not_found("there is no such rule"))?))
}

/// `If-Match`: the caller decided on what it saw, so it must still be so.
fn current(caller: &Caller, version: i64) -> Result<(), Problem> {
    if caller.expected.is_none_or(|expected| expected == version) {
        return Ok(());
    }
    let detail = format!("it has changed: it is at version {version} now");
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail).current_version(version))
}

fn refuse(violations: Vec<Violation>) -> Result<(), Problem> {
    if violations.is_empty() {
        return Ok(());
    }
    let errors = violations.into_iter().map(|violation| (violation.pointer, violation.message));
    Err(Problem::unacceptable("invalid", "the input is not acceptable: errors says why").errors(errors))
}

fn conflict(code: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, detail)
}
