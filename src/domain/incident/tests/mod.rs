//! What this module promises: by cases, and in `properties` for all sequences of commands.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod cases;
mod contract;
mod lifecycle;
mod limits;
mod merging;
mod properties;
mod world;
