//! The accounts since the start: totals, flows, and what no row was left for.
//!
//! Intervals are merged row by row. A conversation's flows are looked up once and remembered in [`conversations`], so
//! that the common case is one look-up a row and two additions.

mod conversations;

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashTable;

use super::Config;
use super::conversation::{Address, Way, request_way};
use super::flow::{Counters, FlowKey, FlowKeying};
use super::hashing::{self, State};
use super::interval::{FrameCounters, Interval, Row};
use super::snapshot::{Capture, Flow, Interface, Snapshot, Totals};
use crate::locality::Direction;
use crate::packet::{IpVersion, Protocol, Timestamp};
use conversations::{Conversations, FlowAt};

/// The most sources of frames that have an entry of their own, and the name of the one that counts for those that come
/// later. Hosts that run containers make interfaces without end.
const MAXIMUM_INTERFACES: usize = 1_024;
const OTHER_INTERFACES: &str = "other";

/// A source of frames in the ledger, by the order of registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceId(usize);

/// The accounts since the start. Only the accountant writes them.
#[derive(Debug)]
pub struct Ledger {
    flow_keying: FlowKeying,
    flows: Flows,
    v4: Conversations<Ipv4Addr>,
    v6: Conversations<Ipv6Addr>,
    other: BTreeMap<(Direction, Protocol), Counters>,
    totals: Totals,
    interfaces: Vec<Interface>,
    handover_delays: u64,
}

impl Ledger {
    /// Empty accounts. `seed` as for [`Interval::new`].
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let state = hashing::state(seed);
        Self {
            flow_keying: config.flow_keying,
            flows: Flows::new(config.max_flows, state.clone()),
            v4: Conversations::new(config.max_flows, state.clone()),
            v6: Conversations::new(config.max_flows, state),
            other: BTreeMap::new(),
            totals: Totals::default(),
            interfaces: Vec::new(),
            handover_delays: 0,
        }
    }

    /// The entry of the source called `name`, made if there is none; one for all that come when there are very many.
    pub fn interface(&mut self, name: &str) -> InterfaceId {
        let is_full = self.interfaces.len() >= MAXIMUM_INTERFACES - 1;
        let find = |name: &str| self.interfaces.iter().position(|interface| interface.name == name);
        let name = if is_full && find(name).is_none() { OTHER_INTERFACES } else { name };
        let known = find(name);
        InterfaceId(known.unwrap_or_else(|| {
            self.interfaces.push(Interface { name: name.to_owned(), ..Interface::default() });
            self.interfaces.len() - 1
        }))
    }

    /// Whether the interface is being captured; none before that was said.
    #[must_use]
    pub fn is_up(&self, interface: InterfaceId) -> Option<bool> {
        self.interfaces[interface.0].capture.map(|capture| capture.up)
    }

    /// Adds what the capture of an interface says of itself since it was last heard of.
    pub fn record_capture(&mut self, interface: InterfaceId, since: Capture) {
        let capture = self.interfaces[interface.0].capture.get_or_insert_default();
        capture.up = since.up;
        capture.received += since.received;
        capture.dropped_by_kernel += since.dropped_by_kernel;
        capture.dropped_by_interface += since.dropped_by_interface;
    }

    /// Counts ticks at which a capture thread found no empty interval.
    pub fn record_handover_delays(&mut self, delays: u64) {
        self.handover_delays += delays;
    }

    /// Adds what one capture thread counted on `interface`.
    pub fn merge(&mut self, interface: InterfaceId, interval: &Interval) {
        self.interfaces[interface.0].frames.add(interval.frames());
        self.totals.frames.add(interval.frames());
        self.totals.copies.add(interval.copies());
        for (total, counted) in self.totals.not_ip.iter_mut().zip(interval.not_ip()) {
            *total += counted;
        }
        let Self { flow_keying, flows, v4, v6, other, totals, .. } = self;
        let mut accounts = Accounts { flow_keying: *flow_keying, flows, other };
        let [by_v4, by_v6] = [accounts.merge_rows(v4, interval.rows_v4()), accounts.merge_rows(v6, interval.rows_v6())];
        for direction in Direction::ALL {
            let traffic = &mut totals.traffic[direction as usize];
            traffic[IpVersion::V4 as usize].add(by_v4[direction as usize]);
            traffic[IpVersion::V6 as usize].add(by_v6[direction as usize]);
        }
        for ((direction, protocol, version), counters) in interval.overflow().iter() {
            totals.traffic[direction as usize][version as usize].add(counters);
            other.entry((direction, protocol)).or_default().add(counters);
        }
    }

    /// Frames counted and frames left out as copies, of all sources together.
    #[must_use]
    pub fn frames(&self) -> (FrameCounters, FrameCounters) {
        (self.totals.frames, self.totals.copies)
    }

    /// The accounts as they stand.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            flow_keying: self.flow_keying,
            max_flows: self.flows.limit,
            flows: self.flows.rows().collect(),
            other: self.other.clone(),
            totals: self.totals.clone(),
            interfaces: self.interfaces.clone(),
            handover_delays: self.handover_delays,
        }
    }
}

