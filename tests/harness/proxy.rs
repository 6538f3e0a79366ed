//! A TCP proxy that does harm: between a server and its database, or between a client and a server.
//!
//! It passes, delays or holds bytes, resets connections, and, where it knows that PostgreSQL's protocol is
//! spoken, leaves out notifications, counts calls, and cuts exactly before or after a statement's commit.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to a connection's bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(dead_code, reason = "a proxy has faults that only some of the tests need")]
pub enum Fault {
    Pass,
    /// Each piece waits so long.
    Delay(Duration),
    /// Both sockets stay open and acknowledge what arrives, and nothing is passed on.
    Hold,
    /// PostgreSQL's notifications are left out, all else passes.
    Mute,
    /// Both sides are reset.
    Cut,
}

/// When a call of a statement is cut off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    /// Before PostgreSQL hears of it.
    Unheard,
    /// As soon as PostgreSQL has been told to commit.
    Told,
    /// When PostgreSQL has said that it is committed, which nobody gets to know.
    Committed,
}

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone)]
enum Upstream {
    Tcp(SocketAddr),
    Postgres(PathBuf),
}

struct Shared {
    upstream: Mutex<Upstream>,
    links: Mutex<Vec<Link>>,
    ambush: Mutex<Option<Ambush>>,
    /// Statements executed, by application name.
    calls: Mutex<HashMap<String, u64>>,
}

struct Link {
    /// PostgreSQL's application name; empty elsewhere.
    name: Arc<Mutex<String>>,
    fault: watch::Sender<Fault>,
}

struct Ambush {
    /// In the statement's text.
    text: &'static str,
    moment: Moment,
    times: u32,
}

impl Proxy {
    /// In front of any TCP server.
    pub async fn to(address: SocketAddr) -> Proxy {
        Proxy::start(Upstream::Tcp(address)).await
    }

    /// In front of the PostgreSQL whose socket is in this directory.
    pub async fn to_postgres(socket_directory: &Path) -> Proxy {
        Proxy::start(Upstream::Postgres(socket_directory.join(".s.PGSQL.5432"))).await
    }

    async fn start(upstream: Upstream) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            links: Mutex::default(),
            ambush: Mutex::default(),
            calls: Mutex::default(),
        });
        Proxy { address, accepting: tokio::spawn(accept(listener, shared.clone())), shared }
    }

    /// A database of the PostgreSQL behind it, for this user.
    pub fn url(&self, database: &str, user: &str) -> String {
        format!("postgresql://{user}@{}/{database}?sslmode=disable", self.address)
    }

    /// Where new connections lead from now on.
    pub fn redirect(&self, address: SocketAddr) {
        *self.shared.upstream.lock().unwrap() = Upstream::Tcp(address);
    }

    /// Lets something happen to all open connections whose name begins so; says to how many.
    pub fn strike(&self, name: &str, fault: Fault) -> usize {
        let mut links = self.shared.links.lock().unwrap();
        links.retain(|link| !link.fault.is_closed());
        let mut struck = 0;
        for link in links.iter().filter(|link| link.name.lock().unwrap().starts_with(name)) {
            link.fault.send_replace(fault);
            struck += 1;
        }
        struck
    }

    /// How many open connections whose name begins so have this fault now.
    pub fn count(&self, name: &str, fault: Fault) -> usize {
        let links = self.shared.links.lock().unwrap();
        let open = links.iter().filter(|link| !link.fault.is_closed() && link.name.lock().unwrap().starts_with(name));
        open.filter(|link| *link.fault.borrow() == fault).count()
    }

    /// Cuts off the next calls of a statement with this text.
    pub fn ambush(&self, text: &'static str, moment: Moment, times: u32) {
        *self.shared.ambush.lock().unwrap() = Some(Ambush { text, moment, times });
    }

    /// Calls that are still to be cut off.
    pub fn ambushes_left(&self) -> u32 {
        self.shared.ambush.lock().unwrap().as_ref().map_or(0, |ambush| ambush.times)
    }

    /// Statements that sessions of this application name have executed.
    pub fn calls(&self, application: &str) -> u64 {
        self.shared.calls.lock().unwrap().get(application).copied().unwrap_or(0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut links = JoinSet::new(); // ends with this task
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        let upstream = shared.upstream.lock().unwrap().clone();
        let fault = watch::Sender::new(Fault::Pass);
        let name = Arc::<Mutex<String>>::default();
        shared.links.lock().unwrap().push(Link { name: name.clone(), fault: fault.clone() });
        let ends = Ends { shared: shared.clone(), name, fault: fault.subscribe(), cut: fault, armed: Arc::default() };
        links.spawn(async move {
            // What cannot be reached is a connection that ends at once.
            match upstream {
                Upstream::Tcp(address) => {
                    let Ok(server) = TcpStream::connect(address).await else { return };
                    ends.run(client, server, false).await;
                }
                Upstream::Postgres(path) => {
                    let Ok(server) = UnixStream::connect(path).await else { return };
                    ends.run(client, server, true).await;
                }
            }
        });
        while links.try_join_next().is_some() {}
    }
}

/// One connection, from end to end.
#[derive(Clone)]
struct Ends {
    shared: Arc<Shared>,
    name: Arc<Mutex<String>>,
    fault: watch::Receiver<Fault>,
    cut: watch::Sender<Fault>,
    /// The reply to the next call is withheld, and its end cuts.
    armed: Arc<AtomicBool>,
}

