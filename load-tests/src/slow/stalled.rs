//! Readers that open a stream and then take nothing, and what each of them costs the server.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use super::sockets::ends_of;
use crate::{process, stage::Stage, stream};

/// For one stream to open.
const OPEN: Duration = Duration::from_secs(30);

/// Their sockets, never read again.
#[derive(Debug)]
pub(super) struct Stalled {
    sockets: Vec<TcpStream>,
    since: Instant,
}

/// What was seen of server and sockets over a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    /// The most anonymous memory that the server had.
    pub(super) memory_bytes: u64,
    /// The most bytes that the kernel kept for stalled connections, all together.
    pub(super) queued_bytes: u64,
    /// The most for a single one.
    pub(super) queued_bytes_of_one: u64,
    /// The server holds it no more: seconds since the readers stopped reading, per connection.
    closed_after_s: HashMap<SocketAddr, f64>,
}

impl Stalled {
    /// Opens the streams and stops reading.
    pub(super) async fn open(stage: &Stage, streams: usize) -> Result<Stalled> {
        let mut opening = JoinSet::new();
        for _ in 0..streams {
            let (address, token) = (stage.address, stage.token.clone());
            opening.spawn(timeout(OPEN, async move { stream::open(address, &token, None).await }));
        }
        let mut sockets = Vec::with_capacity(streams);
        while let Some(opened) = opening.join_next().await {
            sockets.push(opened???);
        }
        Ok(Stalled { sockets, since: Instant::now() })
    }

    /// Looks once and notes what is more than before, and who was closed since.
    pub(super) fn look(&self, stage: &Stage, watched: &mut Watched) -> Result<()> {
        let ends = ends_of(stage.address)?;
        let memory_bytes = process::memory_bytes(stage.pid()?)?;
        let (mut queued_bytes, mut owned) = (0, HashSet::new());
        for socket in &self.sockets {
            let name = socket.local_addr()?;
            let Some(end) = ends.get(&name) else { continue };
            queued_bytes += end.queued_bytes;
            watched.queued_bytes_of_one = watched.queued_bytes_of_one.max(end.queued_bytes);
            if end.owned {
                owned.insert(name);
            }
        }
        for socket in &self.sockets {
            let name = socket.local_addr()?;
            if !owned.contains(&name) {
                watched.closed_after_s.entry(name).or_insert_with(|| self.since.elapsed().as_secs_f64());
            }
        }
        watched.memory_bytes = watched.memory_bytes.max(memory_bytes);
        watched.queued_bytes = watched.queued_bytes.max(queued_bytes);
        Ok(())
    }
}

impl Watched {
    /// Connections that the server closed.
    pub(super) fn closed(&self) -> usize {
        self.closed_after_s.len()
    }

    /// When it closed the first and the last one so far.
    pub(super) fn closed_after_s(&self) -> Option<[f64; 2]> {
        let times = || self.closed_after_s.values().copied();
        (self.closed() > 0).then(|| [times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max)])
    }
}
