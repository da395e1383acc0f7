//! The interval as the kernel counted it. Takes nothing; gives types. Must not know maps.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::account::conversation::Address;
use crate::account::flow::Counters;
use crate::account::interval::{CountedConversation, FrameCounters, Interval, KernelSums, VerdictCounters};
use crate::decode::{Decoder, NotIp};
use crate::locality::Direction;
use crate::packet::{Addresses, Frame, IpVersion, Protocol, TcpFlags, Timestamp};
use crate::policy::{Action, Networks, Verdict, Violation};

/// A conversation of an interval, on one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedRow<A: Address> {
    /// The kernel's number of the interface.
    pub interface: u32,
    /// Time of the first packet.
    pub first: Timestamp,
    /// The conversation with its counters.
    pub conversation: CountedConversation<A>,
    /// The kernel's verdicts on its packets: permitted, not permitted.
    pub verdicts: [Counters; 2],
}

/// Packets without a conversation, because the map was full.
#[derive(Debug, Clone, Copy)]
pub struct OverflowSum {
    /// The kernel's number of the interface.
    pub interface: u32,
    /// The direction relative to the local networks.
    pub direction: Direction,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The IP version.
    pub version: IpVersion,
    /// Packets and bytes.
    pub counters: Counters,
    /// Packets on the wire.
    pub segments: u64,
}

/// The totals of an interface in an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceTotals {
    /// The kernel's number of the interface.
    pub interface: u32,
    /// Frames that the kernel counted, IP or not.
    pub frames: FrameCounters,
    /// Frames that are not IP, by reason.
    pub not_ip: Vec<(NotIp, u64)>,
    /// IP packets by verdict: permitted, not permitted.
    pub verdicts: [Counters; 2],
    /// IP packets by verdict that have no conversation, because the map was full.
    pub overflow_verdicts: [Counters; 2],
    /// IP packets that were dropped.
    pub dropped: Counters,
    /// Violations without an event, because their source had too many.
    pub suppressed: u64,
    /// Violations without an event, because the ring was full.
    pub events_lost: u64,
    /// Messages that found no space in the ring.
    pub messages_lost: u64,
}

impl InterfaceTotals {
    /// The totals of an interface without frames.
    pub fn nothing(interface: u32) -> Self {
        Self {
            interface,
            frames: FrameCounters::default(),
            not_ip: Vec::new(),
            verdicts: [Counters::default(); 2],
            overflow_verdicts: [Counters::default(); 2],
            dropped: Counters::default(),
            suppressed: 0,
            events_lost: 0,
            messages_lost: 0,
        }
    }
}

/// The beginning of a frame.
#[derive(Debug, Clone)]
pub struct KernelMessage {
    /// The kernel's number of the interface.
    pub interface: u32,
    /// Time of the frame.
    pub time: Timestamp,
    /// Bytes of the frame, without a tag that the network card took off.
    pub length: u32,
    /// Bytes on the wire.
    pub wire_bytes: u32,
    /// Packets on the wire.
    pub wire_packets: u32,
    /// True if the frame is not counted yet.
    pub is_uncounted: bool,
    /// The first bytes.
    pub bytes: Vec<u8>,
}

/// A packet whose source is not permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelViolation {
    /// The kernel's number of the interface.
    pub interface: u32,
    /// Time of the packet.
    pub time: Timestamp,
    /// Source and destination.
    pub addresses: Addresses,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// Source port, 0 if there is none.
    pub source_port: u16,
    /// Destination port, 0 if there is none.
    pub destination_port: u16,
    /// TCP flags.
    pub tcp_flags: TcpFlags,
    /// IP bytes.
    pub bytes: u32,
    /// True if the packet was dropped.
    pub is_dropped: bool,
    /// Packets of this source without an event since its last event.
    pub suppressed: u64,
}

/// All that the kernel counted in an interval.
#[derive(Debug, Default)]
pub struct KernelInterval {
    /// The interfaces on which the program saw packets after the network stack had joined them.
    pub joining: BTreeSet<u32>,
    /// The IPv4 conversations.
    pub rows_v4: Vec<CountedRow<Ipv4Addr>>,
    /// The IPv6 conversations.
    pub rows_v6: Vec<CountedRow<Ipv6Addr>>,
    /// Packets without a conversation.
    pub overflow: Vec<OverflowSum>,
    /// The totals of each interface.
    pub totals: Vec<InterfaceTotals>,
    /// The beginnings of frames.
    pub messages: Vec<KernelMessage>,
    /// Messages that were dropped because there were too many.
    pub messages_lost: u64,
    /// Packets whose sources are not permitted.
    pub violations: Vec<KernelViolation>,
    /// Violations that were dropped because there were too many.
    pub violations_lost: u64,
}

/// The part of an interval that is of one interface.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceInterval<'a> {
    /// True if the network stack had joined packets before, so that their number on the wire is unknown.
    pub is_joining: bool,
    /// The IPv4 conversations, in the order of their first packets.
    pub rows_v4: &'a [CountedRow<Ipv4Addr>],
    /// The IPv6 conversations likewise.
    pub rows_v6: &'a [CountedRow<Ipv6Addr>],
    /// Packets without a conversation.
    pub overflow: &'a [OverflowSum],
    /// The totals.
    pub totals: &'a [InterfaceTotals],
    /// The beginnings of frames.
    pub messages: &'a [KernelMessage],
    /// Packets whose sources are not permitted.
    pub violations: &'a [KernelViolation],
}

