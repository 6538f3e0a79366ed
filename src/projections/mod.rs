//! Read models derived from the log.

mod accounts;
pub mod control;
pub mod dashboard;
pub mod incident_statistics;
pub mod rebuild;
mod single_flight;

pub use accounts::{Account, Accounts, ApiToken};
pub use control::Control;
pub use single_flight::{CacheCounts, LoadFailed, OLDEST, SETTLE, SingleFlight, Source, Told, Wants};
