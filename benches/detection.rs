//! The cost of a row for each detector: nanoseconds a row and a packet, on the benchmark traces, and the memory at
//! the end.
//!
//! `cargo bench --bench detection`; words behind `--` select traces and detectors whose names contain all of them.
//! The rows are those of real intervals, of a second of packet time or nearly full. Each figure is CPU time, the
//! least of several runs, less the time to read the rows.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

#[path = "support/trace.rs"]
#[allow(dead_code)]
mod trace;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use trafficmonitor::account::InterfaceId;
use trafficmonitor::account::conversation::{Address, Way, request_way};
use trafficmonitor::account::interval::{Interval, Row};
use trafficmonitor::account::ledger::Ledger;
use trafficmonitor::account::observer::{BatchMemory, MergedRow, RowBatch, RowObserver};
use trafficmonitor::decode::Decoder;
use trafficmonitor::detect::Notes;
use trafficmonitor::detect::anomaly::{self, Pair, Pairs};
use trafficmonitor::detect::bandwidth::{Bandwidth, BandwidthDirection, Config, NetworkLimit};
use trafficmonitor::detect::scan::{self, Scan};
use trafficmonitor::locality::Classifier;
use trafficmonitor::packet::{Frame, LinkType, Timestamp};
use trafficmonitor::pipeline::capture_loop::count_frame;

const SEED: u64 = 1;
const RUNS: usize = 5;
/// Passes in a run: the kernel counts CPU time in ticks of some milliseconds.
const PASSES: u32 = 5;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// An interval with the ledger's notes on its rows, and the time up to which its packets go.
struct Counted {
    interval: Interval,
    v4: Vec<Known>,
    v6: Vec<Known>,
    watermark: Timestamp,
}

/// The state of a conversation.
#[derive(Clone, Copy)]
struct Known {
    is_known: bool,
    request_way: Way,
    seen: [bool; 2],
    /// Number of the conversation.
    number: usize,
}

/// A conversation: its two endpoints and the protocol.
type Conversation = ([(IpAddr, u16); 2], u8);

/// All conversations so far.
#[derive(Default)]
struct Memory(HashMap<Conversation, Known>);

impl Memory {
    fn of<A: Address>(&mut self, row: &Row<A>) -> Known {
        let (low, high) = row.key.endpoints(Way::Forward);
        let endpoints = [low, high].map(|endpoint| (endpoint.address.into(), endpoint.port));
        let key = (endpoints, row.key.protocol().0);
        let first_flags = row.ways[row.opener() as usize].first_flags();
        let (request_way, number) = (request_way(&row.key, row.opener(), first_flags), self.0.len());
        let new = || Known { is_known: false, request_way, seen: [false; 2], number };
        let known = self.0.entry(key).or_insert_with(new);
        known.seen = Way::BOTH.map(|way| known.seen[way as usize] || row.ways[way as usize].packets > 0);
        Known { is_known: std::mem::replace(&mut known.is_known, true), ..*known }
    }
}

fn intervals(trace: &trace::Trace, name: &str) -> Vec<Counted> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    trace::write(trace, &path).expect("the trace is written");
    let mut capture = pcap::Capture::from_file(path).expect("a capture");
    let decoder = Decoder::new(LinkType(1)).expect("Ethernet is read");
    let empty = || Interval::new(Arc::new(Classifier::default()), SEED);
    let mut memory = Memory::default();
    let mut finish = |mut interval: Interval, watermark: Timestamp| {
        interval.settle();
        let v4 = interval.rows_v4().iter().map(|row| memory.of(row)).collect();
        let v6 = interval.rows_v6().iter().map(|row| memory.of(row)).collect();
        Counted { interval, v4, v6, watermark }
    };
    let (mut done, mut interval, mut last) = (Vec::new(), empty(), Timestamp::default());
    let read = capture.for_each(None, |packet| {
        let time = Timestamp::from_seconds_and_nanoseconds(packet.header.ts.tv_sec, packet.header.ts.tv_usec * 1_000);
        if time.seconds() != last.seconds() || interval.is_nearly_full() {
            done.push(finish(std::mem::replace(&mut interval, empty()), time));
        }
        last = time;
        count_frame(&decoder, None, &Frame::new(time, packet.data, packet.header.len), &mut interval);
    });
    read.expect("frames");
    done.push(finish(interval, Timestamp::from_nanoseconds(last.nanoseconds() + NANOSECONDS_PER_SECOND)));
    done
}

fn see_rows<W: RowObserver<Notes = Notes>, A: Address>(
    observer: &mut W,
    interface: InterfaceId,
    rows: &[Row<A>],
    known: &[Known],
    kept: &mut [Notes],
) {
    let most = RowBatch::<A, Notes>::MOST;
    let mut batch = RowBatch::new(BatchMemory::default());
    for (rows, known) in rows.chunks(most).zip(known.chunks(most)) {
        for (row, Known { is_known, request_way, seen, number }) in rows.iter().zip(known.iter().copied()) {
            let remembered_at = number as u32;
            batch.add(MergedRow { row, interface, is_known, request_way, seen, remembered_at }, kept[number]);
        }
        observer.observe(&mut batch);
        let (merged, notes) = batch.merged();
        merged.iter().zip(notes).for_each(|(merged, notes)| kept[merged.remembered_at as usize] = *notes);
        batch.clear();
    }
}

/// Adds up what it sees.
struct Sum(u64);

impl RowObserver for Sum {
    type Notes = Notes;

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        self.0 += rows.directed().0.iter().map(|directed| directed.bytes).sum::<u64>();
    }
}

