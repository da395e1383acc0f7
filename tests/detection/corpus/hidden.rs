//! Scanners that hide: behind work, slowness, number, floods and other addresses; and worms on their own network.

use std::net::{IpAddr, Ipv4Addr};

use super::super::labels::Kind;
use super::super::traffic::{SYN, Time, at, later};
use super::clients;
use super::damage::ends;
use super::probes::{DEAD, Mix, REFUSING, Reaction, SPARSE, Sweep, Technique};
use super::scene::{Actor, Outcome, Probed, Scene, Size};
use super::sweeps::{block_of_hosts, scattered_hosts, slow_sweep};
use super::wire::router;
use super::{Class, debatable, pooled};
use crate::common::ip::TCP;

const HOSTS: &[Kind] = &[Kind::HostScan];

/// A browser with more servers than the scan beside it has targets.
fn beside_browsing(scene: &mut Scene) {
    let (start, host, count) = (scene.start(), scene.host(), scene.count(22, 90));
    let hosts = block_of_hosts(scene, count);
    let port = scene.dice.pick(&[22, 445, 3_389]);
    let gap = 60.0 / hosts.len() as f64;
    let sweep = Sweep::hosts(Technique::Syn, hosts, port, start, gap).reacting(DEAD).tries(2);
    let mut actor = Actor::scanning(host, HOSTS).sweep(&sweep);
    let resolver = scene.addresses.lan(1);
    for page in 0..count / 8 + 1 {
        let time = later(start, actor.host.dice.within(0.0, 60.0));
        clients::page(&mut actor.host, scene.addresses, resolver, time, 20, 1_000 * page);
    }
    scene.scanner(actor);
}

/// A resolver, or a mail server, that was taken over.
fn beside_service(scene: &mut Scene) {
    let (start, host, count) = (scene.start(), scene.host(), scene.count(24, 120));
    let hosts = scattered_hosts(scene, count);
    let sweep = Sweep::hosts(Technique::Syn, hosts, 23, start, 0.5).reacting(SPARSE);
    let mut actor = Actor::scanning(host, HOSTS).sweep(&sweep);
    for number in 0..3 * count {
        let to = scene.addresses.anywhere(5_000_000 + number % (2 * count));
        let (time, port) = (later(start, actor.host.dice.within(0.0, 60.0)), actor.host.port());
        actor.host.asks(time, port, (to, 53), [45, 180]);
    }
    // A few connections are answered and used, on another port.
    for number in 0..5 {
        let to = scene.addresses.anywhere(6_000_000 + number);
        actor.host.used(later(start, f64::from(number)), (to, 443), [500, 4_000]);
    }
    scene.scanner(actor);
}

/// From one probe in 0.4 s, as nmap -T2 sends them, to as few as the window just holds.
fn slow(scene: &mut Scene) {
    let gap = match scene.size {
        Size::Small => scene.dice.within(8.5, 9.4),
        Size::Medium => scene.dice.within(3.0, 6.0),
        Size::Large => 0.4,
    };
    let (start, host) = (scene.start(), scene.host());
    let actor = slow_sweep(scene, host, 60, start, gap);
    scene.scanner(actor);
}

/// Several at once, each with a part of its own.
fn several(scene: &mut Scene) {
    for _ in 0..scene.count(3, 8) {
        let (start, host) = (scene.start(), scene.host());
        let count = scene.dice.from(20, 60);
        let actor = slow_sweep(scene, host, count, start, 0.3);
        scene.scanner(actor);
    }
}

/// SYNs to one server, each from an address that was made up.
fn spoofed_flood(scene: &mut Scene, count: u32, seconds: f64) {
    let server = (scene.addresses.lan(5), 80);
    let start = at(1.0);
    for number in 0..count {
        let time = later(start, seconds * f64::from(number) / f64::from(count));
        let source = match server.0 {
            IpAddr::V4(_) => Ipv4Addr::from_bits(0x1e00_0000 | scene.dice.next() as u32 >> 4).into(),
            IpAddr::V6(_) => scene.addresses.anywhere(scene.dice.next() as u32),
        };
        let port = scene.dice.from(1_024, 65_535) as u16;
        scene.other.tcp(time, (source, port), server, SYN, 0);
    }
}

