//! Which addresses are of the public Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges that are not, each as its first address and its length: IANA's special-purpose registry for IPv4
/// (RFC 6890) and multicast.
const NOT_PUBLIC_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // this network; 0.0.0.0 is the machine itself to many kernels
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // behind a carrier's translation
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // relays of 6to4, gone
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// The part of IPv6 that is handed out to networks; all of the rest is special.
const GLOBAL_V6: ([u16; 8], u32) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// And what is special within that part.
const NOT_PUBLIC_V6: [([u16; 8], u32); 5] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments; Teredo, which hides an IPv4 address
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4, which hides an IPv4 address
    ([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16), // the 6bone, gone
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// Where clouds tell a machine its secrets, to whoever asks from it.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254), // nearly all of them
    Ipv4Addr::new(169, 254, 170, 2),   // credentials of a container on AWS
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's wire server, at an address that looks public
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google
];

/// Whether this is one of those, by itself or inside an IPv6 address that a gateway would translate.
pub(super) fn metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => METADATA_V4.contains(&v4),
        IpAddr::V6(v6) => METADATA_V6.contains(&v6) || hidden(v6).iter().any(|v4| METADATA_V4.contains(v4)),
    }
}

/// Whether anybody on the Internet can be at this address.
pub(super) fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped().or_else(|| behind_nat64(v6)) {
            Some(v4) => public_v4(v4),
            None => within_v6(v6, GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(|range| within_v6(v6, *range)),
        },
    }
}

fn public_v4(address: Ipv4Addr) -> bool {
    let number = u32::from(address);
    let within = |(first, length): ([u8; 4], u32)| (number ^ u32::from_be_bytes(first)) >> (32 - length) == 0;
    !NOT_PUBLIC_V4.into_iter().any(within)
}

fn within_v6(address: Ipv6Addr, (first, length): ([u16; 8], u32)) -> bool {
    (u128::from(address) ^ u128::from(Ipv6Addr::from(first))) >> (128 - length) == 0
}

/// RFC 6052: how an IPv6-only network reaches IPv4, so the IPv4 address decides.
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let prefix = ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
    within_v6(address, prefix).then(|| last_32_bits(address))
}

/// Every IPv4 address that some transition mechanism would find in this one.
fn hidden(address: Ipv6Addr) -> [Ipv4Addr; 3] {
    let number = u128::from(address);
    let of_6to4 = Ipv4Addr::from((number >> 80) as u32); // bits 16 to 48
    let of_teredo = Ipv4Addr::from(!(number as u32)); // the last 32 bits, inverted
    [last_32_bits(address), of_6to4, of_teredo]
}

fn last_32_bits(address: Ipv6Addr) -> Ipv4Addr {
    Ipv4Addr::from(u128::from(address) as u32)
}
