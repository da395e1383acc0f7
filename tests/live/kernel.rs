//! The kernel path on real interfaces: XDP in the driver and in the network stack, TC by TCX and by clsact. The counts
//! are those of libpcap. What stays attached and what does not: `attachments`.

#![allow(clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::common::corpus;
use super::common::ip::{ALICE, ALICE_6, BOB, BOB_6, Ipv4, udp};
use super::common::link::{Link, Sample};
use super::common::metrics::{Counted, Metrics, Packets};
use super::common::monitor::{Monitor, PROGRAM, refused};
use super::common::namespace::{End, Namespace, connect, wait_for};
use super::common::xdp::{LiveFrames, Xdp};
use super::rights::Copy;
use super::traffic::{Flood, Pair, send};
use super::wire::Wire;

pub(super) const FRAMES: &str = "trafficmonitor_interface_frames_total";
pub(super) const QUERIES: &str = "10.1.0.2->10.1.0.1 udp/53(domain)";
pub(super) const ANSWERS: &str = "10.1.0.1->10.1.0.2 reply_udp/53(domain)";

pub(super) const NATIVE: &[&str] = &["-iface", "eth0", "-daq", "xdp", "--xdp.mode", "native"];
pub(super) const GENERIC: &[&str] = &["-iface", "eth0", "-daq", "xdp", "--xdp.mode", "generic"];
pub(super) const TCX: &[&str] = &["-iface", "eth0", "-daq", "tc", "--tc.hook", "tcx"];
pub(super) const CLSACT: &[&str] = &["-iface", "eth0", "-daq", "tc", "--tc.hook", "clsact"];
pub(super) const MODES: [&[&str]; 4] = [NATIVE, GENERIC, TCX, CLSACT];

/// The program on the host's eth0; none, with a visible line, where the kernel refuses its program.
pub(super) fn start<'a>(pair: &'a Pair, arguments: &[&str]) -> Option<Monitor<'a>> {
    let mode: Vec<&str> = arguments.iter().copied().skip_while(|argument| *argument != "-daq").take(4).collect();
    match refusal(&mode) {
        Some(reason) => {
            eprintln!("skipped: {arguments:?}: {reason}");
            None
        }
        None => Some(Monitor::start(&pair.host, arguments)),
    }
}

/// The reason why the kernel refuses the program in a mode; tried once for each.
fn refusal(mode: &[&str]) -> Option<String> {
    static TRIED: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());
    let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    tried.entry(mode.join(" ")).or_insert_with(|| try_mode(mode)).clone()
}

fn try_mode(mode: &[&str]) -> Option<String> {
    let pair = Pair::new();
    let monitor = Monitor::spawn(&pair.host, Command::new(PROGRAM), &[&["-iface", "eth0"], mode].concat());
    let messages = wait_for("it captures or ends", || {
        let messages = monitor.messages();
        (messages.contains("capturing") || messages.contains("the kernel does not take")).then_some(messages)
    });
    // One line: scripts/test.sh reads it.
    messages.lines().find(|line| line.contains("the kernel does not take")).map(str::to_owned)
}

const FLOW: &[&str] = &["source", "destination", "protocol", "port", "reply", "direction"];

fn counters(metrics: &Metrics) -> Vec<(Vec<String>, f64)> {
    let families: [(&str, &[&str]); 7] = [
        ("trafficmonitor_flow_packets_total", FLOW),
        ("trafficmonitor_flow_bytes_total", FLOW),
        ("trafficmonitor_traffic_packets_total", &["direction", "ip_version"]),
        ("trafficmonitor_traffic_bytes_total", &["direction", "ip_version"]),
        ("trafficmonitor_undecoded_packets_total", &["reason"]),
        ("trafficmonitor_interface_frames_total", &["interface"]),
        ("trafficmonitor_interface_frame_bytes_total", &["interface"]),
    ];
    let with_name = |name: &str, (mut labels, value): (Vec<String>, f64)| {
        labels.insert(0, name.to_owned());
        (labels, value)
    };
    let of = |(name, labels)| metrics.labelled(name, labels).into_iter().map(move |counter| with_name(name, counter));
    let mut counters: Vec<_> = families.into_iter().flat_map(of).collect();
    counters.sort_by(|(one, _), (other, _)| one.cmp(other));
    counters
}