fn in_a_flood(scene: &mut Scene) {
    let count = scene.count(600, 2_400);
    spoofed_flood(scene, count, 60.0);
    let (start, host) = (scene.start(), scene.far_host());
    let actor = slow_sweep(scene, host, 40, start, 0.5);
    scene.scanner(actor);
}

/// A worm looks for hosts of its own network: for most of them there are only questions for their hardware address.
fn worm(scene: &mut Scene) {
    let (start, host) = (scene.start(), scene.host());
    let gap = scene.dice.within(0.02, 0.4);
    let count = scene.count(60, 240);
    let mut actor = Actor::scanning(host, HOSTS);
    let own = actor.host.address;
    let alive: Mix = &[(Reaction::Closed, 8), (Reaction::Greets, 4)];
    let mut numbers: Vec<u32> = (70..70 + count).map(|number| number % 254 + 1).collect();
    scene.dice.shuffle(&mut numbers);
    for (number, target) in numbers.into_iter().enumerate() {
        let (to, time) = (scene.addresses.lan(target), later(start, gap * number as f64));
        if to == own {
            continue;
        }
        if scene.dice.chance(0.08) {
            actor.host.traffic.resolve(time, own, to, true);
            let reaction = scene.dice.pick(alive).0;
            let from = actor.host.port();
            actor.probe(Technique::Connect, later(time, 0.001), from, (to, 445), reaction);
        } else {
            for again in 0..3 {
                actor.host.traffic.resolve(later(time, f64::from(again)), own, to, false);
            }
            actor.probed.push(Probed { began: time, host: to, port: Some((TCP, 445)), outcome: Outcome::Failed });
        }
    }
    scene.scanner(actor);
}

/// A sweep from far away. The router asks for the hardware address of each host that is not there, and does not scan.
fn through_router(scene: &mut Scene) {
    let (start, scanner, count) = (scene.start(), scene.far_host(), scene.count(60, 240));
    let (gap, port) = (scene.dice.within(0.02, 0.3), scene.dice.pick(&[22, 80, 443, 8_080]));
    let mut router = scene.at_address(router(scene.addresses.lan(1)));
    let mut actor = Actor::scanning(scanner, HOSTS);
    for number in 0..count {
        let (to, time) = (scene.addresses.lan(2 + number), later(start, gap * f64::from(number)));
        let (is_there, from) = (scene.dice.chance(0.1), actor.host.port());
        router.traffic.resolve(later(time, 0.000_1), router.address, to, is_there);
        if is_there {
            let reaction = scene.dice.pick(&[Reaction::Closed, Reaction::Open]);
            actor.probe(Technique::Syn, time, from, (to, port), reaction);
            continue;
        }
        actor.probe(Technique::Syn, time, from, (to, port), Reaction::Silent);
        for again in 1..3 {
            router.traffic.resolve(later(time, f64::from(again)), router.address, to, false);
        }
        router.traffic.unreachable(later(time, 3.0), router.address, (actor.host.address, from), (to, port), TCP);
    }
    scene.scanner(actor);
    scene.benign_as("router", router);
}

