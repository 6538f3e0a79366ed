//! A host in its one plain spelling.
//!
//! The C library also reads `0177.1`, `2130706433` and `0x7f.0.0.1` as addresses, browsers fold `①` into `1`, and
//! every reader has its own idea of a trailing dot. Here an address has one spelling and a name has one; whatever
//! is neither is refused instead of being understood.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// RFC 1035: 255 octets on the wire.
const NAME_CHARS: usize = 253;
/// RFC 1035.
const LABEL_CHARS: usize = 63;

/// What a user calls a host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host<'a> {
    Address(IpAddr),
    /// Letters, digits, hyphens and underscores between dots: international names as `xn--…`.
    Name(&'a str),
}

impl Host<'_> {
    pub(super) fn parse(text: &str) -> Option<Host<'_>> {
        if let Some(literal) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return literal.parse::<Ipv6Addr>().ok().map(|address| Host::Address(address.into()));
        }
        // The standard library's parsers take neither octal, hexadecimal or missing parts nor a zone.
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Host::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Some(Host::Address(address.into()));
        }
        is_name(text).then_some(Host::Name(text))
    }
}

fn is_name(text: &str) -> bool {
    // A last label of a number makes the C library read the whole as an address.
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= NAME_CHARS && text.split('.').all(is_label) && !is_number(last)
}

fn is_label(label: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let inner = !label.starts_with('-') && !label.ends_with('-');
    (1..=LABEL_CHARS).contains(&label.len()) && label.bytes().all(safe) && inner
}

/// In any base that a C library knows.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
