//! Benign peers: swarms and overlays in which each host talks to many others, of which many have gone.

use super::super::host::Host;
use super::super::traffic::{Time, later};
use super::scene::{Addresses, Scene};
use super::{Class, debatable, pooled};

/// A swarm with a share of dead peers.
#[derive(Debug, Clone, Copy)]
pub struct Swarm {
    pub peers: u32,
    pub dead: f64,
    /// Seconds in which all of them are contacted.
    pub seconds: f64,
}

/// Peers of a torrent, over TCP and uTP, each on a port of its own.
pub fn torrent(host: &mut Host, addresses: Addresses, start: Time, swarm: Swarm) {
    let port = host.port();
    for number in 0..swarm.peers {
        let (time, theirs) = (later(start, host.dice.within(0.0, swarm.seconds)), host.dice.from(1_024, 65_000) as u16);
        let to = (addresses.anywhere(number), theirs);
        let is_dead = host.dice.chance(swarm.dead);
        match (is_dead, host.dice.chance(0.5)) {
            (true, true) => host.dead_connection(time, to.0, to.1),
            (true, false) if host.dice.chance(0.2) => host.asks_closed(time, port, to, 20),
            (true, false) => host.asks_in_vain(time, port, to, 20, (3, 1.0)),
            (false, true) => _ = host.used(time, to, [68, 5_000]),
            (false, false) => {
                for again in 0..4 {
                    host.asks(later(time, 0.2 * f64::from(again)), port, to, [20, 1_400]);
                }
            }
        }
    }
}

/// Nodes of a distributed hash table, all asked from one port.
pub fn hash_table(host: &mut Host, addresses: Addresses, start: Time, swarm: Swarm) {
    let port = host.port();
    for number in 0..swarm.peers {
        let (time, theirs) = (later(start, host.dice.within(0.0, swarm.seconds)), host.dice.from(1_024, 65_000) as u16);
        let to = (addresses.anywhere(number + 50_000), theirs);
        if host.dice.chance(swarm.dead) {
            host.asks_in_vain(time, port, to, 104, (1, 1.0));
        } else {
            host.asks(time, port, to, [104, 300]);
        }
    }
}

/// Nodes found by discovery, all on one port, over UDP and then over TCP.
fn ethereum_node(host: &mut Host, addresses: Addresses, start: Time, swarm: Swarm) {
    for number in 0..swarm.peers {
        let (time, to) = (later(start, host.dice.within(0.0, swarm.seconds)), (addresses.anywhere(number), 30_303));
        if host.dice.chance(swarm.dead) {
            host.asks_in_vain(time, 30_303, to, 130, (2, 0.7));
            if host.dice.chance(0.3) {
                host.dead_connection(later(time, 0.5), to.0, to.1);
            }
            continue;
        }
        host.asks(time, 30_303, to, [130, 150]);
        host.asks(later(time, 0.4), 30_303, to, [170, 1_100]);
        if host.dice.chance(0.3) {
            host.refused(later(time, 0.5), to);
        } else {
            host.used(later(time, 0.5), to, [400, 900]);
        }
    }
}

fn swarm(scene: &mut Scene, range: [u32; 2], dead: [f64; 2]) -> Swarm {
    let (peers, seconds) = (scene.count(range[0], range[1]), scene.dice.within(40.0, 160.0));
    Swarm { peers, dead: scene.dice.within(dead[0], dead[1]), seconds }
}

fn bittorrent(scene: &mut Scene) {
    let (start, mut host, swarm) = (scene.start(), scene.host(), swarm(scene, [60, 300], [0.3, 0.6]));
    torrent(&mut host, scene.addresses, start, swarm);
    scene.benign(host);
}

fn dht(scene: &mut Scene) {
    let (start, mut host, swarm) = (scene.start(), scene.host(), swarm(scene, [80, 600], [0.3, 0.6]));
    hash_table(&mut host, scene.addresses, start, swarm);
    scene.benign(host);
}

fn ethereum(scene: &mut Scene) {
    let (start, mut host, swarm) = (scene.start(), scene.host(), swarm(scene, [60, 250], [0.3, 0.6]));
    ethereum_node(&mut host, scene.addresses, start, swarm);
    scene.benign(host);
}

/// Peers of an old list on one port, three quarters of which are dead.
fn gnutella(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(40, 200) {
        let (time, to) = (later(start, host.dice.within(0.0, 120.0)), (scene.addresses.anywhere(number), 6_346));
        if host.dice.chance(0.75) {
            host.dead_connection(time, to.0, to.1);
        } else {
            host.used(time, to, [400, 900]);
        }
    }
    scene.benign(host);
}

/// Benign classes of peers.
pub const CLASSES: [Class; 4] = [
    pooled("BitTorrent", bittorrent),
    pooled("DHT", dht),
    pooled("Ethereum", ethereum),
    debatable("gnutella, 75 % dead", gnutella),
];
