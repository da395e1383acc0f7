//! Contacts that the configuration excludes.

use std::net::IpAddr;

use super::harness::*;
use crate::detect::scan::{Config, ExcludedContact, Rule};
use crate::detect::{Kind, Level, Subject};
use crate::packet::Protocol;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
const ANY: ExcludedContact =
    ExcludedContact { source: None, source_port: None, destination: None, port: None, kind: None };

/// Sources and kinds that are found, each once.
fn found_without(excluded: &[ExcludedContact], script: &Script, rule: Rule) -> Vec<(Subject, Kind)> {
    let config = Config { excluded_contacts: excluded.iter().copied().collect(), rule, ..Config::default() };
    let mut bench = Bench::new(&config);
    let detections = &bench.run(script, TickPlan::PLAIN, 3.0).detections;
    let mut found: Vec<_> =
        detections.iter().filter(|found| found.level == Level::Over).map(|found| (found.subject, found.kind)).collect();
    found.sort();
    found.dedup();
    found
}

fn without(excluded: ExcludedContact, script: &Script) -> Vec<(Subject, Kind)> {
    found_without(&[excluded], script, Rule::Evidence)
}

/// A source tries hosts of 203.0.NETWORK.0/24 from this port; nothing answers.
fn sweep(source: IpAddr, source_port: u16, network: u8, hosts: u8) -> Script {
    let mut script = Script::default();
    for host in 1..=hosts {
        script.tcp(0.3 + f64::from(host) * 0.05, source, v4(203, 0, network, host), (source_port, 22), SYN);
    }
    script
}

fn host_scan(source: IpAddr) -> (Subject, Kind) {
    (Subject::Source(source), Kind::HostScan)
}

fn network(text: &str) -> Option<ipnet::IpNet> {
    Some(text.parse().unwrap())
}

#[test]
fn contacts_from_an_excluded_source_port_do_not_count() {
    let excluded = ExcludedContact { source_port: Some(40_000), ..ANY };
    let scripts = [sweep(A, 40_000, 1, 20), sweep(A, 40_001, 1, 20)];
    assert_eq!(scripts.each_ref().map(|script| without(excluded, script)), [vec![], vec![host_scan(A)]]);
    // The port of the target is another thing.
    let to_the_port = ExcludedContact { port: Some(40_000), source: network("192.0.2.0/24"), ..ANY };
    assert_eq!(without(to_the_port, &scripts[0]), [host_scan(A)]);
    assert_eq!(without(ExcludedContact { port: Some(22), ..to_the_port }, &scripts[0]), []);
}

#[test]
fn source_that_scans_others_than_the_excluded_destination_is_found() {
    let excluded = ExcludedContact { source: network("192.0.2.1/32"), destination: network("203.0.1.0/24"), ..ANY };
    assert_eq!(without(excluded, &sweep(A, 40_000, 1, 40)), []);
    let others = sweep(A, 40_000, 1, 40).and(sweep(A, 40_000, 2, 16)).and(sweep(B, 40_000, 1, 16));
    assert_eq!(without(excluded, &others), [host_scan(A), host_scan(B)]);
    assert_eq!(without(excluded, &sweep(A, 40_000, 1, 40).and(sweep(A, 40_000, 2, 15))), []);
}

#[test]
fn excluded_contacts_that_are_refused_do_not_count() {
    let excluded = ExcludedContact { source: network("192.0.2.1/32"), ..ANY };
    let mut script = Script::default();
    for host in 1..=20 {
        let (time, target) = (0.3 + f64::from(host) * 0.05, v4(203, 0, 1, host));
        script.refused(time, A, target, 22);
        script.refused(time, B, target, 22);
        let port = script.syn(time, A, v4(203, 0, 2, host), 22);
        script.unreachable(time + 0.1, A, v4(203, 0, 2, host), Protocol::TCP, (port, 22));
    }
    assert_eq!(without(excluded, &script), [host_scan(B)]);
}

/// Hosts that are used outweigh as many failures next to them, unless they are excluded.
#[test]
fn excluded_contacts_that_are_used_outweigh_nothing() {
    let mut script = sweep(A, 40_000, 1, 20);
    (0..30).for_each(|host| script.connection(0.2, A, v4(203, 0, 1, 128 + host), 22, 1.0));
    assert_eq!(without(ANY_OTHER, &script), []);
    assert_eq!(without(ExcludedContact { destination: network("203.0.1.128/25"), ..ANY }, &script), [host_scan(A)]);
}

/// An entry that applies to nothing in these tests.
const ANY_OTHER: ExcludedContact = ExcludedContact { source_port: Some(1), ..ANY };

#[test]
fn entry_with_a_kind_leaves_the_other_kinds() {
    let mut block = Script::default();
    for number in 0..120_u16 {
        let host = v4(203, 0, 1, 1 + (number % 20) as u8);
        block.refused(0.3 + f64::from(number) * 0.02, A, host, 1_000 + number);
    }
    let both = [host_scan(A), (Subject::Source(A), Kind::PortScan)];
    let excluded = |kind| ExcludedContact { destination: network("203.0.1.0/24"), kind, ..ANY };
    assert_eq!(without(ANY_OTHER, &block), both);
    assert_eq!(without(excluded(Some(Kind::HostScan)), &block), both[1..]);
    assert_eq!(without(excluded(Some(Kind::PortScan)), &block), both[..1]);
    assert_eq!(without(excluded(Some(Kind::GroupScan)), &block), both);
    assert_eq!(without(excluded(None), &block), []);
}

#[test]
fn all_contacts_are_counted_without_the_excluded_ones() {
    let script = sweep(A, 40_000, 1, 20).and(sweep(B, 40_001, 1, 20));
    let found = |excluded| found_without(&[excluded], &script, Rule::Contacts);
    assert_eq!(found(ANY_OTHER), [host_scan(A), host_scan(B)]);
    assert_eq!(found(ExcludedContact { source_port: Some(40_000), ..ANY }), [host_scan(B)]);
    assert_eq!(
        found(ExcludedContact { source: network("192.0.2.2/32"), kind: Some(Kind::HostScan), ..ANY }),
        [host_scan(A)]
    );
}

#[test]
fn contacts_may_be_excluded_from_grouped_scans_alone() {
    let group = (Subject::Network("192.0.2.0/24".parse().unwrap()), Kind::GroupScan);
    // Twelve sources try eleven hosts each, none of them twice.
    let mut script = Script::default();
    for number in 0..132_u8 {
        let source = v4(192, 0, 2, 1 + number / 11);
        script.tcp(0.3 + f64::from(number) * 0.05, source, v4(203, 0, 1, 1 + number), (40_000, 22), SYN);
    }
    let loud = sweep(v4(192, 0, 2, 99), 40_000, 2, 20);
    let excluded = |kind| ExcludedContact { source_port: Some(40_000), kind, ..ANY };
    let script = script.and(loud);
    let alone = host_scan(v4(192, 0, 2, 99));
    assert_eq!(without(ANY_OTHER, &script), [alone, group]);
    assert_eq!(without(excluded(Some(Kind::GroupScan)), &script), [alone]);
    assert_eq!(without(excluded(Some(Kind::HostScan)), &script), [], "a group is made of the scans of its sources");
    assert_eq!(without(excluded(None), &script), []);
}
