//! The accept loop, in the place of `poem::Server`.
//!
//! poem's own notices a closed stream only at the next write, spins when file descriptors run out, has no
//! time limit for request heads and copies every event into a buffer per connection. This one does not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use rustix::process::{Resource, getrlimit};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::App;
use super::handover::{self, Door};

/// Connections that wait to be accepted, as in a reconnect storm.
const BACKLOG: u32 = 4_096;
/// After a failed accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// File descriptors for all but connections to clients and the pool: the three direct connections to the database,
/// the listener, the runtime's own, standard streams, and what is opened for a moment.
const RESERVED_FILES: usize = 64;
/// From the first byte to the end of a request's head.
pub(super) const HEADER_WAIT: Duration = Duration::from_secs(10);
/// Before the second look at a client that sent only the beginning of what tells its protocol; before each further
/// one twice as long, so that thousands of such clients cost nothing.
const PEEK_PAUSE: Duration = Duration::from_millis(5);
/// A peer that acknowledges nothing for so long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// A silent peer is asked after this time, and again at this distance.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// After the stop signal, for streams to say goodbye and commands to finish.
const STOP_WAIT: Duration = Duration::from_secs(8);

/// The whole of what is served.
pub type Site = Arc<BoxEndpoint<'static, Response>>;

/// Binds with a long backlog.
///
/// # Errors
/// The address is taken or not ours.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// As many connections as asked for, or fewer: as the process's limit of open files has room for beside a pool of
/// this size. More would be accepted only to fail.
fn fitting(most_connections: usize, pool_size: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else { return most_connections };
    let room = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(RESERVED_FILES + pool_size).max(1);
    if room < most_connections {
        tracing::warn!(asked = most_connections, files, "at most {room} connections: raise the limit of open files");
    }
    room.min(most_connections)
}

/// Serves until the app stops, then lets what runs end within [`STOP_WAIT`].
pub async fn serve(listener: TcpListener, site: Site, app: &Arc<App>) {
    let most_connections = fitting(app.config.max_connections, app.config.pool_size);
    let connections = TaskTracker::new();
    let stop = &app.stop;
    let room = Arc::new(Semaphore::new(most_connections));
    loop {
        // No room: the next ones wait in the backlog instead of using up file descriptors.
        let place = tokio::select! {
            place = room.clone().acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let Ok(place) = place else { break }; // it is never closed
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        prepare(&stream);
        connections.spawn(connection(stream, peer, site.clone(), app.clone(), place));
    }
    drop(listener);
    connections.close();
    let ended = timeout(STOP_WAIT, async {
        connections.wait().await;
        // Streams that were handed over say goodbye by themselves.
        let _ = room.acquire_many(u32::try_from(most_connections).unwrap_or(u32::MAX)).await;
    });
    if ended.await.is_err() {
        tracing::warn!(connections = connections.len(), streams = app.hub.open().count(), "cut at the end of the stop");
    }
}

fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    let set = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive))
        .and_then(|()| socket.set_tcp_user_timeout(Some(USER_TIMEOUT)));
    if let Err(error) = set {
        tracing::debug!(%error, "socket options");
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, site: Site, app: Arc<App>, place: OwnedSemaphorePermit) {
    let begun = tokio::select! {
        begun = timeout(HEADER_WAIT, begins_http2(&stream)) => begun,
        () = app.stop.cancelled() => return, // clients keep connections in reserve, which say nothing for long
    };
    let Ok(Ok(is_http2)) = begun else { return };
    let local = stream.local_addr().unwrap_or(peer);
    let site = move |request: hyper::Request<Incoming>, door: Option<Arc<Door>>| {
        let site = site.clone();
        async move {
            let from = (LocalAddr(local.into()), RemoteAddr(peer.into()));
            let mut request: Request = (request, from.0, from.1, Scheme::HTTP).into();
            if let Some(door) = door {
                request.set_data(door);
            }
            site.get_response(request).await
        }
    };
    let ended =
        if is_http2 { http2(stream, site, &app.stop).await } else { handover::http1(stream, site, app, place).await };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "connection ended");
    }
}

/// Whether the client speaks HTTP/2 from the beginning, as proxies may. Nothing is read.
///
/// The whole preface (RFC 9113, section 3.4) is awaited here, since hyper awaits it without limit.
async fn begins_http2(stream: &TcpStream) -> std::io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut first = [0; PREFACE.len()];
    let mut pause = PEEK_PAUSE;
    loop {
        let seen = stream.peek(&mut first).await?;
        if seen == PREFACE.len() || seen == 0 || !PREFACE.starts_with(&first[..seen]) {
            return Ok(seen == PREFACE.len() && first == PREFACE);
        }
        sleep(pause).await; // what is there does not tell yet
        pause *= 2;
    }
}

async fn http2<F>(
    stream: TcpStream,
    site: impl Fn(hyper::Request<Incoming>, Option<Arc<Door>>) -> F,
    stop: &CancellationToken,
) -> hyper::Result<()>
where
    F: Future<Output = Response> + Send + 'static,
{
    let service = service_fn(|request| {
        let response = site(request, None);
        async move { Ok::<hyper::Response<_>, Infallible>(response.await.into()) }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(256)
        .max_send_buf_size(64 << 10);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await // never polled again after its end
        }
    }
}
