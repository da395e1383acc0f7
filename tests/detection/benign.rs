//! Sources that do not scan, by class, however many hosts they contact and however many of these are dead.

use std::net::IpAddr;

use super::common::ip::UDP;
use super::dice::Dice;
use super::host::{Fate, Host, Probe, moment};
use super::labels::{Class, Labelled};
use super::local;
use super::traffic::{ACK, PUSH, RST, SYN, Time, later};

/// A client port, by chance.
fn any_port(dice: &mut Dice) -> u16 {
    dice.from(1_024, 65_535) as u16
}

/// Looks a name up at its resolver.
fn look_up(host: &mut Host, time: Time) {
    let (resolver, port) = (host.target(60_000), host.port());
    host.question(time, resolver, (port, 53), true);
}

/// A page with all that belongs to it, from many servers at once; some of them are dead.
fn page(host: &mut Host, time: Time, servers: &[u32], dead: f64) {
    for &server in servers {
        let begin = later(time, host.dice.within(0.0, 2.0));
        let to = host.target(server);
        look_up(host, begin);
        if host.dice.chance(dead) {
            host.dead_connection(begin, to, 443);
        } else if host.dice.chance(0.3) {
            let seconds = host.dice.within(1.0, 20.0);
            host.exchange(begin, to, 443, seconds);
        } else {
            for _ in 0..host.dice.from(1, 3) {
                let seconds = host.dice.within(0.5, 15.0);
                host.connection(begin, to, 443, seconds);
            }
        }
    }
}

fn some(dice: &mut Dice, count: u32, of: u32) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..of).collect();
    dice.shuffle(&mut numbers);
    numbers.truncate(count as usize);
    numbers
}

fn browser(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_000.0);
    for round in 0..host.dice.from(1, 3) {
        let servers = host.dice.from(20, 70);
        let servers = some(&mut host.dice, servers, 400);
        let time = later(start, f64::from(round) * host.dice.within(20.0, 90.0));
        page(host, time, &servers, 0.15);
    }
}

/// QUIC that a firewall on the way drops: each server is asked over UDP in vain, then over TCP.
fn browser_without_quic(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    for server in 0..host.dice.from(20, 60) {
        let (time, to) = (later(start, host.dice.within(0.0, 60.0)), host.target(server));
        let port = host.port();
        host.question(time, to, (port, 443), false);
        let seconds = host.dice.within(1.0, 9.0);
        host.connection(later(time, 0.25), to, 443, seconds);
    }
}

fn nat_gateway(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 600.0);
    for _ in 0..host.dice.from(5, 10) {
        let time = later(start, host.dice.within(0.0, 500.0));
        let servers = host.dice.from(15, 40);
        let servers = some(&mut host.dice, servers, 3_000);
        page(host, time, &servers, 0.12);
    }
}

fn resolver(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_000.0);
    for _ in 0..host.dice.from(200, 700) {
        let (time, to) = (later(start, host.dice.within(0.0, 300.0)), host.dice.from(0, 500));
        let to = host.target(to);
        let port = any_port(&mut host.dice);
        let is_answered = host.dice.chance(0.92);
        if host.dice.chance(0.03) {
            // A host that has to ask others first answers late.
            host.traffic.udp(time, (host.address, port), (to, 53), 40);
            let answered = later(time, host.dice.within(1.1, 3.0));
            host.traffic.udp(answered, (to, 53), (host.address, port), 120);
            continue;
        }
        host.question(time, to, (port, 53), is_answered);
        if !is_answered {
            let port = any_port(&mut host.dice);
            host.question(later(time, 0.8), to, (port, 53), false);
        }
    }
}

/// Peers of a swarm on ports of their choice: up to two fifths of them have gone.
fn peer(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_000.0);
    let (port, dead) = (any_port(&mut host.dice), host.dice.within(0.1, 0.4));
    for number in 0..host.dice.from(100, 350) {
        let (time, to) = (later(start, host.dice.within(0.0, 400.0)), host.target(number));
        let theirs = any_port(&mut host.dice);
        // The first ones are those of the session before, which are there.
        let is_alive = number < 12 || !host.dice.chance(dead);
        match (host.dice.chance(0.6), is_alive) {
            (true, is_alive) => host.question(time, to, (port, theirs), is_alive),
            (false, true) => host.connection(time, to, theirs, 8.0),
            (false, false) => host.dead_connection(time, to, theirs),
        }
    }
}

/// The same targets again and again; some are down.
fn poller(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 900.0);
    let (targets, period) = (host.dice.from(20, 120), host.dice.within(15.0, 60.0));
    let how = host.dice.from(0, 2);
    let down = host.dice.within(0.0, 0.3);
    let is_down: Vec<bool> = (0..targets).map(|_| host.dice.chance(down)).collect();
    for round in 0..host.dice.from(3, 8) {
        for target in 0..targets {
            let time = later(start, f64::from(round) * period + host.dice.within(0.0, 10.0));
            let (to, is_down) = (host.target(target), is_down[target as usize]);
            let fate = if is_down { host.dice.pick(&[Fate::Silent, Fate::Rejected]) } else { Fate::Open };
            let port = host.port();
            match how {
                0 => host.probe(Probe::Echo, time, to, 0, fate),
                1 => host.question(time, to, (port, 161), !is_down),
                _ if is_down => host.dead_connection(time, to, 9_100),
                _ => host.connection(time, to, 9_100, 0.5),
            }
        }
    }
}

