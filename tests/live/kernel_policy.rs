//! Permitted networks in the kernel, by VLAN, QinQ and IPv6: exact counts, and exactly what is not permitted is dropped.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::common::ip::{ALICE, ALICE_6, BOB_6, Ipv4, Ipv6, tcp, udp};
use super::common::link::{Link, Sample};
use super::common::metrics::Metrics;
use super::common::namespace::wait_for;
use super::kernel::{CLSACT, FRAMES, GENERIC, NATIVE, TCX, start};
use super::traffic::{Pair, send_frame};
use super::wire::{Pieces, Wire};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const PERMITTED: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const DENIED: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 200);
const HOST_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const PERMITTED_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
const POLICY: [&str; 4] = ["--policy.permitted", "10.1.0.0/24,fd00::/8", "--policy.denied", "10.1.0.128/25"];

/// Frames of one kind, and how they must count.
struct Kind {
    frame: Sample,
    link_bytes: u64,
    count: u64,
    is_permitted: bool,
    direction: &'static str,
    version: &'static str,
}

impl Kind {
    fn ip_bytes(&self) -> u64 {
        self.count * (u64::from(self.frame.wire_bytes) - self.link_bytes)
    }

    /// The verdict that the counters give it.
    fn verdict(&self) -> &'static str {
        if self.is_permitted { "permitted" } else { "not_permitted" }
    }
}

fn v4(link: (Link, u64), source: Ipv4Addr, count: u64, is_permitted: bool, direction: &'static str) -> Kind {
    let packet = Ipv4::carrying(udp(40_000, 9, &[0x55; 31])).between(source, HOST).build();
    Kind { frame: link.0.carrying(&packet), link_bytes: link.1, count, is_permitted, direction, version: "4" }
}

fn v6(link: (Link, u64), source: Ipv6Addr, count: u64, is_permitted: bool, direction: &'static str) -> Kind {
    let packet = Ipv6::carrying(tcp(40_000, 9, 2, &[0x55; 7])).between(source, HOST_6).build();
    Kind { frame: link.0.carrying(&packet), link_bytes: link.1, count, is_permitted, direction, version: "6" }
}

fn kinds() -> Vec<Kind> {
    let plain = || (Link::ethernet(), 14);
    let vlan = || (Link::ethernet().vlan(0x8100), 18);
    let qinq = || (Link::ethernet().vlan(0x88a8).vlan(0x8100), 22);
    vec![
        v4(plain(), PERMITTED, 101, true, "local"),
        v4(plain(), DENIED, 53, false, "local"),
        v4(plain(), ALICE, 71, false, "incoming"),
        v4(vlan(), PERMITTED, 31, true, "local"),
        v4(vlan(), ALICE, 37, false, "incoming"),
        v4(qinq(), PERMITTED, 23, true, "local"),
        v4(qinq(), ALICE, 29, false, "incoming"),
        v6(plain(), PERMITTED_6, 41, true, "local"),
        v6(plain(), ALICE_6, 43, false, "incoming"),
        v6(vlan(), PERMITTED_6, 11, true, "local"),
        v6(vlan(), ALICE_6, 13, false, "incoming"),
        v6(qinq(), PERMITTED_6, 17, true, "local"),
        v6(qinq(), BOB_6, 19, false, "incoming"),
    ]
}

