//! Permitted networks on an interface: exact counts, and an alert about each source that is not permitted.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::common::event_log::{PolicyLine, policy_lines};
use super::common::ip::{ALICE, BOB, Ipv4, Ipv6, icmp, icmpv6, tcp, udp};
use super::common::link::{Link, Sample};
use super::common::metrics::{Metrics, Packets};
use super::common::monitor::{Monitor, PROGRAM};
use super::common::namespace::wait_for;
use super::kernel::{CLSACT, GENERIC, NATIVE, TCX, start};
use super::traffic::{Pair, send, send_frame};
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
        let messages = monitor.stop().messages;
        let counts = (packets(&metrics, "not_permitted"), told(log.path()));
        assert_eq!(counts, (PACKETS, PACKETS), "{mode:?}: {messages}");
        let dropped = metrics.sum("trafficmonitor_policy_dropped_packets_total");
        assert_eq!(dropped, if more == dropping { PACKETS } else { 0 }, "{mode:?}");
        assert_eq!(analyzed_dropped(log.path()), dropped, "{mode:?}: of the analysis");
        let lines = policy_lines(log.path(), "jsonl");
        let of_lines = lines.iter().filter(|line| line.action == "dropped").map(PolicyLine::all).sum::<u64>();
        assert_eq!(of_lines, dropped, "{mode:?}: of the lines");
    }
}

/// Sources that are each seen once, more than a queue of a few thousand events takes.
#[test]
fn burst_of_forged_sources_loses_no_event_and_an_alert_follows_its_violation() {
    const SOURCES: u32 = 20_000;
    let pair = Pair::new();
    let log = tempfile::NamedTempFile::new().unwrap();
    let logged = ["--log-format", "jsonl", "--log-file", log.path().to_str().unwrap(), "--xdp.ring-size", "8MiB"];
    let Some(monitor) = start(&pair, &[TCX, &["--policy.permitted", "10.1.0.0/24"], &logged].concat()) else { return };
    let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
    let frames: Vec<Sample> = (0..SOURCES).map(|number| from(Ipv4Addr::from_bits(0x0a80_0000 + number))).collect();
    let pieces: Vec<[&[u8]; 2]> = frames.iter().map(|frame| [&frame.bytes[..], &[][..]]).collect();
    wire.send(&pieces).unwrap();
    let dropped = ("kind", "policy");
    let metrics = monitor.wait_for("all packets, and an alert about none of the last", |metrics| {
        packets(metrics, "not_permitted") >= u64::from(SOURCES)
            && metrics.value("trafficmonitor_alerts_dropped_total", &[dropped]).is_some_and(|count| count > 0)
    });
    assert_eq!(metrics.sum("trafficmonitor_queue_dropped_total"), 0);
    let messages = monitor.stop().messages;
    assert!(messages.contains("no space for further alerts of this kind"), "{messages}");
    assert_eq!(told(log.path()), u64::from(SOURCES), "{messages}");
    let events = std::fs::read_to_string(log.path()).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let position = |event: &str, source: &Value| {
        events.iter().position(|line| line["event"] == event && line["src"] == *source).unwrap_or(usize::MAX)
    };
    let alerts: Vec<&Value> = events.iter().filter(|line| line["event"] == "alert").collect();
    assert!(alerts.len() >= 100, "{} alerts", alerts.len());
    for alert in alerts {
        let source = &alert["src"];
        assert!(position("violation", source) < position("alert", source), "{source}");
    }
}

/// The dropped packets in the totals of an analysis.
fn analyzed_dropped(log: &Path) -> u64 {
    let report = tempfile::NamedTempFile::new().unwrap();
    let paths = [log, Path::new("--export-report"), report.path()];
    let output = Command::new(PROGRAM).arg("analyze").args(paths).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
    report["totals"]["dropped_packets"].as_u64().unwrap()
}

/// Neighbour discovery goes on, and has lines of its own.
#[test]
fn dropped_packets_and_others_of_one_source_have_lines_of_their_own() {
    for mode in [NATIVE, GENERIC] {
        let pair = Pair::new();
        let log = tempfile::NamedTempFile::new().unwrap();
        let logged = ["--log-format", "jsonl", "--log-file", log.path().to_str().unwrap()];
        let policy = ["--policy.permitted", "10.1.0.0/24", "--policy.events_burst", "2", "--drop-packets"];
        let Some(monitor) = start(&pair, &[mode, &policy, &logged].concat()) else { continue };
        let frame = |above| Link::ethernet().carrying(&Ipv6::carrying(above).between(STRANGER_6, HOST_6).build());
        for (above, count) in [(icmpv6(128), 50), (icmpv6(135), 20), (udp(40_000, 9, &[0; 20]), 30)] {
            send_frame(&pair.other, "eth0", &frame(above), count);
        }
        let metrics = monitor.wait_for("all packets", |metrics| packets(metrics, "not_permitted") >= 100);
        monitor.stop();
        assert_eq!(metrics.sum("trafficmonitor_policy_dropped_packets_total"), 80, "{mode:?}");
        let lines = policy_lines(log.path(), "jsonl");
        let of = |action| lines.iter().filter(|line| line.action == action).map(PolicyLine::all).sum::<u64>();
        assert_eq!((of("dropped"), of("logged"), analyzed_dropped(log.path())), (80, 20, 80), "{mode:?}");
    }
}

/// The lists deny the host's own address; DHCP and duplicate address detection have no source.
#[test]
fn packets_that_this_host_sends_are_permitted() {
    for mode in [&["-iface", "eth0"][..], TCX, CLSACT] {
        let pair = Pair::new();
        let lists = ["--policy.permitted", "10.1.0.0/24", "--policy.denied", "10.1.0.1/32"];
        let arguments = [mode, &lists].concat();
        let monitor = match mode {
            ["-iface", "eth0"] => Some(Monitor::start(&pair.host, &arguments)),
            _ => start(&pair, &arguments),
        };
        let Some(monitor) = monitor else { continue };
        let (server, client) = pair.resolver();
        send(&client, &server, Packets { count: 50, bytes: 100 });
        let v4 = Ipv4::carrying(udp(68, 67, &[0; 20])).between(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST).build();
        let v6 = Ipv6::carrying(icmpv6(135)).between(Ipv6Addr::UNSPECIFIED, HOST_6).build();
        for (packet, count) in [(v4, 10), (v6, 5)] {
            send_frame(&pair.other, "eth0", &Link::ethernet().carrying(&packet), count);
        }
        send_frame(&pair.other, "eth0", &from(ALICE), 7);
        let metrics = monitor.wait_for("all packets", |metrics| {
            packets(metrics, "permitted") >= 65 && packets(metrics, "not_permitted") >= 7
        });
        assert_eq!(packets(&metrics, "not_permitted"), 7, "{mode:?}");
        assert!(!monitor.events().contains("src=10.1.0.1 "), "{}", monitor.events());
    }
}

fn from(source: Ipv4Addr) -> Sample {
    Link::ethernet().carrying(&Ipv4::carrying(udp(40_000, 53, &[0; 20])).between(source, HOST).build())
}
