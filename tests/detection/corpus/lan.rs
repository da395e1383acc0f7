//! Benign hosts of a local network: questions to groups and broadcasts, and answers to each asking host alone.

use std::net::IpAddr;

use super::super::common::ip::UDP;
use super::super::dice::Dice;
use super::super::host::Host;
use super::super::traffic::{Time, Traffic, later};
use super::scene::{Addresses, Scene};
use super::wire::End;
use super::{Class, debatable, pooled, pooled_v4};

/// A protocol of discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    Ssdp,
    Mdns,
    Llmnr,
    WebServices,
    NetBios,
    /// A vendor's own, asked by broadcast.
    Vendor,
}

impl Discovery {
    pub const ALL: [Self; 6] = [Self::Ssdp, Self::Mdns, Self::Llmnr, Self::WebServices, Self::NetBios, Self::Vendor];

    pub fn port(self) -> u16 {
        match self {
            Self::Ssdp => 1_900,
            Self::Mdns => 5_353,
            Self::Llmnr => 5_355,
            Self::WebServices => 3_702,
            Self::NetBios => 137,
            Self::Vendor => 9_999,
        }
    }

    /// Payload bytes of a question and of an answer.
    fn sizes(self) -> [u16; 2] {
        match self {
            Self::Ssdp => [125, 320],
            Self::Mdns => [46, 180],
            Self::Llmnr => [28, 60],
            Self::WebServices => [650, 950],
            Self::NetBios => [50, 62],
            Self::Vendor => [60, 120],
        }
    }

    /// The address and port to which a question goes.
    fn group(self, addresses: Addresses) -> End {
        let is_v4 = addresses.lan(1).is_ipv4();
        let group: IpAddr = match (self, is_v4) {
            (Self::NetBios | Self::Vendor, _) => addresses.broadcast(),
            (Self::Ssdp | Self::WebServices, true) => [239, 255, 255, 250].into(),
            (Self::Ssdp | Self::WebServices, false) => [0xff02, 0, 0, 0, 0, 0, 0, 0xc].into(),
            (Self::Mdns, true) => [224, 0, 0, 251].into(),
            (Self::Mdns, false) => [0xff02, 0, 0, 0, 0, 0, 0, 0xfb].into(),
            (Self::Llmnr, true) => [224, 0, 0, 252].into(),
            (Self::Llmnr, false) => [0xff02, 0, 0, 0, 0, 0, 1, 3].into(),
        };
        (group, self.port())
    }

    /// The port that a client asks from: most use a new one, two protocols their own.
    fn client_port(self, dice: &mut Dice, port: u16) -> u16 {
        match self {
            Self::NetBios => 137,
            Self::Mdns if dice.chance(0.5) => 5_353,
            _ => port,
        }
    }
}

/// A question to a group, sent `times` times, and the answers of `responders`, each to the asking port alone.
pub fn question(
    traffic: &mut Traffic,
    dice: &mut Dice,
    (time, addresses): (Time, Addresses),
    (client, times): (End, u32),
    protocol: Discovery,
    responders: &[End],
) {
    let [question, answer] = protocol.sizes();
    for again in 0..times {
        let time = later(time, f64::from(again));
        traffic.udp(time, client, protocol.group(addresses), question);
        for responder in responders {
            // SSDP spreads answers over up to MX seconds.
            let wait = if protocol == Discovery::Ssdp { dice.within(0.0, 2.5) } else { dice.within(0.001, 0.12) };
            traffic.udp(later(time, wait), *responder, client, answer);
            if dice.chance(0.05) {
                traffic.unreachable(later(time, wait + 0.000_2), client.0, *responder, client, UDP);
            }
        }
    }
}

/// Clients ask, and one host answers each of them.
fn responder(scene: &mut Scene, protocol: Discovery) {
    let (start, mut host) = (scene.start(), scene.host());
    // Some systems answer from another port than that of the protocol.
    let own_port = host.port();
    let port = if scene.dice.chance(0.3) { own_port } else { protocol.port() };
    for number in 0..scene.count(18, 120) {
        let (address, near) = (scene.addresses.lan(100 + number % 150), host.port());
        let port_of_client = protocol.client_port(&mut scene.dice, near);
        let time = later(start, scene.dice.within(0.0, 120.0));
        let responders = [(host.address, port)];
        let asked = (time, scene.addresses);
        question(&mut host.traffic, &mut scene.dice, asked, ((address, port_of_client), 1), protocol, &responders);
    }
    scene.benign(host);
}

