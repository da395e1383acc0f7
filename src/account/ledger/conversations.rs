//! Which flows a conversation counts in: a bounded memory in two generations.
//!
//! When the younger generation is full the older one is forgotten and the younger takes its place; a conversation that
//! is found in the older one moves to the younger. What is forgotten is decided anew by the next packet.

use hashbrown::HashTable;

use crate::account::conversation::{Address, ConversationKey, Way};
use crate::account::hashing::State;

/// Where the flow of one way of a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlowAt(u32);

impl FlowAt {
    /// Not looked up yet.
    pub(super) const UNKNOWN: Self = Self(u32::MAX);
    /// No row was left; it counts in the `other` rows.
    pub(super) const OTHER: Self = Self(u32::MAX - 1);

    pub(super) fn row(at: u32) -> Self {
        Self(at)
    }

    /// The row's position; none when it has no row.
    #[inline]
    pub(super) fn position(self) -> Option<usize> {
        (self.0 < Self::OTHER.0).then_some(self.0 as usize)
    }
}

/// What is remembered of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversation {
    /// The flow of each way, up first.
    pub(super) flows: [FlowAt; 2],
    /// The way of requests.
    pub(super) request_way: Way,
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

    /// The conversation of `key`; `decide` says for a new one which way its requests go.
    #[inline]
    pub(super) fn find_or_insert(
        &mut self,
        key: &ConversationKey<A>,
        decide: impl FnOnce() -> Way,
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
                    Err(_) => Conversation { flows: [FlowAt::UNKNOWN; 2], request_way: decide() },
                };
                &mut vacant.insert(Entry { key: *key, conversation }).into_mut().conversation
            }
        }
    }
}
