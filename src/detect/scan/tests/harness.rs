//! Packets by script, cut into intervals of any tick and merged in any order, as the ledger would show them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::account::InterfaceId;
use crate::account::conversation::{Address, Endpoint, Way, request_way};
use crate::account::interval::{Interval, Row};
use crate::account::ledger::Ledger;
use crate::account::observer::{BatchMemory, MergedRow, RowBatch};
use crate::detect::scan::{Config, Scan};
use crate::detect::{Detection, Kind, Level, Notes, Subject};
use crate::locality::Classifier;
use crate::packet::{Addresses, Packet, Protocol, Resolution, TcpFlags, Timestamp};
use crate::tables::index::NOWHERE;
use crate::time_grid::TimeGrid;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PUSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

/// The start of scripts in seconds.
pub(super) const START: f64 = 1_700_000_000.0;

pub(super) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanoseconds(START as i64 * 1_000_000_000 + (seconds * 1e9).round() as i64)
}

pub(super) fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::from([a, b, c, d])
}

/// A captured packet.
#[derive(Debug, Clone, Copy)]
pub(super) enum ScriptEvent {
    Packet(Packet),
    /// An ICMP error that quotes a packet like this one.
    Refusal(Packet),
    Resolution(Resolution),
}

impl ScriptEvent {
    pub(super) fn packet(&self) -> &Packet {
        match self {
            Self::Packet(packet) | Self::Refusal(packet) => packet,
            Self::Resolution(resolution) => panic!("{resolution:?} is no packet"),
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        match self {
            Self::Packet(packet) | Self::Refusal(packet) => packet.time,
            Self::Resolution(resolution) => resolution.time,
        }
    }
}

/// A script: events with the number of the interface that sees them, in the order of their times once it runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Script(pub(super) Vec<(usize, ScriptEvent)>);

/// Ports of a packet: the source's, the destination's.
pub(super) type Ports = (u16, u16);

impl Script {
    #[allow(clippy::too_many_arguments, reason = "what a packet has")]
    pub(super) fn packet(
        &mut self,
        time: f64,
        from: IpAddr,
        to: IpAddr,
        protocol: Protocol,
        ports: Ports,
        flags: u8,
        bytes: u32,
    ) {
        self.0.push((0, ScriptEvent::Packet(packet(time, from, to, protocol, ports, flags, bytes))));
    }

    pub(super) fn tcp(&mut self, time: f64, from: IpAddr, to: IpAddr, ports: Ports, flags: u8) {
        self.packet(time, from, to, Protocol::TCP, ports, flags, 40);
    }

    pub(super) fn udp(&mut self, time: f64, from: IpAddr, to: IpAddr, ports: Ports) {
        self.packet(time, from, to, Protocol::UDP, ports, 0, 60);
    }

    /// A SYN to a port, from a port that no other takes.
    pub(super) fn syn(&mut self, time: f64, from: IpAddr, to: IpAddr, port: u16) -> u16 {
        let source_port = 32_768 + (self.0.len() % 28_000) as u16;
        self.tcp(time, from, to, (source_port, port), SYN);
        source_port
    }

    /// A SYN that is refused after 20 ms.
    pub(super) fn refused(&mut self, time: f64, from: IpAddr, to: IpAddr, port: u16) {
        let source_port = self.syn(time, from, to, port);
        self.tcp(time + 0.02, to, from, (port, source_port), RST | ACK);
    }

    /// A connection with data both ways, for `seconds`.
    pub(super) fn connection(&mut self, time: f64, from: IpAddr, to: IpAddr, port: u16, seconds: f64) {
        let source_port = self.syn(time, from, to, port);
        let (there, back) = ((source_port, port), (port, source_port));
        self.tcp(time + 0.02, to, from, back, SYN | ACK);
        self.tcp(time + 0.021, from, to, there, ACK);
        let mut passed = 0.03;
        while passed < seconds {
            self.tcp(time + passed, from, to, there, PUSH | ACK);
            self.tcp(time + passed + 0.02, to, from, back, PUSH | ACK);
            passed += 0.7;
        }
        self.tcp(time + seconds + 0.03, from, to, there, FIN | ACK);
        self.tcp(time + seconds + 0.05, to, from, back, FIN | ACK);
    }

