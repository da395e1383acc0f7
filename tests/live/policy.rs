//! Permitted networks on an interface: exact counts, and an alert about each source that is not permitted.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::common::event_log::{PolicyLine, policy_lines};
use super::common::ip::{ALICE, BOB, Ipv4, Ipv6, icmp, icmpv6, tcp, udp};
use super::common::link::{Link, Sample};
use super::common::metrics::Metrics;
use super::common::monitor::Monitor;
use super::common::namespace::wait_for;
use super::kernel::{CLSACT, GENERIC, NATIVE, TCX, start};
use super::traffic::{Pair, send_frame};
use super::wire::Wire;

const SYN: u8 = 0x02;
const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const HOST_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const STRANGER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

/// Frames with the number of each, and true if their source is permitted.
fn frames() -> Vec<(Sample, u64, bool)> {
    let v4 = |source, above| Ipv4::carrying(above).between(source, HOST).build();
    let v6 = |source, above| Ipv6::carrying(above).between(source, HOST_6).build();
    let plain = Link::ethernet;
    vec![
        (plain().carrying(&v4(OTHER, udp(40_000, 9, &[0; 20]))), 100, true),
        (plain().carrying(&v4(ALICE, udp(40_000, 9, &[0; 20]))), 70, false),
        (plain().vlan(0x8100).carrying(&v4(BOB, tcp(40_000, 22, SYN, b""))), 30, false),
        (plain().vlan(0x88a8).vlan(0x8100).carrying(&v4(OTHER, icmp(0))), 20, true),
        (plain().carrying(&v6(HOST_6, icmpv6(129))), 10, true),
        (plain().carrying(&v6(STRANGER_6, icmpv6(129))), 40, false),
    ]
}

fn packets(metrics: &Metrics, verdict: &str) -> u64 {
    metrics.value("trafficmonitor_policy_packets_total", &[("verdict", verdict)]).unwrap_or(0)
}

fn are_counted(more: &[&str]) {
    let pair = Pair::new();
    let fixed = ["-iface", "eth0", "--policy.permitted", "10.1.0.0/24,fd00::/8", "--policy.denied", "10.1.0.128/25"];
    let log = tempfile::NamedTempFile::new().unwrap();
    let logged = ["--log-format", "jsonl", "--log-file", log.path().to_str().unwrap()];
    let monitor = Monitor::start(&pair.host, &[&fixed, &logged[..], more].concat());
    assert_eq!(packets(&monitor.metrics(), "permitted"), 0, "the families are there from the start");
    let frames = frames();
    let expected =
        |is_permitted| frames.iter().filter(|(_, _, of)| *of == is_permitted).map(|(_, count, _)| count).sum::<u64>();
    frames.iter().for_each(|(frame, count, _)| send_frame(&pair.other, "eth0", frame, *count));
    // The host answers what is sent to it, as a permitted source.
    let metrics = monitor.wait_for("all packets", |metrics| {
        packets(metrics, "not_permitted") == expected(false) && packets(metrics, "permitted") >= expected(true)
    });
    for unit in ["packets", "bytes"] {
        let [judged, all] = ["policy", "traffic"].map(|of| metrics.sum(&format!("trafficmonitor_{of}_{unit}_total")));
        assert_eq!(judged, all, "{unit}");
    }
    let events = metrics.sum("trafficmonitor_policy_event_packets_total");
    assert_eq!(events + metrics.sum("trafficmonitor_policy_events_suppressed_total"), expected(false));
    for source in ["192.0.2.1", "198.51.100.2", "2001:db8::7"] {
        let is_said = |line: &str| line.contains("kind=policy") && line.contains(&format!(" src={source} "));
        wait_for("an alert", || monitor.events().lines().any(is_said).then_some(()));
    }
    assert!(!monitor.events().contains("src=10.1.0.2 "), "{}", monitor.events());
    monitor.stop();
    assert_eq!(told(log.path()), expected(false), "each packet is in one line");
}

/// The packets of all lines of an event log about packets that are not permitted.
fn told(log: &Path) -> u64 {
    policy_lines(log, "jsonl").iter().map(PolicyLine::all).sum()
}

#[test]
fn packets_are_counted_by_verdict_and_strangers_raise_alerts() {
    are_counted(&[]);
}

#[test]
fn several_workers_count_the_same() {
    are_counted(&["--capture.workers", "2"]);
}

/// With a map that is full, with and without dropping.
#[test]
fn every_packet_of_the_kernel_path_is_in_one_line_of_the_event_log() {
    const SOURCES: u32 = 3_000;
    const PACKETS: u64 = 3 * SOURCES as u64;
    let fixed = ["--policy.permitted", "10.1.0.0/24", "--policy.events_burst", "1", "--max-flows", "1024"];
    let dropping = [&fixed[..], &["--drop-packets"]].concat();
    for (mode, more) in [(NATIVE, &dropping[..]), (GENERIC, &fixed), (TCX, &fixed), (CLSACT, &fixed)] {
        let pair = Pair::new();
        let log = tempfile::NamedTempFile::new().unwrap();
        let logged = ["--max-series", "1024", "--log-format", "jsonl", "--log-file", log.path().to_str().unwrap()];
        let Some(monitor) = start(&pair, &[mode, more, &logged].concat()) else { continue };
        let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
        let frames: Vec<Sample> = (0..SOURCES).map(|number| from(Ipv4Addr::from_bits(0x0a80_0000 + number))).collect();
        let pieces: Vec<[&[u8]; 2]> = frames.iter().map(|frame| [&frame.bytes[..], &[][..]]).collect();
        (0..3).for_each(|_| wire.send(&pieces).unwrap());
        let metrics = monitor.wait_for("all packets", |metrics| packets(metrics, "not_permitted") >= PACKETS);
        assert!(metrics.sum("trafficmonitor_overflow_packets_total") > 0, "{mode:?}: the map was never full");
        assert_eq!(metrics.sum("trafficmonitor_queue_dropped_total"), 0, "{mode:?}");
        monitor.stop();
        assert_eq!((packets(&metrics, "not_permitted"), told(log.path())), (PACKETS, PACKETS), "{mode:?}");
    }
}

fn from(source: Ipv4Addr) -> Sample {
    Link::ethernet().carrying(&Ipv4::carrying(udp(40_000, 53, &[0; 20])).between(source, HOST).build())
}
