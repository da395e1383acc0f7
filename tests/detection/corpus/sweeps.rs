//! Scanners that do nothing else, by technique.

use std::net::IpAddr;

use super::super::host::Host;
use super::super::labels::Kind;
use super::super::traffic::{Time, Wrapping};
use super::probes::{DEAD, Mix, REFUSING, Reaction, SPARSE, Sweep, Technique};
use super::scene::{Actor, Scene};
use super::wire::End;
use super::{Class, pooled, pooled_v4, pooled_v6};

const HOSTS: &[Kind] = &[Kind::HostScan];
const PORTS: &[Kind] = &[Kind::PortScan];
const BOTH: &[Kind] = &[Kind::HostScan, Kind::PortScan];
const TCP_PORTS: [u16; 10] = [21, 22, 23, 80, 443, 445, 3_389, 5_900, 6_379, 8_080];
const UDP_PORTS: [u16; 7] = [53, 69, 123, 161, 389, 1_900, 11_211];

/// Hosts that follow each other in one network, in random order.
pub fn block_of_hosts(scene: &mut Scene, count: u32) -> Vec<IpAddr> {
    let (network, first) = (scene.dice.from(0, 999), scene.dice.from(0, 20));
    let count = count.min(230);
    let mut hosts: Vec<IpAddr> = (0..count).map(|number| scene.addresses.far(network, first + number)).collect();
    scene.dice.shuffle(&mut hosts);
    hosts
}

/// Hosts of a /16 or more: each in a network of its own.
pub fn scattered_hosts(scene: &mut Scene, count: u32) -> Vec<IpAddr> {
    let first = scene.dice.from(0, 1 << 20);
    (first..first + count).map(|number| scene.addresses.anywhere(number)).collect()
}

/// Seconds between probes: from 20 to 500 a second, but no longer than 100 s for all of them.
fn pace(scene: &mut Scene, probes: usize) -> f64 {
    let rate = scene.dice.within(20.0, 500.0);
    (1.0 / rate).min(100.0 / probes as f64)
}

/// Sweeps hosts of one network, or of many, on one port.
fn sweep_hosts(scene: &mut Scene, technique: Technique, reactions: Mix, tries: u32, range: [u32; 2]) {
    let count = scene.count(range[0], range[1]);
    let hosts = if scene.dice.chance(0.6) { block_of_hosts(scene, count) } else { scattered_hosts(scene, count) };
    sweep_those(scene, technique, reactions, tries, hosts);
}

/// Sweeps hosts of one network, many of which answer.
fn sweep_block(scene: &mut Scene, technique: Technique, reactions: Mix) {
    let count = scene.count(40, 200);
    let hosts = block_of_hosts(scene, count);
    sweep_those(scene, technique, reactions, 1, hosts);
}

