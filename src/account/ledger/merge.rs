//! The merge: each row of an interval is added to its two flows and hosts, and shown to the observer.
//!
//! Takes rows; adds to flows, hosts and sums, and gives the rows to the observer in batches. A bounded memory holds the
//! positions at which each conversation counts, so that the common case is one look-up a row and two additions a way.
//! Conversations that found no room, and that any later packet would decide alike, are not remembered: a flood from
//! invented sources fills nothing. Must not know what the observer looks for.

use std::collections::BTreeMap;

use crate::account::InterfaceId;
use crate::account::conversation::{Address, ConversationKey, Endpoint, Way, request_way, request_way_by_ports};
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

/// Rows whose conversations are looked up together, so that their cache misses overlap.
const LOOKED_UP_AT_ONCE: usize = 64;

type Sums = [Counters; Direction::ALL.len()];

/// The positions of the flow and of the host for which one way of a conversation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CounterPositions {
    flow: u32,
    host: u32,
}

impl CounterPositions {
    /// Not looked up yet. ([`NOWHERE`] is the position of a flow or host that found no room.)
    const UNKNOWN: Self = Self { flow: NOWHERE - 1, host: NOWHERE - 1 };

    fn new(flow: Option<u32>, host: Option<u32>) -> Self {
        Self { flow: flow.unwrap_or(NOWHERE), host: host.unwrap_or(NOWHERE) }
    }

    /// The flow's position; none when it found no room.
    #[inline]
    pub(super) fn flow(self) -> Option<u32> {
        (self.flow != NOWHERE).then_some(self.flow)
    }

    #[inline]
    pub(super) fn host(self) -> Option<u32> {
        (self.host != NOWHERE).then_some(self.host)
    }

    /// True if it is known that the flow found room.
    #[inline]
    fn has_flow(self) -> bool {
        self != Self::UNKNOWN && self.flow().is_some()
    }
}

/// The part of a conversation that is remembered.
#[derive(Debug, Clone, Copy)]
struct RememberedConversation<N> {
    /// By way, forward first.
    positions: [CounterPositions; 2],
    request_way: Way,
    /// The traffic direction of the packets that go forward, when the positions were looked up.
    forward_direction: Direction,
    /// True for each way, forward first, that had packets.
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

    /// Forgets all positions for which `is_stale` holds; the next packet looks them up again.
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

    /// Reads the memory that [`AccountTables::merge_row`] will need of a conversation, and gives the positions at which its packets
    /// count: those of both ways, or twice those of the only one.
    #[inline(always)]
    fn prefetch(&self, guess: Guess, [has_forward, has_backward]: [bool; 2]) -> Option<[CounterPositions; 2]> {
        let remembered = self.memory.peek(guess)?;
        // Any part of the key: it may lie in another cache line.
        prefetch(remembered.key.protocol());
        Some([usize::from(!has_forward), usize::from(has_backward)].map(|way| remembered.value.positions[way]))
    }

    /// The position of a remembered conversation. A change of generations drops notes, which may be stale.
    #[inline(always)]
    fn find(&mut self, guess: Guess, key: &ConversationKey<A>) -> Option<u32> {
        self.memory.find(guess, key, |conversation| RememberedConversation { notes: N::default(), ..conversation })
    }

    /// Shows a batch to `observer`, stores its notes with the conversations, and empties the batch. The rows were merged
    /// since the younger generation had the number `generation`; if it has another one now, the notes are dropped.
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
    /// The latest packet of what was merged last.
    pub(super) latest: Timestamp,
}

impl AccountTables {
    /// Adds rows to their flows and hosts, and shows them to `observer`; gives their sums by direction.
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

    /// Reads the counters of a remembered conversation.
    #[inline(always)]
    fn prefetch(&self, positions: Option<[CounterPositions; 2]>) {
        for positions in positions.into_iter().flatten() {
            self.flows.touch(positions.flow().unwrap_or(NOWHERE));
            self.hosts.touch(positions.host().unwrap_or(NOWHERE));
        }
    }

    /// Adds a row of a conversation that is remembered or not; gives the merged row and the observer's notes.
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
        let found_room = conversation.positions.iter().any(|positions| positions.has_flow());
        let is_worth_it = found_room || request_way_by_ports(&row.key) != Some(conversation.request_way);
        let at = if is_worth_it { conversations.memory.insert(guess, row.key, conversation) } else { NOWHERE };
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

    /// The positions of the flow and host of the packets of `row` that go `way`; they are inserted if there is room.
    fn look_up<A: Address>(&mut self, row: &Row<A>, way: Way, request_way: Way) -> CounterPositions {
        let direction = row.direction(way);
        let (source, destination) = row.key.endpoints(way);
        let (port, reply) = port_and_reply(self.flow_keying, source, destination, way == request_way);
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

fn port_and_reply<A>(
    keying: FlowKeying,
    source: Endpoint<A>,
    destination: Endpoint<A>,
    is_request: bool,
) -> (u16, bool) {
    let has_ports = source.port != 0 || destination.port != 0;
    match keying {
        FlowKeying::Service if has_ports && !is_request => (source.port, true),
        FlowKeying::Service | FlowKeying::DestinationPort => (destination.port, false),
        FlowKeying::Pair => (0, false),
    }
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
    use crate::tables::generations::Remembered;
    use crate::tables::hashing;

    /// Notes of the size that detection takes.
    type Notes = [u32; 5];

    fn key(port: u16) -> ConversationKey<Ipv4Addr> {
        let client = Endpoint { address: Ipv4Addr::new(192, 0, 2, 1), port };
        let server = Endpoint { address: Ipv4Addr::new(198, 51, 100, 1), port: 443 };
        ConversationKey::new(client, server, Protocol::TCP).0
    }

    /// A conversation whose packets up count for a flow.
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
