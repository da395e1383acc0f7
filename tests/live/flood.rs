//! A million invented sources on the wire: nothing is lost from the totals, and memory stays within its budgets.

use super::common::exposition::parse;
use super::common::metrics::Metrics;
use super::common::monitor::Monitor;
use super::common::namespace::Namespace;
use super::common::spoof;
use super::trace::{self, Trace};
use super::traffic::Pair;
use super::wire::{Pieces, Wire};

/// Resident at most besides the kernel's rings, in KiB.
const RESIDENT_KIBIBYTES: u64 = 64 << 10;
/// Sent before what was sent is waited for: the kernel's ring holds more, so that none is dropped however slow the
/// machine is.
const AT_ONCE: usize = 100_000;
/// A system call's; the kernel's queue of a core holds a thousand.
const BATCH: usize = 200;

/// The KiB that lines which begin with `name` give, all added up.
fn kibibytes(text: &str, name: &str) -> u64 {
    let values =
        text.lines().filter_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
    values.sum()
}

/// The resident part of the rings that the process shares with the kernel: mapped sockets in `smaps`.
fn rings(smaps: &str) -> u64 {
    let is_head = |line: &str| line.split(' ').next().is_some_and(|range| range.contains('-'));
    let mut is_ring = false;
    let mut of_rings = String::new();
    for line in smaps.lines() {
        if is_head(line) {
            is_ring = line.contains("socket:[");
        } else if is_ring {
            of_rings.push_str(line);
            of_rings.push('\n');
        }
    }
    kibibytes(&of_rings, "Rss:")
}

/// The most that was resident so far, besides the rings, which are resident as a whole from the start.
fn resident_besides_rings(monitor: &Monitor<'_>) -> u64 {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", monitor.pid())).unwrap();
    let rings = rings(&read("smaps"));
    assert!(rings > 0, "no ring is mapped");
    kibibytes(&read("status"), "VmHWM:").checked_sub(rings).unwrap()
}

fn send_all(frames: &[Vec<u8>], other: &Namespace, monitor: &Monitor<'_>) {
    let wire = other.enter(|| Wire::open("eth0")).unwrap();
    let mut sent = 0;
    for part in frames.chunks(AT_ONCE) {
        for batch in part.chunks(BATCH) {
            let pieces: Vec<Pieces<'_>> = batch.iter().map(|frame| [frame.as_slice(), &[]]).collect();
            wire.send(&pieces).unwrap();
        }
        sent += part.len() as u64;
        let counted = |metrics: &Metrics| metrics.sum("trafficmonitor_traffic_packets_total");
        monitor.wait_for(&format!("{sent} packets"), |metrics| counted(metrics) == sent);
    }
}

#[test]
fn a_million_sources_are_counted_within_the_budgets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spoof.pcap");
    trace::write(&Trace::SPOOF, &file).unwrap();
    let mut savefile = pcap::Capture::from_file(&file).unwrap();
    let mut frames = Vec::new();
    while let Ok(packet) = savefile.next_packet() {
        frames.push(packet.data.to_vec());
    }
    let pair = Pair::new();
    let monitor = Monitor::start(&pair.host, &["-iface", "eth0", "--metrics.seed=false", "-promRefresh", "1"]);
    send_all(&frames, &pair.other, &monitor);
    spoof::expect_all_counted(&parse(&monitor.ask("GET", "/metrics").unwrap().body));
    let kibibytes = resident_besides_rings(&monitor);
    println!("{kibibytes} KiB resident at most, besides the rings");
    assert!(kibibytes <= RESIDENT_KIBIBYTES, "{kibibytes} KiB besides the rings");
    let closing = monitor.stop().closing();
    assert_eq!((closing.captured, closing.received, closing.dropped), (spoof::PACKETS, spoof::PACKETS, 0));
}