/// A worm that leaves its network: random addresses near its own, and anywhere.
fn worm_abroad(scene: &mut Scene) {
    let (start, host, count) = (scene.start(), scene.host(), scene.count(40, 500));
    let mut hosts = scattered_hosts(scene, count);
    let near = (0..count / 2).map(|number| scene.addresses.site(1 + number % 7, 1 + number % 254));
    hosts.extend(near);
    scene.dice.shuffle(&mut hosts);
    let port = scene.dice.pick(&[23, 445, 2_323, 5_555, 7_547]);
    let sweep = Sweep::hosts(Technique::Connect, hosts, port, start, 0.05).reacting(SPARSE).tries(3);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

/// One network's refusals, as many as its router may send in a second.
fn limited_by_router(scene: &mut Scene) {
    let (start, host, count) = (scene.start(), scene.host(), scene.count(24, 200));
    let hosts = block_of_hosts(scene, count);
    let mut sweep = Sweep::hosts(Technique::Datagram, hosts, 161, start, 0.05).reacting(&[(Reaction::Rejected, 1)]);
    sweep.refusals_per_second = Some(1.0);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

/// A scan that is sent in the names of others too: on the wire all of them scan.
fn decoys(scene: &mut Scene) {
    let (start, count, decoys) = (scene.start(), scene.count(24, 120), scene.dice.from(2, 5));
    let hosts = block_of_hosts(scene, count);
    for number in 0..=decoys {
        let host = scene.far_host();
        let start: Time = later(start, 0.001 * f64::from(number));
        let sweep = Sweep::hosts(Technique::Syn, hosts.iter().copied(), 443, start, 0.1).reacting(REFUSING);
        scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
    }
}

/// Only what the scanner sends passes here; a few others are seen both ways.
fn one_way(scene: &mut Scene) {
    let (start, host) = (scene.start(), scene.host());
    let mut actor = slow_sweep(scene, host, 60, start, 0.5);
    let own = actor.host.address;
    let resolver = scene.addresses.lan(1);
    clients::page(&mut actor.host, scene.addresses, resolver, start, 10, 0);
    actor.host.traffic.frames.retain(|(_, frame)| ends(&frame.bytes).is_some_and(|[from, _]| from == own));
    scene.scanner(actor);
    for _ in 0..scene.count(3, 8) {
        let mut host = scene.host();
        clients::page(&mut host, scene.addresses, resolver, start, 10, 0);
        scene.benign(host);
    }
}

/// Fetches the first page of each host of a network, and all of them serve one.
fn fetching(scene: &mut Scene) {
    let (start, host, count) = (scene.start(), scene.host(), scene.count(40, 200));
    let mut actor = Actor::scanning(host, HOSTS);
    for (number, to) in block_of_hosts(scene, count).into_iter().enumerate() {
        let began = later(start, 0.1 * number as f64);
        actor.host.used(began, (to, 80), [180, 6_000]);
        actor.probed.push(Probed { began, host: to, port: Some((TCP, 80)), outcome: Outcome::Used });
    }
    scene.scanner(actor);
}

/// Datagrams from port 53, because filters let them through.
fn from_service_port(scene: &mut Scene) {
    let (start, host, count) = (scene.start(), scene.host(), scene.count(24, 200));
    let hosts = block_of_hosts(scene, count);
    let sweep = Sweep::hosts(Technique::Datagram, hosts, 5_060, start, 0.1).reacting(REFUSING).from(53);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

/// Hosts of one /24 that share a scan: each stays below the limit, and no alert about it alone is right.
fn distributed(scene: &mut Scene) {
    let (start, network) = (scene.start(), scene.dice.from(0, 999));
    for number in 0..scene.count(20, 60) {
        let host = scene.at_address(scene.addresses.far(network, number));
        let hosts: Vec<IpAddr> = (0..8).map(|target| scene.addresses.lan(1 + 8 * (number % 30) + target)).collect();
        let sweep = Sweep::hosts(Technique::Syn, hosts, 22, start, 5.0).reacting(DEAD);
        let actor = Actor::scanning(host, &[]).sweep(&sweep);
        scene.benign_as("part of a scan", actor.host);
    }
}

/// Classes of scanners that hide.
pub const CLASSES: [Class; 13] = [
    pooled("beside more browsing", beside_browsing),
    pooled("beside a busy service", beside_service),
    pooled("slow sweep", slow),
    pooled("several at once", several),
    pooled("in a spoofed flood", in_a_flood),
    pooled("worm on its own network", worm),
    pooled("worm abroad", worm_abroad),
    pooled("sweep of a network behind its router", through_router),
    pooled("refusals limited by a router", limited_by_router),
    debatable("decoys", decoys),
    debatable("pages of a whole network", fetching),
    debatable("UDP from port 53", from_service_port),
    debatable("one-way, asymmetric route", one_way),
];

/// Scans of which no single source scans.
pub const DISTRIBUTED: [Class; 1] = [debatable("scan shared by one network", distributed)];
