//! Sources that scan, by class, above the limits and just below them.

use std::net::IpAddr;

use super::dice::Dice;
use super::host::{Fate, Host, Probe, moment};
use super::labels::{Kind, Labelled};
use super::traffic::{Wrapping, later};

/// The relation of a scan to the limit of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Above,
    JustAbove,
    JustBelow,
}

/// Number of hosts or ports that are contacted.
fn many(dice: &mut Dice, side: Side, limit: u32, most: u32) -> u32 {
    match side {
        // As many that some may answer.
        Side::Above => dice.from(limit * 4 / 3 + 8, most),
        Side::JustAbove => dice.from(limit + 1, limit + 2),
        Side::JustBelow => dice.from(limit - limit / 8, limit),
    }
}

fn hosts(dice: &mut Dice, side: Side) -> u32 {
    many(dice, side, 15, 150)
}

fn ports(dice: &mut Dice, side: Side) -> u32 {
    many(dice, side, 100, 400)
}

/// The plan of a scan: targets, vantage, order and speed.
struct Plan {
    targets: Vec<(u32, u16)>,
    /// Seconds from the first contact to the last.
    duration: f64,
    /// The states of the targets, each as often as it is listed.
    fates: &'static [Fate],
    /// The share of silent targets that are tried once more.
    retried: f64,
    /// One port that all probes come from, instead of one each.
    from: Option<u16>,
}

const MOSTLY_DEAD: &[Fate] =
    &[Fate::Silent, Fate::Silent, Fate::Silent, Fate::Closed, Fate::Closed, Fate::Rejected, Fate::Open];
const NEVER_ANSWERED: &[Fate] = &[Fate::Silent, Fate::Silent, Fate::Closed, Fate::Rejected];
const DENSE: &[Fate] = &[Fate::Open, Fate::Open, Fate::Open, Fate::Silent, Fate::Closed];

/// So many contacts a second, for so many contacts, and no longer than a good part of the window.
fn fast(dice: &mut Dice, contacts: usize, window: f64) -> f64 {
    (contacts as f64 / dice.within(8.0, 800.0)).min(0.8 * window)
}

impl Plan {
    fn horizontal(dice: &mut Dice, hosts: u32) -> Self {
        let port = dice.pick(&[22, 23, 80, 443, 445, 3_389, 5_900, 8_080]);
        let targets: Vec<(u32, u16)> = (0..hosts).map(|host| (host, port)).collect();
        Self { duration: fast(dice, targets.len(), 170.0), targets, fates: MOSTLY_DEAD, retried: 0.0, from: None }
    }

    fn vertical(dice: &mut Dice, ports: u32) -> Self {
        let (host, first) = (dice.from(0, 999), dice.from(1, 60_000) as u16);
        let targets: Vec<(u32, u16)> = (0..ports).map(|port| (host, first + port as u16)).collect();
        Self { duration: fast(dice, targets.len(), 600.0), targets, fates: MOSTLY_DEAD, retried: 0.0, from: None }
    }

    fn run(mut self, host: &mut Host, probe: Probe, side: Side) {
        host.dice.shuffle(&mut self.targets);
        // Unanswered contacts count; on the near side of a limit one answer more or less decides.
        let fates = if side == Side::JustAbove { NEVER_ANSWERED } else { self.fates };
        let start = moment(&mut host.dice, 5.0, 1_200.0);
        let step = self.duration / self.targets.len() as f64;
        for (number, (target, port)) in self.targets.into_iter().enumerate() {
            let time = later(start, step * (number as f64 + host.dice.within(0.0, 0.9)));
            let (to, fate) = (host.target(target), host.dice.pick(fates));
            let from = self.from.unwrap_or_else(|| host.port());
            host.probe_from(probe, time, to, (from, port), fate);
            if fate == Fate::Silent && host.dice.chance(self.retried) {
                let (again, from) = (later(time, host.dice.within(0.2, 3.0)), self.from.unwrap_or_else(|| host.port()));
                host.probe_from(probe, again, to, (from, port), fate);
            }
        }
    }
}

/// The label of a source of this class, by the limits that it is above.
fn label(class: &'static str, host: Host, side: Side, kinds: &[Kind]) -> Labelled {
    let kinds = if side == Side::JustBelow { Vec::new() } else { kinds.to_vec() };
    Labelled { class, host, kinds, is_pooled: true }
}

/// A scan of hosts or of ports, by chance.
fn either(host: &mut Host, side: Side) -> (Plan, Kind) {
    if host.dice.chance(0.5) {
        let hosts = hosts(&mut host.dice, side);
        (Plan::horizontal(&mut host.dice, hosts), Kind::HostScan)
    } else {
        let ports = ports(&mut host.dice, side);
        (Plan::vertical(&mut host.dice, ports), Kind::PortScan)
    }
}

fn horizontal_fast(mut host: Host, side: Side) -> Labelled {
    let hosts = hosts(&mut host.dice, side);
    Plan::horizontal(&mut host.dice, hosts).run(&mut host, Probe::HalfOpen, side);
    label("horizontal, fast", host, side, &[Kind::HostScan])
}

