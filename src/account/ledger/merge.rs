//! The merge: adds each row of an interval to the flows and hosts of its two directions, and shows it to the observer.
//!
//! Takes rows; adds to flows, hosts and sums, and gives the rows to the observer in batches. Must not know what the
//! observer looks for.
//!
//! A bounded memory has the positions of each conversation's flows and hosts. So most rows need one look-up, and then
//! two additions for each direction. A conversation is not remembered if its flows found no space and its ports alone
//! decide on the direction of requests. So a flood from invented sources fills nothing.

use std::collections::BTreeMap;

use crate::account::InterfaceId;
use crate::account::conversation::{Address, ConversationKey, Way, request_way, request_way_by_ports};
use crate::account::counter_table::CounterTable;
use crate::account::flow::{Counters, FlowKey, FlowKeying, FlowOf, HostKey, HostOf};
use crate::account::interval::Row;
use crate::account::observer::{BatchMemory, MergedRow, RowBatch, RowObserver};
use crate::locality::Direction;
use crate::packet::{Protocol, Timestamp};
use crate::tables::generations::{Generations, Guess};
use crate::tables::hashing::State;
use crate::tables::index::NOWHERE;
use crate::tables::prefetch;

/// Number of rows whose conversations are looked up together, so that their cache misses overlap.
const LOOKED_UP_AT_ONCE: usize = 64;

type Sums = [Counters; Direction::ALL.len()];

/// The positions of the flow and of the host to which one direction of a conversation is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CounterPositions {
    flow: u32,
    host: u32,
}

impl CounterPositions {
    /// Not looked up yet. ([`NOWHERE`] is the position of a flow or host that found no space in its table.)
    const UNKNOWN: Self = Self { flow: NOWHERE - 1, host: NOWHERE - 1 };

    fn new(flow: Option<u32>, host: Option<u32>) -> Self {
        Self { flow: flow.unwrap_or(NOWHERE), host: host.unwrap_or(NOWHERE) }
    }

    /// The position of the flow; none if it found no space.
    #[inline]
    pub(super) fn flow(self) -> Option<u32> {
        (self.flow != NOWHERE).then_some(self.flow)
    }

    #[inline]
    pub(super) fn host(self) -> Option<u32> {
        (self.host != NOWHERE).then_some(self.host)
    }

    /// True if the flow was looked up and found space.
    #[inline]
    fn has_flow(self) -> bool {
        self != Self::UNKNOWN && self.flow().is_some()
    }
}

/// The part of a conversation that is remembered.
#[derive(Debug, Clone, Copy)]
struct RememberedConversation<N> {
    /// The positions of each direction, forward first.
    positions: [CounterPositions; 2],
    request_way: Way,
    /// The [`Direction`] of the packets that go forward, when the positions were looked up.
    forward_direction: Direction,
    /// True for each direction, forward first, that has had packets.
    seen: [bool; 2],
    notes: N,
}

impl<N: Default> RememberedConversation<N> {
    /// The conversation whose first packets are those of `row`.
    fn of<A: Address>(row: &Row<A>) -> Self {
        let first_flags = row.ways[row.opener() as usize].first_flags();
        Self {
            positions: [CounterPositions::UNKNOWN; 2],
            request_way: request_way(&row.key, row.opener(), first_flags),
            forward_direction: row.direction(Way::Forward),
            seen: [false; 2],
            notes: N::default(),
        }
    }
}

/// The conversations of one IP version, at most about twice as many as flows.
#[derive(Debug)]
pub(super) struct Conversations<A: Address, N> {
    memory: Generations<ConversationKey<A>, RememberedConversation<N>>,
    batch: BatchMemory<A, N>,
}

impl<A: Address, N> Conversations<A, N> {
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.memory_bytes() + self.batch.bytes()
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.memory.forgotten()
    }

    pub(super) fn set_limit(&mut self, max_flows: usize) {
        self.memory.set_limit(max_flows);
    }

    /// Forgets the positions that `is_stale`; the next row looks them up again.
    pub(super) fn forget_positions(&mut self, is_stale: impl Fn(CounterPositions) -> bool) {
        for positions in self.memory.values_mut().flat_map(|conversation| &mut conversation.positions) {
            if *positions != CounterPositions::UNKNOWN && is_stale(*positions) {
                *positions = CounterPositions::UNKNOWN;
            }
        }
    }
}

impl<A: Address, N: Copy + Default> Conversations<A, N> {
    pub(super) fn new(max_flows: usize, state: State) -> Self {
        Self { memory: Generations::new(max_flows, state), batch: BatchMemory::default() }
    }

    /// Reads ahead the memory of a conversation that [`AccountTables::merge_row`] will need. Gives the positions of
    /// both directions; if only one has packets, twice those of that one.
    #[inline(always)]
    fn prefetch(&self, guess: Guess, [has_forward, has_backward]: [bool; 2]) -> Option<[CounterPositions; 2]> {
        let remembered = self.memory.peek(guess)?;
        // Any part of the key, which may lie in another cache line than the value.
        prefetch(remembered.key.protocol());
        Some([usize::from(!has_forward), usize::from(has_backward)].map(|way| remembered.value.positions[way]))
    }

