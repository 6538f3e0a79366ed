//! Read models derived from the log.

mod accounts;
pub mod rebuild;

pub use accounts::{Account, Accounts};
