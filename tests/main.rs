//! What Signalbox guarantees, shown on a real PostgreSQL: one for all tests, a database for each.
#![allow(clippy::unwrap_used, missing_docs)] // a test that cannot go on says so by panicking

mod harness;

mod append;
mod bad_input;
mod compare;
mod control;
mod demo;
mod documents;
mod import;
mod incidents;
mod metrics;
mod private_postgres;
mod process;
mod rebuild;
mod sign_in;
mod stream;
mod structure;
