//! What one capture thread counted between two hand-overs: one bounded table of conversations.
//!
//! The packet path ends here, so nothing in [`Interval::observe`] allocates in steady state, locks or logs. Packets are
//! looked up in small batches, which lets the cache misses of neighbours overlap.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::conversation::{Address, ConversationKey, Endpoint, OneWay, Way};
use super::flow::Counters;
use super::hashing::{self, State};
use super::shares::Fill;
use crate::decode::NotIp;
use crate::locality::{Classifier, Direction};
use crate::packet::{Addresses, IpVersion, Packet, Protocol, TcpFlags, Timestamp};

/// Rows that an interval holds at most in each of its two tables, when the accountant is late. What comes then counts
/// in [`Interval::overflow`].
const MAXIMUM_ROWS: usize = 32_768;

/// Packets that wait to be looked up together.
const BATCH: usize = 32;

/// A conversation between two hand-overs.
#[derive(Debug, Clone)]
pub struct Row<A> {
    /// Whose it is.
    pub key: ConversationKey<A>,
    /// What was counted each way, up first.
    pub ways: [OneWay; 2],
    /// The direction of the packets that go up.
    pub up_direction: Direction,
    /// The way of the first packet.
    pub opener: Way,
}

impl<A: Address> Row<A> {
    fn opened_by(packet: &Waiting<A>, direction: Direction) -> Self {
        let up_direction = match packet.way {
            Way::Up => direction,
            Way::Down => direction.reversed(),
        };
        Self { key: packet.key, ways: Default::default(), up_direction, opener: packet.way }
    }

    /// The direction of the packets that go `way`.
    #[must_use]
    #[inline]
    pub fn direction(&self, way: Way) -> Direction {
        match way {
            Way::Up => self.up_direction,
            Way::Down => self.up_direction.reversed(),
        }
    }
}

/// The conversations of one IP version in the order of their first packets, bounded.
#[derive(Debug)]
struct Table<A> {
    rows: Vec<Row<A>>,
    /// The number of the frame that made each row.
    made_by: Vec<u32>,
    index: HashTable<u32>,
    waiting: Vec<Waiting<A>>,
}

impl<A: Address> Table<A> {
    fn new() -> Self {
        Self { rows: Vec::new(), made_by: Vec::new(), index: HashTable::new(), waiting: Vec::with_capacity(BATCH) }
    }

    fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row<A>>()
            + self.made_by.capacity() * size_of::<u32>()
            + self.waiting.capacity() * size_of::<Waiting<A>>()
            + self.index.allocation_size()
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.made_by.clear();
        self.index.clear();
        self.waiting.clear();
    }

    /// Puts a packet among the waiting; true when it is time to look them up.
    #[inline]
    fn push(&mut self, packet: &Packet, number: u32, source: A, destination: A, state: &State) -> bool {
        let source = Endpoint { address: source, port: packet.source_port };
        let destination = Endpoint { address: destination, port: packet.destination_port };
        let (key, way) = ConversationKey::new(source, destination, packet.protocol);
        let hash = key.hash_under(state);
        let Packet { time, bytes, tcp_flags: flags, .. } = *packet;
        self.waiting.push(Waiting { hash, key, time, bytes, number, way, flags });
        self.waiting.len() == BATCH
    }

    /// Counts the waiting packets in their rows, or in `overflow` where there is no room for a row.
    fn settle(&mut self, state: &State, classifier: &Classifier, overflow: &mut Overflow) {
        let Self { rows, made_by, index, waiting } = self;
        // Where they wait, not taken out first: to copy a key and read it back at once stalls the processor.
        for packet in waiting.iter() {
            let is_same = |&at: &u32| rows[at as usize].key == packet.key;
            let at = match index.entry(packet.hash, is_same, |&at| rows[at as usize].key.hash_under(state)) {
                Entry::Occupied(found) => *found.get() as usize,
                Entry::Vacant(vacant) => {
                    let direction = packet.direction(classifier);
                    let at = rows.len();
                    if at >= MAXIMUM_ROWS {
                        overflow.count(direction, packet);
                        continue;
                    }
                    vacant.insert(at as u32);
                    rows.push(Row::opened_by(packet, direction));
                    made_by.push(packet.number);
                    at
                }
            };
            rows[at].ways[packet.way as usize].count(packet.time, packet.flags, packet.bytes);
        }
        waiting.clear();
    }
}

/// A packet whose row is not looked up yet.
#[derive(Debug, Clone, Copy)]
struct Waiting<A> {
    hash: u64,
    key: ConversationKey<A>,
    time: Timestamp,
    bytes: u32,
    number: u32,
    way: Way,
    flags: TcpFlags,
}

impl<A: Address> Waiting<A> {
    fn direction(&self, classifier: &Classifier) -> Direction {
        let (source, destination) = self.key.endpoints(self.way);
        classifier.direction(&A::pair(source.address, destination.address))
    }
}

/// Frames and their bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounters {
    /// The number of frames.
    pub frames: u64,
    /// The sum of their lengths on the wire, link headers included.
    pub bytes: u64,
}

