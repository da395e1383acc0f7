//! Counts that the kernel's program cannot make alone: of packets that were joined before it sees them, and of frames
//! behind rare link headers, which trafficmonitor reads.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use serde_json::Value;

use super::common::ip::{ALICE, BOB, Ipv4, udp};
use super::common::link::{Link, Sample};
use super::common::metrics::Metrics;
use super::common::monitor::Monitor;
use super::common::namespace::Namespace;
use super::kernel::{CLSACT, GENERIC, NATIVE, TCX, start};
use super::traffic::{Pair, send_frame};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const NOT_COUNTED: &str = "packets on the wire are not counted";

/// Packets on the wire by direction; none if they are not exported.
fn wire_packets(metrics: &Metrics) -> Vec<(Vec<String>, f64)> {
    metrics.labelled("trafficmonitor_traffic_wire_packets_total", &["direction"])
}

fn sum(metrics: &Metrics, name: &str) -> u64 {
    metrics.sum(&format!("trafficmonitor_{name}"))
}

#[test]
fn packets_on_the_wire_are_counted_exactly_or_not_at_all() {
    const BYTES: u64 = 2_000_000;
    for (mode, is_known) in [(NATIVE, true), (GENERIC, false), (TCX, true), (CLSACT, true)] {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, mode) else { continue };
        assert!(is_known || wire_packets(&monitor.metrics()).is_empty(), "{mode:?}: at the start");
        let server = pair.host.enter(|| TcpListener::bind("10.1.0.1:9000")).unwrap();
        let mut client = pair.other.enter(|| TcpStream::connect("10.1.0.1:9000")).unwrap();
        let (mut session, _) = server.accept().unwrap();
        let sender = std::thread::spawn(move || client.write_all(&vec![0x55; BYTES as usize]).unwrap());
        assert_eq!(session.read_to_end(&mut Vec::new()).unwrap() as u64, BYTES);
        sender.join().unwrap();
        let metrics = monitor.wait_for("all bytes", |metrics| sum(metrics, "traffic_bytes_total") >= BYTES);
        let (packets, wire) = (sum(&metrics, "traffic_packets_total"), sum(&metrics, "traffic_wire_packets_total"));
        assert_eq!(wire_packets(&metrics).is_empty(), !is_known, "{mode:?}");
        assert_eq!(monitor.messages().contains(NOT_COUNTED), !is_known, "{mode:?}: {}", monitor.messages());
        // A segment has 1,460 bytes at most.
        assert!(!is_known || wire >= BYTES / 1_460, "{mode:?}: {wire} on the wire, {packets} packets");
        assert!(mode != NATIVE || wire == packets, "{wire} on the wire, {packets} packets");
        monitor.stop();
    }
}

#[test]
fn packets_on_the_wire_are_not_exported_where_xdp_falls_back_to_the_network_stack() {
    let host = Namespace::new();
    if start(&Pair::new(), GENERIC).is_none() {
        return;
    }
    let monitor = Monitor::start(&host, &["-iface", "lo", "-daq", "xdp"]);
    let messages = monitor.messages();
    assert!(messages.contains("the driver has no native XDP") && messages.contains(NOT_COUNTED), "{messages}");
    assert!(wire_packets(&monitor.metrics()).is_empty());
    monitor.stop();
}

fn query(link: Link, source: Ipv4Addr) -> Sample {
    link.carrying(&Ipv4::carrying(udp(40_000, 53, &[0; 20])).between(source, HOST).build())
}

/// Packets of a line, with those that it tells of besides.
fn packets(line: &Value) -> u64 {
    ["packets", "suppressed"].iter().filter_map(|name| line[name].as_u64()).sum()
}

/// Ten MPLS frames of a source and 30 PPPoE frames of another, which trafficmonitor reads, beside 20 frames of a third that
/// the kernel reads.
#[test]
fn frames_that_the_kernel_does_not_read_have_events_and_count_on_the_wire() {
    let third = Ipv4Addr::new(203, 0, 113, 9);
    let frames = [
        (query(Link::ethernet().mpls(2), ALICE), 10),
        (query(Link::ethernet().pppoe(), BOB), 30),
        (query(Link::ethernet(), third), 20),
    ];
    let policy = ["--policy.permitted", "10.1.0.0/24", "--policy.events_burst", "10"];
    let dropping = [&policy[..], &["--drop-packets"]].concat();
    for (mode, policy) in [(NATIVE, &dropping[..]), (GENERIC, &dropping), (TCX, &policy), (CLSACT, &policy)] {
        let pair = Pair::new();
        let log = tempfile::NamedTempFile::new().unwrap();
        let logged = ["--log-format", "jsonl", "--log-file", log.path().to_str().unwrap()];
        let Some(monitor) = start(&pair, &[mode, policy, &logged].concat()) else { continue };
        frames.iter().for_each(|(frame, count)| send_frame(&pair.other, "eth0", frame, *count));
        let not_permitted = [("verdict", "not_permitted")];
        let metrics = monitor.wait_for("all packets", |metrics| {
            metrics.value("trafficmonitor_policy_packets_total", &not_permitted).unwrap_or_default() >= 60
        });
        monitor.stop();
        let dropped = if policy.contains(&"--drop-packets") { 20 } else { 0 };
        assert_eq!(sum(&metrics, "policy_dropped_packets_total"), dropped, "{mode:?}");
        let wire = sum(&metrics, "traffic_wire_packets_total");
        assert_eq!(wire, if mode == GENERIC { 0 } else { 60 }, "{mode:?}");
        let events = sum(&metrics, "policy_event_packets_total");
        assert_eq!(events + sum(&metrics, "policy_events_suppressed_total"), 60, "{mode:?}");

        let text = std::fs::read_to_string(log.path()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |source: Ipv4Addr| lines.iter().filter(move |line| line["src"] == *source.to_string());
        let violations = |source| of(source).filter(|line| line["event"] == "violation");
        assert_eq!(violations(ALICE).count(), 10, "{mode:?}: {text}");
        assert!((10..30).contains(&violations(BOB).count()), "{mode:?}: {text}");
        for line in violations(ALICE).chain(violations(BOB)) {
            assert_eq!((&line["dst"], &line["dst_port"]), (&"10.1.0.1".into(), &53.into()), "{mode:?}: {line}");
        }
        let policy_lines = |source| of(source).filter(|line| line["event"] != "alert");
        for (source, count, is_dropped) in [(ALICE, 10, false), (BOB, 30, false), (third, 20, dropped > 0)] {
            assert_eq!(policy_lines(source).map(packets).sum::<u64>(), count, "{mode:?}: {source}: {text}");
            let action = if is_dropped { "dropped" } else { "logged" };
            assert!(policy_lines(source).all(|line| line["action"] == action), "{mode:?}: {source}: {text}");
        }
    }
}
