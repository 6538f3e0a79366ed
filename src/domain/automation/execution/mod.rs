//! One time that a runbook is done, from the queue to the end.
//!
//! ```text
//! queued ── started ──> running ── completed | failed | timed_out | cancelled
//!    ^                    │  ^
//!    │ approved           │  └ continued (another process took over)
//!    └── waiting_approval <── approval.requested        failed, timed_out ── resumed ──> queued
//! ```
//!
//! The runner asks [`next`] what to do, does it, and says with a [`Command`] what came of it.

mod command;
mod decide;
mod event;
mod evolve;
mod next;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, Ended, Lease, Queue, Refusal};
pub use decide::{Action, allowed_actions, decide};
pub use event::{Event, Notified, Trigger, event_types};
pub use evolve::evolve;
pub use next::{Next, next};
pub use state::{Execution, Outcome, Status, StepRun, StepStatus};
