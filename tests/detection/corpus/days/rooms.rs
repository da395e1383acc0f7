//! A home and an office.

use super::super::super::host::Host;
use super::super::lan::{self, Discovery};
use super::super::peers::{self, Swarm};
use super::super::pollers::{self, Down, Target};
use super::super::scene::{Addresses, Scene};
use super::super::wire::End;
use super::super::{clients, servers};
use super::{ALWAYS, AT_WORK, AWAKE, Hours, browse, hour, report};
use crate::traffic::{Time, later};

/// Searches of a client in so many moments, that each of these answers.
fn search(host: &mut Host, addresses: Addresses, hours: Hours, times: u32, responders: &[End]) {
    for _ in 0..times {
        let (time, near, mut dice) = (hours.moment(host), host.port(), host.dice.fork());
        let of = |protocol: Discovery| -> Vec<End> {
            responders.iter().filter(|responder| responder.1 == protocol.port()).copied().collect()
        };
        for protocol in [Discovery::Ssdp, Discovery::Mdns] {
            let (asked, client) = ((time, addresses), (host.address, near));
            lan::question(&mut host.traffic, &mut dice, asked, (client, 2), protocol, &of(protocol));
        }
    }
}

/// A call in which both sides try each other's addresses, and then speak.
fn call(host: &mut Host, addresses: Addresses, time: Time, number: u32) {
    let (port, stun) = (host.port(), addresses.far(600, number));
    host.asks(time, port, (stun, 3_478), [20, 32]);
    for candidate in 0..6 {
        host.asks_in_vain(later(time, 0.1), port, (addresses.site(30 + candidate, 9), 50_000), 100, (3, 0.3));
    }
    for packet in 0..40 {
        host.asks(
            later(time, 1.0 + 0.5 * f64::from(packet)),
            port,
            (addresses.anywhere(700 + number), 3_480),
            [900, 900],
        );
    }
}

/// Laptops that sleep, telephones, a console, a television, a printer, storage and small devices of one family.
pub fn home(scene: &mut Scene) {
    let addresses = scene.addresses;
    let mut router = scene.at_address(addresses.lan(1));
    let mut television = scene.host();
    let mut storage = scene.host();
    let responders: Vec<End> = [&router, &television, &storage]
        .into_iter()
        .flat_map(|host| [(host.address, 1_900), (host.address, 5_353)])
        .collect();
    for number in 0..8 {
        let mut host = scene.host();
        browse(&mut host, addresses, AWAKE, 14);
        search(&mut host, addresses, AWAKE, 30, &responders);
        for time in [7.0, 12.5, 19.0] {
            lan::lease(&mut router, hour(time + 0.01 * f64::from(number)), host.address, None, false);
        }
        match number {
            0 | 1 => {
                for time in [7.2, 12.8, 18.3, 21.0] {
                    clients::sleeper(&mut host, addresses, hour(time + 0.1 * f64::from(number)), 40);
                }
                call(&mut host, addresses, hour(10.0 + f64::from(number)), number);
            }
            2 => {
                let swarm = Swarm { peers: 200, dead: 0.45, seconds: 1_500.0 };
                peers::torrent(&mut host, addresses, hour(20.0), swarm);
                peers::hash_table(&mut host, addresses, hour(20.0), Swarm { peers: 250, ..swarm });
            }
            3 => {
                let port = host.port();
                for server in 0..200 {
                    let (time, to) =
                        (later(hour(17.0), 0.05 * f64::from(server)), (addresses.anywhere(800 + server), 27_015));
                    let is_there = host.dice.chance(0.7);
                    if is_there {
                        host.asks(time, port, to, [25, 130])
                    } else {
                        host.asks_in_vain(time, port, to, 25, (2, 1.0))
                    }
                }
            }
            _ => {}
        }
        scene.benign_as("personal device", host);
    }
    for maker in 0..8 {
        let mut host = scene.host();
        report(&mut host, addresses, maker, 40);
        scene.benign_as("small device", host);
    }
    browse(&mut television, addresses, AWAKE, 6);
    search(&mut television, addresses, ALWAYS, 40, &responders[..2]);
    report(&mut storage, addresses, 20, 24);
    let mut printer = scene.host();
    lan::printer(&mut printer, addresses, hour(16.0), 6, 3_000.0);
    // The router asks the provider's resolvers for what its clients ask.
    for number in 0..400 {
        let (time, to) = (AWAKE.moment(&mut router), addresses.far(650, number % 2));
        router.looks_up(time, to);
    }
    scene.benign_as("router", router);
    scene.benign_as("television", television);
    scene.benign_as("storage", storage);
    scene.benign_as("printer", printer);
}

