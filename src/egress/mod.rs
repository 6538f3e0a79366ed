//! The guard for every connection that a user's input makes this server open: connection tests, webhooks, mail.
//!
//! A name is resolved once, every address it has is checked, and the connection goes to a checked address. Nobody
//! looks the name up a second time, so a name that answers differently the second time (DNS rebinding) gains nothing.
//! Redirects are the business of whoever speaks HTTP: each is a new host, to be asked about here.

mod host;
mod range;
mod trust;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use host::Host;
pub use trust::{Trust, distrusted};

/// A resolver that takes longer is as good as none.
const LOOKUP_WAIT: Duration = Duration::from_secs(5);
/// Each lookup holds one of the runtime's blocking threads, a dead resolver's for as long as it likes.
const LOOKUPS_AT_ONCE: usize = 16;
/// A name with more addresses than any round robin has is not tried at all.
const MOST_ADDRESSES: usize = 32;

/// Where this server may connect to because a user says so.
///
/// Public addresses, and the configured ranges. Never, whatever is configured: the addresses where clouds hand out
/// the machine's own credentials.
#[derive(Debug, Clone)]
pub struct Egress {
    allow: Arc<[IpNet]>,
    lookups: Arc<Semaphore>,
}

/// Why no connection is attempted. The sentences are for the client: none tells what a name resolves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a host in its one plain spelling.
    #[error("this is no host: write a name in ASCII, an IPv4 address as four decimal numbers, or an IPv6 address")]
    Malformed,
    /// No address for this name, or none in time.
    #[error("the name was not resolved")]
    Unresolved,
    /// At least one address is neither public nor configured.
    #[error("the host has an address that this server may not connect to")]
    Forbidden,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NotConnected {
    /// None was attempted.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No address answered before the deadline.
    #[error("no answer in time")]
    Late,
    /// The last address that was tried said no.
    #[error("{0}")]
    Failed(#[from] io::Error),
}

impl Egress {
    /// Public addresses and these ranges.
    pub fn new(allow: &[IpNet]) -> Egress {
        Egress { allow: allow.into(), lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)) }
    }

    /// Whether a connection to this address may be opened.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical(); // ::ffff:10.0.0.1 is 10.0.0.1 to the kernel
        if range::metadata(address) {
            return false;
        }
        self.allow.iter().any(|range| range.contains(&address)) || range::public(address)
    }

    /// Whether the text is a host at all, without looking a name up: what can be said before a target is stored.
    ///
    /// # Errors
    /// Malformed, or an address literal that is forbidden.
    pub fn check(&self, host: &str) -> Result<(), Refused> {
        match Host::parse(host).ok_or(Refused::Malformed)? {
            Host::Address(address) if !self.permits(address) => Err(Refused::Forbidden),
            Host::Address(_) | Host::Name(_) => Ok(()),
        }
    }

    /// The addresses of a host, all of them checked. Whoever connects, connects to one of these and to nothing else.
    ///
    /// # Errors
    /// [`Refused`]: one forbidden address among permitted ones refuses the host.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        match Host::parse(host).ok_or(Refused::Malformed)? {
            Host::Address(address) => self.checked(vec![SocketAddr::new(address, port)]),
            Host::Name(name) => self.checked(self.look_up(name, port).await?),
        }
    }

    /// The same addresses, if every one of them is permitted, for a client with a resolver of its own.
    ///
    /// # Errors
    /// Unresolved when there are none; forbidden when one is, or when there are too many to be honest.
    pub fn checked(&self, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        if addresses.is_empty() {
            return Err(Refused::Unresolved);
        }
        let permitted = addresses.iter().all(|address| address.port() != 0 && self.permits(address.ip()));
        if permitted && addresses.len() <= MOST_ADDRESSES { Ok(addresses) } else { Err(Refused::Forbidden) }
    }

    /// A connection to a checked address of the host, before the deadline. Addresses are tried in the resolver's
    /// order, each for its share of the time that is left.
    ///
    /// # Errors
    /// Refused, late, or what the last address said.
    pub async fn connect(&self, host: &str, port: u16, deadline: Instant) -> Result<TcpStream, NotConnected> {
        let resolved = timeout_at(deadline, self.resolve(host, port)).await;
        let addresses = resolved.map_err(|_elapsed| NotConnected::Late)??;
        let mut outcome = NotConnected::Late;
        for (tried, address) in addresses.iter().enumerate() {
            let share = deadline.saturating_duration_since(Instant::now()) / (addresses.len() - tried) as u32;
            if share.is_zero() {
                return Err(outcome); // a timeout polls once even then, and the kernel may answer at once
            }
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => outcome = error.into(),
                Err(_elapsed) => outcome = NotConnected::Late,
            }
        }
        Err(outcome)
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let (name, lookups) = (name.to_owned(), self.lookups.clone());
        // A task of its own: it gives its turn back when the blocking thread is free again, not when we gave up.
        let lookup = tokio::spawn(async move {
            let _turn = lookups.acquire_owned().await;
            lookup_host((name.as_str(), port)).await.map(|found| found.take(MOST_ADDRESSES + 1).collect::<Vec<_>>())
        });
        match timeout(LOOKUP_WAIT, lookup).await {
            Ok(Ok(Ok(addresses))) => Ok(addresses),
            Ok(Ok(Err(_unknown))) => Err(Refused::Unresolved),
            Ok(Err(error)) => {
                tracing::error!(%error, "a lookup task failed");
                Err(Refused::Unresolved)
            }
            Err(_elapsed) => Err(Refused::Unresolved),
        }
    }
}