impl Ends {
    async fn run<S: AsyncRead + AsyncWrite>(mut self, mut client: TcpStream, server: S, postgres: bool) {
        let (from_server, to_server) = split(server);
        let (from_client, to_client) = client.split();
        let requests = self.clone().pump(from_client, to_server, postgres.then(|| Messages::new(true)));
        let replies = self.clone().pump(from_server, to_client, postgres.then(|| Messages::new(false)));
        let cut = tokio::select! {
            () = requests => false,
            () = replies => false,
            _ = self.fault.wait_for(|fault| *fault == Fault::Cut) => true,
        };
        if cut {
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO)); // closing now resets
        }
    }

    async fn pump(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        parse: Option<Messages>,
    ) {
        let mut messages = parse;
        let mut chunk = BytesMut::new();
        loop {
            chunk.reserve(16 << 10);
            if !matches!(from.read_buf(&mut chunk).await, Ok(1..)) {
                return;
            }
            let Ok(fault) = self.fault.wait_for(|fault| *fault != Fault::Hold).await.map(|fault| *fault) else {
                return;
            };
            if let Fault::Delay(delay) = fault {
                tokio::time::sleep(delay).await;
            }
            let pass = match &mut messages {
                None => Some(chunk.split().freeze()),
                Some(messages) => self.judge(messages, chunk.split(), fault),
            };
            let Some(pass) = pass else { return std::future::pending().await };
            if to.write_all(&pass).await.is_err() {
                return;
            }
            if messages.as_ref().is_some_and(|messages| messages.cut_after) {
                self.cut.send_replace(Fault::Cut);
            }
        }
    }

    /// What of these bytes passes; `None` when the connection is cut instead.
    fn judge(&self, messages: &mut Messages, chunk: BytesMut, fault: Fault) -> Option<Bytes> {
        let mut pass = BytesMut::new();
        messages.buffer.unsplit(chunk);
        while let Some((kind, message)) = messages.next() {
            let verdict =
                if messages.requests { self.request(messages, kind, &message) } else { self.reply(kind, fault) };
            match verdict {
                Verdict::Pass => pass.extend_from_slice(&message),
                Verdict::LeaveOut => {}
                Verdict::Cut => {
                    self.cut.send_replace(Fault::Cut);
                    return None;
                }
            }
        }
        Some(pass.freeze())
    }

    fn request(&self, messages: &mut Messages, kind: u8, message: &Bytes) -> Verdict {
        let mut texts = message.get(5..).unwrap_or_default().split(|byte| *byte == 0);
        match kind {
            STARTUP => *self.name.lock().unwrap() = application(message),
            b'P' => {
                let (name, sql) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
                messages.statements.insert(name.to_vec(), String::from_utf8_lossy(sql).into_owned());
            }
            b'B' => {
                *self.shared.calls.lock().unwrap().entry(self.name.lock().unwrap().clone()).or_default() += 1;
                let sql = texts.nth(1).and_then(|name| messages.statements.get(name)).cloned().unwrap_or_default();
                let mut ambush = self.shared.ambush.lock().unwrap();
                if let Some(ambush) = ambush.as_mut().filter(|ambush| ambush.times > 0 && sql.contains(ambush.text)) {
                    ambush.times -= 1;
                    match ambush.moment {
                        Moment::Unheard => return Verdict::Cut,
                        Moment::Told => messages.cut_at_sync = true,
                        Moment::Committed => self.armed.store(true, Ordering::Relaxed),
                    }
                }
            }
            b'S' => messages.cut_after |= messages.cut_at_sync,
            _ => {}
        }
        Verdict::Pass
    }

    fn reply(&self, kind: u8, fault: Fault) -> Verdict {
        match (kind, self.armed.load(Ordering::Relaxed)) {
            (b'Z', true) => Verdict::Cut, // ready for the next query: the transaction of this one is over
            (_, true) => Verdict::LeaveOut,
            (b'A', false) if fault == Fault::Mute => Verdict::LeaveOut,
            _ => Verdict::Pass,
        }
    }
}

enum Verdict {
    Pass,
    LeaveOut,
    Cut,
}

/// Stands for the kind of a session's first message, which has none.
const STARTUP: u8 = 0;

/// PostgreSQL's messages in one direction: a kind, four bytes of length that count themselves, and the rest.
struct Messages {
    buffer: BytesMut,
    requests: bool,
    begun: bool,
    /// Texts of prepared statements by name.
    statements: HashMap<Vec<u8>, String>,
    cut_at_sync: bool,
    cut_after: bool,
}

impl Messages {
    fn new(requests: bool) -> Messages {
        let (buffer, statements) = Default::default();
        Messages { buffer, requests, begun: !requests, statements, cut_at_sync: false, cut_after: false }
    }

    fn next(&mut self) -> Option<(u8, Bytes)> {
        let head = usize::from(self.begun);
        let length = self.buffer.get(head..head + 4)?.get_u32() as usize + head;
        if self.buffer.len() < length {
            return None;
        }
        let message = self.buffer.split_to(length).freeze();
        let kind = if self.begun { message[0] } else { STARTUP };
        self.begun = true;
        Some((kind, message))
    }
}

/// The application name in a startup message: names and values by turns, each ended by a zero.
fn application(startup: &[u8]) -> String {
    let mut texts = startup.get(8..).unwrap_or_default().split(|byte| *byte == 0);
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        if name == b"application_name" {
            return String::from_utf8_lossy(value).into_owned();
        }
    }
    String::new()
}