#[test]
fn known_traffic_counts_to_the_byte_in_every_mode() {
    for arguments in MODES {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, arguments) else { continue };
        let (client, server) = pair.resolver();
        let (there, back) = (Packets::udp(370, 31), Packets::udp(290, 400));
        send(&client, &server, there);
        send(&server, &client, back);
        let counted = Counted::default().and(QUERIES, "eth0", there);
        // XDP sees what comes in alone.
        let counted = if arguments.contains(&"tc") { counted.and(ANSWERS, "eth0", back) } else { counted };
        monitor.finish(&counted);
    }
}

/// The counters after these frames have come in, sent twice, and after all rows are shown.
fn counters_of(arguments: &[&str], frames: &[Sample]) -> Option<Vec<(Vec<String>, f64)>> {
    let pair = Pair::new();
    let monitor = start(&pair, &[arguments, &["--metrics.flow_packets"]].concat())?;
    let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
    let pieces: Vec<[&[u8]; 2]> = frames.iter().flat_map(|frame| [[&frame.bytes[..], &[]]; 2]).collect();
    wire.send(&pieces).unwrap();
    let sent = 2 * frames.len() as u64;
    let is_shown = |metrics: &Metrics| metrics.sum("trafficmonitor_flow_pending_packets") == 0;
    let metrics = monitor.wait_for("all frames", |metrics| metrics.sum(FRAMES) >= sent && is_shown(metrics));
    monitor.stop();
    Some(counters(&metrics))
}

/// The frame from another source, if Alice sends it: rows of its own, by turns outgoing, incoming, local and transit.
fn from_its_own_source(number: usize, mut frame: Sample) -> Sample {
    let low = u8::try_from(number / 4 + 1).unwrap();
    let (local, remote) = ([10, 200, number as u8 % 4, low], [203, 0, 113, low]);
    let (source, destination) = [(local, remote), (remote, local), (local, local), (remote, remote)][number % 4];
    let v6 = |[a, b, c, d]: [u8; 4]| {
        let prefix: [u8; 12] = if a == 10 { [0xfd; 12] } else { [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 9] };
        [&prefix[..], &[a, b, c, d]].concat()
    };
    for (from, to, v4) in [(ALICE, ALICE_6, source), (BOB, BOB_6, destination)] {
        replace_first(&mut frame.bytes, &from.octets(), &v4);
        replace_first(&mut frame.bytes, &to.octets(), &v6(v4));
    }
    frame
}

