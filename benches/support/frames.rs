//! The frames of a benchmark trace in memory, as decode takes them.

use std::path::PathBuf;

use trafficmonitor::packet::{Frame, Timestamp};

use crate::trace::{self, Trace};

/// A frame as it is kept.
pub struct Kept {
    time: Timestamp,
    captured: Vec<u8>,
    wire_bytes: u32,
}

impl Kept {
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.time, &self.captured, self.wire_bytes)
    }
}

/// The frames of `trace`, which is written to the file `name` unless it is there.
pub fn load(trace: &Trace, name: &str) -> Vec<Kept> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    trace::write(trace, &path).expect("the trace is written");
    let mut capture = pcap::Capture::from_file(path).expect("a capture");
    let mut frames = Vec::with_capacity(trace.packets as usize);
    let read = capture.for_each(None, |packet| {
        let time = packet.header.ts.tv_sec * 1_000_000_000 + packet.header.ts.tv_usec * 1_000;
        let (time, captured) = (Timestamp::from_nanoseconds(time), packet.data.to_vec());
        frames.push(Kept { time, captured, wire_bytes: packet.header.len });
    });
    read.expect("frames");
    frames
}
