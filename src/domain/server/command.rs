//! What can be asked of one server.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::state::{Check, Window};

/// A command for one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Enter it into the inventory; its status begins as pending.
    Create(Facts),
    /// Correct the facts. What changes the target of the tests makes the status pending.
    Update(Update),
    /// A reference to a credential was set, or taken away.
    SetCredential {
        /// Whether there is one now.
        present: bool,
    },
    /// Plan a maintenance window. One with the same id: nothing happens.
    Schedule(Window),
    /// End a window before its time, or cancel one to come.
    EndMaintenance {
        /// Which one.
        window: Uuid,
        /// Why.
        reason: Option<String>,
    },
    /// A test has decided. During maintenance nothing happens.
    Observe {
        /// Whether it was answered.
        answers: bool,
        /// What the test met with, at most [`MESSAGE_CHARS`](super::limits::MESSAGE_CHARS).
        message: String,
    },
    /// Let windows begin and end as time has gone by.
    KeepTime,
    /// Take it out of the inventory. Out already: nothing happens.
    Delete {
        /// Why.
        reason: Option<String>,
    },
    /// Take it in again.
    Restore {
        /// Why.
        reason: Option<String>,
    },
}

/// The facts of a new server. [`limits`](super::limits) says how long each may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whether another server has this name is the caller's question.
    pub name: String,
    /// A name or an address. Whether this server may connect to it is the caller's question.
    pub host: String,
    /// From 1.
    pub port: u16,
    /// Any number of lines; may be empty.
    pub description: String,
    /// Free facts for filters.
    pub labels: BTreeMap<String, String>,
    /// How it is tested.
    pub check: Check,
}

/// The facts to change; an absent one keeps its value. Labels and check are replaced whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the server's field of the same name")]
pub struct Update {
    pub name: Option<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub description: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub check: Option<Check>,
}
