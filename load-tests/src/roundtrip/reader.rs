//! A reader: follows the stream, drops the connection at random, resumes at the next process.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout, timeout_at},
};
use uuid::Uuid;

use super::Shared;
use crate::{
    history::{Connection, Digest, Received},
    sse::{Frame, MAX_FRAME_BYTES, Position, Reception},
    stream,
};

/// Life of a connection, at most; it is random, so that cuts hit replays and live events alike.
const LIFE_MS: u64 = 4_000;

/// Time to open a connection before another process is asked.
const OPEN: Duration = Duration::from_secs(3);

/// How often a silent reader looks whether the run is over.
const LOOK: Duration = Duration::from_millis(50);

/// All that a reader saw.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) connections: Vec<Connection>,
    /// What a server must not say in this scenario, such as `reset`.
    pub(super) protocol_errors: Vec<String>,
}

/// One reader.
pub(super) struct Reader {
    number: u32,
    shared: Arc<Shared>,
    cursor: Option<u64>,
    buffer: Vec<u8>,
    read: Read,
}

impl Reader {
    /// Even readers read the log from its beginning, odd ones begin with what is live.
    pub(super) fn new(number: u32, shared: Arc<Shared>) -> Reader {
        let read = Read { connections: Vec::new(), protocol_errors: Vec::new() };
        let cursor = number.is_multiple_of(2).then_some(0);
        Reader { number, shared, cursor, buffer: vec![0; 2 * MAX_FRAME_BYTES], read }
    }

    pub(super) async fn run(mut self) -> Read {
        let mut process = self.number as usize;
        while !self.shared.read.load(Relaxed) {
            process += 1;
            let cursor = self.cursor;
            self.read.connections.push(Connection { reader: self.number, cursor, received: Vec::new() });
            // A refused or broken connection is what a resume is for.
            let _ = self.follow(process).await;
            sleep(Duration::from_millis(rand::random_range(0..50))).await;
        }
        self.read
    }

    /// One connection, until it breaks, its time is up or the run is over.
    async fn follow(&mut self, process: usize) -> Result<()> {
        let address = self.shared.servers.address(process);
        let mut socket = timeout(OPEN, TcpStream::connect(address)).await??;
        socket.write_all(stream::request(address, &self.shared.token, self.cursor).as_bytes()).await?;

        let mut reception = Reception::default();
        let end = Instant::now() + Duration::from_millis(rand::random_range(0..LIFE_MS));
        while !self.shared.read.load(Relaxed) {
            if Instant::now() > end && !self.shared.settle.load(Relaxed) {
                return Ok(());
            }
            let mut buffer = std::mem::take(&mut self.buffer);
            let followed = self.read_once(&mut socket, &mut reception, &mut buffer).await;
            self.buffer = buffer;
            followed?;
        }
        Ok(())
    }

    /// One read, and all the frames it completes; nothing when none came for a while.
    async fn read_once(&mut self, socket: &mut TcpStream, reception: &mut Reception, buffer: &mut [u8]) -> Result<()> {
        let begun = reception.begin(buffer)?;
        let room = buffer.get_mut(begun..).unwrap_or_default();
        let Ok(length) = timeout_at(Instant::now() + LOOK, socket.read(room)).await else { return Ok(()) };
        let filled = begun + length?;
        if filled == begun {
            bail!("the server closed the stream");
        }
        let bytes = buffer.get_mut(..filled).unwrap_or_default();
        reception.end(bytes, begun, |frame| self.take(&frame))?;
        if let (Some(seq), Some(position)) = (self.cursor, self.shared.positions.get(self.number as usize)) {
            position.store(seq, Relaxed);
        }
        Ok(())
    }

    /// Notes what one frame says and moves the cursor as a browser would.
    fn take(&mut self, frame: &Frame<'_>) -> Result<()> {
        if frame.event == b"reset" {
            let data = String::from_utf8_lossy(frame.data).into_owned();
            self.read.protocol_errors.push(format!("reader {}: reset at {:?}: {data}", self.number, self.cursor));
        }
        let Some(Position(seq, 0)) = Position::parse(frame.id) else { return Ok(()) };
        let received = match frame.event {
            b"" | b"ready" | b"reset" => Received::Bookmark { seq },
            _ => Received::Event { seq, digest: digest(frame.data)? },
        };
        let connection = self.read.connections.last_mut().context("a connection")?;
        connection.received.push(received);
        self.cursor = Some(seq);
        Ok(())
    }
}

/// The content of a delivered event, made as `log::read` makes it of a row.
fn digest(data: &[u8]) -> Result<Digest> {
    #[derive(Deserialize)]
    struct Delivered<'a> {
        seq: u64,
        id: Uuid,
        stream: String,
        version: u64,
        #[serde(rename = "type")]
        kind: String,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let event: Delivered<'_> = serde_json::from_slice(data).context("an event that is not the JSON expected")?;
    Ok(super::log::digest(event.seq, event.id, &event.stream, event.version, &event.kind, event.data.get()))
}
