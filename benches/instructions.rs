//! What `scripts/instructions.sh` counts the instructions of: decode, and decode with counting in an interval.
//!
//! Two passes over the first frames of the benchmark trace; the hash seed is fixed. Without a mode it only writes the
//! trace, so that `cargo bench` passes it by.

#![allow(missing_docs, clippy::expect_used)]

#[path = "support/trace.rs"]
#[allow(dead_code)]
mod trace;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use trafficmonitor::account::interval::Interval;
use trafficmonitor::decode::Decoder;
use trafficmonitor::locality::Classifier;
use trafficmonitor::packet::{Frame, LinkType, Timestamp};
use trafficmonitor::pipeline::capture_loop::count_frame;

const SAMPLE: trace::Trace = trace::Trace { packets: 20_000, ..trace::Trace::CUT };
const SEED: u64 = 1;

/// A frame as it is kept: time in nanoseconds, captured bytes, length on the wire.
type Kept = (i64, Vec<u8>, u32);

fn main() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("instructions.pcap");
    trace::write(&SAMPLE, &path).expect("the trace is written");
    let mode = std::env::args().nth(1).unwrap_or_default();
    let frames = frames(path);
    let decoder = Decoder::new(LinkType(1)).expect("Ethernet is read");
    match mode.as_str() {
        "decode" => decode_frames(&decoder, &frames),
        "observe" => observe_frames(&decoder, &frames, &mut Interval::new(Arc::new(Classifier::default()), SEED)),
        _ => {}
    }
}

fn frames(path: PathBuf) -> Vec<Kept> {
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

#[inline(never)]
fn decode_frames(decoder: &Decoder, frames: &[Kept]) {
    for kept in frames.iter().chain(frames) {
        black_box(decoder.decode(&frame(kept))).ok();
    }
}

#[inline(never)]
fn observe_frames(decoder: &Decoder, frames: &[Kept], interval: &mut Interval) {
    for kept in frames.iter().chain(frames) {
        count_frame(decoder, None, &frame(kept), interval);
    }
    interval.settle();
}
