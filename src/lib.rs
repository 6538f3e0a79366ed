//! Signalbox: one PostgreSQL log; every screen hears of a change in milliseconds and misses none.
//!
//! Code map, in the order data moves:
//!
//! ```text
//! http/<module>   parse, authorise, idempotency      http/stream   authenticate, then follow
//!   domain/       decide(state, command) -> events     hub/        ring of frames, readers are cursors
//!     log/append  one transaction per batch              log/tail  wake-up -> rows -> ordered batches
//!       sql/functions/append.sql  ── NOTIFY ───────────────^
//!                                                        consumer/   one process at a time, with a checkpoint
//!                                                          notifications/  rules -> queues -> webhooks, mail
//! ```
//!
//! Invariants
//! - `log` is the only module that names the events table; it knows no incident, no hub and no HTTP.
//! - `domain` is pure: no clock, no chance, no waiting, nothing of ours.
//! - Only `http` knows a status code, and poem; only `postgres` knows how to connect.
//! - Whatever changes state is an append; the state's row changes in the same transaction.
//! - A notification is a hint, the table is the truth.
//! - There is no service layer, no repository, no message bus: a handler calls a function.

/// Memory that nobody uses goes back to the system within a second or two (`.cargo/config.toml`); `load-tests fanout`
/// measures it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub mod automations;
pub mod compare;
pub mod config;
pub mod consumer;
pub mod demo;
pub mod domain;
pub mod egress;
mod forget;
pub mod http;
pub mod hub;
pub mod import;
pub mod incidents;
pub mod log;
pub mod logs;
pub mod metrics;
pub mod notifications;
pub mod postgres;
pub mod projections;
pub mod protect;
pub mod registry;
pub mod runner;
pub mod server;
pub mod servers;
pub mod users;