fn replace_first(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    if let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

#[test]
fn every_form_of_frame_has_the_flows_and_directions_that_it_has_with_libpcap() {
    // The kernel lets no frame leave that is shorter than its Ethernet header.
    let is_sent = |sample: &Sample| sample.link_type == 1 && sample.bytes.len() >= 14 && sample.bytes.len() <= 1_400;
    let whole = |sample: Sample| Sample { wire_bytes: sample.bytes.len() as u32, ..sample };
    let samples = corpus::samples().into_iter().map(|(_, sample)| whole(sample)).filter(is_sent).enumerate();
    let frames: Vec<Sample> = samples.map(|(number, frame)| from_its_own_source(number, frame)).collect();
    assert!(frames.len() > 100, "{}", frames.len());
    let expected = counters_of(&["-iface", "eth0"], &frames).unwrap();
    let rows = expected.iter().filter(|(labels, _)| labels[0] == "trafficmonitor_flow_packets_total").count();
    assert!(rows > 100, "{rows} rows of {} frames", frames.len());
    for arguments in MODES {
        let Some(found) = counters_of(arguments, &frames) else { continue };
        let differing: Vec<_> = found.iter().filter(|counter| !expected.contains(counter)).collect();
        assert!(found == expected, "{arguments:?}: {differing:?}");
    }
}

#[test]
fn tag_that_stands_beside_the_frame_counts_as_on_the_wire() {
    for arguments in [TCX, CLSACT] {
        let pair = Pair::new();
        if pair.other.try_ip("link add link eth0 name eth0.5 type vlan id 5").is_err() {
            eprintln!("skipped: this kernel has no VLAN interfaces");
            return;
        }
        let Some(monitor) = start(&pair, arguments) else { continue };
        pair.other.ip("address add 10.5.0.2/24 dev eth0.5");
        pair.other.ip("link set eth0.5 up");
        pair.other.ip("neigh replace 10.5.0.1 lladdr 02:00:00:00:00:09 dev eth0.5 nud permanent");
        let client = pair.other.udp("10.5.0.2:40053");
        (0..37).for_each(|_| assert_eq!(client.send_to(&[0x55; 31], "10.5.0.1:53").unwrap(), 31));
        let counted =
            Counted::default().and_behind(18, "10.5.0.2->10.5.0.1 udp/53(domain)", "eth0", Packets::udp(37, 31));
        monitor.finish(&counted);
    }
}

/// Sends packets of so many flows, each packet once, as fast as the kernel takes them.
fn send_flows(pair: &Pair, flows: u32) {
    let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
    let packet = |flow: u32| {
        let source = std::net::Ipv4Addr::from_bits(0x0a80_0000 + flow);
        Link::ethernet()
            .carrying(&Ipv4::carrying(udp(40_000, 53, &[0; 20])).between(source, [10, 1, 0, 1].into()).build())
    };
    for batch in (0..flows).collect::<Vec<_>>().chunks(1_000) {
        let frames: Vec<Sample> = batch.iter().map(|&flow| packet(flow)).collect();
        let pieces: Vec<[&[u8]; 2]> = frames.iter().map(|frame| [&frame.bytes[..], &[][..]]).collect();
        wire.send(&pieces).unwrap();
    }
}

#[test]
fn flows_past_the_size_of_the_map_are_conserved() {
    const FLOWS: u64 = 200_000;
    const MOST_ROUNDS: u64 = 5;
    for arguments in [NATIVE, TCX] {
        let pair = Pair::new();
        // A slow refresh, so that all flows of a second meet one map.
        let sizes = ["-promRefresh", "5", "--max-flows", "65536", "--max-series", "1024"];
        let Some(monitor) = start(&pair, &[arguments, &sizes].concat()) else { continue };
        assert!(monitor.messages().contains("conversations=65536"), "{}", monitor.messages());
        let total = |metrics: &Metrics| metrics.sum("trafficmonitor_traffic_packets_total");
        let overflow = |metrics: &Metrics| metrics.sum("trafficmonitor_overflow_packets_total");
        let round = |rounds: u64| {
            send_flows(&pair, FLOWS as u32);
            monitor.wait_for("all flows", |metrics| total(metrics) >= rounds * FLOWS)
        };
        // On a slow machine a round may be spread over several maps.
        let mut rounds = (1..=MOST_ROUNDS).map(|rounds| (rounds, round(rounds)));
        let full = rounds.find(|(_, metrics)| overflow(metrics) > 0);
        let (rounds, metrics) = full.unwrap_or_else(|| panic!("{arguments:?}: the map was never full"));
        let sent = rounds * FLOWS;
        assert_eq!((total(&metrics), metrics.sum(FRAMES)), (sent, sent));
        let bytes = metrics.sum("trafficmonitor_traffic_bytes_total");
        assert_eq!(bytes, sent * 48);
        let shown = ["flow_bytes_total", "flow_pending_bytes", "flow_retired_bytes_total"];
        let shown: u64 = shown.iter().map(|name| metrics.sum(&format!("trafficmonitor_{name}"))).sum();
        assert_eq!(shown, bytes, "{arguments:?}");
        let closing = monitor.stop().closing();
        assert_eq!((closing.captured, closing.dropped), (sent, 0));
    }
}

#[test]
fn stop_amid_a_flood_loses_nothing() {
    for arguments in MODES {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, arguments) else { continue };
        let (client, server) = pair.resolver();
        let to = server.local_addr().unwrap();
        let flood = Flood::start(move |_| assert_eq!(client.send_to(&[0x55; 100], to).unwrap(), 100));
        monitor.wait_for("packets", |metrics| metrics.counted().packets > 5_000);
        let before = flood.sent();
        let closing = monitor.stop().closing();
        let after = flood.stop();
        assert_eq!(closing.captured, closing.received, "{arguments:?}: {closing:?}");
        assert!((before..=after).contains(&closing.captured), "{closing:?}, {before} before and {after} in all");
    }
}

