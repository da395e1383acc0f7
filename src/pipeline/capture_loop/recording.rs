//! Counts frames, and records those that count where packets are kept. Takes frames; fills the interval and the chunk. Must not
//! know what the packets are kept for.

use super::{FrameCounter, count_frame};
use crate::account::interval::Interval;
use crate::capture::once::{Origins, is_copy};
use crate::decode::{Decoder, NotIp, TakeDecoded};
use crate::evidence::{PacketRecorder, RecordedPacket};
use crate::packet::{Frame, Packet, Resolution};
use crate::pipeline::handover::Exchange;

/// Counts a frame, and records it if packets are kept.
#[inline(always)]
pub(super) fn take_frame(decoder: &Decoder, origins: Option<&Origins>, frame: &Frame<'_>, exchange: &mut Exchange) {
    match exchange.filling_at(frame.time) {
        (interval, None) => count_frame(decoder, origins, frame, interval),
        (interval, Some(recorder)) => record_frame(decoder, origins, frame, interval, recorder),
    }
}

#[inline(never)]
fn record_frame(
    decoder: &Decoder,
    origins: Option<&Origins>,
    frame: &Frame<'_>,
    interval: &mut Interval,
    recorder: &mut PacketRecorder,
) {
    let counter = FrameCounter { decoder, origins, frame, interval };
    decoder.decode_for(frame, FrameRecorder { counter, recorder });
}

/// Records a decoded frame, and counts it.
struct FrameRecorder<'a> {
    counter: FrameCounter<'a>,
    recorder: &'a mut PacketRecorder,
}

impl TakeDecoded for FrameRecorder<'_> {
    #[inline(always)]
    fn take(self, decoded: Result<Packet, NotIp>) {
        let Self { counter, recorder } = self;
        let FrameCounter { decoder, origins, frame, .. } = counter;
        let recorded = RecordedPacket { time: frame.time, bytes: frame.captured, wire_bytes: frame.wire_bytes };
        match &decoded {
            // It was recorded where it counted.
            Ok(packet) if origins.is_some_and(|of| is_copy(packet.outgoing, packet.addresses.source(), of)) => {}
            Ok(packet) => {
                if let Some(icmp_type) = packet.icmp_type {
                    note_ends(recorder, decoder.neighbor_resolution(frame, packet.protocol, icmp_type));
                }
                recorder.record(recorded, &packet.addresses);
            }
            Err(reason) => {
                note_ends(recorder, decoder.arp_resolution(frame, *reason));
                recorder.record_other(recorded);
            }
        }
        counter.take(decoded);
    }

    #[inline(never)]
    fn take_rare(self, decoded: Result<Packet, NotIp>) {
        self.take(decoded);
    }
}

/// Notes the two hosts of a message of address resolution.
fn note_ends(recorder: &mut PacketRecorder, resolution: Option<Resolution>) {
    if let Some(Resolution { asker, target, .. }) = resolution {
        recorder.note(asker);
        recorder.note(target);
    }
}