    /// The position of a remembered conversation. If it moves to the younger generation, its notes are dropped as
    /// stale.
    #[inline(always)]
    fn find(&mut self, guess: Guess, key: &ConversationKey<A>) -> Option<u32> {
        self.memory.find(guess, key, |conversation| RememberedConversation { notes: N::default(), ..conversation })
    }

    /// Shows a batch to `observer`, stores the observer's notes with the conversations, and empties the batch. The
    /// positions of the rows are those of the generation number `generation`; if the number has changed since, the
    /// notes are dropped.
    #[inline]
    fn show(
        &mut self,
        batch: &mut RowBatch<'_, A, N>,
        observer: &mut impl RowObserver<Notes = N>,
        generation: &mut u32,
    ) {
        observer.observe(batch);
        if *generation == self.memory.number() {
            let (merged, notes) = batch.merged();
            for (row, notes) in merged.iter().zip(notes) {
                if let Some(conversation) = self.memory.get_mut(row.remembered_at) {
                    conversation.notes = *notes;
                }
            }
        }
        batch.clear();
        *generation = self.memory.number();
    }
}

#[derive(Debug)]
pub(super) struct AccountTables {
    pub(super) flow_keying: FlowKeying,
    pub(super) flows: CounterTable<FlowKey>,
    pub(super) hosts: CounterTable<HostKey>,
    pub(super) by_protocol: ByProtocol,
    /// The time of the latest packet in the interval that was merged last.
    pub(super) latest: Timestamp,
}

impl AccountTables {
    /// Adds rows to their flows and hosts, and shows them to `observer`. Gives the sums of the rows by direction.
    pub(super) fn merge_rows<'a, A: Address + 'a, O: RowObserver>(
        &mut self,
        interface: InterfaceId,
        conversations: &mut Conversations<A, O::Notes>,
        mut rows: impl Iterator<Item = &'a Row<A>> + Clone,
        observer: &mut O,
    ) -> Sums {
        let mut sums = Sums::default();
        let is_observed = observer.is_active();
        let memory = std::mem::take(&mut conversations.batch);
        let mut batch = if is_observed { RowBatch::new(memory) } else { RowBatch::unobserved() };
        let mut generation = conversations.memory.number();
        let mut guesses = [(Guess::NONE, [false; 2]); LOOKED_UP_AT_ONCE];
        loop {
            let mut count = 0;
            for (guess, row) in guesses.iter_mut().zip(rows.clone()) {
                *guess = (conversations.memory.guess(&row.key), row.has_packets());
                count += 1;
            }
            if count == 0 {
                break;
            }
            guesses[..count].iter().for_each(|&(guess, ways)| self.prefetch(conversations.prefetch(guess, ways)));
            for ((guess, _), row) in guesses[..count].iter().zip(rows.by_ref()) {
                let (merged, notes) = self.merge_row(interface, conversations, row, *guess, &mut sums);
                if is_observed {
                    batch.add(merged, notes);
                }
            }
            if batch.len() > RowBatch::<A, O::Notes>::MOST - LOOKED_UP_AT_ONCE {
                conversations.show(&mut batch, observer, &mut generation);
            }
        }
        conversations.show(&mut batch, observer, &mut generation);
        conversations.batch = batch.into_memory();
        sums
    }

    /// Reads ahead the counters of a remembered conversation.
    #[inline(always)]
    fn prefetch(&self, positions: Option<[CounterPositions; 2]>) {
        for positions in positions.into_iter().flatten() {
            self.flows.touch(positions.flow().unwrap_or(NOWHERE));
            self.hosts.touch(positions.host().unwrap_or(NOWHERE));
        }
    }

