//! Passers-by: streams that come and go, and some that stay and take nothing. What they read is
//! nobody's concern; that they were here must leave no trace.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{sleep, timeout},
};

use super::Shared;
use crate::stream;

/// How long a passer-by reads, at most; the time itself is random.
const READS_MS: u64 = 10_000;

/// How long one that takes nothing stays: it would not notice that the server closed its stream.
const STAYS: Duration = Duration::from_secs(40);

/// Between two visits, at most.
const AWAY_MS: u64 = 1_000;

/// Some resume so many events back, others begin with what is live.
const BACK_EVENTS: u64 = 2_000;

/// For a stream to open.
const OPEN: Duration = Duration::from_secs(10);

/// What they did.
#[derive(Debug, Default)]
pub(super) struct Visits {
    /// Streams opened.
    pub(super) streams: AtomicU64,
    /// Of them, those that took nothing.
    pub(super) stalled: AtomicU64,
    /// Streams refused or broken before they were open.
    pub(super) failed: AtomicU64,
}

/// Comes and goes until the run is over.
pub(super) async fn pass_by(shared: Arc<Shared>, visits: Arc<Visits>, stalls: bool) {
    let mut buffer = vec![0; 16 * 1024];
    while !shared.written.load(Relaxed) {
        sleep(Duration::from_millis(rand::random_range(0..AWAY_MS))).await;
        match timeout(OPEN, open(&shared)).await {
            Ok(Ok(socket)) => {
                visits.streams.fetch_add(1, Relaxed);
                visits.stalled.fetch_add(u64::from(stalls), Relaxed);
                stay(socket, &shared, &mut buffer, stalls).await;
            }
            Ok(Err(_)) | Err(_) => {
                visits.failed.fetch_add(1, Relaxed);
            }
        }
    }
}

async fn open(shared: &Shared) -> Result<TcpStream> {
    let head = shared.positions.iter().map(|position| position.load(Relaxed)).max().unwrap_or(0);
    let after = (rand::random_range(0..3) == 0).then(|| head.saturating_sub(BACK_EVENTS));
    stream::open(shared.servers.address(0), &shared.token, after).await
}

/// Reads for a while, or takes nothing at all.
async fn stay(mut socket: TcpStream, shared: &Shared, buffer: &mut [u8], stalls: bool) {
    if stalls {
        let until_over = async {
            while !shared.written.load(Relaxed) {
                sleep(super::LOOK).await;
            }
        };
        // Whichever comes first.
        let _ = timeout(STAYS, until_over).await;
        return;
    }
    let life = Duration::from_millis(rand::random_range(0..READS_MS));
    let reads = async { while socket.read(buffer).await.is_ok_and(|length| length > 0) {} };
    let _ = timeout(life, reads).await;
}