fn ssdp(scene: &mut Scene) {
    responder(scene, Discovery::Ssdp);
}

fn mdns(scene: &mut Scene) {
    responder(scene, Discovery::Mdns);
}

fn llmnr(scene: &mut Scene) {
    responder(scene, Discovery::Llmnr);
}

fn ws_discovery(scene: &mut Scene) {
    responder(scene, Discovery::WebServices);
}

fn net_bios(scene: &mut Scene) {
    responder(scene, Discovery::NetBios);
}

/// A device that a vendor's programs find by broadcast.
fn vendor(scene: &mut Scene) {
    responder(scene, Discovery::Vendor);
}

/// All computers of an office ask by all protocols, and some answer each question.
pub fn chatter(hosts: &mut [Host], addresses: Addresses, start: Time, (rounds, seconds): (u32, f64)) {
    let ends: Vec<IpAddr> = hosts.iter().map(|host| host.address).collect();
    for (number, host) in hosts.iter_mut().enumerate() {
        for round in 0..rounds {
            let protocol = Discovery::ALL[(number + round as usize) % Discovery::ALL.len()];
            let (near, time) = (host.port(), later(start, host.dice.within(0.0, seconds)));
            let client = (host.address, protocol.client_port(&mut host.dice, near));
            let responders: Vec<End> = (0..host.dice.from(1, 6))
                .map(|_| (host.dice.pick(&ends), protocol.port()))
                .filter(|responder| responder.0 != client.0)
                .collect();
            let mut dice = host.dice.fork();
            question(&mut host.traffic, &mut dice, (time, addresses), (client, 1), protocol, &responders);
        }
    }
}

fn office_chatter(scene: &mut Scene) {
    let (start, count) = (scene.start(), scene.count(20, 40));
    let mut hosts: Vec<Host> = (0..count).map(|_| scene.host()).collect();
    chatter(&mut hosts, scene.addresses, start, (16, 160.0));
    hosts.into_iter().for_each(|host| scene.benign(host));
}

/// A client gets an address: by broadcast, by a relay, or by renewal. A server may look whether it is free.
pub fn lease(host: &mut Host, time: Time, client: IpAddr, relay: Option<IpAddr>, looks: bool) {
    let is_v4 = host.address.is_ipv4();
    let (server_port, client_port) = if is_v4 { (67, 68) } else { (547, 546) };
    let group: IpAddr = if is_v4 { [255; 4].into() } else { [0xff02, 0, 0, 0, 0, 0, 1, 2].into() };
    let unconfigured: IpAddr = if is_v4 { [0; 4].into() } else { client };
    let server = (host.address, server_port);
    for round in 0..2 {
        let time = later(time, 1.1 * f64::from(round));
        if looks && round == 0 && is_v4 {
            host.pings(time, client, (1, 1.0), false);
        }
        let answered = later(time, if looks && round == 0 { 1.0 } else { 0.002 });
        match relay {
            Some(relay) => {
                host.traffic.udp(time, (relay, server_port), server, 320);
                host.traffic.udp(answered, server, (relay, server_port), 320);
            }
            None => {
                host.traffic.udp(time, (unconfigured, client_port), (group, server_port), 300);
                host.traffic.udp(answered, server, (client, client_port), 300);
            }
        }
    }
}

fn dhcp(scene: &mut Scene, looks: bool) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(20, 200) {
        let (time, client) = (later(start, host.dice.within(0.0, 120.0)), scene.addresses.lan(80 + number % 170));
        let relay = (!looks && number % 3 == 0).then(|| scene.addresses.site(1 + number % 40, 1));
        lease(&mut host, time, client, relay, looks);
    }
    scene.benign(host);
}

fn dhcp_server(scene: &mut Scene) {
    dhcp(scene, false);
}

fn looking_dhcp_server(scene: &mut Scene) {
    dhcp(scene, true);
}

