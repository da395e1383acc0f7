mod peers;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::account::InterfaceId;
use crate::account::interval::{Interval, Row};
use crate::account::ledger::Ledger;
use crate::account::observer::{BatchMemory, MergedRow, RowBatch};
use crate::detect::Level;
use crate::detect::Talker;
use crate::detect::Target;
use crate::locality::Classifier;
use crate::packet::{Addresses, Packet, Protocol, TcpFlags};
use crate::tables::index::NOWHERE;

const SECOND: i64 = 1_000_000_000;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanoseconds((seconds * 1e9).round() as i64)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn packet(source: IpAddr, destination: IpAddr, time: Timestamp, bytes: u32) -> Packet {
    let addresses = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4 { source, destination },
        (IpAddr::V6(source), IpAddr::V6(destination)) => Addresses::V6 { source, destination },
        _ => panic!("addresses of two versions"),
    };
    Packet {
        time,
        addresses,
        protocol: Protocol::UDP,
        source_port: 1_000,
        destination_port: 2_000,
        tcp_flags: TcpFlags::default(),
        has_payload: false,
        icmp_type: None,
        outgoing: false,
        bytes,
    }
}

fn interval() -> Interval {
    Interval::new(Arc::new(Classifier::default()), 7)
}

fn interface() -> InterfaceId {
    Ledger::<()>::new(&crate::account::Config::default(), 7).interface("test")
}

fn see_rows<A: Address>(bandwidth: &mut Bandwidth, interface: InterfaceId, rows: &[Row<A>]) {
    let seen = [true; 2];
    for rows in rows.chunks(RowBatch::<A, Notes>::MOST) {
        let mut batch = RowBatch::new(BatchMemory::default());
        for row in rows {
            let (is_known, request_way, remembered_at) = (false, row.opener(), NOWHERE);
            batch.add(MergedRow { row, interface, is_known, request_way, seen, remembered_at }, Notes::default());
        }
        bandwidth.observe(&mut batch);
    }
}

fn see_all(bandwidth: &mut Bandwidth, interval: &Interval) {
    let interface = interface();
    see_rows(bandwidth, interface, interval.rows_v4());
    see_rows(bandwidth, interface, interval.rows_v6());
}

/// Shows packets, as an interval that holds them and nothing else does.
fn see(bandwidth: &mut Bandwidth, packets: &[Packet]) {
    let mut interval = interval();
    packets.iter().for_each(|packet| interval.observe(packet, packet.bytes));
    interval.settle();
    see_all(bandwidth, &interval);
}

fn send(bandwidth: &mut Bandwidth, source: &str, destination: &str, seconds: f64, bytes: u32) {
    see(bandwidth, &[packet(address(source), address(destination), at(seconds), bytes)]);
}

/// The subjects that were over the limit at any time up to `seconds`.
fn over(bandwidth: &mut Bandwidth, seconds: f64) -> Vec<(Subject, String)> {
    let found = bandwidth.advance(at(seconds));
    let mut over: Vec<_> = found
        .iter()
        .filter(|detection| detection.level == Level::Over)
        .map(|detection| (detection.subject, detection.rule.to_string()))
        .collect();
    over.sort();
    over.dedup();
    over
}

fn limited(limit_bytes: u64) -> Config {
    Config { limit_bytes, ..Config::default() }
}

fn own(network: &str, limit_bytes: u64) -> NetworkLimit {
    NetworkLimit { network: network.parse().unwrap(), limit_bytes, interval: None, rule: None, total: false }
}

fn source(text: &str) -> Subject {
    Subject::Source(address(text))
}

fn destination(text: &str) -> Subject {
    Subject::Destination(address(text))
}

#[test]
fn a_detection_has_its_figures() {
    let mut bandwidth = Bandwidth::new(&limited(1_000), 7);
    send(&mut bandwidth, "10.0.0.1", "10.0.0.2", 100.25, 900);
    assert!(bandwidth.advance(at(101.0)).is_empty());
    send(&mut bandwidth, "10.0.0.1", "10.0.0.3", 102.5, 101);
    let found = bandwidth.advance(at(105.0));
    let figures = Figures {
        value: 1_001.0,
        limit: 1_000.0,
        window: Duration::from_secs(170),
        bytes: 1_001,
        span: Some(Span { first: at(100.0), last: at(102.0), precision: Duration::from_secs(1) }),
        ..Figures::default()
    };
    let expected = |second| Detection {
        kind: Kind::Bandwidth,
        rule: "bandwidth".into(),
        subject: source("10.0.0.1"),
        level: Level::Over,
        since: at(103.0),
        at: at(second),
        figures: figures.clone(),
    };
    let mut expected = [103.0, 104.0, 105.0].map(expected);
    // Peers are named with the first detection that a cell's end found, the heaviest first.
    expected[0].figures.first_targets = vec![peer("10.0.0.2"), peer("10.0.0.3")];
    expected[0].figures.largest_peer = found[0].figures.largest_peer;
    assert_eq!(found, expected);
}