impl KernelInterval {
    /// Sorts all by interface, and rows then by their first packets; the others keep their order.
    pub fn sort(&mut self) {
        self.rows_v4.sort_unstable_by_key(|row| (row.interface, row.first));
        self.rows_v6.sort_unstable_by_key(|row| (row.interface, row.first));
        self.overflow.sort_by_key(|sum| sum.interface);
        self.totals.sort_by_key(|totals| totals.interface);
        self.messages.sort_by_key(|message| message.interface);
        self.violations.sort_by_key(|violation| violation.interface);
    }

    /// The part of an interface. All is sorted.
    pub fn of(&self, interface: u32) -> InterfaceInterval<'_> {
        InterfaceInterval {
            is_joining: self.joining.contains(&interface),
            rows_v4: part(&self.rows_v4, interface, |row| row.interface),
            rows_v6: part(&self.rows_v6, interface, |row| row.interface),
            overflow: part(&self.overflow, interface, |sum| sum.interface),
            totals: part(&self.totals, interface, |totals| totals.interface),
            messages: part(&self.messages, interface, |message| message.interface),
            violations: part(&self.violations, interface, |violation| violation.interface),
        }
    }
}

/// The items of an interface, which stand together.
fn part<T>(items: &[T], interface: u32, interface_of: impl Fn(&T) -> u32) -> &[T] {
    let first = items.partition_point(|item| interface_of(item) < interface);
    let behind = items.partition_point(|item| interface_of(item) <= interface);
    &items[first..behind]
}

impl OverflowSum {
    /// Adds the packets to an interval.
    pub fn add_to(&self, interval: &mut Interval) {
        interval.add_overflow((self.direction, self.protocol, self.version), self.counters, self.segments);
    }
}

impl InterfaceTotals {
    /// Adds the frames, whose packets are added apart, to an interval.
    pub fn add_to(&self, interval: &mut Interval) {
        interval.add_frames(self.frames);
        self.not_ip.iter().for_each(|&(reason, frames)| interval.add_not_ip(reason, frames));
        let Self { dropped, messages_lost, events_lost, .. } = *self;
        let mut verdicts = VerdictCounters::default();
        for (verdict, counters) in Verdict::ALL.into_iter().zip(self.overflow_verdicts) {
            verdicts.add(verdict, counters);
        }
        interval.add_verdicts(&verdicts);
        interval.add_kernel_sums(&KernelSums { dropped, messages_lost, events_lost, ..KernelSums::default() });
    }
}

impl KernelViolation {
    /// The violation, on the interface of this name.
    pub fn named(&self, interface: &Arc<str>) -> Violation {
        Violation {
            first: self.time,
            last: self.time,
            interface: Arc::clone(interface),
            addresses: self.addresses,
            protocol: self.protocol,
            source_port: self.source_port,
            destination_port: self.destination_port,
            tcp_flags: self.tcp_flags,
            packets: 1,
            bytes: u64::from(self.bytes),
            action: if self.is_dropped { Action::Dropped } else { Action::Logged },
            suppressed: self.suppressed,
        }
    }
}

impl KernelMessage {
    /// The violation of a packet that the kernel has not read, on the interface of this name. The kernel lets all of these
    /// go on.
    pub fn violation(&self, decoder: &Decoder, policy: &Networks, interface: &Arc<str>) -> Option<Violation> {
        let frame = Frame { time: self.time, captured: &self.bytes, wire_bytes: self.length };
        let packet = decoder.decode(&frame).ok().filter(|_| self.is_uncounted)?;
        (policy.verdict(packet.addresses.source()) == Verdict::NotPermitted).then(|| Violation {
            first: self.time,
            last: self.time,
            interface: Arc::clone(interface),
            addresses: packet.addresses,
            protocol: packet.protocol,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
            tcp_flags: packet.tcp_flags,
            packets: 1,
            bytes: u64::from(packet.bytes),
            action: Action::Logged,
            suppressed: 0,
        })
    }

    /// Adds what the frame tells to an interval: refusals, address resolution, and the frame itself if the kernel has not
    /// counted it.
    pub fn add_to(&self, decoder: &Decoder, interval: &mut Interval) {
        let frame = Frame { time: self.time, captured: &self.bytes, wire_bytes: self.length };
        match decoder.decode(&frame) {
            Ok(packet) => {
                if let Some(refusal) = decoder.refusal(&frame, &packet) {
                    interval.refuse(&refusal);
                }
                let icmp_type = packet.icmp_type.unwrap_or_default();
                if let Some(resolution) = decoder.neighbor_resolution(&frame, packet.protocol, icmp_type) {
                    interval.resolve(&resolution);
                }
                if self.is_uncounted {
                    interval.observe_joined(&packet, self.wire_bytes, u64::from(self.wire_packets));
                }
            }
            Err(reason) => {
                decoder.arp_resolution(&frame, reason).iter().for_each(|resolution| interval.resolve(resolution));
                if self.is_uncounted {
                    interval.observe_not_ip(reason, self.wire_bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_each_interface_is_found_and_keeps_its_order() {
        let mut interval = KernelInterval::default();
        for (interface, frames) in [(7, 1), (2, 2), (7, 3), (4, 4), (2, 5)] {
            let frames = FrameCounters { frames, bytes: 0 };
            interval.totals.push(InterfaceTotals { frames, ..InterfaceTotals::nothing(interface) });
        }
        interval.sort();
        let frames = |interface| {
            let totals = interval.of(interface).totals.iter();
            totals.map(|totals| totals.frames.frames).collect::<Vec<_>>()
        };
        assert_eq!([2, 4, 7].map(frames), [vec![2, 5], vec![4], vec![1, 3]]);
        assert!([1, 3, 9].map(frames).iter().all(Vec::is_empty));
        assert!(interval.of(2).rows_v4.is_empty() && interval.of(2).messages.is_empty());
    }
}
