//! What may be done to an incident as it is now: the status machine, and the only code that knows
//! it.
//!
//! ```text
//! triggered <-> acknowledged <-> investigating <-> mitigated --> resolved --> closed
//! '------------------------- open -------------------------' --> cancelled
//! ```
//!
//! - Ahead by any number of steps as far as resolved; back by one step.
//! - Closed only from resolved: whoever closes has seen the end.
//! - Cancelled from every open status; what was resolved has been an incident.
//! - Resolved, closed and cancelled are reopened: nothing is final, every move can be undone.

use super::state::Incident;
use super::status::Status;
use super::words::words;

words! {
    /// Something a user can do to an incident. The names are stable: clients make buttons of them.
    Action {
        /// Take it.
        Acknowledge = "acknowledge",
        /// Give it back: the opposite of acknowledge.
        Unacknowledge = "unacknowledge",
        /// Look for the cause.
        Investigate = "investigate",
        /// Say that the harm has stopped.
        Mitigate = "mitigate",
        /// Say that the cause is gone.
        Resolve = "resolve",
        /// Be done with it.
        Close = "close",
        /// Open it again: the opposite of resolve, close and cancel.
        Reopen = "reopen",
        /// Say that it was no incident.
        Cancel = "cancel",
        /// Correct its facts.
        Update = "update",
        /// Give it to somebody, or to nobody.
        Assign = "assign",
        /// Write a comment.
        Comment = "comment",
        /// Merge it, as a duplicate, into another incident.
        Merge = "merge",
        /// Undo the merge.
        Unmerge = "unmerge",
    }
}

/// Possible in every status. A closed incident too is corrected and commented: a review finds what
/// it finds, and the log keeps who changed what after the end.
const ALWAYS: &[Action] = &[Action::Update, Action::Assign, Action::Comment, Action::Merge];

/// A merged incident speaks through the other one; only its timeline goes on.
const WHILE_MERGED: &[Action] = &[Action::Comment, Action::Unmerge];

/// The status machine: the moves out of each status.
pub const fn moves(status: Status) -> &'static [Action] {
    use Action::{Acknowledge, Cancel, Close, Investigate, Mitigate, Reopen, Resolve, Unacknowledge};
    match status {
        Status::Triggered => &[Acknowledge, Investigate, Mitigate, Resolve, Cancel],
        Status::Acknowledged => &[Unacknowledge, Investigate, Mitigate, Resolve, Cancel],
        Status::Investigating => &[Acknowledge, Mitigate, Resolve, Cancel],
        Status::Mitigated => &[Investigate, Resolve, Cancel],
        Status::Resolved => &[Close, Reopen],
        Status::Closed | Status::Cancelled => &[Reopen],
    }
}

impl Action {
    /// The status this action leads to.
    ///
    /// `None` for reopen as well: there the incident's past decides, not the user (see
    /// [`Incident::reopens_to`]).
    pub const fn leads_to(self) -> Option<Status> {
        match self {
            Self::Acknowledge => Some(Status::Acknowledged),
            Self::Unacknowledge => Some(Status::Triggered),
            Self::Investigate => Some(Status::Investigating),
            Self::Mitigate => Some(Status::Mitigated),
            Self::Resolve => Some(Status::Resolved),
            Self::Close => Some(Status::Closed),
            Self::Cancel => Some(Status::Cancelled),
            Self::Reopen | Self::Update | Self::Assign => None,
            Self::Comment | Self::Merge | Self::Unmerge => None,
        }
    }
}

/// The actions that can change this incident, moves first.
///
/// Exact: an action is listed if and only if [`decide`](super::decide), [`decide_merge`] or
/// [`decide_unmerge`] can answer it with an event; a property test says so. Whether this user may
/// is a question of permissions, and not this module's.
///
/// [`decide_merge`]: super::decide_merge
/// [`decide_unmerge`]: super::decide_unmerge
pub fn allowed_actions(incident: &Incident) -> Vec<Action> {
    match incident.merged_into {
        Some(_) => WHILE_MERGED.to_vec(),
        None => [moves(incident.status), ALWAYS].concat(),
    }
}
