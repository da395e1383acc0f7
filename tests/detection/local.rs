//! Benign hosts of a local network: they answer questions that went to many hosts, or send to broadcast addresses.

use std::net::{IpAddr, Ipv4Addr};

use super::common::ip::UDP;
use super::host::{Fate, Host, Probe, moment};
use super::labels::Class;
use super::traffic::{ACK, PUSH, Time, later};

/// Multicast groups and ports of discovery protocols, over IPv4 and IPv6: SSDP, WS-Discovery, LLMNR, mDNS.
const SSDP: Discovery = Discovery { v4: [239, 255, 255, 250], v6: [0xff02, 0, 0, 0, 0, 0, 0, 0xc], port: 1_900 };
const WS_DISCOVERY: Discovery = Discovery { port: 3_702, ..SSDP };
const LLMNR: Discovery = Discovery { v4: [224, 0, 0, 252], v6: [0xff02, 0, 0, 0, 0, 0, 1, 3], port: 5_355 };
const MDNS: Discovery = Discovery { v4: [224, 0, 0, 251], v6: [0xff02, 0, 0, 0, 0, 0, 0, 0xfb], port: 5_353 };

/// A protocol of which one host asks all others.
struct Discovery {
    v4: [u8; 4],
    v6: [u16; 8],
    port: u16,
}

/// The last address of the /24 of a host.
fn broadcast(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() | 0xff).into(),
        IpAddr::V6(_) => [0xff02, 0, 0, 0, 0, 0, 0, 1].into(),
    }
}

/// Clients ask, and this host answers each of them alone: from the protocol's port, or from one of its own.
fn answers(host: &mut Host, clients: u32, ask: impl Fn(IpAddr) -> IpAddr, port: u16) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    let own_port = host.port();
    let from = host.dice.pick(&[port, own_port]);
    for number in 0..clients {
        let (time, client) = (later(start, host.dice.within(0.0, 150.0)), host.target(number));
        let (asker, answer) =
            ((client, host.dice.from(32_768, 60_999) as u16), later(time, host.dice.within(0.01, 5.0)));
        host.traffic.udp(time, asker, (ask(client), port), 120);
        host.traffic.udp(answer, (host.address, from), asker, 320);
        if host.dice.chance(0.1) {
            // The client has waited long enough.
            host.traffic.unreachable(later(answer, 0.000_2), client, (host.address, from), asker, UDP);
        }
    }
}

fn discovered(host: &mut Host, protocol: &Discovery) {
    let clients = host.dice.from(17, 60);
    let group: IpAddr = if host.address.is_ipv4() { protocol.v4.into() } else { protocol.v6.into() };
    answers(host, clients, |_| group, protocol.port);
}

/// A television that is searched for.
fn television(host: &mut Host) {
    discovered(host, &SSDP);
}

fn printer(host: &mut Host) {
    discovered(host, &WS_DISCOVERY);
}

fn named(host: &mut Host) {
    let protocol = host.dice.pick(&[&LLMNR, &MDNS]);
    discovered(host, protocol);
}

/// NetBIOS names, or a vendor's protocol: asked at the broadcast address of the network.
fn asked_by_broadcast(host: &mut Host) {
    let (clients, port) = (host.dice.from(17, 60), host.dice.pick(&[137, 9_999]));
    answers(host, clients, broadcast, port);
}

/// All hosts of a network exchange their names: each answers the questions of 30 others.
fn chatter(host: &mut Host) {
    for protocol in [&SSDP, &WS_DISCOVERY, &LLMNR, &MDNS] {
        let group: IpAddr = if host.address.is_ipv4() { protocol.v4.into() } else { protocol.v6.into() };
        answers(host, 30, |_| group, protocol.port);
    }
    answers(host, 30, broadcast, 137);
}

