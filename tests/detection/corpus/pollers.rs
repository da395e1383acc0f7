//! Benign hosts that ask the same targets again and again, some of which are down.
//!
//! Known pollers asked in an earlier period too. A target that is down now was up then, unless it is gone for good.

use std::net::IpAddr;

use super::super::host::Host;
use super::super::traffic::{ACK, RST, SYN, Time, later};
use super::scene::Scene;
use super::wire::{End, are_neighbours};
use super::{Class, pooled};

/// The fate of a question to a target that is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    Silent,
    Refusing,
    Unreachable,
}

/// A target of a poller.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub address: IpAddr,
    /// None if it is up.
    pub down: Option<Down>,
    /// True if it was down before as well.
    pub is_gone: bool,
    /// The near port of a connection that stays open.
    pub port: u16,
}

impl Target {
    /// True if no packet reaches it, because it is in the same network and switched off.
    fn is_absent_neighbour_of(self, address: IpAddr) -> bool {
        are_neighbours(self.address, address) && matches!(self.down, Some(Down::Silent | Down::Unreachable))
    }

    fn earlier(self, is_earlier: bool) -> Self {
        if is_earlier && !self.is_gone { Self { down: None, ..self } } else { self }
    }
}

/// Questions for the hardware address of a neighbour that is not there; nothing else is sent.
fn absent(host: &mut Host, time: Time, to: IpAddr) {
    for again in 0..3 {
        host.traffic.resolve(later(time, f64::from(again)), host.address, to, false);
    }
}

/// Targets in so many networks, of the own site or far away; a share of them is down.
pub fn targets(scene: &mut Scene, host: &mut Host, count: u32, networks: u32, down: f64) -> Vec<Target> {
    let is_far = scene.dice.chance(0.3);
    let one = |number: u32| {
        let (network, place) = (number % networks, 100 + number / networks);
        let address = if is_far { scene.addresses.far(network, place) } else { scene.addresses.site(network, place) };
        let is_down = scene.dice.chance(down);
        let down = is_down.then(|| scene.dice.pick(&[Down::Silent, Down::Silent, Down::Refusing, Down::Unreachable]));
        Target { address, down, is_gone: scene.dice.chance(0.2), port: host.port() }
    };
    (0..count).map(one).collect()
}

/// Asks a target in a round.
pub type Ask = fn(&mut Host, Time, Target, u32);

/// Asks all targets `rounds` times, `period` seconds apart, each target at its own moment.
pub fn poll(scene: &mut Scene, host: &mut Host, targets: &[Target], (rounds, period): (u32, f64), ask: Ask) {
    for (start, is_earlier) in scene.periods() {
        for round in 0..if is_earlier { rounds.min(2) } else { rounds } {
            for (number, target) in targets.iter().enumerate() {
                let spread = period.min(60.0) * number as f64 / targets.len() as f64;
                let time = later(start, f64::from(round) * period + spread);
                let target = target.earlier(is_earlier);
                if target.is_absent_neighbour_of(host.address) {
                    absent(host, time, target.address);
                } else {
                    ask(host, time, target, round);
                }
            }
        }
    }
}

/// A connection to a target that is down.
pub fn fails(host: &mut Host, time: Time, to: End, down: Down) {
    match down {
        Down::Silent => host.dead_connection(time, to.0, to.1),
        Down::Refusing => host.refused(time, to),
        Down::Unreachable => host.unreachable(time, to),
    }
}

/// The metrics of a target, over a connection that stays open; it was open before the capture began.
pub fn scrape(host: &mut Host, time: Time, target: Target, _round: u32) {
    let to = (target.address, 9_100);
    match target.down {
        Some(down) => fails(host, time, to, down),
        None => {
            let (from, trip) = ((host.address, target.port), host.trip(to.0));
            host.traffic.request(time, from, to, trip, [250, 5_000]);
        }
    }
}

/// The same over a connection that is opened in the first round.
fn scrape_anew(host: &mut Host, time: Time, target: Target, round: u32) {
    if target.down.is_none() && round == 0 {
        let (from, to) = ((host.address, target.port), (target.address, 9_100));
        host.traffic.handshake(later(time, -0.2), from, to, 0.001);
    }
    scrape(host, time, target, round);
}

/// An echo request, a connection without payload, a page, or a question to a resolver, by the target.
fn black_box(host: &mut Host, time: Time, target: Target, _round: u32) {
    let (address, way) = (target.address, target.port % 4);
    match (way, target.down) {
        (0, down) => host.pings(time, address, (1, 1.0), down.is_none()),
        (1, Some(down)) => fails(host, time, (address, 22), down),
        (1, None) => host.touched(time, (address, 22), 0.01),
        (2, Some(down)) => fails(host, time, (address, 443), down),
        (2, None) => _ = host.used(time, (address, 443), [500, 3_000]),
        (_, down) => {
            let port = host.port();
            match down {
                None => host.asks(time, port, (address, 53), [40, 120]),
                Some(_) => host.asks_in_vain(time, port, (address, 53), 40, (1, 1.0)),
            }
        }
    }
}

