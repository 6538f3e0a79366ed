//! Incidents: something is wrong, and somebody answers for it.
//!
//! Pure: no clock, no chance, no database; ids and times come in as parameters. In the order a
//! command moves:
//!
//! | file           | what is there                                                            |
//! |----------------|--------------------------------------------------------------------------|
//! | `command.rs`   | what can be asked                                                        |
//! | `limits.rs`    | how large it may be, and what text may contain                           |
//! | `decide.rs`    | `decide(state, command) -> events`, or a refusal                         |
//! | `merge.rs`     | the same for two incidents at once                                       |
//! | `action.rs`    | the status machine, and the allowed actions it makes                     |
//! | `refusal.rs`   | why not                                                                  |
//! | `event.rs`     | what happened: the facts of the log, with their schemas                  |
//! | `evolve.rs`    | `evolve(state, event) -> state`                                          |
//! | `state.rs`     | what an incident is now                                                  |
//! | `status.rs`    | its three scales: status, severity, priority                             |
//! | `words.rs`     | how words are written; times: `../timestamp.rs`                          |
//!
//! Invariants, each a property test in `tests/`:
//! - the state is the fold of the events, and its version counts them;
//! - an action is offered if and only if it is accepted;
//! - an accepted command, repeated, does nothing (a comment is the exception: two are two);
//! - what the log stores reads back as the same event;
//! - merges form trees, both sides agree on them, and undoing one leaves no trace in the facts.

mod action;
mod command;
mod decide;
mod event;
mod evolve;
pub mod limits;
mod merge;
mod refusal;
mod state;
mod status;
mod words;

#[cfg(test)]
mod tests;

pub use action::{Action, allowed_actions, moves};
pub use command::{Command, Create, Transition, Update};
pub use decide::decide;
pub use event::{
    Absorbed, Assigned, Cause, Change, Changes, Commented, Created, Event, EventType, IncidentRef, Merged, Released,
    StatusChanged, Unmerged, Unreadable, Updated, event_types,
};
pub use evolve::{Meta, evolve};
pub use merge::{decide_merge, decide_unmerge};
pub use refusal::{Refusal, Violation};
pub use state::{Incident, key, number};
pub use status::{Priority, Severity, Status};
