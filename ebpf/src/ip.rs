//! IP headers, extension headers and the transport header. Takes the bytes behind the link headers; places the packet.
//! Must not know link headers, nor how packets are counted.

use core::mem::MaybeUninit;

use crate::layout::{DROPS, JUDGES, PERMITTED, not_ip};
use crate::packet::{self, Packet, TCP, Transport, UDP};
use crate::policy::Prefixes;
use crate::walk::{Fate, Frame, Hook, ICMP, ICMPV6};

/// The most IPv6 extension headers that are walked here.
const EXTENSIONS: usize = 8;

impl<H: Hook> Frame<'_, H> {
    /// Counts the packet of an IPv4 header, if it is one.
    #[inline(always)]
    pub fn version_4(&mut self, at: u32) -> Fate {
        let rest = self.length - at;
        let mut space = MaybeUninit::uninit();
        let Some(header) = self.hook.view::<20>(at, &mut space) else { return self.not_ip(not_ip::TRUNCATED_IP) };
        let header_bytes = u32::from(header[0] & 0x0f) * 4;
        if rest < header_bytes {
            return self.not_ip(not_ip::TRUNCATED_IP);
        }
        let total = u32::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || header_bytes < 20 || (total != 0 && total < header_bytes) {
            return self.not_ip(not_ip::MALFORMED_IP);
        }
        let bytes = if total == 0 || total > rest { rest } else { total };
        let is_later_fragment = header[6] & 0x1f != 0 || header[7] != 0;
        let inside = if is_later_fragment { 0 } else { bytes - header_bytes };
        let transport = self.transport::<true>(header[9], at + header_bytes, inside);
        let source = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
        let destination = u32::from_be_bytes([header[16], header[17], header[18], header[19]]);
        let packet = self.packet(source, destination, transport, bytes);
        self.count_packet(&packet)
    }

    /// Places the packet of an IPv6 header, if it is one. (The functions that are not inlined have stacks of their own,
    /// and share 512 bytes with those that call them.)
    #[inline(never)]
    pub fn version_6(&mut self, at: u32) -> bool {
        const NO_NEXT_HEADER: u8 = 59;
        let rest = self.length - at;
        let mut space = MaybeUninit::uninit();
        let Some(header) = self.hook.view::<40>(at, &mut space) else { return self.refuse(not_ip::TRUNCATED_IP) };
        if header[0] >> 4 != 6 {
            return self.refuse(not_ip::MALFORMED_IP);
        }
        let payload = u32::from(u16::from_be_bytes([header[4], header[5]]));
        let bytes = match (payload, header[6]) {
            (0, NO_NEXT_HEADER) => 40,
            (0, _) => rest,
            _ if 40 + payload > rest => rest,
            _ => 40 + payload,
        };
        let (mut next, mut at, mut inside) = (header[6], at + 40, bytes - 40);
        let mut is_walked = false;
        for _ in 0..EXTENSIONS {
            let Some((after, length, is_later_fragment)) = self.extension(next, at, inside) else {
                is_walked = true;
                break;
            };
            (next, at, inside) = (after, at + length, inside - length);
            if is_later_fragment {
                inside = 0;
                is_walked = true;
                break;
            }
        }
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let source = [word(8), word(12), word(16), word(20)];
        let destination = [word(24), word(28), word(32), word(36)];
        // A longer chain is no way around the policy: the packet counts by the header at which the walk ended.
        if !is_walked && matches!(next, 0 | 43 | 44 | 51 | 60) && !self.would_drop(source) {
            self.hand_over();
            return false;
        }
        let transport = self.transport::<false>(next, at, inside);
        packet::place(self.packet(source, destination, transport, bytes))
    }

    /// True if packets of this source are dropped.
    #[inline(always)]
    fn would_drop(&self, source: impl Prefixes) -> bool {
        let both = JUDGES | DROPS;
        H::CAN_DROP && self.settings.flags & both == both && source.verdict() != PERMITTED
    }

    /// The extension header at `at`: the next header, its length, and true if a later fragment follows. None if it is
    /// none, or not whole.
    #[inline(always)]
    fn extension(&self, number: u8, at: u32, inside: u32) -> Option<(u8, u32, bool)> {
        if !matches!(number, 0 | 43 | 44 | 51 | 60) || inside < 8 {
            return None;
        }
        let header = self.hook.load::<4>(at)?;
        let length = match number {
            44 => 8,
            51 => (u32::from(header[1]) + 2) * 4,
            _ => (u32::from(header[1]) + 1) * 8,
        };
        let is_later_fragment = number == 44 && (header[2] != 0 || header[3] & 0xf8 != 0);
        (length <= inside).then_some((header[0], length, is_later_fragment))
    }

    /// The transport header at `at`, read in its place or copied. The kernel walks each way through the program before it
    /// takes it; behind a chain of extension headers, reading in place would take it seconds.
    #[inline(always)]
    fn transport<const IN_PLACE: bool>(&self, protocol: u8, at: u32, inside: u32) -> Transport {
        let mut transport = Transport {
            protocol,
            source_port: 0,
            destination_port: 0,
            flags: 0,
            has_payload: false,
            has_icmp_type: false,
            icmp_type: 0,
        };
        match protocol {
            TCP if inside >= 14 => {
                if let Some(header) = self.part::<IN_PLACE, 14>(at, &mut MaybeUninit::uninit()) {
                    transport.source_port = u16::from_be_bytes([header[0], header[1]]);
                    transport.destination_port = u16::from_be_bytes([header[2], header[3]]);
                    transport.flags = header[13];
                    transport.has_payload = inside > u32::from(header[12] >> 4) * 4;
                }
            }
            TCP | UDP if inside >= 4 => {
                if let Some(header) = self.part::<IN_PLACE, 4>(at, &mut MaybeUninit::uninit()) {
                    transport.source_port = u16::from_be_bytes([header[0], header[1]]);
                    transport.destination_port = u16::from_be_bytes([header[2], header[3]]);
                }
            }
            ICMP | ICMPV6 if inside >= 1 => {
                if let Some(header) = self.hook.load::<1>(at) {
                    transport.has_icmp_type = true;
                    transport.icmp_type = header[0];
                }
            }
            _ => {}
        }
        transport
    }

    #[inline(always)]
    fn part<'a, const IN_PLACE: bool, const N: usize>(
        &'a self,
        at: u32,
        space: &'a mut MaybeUninit<[u8; N]>,
    ) -> Option<&'a [u8; N]> {
        if IN_PLACE { self.hook.view(at, space) } else { self.hook.copy(at, space) }
    }

    #[inline(always)]
    fn packet<A>(&self, source: A, destination: A, transport: Transport, bytes: u32) -> Packet<A> {
        Packet { source, destination, transport, bytes, segments: self.hook.segments(), slot: self.slot }
    }
}