/// Connections that are closed as soon as they are there, every few seconds.
fn health_checks(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    let targets = host.dice.from(16, 80);
    let period = host.dice.within(3.0, 12.0);
    let is_down: Vec<bool> = (0..targets).map(|_| host.dice.chance(0.15)).collect();
    for round in 0..host.dice.from(4, 12) {
        for target in 0..targets {
            let time = later(start, f64::from(round) * period + host.dice.within(0.0, 1.0));
            let fate = if is_down[target as usize] { Fate::Closed } else { Fate::Open };
            let to = host.target(target);
            host.probe(Probe::Connect, time, to, 8_080, fate);
        }
    }
}

/// Streams one way, to receivers that never answer.
fn media_server(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    for viewer in 0..host.dice.from(18, 35) {
        let (begin, to) = (later(start, host.dice.within(0.0, 60.0)), host.target(viewer));
        let (source, target) = ((host.address, host.port()), (to, any_port(&mut host.dice)));
        let (pause, packets) = (1.0 / host.dice.within(15.0, 50.0), host.dice.from(30, 120));
        for number in 0..packets {
            host.traffic.udp(later(begin, f64::from(number) * pause), source, target, 1_200);
        }
    }
}

/// A server that others contact in this host's forged name: answers without a question.
fn backscatter(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_400.0);
    let (port, how) = (host.dice.pick(&[80, 443, 53]), host.dice.from(0, 3));
    for spoofed in 0..host.dice.from(60, 400) {
        let (time, to) = (later(start, host.dice.within(0.0, 60.0)), host.target(spoofed));
        let (own, theirs) = ((host.address, port), (to, any_port(&mut host.dice)));
        if how == 3 {
            // Seen on both sides: the flood and its consequences.
            host.traffic.tcp(time, theirs, own, SYN, 0);
        }
        match how {
            0 | 3 => {
                for delay in [0.01, 1.01, 3.01] {
                    host.traffic.tcp(later(time, delay), own, theirs, SYN | ACK, 0);
                }
                if host.dice.chance(0.2) {
                    host.traffic.tcp(later(time, 0.1), theirs, own, RST, 0);
                }
            }
            1 => host.traffic.tcp(time, own, theirs, RST | ACK, 0),
            _ => {
                let from = host.address;
                host.traffic.unreachable(time, from, theirs, own, UDP);
            }
        }
    }
}

fn mail_server(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 900.0);
    for exchanger in 0..host.dice.from(40, 160) {
        let (time, to) = (later(start, host.dice.within(0.0, 500.0)), host.target(exchanger));
        look_up(host, later(time, -0.5));
        if host.dice.chance(0.15) {
            host.dead_connection(time, to, 25);
        } else {
            let seconds = host.dice.within(1.0, 12.0);
            host.connection(time, to, 25, seconds);
        }
    }
}

/// A server of names or of time that answers thousands; some questions pass unseen.
fn server_of_many(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    let port = host.dice.pick(&[53, 123]);
    for client in 0..host.dice.from(1_000, 2_000) {
        let (time, from) = (later(start, host.dice.within(0.0, 150.0)), host.target(client));
        let (own, theirs) = ((host.address, port), (from, any_port(&mut host.dice)));
        if host.dice.chance(0.98) {
            host.traffic.udp(time, theirs, own, 40);
        }
        host.traffic.udp(later(time, 0.001), own, theirs, 90);
    }
}

/// A server of pages whose clients vanish: its later packets to them are lost.
fn web_server(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    for client in 0..host.dice.from(40, 120) {
        let (time, from) = (later(start, host.dice.within(0.0, 150.0)), host.target(client));
        let (own, theirs) = ((host.address, 443), (from, any_port(&mut host.dice)));
        host.traffic.tcp(time, theirs, own, SYN, 0);
        host.traffic.tcp(later(time, 0.000_1), own, theirs, SYN | ACK, 0);
        host.traffic.tcp(later(time, 0.05), theirs, own, ACK, 0);
        host.traffic.tcp(later(time, 0.06), theirs, own, PUSH | ACK, 400);
        for number in 0..host.dice.from(3, 20) {
            host.traffic.tcp(later(time, 0.07 + 0.3 * f64::from(number)), own, theirs, ACK, 1_400);
        }
    }
}

/// Many ports of one server, all of which answer: passive file transfer, remote procedure calls.
fn many_ports(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_000.0);
    let to = host.target(1);
    for _ in 0..host.dice.from(120, 260) {
        let (time, port) = (later(start, host.dice.within(0.0, 400.0)), any_port(&mut host.dice));
        host.connection(time, to, port, 0.5);
    }
}

