//! Scans compared with models that keep every packet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::harness::*;
use crate::detect::scan::{Config, Rule};
use crate::detect::{Kind, Level};
use crate::packet::{Packet, Protocol, Timestamp};
use crate::time_grid::TimeGrid;

/// Windows that a short script fills and leaves.
pub(super) fn config(rule: Rule) -> Config {
    Config {
        rule,
        interval: Duration::from_secs(12),
        port_interval: Duration::from_secs(20),
        contacted_ips: 3,
        contacted_ports: 4,
        ..Config::default()
    }
}

/// The sources that are over a limit: cell, kind and value.
pub(super) type Over = BTreeMap<(i64, Kind, IpAddr), u64>;

pub(super) fn over(bench: &Bench) -> Over {
    let found = bench.detections.iter().filter(|found| found.level == Level::Over);
    found
        .map(|found| {
            let crate::detect::Subject::Source(source) = found.subject else { panic!("{found:?}") };
            ((found.at.nanoseconds(), found.kind, source), found.figures.value as u64)
        })
        .collect()
}

fn endpoints(packet: &Packet) -> (IpAddr, IpAddr) {
    (packet.addresses.source(), packet.addresses.destination())
}

/// The number of distinct targets of each source, in the windows that end with each cell from `from` to `to`.
pub(super) struct Windows {
    pub(super) grid: TimeGrid,
    pub(super) cells: [u32; 2],
}

impl Windows {
    pub(super) fn of(config: &Config) -> Self {
        let grid = TimeGrid::for_window(config.interval);
        Self { grid, cells: [config.interval, config.port_interval].map(|window| grid.cells(window)) }
    }

    fn is_in(&self, kind: Kind, cell: i64, time: i64) -> bool {
        let cells = i64::from(self.cells[usize::from(kind == Kind::PortScan)]);
        (0..cells).contains(&(cell - time))
    }
}

/// A target as a set of that aspect distinguishes it.
type Name = (Option<IpAddr>, u8, u16);

fn name(kind: Kind, address: IpAddr, protocol: Protocol, port: u16) -> Name {
    if kind == Kind::HostScan { (Some(address), 0, 0) } else { (None, protocol.0, port) }
}

fn has_name(kind: Kind, protocol: Protocol, port: u16) -> bool {
    kind == Kind::HostScan || matches!(protocol, Protocol::TCP | Protocol::UDP) && port != 0
}

/// TrafficAlerted's rule over every packet.
fn contacts_model(config: &Config, script: &Script, until: Timestamp) -> Over {
    let windows = Windows::of(config);
    let mut over = Over::new();
    let packets: Vec<Packet> = script.0.iter().map(|(_, event)| *event.packet()).collect();
    let first = packets.iter().map(|packet| windows.grid.cell(packet.time).0).min().unwrap();
    for (kind, limit) in [(Kind::HostScan, config.contacted_ips), (Kind::PortScan, config.contacted_ports)] {
        for cell in first..windows.grid.cell(until).0 {
            let mut seen: BTreeMap<IpAddr, BTreeSet<Name>> = BTreeMap::new();
            for packet in &packets {
                let (source, destination) = endpoints(packet);
                let (protocol, port) = (packet.protocol, packet.destination_port);
                if windows.is_in(kind, cell, windows.grid.cell(packet.time).0) && has_name(kind, protocol, port) {
                    seen.entry(source).or_default().insert(name(kind, destination, protocol, port));
                }
            }
            let end = windows.grid.end(crate::time_grid::Cell(cell)).nanoseconds();
            let many = seen.into_iter().filter(|(_, names)| names.len() > limit as usize);
            over.extend(many.map(|(source, names)| ((end, kind, source), names.len() as u64)));
        }
    }
    over
}

/// A probe and its outcome in the script.
#[derive(Debug, Clone, Copy)]
struct Probe {
    source: u8,
    host: u8,
    port: u16,
    is_udp: bool,
    tenths: u16,
    /// Milliseconds until an answer (true) or a refusal comes.
    reply: Option<(bool, u16)>,
    /// Milliseconds until it is tried again from the same port.
    retry: Option<u16>,
}

fn probe() -> impl Strategy<Value = Probe> {
    let reply = prop_oneof![
        2 => Just(None),
        2 => (Just(true), 1_u16..1_500).prop_map(Some),
        2 => (Just(false), 1_u16..1_500).prop_map(Some),
    ];
    let retry = prop::option::weighted(0.3, 1_u16..2_500);
    (0_u8..3, 0_u8..9, 1_u16..9, any::<bool>(), 0_u16..400, reply, retry).prop_map(
        |(source, host, port, is_udp, tenths, reply, retry)| {
            // A source that was answered does not try again from the same port at once.
            let retry = retry.filter(|&retry| reply.is_none_or(|(_, replied)| retry < replied));
            Probe { source, host, port, is_udp, tenths, reply, retry }
        },
    )
}