/// A connection that is reset as soon as it is there, as HAProxy checks servers.
pub fn check(host: &mut Host, time: Time, target: Target, _round: u32) {
    let to = (target.address, 8_080);
    match target.down {
        Some(down) => fails(host, time, to, down),
        None => {
            let (from, trip) = (host.end(), host.trip(to.0));
            host.traffic.tcp(time, from, to, SYN, 0);
            host.traffic.tcp(later(time, trip), to, from, SYN | ACK, 0);
            host.traffic.tcp(later(time, trip + 0.000_1), from, to, RST | ACK, 0);
        }
    }
}

/// Twenty echo requests in a row.
pub fn smoke(host: &mut Host, time: Time, target: Target, _round: u32) {
    host.pings(time, target.address, (20, 0.5), target.down.is_none());
}

/// Three questions about a device, or one that is repeated until it is given up.
pub fn snmp(host: &mut Host, time: Time, target: Target, _round: u32) {
    let to = (target.address, 161);
    match target.down {
        None => (0..3).for_each(|number| host.asks(later(time, 0.02 * f64::from(number)), target.port, to, [45, 110])),
        Some(Down::Refusing) => host.asks_closed(time, target.port, to, 45),
        Some(_) => host.asks_in_vain(time, target.port, to, 45, (4, 1.5)),
    }
}

fn certificate(host: &mut Host, time: Time, target: Target, _round: u32) {
    match target.down {
        Some(down) => fails(host, time, (target.address, 443), down),
        None => _ = host.used(time, (target.address, 443), [517, 3_600]),
    }
}

fn clock(host: &mut Host, time: Time, target: Target, _round: u32) {
    let to = (target.address, 123);
    let port = if target.port.is_multiple_of(2) { 123 } else { target.port };
    match target.down {
        None => host.asks(time, port, to, [48, 48]),
        Some(Down::Refusing) => host.asks_closed(time, port, to, 48),
        Some(_) => host.asks_in_vain(time, port, to, 48, (1, 1.0)),
    }
}

fn playbook(host: &mut Host, time: Time, target: Target, _round: u32) {
    match target.down {
        Some(down) => fails(host, time, (target.address, 22), down),
        None => _ = host.used(time, (target.address, 22), [4_000, 5_600]),
    }
}

/// A poller with targets in some networks; up to a third of them is down.
fn poller(scene: &mut Scene, range: [u32; 2], rounds: (u32, f64), ask: Ask) {
    let (mut host, count, networks) = (scene.host(), scene.count(range[0], range[1]), scene.dice.from(1, 4));
    let down = scene.dice.within(0.05, 0.35);
    let targets = targets(scene, &mut host, count, networks, down);
    poll(scene, &mut host, &targets, rounds, ask);
    host.contacts.clear();
    scene.benign(host);
}

fn ansible(scene: &mut Scene) {
    poller(scene, [40, 200], (1, 60.0), playbook);
}

fn prometheus(scene: &mut Scene) {
    let ask = scene.dice.pick(&[scrape as Ask, scrape_anew]);
    poller(scene, [50, 250], (4, 15.0), ask);
}

fn blackbox_exporter(scene: &mut Scene) {
    poller(scene, [30, 160], (4, 15.0), black_box);
}

fn health_checks(scene: &mut Scene) {
    poller(scene, [20, 80], (10, 2.0), check);
}

fn smokeping(scene: &mut Scene) {
    poller(scene, [20, 60], (1, 300.0), smoke);
}

fn network_management(scene: &mut Scene) {
    poller(scene, [40, 220], (2, 60.0), snmp);
}

fn certificate_checks(scene: &mut Scene) {
    poller(scene, [60, 240], (1, 120.0), certificate);
}

fn time_servers(scene: &mut Scene) {
    poller(scene, [20, 120], (3, 64.0), clock);
}

/// A rack fails: from a third to four fifths of the targets of a poller at once.
fn failed_rack(scene: &mut Scene) {
    let (ask, rounds) =
        scene.dice.pick(&[(scrape as Ask, (4, 15.0)), (check, (10, 2.0)), (snmp, (2, 60.0)), (black_box, (4, 15.0))]);
    let (mut host, count) = (scene.host(), scene.count(40, 120));
    let share = scene.dice.within(0.33, 0.8);
    let mut targets = targets(scene, &mut host, count, 1, 0.0);
    for target in &mut targets[..(f64::from(count) * share) as usize] {
        (target.down, target.is_gone) = (Some(Down::Silent), false);
    }
    poll(scene, &mut host, &targets, rounds, ask);
    host.contacts.clear();
    scene.benign(host);
}

/// Benign classes of pollers.
pub const CLASSES: [Class; 9] = [
    pooled("Ansible", ansible),
    pooled("Prometheus", prometheus),
    pooled("blackbox exporter", blackbox_exporter),
    pooled("health checks", health_checks),
    pooled("smokeping", smokeping),
    pooled("SNMP", network_management),
    pooled("certificate checks", certificate_checks),
    pooled("NTP pool monitor", time_servers),
    pooled("poller of a rack that fails", failed_rack),
];
