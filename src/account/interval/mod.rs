//! The interval: what one capture thread counted between two hand-overs, in a bounded table of conversations.
//!
//! Takes packets; gives rows in the order of their first packets. Must not know the ledger.
//!
//! The packet path ends here, so [`Interval::observe`] neither allocates in steady state nor locks or logs. Packets are
//! looked up in small batches, so that cache misses overlap.

mod counted;
pub mod partial;
mod table;
mod verdicts;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::conversation::Address;
use super::fill::Fill;
use super::flow::Counters;
use super::refusals::Refused;
use crate::decode::NotIp;
use crate::locality::{Classifier, Direction};
use crate::packet::{Addresses, IpVersion, Packet, Protocol, Refusal, Resolution};
use crate::policy::{Networks, Verdict};
use crate::tables::hashing::{self, State};
pub use counted::{CountedConversation, KernelSums};
pub use table::Row;
use table::{IntervalTable, MAXIMUM_ROWS, PendingPacket};
pub use verdicts::VerdictCounters;

/// Frames and their bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounters {
    /// Number of frames.
    pub frames: u64,
    /// Sum of their lengths on the wire, link headers included.
    pub bytes: u64,
}

impl FrameCounters {
    /// Counts one frame of `bytes` bytes on the wire.
    #[inline]
    pub(crate) fn count(&mut self, bytes: u32) {
        self.frames += 1;
        self.bytes += u64::from(bytes);
    }

    /// Adds other counters.
    pub(crate) fn add(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// The counters of packets without a row: at most 4 × 256 × 2.
#[derive(Debug, Clone, Default)]
pub struct Overflow {
    counters: BTreeMap<(Direction, Protocol, IpVersion), Counters>,
    /// All zero without a policy.
    verdicts: VerdictCounters,
}

impl Overflow {
    fn add(&mut self, key: (Direction, Protocol, IpVersion), counters: Counters) {
        self.counters.entry(key).or_default().add(counters);
    }

    fn count<A: Address>(&mut self, direction: Direction, packet: &PendingPacket<A>, policy: Option<&Networks>) {
        let (source, destination) = packet.key.endpoints(packet.way);
        if let Some(policy) = policy {
            let counters = Counters { packets: 1, bytes: u64::from(packet.bytes) };
            self.verdicts.add(policy.verdict(source.address.into()), counters);
        }
        let version = A::pair(source.address, destination.address).ip_version();
        self.counters.entry((direction, packet.key.protocol(), version)).or_default().count(packet.bytes);
    }

    /// Packets of sources that are not permitted.
    pub fn not_permitted(&self) -> u64 {
        self.verdicts.of(Verdict::NotPermitted).packets
    }

    /// The counters in key order.
    pub fn iter(&self) -> impl Iterator<Item = ((Direction, Protocol, IpVersion), Counters)> + '_ {
        self.counters.iter().map(|(&key, &counters)| (key, counters))
    }
}

/// An interval.
#[derive(Debug)]
pub struct Interval {
    state: State,
    classifier: Arc<Classifier>,
    policy: Option<Arc<Networks>>,
    verdicts: VerdictCounters,
    v4: IntervalTable<Ipv4Addr>,
    v6: IntervalTable<Ipv6Addr>,
    frames: FrameCounters,
    copies: FrameCounters,
    not_ip: [u64; NotIp::ALL.len()],
    overflow: Overflow,
    kernel: Option<KernelSums>,
    resolutions: Vec<Resolution>,
    resolutions_lost: u64,
}

/// The most messages of address resolution in an interval.
const MAXIMUM_RESOLUTIONS: usize = 8_192;

impl Interval {
    /// An empty interval. `seed` prevents senders from choosing addresses whose hashes collide.
    pub fn new(classifier: Arc<Classifier>, seed: u64) -> Self {
        Self {
            state: hashing::state(seed),
            classifier,
            policy: None,
            verdicts: VerdictCounters::default(),
            v4: IntervalTable::new(MAXIMUM_ROWS),
            v6: IntervalTable::new(MAXIMUM_ROWS),
            frames: FrameCounters::default(),
            copies: FrameCounters::default(),
            not_ip: [0; NotIp::ALL.len()],
            overflow: Overflow::default(),
            kernel: None,
            resolutions: Vec::new(),
            resolutions_lost: 0,
        }
    }