/// The part of the ledger that rows are merged into.
struct Accounts<'a> {
    flow_keying: FlowKeying,
    flows: &'a mut Flows,
    other: &'a mut BTreeMap<(Direction, Protocol), Counters>,
}

impl Accounts<'_> {
    /// Adds rows to their flows; gives their sums by direction.
    fn merge_rows<A: Address>(
        &mut self,
        conversations: &mut Conversations<A>,
        rows: &[Row<A>],
    ) -> [Counters; Direction::ALL.len()] {
        let mut sums = [Counters::default(); Direction::ALL.len()];
        for row in rows {
            let conversation = conversations.find_or_insert(&row.key, || {
                request_way(&row.key, row.opener, row.ways[row.opener as usize].first_flags)
            });
            for way in Way::BOTH {
                let counted = &row.ways[way as usize];
                if counted.packets == 0 {
                    continue;
                }
                let direction = row.direction(way);
                let counters = Counters { packets: u64::from(counted.packets), bytes: counted.bytes };
                sums[direction as usize].add(counters);
                let at = &mut conversation.flows[way as usize];
                if *at == FlowAt::UNKNOWN {
                    *at = self.find_flow(row, way, conversation.request_way, direction);
                }
                match at.position() {
                    Some(position) => self.flows.counters[position].add(counters),
                    None => self.other.entry((direction, row.key.protocol())).or_default().add(counters),
                }
            }
        }
        sums
    }

    /// The flow of the packets of `row` that go `way`; a new one if there is none and there is room.
    fn find_flow<A: Address>(&mut self, row: &Row<A>, way: Way, request_way: Way, direction: Direction) -> FlowAt {
        let (source, destination) = row.key.endpoints(way);
        let protocol = row.key.protocol();
        let has_ports = source.port != 0 || destination.port != 0;
        let (port, reply) = match self.flow_keying {
            FlowKeying::Service if has_ports && way != request_way => (source.port, true),
            FlowKeying::Service | FlowKeying::DestinationPort => (destination.port, false),
            FlowKeying::Pair => (0, false),
        };
        let (source, destination): (IpAddr, IpAddr) = (source.address.into(), destination.address.into());
        let key = FlowKey { source, destination, protocol, port, reply };
        self.flows.find_or_insert(key, direction, row.ways[way as usize].first)
    }
}

/// The flows that have a row, at most a given number. Counters stand apart from what rarely changes, so that adding to
/// them touches little memory.
#[derive(Debug)]
struct Flows {
    limit: usize,
    state: State,
    index: HashTable<u32>,
    keys: Vec<FlowHead>,
    counters: Vec<Counters>,
}

/// What does not change of a flow.
#[derive(Debug, Clone, Copy)]
struct FlowHead {
    key: FlowKey,
    direction: Direction,
    first_seen: Timestamp,
}

impl Flows {
    fn new(limit: usize, state: State) -> Self {
        Self { limit, state, index: HashTable::new(), keys: Vec::new(), counters: Vec::new() }
    }

    fn find_or_insert(&mut self, key: FlowKey, direction: Direction, first_seen: Timestamp) -> FlowAt {
        let hash = self.state.hash_one(key);
        let Self { index, keys, .. } = self;
        if let Some(&at) = index.find(hash, |&at| keys[at as usize].key == key) {
            // Rows come in the order of their conversations' first packets, whichever way those went.
            let first = &mut keys[at as usize].first_seen;
            *first = first_seen.min(*first);
            return FlowAt::row(at);
        }
        if keys.len() >= self.limit {
            return FlowAt::OTHER;
        }
        let at = keys.len() as u32;
        index.insert_unique(hash, at, |&at| self.state.hash_one(keys[at as usize].key));
        keys.push(FlowHead { key, direction, first_seen });
        self.counters.push(Counters::default());
        FlowAt::row(at)
    }

    fn rows(&self) -> impl Iterator<Item = Flow> + '_ {
        self.keys.iter().zip(&self.counters).map(|(head, &counters)| Flow {
            key: head.key,
            direction: head.direction,
            first_seen: head.first_seen,
            counters,
        })
    }
}

#[cfg(test)]
mod tests;