/// The way to one host, asked with a port a datagram.
fn traceroute(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_400.0);
    let (to, port) = (host.target(1), host.port());
    for hop in 0..host.dice.from(10, 30) {
        for probe in 0..3 {
            let (number, router) = (3 * hop + probe, host.target(100 + hop));
            let (time, theirs) = (later(start, f64::from(number) * 0.1), 33_434 + number as u16);
            host.traffic.udp(time, (host.address, port), (to, theirs), 32);
            let own = host.address;
            host.traffic.icmp(later(time, 0.03), router, own, if own.is_ipv4() { 11 } else { 3 });
        }
    }
}

/// Names and services looked for on the local network: groups, and the network's broadcast address.
fn groups(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_000.0);
    let own = host.address;
    for round in 0..host.dice.from(5, 20) {
        let time = later(start, f64::from(round) * host.dice.within(2.0, 30.0));
        for group in 0..host.dice.from(10, 30) {
            let to: IpAddr = match own {
                IpAddr::V4(_) => [239, 255, group as u8, 250].into(),
                IpAddr::V6(_) => [0xff02, 0, 0, 0, 0, 1, 0xff00, group as u16].into(),
            };
            host.traffic.udp(time, (own, 5_353), (to, 5_353), 120);
        }
        if let IpAddr::V4(address) = own {
            let [a, b, c, _] = address.octets();
            for (to, port) in [([255, 255, 255, 255], 67), ([a, b, c, 255], 137), ([a, b, c, 255], 138)] {
                host.traffic.udp(time, (own, port), (to.into(), port), 200);
            }
        }
    }
}

/// A busy host whose uplink fails for some seconds.
fn failing_uplink(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_000.0);
    let fails = host.dice.within(100.0, 140.0);
    let returns = fails + host.dice.within(3.0, 12.0);
    for server in 0..host.dice.from(120, 250) {
        let second = host.dice.within(0.0, 160.0);
        let (time, to) = (later(start, second), host.target(server));
        if (fails..returns).contains(&second) {
            host.dead_connection(time, to, 443);
        } else {
            host.connection(time, to, 443, 2.0);
        }
    }
}

/// Solicitations and advertisements, to groups and to neighbours.
fn neighbour(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_200.0);
    for number in 0..host.dice.from(30, 200) {
        let (time, own) = (later(start, host.dice.within(0.0, 160.0)), host.address);
        let group: IpAddr = [0xff02, 0, 0, 0, 0, 1, 0xff00, number as u16].into();
        let other = host.target(number);
        host.traffic.icmp(time, own, if host.dice.chance(0.6) { group } else { other }, 135);
        if host.dice.chance(0.6) {
            host.traffic.icmp(later(time, 0.001), other, own, 136);
        }
    }
}

/// Calls over UDP: both sides speak, from ports that were agreed on.
fn telephony(host: &mut Host) {
    let start = moment(&mut host.dice, 0.0, 1_000.0);
    for callee in 0..host.dice.from(16, 40) {
        let (time, to) = (later(start, host.dice.within(0.0, 150.0)), host.target(callee));
        let (port, seconds) = (any_port(&mut host.dice), host.dice.within(4.0, 30.0));
        host.exchange(time, to, port, seconds);
    }
}

/// All but those of a local network.
const CLASSES: [Class; 18] = [
    ("browser", browser, None),
    ("browser, QUIC dropped", browser_without_quic, None),
    ("NAT gateway", nat_gateway, None),
    ("resolver", resolver, None),
    ("P2P", peer, None),
    ("poller", poller, None),
    ("health checks", health_checks, None),
    ("media server", media_server, None),
    ("backscatter", backscatter, None),
    ("mail server", mail_server, None),
    ("DNS and NTP servers", server_of_many, None),
    ("web server", web_server, None),
    ("many ports, answered", many_ports, None),
    ("traceroute", traceroute, None),
    ("multicast, broadcast", groups, None),
    ("failing uplink", failing_uplink, None),
    ("IPv6 neighbour", neighbour, Some(6)),
    ("telephony", telephony, None),
];

/// All classes, `rounds` times and a half, a quarter of them over IPv6.
pub fn all(dice: &mut Dice, rounds: usize, mut address: impl FnMut(bool) -> IpAddr) -> Vec<Labelled> {
    let mut labelled = Vec::new();
    for _ in 0..rounds + rounds / 2 {
        for class in CLASSES.into_iter().chain(local::CLASSES) {
            labelled.push(one(class, dice, &mut address));
        }
    }
    labelled
}

/// Browsers and gateways alone: established connections, of which few are dead.
pub fn work(dice: &mut Dice, count: usize, mut address: impl FnMut(bool) -> IpAddr) -> Vec<Labelled> {
    let classes: [Class; 2] = [("browser", browser, None), ("NAT gateway", nat_gateway, None)];
    (0..count).map(|number| one(classes[number % 2], dice, &mut address)).collect()
}

fn one((class, act, version): Class, dice: &mut Dice, mut address: impl FnMut(bool) -> IpAddr) -> Labelled {
    let is_version_6 = version.map_or_else(|| dice.chance(0.25), |version| version == 6);
    let mut host = Host::new(address(is_version_6), dice.fork());
    act(&mut host);
    Labelled { class, host, kinds: Vec::new(), is_pooled: true }
}
