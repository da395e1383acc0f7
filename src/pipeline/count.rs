//! One frame into an interval. Takes a decoder, a frame and the origins of forwarded frames; counts what the frame was decoded
//! to. Must not know where the frame came from.

use crate::account::interval::Interval;
use crate::capture::once::{Origins, is_copy};
use crate::decode::{Decoder, NotIp, TakeDecoded};
use crate::packet::{Frame, Packet};

/// Decodes a frame and counts it. Where `origins` are given, a frame on its way out that came in by a captured
/// interface is left out: it was counted there.
#[inline(always)]
pub fn count_frame(decoder: &Decoder, origins: Option<&Origins>, frame: &Frame<'_>, interval: &mut Interval) {
    decoder.decode_for(frame, Count { decoder, origins, frame, interval });
}

/// Counts what a frame was decoded to.
struct Count<'a> {
    decoder: &'a Decoder,
    origins: Option<&'a Origins>,
    frame: &'a Frame<'a>,
    interval: &'a mut Interval,
}

impl TakeDecoded for Count<'_> {
    #[inline(always)]
    fn take(self, decoded: Result<Packet, NotIp>) {
        let Self { decoder, origins, frame, interval } = self;
        match decoded {
            Ok(packet) => match origins {
                Some(origins) if is_copy(packet.outgoing, packet.addresses.source(), origins) => {
                    interval.observe_copy(frame.wire_bytes);
                }
                _ => {
                    if let Some(refusal) = decoder.refusal(frame, &packet) {
                        interval.refuse(&refusal);
                    }
                    interval.observe(&packet, frame.wire_bytes);
                }
            },
            Err(reason) => interval.observe_not_ip(reason, frame.wire_bytes),
        }
    }

    #[inline(never)]
    fn take_rare(self, decoded: Result<Packet, NotIp>) {
        self.take(decoded);
    }
}
