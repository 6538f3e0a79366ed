//! One connection test: TCP through the egress guard, then SSH if it is asked for. Nobody signs in.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::ssh::{self, Peer};
use crate::domain::server::{Method, Server};
use crate::egress::{Egress, NotConnected};

/// What a test met with.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Whether it was answered as the check asks for.
    pub answers: bool,
    /// What happened, for people; never what a name resolves to.
    pub message: String,
    /// From the beginning, the look-up of the name included, until the connection stood.
    pub connect: Option<Duration>,
    /// From there until the key exchange had been offered.
    pub handshake: Option<Duration>,
    /// Who answered, if SSH was asked for and spoken.
    pub ssh: Option<Peer>,
}

impl Finding {
    /// Microseconds, as they are kept.
    pub fn connect_us(&self) -> Option<i32> {
        self.connect.map(micros)
    }

    /// Microseconds, as they are kept.
    pub fn handshake_us(&self) -> Option<i32> {
        self.handshake.map(micros)
    }
}

/// Tests a server once, within its `timeout_s`.
///
/// # Cancellation
/// Safe: the connection is closed.
pub async fn test(egress: &Egress, server: &Server) -> Finding {
    let begin = Instant::now();
    let limit_s = server.check.timeout_s;
    let deadline = begin + Duration::from_secs(limit_s.into());
    let late = || format!("no answer within {limit_s} s");
    let no = |message| Finding { answers: false, message, connect: None, handshake: None, ssh: None };
    let stream = match egress.connect(&server.host, server.port, deadline).await {
        Ok(stream) => stream,
        Err(NotConnected::Late) => return no(late()),
        Err(NotConnected::Refused(refused)) => return no(refused.to_string()),
        // The kind, such as "connection refused": the system's own text may name an address.
        Err(NotConnected::Failed(error)) => return no(error.kind().to_string()),
    };
    let connect = Some(begin.elapsed());
    if server.check.method == Method::Tcp {
        let message = "the port accepts connections".to_owned();
        return Finding { answers: true, message, connect, handshake: None, ssh: None };
    }
    let connected = Instant::now();
    match timeout_at(deadline, ssh::shake_hands(stream)).await {
        Ok(Ok(peer)) => {
            let message = format!("speaks SSH: {}", peer.identification);
            Finding { answers: true, message, connect, handshake: Some(connected.elapsed()), ssh: Some(peer) }
        }
        Ok(Err(not_ssh)) => Finding { connect, ..no(not_ssh.to_string()) },
        Err(_elapsed) => Finding { connect, ..no(late()) },
    }
}

/// A test is over after half a minute, so nothing is cut off.
fn micros(duration: Duration) -> i32 {
    i32::try_from(duration.as_micros()).unwrap_or(i32::MAX)
}
