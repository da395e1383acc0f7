mod notes;

use std::net::Ipv4Addr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::account::Config;
use crate::account::conversation::{Address, Way};
use crate::account::observer::RowBatch;
use crate::account::refusals::{MAXIMUM_REFUSALS, Refused};
use crate::account::snapshot::{ShownRow, Snapshot};
use crate::account::snapshot_builder::plain;
use crate::locality::Classifier;
use crate::packet::{Addresses, Packet, Refusal, TcpFlags};

const SEED: u64 = 7;

/// A packet between two of few hosts, so that conversations repeat.
fn packet(
    time: i64,
    source: u8,
    destination: u8,
    protocol: Protocol,
    ports: [u16; 2],
    flags: u8,
    bytes: u32,
) -> Packet {
    let address = |number: u8| {
        if number.is_multiple_of(2) { Ipv4Addr::new(10, 0, 0, number) } else { Ipv4Addr::new(198, 51, 100, number) }
    };
    let addresses = Addresses::V4 { source: address(source), destination: address(destination) };
    Packet {
        time: Timestamp::from_nanoseconds(time),
        addresses,
        protocol,
        source_port: ports[0],
        destination_port: ports[1],
        tcp_flags: TcpFlags(flags),
        has_payload: false,
        icmp_type: None,
        outgoing: false,
        bytes,
    }
}

/// The accounts of `packets` when an interval ends behind each of the positions in `ends`.
fn accounts(config: &Config, packets: &[Packet], ends: &[usize], seed: u64) -> Snapshot {
    let classifier = Arc::new(Classifier::new(&crate::locality::Config::default(), []));
    let mut interval = Interval::new(classifier, seed);
    let mut ledger = Ledger::new(config, seed);
    let interface = ledger.interface("eth0");
    for (at, packet) in packets.iter().enumerate() {
        interval.observe(packet, packet.bytes + 14);
        if ends.contains(&at) || at + 1 == packets.len() {
            interval.settle();
            ledger.merge(interface, &interval, &mut ());
            interval.reset();
        }
    }
    plain(&ledger, usize::MAX, usize::MAX)
}

fn keyed(flow_keying: FlowKeying) -> Config {
    Config { flow_keying, max_flows: 1_000, ..Config::default() }
}

fn sum(counters: impl IntoIterator<Item = Counters>) -> Counters {
    counters.into_iter().fold(Counters::default(), |mut sum, counters| {
        sum.add(counters);
        sum
    })
}

/// Source, destination, port, reply and bytes of each flow.
fn rows(snapshot: &Snapshot) -> Vec<(String, String, u16, bool, u64)> {
    let row = |flow: &ShownRow<FlowKey>| {
        let key = flow.key;
        (key.source.to_string(), key.destination.to_string(), key.port, key.reply, flow.lifetime.bytes)
    };
    snapshot.flows.rows.iter().map(row).collect()
}

fn row(source: &str, destination: &str, port: u16, reply: bool, bytes: u64) -> (String, String, u16, bool, u64) {
    (source.to_owned(), destination.to_owned(), port, reply, bytes)
}

fn two_connections() -> Vec<Packet> {
    vec![
        packet(1, 2, 1, Protocol::TCP, [40_000, 443], 0x02, 60),
        packet(2, 1, 2, Protocol::TCP, [443, 40_000], 0x12, 60),
        packet(3, 2, 1, Protocol::TCP, [40_001, 443], 0x02, 60),
        packet(4, 1, 2, Protocol::TCP, [443, 40_001], 0x10, 1500),
    ]
}

#[test]
fn ephemeral_ports_are_folded_away_and_replies_are_marked() {
    let snapshot = accounts(&keyed(FlowKeying::Service), &two_connections(), &[1], SEED);
    let expected = [row("10.0.0.2", "198.51.100.1", 443, false, 120), row("198.51.100.1", "10.0.0.2", 443, true, 1560)];
    assert_eq!(rows(&snapshot), expected);
}

