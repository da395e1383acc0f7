//! A million invented sources: the tables stay small, and a scanner among them is found.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::harness::*;
use crate::account::InterfaceId;
use crate::account::conversation::request_way;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::account::observer::{BatchMemory, MergedRow, RowBatch};
use crate::detect::scan::{Config, Rule, Scan};
use crate::detect::{Kind, Level, Notes, Subject};
use crate::locality::Classifier;
use crate::packet::{Packet, Protocol};
use crate::tables::index::NOWHERE;

const SCANNER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const VICTIM: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// The most memory that detection may take in a replay.
const MOST_BYTES: usize = 20 << 20;

fn interface() -> InterfaceId {
    Ledger::<()>::new(&crate::account::Config::default(), 1).interface("eth0")
}

/// Shows packets, each row as the first one of its conversation.
fn see_new(scan: &mut Scan, interval: &mut Interval, packets: impl Iterator<Item = Packet>, interface: InterfaceId) {
    interval.reset();
    packets.for_each(|packet| interval.observe(&packet, packet.bytes + 14));
    interval.settle();
    let mut batch = RowBatch::new(BatchMemory::default());
    for row in interval.rows_v4() {
        let seen = [row.ways[0].packets > 0, row.ways[1].packets > 0];
        let request_way = request_way(&row.key, row.opener(), row.ways[row.opener() as usize].first_flags());
        let (is_known, remembered_at) = (false, NOWHERE);
        batch.add(MergedRow { row, interface, is_known, request_way, seen, remembered_at }, Notes::default());
        if batch.len() == RowBatch::<Ipv4Addr, Notes>::MOST {
            scan.observe(&mut batch);
            batch.clear();
        }
    }
    scan.observe(&mut batch);
}

/// A source that no other has: an odd factor makes every number another one.
fn invented(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0b00_0000 | (number.wrapping_mul(0x009e_3779) & 0x00ff_ffff)).into()
}

/// SYNs of a second of the flood, with those of a scanner among them.
fn second(number: u32, sources: u32, probes: u32) -> impl Iterator<Item = Packet> {
    let start = f64::from(number);
    let flood = (0..sources).map(move |at| {
        let time = start + f64::from(at) / f64::from(sources);
        packet(time, invented(number * sources + at), VICTIM, Protocol::TCP, (4_000, 80), SYN, 40)
    });
    let scan = (0..probes).map(move |at| {
        let time = start + f64::from(at) / f64::from(probes);
        let host = v4(203, 0, ((at + number * probes) >> 8) as u8, (at + number * probes) as u8);
        packet(time, SCANNER, host, Protocol::TCP, (40_000, 22), SYN, 40)
    });
    flood.chain(scan)
}

#[test]
fn a_scan_among_a_million_invented_sources_is_found_and_memory_stays_small() {
    let mut scan = Scan::new(&Config::default(), 7);
    let mut interval = Interval::new(Arc::new(Classifier::default()), 3);
    let interface = interface();
    let (mut found, mut others, mut most) = (Vec::new(), 0, 0);
    for number in 0..50_u32 {
        // The scan begins when the tables are full.
        let probes = if number >= 20 { 10 } else { 0 };
        let packets: Vec<Packet> = second(number, 20_000, probes).collect();
        for part in packets.chunks(10_000) {
            see_new(&mut scan, &mut interval, part.iter().copied(), interface);
        }
        most = most.max(scan.memory_bytes());
        for detection in scan.advance(at(f64::from(number) + 1.0)) {
            match detection.subject {
                Subject::Source(SCANNER) if detection.level == Level::Over => found.push(detection.since),
                _ => others += 1,
            }
            assert_eq!(detection.kind, Kind::HostScan);
        }
    }
    assert!(found.first().is_some_and(|&since| since < at(30.0)), "{:?}", found.first());
    assert_eq!(others, 0);
    println!("{} KiB at most", most >> 10);
    assert!(most < MOST_BYTES, "{most} bytes");
    let tables = scan.view(3).tables;
    assert!(tables.iter().all(|table| table.entries <= table.limit), "{tables:?}");
    assert!(tables[0].entries > tables[0].limit * 9 / 10, "the flood was to fill the table: {tables:?}");
}

/// Events of later cells fill the queue of deferred events. Those of one more scanner count at once, and are judged in their
/// cell.
#[test]
fn event_that_could_not_be_deferred_is_judged_in_its_cell() {
    let mut scan = Scan::new(&Config { rule: Rule::Contacts, ..Config::default() }, 7);
    let (interface, mut interval) = (interface(), Interval::new(Arc::new(Classifier::default()), 3));
    let earlier = packet(0.5, VICTIM, SCANNER, Protocol::TCP, (80, 4_000), ACK, 40);
    let many = (0..16_400).map(|number| packet(1.2, invented(number), VICTIM, Protocol::TCP, (4_000, 80), SYN, 40));
    let probes =
        (0..20).map(|number| packet(1.5, SCANNER, v4(203, 0, 113, number), Protocol::TCP, (40_000, 22), SYN, 40));
    see_new(&mut scan, &mut interval, std::iter::once(earlier).chain(many).chain(probes), interface);
    let found = scan.advance(at(3.0));
    let over = found.iter().find(|found| found.level == Level::Over && found.subject == Subject::Source(SCANNER));
    assert_eq!(over.map(|found| found.since), Some(at(2.0)), "{found:?}");
}

#[test]
fn by_contacts_a_limit_of_very_many_hosts_is_exceeded_by_one_more() {
    const LIMIT: u32 = 20_000;
    let over = |hosts: u32| {
        let config = Config { rule: Rule::Contacts, contacted_ips: LIMIT, ..Config::default() };
        let (mut scan, mut interval) = (Scan::new(&config, 7), Interval::new(Arc::new(Classifier::default()), 3));
        let probes =
            (0..hosts).map(|number| packet(0.5, SCANNER, invented(number), Protocol::TCP, (40_000, 22), SYN, 40));
        see_new(&mut scan, &mut interval, probes, interface());
        let found = scan.advance(at(2.0));
        found.iter().any(|found| found.level == Level::Over && found.kind == Kind::HostScan)
    };
    assert!(!over(LIMIT));
    assert!(over(LIMIT + 1));
}