fn peer(text: &str) -> Target {
    Target { address: address(text), protocol: None, port: None }
}

/// Targets that the first detection over a limit names.
fn first_peers(found: &[Detection], subject: Subject) -> Vec<Target> {
    let first = found.iter().find(|found| found.subject == subject && found.level == Level::Over).unwrap();
    first.figures.first_targets.clone()
}

#[test]
fn a_download_names_the_hosts_inside_and_the_subject_stays_the_sender() {
    let mut bandwidth = Bandwidth::new(&Config { direction: BandwidthDirection::Both, ..limited(1_000) }, 7);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.5", 1.0, 300);
    send(&mut bandwidth, "203.0.113.9", "10.0.0.6", 1.2, 900);
    send(&mut bandwidth, "203.0.113.8", "10.0.0.6", 1.4, 200);
    let found = bandwidth.advance(at(3.0));
    assert_eq!(first_peers(&found, source("203.0.113.9")), [peer("10.0.0.6"), peer("10.0.0.5")]);
    let receiver = Subject::Destination(address("10.0.0.6"));
    assert_eq!(first_peers(&found, receiver), [peer("203.0.113.9"), peer("203.0.113.8")]);
}

#[test]
fn an_episode_spans_the_cells_that_have_bytes() {
    let mut bandwidth = Bandwidth::new(&limited(1_000), 7);
    send(&mut bandwidth, "10.0.0.1", "10.0.0.2", 100.9, 600);
    let mut found = bandwidth.advance(at(105.0));
    send(&mut bandwidth, "10.0.0.1", "10.0.0.2", 110.1, 600);
    found.extend(bandwidth.advance(at(120.0)));
    send(&mut bandwidth, "10.0.0.1", "10.0.0.2", 130.0, 1);
    found.extend(bandwidth.advance(at(500.0)));
    let span = |at: f64| {
        let found = found.iter().find(|found| found.at == self::at(at)).unwrap();
        found.figures.span.map(|span| (span.first, span.last))
    };
    assert_eq!(span(111.0), Some((at(100.0), at(110.0))));
    assert_eq!(span(119.0), Some((at(100.0), at(110.0))));
    assert_eq!(span(131.0), Some((at(100.0), at(130.0))));
    assert_eq!(span(271.0), Some((at(110.0), at(130.0))), "what left the window does not count");
}

#[test]
fn a_limit_may_be_beyond_32_bits() {
    let mut bandwidth = Bandwidth::new(&limited(5_000_000_000_000), 7);
    let mut interval = interval();
    let largest = packet(address("10.0.0.1"), address("10.0.0.2"), at(1.0), u32::MAX);
    (0..1_164).for_each(|_| interval.observe(&largest, u32::MAX));
    interval.observe(&Packet { bytes: 658_068_620, ..largest }, 0);
    interval.settle();
    see_all(&mut bandwidth, &interval);
    assert_eq!(bandwidth.window_bytes(1), [], "not judged yet");
    assert!(over(&mut bandwidth, 2.0).is_empty());
    assert_eq!(bandwidth.window_bytes(1), [(source("10.0.0.1"), 1_164 * 4_294_967_295 + 658_068_620)]);
    send(&mut bandwidth, "10.0.0.1", "10.0.0.2", 2.0, 1);
    assert_eq!(over(&mut bandwidth, 3.0).len(), 1);
}

#[test]
fn both_directions_of_a_conversation_count_for_their_senders() {
    let mut bandwidth = Bandwidth::new(&limited(1_000), 7);
    let (one, other) = (address("2001:db8::1"), address("2001:db8::2"));
    see(&mut bandwidth, &[packet(one, other, at(0.0), 1_500), packet(other, one, at(0.0), 600)]);
    assert_eq!(over(&mut bandwidth, 1.0), [(source("2001:db8::1"), "bandwidth".to_owned())]);
    assert_eq!(bandwidth.window_bytes(5), [(source("2001:db8::1"), 1_500), (source("2001:db8::2"), 600)]);
}

