//! HTTP/1.1 as a load client needs it: requests out, responses in, nothing kept per request.
//!
//! Not a general client. It knows no redirects, no TLS and no pipelining, and it costs a
//! third of what a general one does. That matters when both share two cores with the
//! server they measure.

mod chunked;
mod connection;
mod head;

pub use chunked::Chunked;
pub use connection::{Connection, Reply, Request};
pub use head::{Body, Head, MAX_HEAD_BYTES};
