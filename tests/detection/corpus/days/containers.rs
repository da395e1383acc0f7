//! A Docker host and a Kubernetes node.

use std::net::IpAddr;

use super::super::super::common::ip::TCP;
use super::super::super::host::Host;
use super::super::pollers::{self, Down, Target};
use super::super::scene::{Addresses, Scene};
use super::{ALWAYS, browse, hour};
use crate::traffic::{SYN, Time, later};

/// Local networks: of the host, of the containers, and of other hosts' containers.
const NODES: u32 = 0;
const PODS: u32 = 1;
const SERVICES: u32 = 40;

/// A bridge knows no such neighbour: questions for its address, then the host's own refusal.
fn no_neighbour(host: &mut Host, time: Time, gateway: IpAddr, to: IpAddr) {
    let from = host.end();
    host.traffic.tcp(time, from, (to, 8_080), SYN, 0);
    for again in 0..3 {
        host.traffic.resolve(later(time, f64::from(again)), gateway, to, false);
    }
    host.traffic.unreachable(later(time, 3.0), gateway, from, (to, 8_080), TCP);
}

/// Bursts of checks of all containers, at 12 times of the day; some containers are being replaced.
fn checks(host: &mut Host, addresses: Addresses, containers: u32, rounds: u32) {
    for burst in 0..12 {
        for round in 0..rounds {
            for number in 0..containers {
                let time = later(hour(2.0 * f64::from(burst) + 0.3), 10.0 * f64::from(round) + 0.2 * f64::from(number));
                let to = addresses.site(PODS, 2 + number);
                match (number + burst) % 40 {
                    0 => host.refused(time, (to, 8_080)),
                    1..=9 => host.touched(time, (to, 5_432), 0.002),
                    _ => _ = host.used(time, (to, 8_080), [140, 180]),
                }
            }
        }
    }
}

/// Packets of an overlay with other nodes, from ports of the inner flows.
fn overlay(host: &mut Host, addresses: Addresses, port: u16, nodes: u32) {
    for number in 0..nodes * 60 {
        let (time, other) = (ALWAYS.moment(host), addresses.site(NODES, 100 + number % nodes));
        let ports = [host.dice.from(32_768, 60_999) as u16, host.dice.from(32_768, 60_999) as u16];
        let own = host.address;
        host.traffic.udp(time, (own, ports[0]), (other, port), 110);
        host.traffic.udp(later(time, 0.000_4), (other, ports[1]), (own, port), 110);
        host.traffic.udp(later(time, 0.000_8), (own, ports[0]), (other, port), 800);
    }
}

/// Bridges with 24 containers, an overlay with six hosts, health checks, and what is replaced during the day.
pub fn docker(scene: &mut Scene) {
    let addresses = scene.addresses;
    let (mut host, mut gateway) = (scene.at_address(addresses.lan(10)), scene.at_address(addresses.site(PODS, 1)));
    checks(&mut gateway, addresses, 24, 4);
    overlay(&mut host, addresses, 4_789, 6);
    // Gossip of the hosts, one of which is being upgraded at noon.
    for number in 0..600_u32 {
        let (time, other) = (ALWAYS.moment(&mut host), addresses.site(NODES, 100 + number % 6));
        host.asks(time, 7_946, (other, 7_946), [90, 60]);
    }
    for number in 0..5 {
        host.dead_connection(later(hour(12.0), 20.0 * f64::from(number)), addresses.site(NODES, 103), 7_946);
    }
    for number in 0..24 {
        let mut container = scene.at_address(addresses.site(PODS, 2 + number));
        browse(&mut container, addresses, ALWAYS, 3);
        for contact in 0..40 {
            let (time, other) = (ALWAYS.moment(&mut container), addresses.site(PODS, 2 + (number + contact) % 24));
            container.used(time, (other, 8_080), [500, 2_000]);
        }
        // After a deployment the old addresses of six containers are still used for a while.
        for old in 0..6 {
            let time = later(hour(15.0), 3.0 * f64::from(old) + 0.1 * f64::from(number));
            no_neighbour(&mut container, time, gateway.address, addresses.site(PODS, 100 + old));
        }
        scene.benign_as("container", container);
    }
    // A proxy that looks for all containers, with six that do not listen.
    let mut proxy = scene.at_address(addresses.site(PODS, 60));
    checks(&mut proxy, addresses, 24, 2);
    browse(&mut host, addresses, ALWAYS, 12);
    scene.benign_as("host", host);
    scene.benign_as("bridge", gateway);
    scene.benign_as("proxy", proxy);
}

/// The metrics of pods and nodes; a part of the pods is gone, and the list of targets is old.
fn prometheus(host: &mut Host, addresses: Addresses) {
    let targets: Vec<Target> = (0..150)
        .map(|number| {
            let down = match number % 8 {
                0 => Some(Down::Silent),
                4 => Some(Down::Refusing),
                _ => None,
            };
            let address = addresses.site(PODS + number % 6, 2 + number / 6);
            Target { address, down, is_gone: false, port: host.port() }
        })
        .collect();
    for burst in 0..8 {
        for round in 0..3 {
            for (number, target) in targets.iter().enumerate() {
                let time = later(hour(3.0 * f64::from(burst) + 0.6), 15.0 * f64::from(round) + 0.1 * number as f64);
                pollers::scrape(host, time, *target, round);
            }
        }
    }
}

/// 40 pods, services behind kube-proxy, CoreDNS, probes of the kubelet, an overlay, and Prometheus with dead targets.
pub fn kubernetes(scene: &mut Scene) {
    let addresses = scene.addresses;
    let (mut node, mut names) = (scene.at_address(addresses.lan(10)), scene.at_address(addresses.site(PODS, 60)));
    checks(&mut node, addresses, 40, 2);
    overlay(&mut node, addresses, 8_472, 10);
    for number in 0..40 {
        let mut pod = scene.at_address(addresses.site(PODS, 2 + number));
        for contact in 0..60 {
            let time = ALWAYS.moment(&mut pod);
            // A name is sought in three domains that lack it. Each question is seen twice: to the service and to the pod.
            for suffix in 0..4 {
                let (time, near) = (later(time, 0.002 * f64::from(suffix)), pod.end());
                pod.traffic.asked(time, near, (addresses.site(SERVICES, 10), 53), 0.000_6, [70, 140]);
                names.traffic.asked(later(time, 0.000_1), near, (names.address, 53), 0.000_3, [70, 140]);
            }
            let to = addresses.site(PODS + (number + contact) % 6, 2 + (number * 7 + contact) % 25);
            match contact % 20 {
                // The endpoint has gone, and the list of the proxy is not new yet.
                0 => pod.dead_connection(later(time, 0.01), to, 8_080),
                1 => pod.refused(later(time, 0.01), (to, 8_080)),
                _ => _ = pod.used(later(time, 0.01), (to, 8_080), [400, 1_500]),
            }
        }
        scene.benign_as("pod", pod);
    }
    for number in 0..500 {
        let (time, to) = (ALWAYS.moment(&mut names), addresses.lan(1 + number % 2));
        names.looks_up(time, to);
    }
    let mut scraper = scene.at_address(addresses.site(PODS, 61));
    prometheus(&mut scraper, addresses);
    scene.benign_as("node", node);
    scene.benign_as("CoreDNS", names);
    scene.benign_as("Prometheus", scraper);
}