fn addresses(probe: &Probe) -> (IpAddr, IpAddr) {
    (v4(10, 0, 0, probe.source), v4(203, 0, 113, probe.host))
}

/// Times without ties, and never at the edge of a cell.
fn time(number: usize, probe: &Probe) -> f64 {
    f64::from(probe.tenths) / 10.0 + 0.000_001 * (number as f64 + 1.0)
}

fn script_of(probes: &[Probe]) -> Script {
    let mut script = Script::default();
    for (number, probe) in probes.iter().enumerate() {
        let (source, host) = addresses(probe);
        let (there, back) = ((20_000 + number as u16, probe.port), (probe.port, 20_000 + number as u16));
        let began = time(number, probe);
        let reply = probe.reply.map(|(is_answer, delay)| (is_answer, began + f64::from(delay) / 1e3));
        let retry = probe.retry.map(|delay| began + f64::from(delay) / 1e3);
        if probe.is_udp {
            script.udp(began, source, host, there);
            retry.into_iter().for_each(|at| script.udp(at, source, host, there));
            match reply {
                Some((true, at)) => script.udp(at, host, source, back),
                Some((false, at)) => script.unreachable(at, source, host, Protocol::UDP, there),
                None => {}
            }
        } else {
            script.tcp(began, source, host, there, SYN);
            retry.into_iter().for_each(|at| script.tcp(at, source, host, there, SYN));
            match reply {
                Some((true, at)) => {
                    script.tcp(at, host, source, back, SYN | ACK);
                    script.tcp(at + 0.000_000_5, source, host, there, ACK);
                }
                Some((false, at)) => script.tcp(at, host, source, back, RST | ACK),
                None => {}
            }
        }
    }
    script
}

pub(super) fn until(script: &Script) -> Timestamp {
    let last = script.0.iter().map(|(_, event)| event.time()).max().unwrap();
    let second = TimeGrid::of(Duration::from_secs(1));
    Timestamp::from_nanoseconds(second.end(second.cell(last)).nanoseconds() + 25_000_000_000)
}

pub(super) fn run(config: &Config, script: &Script, cut: TickPlan) -> Bench {
    let mut bench = Bench::new(config);
    bench.run(script, cut, 25.0);
    bench
}

/// The cut of intervals: never longer than a cell of these windows.
pub(super) fn cut() -> impl Strategy<Value = TickPlan> {
    (prop_oneof![Just(20_u64), Just(50), Just(100)], 0_usize..12, any::<u64>()).prop_map(
        |(tick, held_back, shuffle)| {
            // One thread hands over in order; the harness puts ticks that are held back together out of order, which
            // several do.
            TickPlan { held_back, shuffle: if held_back == 0 { shuffle } else { 0 }, ..TickPlan::tick_ms(tick) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_rule_of_contacts_finds_what_every_packet_says(probes in prop::collection::vec(probe(), 1..120), cut in cut()) {
        let config = config(Rule::Contacts);
        let script = script_of(&probes);
        let script = Script(script.0.into_iter().filter(|(_, event)| matches!(event, ScriptEvent::Packet(_))).collect());
        prop_assume!(!script.0.is_empty());
        let cut = TickPlan { held_back: 0, ..cut };
        prop_assert_eq!(over(&run(&config, &script, cut)), contacts_model(&config, &script, until(&script)));
    }

    #[test]
    fn tables_never_hold_more_than_their_limits(probes in prop::collection::vec(probe(), 1..200), limit in 1_usize..40) {
        for rule in [Rule::Evidence, Rule::Contacts] {
            let config = Config { max_sources: limit, max_contacts: 2 * limit, max_waiting: limit, ..config(rule) };
            let mut bench = Bench::new(&config);
            bench.run(&script_of(&probes), TickPlan::tick_ms(100), 0.0);
            for table in bench.scan.view(3).tables {
                prop_assert!(table.entries <= table.limit, "{:?}", table);
            }
            bench.run(&script_of(&[Probe { source: 0, host: 0, port: 1, is_udp: false, tenths: 4_000, reply: None, retry: None }]), TickPlan::PLAIN, 60.0);
            prop_assert!(bench.detections.last().is_none_or(|found| found.level == Level::Under));
        }
    }
}
