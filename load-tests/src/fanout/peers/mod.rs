//! The servers that are measured beside ours, each in its own process and with nothing kept on disk
//! that it would wait for.

mod child;
mod durable_streams;
mod nchan;
mod nest;

use std::path::Path;

use anyhow::Result;

use self::child::Child;
use super::{crowd::Subscription, publisher::Publication, system::System};

/// A server to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Peer {
    /// nginx with libnginx-mod-nchan, in C, in memory.
    Nchan,
    /// durable-streams-server 0.1.5, in Rust, an epoll reactor of its own, in memory.
    DurableStreams,
    /// NestJS as most people write it, on node.
    Nest,
    /// All of them.
    All,
}

/// A peer that accepts connections; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) system: System,
    _process: Child,
}

impl Peer {
    /// The peers that the command line names, each once.
    pub(super) fn chosen(named: &[Peer]) -> Vec<Peer> {
        let is_chosen = |peer: &Peer| named.contains(peer) || named.contains(&Peer::All);
        [Peer::Nchan, Peer::DurableStreams, Peer::Nest].into_iter().filter(is_chosen).collect()
    }

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Nchan => "Nchan",
            Peer::DurableStreams => "durable-streams",
            Peer::Nest => "NestJS",
            Peer::All => "all peers",
        }
    }

    /// For programs.
    pub(super) fn key(self) -> &'static str {
        match self {
            Peer::Nchan => "nchan",
            Peer::DurableStreams => "durable_streams",
            Peer::Nest => "nest",
            Peer::All => "peers",
        }
    }

    /// Starts it below a directory, for messages of that many bytes; or says in one line why it
    /// cannot be measured on this machine.
    pub(super) async fn start(self, directory: &Path, message_bytes: usize) -> Result<Result<Running, String>> {
        match self {
            Peer::Nchan => nchan::start(directory, message_bytes),
            Peer::DurableStreams => durable_streams::start(directory, message_bytes).await,
            Peer::Nest => nest::start(directory, message_bytes),
            Peer::All => Ok(Err("not a server".to_owned())),
        }
    }
}

impl Running {
    /// A process whose streams are read at one path and fed at another, by bodies that begin and end so.
    fn new(
        process: Child,
        [read, publish]: [&str; 2],
        around: (&'static str, &'static str),
        message_bytes: usize,
    ) -> Running {
        let address = process.address();
        let request = format!("GET {read} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
        let system = System {
            pid: process.pid(),
            postgres_pid: None,
            readyz: None,
            subscription: Subscription { address, request: request.into_bytes(), ready_event: None },
            publication: Publication {
                address,
                paths: vec![publish.to_owned()],
                bearer: None,
                around,
                text_bytes: message_bytes.saturating_sub(around.0.len() + around.1.len()),
            },
        };
        Running { system, _process: process }
    }
}