    /// Lets an empty interval have at most `most_rows` rows of each IP version, and as many refusals.
    pub(crate) fn bound(&mut self, most_rows: usize) {
        (self.v4, self.v6) = (IntervalTable::new(most_rows), IntervalTable::new(most_rows));
    }

    /// Sets the classifier that decides the direction of packets from here on.
    pub fn classify_by(&mut self, classifier: Arc<Classifier>) {
        self.classifier = classifier;
    }

    /// Sets the policy that judges the sources of packets, from the next call of [`Interval::close`] on; none judges
    /// nothing.
    pub fn judge_by(&mut self, policy: Option<Arc<Networks>>) {
        self.policy = policy;
    }

    /// Empties the interval for its next use.
    pub fn reset(&mut self) {
        self.verdicts = VerdictCounters::default();
        self.v4.clear();
        self.v6.clear();
        self.frames = FrameCounters::default();
        self.copies = FrameCounters::default();
        self.not_ip = [0; NotIp::ALL.len()];
        self.overflow = Overflow::default();
        self.kernel = None;
        self.resolutions.clear();
        self.resolutions_lost = 0;
    }

    /// Counts a frame that is not IP.
    #[inline]
    pub fn observe_not_ip(&mut self, reason: NotIp, wire_bytes: u32) {
        self.frames.count(wire_bytes);
        self.not_ip[reason as usize] += 1;
    }

    /// Counts a frame that is left out because another captured interface shows it too.
    #[inline]
    pub fn observe_copy(&mut self, wire_bytes: u32) {
        self.copies.count(wire_bytes);
    }

    /// Counts a packet whose frame had `wire_bytes` bytes on the wire.
    #[inline(always)]
    pub fn observe(&mut self, packet: &Packet, wire_bytes: u32) {
        self.observe_nth(packet, wire_bytes, self.frames.frames as u32);
    }

    /// As [`Interval::observe`], with the number of the frame. The numbers give the rows of partial intervals one
    /// order.
    #[inline(always)]
    pub fn observe_nth(&mut self, packet: &Packet, wire_bytes: u32, number: u32) {
        self.frames.count(wire_bytes);
        match packet.addresses {
            Addresses::V4 { source, destination } => {
                if self.v4.push(packet, number, source, destination, &self.state) {
                    self.v4.settle(&self.state, &self.classifier, self.policy.as_deref(), &mut self.overflow);
                }
            }
            Addresses::V6 { source, destination } => {
                if self.v6.push(packet, number, source, destination, &self.state) {
                    self.v6.settle(&self.state, &self.classifier, self.policy.as_deref(), &mut self.overflow);
                }
            }
        }
    }

    /// Marks the conversation of a refused packet as refused. This makes no row and changes no counter.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.refuse_nth(refusal, self.frames.frames as u32);
    }

    /// As [`Interval::refuse`], with the number of the frame that has the error.
    pub fn refuse_nth(&mut self, refusal: &Refusal, number: u32) {
        match refusal.addresses {
            Addresses::V4 { source, destination } => {
                self.v4.refuse(refusal, number, source, destination, &self.state);
            }
            Addresses::V6 { source, destination } => {
                self.v6.refuse(refusal, number, source, destination, &self.state);
            }
        }
    }

    /// Notes a message of address resolution. No counter of packets changes.
    pub fn resolve(&mut self, resolution: &Resolution) {
        if self.resolutions.len() < MAXIMUM_RESOLUTIONS {
            self.resolutions.push(*resolution);
        } else {
            self.resolutions_lost += 1;
        }
    }

