//! Benign clients: browsers, games, calls, knocking, tracing, and hosts whose network fails.

use std::net::IpAddr;

use super::super::common::ip::TCP;
use super::super::host::Host;
use super::super::local;
use super::super::traffic::{ACK, FIN, PUSH, RST, SYN, Time, at, later};
use super::scene::{Addresses, Scene};
use super::wire::router;
use super::{Class, debatable, pooled, pooled_v4};

/// Opens a page: names, connections to so many servers from number `first` on, some of them dead, some never used.
pub fn page(host: &mut Host, addresses: Addresses, resolver: IpAddr, time: Time, servers: u32, first: u32) {
    for server in first..first + servers {
        let (begin, to) = (later(time, host.dice.within(0.0, 3.0)), (addresses.anywhere(server), 443));
        host.looks_up(later(begin, -0.2), resolver);
        match host.dice.from(0, 99) {
            0..=5 => host.dead_connection(begin, to.0, 443),
            6..=8 => host.refused(begin, to),
            // Opened ahead of use and closed unused.
            9..=24 => {
                let idle = host.dice.within(8.0, 60.0);
                host.touched(begin, to, idle);
            }
            25..=40 => {
                let port = host.port();
                for number in 0..3 {
                    host.asks(later(begin, 0.3 * f64::from(number)), port, to, [1_200, 1_200]);
                }
            }
            _ => {
                let response = host.dice.from(600, 40_000);
                host.used(begin, to, [600, response]);
            }
        }
    }
}

fn browser(scene: &mut Scene) {
    let (start, mut host, resolver) = (scene.start(), scene.host(), scene.addresses.lan(1));
    for number in 0..scene.count(2, 8) {
        let time = later(start, 12.0 * f64::from(number));
        let servers = host.dice.from(15, 40);
        page(&mut host, scene.addresses, resolver, time, servers, 25 * number);
    }
    scene.benign(host);
}

/// Connections to every link of a page, of which most are never used.
fn preconnecting_browser(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    // Many of the servers belong to a few networks of large providers.
    for number in 0..scene.count(25, 110) {
        let (time, idle) = (later(start, host.dice.within(0.0, 60.0)), host.dice.within(5.0, 60.0));
        let to =
            if number % 3 == 0 { scene.addresses.far(number % 4, number) } else { scene.addresses.anywhere(number) };
        if host.dice.chance(0.7) {
            host.touched(time, (to, 443), idle)
        } else {
            _ = host.used(time, (to, 443), [600, 9_000])
        }
    }
    scene.benign(host);
}

/// Forgets dozens of connections at once: each ends with a FIN or RST of its own port, some long after their server.
fn browser_that_closes(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(25, 90) {
        let (from, to) = (host.end(), (scene.addresses.anywhere(number), 443));
        let time = later(start, 0.001 * f64::from(number));
        for again in 0..host.dice.from(1, 3) {
            host.traffic.tcp(later(time, 0.4 * f64::from(again)), from, to, FIN | ACK, 0);
        }
        if host.dice.chance(0.5) {
            host.traffic.tcp(later(time, 0.05), to, from, RST, 0);
        }
    }
    scene.benign(host);
}

/// Both versions of IP are tried, and the slower one is given up before its answer.
fn happy_eyeballs(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(20, 120) {
        let (time, to) = (later(start, host.dice.within(0.0, 60.0)), (scene.addresses.anywhere(number), 443));
        if host.dice.chance(0.6) {
            host.used(time, to, [600, 5_000]);
            continue;
        }
        // The other version won: this one's answer comes and is broken off.
        let (from, trip) = (host.end(), host.trip(to.0));
        host.traffic.tcp(time, from, to, SYN, 0);
        host.traffic.tcp(later(time, trip), to, from, SYN | ACK, 0);
        host.traffic.tcp(later(time, trip + 0.000_1), from, to, ACK, 0);
        host.traffic.tcp(later(time, trip + 0.000_2), from, to, RST | ACK, 0);
    }
    scene.benign(host);
}