/// Shares and mails of a domain's servers.
fn work(host: &mut Host, addresses: Addresses, sessions: u32) {
    for number in 0..sessions {
        let (time, server) = (AT_WORK.moment(host), addresses.lan(2 + number % 5));
        let port = [445, 389, 88, 443, 135][number as usize % 5];
        host.used(time, (server, port), [900, 3_000]);
        host.looks_up(later(time, -0.1), addresses.lan(2));
    }
}

/// 30 computers in one network, with printers, televisions, servers and a station that watches them.
pub fn office(scene: &mut Scene) {
    let addresses = scene.addresses;
    let mut router = scene.at_address(addresses.lan(1));
    let mut leases = scene.at_address(addresses.lan(2));
    let mut televisions: Vec<Host> = (0..3).map(|_| scene.host()).collect();
    let responders: Vec<End> =
        televisions.iter().map(|host| (host.address, 1_900)).chain([(router.address, 1_900)]).collect();
    let mut computers: Vec<Host> = (0..30).map(|_| scene.host()).collect();
    // All arrive within half an hour and begin with names; later in the day they ask now and then.
    lan::chatter(&mut computers, addresses, hour(8.0), (12, 1_500.0));
    for part in 0..6 {
        lan::chatter(&mut computers, addresses, hour(9.0 + 1.4 * f64::from(part)), (4, 400.0));
    }
    for (number, host) in computers.iter_mut().enumerate() {
        let arrives = hour(8.0 + host.dice.within(0.0, 0.5));
        lan::lease(&mut leases, arrives, host.address, None, false);
        browse(host, addresses, AT_WORK, 8);
        work(host, addresses, 20);
        search(host, addresses, AT_WORK, 6, &responders);
        if number % 3 == 0 {
            clients::sleeper(host, addresses, hour(13.0 + 0.01 * number as f64), 30);
        }
        if number % 4 == 0 {
            call(host, addresses, hour(10.0 + 0.02 * number as f64), number as u32);
        }
    }
    for mut printer in [scene.host(), scene.host()] {
        lan::printer(&mut printer, addresses, hour(8.2), 40, 3_000.0);
        lan::printer(&mut printer, addresses, hour(14.0), 25, 600.0);
        scene.benign_as("printer", printer);
    }
    lan::home_router(&mut router, addresses, hour(8.0), 30, 1_500.0);
    // 40 switches and access points, two of which are dead, all day.
    let mut watcher = scene.host();
    let port = watcher.port();
    for number in 0..40 {
        let down = (number % 19 == 7).then_some(Down::Silent);
        let target = Target { address: addresses.site(3, 2 + number), down, is_gone: false, port };
        for round in 0..24 {
            let time = later(hour(f64::from(round) + 0.2), 0.5 * f64::from(number));
            pollers::snmp(&mut watcher, time, target, round);
            watcher.pings(later(time, 40.0), target.address, (3, 0.5), down.is_none());
        }
    }
    servers::deliver(&mut leases, addresses, hour(9.5), 40, 0.2);
    servers::resolve_many(&mut leases, addresses, hour(8.2), 300, 0.15);
    televisions.iter_mut().enumerate().for_each(|(number, host)| report(host, addresses, number as u32, 20));
    televisions.into_iter().for_each(|host| scene.benign_as("television", host));
    computers.into_iter().for_each(|host| scene.benign_as("computer", host));
    scene.benign_as("router", router);
    scene.benign_as("domain server", leases);
    scene.benign_as("network management", watcher);
}
