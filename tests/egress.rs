//! Where a user may let the server connect to: every spelling of every address that nobody should reach.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use signalbox::egress::{Egress, NotConnected, Refused};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Hosts that are refused whatever they would resolve to: no two programs read them alike.
const MALFORMED: [&str; 62] = [
    "",
    " ",
    ".",
    "..",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0X7F000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.01",
    "127.000.000.001",
    "00.0.0.0",
    "0",
    "0x0",
    "127.0.0.1.",
    "127.0.0.1..",
    ".127.0.0.1",
    "127..0.1",
    "127.0.0.256",
    "127.0.0.1.5",
    "127.0.0.0x1",
    "256.256.256.256",
    "4294967296",
    "18446744073709551615",
    " 127.0.0.1",
    "127.0.0.1 ",
    "127.0.0.1\0.example.org",
    "127.0.0.1\n",
    "127.0.0.1\t",
    "127.0.0.1:80",
    "127.0.0.1/",
    "127.0.0.1#",
    "127.0.0.1?",
    "user@127.0.0.1",
    "example.org@127.0.0.1",
    "example.org#@127.0.0.1",
    "example.org\\@127.0.0.1",
    "http://127.0.0.1",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "١٢٧.0.0.1",
    "localhost.",
    "ｌocalhost",
    "lⓞcalhost",
    "localhost\u{ad}",
    "exa mple.org",
    "-example.org",
    "::1%lo",
    "fe80::1%eth0",
    "[fe80::1%25eth0]",
    "[::1",
    "[127.0.0.1]",
    "::ffff:127.1",
];

/// Addresses in a spelling that is fine, where nobody is who should be reached.
const FORBIDDEN: [&str; 67] = [
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "100.100.100.200",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "0000:0000:0000:0000:0000:0000:0000:0001",
    "::127.0.0.1",
    "::7f00:1",
    "::a9fe:a9fe",
    "::ffff:127.0.0.1",
    "[::ffff:127.0.0.1]",
    "::ffff:7f00:1",
    "::FFFF:7F00:0001",
    "0:0:0:0:0:ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:5601:5601",
    "2001:2::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

/// Public ones, at the edges of what is not.
const PUBLIC: [&str; 22] = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700:4700::1111",
    "[2606:4700:4700::1111]",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2a00:1450:4001:81b::200e",
];

fn egress(allow: &str) -> Egress {
    let ranges: Vec<IpNet> =
        allow.split(',').filter(|range| !range.is_empty()).map(|range| range.parse().unwrap()).collect();
    Egress::new(&ranges)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_is_accepted() {
    let egress = egress("");
    for host in MALFORMED {
        assert_eq!(egress.resolve(host, 80).await, Err(Refused::Malformed), "{host:?}");
        assert_eq!(egress.check(host), Err(Refused::Malformed), "{host:?}");
    }
    for host in FORBIDDEN {
        assert_eq!(egress.resolve(host, 80).await, Err(Refused::Forbidden), "{host:?}");
        assert_eq!(egress.check(host), Err(Refused::Forbidden), "{host:?}");
    }
    let long_name = ["a"; 128].join(".");
    let long_label = "a".repeat(64);
    for host in [long_name, format!("{long_label}.org")] {
        assert_eq!(egress.resolve(&host, 80).await, Err(Refused::Malformed), "{host:?}");
    }
}

#[tokio::test]
async fn public_addresses_are_accepted_up_to_the_edge_of_every_range() {
    for host in PUBLIC {
        let found = egress("").resolve(host, 80).await;
        assert_eq!(found.map(|addresses| addresses.len()), Ok(1), "{host:?}");
    }
    assert_eq!(egress("").resolve("1.1.1.1", 0).await, Err(Refused::Forbidden), "no port");
}

#[tokio::test]
async fn configured_ranges_are_accepted_and_nothing_beside_them() {
    let configured = egress("10.0.0.0/8,127.0.0.0/8,fd00::/8");
    for host in ["10.0.0.1", "10.255.255.255", "127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "fd12:3456::1"] {
        assert!(configured.resolve(host, 22).await.is_ok(), "{host:?}");
    }
    for host in ["11.0.0.1", "1.1.1.1"] {
        assert!(configured.resolve(host, 22).await.is_ok(), "public stays public: {host:?}");
    }
    for host in ["192.168.0.1", "172.16.0.1", "::1", "fe80::1", "64:ff9b::a00:1", "2002:a00:1::"] {
        assert_eq!(configured.resolve(host, 22).await, Err(Refused::Forbidden), "{host:?}");
    }
    for host in ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"] {
        assert_eq!(configured.resolve(host, 22).await, Err(Refused::Malformed), "{host:?}");
    }
}

#[tokio::test]
async fn metadata_addresses_stay_closed_whatever_is_configured() {
    let open = egress("0.0.0.0/0,::/0");
    assert!(open.resolve("169.254.0.1", 80).await.is_ok());
    let metadata = [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:1:2:3:4:5601:5601", // Teredo keeps it inverted
    ];
    for host in metadata {
        assert_eq!(open.resolve(host, 80).await, Err(Refused::Forbidden), "{host:?}");
    }
}

#[test]
fn a_name_is_refused_when_a_single_one_of_its_addresses_is() {
    let address = |text: &str| SocketAddr::new(text.parse::<IpAddr>().unwrap(), 443);
    let guard = egress("");
    let fine = vec![address("1.1.1.1"), address("2606:4700:4700::1111")];
    assert_eq!(guard.checked(fine.clone()), Ok(fine.clone()));
    for bad in ["127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"] {
        for place in 0..=fine.len() {
            let mut addresses = fine.clone();
            addresses.insert(place, address(bad));
            assert_eq!(guard.checked(addresses), Err(Refused::Forbidden), "{bad} at {place}");
        }
    }
    assert_eq!(guard.checked(Vec::new()), Err(Refused::Unresolved));
    assert_eq!(guard.checked(vec![address("1.1.1.1"); 33]), Err(Refused::Forbidden), "more than any name has");
}

#[tokio::test]
async fn localhost_is_resolved_and_then_refused_by_its_address() {
    for name in ["localhost", "LOCALHOST", "LocalHost"] {
        assert_eq!(egress("").resolve(name, 80).await, Err(Refused::Forbidden), "{name}");
    }
    let found = egress("127.0.0.0/8,::1/128").resolve("localhost", 80).await.unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    assert_eq!(egress("").resolve("name.invalid", 80).await, Err(Refused::Unresolved));
}

#[tokio::test]
async fn a_refused_host_is_never_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "2130706433", "127.1", "0.0.0.0"] {
        let outcome = egress("").connect(host, port, soon()).await;
        assert!(matches!(outcome, Err(NotConnected::Refused(_))), "{host}: {outcome:?}");
    }
    // Allowed, it is the first to arrive: nobody came before.
    let stream = egress("127.0.0.0/8").connect("127.0.0.1", port, soon()).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(stream.local_addr().unwrap(), first);
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[tokio::test]
async fn a_closed_port_and_a_deadline_that_is_over_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let guard = egress("127.0.0.0/8");
    let outcome = guard.connect("127.0.0.1", port, soon()).await;
    assert!(matches!(outcome, Err(NotConnected::Failed(_))), "{outcome:?}");
    // The address of no machine: whatever the network does with it, the deadline ends it.
    let outcome = egress("0.0.0.0/0").connect("192.0.2.1", port, Instant::now()).await;
    assert!(matches!(outcome, Err(NotConnected::Late)), "{outcome:?}");
}