/// An IPv6 uplink that leads nowhere: each server is tried over it first, in vain.
fn broken_version_6(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(20, 120) {
        let time = later(start, host.dice.within(0.0, 60.0));
        host.dead_connection(time, scene.addresses.anywhere(number), 443);
    }
    scene.benign(host);
}

/// A game asks all servers of a list; up to two fifths of them have gone.
fn game_browser(scene: &mut Scene) {
    let (start, mut host, gone) = (scene.start(), scene.host(), scene.dice.within(0.1, 0.4));
    let port = host.port();
    for number in 0..scene.count(80, 600) {
        let (time, to) = (later(start, 0.02 * f64::from(number)), scene.addresses.anywhere(number / 2));
        let theirs = 27_015 + host.dice.from(0, 4) as u16;
        if host.dice.chance(gone) {
            host.asks_in_vain(time, port, (to, theirs), 25, (2, 1.0));
        } else {
            host.asks(time, port, (to, theirs), [25, 130]);
            host.asks(later(time, 0.3), port, (to, theirs), [29, 400]);
        }
    }
    scene.benign(host);
}

/// Calls that try all pairs of addresses of both sides; most of them lead nowhere.
fn ice(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for call in 0..scene.count(2, 6) {
        let (begin, port) = (later(start, 20.0 * f64::from(call)), host.port());
        let stun = scene.addresses.far(9, call);
        host.asks(begin, port, (stun, 3_478), [20, 32]);
        for candidate in 0..host.dice.from(4, 9) {
            let time = later(begin, 0.05 * f64::from(candidate + 2));
            let theirs = host.dice.from(10_000, 65_000) as u16;
            if candidate == 0 {
                let to = (scene.addresses.anywhere(call), theirs);
                for number in 0..20 {
                    host.asks(later(time, 0.2 * f64::from(number)), port, to, [180, 180]);
                }
            } else {
                // Private addresses of the other side, and ports that its router closed.
                let to = (scene.addresses.site(20 + call, candidate), theirs);
                host.asks_in_vain(time, port, to, 100, (4, 0.25));
            }
        }
    }
    scene.benign(host);
}

/// Three to five closed ports of a host open another one.
fn port_knocking(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    let knocks: Vec<u16> = (0..scene.dice.from(3, 5)).map(|_| scene.dice.from(1_024, 65_000) as u16).collect();
    for server in 0..scene.count(2, 12) {
        let (begin, to) = (later(start, 6.0 * f64::from(server)), scene.addresses.far(4 + server, 3));
        for (number, port) in knocks.iter().enumerate() {
            let from = host.end();
            host.traffic.tcp(later(begin, 0.3 * number as f64), from, (to, *port), SYN, 0);
        }
        host.used(later(begin, 2.0), (to, 22), [1_200, 2_500]);
    }
    scene.benign(host);
}

/// Many ports of one server, all of which carry data.
fn ftp_passive(scene: &mut Scene) {
    let (start, mut host, server) = (scene.start(), scene.host(), scene.addresses.far(1, 1));
    host.used(start, (server, 21), [300, 900]);
    for number in 0..scene.count(60, 180) {
        let (time, port) = (later(start, 0.5 + 0.4 * f64::from(number)), host.dice.from(49_152, 65_535) as u16);
        // An empty file, now and then.
        let bytes = if host.dice.chance(0.1) { 0 } else { host.dice.from(1, 30_000) };
        host.used(time, (server, port), [0, bytes]);
    }
    scene.benign(host);
}

/// The ways to several hosts, by UDP, echo requests or SYNs with a growing hop limit.
fn traceroute(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    let way = scene.dice.from(0, 2);
    for target in 0..scene.count(1, 12) {
        let (begin, to) = (later(start, 8.0 * f64::from(target)), scene.addresses.anywhere(target));
        let hops = host.dice.from(8, 18);
        let (own, from) = (host.address, host.port());
        for number in 0..3 * hops {
            let (time, hop) = (later(begin, 0.08 * f64::from(number)), scene.addresses.far(100 + number / 3, 1));
            match way {
                0 => host.traffic.udp(time, (own, from), (to, 33_434 + number as u16), 32),
                1 => host.traffic.echo(time, own, to, true),
                _ => host.traffic.tcp(time, (own, from), (to, 80), SYN, 0),
            }
            host.traffic.expired(later(time, 0.02), hop);
        }
    }
    scene.benign(host);
}

