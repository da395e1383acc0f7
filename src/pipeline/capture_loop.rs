//! The hot path: one frame into the interval.

use crate::account::interval::Interval;
use crate::decode::Decoder;
use crate::packet::Frame;

/// Whether frames on their way out that this host only forwards are left out: they were counted when they came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// Every frame counts.
    Count,
    /// Left out by the packet type of a cooked header; for the pseudo-device `any`, which shows every interface.
    LeaveOut,
}

/// Decodes a frame and counts it.
#[inline]
pub fn count_frame(decoder: &Decoder, copies: Copies, frame: &Frame<'_>, interval: &mut Interval) {
    match decoder.decode(frame) {
        Ok(packet)
            if copies == Copies::LeaveOut
                && packet.outgoing
                && !interval.classifier().is_own(packet.addresses.source()) =>
        {
            interval.observe_copy(frame.wire_bytes);
        }
        Ok(packet) => interval.observe(&packet, frame.wire_bytes),
        Err(reason) => interval.observe_not_ip(reason, frame.wire_bytes),
    }
}
