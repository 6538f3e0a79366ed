//! Why a command was refused. Each `Display` is a sentence for the client; `http` gives it a status
//! code.

use uuid::Uuid;

use super::action::Action;
use super::limits::ABSORBED;
use super::status::Status;

/// The closed list of refusals. A refused command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Every command but `Create` needs an incident.
    #[error("this incident does not exist")]
    Missing,
    /// `Create` on an id that is taken.
    #[error("this incident exists already")]
    Exists,
    /// The command breaks the limits; the list is never empty.
    #[error("the command is invalid")]
    Invalid(Vec<Violation>),
    /// The status machine has no such move.
    #[error("an incident that is {from} cannot become {to}")]
    IllegalTransition {
        /// The status it has.
        from: Status,
        /// The status that was asked for.
        to: Status,
        /// The moves that could be asked for instead: as actions, in the words of the resource.
        allowed: Vec<Action>,
    },
    /// A merged incident takes comments and unmerge, nothing else.
    #[error("this incident is merged into another one")]
    Merged {
        /// The incident to look at instead.
        into: Uuid,
    },
    /// Source and target are the same incident.
    #[error("an incident cannot be merged into itself")]
    MergeIntoItself,
    /// The target is a duplicate itself.
    #[error("the target is merged into another incident; merge into that one")]
    MergeIntoMerged {
        /// Where the target went.
        into: Uuid,
    },
    /// Nobody would look at the trouble any more.
    #[error("the target is {status}; reopen it first")]
    MergeIntoEnded {
        /// Closed or cancelled.
        status: Status,
    },
    /// The target's list of duplicates is full.
    #[error("the target has absorbed {ABSORBED} incidents, which is the limit")]
    MergeIntoFull,
}

/// One broken limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the command's JSON body, as an RFC 6901 pointer: `/labels/team~1name`.
    pub pointer: String,
    /// What is wrong, as a phrase that follows the field's name: "must not be blank".
    pub message: String,
}