/// Sums over the kinds by labels: packets and IP bytes.
fn sums<const N: usize>(
    kinds: &[Kind],
    labels: impl Fn(&Kind) -> [&'static str; N],
) -> BTreeMap<Vec<String>, (u64, u64)> {
    let mut sums = BTreeMap::new();
    for kind in kinds {
        let (packets, bytes): &mut (u64, u64) = sums.entry(labels(kind).map(str::to_owned).to_vec()).or_default();
        (*packets, *bytes) = (*packets + kind.count, *bytes + kind.ip_bytes());
    }
    sums
}

/// The same of a pair of families, without what is 0.
fn counted(metrics: &Metrics, family: &str, labels: &[&str]) -> BTreeMap<Vec<String>, (u64, u64)> {
    let of = |unit| metrics.labelled(&format!("trafficmonitor_{family}_{unit}_total"), labels);
    let bytes: BTreeMap<Vec<String>, f64> = of("bytes").into_iter().collect();
    let both = of("packets").into_iter().map(|(labels, packets)| {
        let bytes = bytes[&labels];
        (labels, (packets as u64, bytes as u64))
    });
    both.filter(|(_, sums)| *sums != (0, 0)).collect()
}

/// Frames that have come as far as the host's network stack, read so that none is lost.
fn reached_the_stack(capture: &mut pcap::Capture<pcap::Active>) -> u64 {
    std::iter::from_fn(|| capture.next_packet().ok().map(|_| ())).count() as u64
}

fn are_judged(mode: &[&str], drops: bool) {
    let pair = Pair::new();
    let more: &[&str] = if drops { &["--drop-packets"] } else { &[] };
    let Some(monitor) = start(&pair, &[mode, &POLICY, more].concat()) else { return };
    // Short packets: the buffer has space for all.
    let open = || pcap::Capture::from_device("eth0")?.immediate_mode(true).snaplen(100).open()?.setnonblock();
    let mut stack = pair.host.enter(open).unwrap();
    let kinds = kinds();
    kinds.iter().for_each(|kind| send_frame(&pair.other, "eth0", &kind.frame, kind.count));

    let sent: u64 = kinds.iter().map(|kind| kind.count).sum();
    let metrics = monitor.wait_for("all frames", |metrics| metrics.sum(FRAMES) >= sent);
    let name = format!("{mode:?}, drops: {drops}");
    assert_eq!(metrics.sum(FRAMES), sent, "{name}");
    assert_eq!(counted(&metrics, "policy", &["verdict"]), sums(&kinds, |kind| [kind.verdict()]), "{name}");
    let directions = counted(&metrics, "traffic", &["direction", "ip_version"]);
    assert_eq!(directions, sums(&kinds, |kind| [kind.direction, kind.version]), "{name}: dropped packets count");
    let not_permitted = || kinds.iter().filter(|kind| !kind.is_permitted);
    let denied: u64 = not_permitted().map(|kind| kind.count).sum();
    let denied_bytes: u64 = not_permitted().map(Kind::ip_bytes).sum();
    let dropped = ["packets", "bytes"].map(|unit| metrics.sum(&format!("trafficmonitor_policy_dropped_{unit}_total")));
    assert_eq!(dropped, if drops { [denied, denied_bytes] } else { [0, 0] }, "{name}");
    let events = metrics.sum("trafficmonitor_policy_event_packets_total");
    assert_eq!(events + metrics.sum("trafficmonitor_policy_events_suppressed_total"), denied, "{name}");
    let passed = sent - if drops { denied } else { 0 };
    let mut reached = 0;
    wait_for("the frames that pass", || {
        reached += reached_the_stack(&mut stack);
        (reached >= passed).then_some(())
    });
    let closing = monitor.stop().closing();
    assert_eq!((closing.captured, closing.dropped), (sent, 0), "{name}");
    assert_eq!(reached + reached_the_stack(&mut stack), passed, "{name}");
}

#[test]
fn tagged_and_ipv6_packets_are_judged_at_tc() {
    [TCX, CLSACT].into_iter().for_each(|mode| are_judged(mode, false));
}

#[test]
fn tagged_and_ipv6_packets_are_judged_and_dropped_at_xdp() {
    [NATIVE, GENERIC].into_iter().for_each(|mode| are_judged(mode, true));
}

// ---- More than the kernel's tables and rings take ------------------------------------------------------------------------

const SENDERS: u32 = 4;
/// Packets of each sender. Together they have more conversations than the map takes, and cause more events than the ring
/// takes between two readings.
const EACH: u32 = 30_000;
const CONVERSATIONS: &str = "1024";

/// Frames of a sender by turns: permitted, not permitted, not IP, malformed.
fn frames_of(sender: u32) -> Vec<Sample> {
    let from = |network: u32, number: u32| Ipv4Addr::from_bits((network << 24) + (sender << 20) + number);
    let packet = |source| Ipv4::carrying(udp(40_000, 9, &[0x55; 20])).between(source, HOST);
    let frame = |number: u32| match number % 4 {
        0 => Link::ethernet().carrying(&packet(from(10, number)).build()),
        1 => Link::ethernet().carrying(&packet(from(11, number)).build()),
        2 => Link::ethernet().carrying_ether_type(0x88b5, &[0; 46]),
        _ => Link::ethernet().carrying(&packet(from(10, number)).header_words(4).build()),
    };
    (0..EACH).map(frame).collect()
}

fn send_at_once(pair: &Pair) {
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            scope.spawn(move || {
                let frames = frames_of(sender);
                let wire = pair.other.enter(|| Wire::open("eth0")).unwrap();
                for batch in frames.chunks(200) {
                    let pieces: Vec<Pieces<'_>> = batch.iter().map(|frame| [&frame.bytes[..], &[]]).collect();
                    wire.send(&pieces).unwrap();
                }
            });
        }
    });
}

