//! The edge of a provider.

use super::super::super::host::Host;
use super::super::peers::{self, Swarm};
use super::super::scene::Scene;
use super::super::{clients, servers};
use super::{ALWAYS, AWAKE, browse, hour};
use crate::traffic::{ACK, RST, SYN, later};

/// Victims of invented floods answer unused addresses of the provider.
fn backscatter(scene: &mut Scene) {
    for victim in 0..12_u32 {
        let mut host = scene.far_host();
        for number in 0..150 {
            let time = later(hour(2.0 * f64::from(victim)), 0.4 * f64::from(number));
            let to = (scene.addresses.site(60 + number % 8, 1 + number % 250), host.dice.from(1_024, 65_000) as u16);
            let flags = if victim % 2 == 0 { SYN | ACK } else { RST | ACK };
            let own = (host.address, 443);
            host.traffic.tcp(time, own, to, flags, 0);
        }
        scene.benign_as("victim of a flood", host);
    }
}

/// An address that 500 users share: what each of them does in an hour of the evening, and little at night.
fn shared(scene: &mut Scene, number: u32) -> Host {
    let addresses = scene.addresses;
    let mut host = scene.at_address(addresses.site(50, 10 + number));
    let resolver = addresses.site(51, 53);
    for user in 0..500_u32 {
        let time = AWAKE.moment(&mut host);
        match user % 10 {
            0 => peers::torrent(&mut host, addresses, time, Swarm { peers: 12, dead: 0.5, seconds: 120.0 }),
            1 => {
                let to = (addresses.anywhere(90_000 + user), 3_480);
                let port = host.port();
                (0..6).for_each(|packet| host.asks(later(time, 0.1 * f64::from(packet)), port, to, [600, 600]));
            }
            _ => {
                let first = host.dice.from(0, 2_000);
                clients::page(&mut host, addresses, resolver, time, 2, first);
            }
        }
    }
    host
}

/// Two shared addresses, 20 homes, torrents, servers of names and mail, and the Internet's noise.
pub fn edge(scene: &mut Scene) {
    let addresses = scene.addresses;
    for number in 0..2 {
        let host = shared(scene, number);
        scene.benign_as("address of 500 users", host);
    }
    for number in 0..20 {
        let mut host = scene.at_address(addresses.site(52, 10 + number));
        browse(&mut host, addresses, AWAKE, 6);
        if number % 5 == 0 {
            let swarm = Swarm { peers: 150, dead: 0.5, seconds: 900.0 };
            peers::torrent(&mut host, addresses, hour(19.0 + 0.2 * f64::from(number)), swarm);
            peers::hash_table(&mut host, addresses, hour(19.0 + 0.2 * f64::from(number)), swarm);
        }
        scene.benign_as("home", host);
    }
    let mut names = scene.at_address(addresses.site(51, 53));
    for part in 0..6 {
        servers::resolve_many(&mut names, addresses, hour(4.0 * f64::from(part) + 0.5), 250, 0.2);
    }
    let mut mail = scene.at_address(addresses.site(51, 25));
    servers::deliver(&mut mail, addresses, hour(9.0), 150, 0.3);
    servers::deliver(&mut mail, addresses, hour(15.0), 150, 0.3);
    let mut time = scene.at_address(addresses.site(51, 123));
    for number in 0..1_500 {
        let (moment, client) = (ALWAYS.moment(&mut time), (addresses.anywhere(100_000 + number), time.port()));
        time.traffic.asked(moment, client, (time.address, 123), 0.000_1, [48, 48]);
    }
    backscatter(scene);
    scene.benign_as("resolver", names);
    scene.benign_as("mail server", mail);
    scene.benign_as("time server", time);
}