#[test]
fn interfaces_are_attached_as_they_come_and_detached_as_they_go() {
    for daq in ["xdp", "tc"] {
        let pair = Pair::new();
        let Some(monitor) = start(&pair, &["-daq", daq]) else { continue };
        let queries = Packets::udp(37, 31);
        let lookups = |counted: Counted| {
            let (client, server) = pair.resolver();
            send(&client, &server, queries);
            counted.and(QUERIES, "eth0", queries)
        };
        let counted = lookups(Counted::default());
        monitor.expect(&counted);
        let counted = lookups(counted);
        pair.host.ip("link delete eth0");
        let counted = counted.retired("eth0");
        monitor.expect(&counted);
        connect(&pair.end(), &End::new(&pair.other, "eth0", "10.1.0.2/24"));
        monitor.wait_until_up("eth0", true);
        monitor.finish(&lookups(counted));
    }
}

#[test]
fn forwarded_packet_counts_once() {
    let router = Namespace::router();
    let (left, right) = (Namespace::new(), Namespace::new());
    connect(&End::new(&router, "eth0", "10.1.0.1/24"), &End::new(&left, "eth0", "10.1.0.2/24"));
    connect(&End::new(&router, "eth1", "10.2.0.1/24"), &End::new(&right, "eth0", "10.2.0.2/24"));
    left.ip("route add default via 10.1.0.1");
    right.ip("route add default via 10.2.0.1");
    let monitor = Monitor::start(&router, &["-daq", "tc"]);
    let (client, server) = (left.udp("10.1.0.2:40053"), right.udp("10.2.0.2:53"));
    let (there, back) = (Packets::udp(37, 31), Packets::udp(21, 80));
    send(&client, &server, there);
    send(&server, &client, back);
    let counted = Counted::default().and("10.1.0.2->10.2.0.2 udp/53(domain)", "eth0", there);
    monitor.finish(&counted.and("10.2.0.2->10.1.0.2 reply_udp/53(domain)", "eth1", back));
}

// ---- Policy ------------------------------------------------------------------------------------------------------------

/// Sends so many queries from an address of the other; gives how many of all the host's resolver has received since.
fn queries_from(pair: &Pair, source: &str, count: u64) {
    let client = pair.other.udp(&format!("{source}:40053"));
    (0..count).for_each(|_| assert_eq!(client.send_to(&[0x55; 31], "10.1.0.1:53").unwrap(), 31));
}

pub(super) fn received(server: &UdpSocket) -> u64 {
    server.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| server.recv(&mut [0; 100]).ok()).count() as u64
}

pub(super) fn verdicts(metrics: &Metrics) -> [u64; 2] {
    ["permitted", "not_permitted"].map(|verdict| {
        metrics.value("trafficmonitor_policy_packets_total", &[("verdict", verdict)]).unwrap_or_default()
    })
}