/// Passes on what clients ask to two servers, one of which is down, and hands the answers to the clients.
fn dhcp_relay(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    let is_v4 = host.address.is_ipv4();
    let (port, client_port) = if is_v4 { (67, 68) } else { (547, 546) };
    for number in 0..scene.count(20, 200) {
        let (time, client) = (later(start, host.dice.within(0.0, 120.0)), scene.addresses.lan(80 + number % 170));
        for (server, is_up) in [(scene.addresses.site(9, 2), true), (scene.addresses.site(9, 3), false)] {
            host.traffic.udp(time, (host.address, port), (server, port), 330);
            if is_up {
                host.traffic.udp(later(time, 0.004), (server, port), (host.address, port), 330);
                host.traffic.udp(later(time, 0.005), (host.address, port), (client, client_port), 300);
            }
        }
    }
    scene.benign(host);
}

/// A printer: it answers searches and status questions, sends its pages' clients events, and asks for its own services.
pub fn printer(host: &mut Host, addresses: Addresses, start: Time, clients: u32, seconds: f64) {
    for number in 0..clients {
        let (client, near) = (addresses.lan(70 + number % 180), host.port());
        if client == host.address {
            continue;
        }
        let time = later(start, host.dice.within(0.0, seconds));
        for (protocol, after) in [(Discovery::WebServices, 0.0), (Discovery::Mdns, 1.0), (Discovery::Ssdp, 2.0)] {
            let (asked, mut dice) = ((later(time, after), addresses), host.dice.fork());
            let responders = [(host.address, protocol.port())];
            question(&mut host.traffic, &mut dice, asked, ((client, near), 1), protocol, &responders);
        }
        for number in 0..3 {
            let time = later(time, 3.0 + 0.1 * f64::from(number));
            host.traffic.asked(time, (client, near), (host.address, 161), 0.002, [70, 95]);
        }
        if number % 4 == 0 {
            host.serves(later(time, 4.0), (client, near), 9_100, [5_600, 0]);
            // Tells the client that its page is done; the client's program has gone.
            host.asks_closed(later(time, 9.0), 3_702, (client, 5_357), 400);
        }
    }
}

fn printers(scene: &mut Scene) {
    for _ in 0..2 {
        let (start, mut host, clients) = (scene.start(), scene.host(), scene.count(18, 120));
        printer(&mut host, scene.addresses, start, clients, 120.0);
        scene.benign(host);
    }
}

/// A router: it answers searches, hands out addresses, resolves names and refuses what leads nowhere.
pub fn home_router(host: &mut Host, addresses: Addresses, start: Time, clients: u32, seconds: f64) {
    for number in 0..clients {
        let (client, near) = (addresses.lan(70 + number % 180), host.port());
        let time = later(start, host.dice.within(0.0, seconds));
        let (asked, mut dice) = ((time, addresses), host.dice.fork());
        let responders = [(host.address, 1_900)];
        question(&mut host.traffic, &mut dice, asked, ((client, near), 2), Discovery::Ssdp, &responders);
        host.traffic.asked(later(time, 0.5), (client, near), (host.address, 53), 0.01, [40, 120]);
        host.traffic.asked(later(time, 0.7), (client, near), (host.address, 5_351), 0.002, [12, 16]);
        lease(host, later(time, 1.0), client, None, false);
        if number % 5 == 0 {
            let (from, to) = ((client, near), (addresses.anywhere(number), 443));
            host.traffic.unreachable(later(time, 5.0), host.address, from, to, UDP);
        }
    }
}

fn router(scene: &mut Scene) {
    let (start, mut host, clients) = (scene.start(), scene.host(), scene.count(18, 120));
    home_router(&mut host, scene.addresses, start, clients, 120.0);
    scene.benign(host);
}

/// Benign classes of a local network.
pub const CLASSES: [Class; 12] = [
    pooled("SSDP answers", ssdp),
    pooled("mDNS answers", mdns),
    pooled("LLMNR answers", llmnr),
    pooled("WS-Discovery answers", ws_discovery),
    pooled_v4("NetBIOS answers", net_bios),
    pooled_v4("answers to a vendor's broadcasts", vendor),
    pooled("multicast chatter", office_chatter),
    pooled("DHCP server", dhcp_server),
    pooled("DHCP relay", dhcp_relay),
    pooled("printers", printers),
    pooled("home router", router),
    debatable("DHCP server that pings first", looking_dhcp_server),
];
