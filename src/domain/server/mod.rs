//! Servers: the inventory, whether they answer, and when they need not.
//!
//! Pure: ids and times come in as parameters.
//!
//! | file         | what is there                                                 |
//! |--------------|---------------------------------------------------------------|
//! | `command.rs` | what can be asked                                             |
//! | `limits.rs`  | how large it may be, and what text may contain                |
//! | `decide.rs`  | `decide(state, command, now) -> events`, or a refusal         |
//! | `event.rs`   | what happened: the facts of the log, with their schemas       |
//! | `evolve.rs`  | `evolve(state, event) -> state`                               |
//! | `state.rs`   | what a server is now                                          |
//! | `report.rs`  | how busy a server says it is: short-lived, in a stream apart  |
//! | `saved.rs`   | the filters that a user keeps for the list                    |

mod command;
mod decide;
mod event;
mod evolve;
pub mod limits;
mod refusal;
pub mod report;
pub mod saved;
mod state;

#[cfg(test)]
mod tests;

pub use command::{Command, Facts, Update};
pub use decide::decide;
pub use event::{
    Change, Changes, Created, CredentialChanged, Event, MaintenanceEnded, StatusChanged, Switched, Updated,
    event_types, filter_types,
};
pub use evolve::{Meta, evolve};
pub use refusal::{Refusal, Violation};
pub use state::{Check, Method, Server, Status, Window};