#[test]
fn packets_that_are_not_permitted_are_counted_and_reported_and_dropped_if_asked_for() {
    const PERMITTED: u64 = 37;
    const OTHERS: u64 = 60;
    let policy = ["--policy.permitted", "10.1.0.2,10.1.0.1"];
    let dropping = [NATIVE, GENERIC].map(|mode| [mode, &policy, &["--drop-packets"]].concat());
    let logging = MODES.map(|mode| [mode, &policy[..]].concat());
    for arguments in logging.into_iter().chain(dropping) {
        let pair = Pair::new();
        pair.other.ip("address add 10.1.0.200/24 dev eth0");
        let Some(monitor) = start(&pair, &arguments) else { continue };
        let server = pair.host.udp("10.1.0.1:53");
        queries_from(&pair, "10.1.0.2", PERMITTED);
        queries_from(&pair, "10.1.0.200", OTHERS);
        let metrics =
            monitor.wait_for("all packets", |metrics| verdicts(metrics).iter().sum::<u64>() >= PERMITTED + OTHERS);
        let dropped = if arguments.contains(&"--drop-packets") { OTHERS } else { 0 };
        assert_eq!(received(&server), PERMITTED + OTHERS - dropped, "{arguments:?}");
        assert_eq!(verdicts(&metrics), [PERMITTED, OTHERS], "{arguments:?}");
        assert_eq!(metrics.sum("trafficmonitor_policy_dropped_packets_total"), dropped);
        assert_eq!(metrics.sum("trafficmonitor_policy_dropped_bytes_total"), dropped * 59);
        assert_eq!(metrics.sum("trafficmonitor_traffic_packets_total"), PERMITTED + OTHERS, "dropped packets count");
        let [events, suppressed] =
            ["trafficmonitor_policy_event_packets_total", "trafficmonitor_policy_events_suppressed_total"];
        assert_eq!(metrics.sum(events) + metrics.sum(suppressed), OTHERS, "{arguments:?}");
        assert!((10..30).contains(&metrics.sum(events)), "{arguments:?}: {}", metrics.sum(events));
        let is_dropping = arguments.contains(&"--drop-packets");
        assert_eq!(monitor.stop().closing().by_policy, is_dropping.then_some(OTHERS), "{arguments:?}");
    }
}

#[test]
fn ten_thousand_networks_are_judged() {
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    let networks: Vec<String> = (0..10_000_u32)
        .map(|number| format!("\"{}/25\"", std::net::Ipv4Addr::from_bits(0x0a80_0000 + (number << 8))))
        .collect();
    write!(file, "{{\"permitted_cidrs\": [{}]}}", networks.join(",")).unwrap();
    let pair = Pair::new();
    // Few rows and no detection: they would cost more than what is judged here.
    let sparing = ["--max-series", "1000", "--detect.enabled=false", "-promRefresh", "0.5"];
    let arguments = [TCX, &["-c", file.path().to_str().unwrap()], &sparing].concat();
    let Some(monitor) = start(&pair, &arguments) else { return };
    // Every second half of a network of 256 addresses is permitted.
    send_flows(&pair, 51_200);
    let metrics = monitor.wait_for("all packets", |metrics| verdicts(metrics).iter().sum::<u64>() >= 51_200);
    assert_eq!(verdicts(&metrics), [25_600, 25_600]);
    monitor.stop();
}

#[test]
fn start_that_would_cut_the_host_off_is_refused_unless_forced() {
    let dropping = ["-iface", "eth0", "--policy.permitted", "10.9.0.0/16", "--drop-packets"];
    let pair = Pair::new();
    let is_refused = |reason: &str| {
        let (status, messages) = refused(&pair.host, &dropping);
        assert_eq!(status, Some(2), "{messages}");
        assert!(messages.contains(&format!("--drop-packets would cut this host off: {reason}")), "{messages}");
        assert!(messages.contains("permit it, or add --force"), "{messages}");
    };
    pair.host.ip("route add default via 10.1.0.2");
    is_refused("the default gateway 10.1.0.2 is not permitted");
    pair.host.ip("route delete default");
    let server = pair.host.enter(|| TcpListener::bind("10.1.0.1:22")).unwrap();
    let _client = pair.other.enter(|| TcpStream::connect("10.1.0.1:22")).unwrap();
    let _session = server.accept().unwrap();
    is_refused("10.1.0.2, which has an SSH session with this host, is not permitted");
    let Some(monitor) = start(&pair, &[&dropping[..], &["--force"]].concat()) else { return };
    monitor.stop();
}

