//! Read models derived from the log.

mod accounts;
pub mod control;
pub mod rebuild;

pub use accounts::{Account, Accounts};
pub use control::Control;