    /// Adds a row, and remembers its conversation if that helps. Gives the merged row and the observer's notes.
    #[inline(always)]
    fn merge_row<'a, A: Address, N: Copy + Default>(
        &mut self,
        interface: InterfaceId,
        conversations: &mut Conversations<A, N>,
        row: &'a Row<A>,
        guess: Guess,
        sums: &mut Sums,
    ) -> (MergedRow<'a, A>, N) {
        if let Some(at) = conversations.find(guess, &row.key) {
            let conversation = conversations.memory.value_mut(at);
            self.add(row, conversation, sums);
            return merged(interface, row, conversation, true, at);
        }
        let mut conversation = RememberedConversation::of(row);
        self.add(row, &mut conversation, sums);
        let found_space = conversation.positions.iter().any(|positions| positions.has_flow());
        let is_worth_remembering = found_space || request_way_by_ports(&row.key) != Some(conversation.request_way);
        let at = if is_worth_remembering { conversations.memory.insert(guess, row.key, conversation) } else { NOWHERE };
        merged(interface, row, &conversation, false, at)
    }

    /// Adds a row to its flows and hosts, and to `sums` by direction.
    #[inline]
    fn add<A: Address, N>(&mut self, row: &Row<A>, conversation: &mut RememberedConversation<N>, sums: &mut Sums) {
        if conversation.forward_direction != row.direction(Way::Forward) {
            conversation.forward_direction = row.direction(Way::Forward);
            conversation.positions = [CounterPositions::UNKNOWN; 2];
        }
        row.each_way(|way, counted| {
            conversation.seen[way as usize] = true;
            let direction = row.direction(way);
            let counters = Counters { packets: u64::from(counted.packets), bytes: counted.bytes };
            sums[direction as usize].add(counters);
            self.by_protocol.add(direction, row.key.protocol(), counters);
            let positions = &mut conversation.positions[way as usize];
            if *positions == CounterPositions::UNKNOWN {
                *positions = self.look_up(row, way, conversation.request_way);
            }
            self.latest = self.latest.max(counted.last);
            if let Some(flow) = positions.flow() {
                self.flows.add(flow, counters, counted.last);
            }
            if let Some(host) = positions.host() {
                self.hosts.add(host, counters, counted.last);
            }
        });
    }

    /// The positions of the flow and of the host of one direction of `row`. New ones are inserted if there is space.
    fn look_up<A: Address>(&mut self, row: &Row<A>, way: Way, request_way: Way) -> CounterPositions {
        let direction = row.direction(way);
        let (source, destination) = row.key.endpoints(way);
        let (port, reply) = self.flow_keying.port_and_reply(source.port, destination.port, way == request_way);
        let (source, destination) = (source.address, destination.address);
        let protocol = row.key.protocol();
        let first_seen = row.ways[way as usize].first;
        let flow = FlowOf { source, destination, protocol, port, reply, direction };
        CounterPositions::new(
            self.flows.find_or_insert(flow, first_seen),
            self.hosts.find_or_insert(HostOf::for_packets(source, destination, direction), first_seen),
        )
    }
}

#[inline(always)]
fn merged<'a, A: Address, N: Copy>(
    interface: InterfaceId,
    row: &'a Row<A>,
    conversation: &RememberedConversation<N>,
    is_known: bool,
    remembered_at: u32,
) -> (MergedRow<'a, A>, N) {
    let RememberedConversation { request_way, seen, notes, .. } = *conversation;
    (MergedRow { row, interface, is_known, request_way, seen, remembered_at }, notes)
}

#[derive(Debug)]
pub(super) struct ByProtocol(Vec<Sums>);

impl Default for ByProtocol {
    fn default() -> Self {
        Self(vec![Default::default(); 256])
    }
}

impl ByProtocol {
    #[inline]
    pub(super) fn add(&mut self, direction: Direction, protocol: Protocol, counters: Counters) {
        self.0[usize::from(protocol.0)][direction as usize].add(counters);
    }

    pub(super) fn to_map(&self) -> BTreeMap<(Direction, Protocol), Counters> {
        let counted = self.0.iter().zip(0..=u8::MAX).flat_map(|(by_direction, protocol)| {
            Direction::ALL.map(|direction| ((direction, Protocol(protocol)), by_direction[direction as usize]))
        });
        counted.filter(|(_, counters)| !counters.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::account::conversation::Endpoint;
    use crate::tables::generations::Remembered;
    use crate::tables::hashing;

    /// Notes of the size that detection takes.
    type Notes = [u32; 5];

    fn key(port: u16) -> ConversationKey<Ipv4Addr> {
        let client = Endpoint { address: Ipv4Addr::new(192, 0, 2, 1), port };
        let server = Endpoint { address: Ipv4Addr::new(198, 51, 100, 1), port: 443 };
        ConversationKey::new(client, server, Protocol::TCP).0
    }

    /// A conversation whose forward packets are added to a flow.
    fn conversation(flow: u32) -> RememberedConversation<()> {
        let positions = [CounterPositions::new(Some(flow), None), CounterPositions::UNKNOWN];
        let (request_way, forward_direction) = (Way::Forward, Direction::Transit);
        RememberedConversation { positions, request_way, forward_direction, seen: [true, false], notes: () }
    }

    #[test]
    fn a_conversation_takes_as_much_memory_as_the_runbooks_say() {
        type MemoryEntry<A> = Remembered<ConversationKey<A>, RememberedConversation<Notes>>;
        assert_eq!((size_of::<MemoryEntry<Ipv4Addr>>(), size_of::<MemoryEntry<Ipv6Addr>>()), (56, 80));
    }

    #[test]
    fn positions_that_are_stale_are_forgotten_in_both_generations() {
        let mut conversations = Conversations::new(8, hashing::state(1));
        for port in 0..12 {
            let guess = conversations.memory.guess(&key(port));
            conversations.memory.insert(guess, key(port), conversation(port.into()));
        }
        conversations.forget_positions(|positions| positions.flow().is_some_and(|flow| flow % 2 == 0));
        for port in 6..12 {
            let guess = conversations.memory.guess(&key(port));
            let at = conversations.find(guess, &key(port)).unwrap();
            let positions = conversations.memory.value_mut(at).positions;
            assert_eq!(positions[0] == CounterPositions::UNKNOWN, port % 2 == 0, "{port}");
        }
    }
}