/// A busy host whose uplink is dead for a minute; before and after it all works.
fn outage(scene: &mut Scene) {
    let (start, mut host, resolver) = (scene.start(), scene.host(), scene.addresses.lan(1));
    let (fails, lasts) = (40.0, scene.dice.within(15.0, 60.0));
    for number in 0..scene.count(60, 260) {
        let second = host.dice.within(0.0, 160.0);
        let (time, to) = (later(start, second), (scene.addresses.anywhere(number % 80), 443));
        if (fails..fails + lasts).contains(&second) {
            if host.dice.chance(0.5) {
                host.dead_connection(time, to.0, 443);
            } else {
                let (from, near) = (host.end(), router(resolver));
                host.traffic.tcp(time, from, to, SYN, 0);
                host.traffic.unreachable(later(time, 0.001), near, from, to, TCP);
            }
        } else {
            host.used(time, to, [600, 6_000]);
        }
    }
    scene.benign(host);
}

/// A laptop wakes with dead connections, and opens them all again.
fn resumed(scene: &mut Scene) {
    let (mut host, start) = (scene.host(), scene.start());
    let count = scene.count(20, 60);
    sleeper(&mut host, scene.addresses, start, count);
    scene.benign(host);
}

/// The dead connections of a laptop that wakes, and the new ones.
pub fn sleeper(host: &mut Host, addresses: Addresses, start: Time, count: u32) {
    for number in 0..count {
        let (begin, to) = (later(start, host.dice.within(0.0, 2.0)), (addresses.anywhere(number), 443));
        let from = host.end();
        for delay in [0.0, 0.3, 0.9, 2.1, 4.5].into_iter().take(host.dice.from(2, 5) as usize) {
            host.traffic.tcp(later(begin, delay), from, to, PUSH | ACK, 46);
        }
        if host.dice.chance(0.4) {
            host.traffic.tcp(later(begin, 0.05), to, from, RST, 0);
        }
        if host.dice.chance(0.8) {
            host.used(later(begin, 5.0), to, [600, 3_000]);
        }
    }
}

/// Wakes the hosts of many networks by their broadcast addresses.
fn wake_on_lan(scene: &mut Scene) {
    let act = local::CLASSES.iter().find(|(name, ..)| *name == "directed broadcasts").map(|(_, act, _)| *act);
    let mut host = scene.host();
    act.expect("the class of directed broadcasts")(&mut host);
    let traffic = std::mem::take(&mut host.traffic);
    host.traffic = traffic.starting_at(at(2.0));
    host.contacts.clear();
    scene.benign(host);
}

/// Guesses passwords on one server: ever new connections, each refused by the server's program.
fn brute_force(scene: &mut Scene) {
    let (start, mut host, server) = (scene.start(), scene.far_host(), scene.addresses.lan(9));
    for number in 0..scene.count(60, 180) {
        host.used(later(start, 0.5 * f64::from(number)), (server, 22), [900, 1_500]);
    }
    scene.benign(host);
}

/// Benign classes of clients.
pub const CLASSES: [Class; 14] = [
    pooled("browser", browser),
    pooled("preconnecting browser", preconnecting_browser),
    pooled("browser that closes all", browser_that_closes),
    pooled("Happy Eyeballs", happy_eyeballs),
    pooled("game browser", game_browser),
    pooled("ICE", ice),
    pooled("port knocking", port_knocking),
    pooled("FTP passive", ftp_passive),
    pooled("traceroute", traceroute),
    pooled("outage of the uplink", outage),
    pooled("resumed laptop", resumed),
    pooled_v4("wake on LAN", wake_on_lan),
    pooled_v4("brute-force attacker", brute_force),
    debatable("IPv6 fallback", broken_version_6),
];