#[test]
fn destinations_have_a_limit_if_asked_for() {
    let found = |direction| {
        let mut bandwidth = Bandwidth::new(&Config { direction, ..limited(1_000) }, 7);
        send(&mut bandwidth, "10.0.0.1", "10.0.0.9", 0.0, 600);
        send(&mut bandwidth, "10.0.0.2", "10.0.0.9", 0.0, 600);
        send(&mut bandwidth, "10.0.0.3", "10.0.0.4", 0.0, 1_001);
        over(&mut bandwidth, 1.0).into_iter().map(|(subject, _)| subject).collect::<Vec<_>>()
    };
    assert_eq!(found(BandwidthDirection::Source), [source("10.0.0.3")]);
    assert_eq!(found(BandwidthDirection::Destination), [destination("10.0.0.4"), destination("10.0.0.9")]);
    let both = [source("10.0.0.3"), destination("10.0.0.4"), destination("10.0.0.9")];
    assert_eq!(found(BandwidthDirection::Both), both);
}

#[test]
fn the_most_specific_network_has_the_limit() {
    let lab = NetworkLimit { rule: Some("lab".to_owned()), ..own("10.1.0.0/16", 100) };
    let networks = vec![own("10.0.0.0/8", 5_000), lab, own("fd00::/8", 10)];
    let mut bandwidth = Bandwidth::new(&Config { networks, ..limited(1_000) }, 7);
    for source in ["10.0.0.1", "10.1.0.1", "192.0.2.1"] {
        send(&mut bandwidth, source, "192.0.2.99", 0.0, 2_000);
    }
    send(&mut bandwidth, "fd00::1", "fe80::1", 0.0, 11);
    send(&mut bandwidth, "fe80::1", "fd00::1", 0.0, 11);
    let expected = [("10.1.0.1", "lab"), ("192.0.2.1", "bandwidth"), ("fd00::1", "bandwidth")];
    assert_eq!(over(&mut bandwidth, 1.0), expected.map(|(text, rule)| (source(text), rule.to_owned())));
}

#[test]
fn a_network_may_have_a_window_of_its_own() {
    let short = NetworkLimit { interval: Some(Duration::from_secs(2)), ..own("10.0.0.0/8", 1_000) };
    let mut bandwidth = Bandwidth::new(&Config { networks: vec![short], ..limited(1_000) }, 7);
    for from in ["10.0.0.1", "192.0.2.1"] {
        send(&mut bandwidth, from, "192.0.2.99", 0.0, 600);
        send(&mut bandwidth, from, "192.0.2.99", 50.0, 600);
    }
    let found = bandwidth.advance(at(51.0));
    assert!(found.iter().all(|detection| detection.subject == source("192.0.2.1")), "{found:?}");
    send(&mut bandwidth, "10.0.0.1", "192.0.2.99", 51.05, 600);
    let found = bandwidth.advance(at(51.1));
    assert_eq!(
        (found[0].subject, found[0].since, found[0].figures.window.as_secs()),
        (source("10.0.0.1"), at(51.1), 2)
    );
}

#[test]
fn a_network_may_be_summed_as_one() {
    let total = |network: &str, limit| NetworkLimit { total: true, ..own(network, limit) };
    let found = |direction| {
        let networks = vec![total("10.0.0.0/8", 1_000), own("10.1.0.0/16", 5_000)];
        let mut bandwidth = Bandwidth::new(&Config { networks, direction, ..limited(1_000_000) }, 7);
        send(&mut bandwidth, "10.0.0.1", "192.0.2.1", 0.0, 300);
        send(&mut bandwidth, "192.0.2.1", "10.0.0.2", 0.0, 310);
        send(&mut bandwidth, "10.0.0.3", "10.0.0.4", 0.0, 391);
        send(&mut bandwidth, "10.1.0.3", "192.0.2.1", 0.0, 4_000);
        let found = bandwidth.advance(at(1.0));
        found.iter().map(|detection| (detection.subject, detection.figures.bytes)).collect::<Vec<_>>()
    };
    assert_eq!(found(BandwidthDirection::Source), []);
    assert_eq!(found(BandwidthDirection::Destination), []);
    let network = Subject::Network("10.0.0.0/8".parse().unwrap());
    assert_eq!(found(BandwidthDirection::Both), [(network, 1_001)], "each packet once");
}

