//! One capture with a little of everything that an exposition shows.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::ip::{GRE, Ipv4, Ipv6, Transport, UDP, icmp, icmpv6, other, tcp, udp};
use super::link::{Link, Sample};
use super::savefile::Savefile;

/// A host of the local networks.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 124);
/// Its neighbour.
pub const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
/// A server on the Internet.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 80);
/// A resolver on the Internet.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 53);
/// The host's other address.
pub const HOST_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x124);
/// The server's other address.
pub const SERVER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80);

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;

fn v4(source: Ipv4Addr, destination: Ipv4Addr, above: Transport) -> Vec<u8> {
    Ipv4::carrying(above).between(source, destination).build()
}

fn v6(source: Ipv6Addr, destination: Ipv6Addr, above: Transport) -> Sample {
    Link::ethernet().carrying(&Ipv6::carrying(above).between(source, destination).build())
}

fn from_host(destination: Ipv4Addr, above: Transport) -> Sample {
    Link::ethernet().carrying(&v4(HOST, destination, above))
}

fn to_host(source: Ipv4Addr, above: Transport) -> Sample {
    Link::ethernet().carrying(&v4(source, HOST, above))
}

/// The frames, a second apart.
pub fn frames() -> Vec<Sample> {
    [conversations(), without_ports(), not_ip()].concat()
}

/// Services with their replies, over IPv4 and IPv6, a VLAN, multicast and ports without names.
fn conversations() -> Vec<Sample> {
    vec![
        from_host(SERVER, udp(50_000, 443, &[0; 100])),
        to_host(SERVER, udp(443, 50_000, &[0; 1_200])),
        from_host(SERVER, tcp(51_000, 80, SYN, b"")),
        to_host(SERVER, tcp(80, 51_000, SYN_ACK, b"")),
        from_host(SERVER, tcp(51_000, 80, ACK, b"GET / HTTP/1.1\r\n\r\n")),
        to_host(SERVER, tcp(80, 51_000, ACK, &[b'x'; 1_400])),
        Link::ethernet().vlan(0x8100).carrying(&v4(HOST, RESOLVER, udp(52_000, 53, b"name?"))),
        from_host(NEIGHBOUR, udp(60_001, 60_002, b"hello")),
        from_host(Ipv4Addr::new(239, 255, 255, 250), udp(1_900, 1_900, b"M-SEARCH")),
        v6(HOST_6, SERVER_6, tcp(53_000, 443, SYN, b"")),
        v6(SERVER_6, HOST_6, tcp(443, 53_000, SYN_ACK, b"")),
    ]
}

/// Protocols without ports, with and without a name, a later fragment, and a packet between strangers.
fn without_ports() -> Vec<Sample> {
    let fragment = Ipv4::carrying(other(UDP, &[0; 64])).between(HOST, RESOLVER).fragment(10, false);
    vec![
        from_host(SERVER, icmp(8)),
        to_host(SERVER, icmp(0)),
        v6(HOST_6, SERVER_6, icmpv6(128)),
        Link::ethernet().carrying(&fragment.build()),
        from_host(NEIGHBOUR, other(253, &[0; 16])),
        Link::ethernet().carrying(&v4(SERVER, RESOLVER, other(GRE, &[0; 40]))),
    ]
}

fn not_ip() -> Vec<Sample> {
    let malformed = Ipv4::carrying(icmp(8)).header_words(4).build();
    vec![
        Link::ethernet().carrying_ether_type(0x0806, &[0; 46]),
        Link::ethernet().carrying_ether_type(0x0806, &[0; 46]),
        Link::ethernet().carrying(&malformed),
        Link::ethernet().carrying_ether_type(38, &[0x42, 0x42, 0x03]),
        from_host(SERVER, icmp(8)).cut(10),
        from_host(SERVER, icmp(8)).cut(20),
    ]
}

/// The capture, written as `name` in `folder`.
pub fn write(folder: &Path, name: &str) -> PathBuf {
    Savefile::new(1).frames(&frames()).write(folder, name)
}