    /// A datagram that is answered after `delay`.
    pub(super) fn query(&mut self, time: f64, from: IpAddr, to: IpAddr, port: u16, delay: f64) {
        let source_port = 32_768 + (self.0.len() % 28_000) as u16;
        self.udp(time, from, to, (source_port, port));
        self.udp(time + delay, to, from, (port, source_port));
    }

    /// An echo request, answered after 20 ms or not.
    pub(super) fn ping(&mut self, time: f64, from: IpAddr, to: IpAddr, is_answered: bool) {
        let (protocol, request, reply) =
            if from.is_ipv4() { (Protocol::ICMP, 8, 0) } else { (Protocol::ICMPV6, 128, 129) };
        let echo = |time, from, to, kind| {
            let mut packet = packet(time, from, to, protocol, (0, 0), 0, 84);
            packet.icmp_type = Some(kind);
            (0, ScriptEvent::Packet(packet))
        };
        self.0.push(echo(time, from, to, request));
        if is_answered {
            self.0.push(echo(time + 0.02, to, from, reply));
        }
    }

    /// An ICMP error for a packet that went this way.
    pub(super) fn unreachable(&mut self, time: f64, from: IpAddr, to: IpAddr, protocol: Protocol, ports: Ports) {
        self.0.push((0, ScriptEvent::Refusal(packet(time, from, to, protocol, ports, 0, 40))));
    }

    /// A connection that the source closes as soon as it is accepted.
    pub(super) fn touched(&mut self, time: f64, from: IpAddr, to: IpAddr, port: u16) {
        let source_port = self.syn(time, from, to, port);
        self.tcp(time + 0.02, to, from, (port, source_port), SYN | ACK);
        self.tcp(time + 0.021, from, to, (source_port, port), ACK);
        self.tcp(time + 0.022, from, to, (source_port, port), FIN | ACK);
        self.tcp(time + 0.04, to, from, (port, source_port), FIN | ACK);
    }

    /// A question for a link address, answered after 1 ms or not.
    pub(super) fn resolve(&mut self, time: f64, asker: IpAddr, target: IpAddr, is_answered: bool) {
        let message =
            |time, is_answer| (0, ScriptEvent::Resolution(Resolution { time: at(time), asker, target, is_answer }));
        self.0.push(message(time, false));
        if is_answered {
            self.0.push(message(time + 0.001, true));
        }
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same, seen by another interface.
    pub(super) fn seen_by(mut self, interface: usize) -> Self {
        self.0.iter_mut().for_each(|event| event.0 = interface);
        self
    }

    /// Without the packets that go to these hosts.
    pub(super) fn without_answers_to(mut self, hosts: &[IpAddr]) -> Self {
        self.0.retain(|(_, event)| !hosts.contains(&event.packet().addresses.destination()));
        self
    }
}

pub(super) fn packet(
    time: f64,
    from: IpAddr,
    to: IpAddr,
    protocol: Protocol,
    ports: Ports,
    flags: u8,
    bytes: u32,
) -> Packet {
    let addresses = match (from, to) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4 { source, destination },
        (IpAddr::V6(source), IpAddr::V6(destination)) => Addresses::V6 { source, destination },
        _ => panic!("two versions of IP in a packet"),
    };
    Packet {
        time: at(time),
        addresses,
        protocol,
        source_port: ports.0,
        destination_port: ports.1,
        tcp_flags: TcpFlags(flags),
        has_payload: flags & PUSH != 0,
        icmp_type: None,
        outgoing: false,
        bytes,
    }
}

/// The cut of a script into ticks: their length, how many are held back, and the seed of their order.
#[derive(Debug, Clone, Copy)]
pub(super) struct TickPlan {
    pub(super) tick: Duration,
    pub(super) held_back: usize,
    pub(super) shuffle: u64,
}

impl TickPlan {
    pub(super) const PLAIN: Self = Self { tick: Duration::from_secs(1), held_back: 0, shuffle: 0 };
    pub(super) const fn tick_ms(milliseconds: u64) -> Self {
        Self { tick: Duration::from_millis(milliseconds), ..Self::PLAIN }
    }
}

type KnownConversation = (Way, [bool; 2], Notes);

/// The part of the ledger that scans need.
pub(super) struct Bench {
    pub(super) scan: Scan,
    pub(super) detections: Vec<Detection>,
    interfaces: Vec<InterfaceId>,
    known: HashMap<(Addresses, u16, u16, u8), KnownConversation>,
}

impl Bench {
    pub(super) fn new(config: &Config) -> Self {
        let mut ledger = Ledger::<()>::new(&crate::account::Config::default(), 1);
        let interfaces = (0..4).map(|number| ledger.interface(&format!("eth{number}"))).collect();
        Self { scan: Scan::new(config, 7), detections: Vec::new(), interfaces, known: HashMap::new() }
    }

