//! The conversations of one IP version in an interval: rows, pending packets and refusals.
//!
//! Takes packets and refusals; gives rows in the order of their first packets. Must not know the other IP version.

use super::Overflow;
use super::verdicts::VerdictCounters;
use crate::account::conversation::{Address, ConversationKey, DirectionSum, Endpoint, OneWay, Way};
use crate::account::flow::Counters;
use crate::account::refusals::{Refusals, Refused};
use crate::locality::{Classifier, Direction};
use crate::packet::{Packet, Refusal, TcpFlags, Timestamp};
use crate::policy::{Networks, Verdict};
use crate::tables::hashing::State;
use crate::tables::probe::{self, ProbeTable};

/// The most rows in each table unless a limit on memory says fewer, reached when the accountant is late. Further
/// packets count as overflow.
pub(super) const MAXIMUM_ROWS: usize = 32_768;
const _: () = assert!(MAXIMUM_ROWS <= probe::MOST);

/// Packets that are looked up together.
const BATCH: usize = 32;

/// A conversation between two hand-overs.
#[derive(Debug, Clone)]
pub struct Row<A: Address> {
    /// The conversation.
    pub key: ConversationKey<A>,
    /// The counters of each direction, forward first.
    pub ways: [OneWay; 2],
}

impl<A: Address> Row<A> {
    /// Adds the row that `packet` opens. A blank row is filled in place. If it were built first and then moved, the
    /// processor would read it in other widths than it was written in, and stall.
    #[inline]
    fn open(rows: &mut Vec<Self>, packet: &PendingPacket<A>, direction: Direction) {
        let at = rows.len();
        rows.push(Self::BLANK);
        let row = &mut rows[at];
        row.key = packet.key;
        let (way, other) = (packet.way as usize, packet.way.reversed() as usize);
        row.ways[way].open();
        row.ways[way].direction = direction;
        row.ways[other].direction = direction.reversed();
    }

    /// The row of a conversation that was counted elsewhere. The first packet went `opener`; `direction` is that of the
    /// packets that go forward.
    pub(super) fn counted(
        key: ConversationKey<A>,
        opener: Way,
        sums: [Option<DirectionSum>; 2],
        direction: Direction,
    ) -> Self {
        let mut ways = sums.map(|sum| sum.map_or(OneWay::NOTHING, OneWay::from));
        ways[opener as usize].open();
        ways[Way::Forward as usize].direction = direction;
        ways[Way::Backward as usize].direction = direction.reversed();
        Self { key, ways }
    }

    const BLANK: Self = Self { key: ConversationKey::BLANK, ways: [OneWay::NOTHING; 2] };

    /// Marks directions that were refused before the row was made.
    #[cold]
    fn mark(&mut self, hash: u64, refusals: &Refusals<A>) {
        for way in Way::BOTH {
            if refusals.holds(hash, &self.key, way) {
                self.ways[way as usize].refuse();
            }
        }
    }

    /// True for each direction that has packets, forward first.
    #[inline(always)]
    pub(crate) fn has_packets(&self) -> [bool; 2] {
        let [forward, backward] = &self.ways;
        [forward.packets > 0, backward.packets > 0]
    }

    /// Calls `each` for each direction that has packets, forward first. (Written out: a loop is slower.)
    #[inline(always)]
    pub(crate) fn each_way(&self, mut each: impl FnMut(Way, &OneWay)) {
        let [forward, backward] = &self.ways;
        if forward.packets > 0 {
            each(Way::Forward, forward);
        }
        if backward.packets > 0 {
            each(Way::Backward, backward);
        }
    }

    /// The [`Direction`] of the packets that go `way`, relative to the local networks.
    #[inline]
    pub(crate) fn direction(&self, way: Way) -> Direction {
        self.ways[way as usize].direction
    }

    /// The direction of the first packet, forward or backward.
    #[inline]
    pub fn opener(&self) -> Way {
        if self.ways[Way::Forward as usize].opens() { Way::Forward } else { Way::Backward }
    }
}

/// The conversations of one IP version in the order of their first packets, bounded.
#[derive(Debug)]
pub(super) struct IntervalTable<A: Address> {
    most_rows: usize,
    pub(super) rows: Vec<Row<A>>,
    /// The number of the frame that made each row.
    pub(super) made_by: Vec<u32>,
    positions: ProbeTable,
    pending: Vec<PendingPacket<A>>,
    pub(super) refusals: Refusals<A>,
}

impl<A: Address> IntervalTable<A> {
    /// An empty table for `most_rows` rows and as many refusals, at most [`MAXIMUM_ROWS`].
    pub(super) fn new(most_rows: usize) -> Self {
        let most_rows = most_rows.clamp(BATCH, MAXIMUM_ROWS);
        Self {
            most_rows,
            rows: Vec::new(),
            made_by: Vec::new(),
            positions: ProbeTable::new(),
            pending: Vec::with_capacity(BATCH),
            refusals: Refusals::new(most_rows),
        }
    }

    /// The most rows.
    #[inline]
    pub(super) const fn most_rows(&self) -> usize {
        self.most_rows
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row<A>>()
            + self.made_by.capacity() * size_of::<u32>()
            + self.pending.capacity() * size_of::<PendingPacket<A>>()
            + self.positions.memory_bytes()
            + self.refusals.memory_bytes()
    }