#[test]
fn overload_while_packets_are_dropped_conserves_every_packet() {
    const SENT: u64 = (SENDERS * EACH) as u64;
    for mode in [NATIVE, GENERIC] {
        let pair = Pair::new();
        let limits =
            ["--max-flows", CONVERSATIONS, "--max-series", "512", "--xdp.ring-size", "64KiB", "--metrics.flow_packets"];
        let policy = ["--policy.permitted", "10.0.0.0/8", "--drop-packets", "-promRefresh", "1"];
        let Some(monitor) = start(&pair, &[mode, &limits, &policy].concat()) else { continue };
        send_at_once(&pair);
        let metrics = monitor.wait_for("all frames", |metrics| metrics.sum(FRAMES) >= SENT);
        let sum = |name: &str| metrics.sum(&format!("trafficmonitor_{name}"));
        // A fourth of the frames is of each kind.
        let ip = sum("traffic_packets_total");
        assert_eq!((sum("interface_frames_total"), ip), (SENT, SENT / 2), "{mode:?}");
        let undecoded = |reason| metrics.value("trafficmonitor_undecoded_packets_total", &[("reason", reason)]);
        assert_eq!(sum("undecoded_packets_total"), SENT / 2, "{mode:?}");
        assert!(undecoded("malformed_ip") == Some(SENT / 4), "{mode:?}: {:?}", undecoded("malformed_ip"));
        let rows = ["flow_packets_total", "flow_pending_packets", "flow_retired_packets_total"];
        assert_eq!(rows.map(sum).into_iter().sum::<u64>(), ip, "{mode:?}: flows, with overflow in the row of others");
        assert!(sum("overflow_packets_total") > 0, "{mode:?}: the map was never full");
        assert_eq!([sum("policy_dropped_packets_total"), sum("policy_dropped_bytes_total")], [SENT / 4, SENT / 4 * 48]);
        let verdicts = counted(&metrics, "policy", &["verdict"]);
        assert_eq!(
            verdicts.values().map(|(packets, _)| *packets).collect::<Vec<_>>(),
            [SENT / 4, SENT / 4],
            "{mode:?}"
        );
        // Events that the ring did not take are suppressed ones. Each source sends one packet, so no event had too many.
        let suppressed = sum("policy_events_suppressed_total");
        assert_eq!(sum("policy_event_packets_total") + suppressed, SENT / 4, "{mode:?}");
        assert!(suppressed > 0, "{mode:?}: the ring was never full");
        assert_eq!(sum("kernel_events_lost_total"), suppressed, "{mode:?}");
        let closing = monitor.stop().closing();
        assert_eq!((closing.captured, closing.dropped), (SENT, 0), "{mode:?}");
    }
}
