//! The server's ends of connections, as the kernel shows them in /proc/net/tcp.

use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use anyhow::{Context, Result};

/// One end that the server holds, or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Bytes that were written and not acknowledged: the kernel keeps them.
    pub(super) queued_bytes: u64,
    /// The process has it open; if not, the kernel alone still tries to deliver the rest.
    pub(super) owned: bool,
}

/// The ends of a server's connections, by the address of their peer.
pub(super) fn ends_of(server: SocketAddr) -> Result<HashMap<SocketAddr, End>> {
    let mut ends = HashMap::new();
    for line in fs::read_to_string("/proc/net/tcp")?.lines().skip(1) {
        let (local, peer, end) = parse(line).with_context(|| format!("a line of /proc/net/tcp: {line}"))?;
        if local == server {
            ends.insert(peer, end);
        }
    }
    Ok(ends)
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`, see proc(5).
fn parse(line: &str) -> Option<(SocketAddr, SocketAddr, End)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (queued, _) = fields.get(4)?.split_once(':')?;
    // A socket that no process has open any more has no inode.
    let end = End { queued_bytes: u64::from_str_radix(queued, 16).ok()?, owned: *fields.get(9)? != "0" };
    Some((address(fields.get(1)?)?, address(fields.get(2)?)?, end))
}

/// `0100007F:1F90`: the address as the machine's own number, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    Some(SocketAddrV4::new(address, u16::from_str_radix(port, 16).ok()?).into())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn what_a_peer_does_not_read_is_queued_at_the_server() -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let reader = TcpStream::connect(listener.local_addr()?)?;
        let (mut writer, peer) = listener.accept()?;
        writer.set_nonblocking(true)?;
        while writer.write(&[0; 65_536]).is_ok() {}
        let end = *ends_of(listener.local_addr()?)?.get(&peer).context("the connection")?;
        assert!(end.owned && end.queued_bytes > 0, "{end:?}");
        drop(writer);
        let end = *ends_of(listener.local_addr()?)?.get(&peer).context("the orphan")?;
        assert!(!end.owned && end.queued_bytes > 0, "{end:?}");
        drop(reader);
        Ok(())
    }
}