fn dhcp(host: &mut Host, clients: u32, time: impl Fn(&mut Host) -> Time) {
    let is_v4 = host.address.is_ipv4();
    let (server, port) = if is_v4 { (67, 68) } else { (547, 546) };
    for number in 0..clients {
        let (asked, client) = (time(host), host.target(number));
        let asker = (if is_v4 { [0; 4].into() } else { client }, port);
        let group: IpAddr = if is_v4 { [255; 4].into() } else { [0xff02, 0, 0, 0, 0, 0, 1, 2].into() };
        for round in 0..2 {
            let time = later(asked, 0.02 * f64::from(round));
            host.traffic.udp(time, asker, (group, server), 250);
            host.traffic.udp(later(time, 0.01), (host.address, server), (client, port), 300);
        }
    }
}

fn dhcp_server(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    let clients = host.dice.from(17, 200);
    dhcp(host, clients, |host| later(start, host.dice.within(0.0, 150.0)));
    // Questions of relays in other networks, from any port, are answered at the port of relays.
    for relay in 0..host.dice.from(0, 30) {
        let (time, relay) = (later(start, host.dice.within(0.0, 150.0)), host.target(1_000 + relay));
        let (asked, answered) = if host.address.is_ipv4() { (67, 67) } else { (547, 547) };
        let from = host.dice.pick(&[answered, 40_000]);
        host.traffic.udp(time, (relay, from), (host.address, asked), 300);
        host.traffic.udp(later(time, 0.01), (host.address, asked), (relay, answered), 300);
    }
}

/// Forwards the questions of clients and the answers of servers; one server is down.
fn dhcp_relay(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    let clients = host.dice.from(17, 200);
    dhcp(host, clients, |host| later(start, host.dice.within(0.0, 150.0)));
    let port = if host.address.is_ipv4() { 67 } else { 547 };
    for number in 0..clients {
        let time = later(start, f64::from(number) * 0.7);
        for server in 0..3 {
            let to = (host.target(2_000 + server), port);
            host.traffic.udp(time, (host.address, port), to, 320);
            if server > 0 {
                host.traffic.udp(later(time, 0.003), to, (host.address, port), 320);
            }
        }
    }
}

/// Wakes hosts in many networks of one size by their broadcast addresses; also polls hosts, of which some are dead.
fn waker(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    let (networks, size) = (host.dice.from(17, 90), host.dice.pick(&[24, 24, 24, 22, 25, 26, 27]));
    let (port, first) = (host.dice.pick(&[7, 9, 40_000]), host.dice.from(20, 90) << 24 | host.dice.from(0, 255) << 16);
    let source = (host.address, host.port());
    for number in 0..networks {
        let last = first + ((number + 1) << (32 - size)) - 1;
        let begin = later(start, f64::from(number) * host.dice.within(0.1, 1.5));
        for again in 0..host.dice.from(1, 3) {
            let time = later(begin, 0.1 * f64::from(again));
            host.traffic.udp(time, source, (Ipv4Addr::from_bits(last).into(), port), 102);
        }
    }
    for number in 0..host.dice.from(0, 10) {
        let (time, to) = (later(start, host.dice.within(0.0, 100.0)), host.target(number));
        let fate = host.dice.pick(&[Fate::Silent, Fate::Open]);
        host.probe(Probe::Echo, time, to, 0, fate);
    }
}

/// A laptop that was asleep: its connections are dead, and it sends again and again before it gives them up.
pub fn woken(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_400.0);
    for number in 0..host.dice.from(20, 90) {
        let (begin, to) = (later(start, host.dice.within(0.0, 2.0)), (host.target(number), 443));
        let source = (host.address, host.port());
        for delay in [0.0, 0.3, 0.9, 2.1, 4.5, 9.3].into_iter().take(host.dice.from(3, 6) as usize) {
            host.traffic.tcp(later(begin, delay), source, to, PUSH | ACK, 100);
        }
    }
}

/// All of them: name, behaviour, and version of IP.
pub const CLASSES: [Class; 9] = [
    ("SSDP answers", television, None),
    ("WS-Discovery answers", printer, None),
    ("LLMNR and mDNS answers", named, None),
    ("answers to broadcasts", asked_by_broadcast, Some(4)),
    ("multicast chatter", chatter, None),
    ("DHCP server", dhcp_server, None),
    ("DHCP relay", dhcp_relay, None),
    ("directed broadcasts", waker, Some(4)),
    ("dead connections", woken, None),
];
