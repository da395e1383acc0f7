//! Which flows and hosts a conversation counts for: a bounded memory in two generations.
//!
//! When the younger generation is full the older one is forgotten and the younger takes its place; a conversation that
//! is found in the older one moves to the younger. What is forgotten is decided anew by the next packet. What found no
//! room and would be decided alike by any packet is not remembered at all: a flood from invented sources fills nothing.

use hashbrown::HashTable;

use crate::account::conversation::{Address, ConversationKey, Way, request_way};
use crate::account::hashing::State;
use crate::account::interval::Row;
use crate::locality::Direction;

/// Where one way of a conversation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    flow: u32,
    host: u32,
}

/// Stands for a position that is none: nothing was held, because there was no room.
const NOWHERE: u32 = u32::MAX;

impl Place {
    /// Not looked up yet.
    pub(super) const UNKNOWN: Self = Self { flow: NOWHERE - 1, host: NOWHERE - 1 };

    pub(super) fn new(flow: Option<u32>, host: Option<u32>) -> Self {
        Self { flow: flow.unwrap_or(NOWHERE), host: host.unwrap_or(NOWHERE) }
    }

    /// The flow's position; none when it is not held.
    #[inline]
    pub(super) fn flow(self) -> Option<u32> {
        (self.flow != NOWHERE).then_some(self.flow)
    }

    /// Whether it says where a flow is held.
    #[inline]
    pub(super) fn has_flow(self) -> bool {
        self != Self::UNKNOWN && self.flow().is_some()
    }

    /// The host's position; none when it is not held.
    #[inline]
    pub(super) fn host(self) -> Option<u32> {
        (self.host != NOWHERE).then_some(self.host)
    }
}

/// What is remembered of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversation {
    /// Where each way counts, up first.
    pub(super) places: [Place; 2],
    /// The way of requests.
    pub(super) request_way: Way,
    /// The direction of the packets that go up, when the places were looked up.
    pub(super) up_direction: Direction,
    /// Whether there were packets of either way, up first.
    pub(super) seen: [bool; 2],
}

impl Conversation {
    /// One whose first packets are those of `row`.
    pub(super) fn of<A: Address>(row: &Row<A>) -> Self {
        let first_flags = row.ways[row.opener as usize].first_flags();
        let request_way = request_way(&row.key, row.opener, first_flags);
        Self { places: [Place::UNKNOWN; 2], request_way, up_direction: row.up_direction, seen: [false; 2] }
    }
}

#[derive(Debug)]
struct Entry<A> {
    key: ConversationKey<A>,
    conversation: Conversation,
}

/// The conversations of one IP version, at most about twice the number of flows.
#[derive(Debug)]
pub(super) struct Conversations<A> {
    state: State,
    generation_limit: usize,
    younger: HashTable<Entry<A>>,
    older: HashTable<Entry<A>>,
}

impl<A: Address> Conversations<A> {
    pub(super) fn new(max_flows: usize, state: State) -> Self {
        Self { state, generation_limit: max_flows.max(1), younger: HashTable::new(), older: HashTable::new() }
    }

    /// The memory that the tables take, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.younger.allocation_size() + self.older.allocation_size()
    }

    /// Forgets where conversations count that count at a place for which `is_stale` holds.
    pub(super) fn forget_places(&mut self, is_stale: impl Fn(Place) -> bool) {
        for entry in self.younger.iter_mut().chain(self.older.iter_mut()) {
            for place in &mut entry.conversation.places {
                if *place != Place::UNKNOWN && is_stale(*place) {
                    *place = Place::UNKNOWN;
                }
            }
        }
    }

    /// The hash of `key` in these tables.
    #[inline]
    pub(super) fn hash(&self, key: &ConversationKey<A>) -> u64 {
        key.hash_under(&self.state)
    }

    /// The conversation of `key`, if it is remembered.
    #[inline]
    pub(super) fn find(&mut self, hash: u64, key: &ConversationKey<A>) -> Option<&mut Conversation> {
        use hashbrown::hash_table::Entry as Slot;
        if self.younger.len() >= self.generation_limit {
            self.turn();
        }
        let Self { state, younger, older, .. } = self;
        let hash_of = |entry: &Entry<A>| entry.key.hash_under(state);
        if younger.is_empty() {
            let remembered = take(older, hash, key)?;
            return Some(&mut younger.insert_unique(hash, remembered, hash_of).into_mut().conversation);
        }
        match younger.entry(hash, |entry| entry.key == *key, hash_of) {
            Slot::Occupied(found) => Some(&mut found.into_mut().conversation),
            Slot::Vacant(vacant) => {
                let remembered = take(older, hash, key)?;
                Some(&mut vacant.insert(remembered).into_mut().conversation)
            }
        }
    }

    /// Remembers a conversation that was not found.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, key: ConversationKey<A>, conversation: Conversation) {
        let Self { state, younger, .. } = self;
        younger.insert_unique(hash, Entry { key, conversation }, |entry| entry.key.hash_under(state));
    }

    /// The younger generation becomes the older one. Their memory stays: getting it anew costs more than the look-ups.
    fn turn(&mut self) {
        std::mem::swap(&mut self.younger, &mut self.older);
        self.younger.clear();
    }
}

/// Takes the entry of `key` out of `table`. To look into an empty one costs a cache miss as well.
#[inline]
fn take<A: Address>(table: &mut HashTable<Entry<A>>, hash: u64, key: &ConversationKey<A>) -> Option<Entry<A>> {
    if table.is_empty() {
        return None;
    }
    let found = table.find_entry(hash, |entry| entry.key == *key).ok()?;
    Some(found.remove().0)
}