// ---- Detection ---------------------------------------------------------------------------------------------------------

/// The alerts about a host and a port scan against the host: rule and source.
fn alerts(arguments: &[&str]) -> Option<BTreeSet<Vec<String>>> {
    let pair = Pair::new();
    pair.other.ip("address add 10.1.0.3/24 dev eth0");
    pair.other.ip("route replace 10.128.0.0/9 via 10.1.0.1 src 10.1.0.3");
    let monitor = start(&pair, arguments)?;
    // Closed ports: the host answers each attempt with a reset.
    for port in 2_000..2_150 {
        pair.other.enter(|| TcpStream::connect(("10.1.0.1", port))).unwrap_err();
    }
    let client = pair.other.udp("10.1.0.3:40053");
    for host in 1..40 {
        client.send_to(b"query", (std::net::Ipv4Addr::new(10, 128, 0, host), 161)).unwrap();
    }
    let firing = |metrics: &Metrics| -> BTreeSet<Vec<String>> {
        let alerts = metrics.labelled("trafficmonitor_alert_firing", &["rule", "source"]);
        alerts.into_iter().map(|(labels, _)| labels).collect()
    };
    let metrics = monitor.wait_for("two alerts", |metrics| firing(metrics).len() >= 2);
    monitor.stop();
    Some(firing(&metrics))
}

#[test]
fn scans_are_found_as_by_libpcap() {
    let expected = alerts(&["-iface", "eth0"]).unwrap();
    for arguments in [TCX, CLSACT] {
        let Some(found) = alerts(arguments) else { continue };
        assert_eq!(found, expected, "{arguments:?}");
    }
}

// ---- Refusals ----------------------------------------------------------------------------------------------------------

#[test]
fn another_xdp_program_is_left_alone() {
    let pair = Pair::new();
    let _other = Xdp::attach(&pair.host, "eth0").unwrap();
    for arguments in [GENERIC, &["-iface", "eth0", "-daq", "xdp"]] {
        let (status, messages) = refused(&pair.host, arguments);
        assert_eq!(status, Some(1), "{messages}");
        let remedy = "detach it (ip link set dev eth0 xdpgeneric off)";
        assert!(messages.contains(&format!("eth0: another XDP program is attached; {remedy}")), "{messages}");
    }
    let Some(monitor) = start(&pair, TCX) else { return };
    monitor.stop();
    assert!(super::attachments::has_xdp(&pair.host, "eth0"));
}

#[test]
fn tunnel_is_left_out_of_all_interfaces_with_one_line() {
    let pair = Pair::new();
    pair.host.ip("tuntap add dev tun0 mode tun");
    pair.host.ip("link set tun0 up");
    let Some(monitor) = start(&pair, &["-daq", "tc"]) else { return };
    let messages = monitor.stop().messages;
    assert_eq!(
        messages.matches("the interface tun0 is not captured: not an Ethernet interface").count(),
        1,
        "{messages}"
    );
    assert!(!messages.contains("cannot capture yet"), "{messages}");
}

#[test]
fn driver_without_native_xdp_is_named_with_a_way_out() {
    let host = Namespace::new();
    let (status, messages) = refused(&host, &["-iface", "lo", "-daq", "xdp", "--xdp.mode", "native"]);
    assert_eq!(status, Some(1), "{messages}");
    assert!(messages.contains("lo: its driver has no native XDP"), "{messages}");
    assert!(messages.contains("--xdp.mode generic"), "{messages}");
}