#[test]
fn talkers_are_charted_with_their_destinations() {
    let config = Config { chart_min_bytes: 1_000, ..Config::default() };
    let scene = |config: &Config| {
        let mut bandwidth = Bandwidth::new(config, 7);
        send(&mut bandwidth, "10.0.0.1", "10.0.0.8", 0.0, 400);
        send(&mut bandwidth, "10.0.0.1", "10.0.0.9", 0.0, 500);
        send(&mut bandwidth, "10.0.0.1", "10.0.0.8", 30.0, 100);
        send(&mut bandwidth, "10.0.0.2", "10.0.0.9", 30.0, 999);
        send(&mut bandwidth, "10.0.0.3", "10.0.0.9", 30.0, 5_000);
        bandwidth.advance(at(31.0));
        bandwidth
    };
    let talker = |source, destinations: &[(&str, u64)]| Talker {
        source: address(source),
        total_bytes: destinations.iter().map(|(_, bytes)| bytes).sum(),
        destinations: destinations.iter().map(|(text, bytes)| (address(text), *bytes)).collect(),
    };
    let third = talker("10.0.0.3", &[("10.0.0.9", 5_000)]);
    let first = talker("10.0.0.1", &[("10.0.0.8", 500), ("10.0.0.9", 500)]);
    let second = talker("10.0.0.2", &[("10.0.0.9", 999)]);
    let mut bandwidth = scene(&config);
    assert_eq!(bandwidth.talkers(&BTreeSet::new()), [third.clone(), first.clone()]);
    let named = BTreeSet::from([address("10.0.0.2"), address("10.0.0.77")]);
    assert_eq!(bandwidth.talkers(&named), [third.clone(), first, second]);
    bandwidth.advance(at(171.0));
    assert_eq!(bandwidth.talkers(&BTreeSet::new()), std::slice::from_ref(&third), "the window slid on");
    send(&mut bandwidth, "10.0.0.2", "10.0.0.9", 171.5, 1);
    let second = talker("10.0.0.2", &[("10.0.0.9", 1_000)]);
    assert_eq!(bandwidth.talkers(&BTreeSet::new()), [third, second], "what came just now is in it");

    let without = scene(&Config { no_destinations: true, ..config });
    assert!(without.talkers(&named).iter().all(|talker| talker.destinations.is_empty()));
    assert_eq!(without.tables().iter().map(|used| used.table).collect::<Vec<_>>(), [DetectionTable::BandwidthSources]);
}

#[test]
fn the_heaviest_come_first_and_no_more_than_asked_for() {
    let mut bandwidth = Bandwidth::new(&Config { direction: BandwidthDirection::Both, ..Config::default() }, 7);
    for (host, bytes) in [(1, 10), (2, 30), (3, 20), (4, 30)] {
        send(&mut bandwidth, &format!("10.0.0.{host}"), "192.0.2.1", 0.0, bytes);
    }
    bandwidth.advance(at(1.0));
    let expected = [(source("10.0.0.2"), 30), (source("10.0.0.4"), 30), (destination("192.0.2.1"), 90)];
    assert_eq!(bandwidth.window_bytes(2), expected);
}

#[test]
fn a_clock_that_steps_empties_the_windows_and_leaves_nothing_stuck() {
    for to in [0.0, 96_400.0, 315_700_000.0] {
        let mut bandwidth = Bandwidth::new(&limited(1_000), 7);
        send(&mut bandwidth, "10.0.0.1", "10.0.0.9", 100_000.0, 1_001);
        send(&mut bandwidth, "10.0.0.2", "10.0.0.9", 100_000.0, 1_000);
        assert_eq!(over(&mut bandwidth, 100_001.0).len(), 1);
        bandwidth.restart(at(to));
        assert_eq!(bandwidth.window_bytes(5), []);
        send(&mut bandwidth, "10.0.0.2", "10.0.0.9", to, 1_000);
        let found = bandwidth.advance(at(to + 500.0));
        let levels: Vec<Level> = found.iter().map(|detection| detection.level).collect();
        assert_eq!(levels.iter().filter(|level| **level == Level::Near).count(), 169, "until a window is known");
        assert_eq!(levels.last(), Some(&Level::Under));
        assert!(found.iter().all(|detection| detection.subject == source("10.0.0.1")));
        send(&mut bandwidth, "10.0.0.2", "10.0.0.9", to + 500.0, 1_001);
        assert_eq!(over(&mut bandwidth, to + 501.0), [(source("10.0.0.2"), "bandwidth".to_owned())]);
    }
}

