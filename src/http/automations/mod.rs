//! Runbooks and their executions over HTTP.

mod definition;
mod executions;
mod lines;
mod lists;
mod runbooks;
mod view;

use poem::http::StatusCode;
use poem_openapi::Tags;

use super::caller::Caller;
use super::problem::Problem;
use crate::domain::automation::{Violation, execution, runbook};
pub use executions::Executions;
pub use runbooks::Runbooks;

#[derive(Tags)]
enum Tag {
    /// What is done by itself, or at the press of a button.
    Automations,
}

/// `If-Match`: the caller decided on what it saw, so it must still be so.
fn current(caller: &Caller, version: i64) -> Result<(), Problem> {
    if caller.expected.is_none_or(|expected| expected == version) {
        return Ok(());
    }
    let detail = format!("it has changed: it is at version {version} now");
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail).current_version(version))
}

fn invalid(violations: &[Violation]) -> Problem {
    Problem::unacceptable("invalid", "the input is not acceptable: errors says why")
        .errors(violations.iter().map(|violation| (violation.pointer.clone(), violation.message.clone())))
}

fn conflict(code: &str, detail: impl ToString) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, detail.to_string())
}

fn runbook_refused(refusal: runbook::Refusal) -> Problem {
    match &refusal {
        runbook::Refusal::Missing => Problem::not_found(refusal.to_string()),
        runbook::Refusal::Exists => conflict("exists", refusal),
        runbook::Refusal::Archived => conflict("archived", refusal).allowed(["restore"]),
        runbook::Refusal::Invalid(violations) => invalid(violations),
    }
}

fn execution_refused(refusal: execution::Refusal) -> Problem {
    use execution::Refusal;
    match &refusal {
        Refusal::Missing => Problem::not_found(refusal.to_string()),
        Refusal::Exists | Refusal::Fenced => conflict("exists", refusal),
        Refusal::Archived => conflict("archived", refusal),
        Refusal::Reason => Problem::unacceptable("invalid", refusal.to_string())
            .errors([("/reason".to_owned(), "is too long, or holds a control character".to_owned())]),
        Refusal::Illegal { allowed, .. } => {
            conflict("illegal_transition", &refusal).allowed(allowed.iter().map(|action| action.as_str()))
        }
        Refusal::OwnApproval => Problem::new(StatusCode::FORBIDDEN, "own_approval", refusal.to_string()),
        Refusal::SecretsForgotten(names) => Problem::unacceptable("secrets_forgotten", refusal.to_string())
            .errors(names.iter().map(|name| (format!("/secrets/{name}"), "is needed again".to_owned()))),
    }
}