fn horizontal_slow(mut host: Host, side: Side) -> Labelled {
    let mut plan = match side {
        // So slow that no window holds more than the limit, for longer than a window.
        Side::JustBelow => {
            let hosts = host.dice.from(20, 50);
            Plan {
                duration: f64::from(hosts) * host.dice.within(12.5, 14.0),
                ..Plan::horizontal(&mut host.dice, hosts)
            }
        }
        _ => Plan { duration: host.dice.within(140.0, 162.0), ..Plan::horizontal(&mut host.dice, 17) },
    };
    plan.fates = NEVER_ANSWERED;
    plan.run(&mut host, Probe::HalfOpen, side);
    label("horizontal, slow", host, side, &[Kind::HostScan])
}

fn retried(mut host: Host, side: Side) -> Labelled {
    let (plan, kind) = either(&mut host, side);
    let any = host.port();
    let from = host.dice.pick(&[None, Some(any)]);
    Plan { retried: 0.9, from, ..plan }.run(&mut host, Probe::HalfOpen, side);
    label("SYN with retries", host, side, &[kind])
}

fn connect(mut host: Host, side: Side) -> Labelled {
    let (plan, kind) = either(&mut host, side);
    let fates = if side == Side::JustBelow { NEVER_ANSWERED } else { plan.fates };
    Plan { fates, ..plan }.run(&mut host, Probe::Connect, side);
    label("connect()", host, side, &[kind])
}

fn vertical(mut host: Host, side: Side) -> Labelled {
    let ports = ports(&mut host.dice, side);
    Plan::vertical(&mut host.dice, ports).run(&mut host, Probe::HalfOpen, side);
    label("vertical, fast", host, side, &[Kind::PortScan])
}

fn vertical_slow(mut host: Host, side: Side) -> Labelled {
    let ports = ports(&mut host.dice, if side == Side::Above { Side::JustAbove } else { side });
    let plan = Plan { duration: host.dice.within(520.0, 585.0), ..Plan::vertical(&mut host.dice, ports) };
    Plan { fates: NEVER_ANSWERED, ..plan }.run(&mut host, Probe::HalfOpen, side);
    label("vertical, slow", host, side, &[Kind::PortScan])
}

fn block(mut host: Host, side: Side) -> Labelled {
    let (hosts, ports) = match side {
        Side::Above => (host.dice.from(18, 30), host.dice.from(105, 130)),
        Side::JustAbove => (host.dice.from(16, 17), host.dice.from(101, 103)),
        Side::JustBelow => (host.dice.from(10, 15), host.dice.from(60, 100)),
    };
    let first = host.dice.from(1, 60_000) as u16;
    let targets = (0..hosts).flat_map(|to| (0..ports).map(move |port| (to, first + port as u16))).collect();
    let plan = Plan { targets, duration: host.dice.within(4.0, 120.0), fates: MOSTLY_DEAD, retried: 0.0, from: None };
    plan.run(&mut host, Probe::HalfOpen, side);
    label("block", host, side, &[Kind::HostScan, Kind::PortScan])
}

fn ping_sweep(mut host: Host, side: Side) -> Labelled {
    let hosts = hosts(&mut host.dice, side);
    let plan = Plan::horizontal(&mut host.dice, hosts);
    plan.run(&mut host, Probe::Echo, side);
    label("ping sweep", host, side, &[Kind::HostScan])
}

/// Two probes a host, as tools ask whether it is there.
fn discovery(mut host: Host, side: Side) -> Labelled {
    let hosts = hosts(&mut host.dice, side);
    let start = moment(&mut host.dice, 5.0, 1_200.0);
    let step = host.dice.within(0.01, 1.0);
    for number in 0..hosts {
        let (time, to) = (later(start, f64::from(number) * step), host.target(number));
        let is_there = side == Side::Above && host.dice.chance(0.1);
        let fates = if is_there { [Fate::Open, Fate::Closed] } else { [Fate::Silent; 2] };
        host.probe(Probe::Echo, time, to, 0, fates[0]);
        host.probe(Probe::HalfOpen, later(time, 0.000_1), to, 443, fates[1]);
    }
    label("host discovery", host, side, &[Kind::HostScan])
}

/// A host that scans and does its ordinary work besides.
fn beside_work(mut host: Host, side: Side) -> Labelled {
    let hosts = hosts(&mut host.dice, side);
    Plan { fates: NEVER_ANSWERED, ..Plan::horizontal(&mut host.dice, hosts) }.run(&mut host, Probe::HalfOpen, side);
    for _ in 0..8 {
        let (start, server) = (moment(&mut host.dice, 0.0, 1_200.0), host.dice.from(30_000, 30_007));
        let to = host.target(server);
        host.connection(start, to, 443, 20.0);
    }
    label("scan beside work", host, side, &[Kind::HostScan])
}

fn odd_flags(mut host: Host, side: Side) -> Labelled {
    let (plan, kind) = either(&mut host, side);
    let probe = host.dice.pick(&[Probe::Fin, Probe::Null, Probe::Xmas]);
    plan.run(&mut host, probe, side);
    label("FIN, NULL, XMAS", host, side, &[kind])
}

