//! What can be asked of one incident.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::status::{Priority, Severity, Status};

/// A command for one incident. Merging takes two: [`decide_merge`](super::decide_merge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Report a new incident.
    Create(Create),
    /// Correct or complete the facts.
    Update(Update),
    /// Give it to somebody, or to nobody.
    Assign {
        /// A username; `None` for nobody.
        assignee: Option<String>,
    },
    /// Write a comment.
    Comment {
        /// Chosen by the caller, so that a retry writes the same comment.
        comment_id: Uuid,
        /// Any number of lines.
        text: String,
    },
    /// Move along the status machine; not to reopen, where the user does not choose the status. To
    /// the status it has: nothing happens, and the texts are not kept.
    ChangeStatus(Transition),
    /// Open it again, at the status [`Incident::reopens_to`](super::Incident::reopens_to) tells.
    /// Open already: nothing happens.
    Reopen {
        /// Why.
        reason: Option<String>,
    },
    /// Say that it was no incident.
    Cancel {
        /// Why.
        reason: Option<String>,
    },
    /// Take over a status that another system reached by its own rules: for importing history,
    /// never for a user's click, so no [`Action`](super::Action) stands for it.
    ///
    /// Any status may follow any other; the event's cause is `record`, so that nobody mistakes the
    /// jump for a move of ours. Limits and merges bind it like any command. To the status it has:
    /// nothing happens; a note without a change of status is a comment.
    ///
    /// A service desk's states become: New, `triggered`; Active, `investigating`; Awaiting …,
    /// `investigating` with what is awaited as the reason; Resolved, `resolved`; Closed, `closed`.
    Record(Transition),
}

/// A wanted status and what is said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The wanted status; in a record, the status there in our words.
    pub to: Status,
    /// Why; in a record also the other system's own word.
    pub reason: Option<String>,
    /// How it ended; only with resolved and closed.
    pub resolution: Option<String>,
}

impl Transition {
    /// To a status, for a reason.
    pub fn new(to: Status, reason: Option<String>) -> Self {
        Self { to, reason, resolution: None }
    }
}

/// The facts of a new incident. Its id is the stream's; it begins as triggered.
/// [`limits`](super::limits) says how long each may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// 42 in `INC-42`: the next number, drawn by the caller.
    pub number: i64,
    /// One line, not blank.
    pub title: String,
    /// Any number of lines; may be empty.
    pub description: String,
    /// How bad.
    pub severity: Severity,
    /// How soon.
    pub priority: Priority,
    /// A username.
    pub assignee: Option<String>,
    /// Host names; one named twice is kept once.
    pub affected_servers: Vec<String>,
    /// Free facts for filters.
    pub labels: BTreeMap<String, String>,
    /// Whether another incident has this key is the caller's question: it takes more than one
    /// stream to answer.
    pub dedup_key: Option<String>,
}

/// The facts to change; an absent one keeps its value. Lists and labels are replaced whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// One line, not blank.
    pub title: Option<String>,
    /// Any number of lines; may be empty.
    pub description: Option<String>,
    /// How bad.
    pub severity: Option<Severity>,
    /// How soon.
    pub priority: Option<Priority>,
    /// Host names; one named twice is kept once.
    pub affected_servers: Option<Vec<String>>,
    /// Free facts for filters.
    pub labels: Option<BTreeMap<String, String>>,
    /// `Some(None)` removes the key.
    pub dedup_key: Option<Option<String>>,
}