#[test]
fn the_destination_port_stands_as_it_is() {
    let snapshot = accounts(&keyed(FlowKeying::DestinationPort), &two_connections(), &[1], SEED);
    let expected = [
        row("10.0.0.2", "198.51.100.1", 443, false, 120),
        row("198.51.100.1", "10.0.0.2", 40_000, false, 60),
        row("198.51.100.1", "10.0.0.2", 40_001, false, 1500),
    ];
    assert_eq!(rows(&snapshot), expected);
}

#[test]
fn a_pair_has_no_ports() {
    let snapshot = accounts(&keyed(FlowKeying::Pair), &two_connections(), &[1], SEED);
    let expected = [row("10.0.0.2", "198.51.100.1", 0, false, 120), row("198.51.100.1", "10.0.0.2", 0, false, 1560)];
    assert_eq!(rows(&snapshot), expected);
}

#[test]
fn protocol_without_ports_has_no_reply_mark() {
    let packets = [packet(1, 2, 1, Protocol::ICMP, [0, 0], 0, 84), packet(2, 1, 2, Protocol::ICMP, [0, 0], 0, 84)];
    let snapshot = accounts(&keyed(FlowKeying::Service), &packets, &[], SEED);
    let expected = [row("10.0.0.2", "198.51.100.1", 0, false, 84), row("198.51.100.1", "10.0.0.2", 0, false, 84)];
    assert_eq!(rows(&snapshot), expected);
}

#[test]
fn flows_past_the_limit_count_as_other_by_direction_and_protocol() {
    let config = Config { flow_keying: FlowKeying::Pair, max_flows: 1, ..Config::default() };
    let packets = [
        packet(1, 2, 1, Protocol::TCP, [1, 2], 0, 100),
        packet(2, 1, 2, Protocol::TCP, [2, 1], 0, 10),
        packet(3, 1, 4, Protocol::UDP, [2, 1], 0, 1),
        packet(4, 2, 1, Protocol::TCP, [1, 2], 0, 100),
    ];
    let snapshot = accounts(&config, &packets, &[0, 1], SEED);
    assert_eq!(rows(&snapshot), [row("10.0.0.2", "198.51.100.1", 0, false, 200)]);
    let one = |bytes| Counters { packets: 1, bytes };
    let expected = [((Direction::Incoming, Protocol::TCP), one(10)), ((Direction::Incoming, Protocol::UDP), one(1))];
    assert_eq!(snapshot.flows.other.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn packets_that_find_no_row_in_the_interval_still_count() {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 0));
    let packets: Vec<Packet> = (0..40_000)
        .map(|number| {
            let addresses =
                Addresses::V4 { source: Ipv4Addr::from_bits(first + number), destination: Ipv4Addr::new(8, 8, 8, 8) };
            Packet { addresses, ..packet(i64::from(number), 0, 1, Protocol::UDP, [1_024, 53], 0, 50) }
        })
        .collect();
    let snapshot = accounts(&Config { max_flows: 1 << 20, ..Config::default() }, &packets, &[], SEED);
    assert_eq!(snapshot.flows.rows.len(), 32_768);
    assert_eq!(
        snapshot.flows.other[&(Direction::Outgoing, Protocol::UDP)],
        Counters { packets: 7_232, bytes: 361_600 }
    );
    assert_eq!(snapshot.totals.direction(Direction::Outgoing), Counters { packets: 40_000, bytes: 2_000_000 });
}

/// The refusal of `packet`.
fn refusal(packet: &Packet) -> Refusal {
    let Packet { time, addresses, protocol, source_port, destination_port, .. } = *packet;
    Refusal { time, addresses, protocol, source_port, destination_port }
}

#[test]
fn refusal_in_an_earlier_interval_does_not_decide_which_side_serves() {
    let classifier = Arc::new(Classifier::new(&crate::locality::Config::default(), []));
    let mut interval = Interval::new(classifier, SEED);
    let mut ledger = Ledger::new(&keyed(FlowKeying::Service), SEED);
    let interface = ledger.interface("eth0");
    let asked = packet(2, 2, 3, Protocol::UDP, [50_000, 40_000], 0, 60);
    let forged = packet(1, 3, 2, Protocol::UDP, [40_000, 50_000], 0, 60);
    interval.refuse(&refusal(&forged));
    ledger.merge(interface, &interval, &mut ());
    interval.reset();
    assert_eq!((ledger.flows().len(), ledger.hosts().len(), ledger.totals().ip()), (0, 0, Counters::default()));

    interval.observe(&asked, 74);
    interval.settle();
    ledger.merge(interface, &interval, &mut ());
    assert_eq!(rows(&plain(&ledger, 10, 10)), [row("10.0.0.2", "198.51.100.3", 40_000, false, 60)]);
}

