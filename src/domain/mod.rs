//! The rules: `decide(state, command) -> events` and `evolve(state, event) -> state`, pure.
//!
//! Nothing here waits, reads a clock, draws a random number or imports another part of Signalbox.

pub mod audit;
pub mod automation;
pub mod condition;
pub mod incident;
pub mod logs;
pub mod notification;
pub mod permission;
pub mod role;
pub mod server;
pub mod system;
mod timestamp;
pub mod user;
