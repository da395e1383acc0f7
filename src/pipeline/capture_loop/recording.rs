//! Records the frames that count, where packets are kept. Takes frames; fills the interval and the chunk. Must not know
//! what the packets are kept for.

use super::{FrameCounter, count_frame};
use crate::account::interval::Interval;
use crate::capture::once::Origins;
use crate::decode::Decoder;
use crate::evidence::{PacketRecorder, RecordedPacket};
use crate::packet::{Addresses, Frame, Protocol, Resolution};
use crate::pipeline::handover::Exchange;

/// Counts a frame, and records it if packets are kept.
#[inline(always)]
pub(super) fn take_frame(decoder: &Decoder, origins: Option<&Origins>, frame: &Frame<'_>, exchange: &mut Exchange) {
    match exchange.filling_at(frame.time) {
        (interval, None) => count_frame(decoder, origins, frame, interval),
        (interval, Some(recorder)) => record_frame(decoder, origins, frame, interval, recorder),
    }
}

/// As [`count_frame`]; a frame that counts is recorded too.
#[inline(never)]
pub fn record_frame(
    decoder: &Decoder,
    origins: Option<&Origins>,
    frame: &Frame<'_>,
    interval: &mut Interval,
    recorder: &mut PacketRecorder,
) {
    decoder.decode_for(frame, FrameCounter { decoder, origins, frame, interval, recording: recorder });
}

/// Records frames, or does not. (A type of its own for each, so that counting alone costs nothing more.)
pub(super) trait Recording {
    /// Records an IP packet.
    fn packet(&mut self, frame: &Frame<'_>, addresses: &Addresses);

    /// Notes the hosts that an ICMP packet asks or tells about.
    fn icmp(&mut self, decoder: &Decoder, frame: &Frame<'_>, protocol: Protocol, icmp_type: u8);

    /// Records another frame, and the message of address resolution that it may be.
    fn other(&mut self, frame: &Frame<'_>, resolution: Option<&Resolution>);
}

impl Recording for () {
    #[inline(always)]
    fn packet(&mut self, _: &Frame<'_>, _: &Addresses) {}

    #[inline(always)]
    fn icmp(&mut self, _: &Decoder, _: &Frame<'_>, _: Protocol, _: u8) {}

    #[inline(always)]
    fn other(&mut self, _: &Frame<'_>, _: Option<&Resolution>) {}
}

impl Recording for &mut PacketRecorder {
    #[inline(always)]
    fn packet(&mut self, frame: &Frame<'_>, addresses: &Addresses) {
        self.record(recorded(frame), addresses);
    }

    #[inline(never)]
    fn icmp(&mut self, decoder: &Decoder, frame: &Frame<'_>, protocol: Protocol, icmp_type: u8) {
        note_ends(self, decoder.neighbor_resolution(frame, protocol, icmp_type).as_ref());
    }

    #[inline(never)]
    fn other(&mut self, frame: &Frame<'_>, resolution: Option<&Resolution>) {
        note_ends(self, resolution);
        self.record_other(recorded(frame));
    }
}

#[inline(always)]
const fn recorded<'a>(frame: &Frame<'a>) -> RecordedPacket<'a> {
    RecordedPacket { time: frame.time, bytes: frame.captured, wire_bytes: frame.wire_bytes }
}

/// Notes the two hosts of a message of address resolution.
fn note_ends(recorder: &mut PacketRecorder, resolution: Option<&Resolution>) {
    if let Some(Resolution { asker, target, .. }) = resolution {
        recorder.note(*asker);
        recorder.note(*target);
    }
}