/// Makes observers of detectors, each by itself.
macro_rules! observer {
    ($name:ident, $detector:ty) => {
        struct $name($detector);

        impl RowObserver for $name {
            type Notes = Notes;

            fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
                self.0.observe(rows);
            }
        }
    };
}

observer!(BandwidthAlone, Bandwidth);
observer!(ScanAlone, Scan);

/// The CPU time that this thread took so far.
fn cpu_time() -> Duration {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts CPU time");
    let nanoseconds = figures.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("nanoseconds"))
}

/// Shows all rows to a new observer, several times, and lets `judge` do the work after each interval; gives the time
/// of one pass, and the last observer.
fn run<W: RowObserver<Notes = Notes>>(
    intervals: &[Counted],
    new: impl Fn() -> W,
    mut judge: impl FnMut(&mut W, Timestamp),
) -> (Duration, W) {
    let interface = Ledger::<()>::new(&trafficmonitor::account::Config::default(), SEED).interface("bench");
    let numbers = intervals.iter().flat_map(|counted| counted.v4.iter().chain(&counted.v6).map(|known| known.number));
    let conversations = numbers.max().map_or(0, |last| last + 1);
    let mut observer = new();
    let start = cpu_time();
    for _ in 0..PASSES {
        observer = new();
        let mut kept = vec![Notes::default(); conversations];
        for Counted { interval, v4, v6, watermark } in intervals {
            see_rows(&mut observer, interface, interval.rows_v4(), v4, &mut kept);
            see_rows(&mut observer, interface, interval.rows_v6(), v6, &mut kept);
            judge(std::hint::black_box(&mut observer), *watermark);
        }
    }
    ((cpu_time() - start) / PASSES, observer)
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
        ("with pairs, both directions", Config { direction: BandwidthDirection::Both, ..default.clone() }),
        ("with pairs, 100 networks", Config { networks: (0..100).map(network).collect(), ..default }),
    ]
}

/// The pairs of the anomalies' rule, without their evaluation.
struct Observed {
    pairs: Pairs,
    interval: i64,
}

impl Observed {
    fn new() -> Self {
        Self { pairs: Pairs::new(anomaly::Config::default()), interval: 0 }
    }
}

impl RowObserver for Observed {
    type Notes = Notes;

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, Notes>) {
        let (directed, notes) = rows.directed();
        for directed in directed {
            let pair = Pair { source: directed.source.into(), destination: directed.destination.into() };
            let hint = &mut notes[directed.row as usize].hints[directed.way as usize].pair;
            self.pairs.observe(hint, pair, directed.bytes, self.interval, &mut |_| {});
        }
    }
}

/// The baseline for a trace.
struct Floor<'a> {
    trace: &'a str,
    intervals: &'a [Counted],
    took: Duration,
    rows: f64,
    packets: f64,
}

impl Floor<'_> {
    /// Measures one detector and prints the result.
    fn measure<W: RowObserver<Notes = Notes>>(
        &self,
        what: &str,
        new: impl Fn() -> W,
        mut judge: impl FnMut(&mut W, Timestamp),
        memory: impl Fn(&W) -> usize,
    ) {
        let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
        if !wanted.iter().all(|word| word == self.trace || what.contains(word)) {
            return;
        }
        let mut runs: Vec<_> = (0..RUNS).map(|_| run(self.intervals, &new, &mut judge)).collect();
        runs.sort_by_key(|(took, _)| *took);
        let took = runs[0].0.saturating_sub(self.took).as_nanos() as f64;
        let (a_row, a_packet) = (took / self.rows, took / self.packets);
        println!("  {what}: {a_row:.1} ns a row, {a_packet:.1} ns a packet; {} KiB", memory(&runs[0].1) >> 10);
    }
}

fn main() {
    let traces = [("mix", trace::Trace::CUT), ("spoof", trace::Trace::SPOOF), ("scan", trace::Trace::SCAN)];
    for (name, trace) in traces {
        let intervals = intervals(&trace, name);
        let rows: usize = intervals.iter().map(|counted| counted.v4.len() + counted.v6.len()).sum();
        let took = (0..RUNS).map(|_| run(&intervals, || Sum(0), |_, _| {}).0).min().unwrap_or_default();
        let floor =
            Floor { trace: name, intervals: &intervals, took, rows: rows as f64, packets: f64::from(trace.packets) };
        let look = took.as_nanos() as f64 / floor.rows;
        println!(
            "{name}: {} packets, {rows} rows, {} intervals; {look:.1} ns a row to look at",
            trace.packets,
            intervals.len()
        );
        for (what, config) in configs() {
            let judge = |bandwidth: &mut BandwidthAlone, time| drop(std::hint::black_box(bandwidth.0.advance(time)));
            floor.measure(
                &format!("bandwidth, {what}"),
                || BandwidthAlone(Bandwidth::new(&config, SEED)),
                judge,
                |bandwidth| bandwidth.0.memory_bytes(),
            );
        }
        for (what, rule) in [("evidence", scan::Rule::Evidence), ("contacts", scan::Rule::Contacts)] {
            let config = scan::Config { rule, ..scan::Config::default() };
            let judge = |scan: &mut ScanAlone, time| drop(std::hint::black_box(scan.0.advance(time)));
            floor.measure(
                &format!("scan, {what}"),
                || ScanAlone(Scan::new(&config, SEED)),
                judge,
                |scan| scan.0.memory_bytes(),
            );
        }
        let judge = |observed: &mut Observed, time: Timestamp| observed.interval = time.seconds() / 5;
        floor.measure("anomalies, pairs alone", Observed::new, judge, |observed| observed.pairs.memory_bytes());
    }
}
