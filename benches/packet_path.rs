//! Criterion benchmarks of the packet path: decode, and decode with counting in an interval.
//!
//! `cargo bench --bench packet_path`. Both work through the first frames of the benchmark trace, in memory.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

#[path = "support/trace.rs"]
#[allow(dead_code)]
mod trace;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use trafficmonitor::account::interval::Interval;
use trafficmonitor::account::ledger::Ledger;
use trafficmonitor::decode::Decoder;
use trafficmonitor::locality::Classifier;
use trafficmonitor::packet::{Frame, LinkType, Timestamp};
use trafficmonitor::pipeline::capture_loop::count_frame;

/// A tenth of the trace: more than the caches hold, little enough to be read into memory.
const SAMPLE: trace::Trace = trace::Trace { packets: 200_000, ..trace::Trace::CUT };
const SEED: u64 = 1;

/// A frame as the benchmarks keep it: time in nanoseconds, captured bytes, length on the wire.
type Kept = (i64, Vec<u8>, u32);

fn frames() -> Vec<Kept> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sample.pcap");
    trace::write(&SAMPLE, &path).expect("the trace is written");
    let mut capture = pcap::Capture::from_file(path).expect("a capture");
    let mut frames = Vec::with_capacity(SAMPLE.packets as usize);
    let read = capture.for_each(None, |packet| {
        let time = packet.header.ts.tv_sec * 1_000_000_000 + packet.header.ts.tv_usec * 1_000;
        frames.push((time, packet.data.to_vec(), packet.header.len));
    });
    read.expect("frames");
    frames
}

fn frame((time, captured, wire_bytes): &Kept) -> Frame<'_> {
    Frame::new(Timestamp::from_nanoseconds(*time), captured, *wire_bytes)
}

fn packet_path(criterion: &mut Criterion) {
    let frames = frames();
    let decoder = Decoder::new(LinkType(1)).expect("Ethernet is read");
    let mut group = criterion.benchmark_group("packet_path");
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| frames.iter().filter(|kept| black_box(decoder.decode(&frame(kept))).is_ok()).count());
    });
    group.bench_function("decode and observe", |bencher| {
        let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
        bencher.iter(|| {
            for kept in &frames {
                count_frame(&decoder, None, &frame(kept), &mut interval);
                if interval.is_nearly_full() {
                    interval.reset();
                }
            }
        });
    });
    for flows in [1_000, 65_536] {
        group.bench_function(BenchmarkId::new("decode, observe and merge", flows), |bencher| {
            let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
            let config = trafficmonitor::account::Config { max_flows: flows, ..Default::default() };
            let mut ledger = Ledger::new(&config, SEED);
            let interface = ledger.interface("bench");
            bencher.iter(|| {
                for kept in &frames {
                    count_frame(&decoder, None, &frame(kept), &mut interval);
                    if interval.is_nearly_full() {
                        interval.settle();
                        ledger.merge(interface, &interval);
                        interval.reset();
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, packet_path);
criterion_main!(benches);
