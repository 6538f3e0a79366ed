//! Scenarios that measure Signalbox, peers to measure it against, and the history checker.
//!
//! ```text
//! append      the log and the usual design on one PostgreSQL, in turn   -> appends/s
//! fanout      one event to 10,000 streams, ours and peers, in turn       -> deliveries/s, CPU, memory
//!   floor       a bare loop that writes the same bytes                   -> what no server can go below
//!   delay       one event to one stream                                  -> milliseconds after the answer
//! roundtrip   writers, readers and a nemesis                             -> violations, of which none
//!   history     the checker: what was seen against what the log holds
//! storm       all streams at once, after the server was killed           -> seconds until current
//! slow        readers that stop reading                                 -> p99 of the others, bytes each
//! herd        many users ask for the same statistics                    -> queries, of which one
//! logs        log lines in, searches for them                           -> lines/s, milliseconds
//! output      a runbook's command that prints                          -> lines/s
//! polling     a panel that polls, and the same panel on streams         -> requests, queries, age of news
//! switch      streams switched off and on again                         -> milliseconds, seconds until all stream
//! soak        coming and going for long, with faults                    -> violations, slope of the memory
//! ```
//!
//! They stand on: `stage` (a database that counts, a server, incidents), `incidents`, `changes` (a publisher
//! that outlasts a crash), `queries` (what PostgreSQL counted), `server` (Signalbox as a child process; `serve` is what runs in the child),
//! `http`, `stream` and `sse` (clients that cost little), `returning` (readers that come back), `process` (CPU and memory), `clock` (one for
//! all processes), `scratch` (a directory for a run), `report` (the only module that prints).
//!
//! All of it runs on one machine: compare ratios, not figures. Each scenario cleans up after
//! itself, leaves other PostgreSQL clusters alone and ends within minutes.

pub mod append;
pub mod changes;
pub mod clock;
pub mod dashboard;
pub mod fanout;
pub mod herd;
pub mod history;
pub mod http;
pub mod incidents;
pub mod logs;
pub mod output;
pub mod polling;
pub mod process;
pub mod queries;
pub mod report;
mod returning;
pub mod roundtrip;
pub mod scratch;
pub mod serve;
pub mod server;
pub mod slow;
pub mod sse;
pub mod stage;
pub mod storm;
pub mod stream;
pub mod switch;