impl FrameCounters {
    /// Counts one frame of `bytes` bytes on the wire.
    #[inline]
    pub fn count(&mut self, bytes: u32) {
        self.frames += 1;
        self.bytes += u64::from(bytes);
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// What packets without a row counted: at most 4 × 256 × 2 counters.
#[derive(Debug, Clone, Default)]
pub struct Overflow {
    counters: BTreeMap<(Direction, Protocol, IpVersion), Counters>,
}

impl Overflow {
    fn count<A: Address>(&mut self, direction: Direction, packet: &Waiting<A>) {
        let (source, destination) = packet.key.endpoints(packet.way);
        let version = A::pair(source.address, destination.address).ip_version();
        self.counters.entry((direction, packet.key.protocol(), version)).or_default().count(packet.bytes);
    }

    /// The counters in key order.
    pub fn iter(&self) -> impl Iterator<Item = ((Direction, Protocol, IpVersion), Counters)> + '_ {
        self.counters.iter().map(|(&key, &counters)| (key, counters))
    }
}

/// What one capture thread counted between two hand-overs.
#[derive(Debug)]
pub struct Interval {
    state: State,
    classifier: Arc<Classifier>,
    v4: Table<Ipv4Addr>,
    v6: Table<Ipv6Addr>,
    frames: FrameCounters,
    copies: FrameCounters,
    not_ip: [u64; NotIp::ALL.len()],
    overflow: Overflow,
}

impl Interval {
    /// An empty interval. `seed` keeps who chooses addresses from choosing hash collisions.
    #[must_use]
    pub fn new(classifier: Arc<Classifier>, seed: u64) -> Self {
        Self {
            state: hashing::state(seed),
            classifier,
            v4: Table::new(),
            v6: Table::new(),
            frames: FrameCounters::default(),
            copies: FrameCounters::default(),
            not_ip: [0; NotIp::ALL.len()],
            overflow: Overflow::default(),
        }
    }

    /// From here on `classifier` says which way packets go.
    pub fn classify_by(&mut self, classifier: Arc<Classifier>) {
        self.classifier = classifier;
    }

    /// Empties the interval for its next use.
    pub fn reset(&mut self) {
        self.v4.clear();
        self.v6.clear();
        self.frames = FrameCounters::default();
        self.copies = FrameCounters::default();
        self.not_ip = [0; NotIp::ALL.len()];
        self.overflow = Overflow::default();
    }

    /// Who says which way packets go.
    #[must_use]
    pub fn classifier(&self) -> &Arc<Classifier> {
        &self.classifier
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
    #[inline]
    pub fn observe(&mut self, packet: &Packet, wire_bytes: u32) {
        self.observe_nth(packet, wire_bytes, self.frames.frames as u32);
    }

    /// The same where the frame has a number by which several intervals' rows are put into one order.
    #[inline]
    pub fn observe_nth(&mut self, packet: &Packet, wire_bytes: u32, number: u32) {
        self.frames.count(wire_bytes);
        match packet.addresses {
            Addresses::V4 { source, destination } => {
                if self.v4.push(packet, number, source, destination, &self.state) {
                    self.v4.settle(&self.state, &self.classifier, &mut self.overflow);
                }
            }
            Addresses::V6 { source, destination } => {
                if self.v6.push(packet, number, source, destination, &self.state) {
                    self.v6.settle(&self.state, &self.classifier, &mut self.overflow);
                }
            }
        }
    }

    /// Looks up the packets that still wait. Called before the interval is handed over.
    pub fn settle(&mut self) {
        self.v4.settle(&self.state, &self.classifier, &mut self.overflow);
        self.v6.settle(&self.state, &self.classifier, &mut self.overflow);
    }

    /// Whether it holds so much that it should be handed over.
    #[must_use]
    #[inline]
    pub fn is_nearly_full(&self) -> bool {
        self.fill().is_nearly_full()
    }

    /// How much it holds.
    #[must_use]
    #[inline]
    pub fn fill(&self) -> Fill {
        Fill { rows_v4: self.v4.rows.len(), rows_v6: self.v6.rows.len(), frames: self.frames.frames }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.frames == 0 && self.copies.frames == 0
    }

    /// The IPv4 conversations in the order of their first packets.
    #[must_use]
    pub fn rows_v4(&self) -> &[Row<Ipv4Addr>] {
        &self.v4.rows
    }

    /// The IPv6 conversations in the order of their first packets.
    #[must_use]
    pub fn rows_v6(&self) -> &[Row<Ipv6Addr>] {
        &self.v6.rows
    }

    /// The numbers of the frames that made the rows of [`Interval::rows_v4`].
    #[must_use]
    pub fn made_by_v4(&self) -> &[u32] {
        &self.v4.made_by
    }

    /// The numbers of the frames that made the rows of [`Interval::rows_v6`].
    #[must_use]
    pub fn made_by_v6(&self) -> &[u32] {
        &self.v6.made_by
    }

    /// All frames that count, IP or not.
    #[must_use]
    pub fn frames(&self) -> FrameCounters {
        self.frames
    }

    /// The frames that another captured interface showed too, which do not count.
    #[must_use]
    pub fn copies(&self) -> FrameCounters {
        self.copies
    }

    /// The frames that were not IP, in the order of [`NotIp::ALL`].
    #[must_use]
    pub fn not_ip(&self) -> &[u64; NotIp::ALL.len()] {
        &self.not_ip
    }

    /// The memory that the tables take, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes() + self.v6.memory_bytes()
    }

    /// What counted without a row.
    #[must_use]
    pub fn overflow(&self) -> &Overflow {
        &self.overflow
    }
}
