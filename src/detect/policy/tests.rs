use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::account::Config as AccountConfig;
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::detect::{self, Detectors};
use crate::locality::Classifier;
use crate::packet::{Addresses, Packet, Protocol, TcpFlags};
use crate::policy::Networks;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanoseconds((seconds * 1e9).round() as i64)
}

fn outside(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, number)
}

/// A packet of 100 bytes to a host inside.
fn packet(source: Ipv4Addr, host: u8, seconds: f64) -> Packet {
    Packet {
        time: at(seconds),
        addresses: Addresses::V4 { source, destination: Ipv4Addr::new(10, 0, 0, host) },
        protocol: Protocol::TCP,
        source_port: 40_000,
        destination_port: 22,
        tcp_flags: TcpFlags::default(),
        has_payload: false,
        icmp_type: None,
        outgoing: false,
        bytes: 100,
    }
}

/// The detector behind a ledger, as in the program; the private networks are permitted.
struct Watched {
    ledger: Ledger<Notes>,
    detectors: Detectors,
    networks: Arc<Networks>,
}

impl Watched {
    fn new(limit_packets: u64, max_sources: usize) -> Self {
        let interval = Duration::from_secs(60);
        let policy = Config { rule: "policy".into(), limit_packets, interval, max_sources };
        let config = detect::Config { policy: Some(policy), ..detect::Config::nothing() };
        Self {
            ledger: Ledger::new(&AccountConfig::default(), 1),
            detectors: Detectors::new(&config, 1, None),
            networks: Arc::new(Networks::new(&["10.0.0.0/8".parse().unwrap()], &[])),
        }
    }

    fn see(&mut self, packets: &[Packet]) {
        let mut interval = Interval::new(Arc::new(Classifier::default()), 1);
        interval.judge_by(Some(Arc::clone(&self.networks)));
        packets.iter().for_each(|packet| interval.observe(packet, packet.bytes));
        interval.close();
        let interface = self.ledger.interface("test");
        self.ledger.merge(interface, &interval, &mut self.detectors);
    }

    /// Subject, level, time and packets of each detection up to `seconds`.
    fn found(&mut self, seconds: f64) -> Vec<(Subject, Level, f64, f64)> {
        let found = self.detectors.advance(at(seconds));
        found.iter().map(|found| (found.subject, found.level, to_seconds(found.at), found.figures.value)).collect()
    }
}

fn to_seconds(time: Timestamp) -> f64 {
    time.nanoseconds() as f64 / 1e9
}

#[test]
fn first_packet_of_a_source_that_is_not_permitted_is_found_and_its_silence_ends_it() {
    let mut watched = Watched::new(0, 10);
    watched.see(&[packet(outside(1), 1, 100.2), packet(Ipv4Addr::new(10, 0, 0, 9), 1, 100.3)]);
    let source = Subject::Source(outside(1).into());
    assert_eq!(watched.found(101.0), [(source, Level::Over, 101.0, 1.0)]);
    let later = watched.found(1_000.0);
    assert_eq!(later.len(), 60, "once a cell, until the window is empty");
    assert!(later[..59].iter().all(|found| found.1 == Level::Over));
    assert_eq!(later[59], (source, Level::Under, 161.0, 0.0));
    assert_eq!(watched.found(2_000.0), []);
    assert_eq!(watched.detectors.view(&std::collections::BTreeSet::new()).tables[0].entries, 0);
}

#[test]
fn source_is_found_only_above_the_limit_of_one_window() {
    let mut watched = Watched::new(3, 10);
    [0.0, 1.0, 2.0].into_iter().for_each(|seconds| watched.see(&[packet(outside(1), 1, seconds)]));
    assert_eq!(watched.found(60.0), []);
    watched.see(&[packet(outside(1), 1, 60.5)]);
    assert_eq!(watched.found(61.0), [], "the first packet has left the window");
    watched.see(&[packet(outside(1), 1, 61.0), packet(outside(1), 1, 61.1)]);
    assert_eq!(watched.found(62.0), [(Subject::Source(outside(1).into()), Level::Over, 62.0, 4.0)]);
}