#[test]
fn a_heavy_source_is_found_among_a_million_others() {
    let config = Config::default();
    let mut bandwidth = Bandwidth::new(&config, 7);
    let mut found = Vec::new();
    for second in 0..20_u32 {
        for part in 0..2 {
            let mut interval = interval();
            for host in 0..25_000 {
                let host = (second * 2 + part) * 25_000 + host;
                let from = if host % 10 == 0 {
                    IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(host)))
                } else {
                    IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + host))
                };
                let to = if from.is_ipv6() { address("2001:db9::1") } else { address("10.0.0.1") };
                interval.observe(&packet(from, to, at(f64::from(second)), 60), 60);
            }
            interval.settle();
            see_all(&mut bandwidth, &interval);
        }
        // The table has been full since the second second; the heavy one sends 120 MB a second.
        if second >= 4 {
            let heavy = packet(address("192.0.2.66"), address("10.0.0.1"), at(f64::from(second)), 120_000_000);
            see(&mut bandwidth, &[heavy]);
        }
        found.extend(bandwidth.advance(at(f64::from(second) + 1.0)));
    }
    let first = found.iter().find(|detection| detection.level == Level::Over).unwrap();
    assert_eq!((first.subject, first.since), (source("192.0.2.66"), at(13.0)));
    assert_eq!(bandwidth.window_bytes(1)[0], (source("192.0.2.66"), 1_920_000_000));
    assert_eq!(bandwidth.talkers(&BTreeSet::new())[0].destinations, [(address("10.0.0.1"), 1_920_000_000)]);
    println!("{} bytes, {:?}", bandwidth.memory_bytes(), bandwidth.tables());
    assert!(bandwidth.memory_bytes() <= 8 << 20, "{}", bandwidth.memory_bytes());
}

/// Source, destination, milliseconds, bytes.
fn packets() -> impl Strategy<Value = Vec<(u8, u8, i64, u32)>> {
    proptest::collection::vec((0_u8..4, 0_u8..4, 0_i64..30_000, 1_u32..60), 0..120)
}

proptest! {
    #[test]
    fn detections_do_not_depend_on_ticks_nor_on_where_intervals_end(
        packets in packets(),
        limit in 1_u64..400,
        ticks in proptest::collection::vec(1_i64..4_000, 1..20),
        parts in 1_usize..4,
    ) {
        let networks = vec![
            NetworkLimit { total: true, ..own("10.0.0.0/31", limit * 2) },
            NetworkLimit { interval: Some(Duration::from_secs(3)), ..own("10.0.0.3/32", limit) },
        ];
        let interval = Duration::from_secs(12);
        let config = Config { direction: BandwidthDirection::Both, networks, interval, ..limited(limit) };
        let mut packets = packets;
        packets.sort_by_key(|packet| packet.2);
        let host = |host: u8| IpAddr::V4(Ipv4Addr::new(10, 0, 0, host));
        let run = |ticks: &[i64], parts: usize| {
            let mut bandwidth = Bandwidth::new(&config, 7);
            let (mut found, mut watermark, mut rest) = (Vec::new(), 0, packets.as_slice());
            for tick in ticks.iter().cycle() {
                watermark += tick;
                let (due, later) = rest.split_at(rest.partition_point(|packet| packet.2 < watermark));
                rest = later;
                // Each thread has its packets; what was captured last may be merged first.
                for part in (0..parts).rev() {
                    // One packet an interval: a row lies in one cell.
                    for (from, to, time, bytes) in due.iter().skip(part).step_by(parts) {
                        let time = Timestamp::from_nanoseconds(time * SECOND / 1_000);
                        see(&mut bandwidth, &[packet(host(*from), host(*to), time, *bytes)]);
                    }
                }
                found.extend(bandwidth.advance(Timestamp::from_nanoseconds(watermark * SECOND / 1_000)));
                if watermark > 60_000 {
                    break;
                }
            }
            found.retain(|detection| detection.at <= at(50.0));
            // Peers are those of all that was merged when the cell was judged: their cells are coarser.
            found.iter_mut().for_each(|Detection { figures, .. }| {
                figures.first_targets.clear();
                figures.largest_peer = None;
            });
            found.sort_by_key(|detection| (detection.at, detection.subject));
            found
        };
        prop_assert_eq!(run(&ticks, parts), run(&[100], 1));
    }
}
