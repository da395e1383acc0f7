//! What a row costs the bandwidth rule: nanoseconds a row and a packet, on the benchmark traces, and the memory that is
//! taken at the end.
//!
//! `cargo bench --bench bandwidth`. The rows are those of real intervals, of a second of packet time or nearly full. Each
//! figure is CPU time, the least of several runs, less what it takes to look at the rows at all.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

#[path = "support/trace.rs"]
#[allow(dead_code)]
mod trace;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use trafficmonitor::account::conversation::Address;
use trafficmonitor::account::interval::{Interval, Row};
use trafficmonitor::account::ledger::{InterfaceId, Ledger};
use trafficmonitor::account::sighting::{Sighting, Watch};
use trafficmonitor::decode::Decoder;
use trafficmonitor::detect::bandwidth::{Bandwidth, Config, Direction, NetworkLimit};
use trafficmonitor::locality::Classifier;
use trafficmonitor::packet::{Frame, LinkType, Timestamp};
use trafficmonitor::pipeline::capture_loop::count_frame;

const SEED: u64 = 1;
const RUNS: usize = 5;
/// Passes in a run: the kernel counts CPU time in ticks of some milliseconds.
const PASSES: u32 = 5;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// Intervals, each with the time up to which its packets go.
fn intervals(trace: &trace::Trace, name: &str) -> Vec<(Interval, Timestamp)> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    trace::write(trace, &path).expect("the trace is written");
    let mut capture = pcap::Capture::from_file(path).expect("a capture");
    let decoder = Decoder::new(LinkType(1)).expect("Ethernet is read");
    let empty = || Interval::new(Arc::new(Classifier::default()), SEED);
    let (mut done, mut interval, mut last) = (Vec::new(), empty(), Timestamp::default());
    let read = capture.for_each(None, |packet| {
        let time = Timestamp::from_seconds_and_nanoseconds(packet.header.ts.tv_sec, packet.header.ts.tv_usec * 1_000);
        if time.seconds() != last.seconds() || interval.is_nearly_full() {
            interval.settle();
            done.push((std::mem::replace(&mut interval, empty()), time));
        }
        last = time;
        count_frame(&decoder, None, &Frame::new(time, packet.data, packet.header.len), &mut interval);
    });
    read.expect("frames");
    interval.settle();
    done.push((interval, Timestamp::from_nanoseconds(last.nanoseconds() + NANOSECONDS_PER_SECOND)));
    done
}

fn see_rows<W: Watch, A: Address>(watch: &mut W, interface: InterfaceId, rows: &[Row<A>]) {
    for row in rows {
        watch.see(&Sighting { row, interface, is_known: false, request_way: row.opener, seen: [true; 2] });
    }
}

/// Adds up what it sees.
struct Sum(u64);

impl Watch for Sum {
    fn see<A: Address>(&mut self, sighting: &Sighting<'_, A>) {
        self.0 += sighting.row.ways[0].bytes + sighting.row.ways[1].bytes;
    }
}

/// The CPU time that this thread took so far.
fn cpu_time() -> Duration {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts CPU time");
    let nanoseconds = figures.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("nanoseconds"))
}

/// Shows all rows to a new watch, several times, and lets `judge` do what follows each interval; how long one pass took,
/// and the last watch.
fn run<W: Watch>(
    intervals: &[(Interval, Timestamp)],
    new: impl Fn() -> W,
    mut judge: impl FnMut(&mut W, Timestamp),
) -> (Duration, W) {
    let interface = Ledger::new(&trafficmonitor::account::Config::default(), SEED).interface("bench");
    let mut watch = new();
    let start = cpu_time();
    for _ in 0..PASSES {
        watch = new();
        for (interval, watermark) in intervals {
            see_rows(&mut watch, interface, interval.rows_v4());
            see_rows(&mut watch, interface, interval.rows_v6());
            judge(std::hint::black_box(&mut watch), *watermark);
        }
    }
    ((cpu_time() - start) / PASSES, watch)
}

fn configs() -> [(&'static str, Config); 4] {
    let network = |bits: u8| NetworkLimit {
        network: ipnet::IpNet::new([10, bits, 0, 0].into(), 16).expect("a network"),
        limit_bytes: 1_000_000_000,
        interval: None,
        rule: None,
        total: false,
    };
    let default = Config::default();
    [
        ("sources alone", Config { no_destinations: true, ..default.clone() }),
        ("with the chart's pairs", default.clone()),
        ("with pairs, both directions", Config { direction: Direction::Both, ..default.clone() }),
        ("with pairs, 100 networks", Config { networks: (0..100).map(network).collect(), ..default }),
    ]
}

fn main() {
    let traces = [("mix", trace::Trace::CUT), ("spoof", trace::Trace::SPOOF), ("scan", trace::Trace::SCAN)];
    for (name, trace) in traces {
        let intervals = intervals(&trace, name);
        let rows: usize =
            intervals.iter().map(|(interval, _)| interval.rows_v4().len() + interval.rows_v6().len()).sum();
        let floor = (0..RUNS).map(|_| run(&intervals, || Sum(0), |_, _| {}).0).min().unwrap_or_default();
        let per = |took: Duration, count: f64| took.as_nanos() as f64 / count;
        let (rows, packets) = (rows as f64, f64::from(trace.packets));
        println!(
            "{name}: {packets} packets, {rows} rows, {} intervals; {:.1} ns a row to look at",
            intervals.len(),
            per(floor, rows)
        );
        for (what, config) in configs() {
            let judge = |bandwidth: &mut Bandwidth, time| drop(std::hint::black_box(bandwidth.advance(time)));
            let new = || Bandwidth::new(&config, SEED);
            let mut runs: Vec<_> = (0..RUNS).map(|_| run(&intervals, new, judge)).collect();
            runs.sort_by_key(|(took, _)| *took);
            let (took, bandwidth) = (runs[0].0.saturating_sub(floor), &runs[0].1);
            let kibibytes = bandwidth.memory_bytes() >> 10;
            let (a_row, a_packet) = (per(took, rows), per(took, packets));
            println!("  {what}: {a_row:.1} ns a row, {a_packet:.1} ns a packet; {kibibytes} KiB");
        }
    }
}
