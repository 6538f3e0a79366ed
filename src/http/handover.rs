//! HTTP/1, and the door through which a stream's socket leaves it.
//!
//! A stream never reads again and writes only frames that all its class shares, so hyper's buffers, 16 KiB a
//! connection, would lie idle. Its request is parsed, routed and authorised like any other; then the connection is
//! taken apart, and its socket goes to the hub's writer threads with the head of the response.

use std::convert::Infallible;
use std::fmt::Write;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write as HyperWrite};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::Response;
use poem::http::header;
use socket2::SockRef;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::App;
use super::serve::HEADER_WAIT;
use crate::hub::{Reader, Taken};

/// A request's head, and hyper's buffer in each direction. In bytes.
const BUFFER_BYTES: usize = 16 << 10;
/// What the kernel keeps for a reader that does not read. In bytes; it takes twice as many for its own book-keeping.
const SEND_BUFFER_BYTES: usize = 128 << 10;
/// The kernel's own deadline for a peer that acknowledges nothing comes after ours.
const STALL_RESERVE: Duration = Duration::from_secs(5);

/// Lies with a request whose connection can be handed over; the handler of a stream leaves its reader here.
#[derive(Default)]
pub struct Door(Mutex<Option<Reader>>);

impl Door {
    /// Lets the connection go on as this reader's.
    pub fn hand_over(&self, reader: Reader) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
    }

    fn take(&self) -> Option<Reader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves one connection to its end, or until it is a stream.
pub(super) async fn http1<F>(
    stream: TcpStream,
    site: impl Fn(hyper::Request<Incoming>, Option<Arc<Door>>) -> F,
    app: Arc<App>,
    room: OwnedSemaphorePermit,
) -> hyper::Result<()>
where
    F: Future<Output = Response> + Send + 'static,
{
    let (leave, mut leaving) = mpsc::channel(1);
    let unwritten = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        // A client that sends the next request before it took the last answer keeps its buffers.
        let door = (!unwritten.load(Ordering::Relaxed)).then(Arc::<Door>::default);
        let (response, leave) = (site(request, door.clone()), leave.clone());
        async move {
            let response = response.await;
            if let Some(reader) = door.and_then(|door| door.take()) {
                let _ = leave.try_send((head(&response), reader)); // one at a time, so there is room
                pending::<()>().await; // until the connection is taken apart
            }
            Ok::<hyper::Response<_>, Infallible>(response.into())
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_WAIT).max_buf_size(BUFFER_BYTES);
    let socket = Watched { socket: TokioIo::new(stream), unwritten: unwritten.clone() };
    let mut connection = builder.serve_connection(socket, service);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => return ended, // never polled again after its end
            // Also after the stop: a request that was there before it may still become a stream.
            Some((head, reader)) = leaving.recv() => {
                let socket = connection.into_parts().io.socket.into_inner();
                if let Err(error) = give(socket, head, reader, &app, room) {
                    tracing::warn!(%error, "a stream could not be opened");
                }
                return Ok(());
            }
            () = app.stop.cancelled(), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

fn give(
    socket: TcpStream,
    head: Bytes,
    reader: Reader,
    app: &Arc<App>,
    room: OwnedSemaphorePermit,
) -> std::io::Result<()> {
    let options = SockRef::from(&socket);
    options.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    options.set_tcp_user_timeout(Some(Duration::from_secs(app.config.stall_s.into()) + STALL_RESERVE))?;
    app.hub.writers()?.take(Taken { socket: socket.into_std()?, head, reader, room });
    Ok(())
}

/// The head as it goes over the wire. The body has no length and no chunks: it ends with the connection, so that
/// all readers of a class get the same bytes (RFC 9112, section 6.3, rule 8).
fn head(response: &Response) -> Bytes {
    let mut head = String::from("HTTP/1.1 200 OK\r\nconnection: close\r\n");
    let date =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let date = OffsetDateTime::now_utc().format(&date).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = write!(head, "date: {date}\r\n");
    for (name, value) in response.headers().iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
        if let Ok(value) = value.to_str() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    head.push_str("\r\n");
    Bytes::from(head)
}

/// A socket that remembers whether it refused bytes that hyper still holds.
struct Watched {
    socket: TokioIo<TcpStream>,
    unwritten: Arc<AtomicBool>,
}

impl Watched {
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.unwritten.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl HyperWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
