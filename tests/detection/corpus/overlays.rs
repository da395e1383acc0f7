//! Benign overlays whose answers come from, or go to, other ports than the questions.

use super::super::common::ip::UDP;
use super::super::traffic::{Time, Traffic, later};
use super::scene::{Scene, Size};
use super::wire::End;
use super::{Class, pooled};

/// One tunnel packet: to the protocol's port, from a port that the inner flow decides.
fn tunnelled(traffic: &mut Traffic, time: Time, [from, to]: [End; 2], bytes: u16) {
    traffic.udp(time, from, to, bytes);
}

/// Each host of a mesh exchanges packets with all others; each inner flow has its own port in each direction. A large
/// scene is captured at a switch; the others on one host, which sees its own tunnels only.
fn mesh(scene: &mut Scene, port: u16, lost: f64) {
    let (start, peers) = (scene.start(), scene.count(20, 60));
    let is_at_switch = scene.size == Size::Large;
    let count = if is_at_switch { scene.dice.from(18, 24) } else { 1 };
    let mut hosts: Vec<_> = (0..count).map(|_| scene.host()).collect();
    let mut addresses: Vec<_> = hosts.iter().map(|host| host.address).collect();
    if !is_at_switch {
        addresses.extend((0..peers).map(|number| scene.addresses.site(1 + number / 24, 100 + number)));
    }
    for (one, host) in hosts.iter_mut().enumerate() {
        for &other in &addresses[one + 1..] {
            let (there, back) = ((addresses[one], port), (other, port));
            for flow in 0..2 {
                let time = later(start, host.dice.within(0.0, 50.0));
                let ports = [host.dice.from(32_768, 60_999) as u16, host.dice.from(32_768, 60_999) as u16];
                tunnelled(&mut host.traffic, time, [(there.0, ports[0]), back], 110);
                if host.dice.chance(lost) {
                    continue;
                }
                tunnelled(&mut host.traffic, later(time, 0.000_5), [(back.0, ports[1]), there], 110);
                tunnelled(&mut host.traffic, later(time, 0.001), [(there.0, ports[0]), back], 102 + 600 * flow);
                tunnelled(&mut host.traffic, later(time, 0.002), [(back.0, ports[1]), there], 1_450);
            }
        }
    }
    hosts.into_iter().for_each(|host| scene.benign(host));
}

fn vxlan(scene: &mut Scene) {
    mesh(scene, 4_789, 0.01);
}

fn geneve(scene: &mut Scene) {
    mesh(scene, 6_081, 0.01);
}

/// Remote memory over UDP: each queue pair has a port of its own, and both directions go to 4791.
fn roce(scene: &mut Scene) {
    mesh(scene, 4_791, 0.0);
}

/// Routers that watch each other: both send to 3784, each from a port of its own.
fn bidirectional_forwarding(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(18, 60) {
        let other = scene.addresses.site(1 + number / 100, 100 + number);
        let ports = [host.port(), host.dice.from(49_152, 65_000) as u16];
        for round in 0..8 {
            let time = later(start, host.dice.within(0.0, 0.2) + f64::from(round));
            host.traffic.udp(time, (host.address, ports[0]), (other, 3_784), 24);
            host.traffic.udp(later(time, 0.1), (other, ports[1]), (host.address, 3_784), 24);
        }
    }
    scene.benign(host);
}

/// Asks a few servers of names for all of a cluster. Some answers come when their question was given up.
fn cluster_names(scene: &mut Scene) {
    let (start, mut host) = (scene.start(), scene.host());
    for number in 0..scene.count(40, 300) {
        let (time, port) = (later(start, host.dice.within(0.0, 60.0)), host.port());
        let to = (scene.addresses.site(1, 10 + number % 5), 53);
        if !host.dice.chance(0.2) {
            host.asks(time, port, to, [45, 150]);
            continue;
        }
        let own = (host.address, host.port());
        host.traffic.udp(time, own, to, 45);
        host.traffic.udp(later(time, 3.5), to, own, 150);
        host.traffic.unreachable(later(time, 3.500_1), own.0, to, own, UDP);
    }
    scene.benign(host);
}

/// Benign classes of overlays.
pub const CLASSES: [Class; 5] = [
    pooled("VXLAN mesh", vxlan),
    pooled("GENEVE mesh", geneve),
    pooled("RoCEv2 mesh", roce),
    pooled("BFD", bidirectional_forwarding),
    pooled("cluster DNS, late answers", cluster_names),
];