    pub(super) fn clear(&mut self) {
        self.positions.clear_for((self.rows.len() + BATCH).min(self.most_rows));
        self.rows.clear();
        self.made_by.clear();
        self.pending.clear();
        self.refusals.clear();
    }

    /// Adds a pending packet; true when it is time to look them up.
    #[inline(always)]
    pub(super) fn push(&mut self, packet: &Packet, number: u32, source: A, destination: A, state: &State) -> bool {
        let source = Endpoint { address: source, port: packet.source_port };
        let destination = Endpoint { address: destination, port: packet.destination_port };
        let (key, way) = ConversationKey::new(source, destination, packet.protocol);
        let hash = key.hash_under(state);
        let Packet { time, bytes, tcp_flags: flags, has_payload, icmp_type, .. } = *packet;
        self.pending.push(PendingPacket { hash, key, time, bytes, number, way, flags, has_payload, icmp_type });
        self.pending.len() == BATCH
    }

    /// Counts the pending packets in their rows, or in `overflow` if there is no space for a row.
    pub(super) fn settle(
        &mut self,
        state: &State,
        classifier: &Classifier,
        policy: Option<&Networks>,
        overflow: &mut Overflow,
    ) {
        let Self { most_rows, rows, made_by, positions, pending, refusals } = self;
        let count = (rows.len() + pending.len()).min(*most_rows);
        positions.reserve(count, rows.len(), |at| rows[at].key.hash_under(state));
        // In place: copying a key and reading it back at once would stall the processor.
        for packet in pending.iter() {
            let at = match positions.find(packet.hash, |at| rows[at].key == packet.key) {
                Ok(at) => at,
                Err(vacant) => {
                    let direction = packet.direction(classifier);
                    let at = rows.len();
                    if at >= *most_rows {
                        overflow.count(direction, packet, policy);
                        continue;
                    }
                    positions.fill(vacant, packet.hash, at);
                    Row::open(rows, packet, direction);
                    if !refusals.is_empty() {
                        rows[at].mark(packet.hash, refusals);
                    }
                    made_by.push(packet.number);
                    at
                }
            };
            let &PendingPacket { time, flags, has_payload, icmp_type, bytes, .. } = packet;
            rows[at].ways[packet.way as usize].count(time, flags, has_payload, icmp_type, bytes);
        }
        pending.clear();
    }

    /// Adds counters of a conversation to its row, which is made if need be. False if there is no space for it.
    pub(super) fn add(&mut self, counted: &Row<A>, number: u32, state: &State) -> bool {
        let hash = counted.key.hash_under(state);
        let Self { most_rows, rows, made_by, positions, refusals, .. } = self;
        positions.reserve((rows.len() + 1).min(*most_rows), rows.len(), |at| rows[at].key.hash_under(state));
        match positions.find(hash, |at| rows[at].key == counted.key) {
            Ok(at) => rows[at].ways.iter_mut().zip(&counted.ways).for_each(|(way, counted)| way.add(counted)),
            Err(_) if rows.len() >= *most_rows => return false,
            Err(vacant) => {
                let at = rows.len();
                positions.fill(vacant, hash, at);
                rows.push(counted.clone());
                made_by.push(number);
                if !refusals.is_empty() {
                    rows[at].mark(hash, refusals);
                }
            }
        }
        true
    }

    /// Marks the directions with packets whose senders are not permitted. Gives the sums of all, by verdict.
    pub(super) fn judge(&mut self, policy: &Networks) -> VerdictCounters {
        let mut sums = VerdictCounters::default();
        for row in &mut self.rows {
            for way in Way::BOTH {
                let counted = &mut row.ways[way as usize];
                if counted.packets > 0 {
                    let verdict = policy.verdict(row.key.endpoints(way).0.address.into());
                    if verdict == Verdict::NotPermitted {
                        counted.forbid();
                    }
                    sums.add(verdict, Counters { packets: u64::from(counted.packets), bytes: counted.bytes });
                }
            }
        }
        sums
    }

    /// Adds the refusal of the conversation that an error quotes, and marks its row if there is one. A row that is made
    /// later is marked then, so the result does not depend on the pending packets.
    pub(super) fn refuse(&mut self, refusal: &Refusal, number: u32, source: A, destination: A, state: &State) {
        let source = Endpoint { address: source, port: refusal.source_port };
        let destination = Endpoint { address: destination, port: refusal.destination_port };
        let (key, way) = ConversationKey::new(source, destination, refusal.protocol);
        let hash = key.hash_under(state);
        let Self { rows, positions, refusals, .. } = self;
        if refusals.note(hash, Refused { key, way, time: refusal.time }, number, state)
            && let Ok(at) = positions.find(hash, |at| rows[at].key == key)
        {
            rows[at].ways[way as usize].refuse();
        }
    }
}

/// A packet whose row is not looked up yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingPacket<A: Address> {
    hash: u64,
    pub(super) key: ConversationKey<A>,
    time: Timestamp,
    pub(super) bytes: u32,
    number: u32,
    pub(super) way: Way,
    flags: TcpFlags,
    has_payload: bool,
    icmp_type: Option<u8>,
}

impl<A: Address> PendingPacket<A> {
    fn direction(&self, classifier: &Classifier) -> Direction {
        let (source, destination) = self.key.endpoints(self.way);
        classifier.direction(&A::pair(source.address, destination.address))
    }
}
