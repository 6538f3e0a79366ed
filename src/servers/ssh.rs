//! SSH as far as the first packets of the key exchange (RFC 4253): enough to know that a server speaks it, and
//! nothing that could sign in.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What we call ourselves.
const IDENTIFICATION: &[u8] = b"SSH-2.0-Signalbox\r\n";
/// Section 4.2: with its line end.
const IDENTIFICATION_BYTES: usize = 255;
/// Lines that a server may send before it says who it is; section 4.2 names no bound, so this is ours.
const LINES_BEFORE: usize = 32;
/// Section 6.1: what every implementation must take, and more than any key exchange packet needs.
const PACKET_BYTES: usize = 35_000;
/// Section 12.
const KEXINIT: u8 = 20;
const DISCONNECT: u8 = 1;
/// "by application", section 11.1.
const BY_APPLICATION: u32 = 11;
/// Names kept of each list.
const NAMES: usize = 16;
/// Section 6.
const NAME_CHARS: usize = 64;
/// What we say that we can do, in the order of section 7.1. It never comes to a choice: we leave before.
const OFFERS: [&str; 10] = [
    "curve25519-sha256",
    "ssh-ed25519",
    "aes256-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-256",
    "none",
    "none",
    "",
    "",
];

/// What a server told before anybody signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its identification line, such as `SSH-2.0-OpenSSH_9.2p1`, in visible ASCII.
    pub identification: String,
    /// Its first 16 offers of key exchange methods.
    pub key_exchange: Vec<String>,
    /// Its first 16 offers of host keys.
    pub host_keys: Vec<String>,
}

/// Why it is not SSH. The sentences stand in a server's status.
#[derive(Debug, thiserror::Error)]
pub enum NotSsh {
    /// It ended, or the system said no.
    #[error("the connection ended before SSH was spoken")]
    Ended(#[from] io::Error),
    /// The first lines are no identification.
    #[error("it does not speak SSH")]
    NoIdentification,
    /// SSH 1.
    #[error("it speaks an old version of SSH")]
    OldVersion,
    /// What follows is no key exchange.
    #[error("its SSH key exchange is malformed")]
    NoKeyExchange,
}

/// Exchanges identifications and KEXINIT packets, and says good-bye. The caller bounds the time.
///
/// # Errors
/// [`NotSsh`].
pub async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Result<Peer, NotSsh> {
    stream.write_all(IDENTIFICATION).await?;
    let identification = identification(&mut stream).await?;
    stream.write_all(&packet(&offers())).await?;
    let theirs = payload(&mut stream).await?;
    let mut lists = NameLists::of(&theirs).ok_or(NotSsh::NoKeyExchange)?;
    let peer = Peer {
        identification,
        key_exchange: lists.take_next().ok_or(NotSsh::NoKeyExchange)?,
        host_keys: lists.take_next().ok_or(NotSsh::NoKeyExchange)?,
    };
    // A courtesy, for the other side's log; whether it still listens does not matter.
    let _ = stream.write_all(&packet(&farewell())).await;
    Ok(peer)
}

/// The line that begins with `SSH-`, behind any lines that a server sends first.
async fn identification<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String, NotSsh> {
    for _ in 0..LINES_BEFORE {
        let line = line(stream).await?;
        if line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-") {
            let visible = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' };
            return Ok(line.iter().map(visible).collect());
        }
        if line.starts_with(b"SSH-") {
            return Err(NotSsh::OldVersion);
        }
    }
    Err(NotSsh::NoIdentification)
}

/// Byte by byte: what follows the line is a packet and must not be taken. A test reads some 20 bytes like this.
async fn line<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, NotSsh> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => break,
            byte if line.len() < IDENTIFICATION_BYTES => line.push(byte),
            _ => return Err(NotSsh::NoIdentification),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

