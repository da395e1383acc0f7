//! The work whose instructions `scripts/instructions.sh` counts: decode, decode with counting in an interval, and both with
//! keeping the packets; merging an interval, and merging it into a history too.
//!
//! Two passes over the first frames of the benchmark trace; the hash seed is fixed. Without a mode it only writes the
//! trace, so that `cargo bench` skips it.

#![allow(missing_docs, clippy::expect_used)]

#[path = "support/trace.rs"]
#[allow(dead_code)]
mod trace;

#[path = "support/frames.rs"]
mod frames;
#[path = "support/recorder.rs"]
mod recorder;

use std::hint::black_box;
use std::sync::Arc;

use frames::Kept;
use trafficmonitor::account::conversation::Address;
use trafficmonitor::account::interval::Interval;
use trafficmonitor::account::ledger::Ledger;
use trafficmonitor::account::observer::{RowBatch, RowObserver};
use trafficmonitor::account::{Config, FlowKeying};
use trafficmonitor::decode::Decoder;
use trafficmonitor::evidence::PacketRecorder;
use trafficmonitor::history::History;
use trafficmonitor::locality::Classifier;
use trafficmonitor::packet::LinkType;
use trafficmonitor::pipeline::capture_loop::{count_frame, record_frame};

const SAMPLE: trace::Trace = trace::Trace { packets: 20_000, ..trace::Trace::CUT };
const SEED: u64 = 1;

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let frames = frames::load(&SAMPLE, "instructions.pcap");
    let decoder = Decoder::new(LinkType(1)).expect("Ethernet is read");
    match mode.as_str() {
        "decode" => decode_frames(&decoder, &frames),
        "observe" => observe_frames(&decoder, &frames, &mut Interval::new(Arc::new(Classifier::default()), SEED)),
        "record" => {
            let evidence = recorder::start();
            let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
            record_frames(&decoder, &frames, &mut interval, recorder::recorder(&evidence));
            recorder::finish(evidence);
        }
        "merge" => merge_frames(&counted(&decoder, &frames), &mut Idle),
        "history" => {
            history_frames(&counted(&decoder, &frames), &mut WithHistory(History::new(FlowKeying::Service, SEED)))
        }
        _ => {}
    }
}

#[inline(never)]
fn decode_frames(decoder: &Decoder, frames: &[Kept]) {
    for kept in frames.iter().chain(frames) {
        black_box(decoder.decode(&kept.frame())).ok();
    }
}

/// The frames in one interval, each twice.
fn counted(decoder: &Decoder, frames: &[Kept]) -> Interval {
    let mut interval = Interval::new(Arc::new(Classifier::default()), SEED);
    observe_frames(decoder, frames, &mut interval);
    interval
}

/// Sees the rows and does nothing with them.
struct Idle;

impl RowObserver for Idle {
    type Notes = ();

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, ()>) {
        black_box(rows);
    }
}

struct WithHistory(History);

impl RowObserver for WithHistory {
    type Notes = ();

    fn observe<A: Address>(&mut self, rows: &mut RowBatch<'_, A, ()>) {
        self.0.observe(rows);
    }
}

#[inline(never)]
fn merge_frames(interval: &Interval, observer: &mut Idle) {
    merge(interval, observer);
}

#[inline(never)]
fn history_frames(interval: &Interval, observer: &mut WithHistory) {
    merge(interval, observer);
}

/// Merges the interval twice: all rows are new, and then known.
fn merge(interval: &Interval, observer: &mut impl RowObserver<Notes = ()>) {
    let mut ledger = Ledger::new(&Config::default(), SEED);
    let interface = ledger.interface("bench");
    (0..2).for_each(|_| ledger.merge(interface, interval, observer));
}

#[inline(never)]
fn record_frames(decoder: &Decoder, frames: &[Kept], interval: &mut Interval, mut recorder: PacketRecorder) {
    for kept in frames.iter().chain(frames) {
        record_frame(decoder, None, &kept.frame(), interval, &mut recorder);
    }
    interval.settle();
    recorder.hand_over();
}

#[inline(never)]
fn observe_frames(decoder: &Decoder, frames: &[Kept], interval: &mut Interval) {
    for kept in frames.iter().chain(frames) {
        count_frame(decoder, None, &kept.frame(), interval);
    }
    interval.settle();
}
