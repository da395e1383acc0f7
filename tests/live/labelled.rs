//! The labelled traffic of the detection tests on real interfaces, read by libpcap and by the kernel path at the same
//! time. Time passes faster than in the tests of files, so slow scans are fast ones here: libpcap's findings are the
//! measure, and the labels are for those that must be found at any speed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::common;
use super::common::monitor::Monitor;
use super::kernel::{FRAMES, TCX, start};
use super::scanners::firing;
use super::traffic::Pair;
use super::wire::{Pieces, Wire};

#[allow(dead_code)]
#[path = "../detection/benign.rs"]
mod benign;
#[allow(dead_code, clippy::print_stdout)]
#[path = "../detection/dice.rs"]
mod dice;
#[allow(dead_code)]
#[path = "../detection/host.rs"]
mod host;
#[allow(dead_code)]
#[path = "../detection/labels.rs"]
mod labels;
#[allow(dead_code)]
#[path = "../detection/local.rs"]
mod local;
#[allow(dead_code)]
#[path = "../detection/scanners.rs"]
mod scanners;
#[allow(dead_code)]
#[path = "../detection/traffic.rs"]
mod traffic;

use dice::Dice;
use labels::Corpus;
use traffic::Time;

const DROPPED: &str = "trafficmonitor_capture_packets_dropped_total";
const LOST: &str = "trafficmonitor_kernel_messages_lost_total";
/// Traffic of so many seconds passes in one.
const FASTER: i64 = 200;
/// Longest time from the last packet to a verdict, with a margin: ten seconds until an answered contact counts as touched.
const DECIDED_WITHIN: Duration = Duration::from_secs(12);
/// Least share of the labelled scans that libpcap must find, or the traffic would show nothing.
const RECALL: f64 = 0.95;

/// A frame at its moment, with all bytes that it has on the wire.
fn frames(corpus: &Corpus) -> Vec<(Time, Vec<u8>)> {
    let first = corpus.traffic.frames[0].0;
    let whole = |(time, sample): &(Time, common::link::Sample)| {
        let mut bytes = sample.bytes.clone();
        bytes.resize(sample.wire_bytes.clamp(sample.bytes.len() as u32, 1_514) as usize, 0);
        ((time - first) / FASTER, bytes)
    };
    corpus.traffic.frames.iter().map(whole).collect()
}

/// Sends each frame at its moment, to both hosts.
fn send(pairs: &[Pair; 2], frames: &[(Time, Vec<u8>)]) {
    let wires = pairs.each_ref().map(|pair| pair.other.enter(|| Wire::open("eth0")).unwrap());
    let (start, mut rest) = (Instant::now(), frames);
    while !rest.is_empty() {
        let now = i64::try_from(start.elapsed().as_nanos()).unwrap();
        let due = rest.iter().take(100).take_while(|(time, _)| *time <= now).count();
        let (batch, later) = rest.split_at(due);
        let pieces: Vec<Pieces<'_>> = batch.iter().map(|(_, bytes)| [bytes.as_slice(), &[]]).collect();
        wires.iter().for_each(|wire| wire.send(&pieces).unwrap());
        rest = later;
        if due == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

type Found = BTreeSet<(IpAddr, String)>;

/// The scans that both have found once nothing is undecided any more.
fn found(monitors: [&Monitor<'_>; 2], sent: u64) -> [Found; 2] {
    for monitor in monitors {
        let metrics = monitor.wait_for("all frames", |metrics| metrics.sum(FRAMES) >= sent);
        assert_eq!((metrics.sum(FRAMES), metrics.sum(DROPPED), metrics.sum(LOST)), (sent, 0, 0));
    }
    let end = Instant::now();
    let is_scan = |found: &(IpAddr, String)| found.1.ends_with("_scan");
    common::namespace::wait_for("verdicts", || (end.elapsed() > DECIDED_WITHIN).then_some(()));
    monitors.map(|monitor| firing(monitor).into_iter().filter(is_scan).collect())
}

#[test]
fn labelled_scans_are_found_at_tc_as_by_libpcap() {
    let seed = Dice::seed();
    let corpus = Corpus::new(seed, 1);
    let frames = frames(&corpus);
    let pairs = [Pair::new(), Pair::new()];
    let Some(kernel) = start(&pairs[0], TCX) else { return };
    let libpcap = Monitor::start(&pairs[1].host, &["-iface", "eth0"]);
    send(&pairs, &frames);
    let [at_tc, by_libpcap] = found([&kernel, &libpcap], frames.len() as u64);
    let labels = corpus.sources.iter().filter(|source| source.is_pooled);
    let labelled: Found = labels
        .flat_map(|source| source.kinds.iter().map(|kind| (source.host.address, kind.word().to_owned())))
        .collect();
    let of_labels = by_libpcap.intersection(&labelled).count();
    let class = |found: &(IpAddr, String)| {
        let source = corpus.sources.iter().find(|source| source.host.address == found.0);
        format!("{} {}: {}", found.0, found.1, source.map_or("a target", |source| source.class))
    };
    let differing: Vec<String> = at_tc.symmetric_difference(&by_libpcap).map(class).collect();
    println!(
        "{} frames, {} scans by libpcap, {of_labels} of {} labelled, differing: {differing:#?}",
        frames.len(),
        by_libpcap.len(),
        labelled.len()
    );
    assert!(of_labels as f64 >= RECALL * labelled.len() as f64, "{of_labels} of {}", labelled.len());
    assert!(differing.is_empty(), "found by one alone: {differing:#?}");
}