#[test]
fn refusals_that_found_no_room_are_counted() {
    let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
    let mut ledger = Ledger::new(&Config::default(), SEED);
    let interface = ledger.interface("eth0");
    for number in 0..MAXIMUM_REFUSALS as u32 + 3 {
        let ports = (number as u16, (number >> 16) as u16);
        interval.refuse(&refusal(&packet(1, 2, 3, Protocol::TCP, [ports.0, 1_000 + ports.1], 0, 60)));
    }
    ledger.merge(interface, &interval, &mut ());
    ledger.merge(interface, &interval, &mut ());
    assert_eq!(plain(&ledger, 10, 10).refusals_lost, 6);
}

/// A ledger of ten flows at most that holds the hosts 2, 4 … 18 at `time`, the lightest first.
fn nearly_full(time: i64) -> Ledger {
    let mut ledger = Ledger::new(&Config { flow_keying: FlowKeying::Pair, max_flows: 10, ..Config::default() }, SEED);
    let packets = (1..=9).map(|number| packet(time, 2 * number, 1, Protocol::UDP, [1, 2], 0, 100 * u32::from(number)));
    replay(&mut ledger, packets);
    ledger
}

/// Merges packets as one interval, and makes room after it, as a replay does.
fn replay(ledger: &mut Ledger, packets: impl IntoIterator<Item = Packet>) {
    let classifier = Arc::new(Classifier::new(&crate::locality::Config::default(), []));
    let mut interval = Interval::new(classifier, SEED);
    packets.into_iter().for_each(|packet| interval.observe(&packet, packet.bytes + 14));
    interval.settle();
    let interface = ledger.interface("file");
    ledger.merge(interface, &interval, &mut ());
    ledger.make_room();
}

fn seconds(seconds: i64) -> i64 {
    seconds * 1_000_000_000
}

fn bytes_held(ledger: &Ledger) -> Vec<u64> {
    let mut bytes: Vec<u64> = ledger.flows().entries().map(|flow| flow.counters.bytes).collect();
    bytes.sort_unstable();
    bytes
}

#[test]
fn packet_time_makes_room_of_the_lightest_that_rest() {
    let mut ledger = nearly_full(seconds(100));
    assert_eq!(bytes_held(&ledger), [100, 200, 300, 400, 500, 600, 700, 800, 900]);
    // The lightest has new packets, so the next one leaves: nine are nearly full, and eight are not.
    replay(&mut ledger, [packet(seconds(131), 2, 1, Protocol::UDP, [1, 2], 0, 1)]);
    assert_eq!(bytes_held(&ledger), [101, 300, 400, 500, 600, 700, 800, 900]);
    assert_eq!(ledger.flows().evicted(), [0, 1]);
}

#[test]
fn nothing_leaves_before_it_rested_in_packet_time() {
    let mut ledger = nearly_full(seconds(100));
    replay(&mut ledger, [packet(seconds(129), 2, 1, Protocol::UDP, [1, 2], 0, 1)]);
    assert_eq!(ledger.flows().len(), 9);
}

#[test]
fn room_is_looked_for_once_a_second_of_packet_time() {
    let mut ledger = nearly_full(seconds(100));
    let at = |time, host| packet(time, host, 1, Protocol::UDP, [1, 2], 0, 1_000);
    replay(&mut ledger, [at(seconds(129) + 500_000_000, 20)]);
    replay(&mut ledger, [at(seconds(130) + 400_000_000, 2)]);
    assert_eq!(ledger.flows().len(), 10, "they rest, but a look was 0.9 s ago");
    replay(&mut ledger, [at(seconds(130) + 500_000_000, 2)]);
    assert_eq!(ledger.flows().len(), 8);
}

