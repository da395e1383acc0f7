//! The entries of the maps, summed up over the processors. Takes keys and values; gives conversations, totals and sums.
//! Must not know how maps are read.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use super::layout::{
    self, Conversation, Counted, HAS_ICMP_TYPE, HAS_PAYLOAD, Key4, Key6, LAST_SHIFT, Overflow, OverflowKey, PERMITTED,
    Sum, Totals, UNKNOWN, VERSION_4, not_ip,
};
use super::slots::InterfaceSlots;
use crate::account::conversation::{Address, ConversationKey, DirectionSum, Endpoint, Way};
use crate::account::flow::Counters;
use crate::account::interval::{CountedConversation, FrameCounters};
use crate::decode::NotIp;
use crate::kernel::{CountedRow, InterfaceTotals, KernelInterval, OverflowSum};
use crate::locality::Direction;
use crate::os::bpf::monotonic_nanoseconds;
use crate::packet::{IpVersion, Protocol, TcpFlags, Timestamp};

/// The reasons in the order of [`not_ip`]. A frame that should have been read here counts as one without a packet.
const REASONS: [NotIp; not_ip::COUNT] = [
    NotIp::TruncatedLink,
    NotIp::TruncatedIp,
    NotIp::MalformedIp,
    NotIp::Arp,
    NotIp::PppoeDiscovery,
    NotIp::EtherType,
    NotIp::Link,
];

/// The difference between the clock of frames and the one that programs read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockOffset {
    /// Nanoseconds since the epoch at 0 of the monotonic clock.
    offset: i64,
}

impl ClockOffset {
    /// The present difference. It changes when the clock is set.
    pub(super) fn now() -> Self {
        let monotonic = monotonic_nanoseconds();
        Self { offset: Timestamp::from(SystemTime::now()).nanoseconds().saturating_sub_unsigned(monotonic) }
    }

    /// The time of a moment of the monotonic clock.
    pub(super) fn time(self, monotonic: u64) -> Timestamp {
        Timestamp::from_nanoseconds(self.offset.saturating_add_unsigned(monotonic))
    }
}

pub(super) fn row_v4(
    clock: ClockOffset,
    slots: &InterfaceSlots,
    key: &[u8],
    values: &[u8],
) -> Option<CountedRow<Ipv4Addr>> {
    let key: Key4 = layout::read(key)?;
    let [low, high] = [(key.low, key.low_port), (key.high, key.high_port)]
        .map(|(address, port)| Endpoint { address: Ipv4Addr::from_bits(address), port });
    row(clock, slots.interface(key.slot)?, ConversationKey::new(low, high, Protocol(key.protocol)), values)
}

pub(super) fn row_v6(
    clock: ClockOffset,
    slots: &InterfaceSlots,
    key: &[u8],
    values: &[u8],
) -> Option<CountedRow<Ipv6Addr>> {
    let key: Key6 = layout::read(key)?;
    let [low, high] = [(key.low, key.low_port), (key.high, key.high_port)]
        .map(|(address, port)| Endpoint { address: address_v6(address), port });
    row(clock, slots.interface(key.slot)?, ConversationKey::new(low, high, Protocol(key.protocol)), values)
}

/// An IPv6 address of its words.
pub(super) fn address_v6([a, b, c, d]: [u32; 4]) -> Ipv6Addr {
    let bits = [a, b, c, d].into_iter().fold(0_u128, |bits, word| bits << 32 | u128::from(word));
    Ipv6Addr::from_bits(bits)
}

/// The row of an entry. The kernel's order of the ends is that of the key, unless one of both is wrong.
fn row<A: Address>(
    clock: ClockOffset,
    interface: u32,
    (key, way): (ConversationKey<A>, Way),
    values: &[u8],
) -> Option<CountedRow<A>> {
    let (mut ways, mut verdicts) = ([None; 2], [Counters::default(); 2]);
    for conversation in layout::per_processor::<Conversation>(values) {
        for (sum, counted) in ways.iter_mut().zip(conversation.ways).filter(|(_, counted)| counted.packets > 0) {
            *sum = Some(sum.map_or(counted, |sum| plus(sum, counted)));
            if counted.verdict != UNKNOWN {
                let counters = Counters { packets: u64::from(counted.packets), bytes: counted.bytes };
                verdicts[usize::from(counted.verdict != PERMITTED)].add(counters);
            }
        }
    }
    if way == Way::Backward {
        ways.reverse();
    }
    let [forward, backward] = ways.map(|counted| counted.map_or(u64::MAX, |counted| counted.first));
    let first = forward.min(backward);
    (first != u64::MAX).then(|| CountedRow {
        interface,
        first: clock.time(first),
        conversation: CountedConversation {
            key,
            opener: if forward <= backward { Way::Forward } else { Way::Backward },
            sums: ways.map(|counted| counted.map(|counted| direction_sum(clock, &counted))),
            wire_packets: ways.map(|counted| counted.map_or(0, |counted| u64::from(counted.segments))),
        },
        verdicts,
    })
}

