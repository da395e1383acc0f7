//! Sums of flows by pairs of hosts, which most tables are made of. Takes flows; gives sums. Must not know the tables.

use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};
use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use super::flow::RangeFlow;
use super::traffic::earlier;
use crate::account::flow::Counters;
use crate::packet::Timestamp;
use crate::tables::hashing::{State, state};

/// An address that hashes in one word; a derived implementation feeds it byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressKey(pub IpAddr);

impl Hash for AddressKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self.0 {
            IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
            IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
        }
    }
}

/// A hash state that differs from process to process.
fn hash_state() -> State {
    state(RandomState::new().hash_one(0))
}

/// An empty map with keys from the network.
pub(super) fn map<K, V>() -> HashMap<K, V, State> {
    HashMap::with_hasher(hash_state())
}

/// An empty set of values from the network.
pub(super) fn set<K>() -> HashSet<K, State> {
    HashSet::with_hasher(hash_state())
}

/// The sum of some flows, and the times of their packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FlowSum {
    pub counters: Counters,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
}

impl FlowSum {
    pub(super) fn add(&mut self, flow: &RangeFlow) {
        self.join(&Self { counters: flow.counters, first_seen: flow.first_seen, last_seen: flow.last_seen });
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.counters.add(other.counters);
        self.first_seen = earlier(self.first_seen, other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

/// The traffic between two hosts. `a` is the lower address; both are the same for a host that talks to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PairSum {
    pub a: IpAddr,
    pub b: IpAddr,
    pub is_a_local: bool,
    pub is_b_local: bool,
    pub a_to_b: FlowSum,
    pub b_to_a: FlowSum,
}

impl PairSum {
    fn new(a: IpAddr, b: IpAddr) -> Self {
        let none = FlowSum::default();
        Self { a, b, is_a_local: false, is_b_local: false, a_to_b: none, b_to_a: none }
    }

    /// Both directions together.
    pub(super) fn both(&self) -> FlowSum {
        let mut both = self.a_to_b;
        both.join(&self.b_to_a);
        both
    }

    /// The sum of the packets that the end `of` sent, and of those that it received.
    pub(super) fn sent_and_received(&self, of: IpAddr) -> (Counters, Counters) {
        match () {
            () if self.a == self.b => (self.a_to_b.counters, self.a_to_b.counters),
            () if of == self.a => (self.a_to_b.counters, self.b_to_a.counters),
            () => (self.b_to_a.counters, self.a_to_b.counters),
        }
    }

    /// Each end once: its address, true if it is local, and the other end.
    pub(super) fn ends(&self) -> impl Iterator<Item = (IpAddr, bool, IpAddr)> {
        let second = (self.a != self.b).then_some((self.b, self.is_b_local, self.a));
        std::iter::once((self.a, self.is_a_local, self.b)).chain(second)
    }
}

/// The traffic of one host with others that have no row of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndSum {
    pub end: IpAddr,
    pub is_local: bool,
    pub sent: FlowSum,
    pub received: FlowSum,
}

impl EndSum {
    const fn new(end: IpAddr) -> Self {
        let none = FlowSum { counters: Counters { packets: 0, bytes: 0 }, first_seen: None, last_seen: None };
        Self { end, is_local: false, sent: none, received: none }
    }

    /// Both directions together.
    pub(super) fn both(&self) -> FlowSum {
        let mut both = self.sent;
        both.join(&self.received);
        both
    }
}

/// The sums of flows with one known end, by that end, in any order.
pub(super) fn single_ends(flows: &[RangeFlow]) -> Vec<EndSum> {
    let mut positions: HashMap<AddressKey, u32, State> = map();
    let mut sums: Vec<EndSum> = Vec::new();
    for flow in flows {
        let Some(end) = flow.source.xor(flow.destination) else { continue };
        let position = *positions.entry(AddressKey(end)).or_insert_with(|| {
            sums.push(EndSum::new(end));
            sums.len() as u32 - 1
        });
        let sum = &mut sums[position as usize];
        if flow.source.is_some() {
            sum.sent.add(flow);
            sum.is_local |= flow.is_source_local();
        } else {
            sum.received.add(flow);
            sum.is_local |= flow.is_destination_local();
        }
    }
    sums
}

/// The flows by pairs of hosts, in any order. Flows without two known ends are left out.
pub(super) fn pairs(flows: &[RangeFlow]) -> Vec<PairSum> {
    let mut positions: HashMap<(AddressKey, AddressKey), u32, State> = map();
    let mut pairs: Vec<PairSum> = Vec::new();
    for flow in flows {
        let Some((source, destination)) = flow.both_ends() else { continue };
        let is_forward = source <= destination;
        let (a, b) = if is_forward { (source, destination) } else { (destination, source) };
        let position = *positions.entry((AddressKey(a), AddressKey(b))).or_insert_with(|| {
            pairs.push(PairSum::new(a, b));
            pairs.len() as u32 - 1
        });
        let pair = &mut pairs[position as usize];
        let (source_local, destination_local) = (flow.is_source_local(), flow.is_destination_local());
        if is_forward {
            pair.a_to_b.add(flow);
            pair.is_a_local |= source_local;
            pair.is_b_local |= destination_local;
        } else {
            pair.b_to_a.add(flow);
            pair.is_a_local |= destination_local;
            pair.is_b_local |= source_local;
        }
    }
    pairs
}