fn sweep_those(scene: &mut Scene, technique: Technique, reactions: Mix, tries: u32, hosts: Vec<IpAddr>) {
    let port = match technique {
        Technique::Datagram => scene.dice.pick(&UDP_PORTS),
        Technique::Icmp(_) => 0,
        _ => scene.dice.pick(&TCP_PORTS),
    };
    let (start, gap, host) = (scene.start(), pace(scene, hosts.len()), scene.host());
    let sweep = Sweep::hosts(technique, hosts, port, start, gap).reacting(reactions).tries(tries);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

/// The ports of one host, in random order.
fn ports_of(scene: &mut Scene, to: IpAddr, count: u32) -> Vec<End> {
    let first = scene.dice.from(1, 30_000) as u16;
    let mut targets: Vec<End> = (0..count as u16).map(|port| (to, first + port)).collect();
    scene.dice.shuffle(&mut targets);
    targets
}

fn sweep_ports(scene: &mut Scene, technique: Technique, reactions: Mix, limited: bool) {
    let count = scene.count(140, 600);
    let to = scene.addresses.far(7, 9);
    let (targets, start) = (ports_of(scene, to, count), scene.start());
    let (gap, host) = (pace(scene, targets.len()), scene.host());
    let mut sweep = Sweep::new(technique, targets, start, gap).reacting(reactions);
    sweep.refusals_per_second = limited.then_some(1.0);
    scene.scanner(Actor::scanning(host, PORTS).sweep(&sweep));
}

fn half_open(scene: &mut Scene) {
    sweep_hosts(scene, Technique::Syn, SPARSE, 2, [24, 400]);
}

fn connect(scene: &mut Scene) {
    sweep_hosts(scene, Technique::Connect, SPARSE, 3, [24, 400]);
}

fn vertical(scene: &mut Scene) {
    let mostly_closed: Mix = &[(Reaction::Closed, 96), (Reaction::Silent, 2), (Reaction::Open, 2)];
    let filtered: Mix = &[(Reaction::Silent, 98), (Reaction::Open, 2)];
    let mix = scene.dice.pick(&[mostly_closed, filtered]);
    let technique = scene.dice.pick(&[Technique::Syn, Technique::Connect]);
    sweep_ports(scene, technique, mix, false);
}

fn dense_connect(scene: &mut Scene) {
    let mix = scene.dice.pick(&[HALF_ANSWER, MOST_ANSWER, ALL_ANSWER]);
    sweep_block(scene, Technique::Connect, mix);
}

fn dense_half_open(scene: &mut Scene) {
    let mix = scene.dice.pick(&[HALF_ANSWER, MOST_ANSWER, ALL_ANSWER]);
    sweep_block(scene, Technique::Syn, mix);
}

fn dense_ping(scene: &mut Scene) {
    let mix = scene.dice.pick(&[HALF_ANSWER, MOST_ANSWER, ALL_ANSWER]);
    let (count, start) = (scene.count(40, 230), scene.start());
    let network = scene.dice.pick(&[0, 3]);
    let hosts: Vec<IpAddr> = (1..=count).map(|number| scene.addresses.site(network, number)).collect();
    let (gap, host) = (pace(scene, hosts.len()), scene.at_address(scene.addresses.site(0, 251)));
    let sweep = Sweep::hosts(Technique::Icmp(8), hosts, 0, start, gap).reacting(mix);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

fn dense_datagrams(scene: &mut Scene) {
    let mix = scene.dice.pick(&[HALF_ANSWER, MOST_ANSWER]);
    sweep_block(scene, Technique::Datagram, mix);
}

const HALF_ANSWER: Mix = &[(Reaction::Open, 50), (Reaction::Silent, 40), (Reaction::Closed, 10)];
const MOST_ANSWER: Mix = &[(Reaction::Open, 60), (Reaction::Greets, 20), (Reaction::Silent, 20)];
const ALL_ANSWER: Mix = &[(Reaction::Open, 1)];

fn tarpit(scene: &mut Scene) {
    sweep_block(scene, Technique::Connect, &[(Reaction::Tarpit, 9), (Reaction::Greets, 1)]);
}

fn proxy(scene: &mut Scene) {
    sweep_block(scene, Technique::Connect, &[(Reaction::Proxy, 19), (Reaction::Silent, 1)]);
}

/// All ports of a host seem open.
fn proxied_ports(scene: &mut Scene) {
    let mix: Mix = &[(Reaction::Proxy, 1)];
    let count = scene.count(260, 500);
    let to = scene.addresses.far(7, 9);
    let (targets, start, host) = (ports_of(scene, to, count), scene.start(), scene.host());
    let gap = pace(scene, targets.len());
    let sweep = Sweep::new(Technique::Connect, targets, start, gap).reacting(mix);
    scene.scanner(Actor::scanning(host, PORTS).sweep(&sweep));
}

/// A block of hosts times a block of ports, host by host or port by port.
fn block(scene: &mut Scene) {
    let (hosts, ports) = (scene.count(18, 22), scene.count(118, 126));
    let is_host_by_host = scene.dice.chance(0.5);
    let hosts = block_of_hosts(scene, hosts);
    let first = scene.dice.from(1, 30_000) as u16;
    let ports: Vec<u16> = (first..first + ports as u16).collect();
    let targets: Vec<End> = if is_host_by_host {
        hosts.iter().flat_map(|host| ports.iter().map(move |port| (*host, *port))).collect()
    } else {
        ports.iter().flat_map(|port| hosts.iter().map(move |host| (*host, *port))).collect()
    };
    let (start, gap, host) = (scene.start(), 60.0 / targets.len() as f64, scene.host());
    let sweep = Sweep::new(Technique::Syn, targets, start, gap).reacting(SPARSE);
    scene.scanner(Actor::scanning(host, BOTH).sweep(&sweep));
}

/// One source port, one probe a host, hosts in random order over the whole space, fast.
fn masscan(scene: &mut Scene) {
    let count = scene.count(200, 1_200);
    let hosts = scattered_hosts(scene, count);
    let (start, gap, mut host) = (scene.start(), 1.0 / scene.dice.within(100.0, 1_000.0), scene.far_host());
    let (port, from) = (scene.dice.pick(&TCP_PORTS), host.port());
    let sweep = Sweep::hosts(Technique::Syn, hosts, port, start, gap).from(from);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

/// A scan of the whole Internet as one network sees it: few of its hosts per minute, from ever other ports.
fn zmap(scene: &mut Scene) {
    let (count, start) = (scene.count(40, 240), scene.start());
    let gap = 120.0 / f64::from(count);
    let mut hosts: Vec<IpAddr> = (1..=count).map(|number| scene.addresses.lan(number)).collect();
    scene.dice.shuffle(&mut hosts);
    let port = scene.dice.pick(&TCP_PORTS);
    let host = scene.far_host();
    let sweep = Sweep::hosts(Technique::Syn, hosts, port, start, gap).reacting(DEAD);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

fn icmp(scene: &mut Scene) {
    let kind = scene.dice.pick(&[8, 13, 15, 17]);
    let mix: Mix = &[(Reaction::Silent, 90), (Reaction::Open, 10)];
    sweep_hosts(scene, Technique::Icmp(kind), mix, 1, [24, 240]);
}

fn datagrams(scene: &mut Scene) {
    if scene.dice.chance(0.5) {
        sweep_hosts(scene, Technique::Datagram, SPARSE, 2, [24, 300]);
    } else {
        sweep_ports(scene, Technique::Datagram, REFUSING, false);
    }
}

/// UDP ports of one host that refuses one probe a second.
fn limited_refusals(scene: &mut Scene) {
    sweep_ports(scene, Technique::Datagram, REFUSING, true);
}

fn odd_flags(scene: &mut Scene) {
    let technique = scene.dice.pick(&[Technique::Fin, Technique::Null, Technique::Xmas]);
    let mix = scene.dice.pick(&[SPARSE, REFUSING, DEAD]);
    if scene.dice.chance(0.5) {
        sweep_hosts(scene, technique, mix, 2, [24, 300]);
    } else {
        sweep_ports(scene, technique, mix, false);
    }
}

/// Bare ACKs, or FIN with ACK, from one source port.
fn acks(scene: &mut Scene) {
    let technique = scene.dice.pick(&[Technique::Ack, Technique::FinAck]);
    let mix = scene.dice.pick(&[REFUSING, DEAD, &[(Reaction::Closed, 1), (Reaction::Silent, 1)]]);
    let (start, mut host) = (scene.start(), scene.host());
    let from = host.port();
    let (targets, kinds) = if scene.dice.chance(0.6) {
        let count = scene.count(24, 230);
        let (hosts, port) = (block_of_hosts(scene, count), scene.dice.pick(&TCP_PORTS));
        (hosts.into_iter().map(|host| (host, port)).collect(), HOSTS)
    } else {
        let (count, to) = (scene.count(140, 600), scene.addresses.far(7, 9));
        (ports_of(scene, to, count), PORTS)
    };
    let gap = pace(scene, targets.len());
    let sweep = Sweep::new(technique, targets, start, gap).reacting(mix).from(from);
    scene.scanner(Actor::scanning(host, kinds).sweep(&sweep));
}

/// Probable addresses of a /64: low numbers, then those of DHCP.
fn version_6(scene: &mut Scene) {
    let count = scene.count(24, 400);
    let hosts: Vec<IpAddr> = (0..count).map(|number| scene.addresses.far(3, number)).collect();
    let technique = scene.dice.pick(&[Technique::Syn, Technique::Icmp(8), Technique::Datagram, Technique::Connect]);
    let port = if technique == Technique::Datagram { 53 } else { 443 };
    let (start, gap, host) = (scene.start(), pace(scene, hosts.len()), scene.far_host());
    let sweep = Sweep::hosts(technique, hosts, port, start, gap);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

fn wrapped(scene: &mut Scene, wrapping: Wrapping) {
    let count = scene.count(24, 230);
    let (hosts, port) = (block_of_hosts(scene, count), scene.dice.pick(&TCP_PORTS));
    let (start, gap) = (scene.start(), pace(scene, hosts.len()));
    let host: Host = scene.host().wrapped(wrapping);
    let sweep = Sweep::hosts(Technique::Syn, hosts, port, start, gap).tries(2);
    scene.scanner(Actor::scanning(host, HOSTS).sweep(&sweep));
}

fn tagged(scene: &mut Scene) {
    let wrapping = scene.dice.pick(&[Wrapping::Tagged, Wrapping::TwiceTagged]);
    wrapped(scene, wrapping);
}

fn fragments(scene: &mut Scene) {
    wrapped(scene, Wrapping::Fragments);
}

/// A scan of hosts in one network with a gap between probes, that all are dead.
pub fn slow_sweep(scene: &mut Scene, host: Host, count: u32, start: Time, gap: f64) -> Actor {
    let (hosts, port) = (block_of_hosts(scene, count), scene.dice.pick(&TCP_PORTS));
    let sweep = Sweep::hosts(Technique::Syn, hosts, port, start, gap).reacting(DEAD);
    Actor::scanning(host, HOSTS).sweep(&sweep)
}

/// Classes of scanners that do nothing else.
pub const CLASSES: [Class; 21] = [
    pooled("half-open sweep", half_open),
    pooled("connect() sweep", connect),
    pooled("ports of one host", vertical),
    pooled("dense sweep, connect()", dense_connect),
    pooled("dense sweep, half-open", dense_half_open),
    pooled("dense sweep, ping", dense_ping),
    pooled("dense sweep, UDP", dense_datagrams),
    pooled("behind a tarpit", tarpit),
    pooled("behind a SYN proxy", proxy),
    pooled("ports behind a SYN proxy", proxied_ports),
    pooled("block of hosts and ports", block),
    pooled("masscan", masscan),
    pooled("zmap", zmap),
    pooled_v4("ICMP requests", icmp),
    pooled("UDP sweep", datagrams),
    pooled("rate-limited refusals", limited_refusals),
    pooled("FIN, NULL, XMAS", odd_flags),
    pooled("ACK and FIN-ACK", acks),
    pooled_v6("IPv6 sweep", version_6),
    pooled_v4("tiny fragments", fragments),
    pooled("in VLANs", tagged),
];