/// Section 6: length, padding length, payload, padding; no MAC before keys are agreed.
async fn payload<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, NotSsh> {
    let length = stream.read_u32().await? as usize;
    if !(2..=PACKET_BYTES).contains(&length) {
        return Err(NotSsh::NoKeyExchange);
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    let end = length.checked_sub(usize::from(bytes[0])).filter(|end| *end > 1).ok_or(NotSsh::NoKeyExchange)?;
    Ok(bytes[1..end].to_vec())
}

/// The same around a payload of ours: a multiple of eight bytes, at least four of them padding.
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (4 + 1 + payload.len() + 4) % 8) % 8;
    let mut packet = ((1 + payload.len() + padding) as u32).to_be_bytes().to_vec();
    packet.push(padding as u8);
    packet.extend(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

/// Section 7.1.
fn offers() -> Vec<u8> {
    let mut payload = vec![KEXINIT];
    payload.extend(rand::random::<[u8; 16]>()); // the cookie
    for list in OFFERS {
        payload.extend((list.len() as u32).to_be_bytes());
        payload.extend(list.as_bytes());
    }
    payload.extend([0; 5]); // no guess follows, and a reserved number
    payload
}

/// Section 11.1.
fn farewell() -> Vec<u8> {
    let mut payload = vec![DISCONNECT];
    payload.extend(BY_APPLICATION.to_be_bytes());
    for text in ["tested", ""] {
        payload.extend((text.len() as u32).to_be_bytes());
        payload.extend(text.as_bytes());
    }
    payload
}

/// The lists of a KEXINIT packet, one after the other.
struct NameLists<'a>(&'a [u8]);

impl NameLists<'_> {
    /// Behind the type and the cookie.
    fn of(payload: &[u8]) -> Option<NameLists<'_>> {
        (payload.first() == Some(&KEXINIT)).then(|| payload.get(17..).map(NameLists)).flatten()
    }

    /// `None` when it is no list of names.
    fn take_next(&mut self) -> Option<Vec<String>> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let list = rest.get(..u32::from_be_bytes(*length) as usize)?;
        self.0 = &rest[list.len()..];
        let text = std::str::from_utf8(list).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))?;
        let names = text.split(',').filter(|name| !name.is_empty()).take(NAMES);
        names.map(|name| (name.len() <= NAME_CHARS).then(|| name.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What another side says, and what we make of it.
    async fn met(said: &[u8]) -> Result<Peer, NotSsh> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 17);
        theirs.write_all(said).await.unwrap();
        theirs.shutdown().await.unwrap();
        shake_hands(ours).await
    }

    #[tokio::test]
    async fn our_own_packets_are_read_back() {
        let mut said = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".to_vec();
        said.extend(packet(&offers()));
        let peer = met(&said).await.unwrap();
        assert_eq!(peer.identification, "SSH-2.0-OpenSSH_9.2p1 Debian-2");
        assert_eq!((peer.key_exchange, peer.host_keys), (vec!["curve25519-sha256".into()], vec!["ssh-ed25519".into()]));
        assert_eq!(packet(&offers()).len() % 8, 0);
    }

    #[tokio::test]
    async fn lines_before_the_identification_are_passed_over_up_to_a_bound() {
        let mut said = b"hello\r\n".repeat(LINES_BEFORE - 1);
        said.extend(b"SSH-2.0-x\n");
        said.extend(packet(&offers()));
        assert!(met(&said).await.is_ok());
        assert!(matches!(met(&b"hello\r\n".repeat(10_000)).await, Err(NotSsh::NoIdentification)));
        assert!(matches!(met(&vec![b'x'; 1 << 15]).await, Err(NotSsh::NoIdentification)));
    }

    #[tokio::test]
    async fn no_malformed_packet_is_taken_for_a_key_exchange() {
        let whole = packet(&offers());
        let after = |packet: &[u8]| [b"SSH-2.0-x\r\n", packet].concat();
        // Cut anywhere, it ended too early.
        for length in 0..whole.len() {
            assert!(met(&after(&whole[..length])).await.is_err(), "{length}");
        }
        let other_type = packet(&[&[21], &offers()[1..]].concat());
        let long_list = packet(&[&[KEXINIT; 17][..], &[0xff; 4]].concat());
        let all_padding = [&8_u32.to_be_bytes()[..], &[255; 8]].concat();
        let endless = u32::MAX.to_be_bytes().to_vec();
        let empty = 0_u32.to_be_bytes().to_vec();
        for packet in [other_type, long_list, all_padding, endless, empty] {
            assert!(matches!(met(&after(&packet)).await, Err(NotSsh::NoKeyExchange)), "{packet:?}");
        }
        assert!(matches!(met(b"SSH-1.5-old\r\n").await, Err(NotSsh::OldVersion)));
    }
}