#[test]
fn a_clock_that_goes_back_does_not_put_off_the_look_for_room() {
    let mut ledger = nearly_full(seconds(1_000_000));
    replay(&mut ledger, (1..=9).map(|number| packet(seconds(10), 2 * number, 1, Protocol::UDP, [1, 2], 0, 1)));
    replay(&mut ledger, [packet(seconds(45), 2, 1, Protocol::UDP, [1, 2], 0, 1)]);
    assert_eq!(ledger.flows().len(), 8);
}

#[test]
fn flow_that_found_no_room_gets_some_once_there_is_any() {
    let mut ledger = nearly_full(seconds(100));
    let late = |time| packet(time, 40, 1, Protocol::UDP, [1, 2], 0, 5_000);
    replay(&mut ledger, [late(seconds(100)), packet(seconds(100), 42, 1, Protocol::UDP, [1, 2], 0, 7)]);
    assert_eq!(ledger.flows().len(), 10);
    replay(&mut ledger, [packet(seconds(140), 42, 1, Protocol::UDP, [1, 2], 0, 7), late(seconds(140))]);
    replay(&mut ledger, [packet(seconds(142), 42, 1, Protocol::UDP, [1, 2], 0, 7)]);
    assert!(bytes_held(&ledger).contains(&7), "{:?}", bytes_held(&ledger));
}

#[test]
fn intervals_of_all_workers_take_memory() {
    let mut ledger: Ledger = Ledger::new(&Config::default(), SEED);
    let [first, second] = ["eth0", "eth1"].map(|name| ledger.interface(name));
    for (interface, worker, bytes) in [(first, 0, 500), (first, 1, 30), (second, 0, 4), (first, 1, 20)] {
        ledger.record_interval(interface, worker, bytes);
    }
    // The last interval of each worker, and the one that it fills now.
    assert_eq!(ledger.interfaces.interval_memory_bytes(), 2 * (500 + 20 + 4));
}

#[test]
fn a_capture_that_is_opened_again_adds_up() {
    let mut ledger: Ledger = Ledger::new(&Config::default(), SEED);
    let interface = ledger.interface("eth0");
    let since = Capture { up: true, received: 5, dropped_by_kernel: 1, dropped_by_interface: 0, ..Capture::default() };
    ledger.record_capture(interface, "eth0", since);
    let interface = ledger.interface("eth0");
    ledger.record_capture(interface, "eth0", Capture { up: false, ..since });
    let expected =
        Capture { up: false, received: 10, dropped_by_kernel: 2, dropped_by_interface: 0, ..Capture::default() };
    assert_eq!(ledger.interfaces()[0].capture, Some(expected));
}

#[test]
fn a_flow_is_first_seen_with_the_earliest_of_its_conversations() {
    let packets = [
        packet(1, 2, 1, Protocol::TCP, [40_000, 443], 0x02, 60),
        packet(2, 2, 1, Protocol::TCP, [40_001, 443], 0x02, 60),
        packet(5, 1, 2, Protocol::TCP, [443, 40_001], 0x12, 60),
        packet(20, 1, 2, Protocol::TCP, [443, 40_000], 0x12, 60),
    ];
    let snapshot = accounts(&keyed(FlowKeying::Service), &packets, &[], SEED);
    let replies: Vec<_> = snapshot.flows.rows.iter().filter(|flow| flow.key.reply).collect();
    assert_eq!(replies[0].first_seen, Timestamp::from_nanoseconds(5));
}

fn packets() -> impl Strategy<Value = Vec<Packet>> {
    let ports = prop::sample::select(vec![0_u16, 53, 443, 8080, 40_000, 40_001]);
    let protocol = prop::sample::select(vec![Protocol::TCP, Protocol::UDP, Protocol::ICMP]);
    let flags = prop::sample::select(vec![0x02_u8, 0x12, 0x10, 0x04]);
    let one = (0_u8..6, 0_u8..6, protocol, ports.clone(), ports, flags, 20_u32..1_500);
    prop::collection::vec(one, 1..120).prop_map(|packets| {
        let numbered = packets.into_iter().enumerate();
        let made = numbered.map(|(at, (source, destination, protocol, from, to, flags, bytes))| {
            packet(at as i64, source, destination, protocol, [from, to], flags, bytes)
        });
        made.collect()
    })
}

