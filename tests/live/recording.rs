//! The price of keeping packets: two exporters get the same frames at the same time, and one of them keeps the packets,
//! logs them, and writes those of alerts to files. What disturbs one thread disturbs the other.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::common::ip::{Ipv4, udp};
use super::common::link::Link;
use super::common::metrics::Metrics;
use super::common::monitor::Monitor;
use super::tasks::{Times, difference, times};
use super::traffic::Pair;
use super::wire::{Pieces, Wire};

/// Packets a second for each exporter.
const RATE: u64 = 10_000;
const LASTS: Duration = Duration::from_secs(8);
const AT_ONCE: usize = 50;
/// The largest part of its CPU time without recording that recording may add to a capture thread of an unoptimised
/// program, which measures 1.0. Optimised, 0.25 is the limit (`scripts/instructions.sh`, `cargo bench --bench live`).
const MOST_MORE: f64 = 2.0;
const FRAMES: &str = "trafficmonitor_interface_frames_total";
const WRITTEN: &str = "trafficmonitor_evidence_packets_written_total";
const LOGGED: &str = "trafficmonitor_packet_log_packets_total";

/// Full frames of some sources, each of which is above the limit.
fn frames() -> Vec<Vec<u8>> {
    let frame = |number: usize| {
        let payload = vec![0x55; [18, 1_400, 500, 60, 1_400][number % 5]];
        let packet = Ipv4::carrying(udp(40_000, 9, &payload));
        let source = Ipv4Addr::new(10, 8, 0, (number % 10) as u8);
        Link::ethernet().carrying(&packet.between(source, Ipv4Addr::new(10, 1, 0, 1)).build()).bytes
    };
    (0..AT_ONCE).map(frame).collect()
}

/// Sends the same frames to all hosts, in turn, until `is_over`; gives their number for each.
fn send(pairs: &[Pair; 2], mut is_over: impl FnMut() -> bool) -> u64 {
    let wires = pairs.each_ref().map(|pair| pair.other.enter(|| Wire::open("eth0")).unwrap());
    let frames = frames();
    let pieces: Vec<Pieces<'_>> = frames.iter().map(|frame| [frame.as_slice(), &[]]).collect();
    let (start, mut sent) = (Instant::now(), 0);
    while !is_over() {
        let due = start.elapsed().as_micros() as u64 * RATE / 1_000_000;
        while sent + AT_ONCE as u64 <= due {
            wires.iter().for_each(|wire| wire.send(&pieces).unwrap());
            sent += AT_ONCE as u64;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}

fn capture_seconds(spent: &Times) -> f64 {
    let seconds = spent.iter().filter(|(name, _)| name.starts_with("capture")).map(|(_, seconds)| seconds).sum();
    assert!(seconds > 0.0, "a capture thread: {spent:?}");
    seconds
}

fn expect_all_counted(monitor: &Monitor<'_>, sent: u64) -> Metrics {
    let metrics = monitor.wait_for(&format!("{sent} frames"), |metrics| metrics.sum(FRAMES) >= sent);
    assert_eq!((metrics.sum(FRAMES), metrics.sum("trafficmonitor_capture_packets_dropped_total")), (sent, 0));
    metrics
}

#[test]
fn recording_costs_no_frame_and_little_time_of_the_capture_thread() {
    let pairs = [Pair::new(), Pair::new()];
    let folder = TempDir::new().unwrap();
    let paths = ["archive", "log"].map(|name| folder.path().join(name));
    paths.iter().for_each(|path| std::fs::create_dir(path).unwrap());
    let [archive, log] = paths.each_ref().map(|path| path.to_str().unwrap());
    let counting = ["-iface", "eth0", "-ByteLimit", "10"];
    let recording = [&counting[..], &["-archive_dir", archive, "-log_packets", "-l", log]].concat();
    let monitors = [Monitor::start(&pairs[0].host, &counting), Monitor::start(&pairs[1].host, &recording)];

    let spent = || monitors.each_ref().map(|monitor| times(monitor.pid()));
    let mut before = None;
    let mut is_over = || {
        let (start, _) = before.get_or_insert_with(|| (Instant::now(), spent()));
        start.elapsed() >= LASTS
    };
    let sent = send(&pairs, &mut is_over);
    let after = spent();
    let (_, before) = before.unwrap();
    let [alone, with] = [0, 1].map(|index| capture_seconds(&difference(&after[index], &before[index])));
    let more = with / alone - 1.0;
    println!("{sent} packets each: capture takes {alone:.3} s, with recording {with:.3} s ({:+.1} %)", more * 100.0);

    expect_all_counted(&monitors[0], sent);
    expect_all_counted(&monitors[1], sent);
    let is_written = |metrics: &Metrics| metrics.sum(WRITTEN) == sent && metrics.sum(LOGGED) == sent;
    monitors[1].wait_for("all packets are written and logged", is_written);
    assert!(more <= MOST_MORE, "recording adds {:.1} %", more * 100.0);
    monitors.into_iter().for_each(|monitor| drop(monitor.stop()));
}
