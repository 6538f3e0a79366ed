//! How a stream of Signalbox is opened, by whoever reads it.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Streams from one source address. An address has 28,232 ephemeral ports; long before
/// they run out, the kernel's search for a free one takes most of the time of a connect.
const STREAMS_PER_SOURCE: usize = 2_000;

/// Bytes read by [`open`]: the head and the first frame.
const FIRST_BYTES: usize = 1024;

/// The request; `after` is the last event that the reader has.
pub fn request(address: SocketAddr, token: &str, after: Option<u64>) -> String {
    let cursor = after.map_or_else(String::new, |seq| format!("Last-Event-ID: {seq}\r\n"));
    format!(
        "GET /api/v1/events/stream HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\
         Authorization: Bearer {token}\r\n{cursor}\r\n"
    )
}

/// A socket for the stream of this number among thousands, not connected yet.
///
/// # Errors
/// When file descriptors have run out, most likely.
pub fn socket(number: usize) -> Result<Socket> {
    let source = u8::try_from(2 + number / STREAMS_PER_SOURCE)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)
        .context("open a socket; `ulimit -n` must be above the number of streams")?;
    // Closed by a reset, so that its port does not rest in TIME_WAIT.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, source), 0).into())?;
    Ok(socket)
}

/// Opens a stream whose content does not matter, and reads its beginning.
///
/// # Errors
/// When it is refused. There is no timeout here: wrap the call.
pub async fn open(address: SocketAddr, token: &str, after: Option<u64>) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(request(address, token, after).as_bytes()).await?;
    let mut first = [0; FIRST_BYTES];
    let length = socket.read(&mut first).await?;
    let head = first.get(..length).unwrap_or_default();
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("a stream was not opened: {}", String::from_utf8_lossy(head));
    }
    Ok(socket)
}