fn keying() -> impl Strategy<Value = FlowKeying> {
    prop::sample::select(vec![FlowKeying::Service, FlowKeying::DestinationPort, FlowKeying::Pair])
}

proptest! {
    #[test]
    fn flows_and_other_add_up_to_all_packets(packets in packets(), flow_keying in keying(), max_flows in 1_usize..20, ends in prop::collection::vec(0_usize..120, 0..6)) {
        let snapshot = accounts(&Config { flow_keying, max_flows, ..Config::default() }, &packets, &ends, SEED);
        let all = Counters { packets: packets.len() as u64, bytes: packets.iter().map(|packet| u64::from(packet.bytes)).sum() };
        prop_assert_eq!(sum(snapshot.flows.rows.iter().map(|flow| flow.lifetime).chain(snapshot.flows.other.values().copied())), all);
        let hosts = snapshot.hosts.rows.iter().map(|host| host.value).chain(snapshot.hosts.other.values().copied());
        prop_assert_eq!(sum(hosts), all);
        prop_assert_eq!(snapshot.totals.ip(), all);
        prop_assert_eq!(snapshot.totals.frames.frames, all.packets);
        prop_assert!(snapshot.flows.rows.len() <= max_flows);
    }

    #[test]
    fn neither_the_ends_of_intervals_nor_the_seed_show(packets in packets(), flow_keying in keying(), max_flows in 15_usize..60, ends in prop::collection::vec(0_usize..120, 0..12), seed in any::<u64>()) {
        let config = Config { flow_keying, max_flows, ..Config::default() };
        let (one, other) = (accounts(&config, &packets, &[], SEED), accounts(&config, &packets, &ends, seed));
        let sorted = |snapshot: &Snapshot| {
            let mut flows = snapshot.flows.rows.clone();
            flows.sort_by_key(|flow| flow.key);
            flows
        };
        if one.flows.other.is_empty() {
            prop_assert_eq!(sorted(&one), sorted(&other));
        }
        prop_assert_eq!(one.totals, other.totals);
    }
}

/// The rows: whether the conversation was known, the way of requests, the ways that were seen; and the ways of refusals.
#[derive(Default)]
struct ObservedRows {
    merged: Vec<(bool, Way, [bool; 2])>,
    refused: Vec<Way>,
}

impl RowObserver for ObservedRows {
    type Notes = ();

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, ()>) {
        assert!(self.refused.is_empty() || rows.is_empty(), "refusals come after the rows");
        let merged = rows.merged().0.iter().map(|merged| (merged.is_known, merged.request_way, merged.seen));
        self.merged.extend(merged);
    }

    fn refuse<A: Address>(&mut self, _: InterfaceId, refused: &Refused<A>) {
        self.refused.push(refused.way);
    }
}

#[test]
fn observer_sees_each_row_with_what_is_remembered_of_its_conversation() {
    let mut ledger = Ledger::new(&Config::default(), SEED);
    let interface = ledger.interface("eth0");
    let mut merge = |packets: &[Packet], refused: Option<Packet>| {
        let mut interval = Interval::new(Arc::default(), SEED);
        packets.iter().for_each(|packet| interval.observe(packet, packet.bytes + 14));
        refused.iter().for_each(|refused| interval.refuse(&refusal(refused)));
        interval.settle();
        let mut observed = ObservedRows::default();
        ledger.merge(interface, &interval, &mut observed);
        (observed.merged, observed.refused)
    };
    // One asks, the other answers in the next interval; then neither is seen for one, and the first asks again.
    let asks = packet(1, 2, 3, Protocol::UDP, [50_000, 40_000], 0, 60);
    let answers = packet(2, 3, 2, Protocol::UDP, [40_000, 50_000], 0, 60);
    assert_eq!(merge(&[asks], None), (vec![(false, Way::Forward, [true, false])], vec![]));
    assert_eq!(merge(&[answers], None), (vec![(true, Way::Forward, [true, true])], vec![]));
    assert_eq!(merge(&[], Some(asks)), (vec![], vec![Way::Forward]));
    assert_eq!(merge(&[asks], Some(answers)), (vec![(true, Way::Forward, [true, true])], vec![Way::Backward]));
}
