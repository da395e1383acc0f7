//! Which flows and hosts a conversation counts for: a bounded memory in two generations.
//!
//! When the younger generation is full the older one is forgotten and the younger takes its place; a conversation that
//! is found in the older one moves to the younger. What is forgotten is decided anew by the next packet.

use hashbrown::HashTable;

use crate::account::conversation::{Address, ConversationKey, Way};
use crate::account::hashing::State;
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

    /// The conversation of `key`; `decide` says for a new one which way its requests go and the direction up.
    #[inline]
    pub(super) fn find_or_insert(
        &mut self,
        key: &ConversationKey<A>,
        decide: impl FnOnce() -> (Way, Direction),
    ) -> &mut Conversation {
        use hashbrown::hash_table::Entry as Slot;
        let hash = key.hash_under(&self.state);
        if self.younger.len() >= self.generation_limit {
            self.older = std::mem::take(&mut self.younger);
        }
        let Self { state, younger, older, .. } = self;
        match younger.entry(hash, |entry| entry.key == *key, |entry| entry.key.hash_under(state)) {
            Slot::Occupied(found) => &mut found.into_mut().conversation,
            Slot::Vacant(vacant) => {
                let conversation = match older.find_entry(hash, |entry| entry.key == *key) {
                    Ok(remembered) => remembered.remove().0.conversation,
                    Err(_) => {
                        let (request_way, up_direction) = decide();
                        Conversation { places: [Place::UNKNOWN; 2], request_way, up_direction }
                    }
                };
                &mut vacant.insert(Entry { key: *key, conversation }).into_mut().conversation
            }
        }
    }
}