fn datagrams(mut host: Host, side: Side) -> Labelled {
    let (plan, kind) = either(&mut host, side);
    let fates = if side == Side::JustBelow { NEVER_ANSWERED } else { plan.fates };
    let any = host.port();
    let from = host.dice.pick(&[None, Some(any)]);
    Plan { retried: 0.5, fates, from, ..plan }.run(&mut host, Probe::Datagram, side);
    label("UDP", host, side, &[kind])
}

fn tagged(host: Host, side: Side) -> Labelled {
    let mut host = host;
    let wrapping = host.dice.pick(&[Wrapping::Tagged, Wrapping::TwiceTagged]);
    let mut host = host.wrapped(wrapping);
    let (plan, kind) = either(&mut host, side);
    plan.run(&mut host, Probe::HalfOpen, side);
    label("VLAN", host, side, &[kind])
}

fn fragments(host: Host, side: Side) -> Labelled {
    let mut host = host.wrapped(Wrapping::Fragments);
    let (plan, kind) = either(&mut host, side);
    plan.run(&mut host, Probe::HalfOpen, side);
    label("tiny fragments", host, side, &[kind])
}

fn version_6(mut host: Host, side: Side) -> Labelled {
    let probe = host.dice.pick(&[Probe::HalfOpen, Probe::Datagram, Probe::Echo]);
    let (plan, kind) = if probe == Probe::Echo {
        let hosts = hosts(&mut host.dice, side);
        (Plan::horizontal(&mut host.dice, hosts), Kind::HostScan)
    } else {
        either(&mut host, side)
    };
    let fates = if side == Side::JustBelow { NEVER_ANSWERED } else { plan.fates };
    Plan { fates, ..plan }.run(&mut host, probe, side);
    label("IPv6", host, side, &[kind])
}

type Class = fn(Host, Side) -> Labelled;

const CLASSES: [Class; 14] = [
    horizontal_fast,
    horizontal_slow,
    retried,
    connect,
    vertical,
    vertical_slow,
    block,
    ping_sweep,
    discovery,
    beside_work,
    odd_flags,
    datagrams,
    tagged,
    fragments,
];

/// All classes `rounds` times on each side of the limits. `address` gives one that no other has.
pub fn all(dice: &mut Dice, rounds: usize, mut address: impl FnMut(bool) -> IpAddr) -> Vec<Labelled> {
    let mut labelled = Vec::new();
    for round in 0..rounds {
        for side in [Side::Above, Side::JustAbove, Side::JustBelow] {
            // Fewer that are just below: the benign have many classes of their own.
            if side == Side::JustBelow && round % 2 == 1 {
                continue;
            }
            for class in CLASSES {
                labelled.push(class(Host::new(address(false), dice.fork()), side));
            }
            labelled.push(version_6(Host::new(address(true), dice.fork()), side));
        }
        labelled.extend(decoys(dice, &mut address));
        labelled.extend(dense(dice, &mut address));
        labelled.push(from_service(Host::new(address(false), dice.fork())));
    }
    labelled
}

/// A scanner and the sources that it forges: on the wire they all scan.
fn decoys(dice: &mut Dice, address: &mut impl FnMut(bool) -> IpAddr) -> Vec<Labelled> {
    let plan = dice.fork();
    let count = dice.from(2, 4);
    (0..count)
        .map(|_| {
            // The same dice: the same targets at the same times, except for small differences.
            let mut host = Host::new(address(false), plan.clone());
            let hosts = hosts(&mut host.dice, Side::Above);
            Plan::horizontal(&mut host.dice, hosts).run(&mut host, Probe::HalfOpen, Side::Above);
            label("decoys", host, Side::Above, &[Kind::HostScan])
        })
        .collect()
}

/// Datagrams from a port that filters let through, because answers come from it.
fn from_service(mut host: Host) -> Labelled {
    let (plan, kind) = either(&mut host, Side::Above);
    let from = host.dice.pick(&[53, 123]);
    Plan { from: Some(from), ..plan }.run(&mut host, Probe::Datagram, Side::Above);
    Labelled { is_pooled: false, ..label("UDP from port 53 or 123", host, Side::Above, &[kind]) }
}

/// Sweeps with more than half of the targets answering: by half-open connections, whole ones and echo requests.
fn dense(dice: &mut Dice, address: &mut impl FnMut(bool) -> IpAddr) -> Vec<Labelled> {
    let classes = [
        (Probe::HalfOpen, "dense, half-open", true),
        (Probe::Connect, "dense, connect()", false),
        (Probe::Echo, "dense, ping", false),
        (Probe::Datagram, "dense, UDP", false),
    ];
    let sweep = |(probe, class, is_pooled): (Probe, &'static str, bool)| {
        let mut host = Host::new(address(false), dice.fork());
        let hosts = host.dice.from(40, 200);
        Plan { fates: DENSE, ..Plan::horizontal(&mut host.dice, hosts) }.run(&mut host, probe, Side::Above);
        Labelled { is_pooled, ..label(class, host, Side::Above, &[Kind::HostScan]) }
    };
    classes.into_iter().map(sweep).collect()
}