    /// Looks up the pending packets.
    pub fn settle(&mut self) {
        let policy = self.policy.as_deref();
        self.v4.settle(&self.state, &self.classifier, policy, &mut self.overflow);
        self.v6.settle(&self.state, &self.classifier, policy, &mut self.overflow);
    }

    /// Looks up the pending packets, and judges the sources of all rows by the policy. Called once, before the interval is
    /// merged. (So each direction of a conversation is judged once in an interval, and never on the way of a packet.)
    pub fn close(&mut self) {
        self.settle();
        let Self { policy, v4, v6, verdicts, overflow, .. } = self;
        verdicts.add_all(&overflow.verdicts);
        if let Some(policy) = policy {
            verdicts.add_all(&v4.judge(policy));
            verdicts.add_all(&v6.judge(policy));
        }
    }

    /// Adds packets without a row that were judged elsewhere.
    pub fn add_verdicts(&mut self, judged: &VerdictCounters) {
        self.overflow.verdicts.add_all(judged);
    }

    /// The packets by verdict, after [`Interval::close`]; all zero without a policy.
    pub fn verdicts(&self) -> &VerdictCounters {
        &self.verdicts
    }

    /// True if it should be handed over.
    #[inline]
    pub fn is_nearly_full(&self) -> bool {
        let fill = self.fill();
        fill.is_nearly_full() || fill.most() >= self.v4.most_rows() / 2
    }

    /// Its fill.
    #[inline]
    pub fn fill(&self) -> Fill {
        Fill {
            rows_v4: self.v4.rows.len(),
            rows_v6: self.v6.rows.len(),
            refusals: self.v4.refusals.as_slice().len() + self.v6.refusals.as_slice().len(),
            frames: self.frames.frames,
        }
    }

    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.frames.frames == 0 && self.copies.frames == 0
    }

    /// The IPv4 conversations in the order of their first packets.
    pub fn rows_v4(&self) -> &[Row<Ipv4Addr>] {
        &self.v4.rows
    }

    /// The IPv6 conversations in the order of their first packets.
    pub fn rows_v6(&self) -> &[Row<Ipv6Addr>] {
        &self.v6.rows
    }

    /// The IPv4 refusals in the order of the errors, each direction of a conversation once.
    pub fn refused_v4(&self) -> &[Refused<Ipv4Addr>] {
        self.v4.refusals.as_slice()
    }

    /// The IPv6 refusals likewise.
    pub fn refused_v6(&self) -> &[Refused<Ipv6Addr>] {
        self.v6.refusals.as_slice()
    }

    /// Number of errors whose refusal found no space, so that their packets are not known as refused.
    pub(crate) fn refusals_lost(&self) -> u64 {
        self.v4.refusals.lost() + self.v6.refusals.lost()
    }

    /// The messages of address resolution in the order of their frames.
    pub fn resolutions(&self) -> &[Resolution] {
        &self.resolutions
    }

    /// Messages of address resolution that found no room.
    pub const fn resolutions_lost(&self) -> u64 {
        self.resolutions_lost
    }

    /// All frames that count, IP or not.
    pub fn frames(&self) -> FrameCounters {
        self.frames
    }

    /// The frames that do not count, because another captured interface showed them too.
    pub(crate) fn copies(&self) -> FrameCounters {
        self.copies
    }

    /// The frames that were not IP, in the order of [`NotIp::ALL`].
    pub(crate) fn not_ip(&self) -> &[u64; NotIp::ALL.len()] {
        &self.not_ip
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        let resolutions = self.resolutions.capacity() * size_of::<Resolution>();
        self.v4.memory_bytes() + self.v6.memory_bytes() + resolutions
    }

    /// The counters of packets without a row.
    pub fn overflow(&self) -> &Overflow {
        &self.overflow
    }
}

#[cfg(test)]
mod tests;