    pub(super) fn interface(&self, number: usize) -> InterfaceId {
        self.interfaces[number]
    }

    /// Runs a script, and on until `seconds` after its end.
    pub(super) fn run(&mut self, script: &Script, cut: TickPlan, seconds: f64) -> &mut Self {
        let mut events = script.0.clone();
        events.sort_by_key(|(_, event)| event.time());
        let grid = TimeGrid::of(cut.tick);
        let mut ticks: BTreeMap<_, BTreeMap<usize, Vec<ScriptEvent>>> = BTreeMap::new();
        for (interface, event) in events {
            ticks.entry(grid.cell(event.time())).or_default().entry(interface).or_default().push(event);
        }
        let last = *ticks.keys().last().unwrap();
        let mut order = cut.shuffle;
        let mut held: Vec<(usize, Vec<ScriptEvent>)> = Vec::new();
        for (number, (cell, intervals)) in ticks.into_iter().enumerate() {
            held.extend(intervals);
            if number % (cut.held_back + 1) == cut.held_back || cell == last {
                while !held.is_empty() {
                    order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let next = if cut.shuffle == 0 { 0 } else { (order >> 33) as usize % held.len() };
                    let (interface, events) = held.remove(next);
                    self.merge(interface, &events);
                }
                let found = self.scan.advance(grid.end(cell));
                self.detections.extend(found);
            }
        }
        let second = TimeGrid::of(Duration::from_secs(1));
        let end = second.end(second.cell(grid.start(last))).nanoseconds() + (seconds * 1e9) as i64;
        let end = Timestamp::from_nanoseconds(end);
        let found = self.scan.advance(end);
        self.detections.extend(found);
        self
    }

    fn merge(&mut self, interface: usize, events: &[ScriptEvent]) {
        let mut interval = Interval::new(Arc::new(Classifier::default()), 3);
        for event in events {
            if let ScriptEvent::Packet(packet) = event {
                interval.observe(packet, packet.bytes + 14);
            }
        }
        interval.settle();
        let interface = self.interfaces[interface];
        interval.rows_v4().iter().for_each(|row| self.see(row, interface));
        interval.rows_v6().iter().for_each(|row| self.see(row, interface));
        for event in events {
            match event {
                ScriptEvent::Packet(_) => {}
                ScriptEvent::Refusal(packet) => self.refuse(packet, interface),
                ScriptEvent::Resolution(resolution) => self.scan.resolve(resolution, interface),
            }
        }
    }

