//! Counters that were summed up elsewhere: the kernel counts conversations itself. Takes sums; adds them to the interval
//! as if it had counted the packets. Must not know where they come from.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{FrameCounters, Interval, Row};
use crate::account::conversation::{Address, ConversationKey, DirectionSum, Way};
use crate::account::flow::Counters;
use crate::decode::NotIp;
use crate::locality::Direction;
use crate::packet::{IpVersion, Packet, Protocol};

/// Sums that only the kernel path has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KernelSums {
    /// IP packets as they were on the wire, in the order of [`Direction::ALL`]. A packet of the network stack may be
    /// several on the wire.
    pub wire_packets: [u64; Direction::ALL.len()],
    /// True if packets were counted after the network stack had joined them, at a place that does not say how many each
    /// one was. Then `wire_packets` is too low.
    pub are_wire_packets_unknown: bool,
    /// IP packets that were dropped because their source is not permitted.
    pub dropped: Counters,
    /// ICMP errors, messages of address resolution, and frames to be read here that were lost on the way from the kernel.
    pub messages_lost: u64,
    /// Violations without an event that were lost on the way from the kernel.
    pub events_lost: u64,
}

impl KernelSums {
    /// Adds other sums.
    pub(crate) fn add(&mut self, other: &Self) {
        self.wire_packets.iter_mut().zip(other.wire_packets).for_each(|(sum, packets)| *sum += packets);
        self.are_wire_packets_unknown |= other.are_wire_packets_unknown;
        self.dropped.add(other.dropped);
        self.messages_lost += other.messages_lost;
        self.events_lost += other.events_lost;
    }
}

/// A conversation that was counted elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedConversation<A: Address> {
    /// The conversation.
    pub key: ConversationKey<A>,
    /// The direction of the first packet.
    pub opener: Way,
    /// The sums of each direction, forward first; none where no packet went.
    pub sums: [Option<DirectionSum>; 2],
    /// Packets on the wire of each direction.
    pub wire_packets: [u64; 2],
}

impl Interval {
    /// Adds a conversation to its row, or to the overflow if there is no space for a row.
    pub fn add_v4(&mut self, counted: &CountedConversation<Ipv4Addr>) {
        let row = self.row(counted);
        let number = self.v4.rows.len() as u32;
        if !self.v4.add(&row, number, &self.state) {
            self.overflow_row(&row, IpVersion::V4);
        }
    }

    /// As [`Interval::add_v4`], for IPv6.
    pub fn add_v6(&mut self, counted: &CountedConversation<Ipv6Addr>) {
        let row = self.row(counted);
        let number = self.v6.rows.len() as u32;
        if !self.v6.add(&row, number, &self.state) {
            self.overflow_row(&row, IpVersion::V6);
        }
    }

    fn row<A: Address>(&mut self, counted: &CountedConversation<A>) -> Row<A> {
        let (low, high) = counted.key.endpoints(Way::Forward);
        let direction = self.classifier.direction(&A::pair(low.address, high.address));
        let [forward, backward] = counted.wire_packets;
        self.add_wire_packets(direction, forward);
        self.add_wire_packets(direction.reversed(), backward);
        Row::counted(counted.key, counted.opener, counted.sums, direction)
    }

    fn overflow_row<A: Address>(&mut self, row: &Row<A>, version: IpVersion) {
        row.each_way(|way, counted| {
            let counters = Counters { packets: u64::from(counted.packets), bytes: counted.bytes };
            if let Some(policy) = &self.policy {
                let (source, _) = row.key.endpoints(way);
                self.overflow.verdicts.add(policy.verdict(source.address.into()), counters);
            }
            self.overflow.add((row.direction(way), row.key.protocol(), version), counters);
        });
    }

    /// Adds packets that found no space where they were counted.
    pub fn add_overflow(&mut self, key: (Direction, Protocol, IpVersion), counters: Counters, wire_packets: u64) {
        self.overflow.add(key, counters);
        self.add_wire_packets(key.0, wire_packets);
    }

    /// As [`Interval::observe`], for a packet that was so many packets on the wire.
    pub fn observe_joined(&mut self, packet: &Packet, wire_bytes: u32, wire_packets: u64) {
        self.add_wire_packets(self.classifier.direction(&packet.addresses), wire_packets);
        self.observe(packet, wire_bytes);
    }

    /// Adds frames, IP or not, whose packets are added apart.
    pub fn add_frames(&mut self, frames: FrameCounters) {
        self.frames.add(frames);
    }

    /// Adds frames that are not IP. They are among those of [`Interval::add_frames`].
    pub fn add_not_ip(&mut self, reason: NotIp, frames: u64) {
        self.not_ip[reason as usize] += frames;
    }

    fn add_wire_packets(&mut self, direction: Direction, packets: u64) {
        self.kernel.get_or_insert_default().wire_packets[direction as usize] += packets;
    }

    /// Adds sums that only the kernel path has.
    pub fn add_kernel_sums(&mut self, sums: &KernelSums) {
        self.kernel.get_or_insert_default().add(sums);
    }

    /// The sums that only the kernel path has; none without it.
    pub fn kernel_sums(&self) -> Option<&KernelSums> {
        self.kernel.as_ref()
    }
}