#[test]
fn missing_capabilities_are_named() {
    let (pair, copy) = (Pair::new(), Copy::new());
    for (capabilities, missing) in [
        ("-all,+net_raw", "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON are missing"),
        ("-all,+bpf,+perfmon", "CAP_NET_ADMIN is missing"),
    ] {
        let ended = Monitor::spawn(&pair.host, copy.unprivileged(capabilities), TCX).wait();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
        let advice =
            format!("{missing}; run as root or: setcap cap_bpf,cap_net_admin,cap_perfmon=ep {}", copy.path.display());
        assert!(ended.messages.contains(&advice), "{}", ended.messages);
    }
}

#[test]
fn three_capabilities_suffice() {
    let (pair, copy) = (Pair::new(), Copy::new());
    for arguments in [NATIVE, TCX] {
        if start(&Pair::new(), arguments).is_none() {
            continue;
        }
        let command = copy.unprivileged("-all,+bpf,+net_admin,+perfmon");
        let monitor = Monitor::spawn(&pair.host, command, arguments).wait_until_ready();
        let (client, server) = pair.resolver();
        let queries = Packets::udp(37, 31);
        send(&client, &server, queries);
        monitor.finish(&Counted::default().and(QUERIES, "eth0", queries));
    }
}

// ---- Load --------------------------------------------------------------------------------------------------------------

/// Packets that have come in at the host's end: those that the sender could not hand over are not among them.
fn arrived(pair: &Pair) -> u64 {
    let text = pair.host.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev")).unwrap();
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("eth0:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn soak_200_000_packets_a_second_for_10_seconds_lose_none() {
    const RATE: u64 = 200_000;
    /// As many as come in 10 seconds. Where the machine is busy, it takes longer.
    const PACKETS: u64 = 10 * RATE;
    /// To begin sending takes some ten milliseconds.
    const AT_ONCE: u32 = 20_000;
    for arguments in MODES {
        let pair = Pair::new();
        // The kernel's own sender needs NAPI at the other end.
        let gro = || Command::new("ethtool").args(["-K", "eth0", "gro", "on"]).status();
        assert!(pair.host.enter(gro).unwrap().success());
        let Some(monitor) = start(&pair, arguments) else { continue };
        let sender = pair.other.enter(|| LiveFrames::open("eth0")).unwrap();
        let packet = Ipv4::carrying(udp(40_000, 53, &[0; 20])).between([10, 1, 0, 2].into(), [10, 1, 0, 1].into());
        let frame = Link::ethernet().carrying(&packet.build());
        let (start, mut sent) = (Instant::now(), 0);
        while sent < PACKETS {
            let due = start.elapsed().as_micros() as u64 * RATE / 1_000_000;
            while sent < due.min(PACKETS) {
                pair.other.enter(|| sender.send(&frame.bytes, AT_ONCE)).unwrap();
                sent += u64::from(AT_ONCE);
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        let took = start.elapsed();
        let arrived = arrived(&pair);
        let total = |metrics: &Metrics| metrics.sum("trafficmonitor_traffic_packets_total");
        let metrics = monitor.wait_for("all packets", |metrics| total(metrics) >= arrived);
        let rate = arrived as f64 / took.as_secs_f64();
        println!(
            "{arguments:?}: {sent} packets sent, {arrived} came in, {} counted; {rate:.0} a second",
            total(&metrics)
        );
        assert_eq!((total(&metrics), metrics.sum(FRAMES)), (arrived, arrived), "{arguments:?}");
        assert!(arrived >= PACKETS / 10 * 9, "{arguments:?}: only {arrived} came in");
        let flows = metrics.sum("trafficmonitor_flows");
        assert!(flows >= 256, "{arguments:?}: {flows} flows");
        let closing = monitor.stop().closing();
        assert_eq!((closing.captured, closing.dropped), (arrived, 0), "{arguments:?}");
    }
}