    fn see<A: Address>(&mut self, row: &Row<A>, interface: InterfaceId) {
        let (low, high) = row.key.endpoints(Way::Forward);
        let name = (A::pair(low.address, high.address), low.port, high.port, row.key.protocol().0);
        let here = [row.ways[0].packets > 0, row.ways[1].packets > 0];
        let before = self.known.get(&name).copied();
        let decided = || request_way(&row.key, row.opener(), row.ways[row.opener() as usize].first_flags());
        let (request_way, seen, notes) = before.map_or_else(
            || (decided(), here, Notes::default()),
            |(way, seen, notes)| (way, [seen[0] || here[0], seen[1] || here[1]], notes),
        );
        let (is_known, remembered_at) = (before.is_some(), NOWHERE);
        let mut batch = RowBatch::new(BatchMemory::default());
        batch.add(MergedRow { row, interface, is_known, request_way, seen, remembered_at }, notes);
        self.scan.observe(&mut batch);
        self.known.insert(name, (request_way, seen, batch.merged().1[0]));
    }

    fn refuse(&mut self, packet: &Packet, interface: InterfaceId) {
        use crate::account::conversation::ConversationKey;
        fn key<A: Address>(source: A, destination: A, packet: &Packet) -> (ConversationKey<A>, Way) {
            let source = Endpoint { address: source, port: packet.source_port };
            ConversationKey::new(
                source,
                Endpoint { address: destination, port: packet.destination_port },
                packet.protocol,
            )
        }
        match packet.addresses {
            Addresses::V4 { source, destination } => {
                let (key, way) = key(source, destination, packet);
                self.scan.refuse(&key, way, packet.time, interface);
            }
            Addresses::V6 { source, destination } => {
                let (key, way) = key(source, destination, packet);
                self.scan.refuse(&key, way, packet.time, interface);
            }
        }
    }

    /// The sources that were found: address, kind, and the time since when.
    pub(super) fn found(&self) -> Vec<(IpAddr, Kind, Timestamp)> {
        let mut found: Vec<_> = self.detections.iter().filter(|found| found.level == Level::Over).map(named).collect();
        found.sort();
        found.dedup();
        found
    }
}

fn named(detection: &Detection) -> (IpAddr, Kind, Timestamp) {
    match detection.subject {
        Subject::Source(source) => (source, detection.kind, detection.since),
        _ => panic!("{detection:?}"),
    }
}

/// A version of IP, to which the rule applies alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// A source with a number.
    pub(super) fn source(self, number: u8) -> IpAddr {
        match self {
            Self::V4 => v4(192, 0, 2, number),
            Self::V6 => [0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, u16::from(number)].into(),
        }
    }

    /// A host in a network of neighbours in a site.
    pub(super) fn host(self, site: u8, network: u8, number: u8) -> IpAddr {
        match self {
            Self::V4 => v4(20, site, network, number),
            Self::V6 => [0x2001, 0xdb8, site.into(), 0, 0, 0, network.into(), number.into()].into(),
        }
    }

    pub(super) fn icmp(self) -> Protocol {
        if self == Self::V4 { Protocol::ICMP } else { Protocol::ICMPV6 }
    }
}

/// A script in which `act` does something for each number, from 0.35 s on in steps of seconds.
pub(super) fn each(count: usize, step: f64, mut act: impl FnMut(&mut Script, f64, usize)) -> Script {
    let mut script = Script::default();
    (0..count).for_each(|number| act(&mut script, 0.35 + number as f64 * step, number));
    script
}

/// The sources that are found in a script: address, kind, and the time since when in seconds.
pub(super) fn found(script: &Script) -> Vec<(IpAddr, Kind, f64)> {
    found_with(&Config::default(), script)
}

pub(super) fn found_with(config: &Config, script: &Script) -> Vec<(IpAddr, Kind, f64)> {
    let mut bench = Bench::new(config);
    let found = bench.run(script, TickPlan::PLAIN, 12.0).found();
    found
        .iter()
        .map(|&(source, kind, since)| (source, kind, (since.nanoseconds() - at(0.0).nanoseconds()) as f64 / 1e9))
        .collect()
}
