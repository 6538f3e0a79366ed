//! What Signalbox guarantees, shown on a real PostgreSQL: one for all tests, a database for each.
#![allow(clippy::unwrap_used, missing_docs)] // a test that cannot go on says so by panicking

mod harness;

mod access;
mod append;
mod audit;
mod automations;
mod bad_input;
mod compare;
mod compress;
mod consumer;
mod control;
mod dashboard;
mod demo;
mod documents;
mod doors;
mod egress;
mod faults;
mod identity;
mod import;
mod incident_night;
mod incidents;
mod limits;
mod logs;
mod metrics;
mod notifications;
mod panel;
mod pressure;
mod private_postgres;
mod process;
mod readme;
mod rebuild;
mod reports;
mod servers;
mod short_lived;
mod sign_in;
mod single_flight;
mod statistics;
mod stream;
mod structure;
mod users;
mod whole_api;