/// The sum of the same direction on two processors.
fn plus(one: Counted, other: Counted) -> Counted {
    let (earlier, later) = if one.first <= other.first { (one, other) } else { (other, one) };
    Counted {
        bytes: one.bytes + other.bytes,
        last: units_between(earlier.first, last(&one).max(last(&other))),
        packets: one.packets + other.packets,
        segments: one.segments + other.segments,
        flags: one.flags | other.flags,
        marks: earlier.marks | later.marks & HAS_PAYLOAD,
        ..earlier
    }
}

/// Time of the last packet, in nanoseconds of the monotonic clock.
fn last(counted: &Counted) -> u64 {
    counted.first + (u64::from(counted.last) << LAST_SHIFT)
}

/// A time after another, as a value of [`Counted::last`].
fn units_between(first: u64, last: u64) -> u32 {
    u32::try_from(last.saturating_sub(first) >> LAST_SHIFT).unwrap_or(u32::MAX)
}

fn direction_sum(clock: ClockOffset, counted: &Counted) -> DirectionSum {
    let has_icmp_type = counted.marks & HAS_ICMP_TYPE != 0;
    DirectionSum {
        packets: counted.packets,
        bytes: counted.bytes,
        first: clock.time(counted.first),
        last: clock.time(last(counted)),
        first_flags: TcpFlags(if has_icmp_type { 0 } else { counted.first_control }),
        icmp_type: has_icmp_type.then_some(counted.first_control),
        flags: TcpFlags(counted.flags),
        has_payload: counted.marks & HAS_PAYLOAD != 0,
    }
}

pub(super) fn totals(interface: u32, values: &[Totals]) -> InterfaceTotals {
    let sum = |value: fn(&Totals) -> u64| values.iter().map(value).sum();
    let counters = |value: fn(&Totals) -> Sum| {
        values.iter().map(|totals| counters(value(totals))).fold(Counters::default(), Counters::plus)
    };
    let not_ip = (0..)
        .zip(REASONS)
        .map(|(at, reason): (usize, _)| (reason, values.iter().map(|totals| totals.not_ip[at]).sum()));
    InterfaceTotals {
        interface,
        frames: FrameCounters { frames: sum(|totals| totals.frames), bytes: sum(|totals| totals.frame_bytes) },
        not_ip: not_ip.filter(|&(_, frames)| frames > 0).collect(),
        verdicts: [counters(|totals| totals.verdicts[0]), counters(|totals| totals.verdicts[1])],
        overflow_verdicts: [Counters::default(); 2],
        dropped: counters(|totals| totals.dropped),
        suppressed: sum(|totals| totals.suppressed),
        events_lost: sum(|totals| totals.events_lost),
        messages_lost: sum(|totals| totals.messages_lost),
    }
}

/// The verdicts on packets without a conversation: all less those of the conversations.
pub(super) fn find_overflow_verdicts(interval: &mut KernelInterval) {
    let of_v4 = interval.rows_v4.iter().map(|row| (row.interface, row.verdicts));
    let of_v6 = interval.rows_v6.iter().map(|row| (row.interface, row.verdicts));
    let mut placed: BTreeMap<u32, [Counters; 2]> = BTreeMap::new();
    for (interface, verdicts) in of_v4.chain(of_v6) {
        let sums = placed.entry(interface).or_default();
        sums.iter_mut().zip(verdicts).for_each(|(sum, counters)| sum.add(counters));
    }
    for totals in &mut interval.totals {
        let placed = placed.get(&totals.interface).copied().unwrap_or_default();
        for (at, placed) in placed.into_iter().enumerate() {
            let all = totals.verdicts[at];
            totals.overflow_verdicts[at] = Counters {
                packets: all.packets.saturating_sub(placed.packets),
                bytes: all.bytes.saturating_sub(placed.bytes),
            };
        }
    }
}

fn counters(sum: Sum) -> Counters {
    Counters { packets: sum.packets, bytes: sum.bytes }
}

/// The packets of these counters; none if there are none.
pub(super) fn overflow(key: &OverflowKey, values: &[Overflow]) -> Option<OverflowSum> {
    let counters = values.iter().map(|value| counters(value.sum)).fold(Counters::default(), Counters::plus);
    (counters.packets > 0).then(|| OverflowSum {
        interface: key.interface,
        direction: Direction::ALL[usize::from(key.direction) % Direction::ALL.len()],
        protocol: Protocol(key.protocol),
        version: if key.version == VERSION_4 { IpVersion::V4 } else { IpVersion::V6 },
        counters,
        segments: values.iter().map(|value| value.segments).sum(),
    })
}
