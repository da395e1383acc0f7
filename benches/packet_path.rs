//! Criterion benchmarks of the packet path: decode, decode with counting in an interval, and the same with packets kept.
//!
//! `cargo bench --bench packet_path`. Both work through the first frames of the benchmark trace, in memory.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

#[path = "support/trace.rs"]
#[allow(dead_code)]
mod trace;

#[path = "support/frames.rs"]
mod frames;
#[path = "support/recorder.rs"]
mod recorder;

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipnet::{IpNet, Ipv4Net};
use trafficmonitor::account::interval::Interval;
use trafficmonitor::account::ledger::Ledger;
use trafficmonitor::decode::Decoder;
use trafficmonitor::locality::Classifier;
use trafficmonitor::packet::LinkType;
use trafficmonitor::pipeline::capture_loop::{count_frame, record_frame};
use trafficmonitor::policy::Networks;

/// A tenth of the trace: more than the caches hold, little enough to be read into memory.
const SAMPLE: trace::Trace = trace::Trace { packets: 200_000, ..trace::Trace::CUT };
const SEED: u64 = 1;

/// Policies without and with `count` networks. The more specific ones lie in the networks of the trace, so that no
/// first octet decides alone.
fn networks(count: u32) -> Option<Arc<Networks>> {
    let network = |number: u32| {
        let block = if number.is_multiple_of(2) { 10 << 24 } else { 198 << 24 };
        IpNet::from(Ipv4Net::new_assert(Ipv4Addr::from_bits(block + (number << 9)), 24))
    };
    let permitted: Vec<IpNet> = (0..count).map(network).collect();
    (count > 0).then(|| Arc::new(Networks::new(&permitted, &[])))
}

fn packet_path(criterion: &mut Criterion) {
    let frames = frames::load(&SAMPLE, "sample.pcap");
    let decoder = Decoder::new(LinkType(1)).expect("Ethernet is read");
    let mut group = criterion.benchmark_group("packet_path");
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| frames.iter().filter(|kept| black_box(decoder.decode(&kept.frame())).is_ok()).count());
    });
    group.bench_function("decode and observe", |bencher| {
        let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
        bencher.iter(|| {
            for kept in &frames {
                count_frame(&decoder, None, &kept.frame(), &mut interval);
                if interval.is_nearly_full() {
                    interval.reset();
                }
            }
        });
    });
    group.bench_function("decode, observe and record", |bencher| {
        let evidence = recorder::start();
        let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
        let mut recorder = recorder::recorder(&evidence);
        bencher.iter(|| {
            for kept in &frames {
                record_frame(&decoder, None, &kept.frame(), &mut interval, &mut recorder);
                if interval.is_nearly_full() {
                    interval.reset();
                }
            }
        });
        recorder::finish(evidence);
    });
    for flows in [1_000, 65_536] {
        group.bench_function(BenchmarkId::new("decode, observe and merge", flows), |bencher| {
            let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
            let config = trafficmonitor::account::Config { max_flows: flows, ..Default::default() };
            let mut ledger = Ledger::new(&config, SEED);
            let interface = ledger.interface("bench");
            bencher.iter(|| {
                for kept in &frames {
                    count_frame(&decoder, None, &kept.frame(), &mut interval);
                    if interval.is_nearly_full() {
                        interval.settle();
                        ledger.merge(interface, &interval, &mut ());
                        interval.reset();
                    }
                }
            });
        });
    }
    // With 10,000 networks a packet must cost under 20 % more than without a policy.
    for count in [0, 1, 10_000] {
        group.bench_function(BenchmarkId::new("decode, observe, judge and merge", count), |bencher| {
            let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
            interval.judge_by(networks(count));
            let mut ledger = Ledger::new(&trafficmonitor::account::Config::default(), SEED);
            ledger.count_verdicts();
            let interface = ledger.interface("bench");
            bencher.iter(|| {
                for kept in &frames {
                    count_frame(&decoder, None, &kept.frame(), &mut interval);
                    if interval.is_nearly_full() {
                        interval.close();
                        ledger.merge(interface, &interval, &mut ());
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