#[test]
fn figures_tell_packets_bytes_times_and_targets() {
    let mut watched = Watched::new(0, 10);
    watched.see(&[packet(outside(1), 2, 0.5), packet(outside(1), 1, 0.75), packet(outside(1), 2, 1.25)]);
    let found = watched.detectors.advance(at(2.0)).pop().unwrap();
    assert_eq!((found.kind, &*found.rule, found.since), (Kind::Policy, "policy", at(1.0)));
    let Figures { value, bytes, span, first_targets, last_targets, window, .. } = found.figures;
    assert_eq!((value, bytes, window), (3.0, 300, Duration::from_secs(60)));
    assert_eq!(span, Some(Span { first: at(0.0), last: at(1.0), precision: Duration::from_secs(1) }));
    let names = |targets: &[Target]| targets.iter().map(Target::to_string).collect::<Vec<_>>();
    assert_eq!(names(&first_targets), ["10.0.0.2:22/tcp", "10.0.0.1:22/tcp"]);
    assert_eq!(names(&last_targets), ["10.0.0.1:22/tcp", "10.0.0.2:22/tcp"]);
}

#[test]
fn full_table_takes_new_sources_once_others_are_silent() {
    let mut watched = Watched::new(0, 2);
    watched.see(&[1, 2, 3].map(|number| packet(outside(number), 1, 0.0)));
    assert_eq!(watched.found(1.0).len(), 2);
    let table = watched.detectors.view(&std::collections::BTreeSet::new()).tables[0];
    assert_eq!((table.entries, table.limit, table.evicted), (2, 2, 1));
    watched.found(100.0);
    watched.see(&[packet(outside(3), 1, 100.0)]);
    assert_eq!(watched.found(101.0), [(Subject::Source(outside(3).into()), Level::Over, 101.0, 1.0)]);
}

#[test]
fn clock_that_was_set_keeps_the_rule_true_for_a_window() {
    let mut watched = Watched::new(0, 10);
    watched.see(&[packet(outside(1), 1, 1_000.0)]);
    watched.found(1_001.0);
    watched.detectors.restart(at(5.0));
    let found = watched.found(100.0);
    let levels: Vec<Level> = found.iter().map(|found| found.1).collect();
    assert_eq!(levels.iter().filter(|level| **level == Level::Near).count(), 59);
    assert_eq!(found.last().map(|found| (found.1, found.2)), Some((Level::Under, 65.0)));
}

/// Leaps over years of silence take no time.
#[test]
fn packet_far_ahead_is_judged_in_its_own_cell() {
    let mut watched = Watched::new(0, 10);
    watched.see(&[packet(outside(1), 1, 0.0), packet(outside(2), 1, 4e9)]);
    let found = watched.found(4e9 + 1.0);
    assert_eq!(found.len(), 62);
    assert_eq!(found.last(), Some(&(Subject::Source(outside(2).into()), Level::Over, 4e9 + 1.0, 1.0)));
}

proptest! {
    /// However packets are divided into intervals, and packet time into advances, the detections are the same.
    #[test]
    fn detections_do_not_depend_on_intervals_or_advances(
        packets in prop::collection::vec((0u32..400, 1u8..4, 1u8..3), 1..40),
        limit in 0u64..4, advances in prop::collection::vec(any::<bool>(), 40)
    ) {
        let mut packets = packets;
        packets.sort_unstable();
        let packets: Vec<Packet> =
            packets.iter().map(|&(time, source, host)| packet(outside(source), host, f64::from(time) / 2.0)).collect();
        let run = |every_cell: bool| {
            let mut watched = Watched::new(limit, 10);
            let mut found = Vec::new();
            for (number, of_cell) in packets.chunk_by(|one, next| to_seconds(one.time) as i64 == to_seconds(next.time) as i64).enumerate() {
                watched.see(of_cell);
                if every_cell || advances[number] {
                    found.extend(watched.detectors.advance(at(to_seconds(of_cell[0].time).floor() + 1.0)));
                }
            }
            found.extend(watched.detectors.advance(at(1_000.0)));
            found.iter().map(|found| (found.subject, found.level, found.at, found.since, found.figures.value as u64, found.figures.span)).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(true), run(false));
    }
}
