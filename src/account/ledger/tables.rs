//! What rows are added to: flows, hosts, and sums by protocol.

use std::collections::BTreeMap;

use super::conversations::{Conversation, Conversations, Place, Spot};
use crate::account::conversation::{Address, Endpoint, Way, request_way_by_ports};
use crate::account::counter_table::CounterTable;
use crate::account::flow::{Counters, FlowKey, FlowKeying, FlowOf, HostKey, HostOf};
use crate::account::interface::InterfaceId;
use crate::account::interval::Row;
use crate::account::observer::{MergedRow, RowBatch, RowObserver, SlotHints};
use crate::locality::Direction;
use crate::packet::{Protocol, Timestamp};
use crate::tables::index::NOWHERE;

/// Rows whose conversations are sought together, so that their cache misses overlap.
const SOUGHT_AT_ONCE: usize = 64;

/// Packets and bytes by direction.
type Sums = [Counters; Direction::ALL.len()];

/// What rows are added to.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) flow_keying: FlowKeying,
    pub(super) flows: CounterTable<FlowKey>,
    pub(super) hosts: CounterTable<HostKey>,
    pub(super) by_protocol: ByProtocol,
    /// The latest packet of what was merged last.
    pub(super) latest: Timestamp,
}

/// All packets and bytes by direction and protocol.
#[derive(Debug)]
pub(super) struct ByProtocol(Vec<[Counters; Direction::ALL.len()]>);

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

impl Tables {
    /// Adds rows to their flows and hosts, and tells `observer` of each; gives their sums by direction.
    pub(super) fn merge_rows<'a, A: Address + 'a>(
        &mut self,
        interface: InterfaceId,
        conversations: &mut Conversations<A>,
        mut rows: impl Iterator<Item = &'a Row<A>> + Clone,
        observer: &mut impl RowObserver,
    ) -> Sums {
        let mut sums = Sums::default();
        let is_told = observer.is_there();
        let mut batch = if is_told { conversations.new_batch() } else { RowBatch::for_nobody() };
        let mut turns = conversations.turns();
        let mut spots = [Spot::NONE; SOUGHT_AT_ONCE];
        loop {
            let mut count = 0;
            for (spot, row) in spots.iter_mut().zip(rows.clone()) {
                *spot = conversations.seek(&row.key, row.has_packets());
                count += 1;
            }
            if count == 0 {
                break;
            }
            spots[..count].iter().for_each(|spot| self.touch(conversations, *spot));
            for (spot, row) in spots[..count].iter().zip(rows.by_ref()) {
                let (merged, hints) = self.merge_row(interface, conversations, row, *spot, &mut sums);
                if is_told {
                    batch.add(merged, hints);
                }
            }
            if batch.len() > RowBatch::<A>::MOST - SOUGHT_AT_ONCE {
                tell(observer, conversations, &mut batch, turns);
                turns = conversations.turns();
            }
        }
        tell(observer, conversations, &mut batch, turns);
        conversations.keep_memory(batch);
        sums
    }

    /// Reads what the row of a remembered conversation will be added to.
    #[inline(always)]
    fn touch<A: Address>(&self, conversations: &Conversations<A>, spot: Spot) {
        if let Some(places) = conversations.touch(spot) {
            for place in places {
                self.flows.touch(place.flow().unwrap_or(NOWHERE));
                self.hosts.touch(place.host().unwrap_or(NOWHERE));
            }
        }
    }

    /// Adds a row, of a conversation that is remembered or not, and gives what there is to tell of it.
    #[inline(always)]
    fn merge_row<'a, A: Address>(
        &mut self,
        interface: InterfaceId,
        conversations: &mut Conversations<A>,
        row: &'a Row<A>,
        spot: Spot,
        sums: &mut Sums,
    ) -> (MergedRow<'a, A>, [SlotHints; 2]) {
        if let Some(at) = conversations.find(spot, &row.key) {
            let conversation = conversations.at_mut(at);
            self.add(row, conversation, sums);
            return merged(interface, row, conversation, true, at);
        }
        let mut conversation = Conversation::of(row);
        self.add(row, &mut conversation, sums);
        let found_room = conversation.places.iter().any(|place| place.has_flow());
        let is_worth_it = found_room || request_way_by_ports(&row.key) != Some(conversation.request_way);
        let at = if is_worth_it { conversations.insert(spot, row.key, conversation) } else { NOWHERE };
        merged(interface, row, &conversation, false, at)
    }

    /// Adds a row to its flows and hosts, and to `sums` by direction.
    #[inline]
    fn add<A: Address>(&mut self, row: &Row<A>, conversation: &mut Conversation, sums: &mut Sums) {
        if conversation.up_direction != row.direction(Way::Up) {
            conversation.up_direction = row.direction(Way::Up);
            conversation.places = [Place::UNKNOWN; 2];
        }
        row.each_way(|way, counted| {
            conversation.seen[way as usize] = true;
            let direction = row.direction(way);
            let counters = Counters { packets: u64::from(counted.packets), bytes: counted.bytes };
            sums[direction as usize].add(counters);
            self.by_protocol.add(direction, row.key.protocol(), counters);
            let place = &mut conversation.places[way as usize];
            if *place == Place::UNKNOWN {
                *place = self.find_place(row, way, conversation.request_way);
            }
            self.latest = self.latest.max(counted.last);
            if let Some(flow) = place.flow() {
                self.flows.add(flow, counters, counted.last);
            }
            if let Some(host) = place.host() {
                self.hosts.add(host, counters, counted.last);
            }
        });
    }

    /// Where the packets of `row` that go `way` count.
    fn find_place<A: Address>(&mut self, row: &Row<A>, way: Way, request_way: Way) -> Place {
        let direction = row.direction(way);
        let (source, destination) = row.key.endpoints(way);
        let (port, reply) = port_and_reply(self.flow_keying, source, destination, way == request_way);
        let (source, destination) = (source.address, destination.address);
        let protocol = row.key.protocol();
        let first_seen = row.ways[way as usize].first;
        let flow = FlowOf { source, destination, protocol, port, reply, direction };
        Place::new(
            self.flows.find_or_insert(flow, first_seen),
            self.hosts.find_or_insert(HostOf::for_packets(source, destination, direction), first_seen),
        )
    }
}

#[inline(always)]
fn merged<'a, A: Address>(
    interface: InterfaceId,
    row: &'a Row<A>,
    conversation: &Conversation,
    is_known: bool,
    remembered_at: u32,
) -> (MergedRow<'a, A>, [SlotHints; 2]) {
    let Conversation { request_way, seen, hints, note, .. } = *conversation;
    (MergedRow { row, interface, is_known, request_way, seen, remembered_at, note }, hints)
}

/// Tells `observer` of rows that were merged since there were so many `turns`, keeps what it notes of them with their
/// conversations, and empties the batch.
#[inline]
fn tell<A: Address>(
    observer: &mut impl RowObserver,
    conversations: &mut Conversations<A>,
    batch: &mut RowBatch<'_, A>,
    turns: u32,
) {
    observer.observe(batch);
    conversations.keep(batch, turns);
    batch.clear();
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
