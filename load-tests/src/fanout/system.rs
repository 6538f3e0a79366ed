//! A started server as the measurements see it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Deserialize;

use super::{crowd::Subscription, publisher::Publication};
use crate::{
    http::{Connection, Request},
    process,
};

/// How long a server may take to notice that its streams are closed.
const CLOSE: Duration = Duration::from_secs(30);

/// How often it is asked.
const ASK: Duration = Duration::from_millis(50);

/// Files that a server without `/readyz` may have open beside those from before, such as a
/// log or a connection of a publisher.
const SPARE_FILES: usize = 16;

/// A started server.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// Its first process; those it started count too.
    pub(super) pid: u32,
    /// PostgreSQL's, where the system has one.
    pub(super) postgres_pid: Option<u32>,
    /// Where `/readyz` says how many streams are open, if the system does.
    pub(super) readyz: Option<SocketAddr>,
    pub(super) subscription: Subscription,
    pub(super) publication: Publication,
}

impl System {
    /// Waits until the server knows that no stream is open any more; false when it took too long.
    ///
    /// A server that does not say so has as many files open as it had without streams, `files`.
    pub(super) async fn closed(&self, files: usize) -> Result<bool> {
        let deadline = Instant::now() + CLOSE;
        while !self.has_closed(files).await? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            tokio::time::sleep(ASK).await;
        }
        Ok(true)
    }

    async fn has_closed(&self, files: usize) -> Result<bool> {
        #[derive(Deserialize)]
        struct Ready {
            streams: u64,
        }
        let Some(address) = self.readyz else {
            return Ok(process::open_files(self.pid)? <= files + SPARE_FILES);
        };
        let request = Request { method: "GET", path: "/readyz", bearer: None, idempotency_key: None, body: b"" };
        let ready: Ready = Connection::open(address).await?.send(request).await?.json()?;
        Ok(ready.streams == 0)
    }
}
