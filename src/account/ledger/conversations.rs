//! Which flows and hosts a conversation counts for: a bounded memory in two generations.
//!
//! When the younger generation is full the older one is forgotten and the younger takes its place; a conversation that
//! is found in the older one moves to the younger. What is forgotten is decided anew by the next packet. What found no
//! room and would be decided alike by any packet is not remembered at all: a flood from invented sources fills nothing.

use crate::account::conversation::{Address, ConversationKey, Way, request_way};
use crate::account::interval::Row;
use crate::account::observer::{DirectedRow, MergedRow, ObserverNote, RowBatch, SlotHints};
use crate::locality::Direction;
use crate::tables::hashing::State;
use crate::tables::index::{self, Index, NOWHERE};
use crate::tables::prefetch;

/// Where one way of a conversation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    flow: u32,
    host: u32,
}

impl Place {
    /// Not looked up yet. ([`NOWHERE`] says that nothing was held, because there was no room.)
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
    /// Where who watches found what it holds of each way.
    pub(super) hints: [SlotHints; 2],
    /// What was heeded of it.
    pub(super) note: ObserverNote,
}

impl Conversation {
    /// One whose first packets are those of `row`.
    pub(super) fn of<A: Address>(row: &Row<A>) -> Self {
        let first_flags = row.ways[row.opener() as usize].first_flags();
        let request_way = request_way(&row.key, row.opener(), first_flags);
        Self {
            places: [Place::UNKNOWN; 2],
            request_way,
            up_direction: row.direction(Way::Up),
            seen: [false; 2],
            hints: Default::default(),
            note: ObserverNote::default(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry<A: Address> {
    key: ConversationKey<A>,
    conversation: Conversation,
}

/// Conversations that were seen in the same time.
#[derive(Debug)]
struct Generation<A: Address> {
    limit: usize,
    index: Index,
    entries: Vec<Entry<A>>,
}

impl<A: Address> Generation<A> {
    fn new(limit: usize) -> Self {
        Self { limit, index: Index::new(limit), entries: Vec::new() }
    }

    #[inline(always)]
    fn find(&self, hash: u64, key: &ConversationKey<A>) -> Option<u32> {
        self.index.find(hash, |at| self.entries[at as usize].key == *key)
    }

    fn insert(&mut self, hash: u64, entry: Entry<A>, state: &State) -> u32 {
        let Self { limit, index, entries } = self;
        let at = entries.len() as u32;
        index::push(entries, entry, *limit);
        index.insert(hash, at, |at| entries[at as usize].key.hash_under(state));
        at
    }

    fn clear(&mut self) {
        self.index.clear();
        self.entries.clear();
    }

    fn memory_bytes(&self) -> usize {
        self.index.memory_bytes() + self.entries.capacity() * size_of::<Entry<A>>()
    }
}

/// Where a conversation is remembered, as far as can be told without looking at any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    hash: u64,
    /// Its position in the younger generation.
    at: u32,
    /// Which ways have packets, up first.
    has_packets: [bool; 2],
}

impl Spot {
    /// Nobody's.
    pub(super) const NONE: Self = Self { hash: 0, at: NOWHERE, has_packets: [false; 2] };
}

/// The conversations of one IP version, at most about twice the number of flows.
#[derive(Debug)]
pub(super) struct Conversations<A: Address> {
    state: State,
    generation_limit: usize,
    younger: Generation<A>,
    older: Generation<A>,
    turns: u32,
    /// Entries of the older generation that the younger one has too.
    taken_over: u64,
    forgotten: u64,
    batch_memory: Vec<DirectedRow<A>>,
}

impl<A: Address> Conversations<A> {
    pub(super) fn new(max_flows: usize, state: State) -> Self {
        let generation_limit = max_flows.max(1);
        let [younger, older] = [generation_limit; 2].map(Generation::new);
        Self {
            state,
            generation_limit,
            younger,
            older,
            turns: 0,
            taken_over: 0,
            forgotten: 0,
            batch_memory: Vec::new(),
        }
    }

    /// The memory that the tables take, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let batch = self.batch_memory.capacity() * size_of::<DirectedRow<A>>();
        self.younger.memory_bytes() + self.older.memory_bytes() + batch
    }

    /// Forgets where conversations count that count at a place for which `is_stale` holds.
    pub(super) fn forget_places(&mut self, is_stale: impl Fn(Place) -> bool) {
        for entry in self.younger.entries.iter_mut().chain(&mut self.older.entries) {
            for place in &mut entry.conversation.places {
                if *place != Place::UNKNOWN && is_stale(*place) {
                    *place = Place::UNKNOWN;
                }
            }
        }
    }

    /// Where to look for the conversation of `key`, of which those ways have packets.
    #[inline(always)]
    pub(super) fn seek(&self, key: &ConversationKey<A>, has_packets: [bool; 2]) -> Spot {
        let hash = key.hash_under(&self.state);
        Spot { hash, at: self.younger.index.guess(hash), has_packets }
    }

    /// Reads what [`Conversations::find`] will need, and gives where the packets of the conversation at a spot count: both
    /// ways', or twice those of the only one.
    #[inline(always)]
    pub(super) fn touch(&self, spot: Spot) -> Option<[Place; 2]> {
        let Entry { key, conversation } = self.younger.entries.get(spot.at as usize)?;
        // Any part of the key: the line in which it lies may be another.
        prefetch(key.protocol());
        let [has_up, has_down] = spot.has_packets;
        Some([usize::from(!has_up), usize::from(has_down)].map(|way| conversation.places[way]))
    }

    /// Where in the younger generation the conversation of `key` is, if it is remembered. It was sought at `spot`, and was
    /// not inserted since.
    #[inline(always)]
    pub(super) fn find(&mut self, spot: Spot, key: &ConversationKey<A>) -> Option<u32> {
        match self.younger.entries.get(spot.at as usize) {
            Some(entry) if entry.key == *key => Some(spot.at),
            // A flood's: known without a call.
            None if spot.at == NOWHERE && self.older.entries.is_empty() => None,
            _ => self.find_elsewhere(spot, key),
        }
    }

    /// The conversation that was found at a position.
    #[inline(always)]
    pub(super) fn at_mut(&mut self, position: u32) -> &mut Conversation {
        &mut self.younger.entries[position as usize].conversation
    }

    /// Keeps what was noted of conversations with them, unless the generations turned since `turns`.
    pub(super) fn keep(&mut self, batch: &mut RowBatch<'_, A>, turns: u32) {
        if turns != self.turns {
            return;
        }
        let entries = &mut self.younger.entries;
        for DirectedRow { remembered_at, way, hints, .. } in batch.directed() {
            if let Some(entry) = entries.get_mut(*remembered_at as usize) {
                entry.conversation.hints[*way as usize] = *hints;
            }
        }
        for MergedRow { remembered_at, note, .. } in batch.merged() {
            if let Some(entry) = entries.get_mut(*remembered_at as usize) {
                entry.conversation.note = *note;
            }
        }
    }

    /// How often the generations turned so far, modulo 2^32: positions hold until they do.
    pub(super) fn turns(&self) -> u32 {
        self.turns
    }

    /// Conversations forgotten since the start, because there were too many.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// An empty batch, in the memory of the last one.
    pub(super) fn new_batch<'a>(&mut self) -> RowBatch<'a, A> {
        RowBatch::in_place_of(std::mem::take(&mut self.batch_memory))
    }

    /// Takes the memory of a batch back.
    pub(super) fn keep_memory(&mut self, batch: RowBatch<'_, A>) {
        self.batch_memory = batch.into_memory();
    }

    /// The position of a conversation that is not at its spot: the generations turned, or it is in the older one.
    fn find_elsewhere(&mut self, spot: Spot, key: &ConversationKey<A>) -> Option<u32> {
        if spot.at != NOWHERE
            && let Some(at) = self.younger.find(spot.hash, key)
        {
            return Some(at);
        }
        self.find_older(spot.hash, key)
    }

    /// Takes what the older generation remembers of `key` over into the younger one.
    fn find_older(&mut self, hash: u64, key: &ConversationKey<A>) -> Option<u32> {
        if self.older.entries.is_empty() {
            return None;
        }
        let at = self.older.find(hash, key)?;
        let mut remembered = self.older.entries[at as usize];
        // What was noted last may not have been kept; to hear the same again does not matter.
        remembered.conversation.note = ObserverNote::default();
        self.taken_over += 1;
        self.make_room();
        Some(self.younger.insert(hash, remembered, &self.state))
    }

    /// Remembers a conversation that was not found; its position.
    #[inline]
    pub(super) fn insert(&mut self, spot: Spot, key: ConversationKey<A>, conversation: Conversation) -> u32 {
        self.make_room();
        self.younger.insert(spot.hash, Entry { key, conversation }, &self.state)
    }

    /// When the younger generation is full it becomes the older one. Their memory stays: getting it anew costs more than
    /// the look-ups.
    fn make_room(&mut self) {
        if self.younger.entries.len() >= self.generation_limit {
            self.forgotten += self.older.entries.len() as u64 - std::mem::take(&mut self.taken_over);
            std::mem::swap(&mut self.younger, &mut self.older);
            self.younger.clear();
            self.turns = self.turns.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::account::conversation::Endpoint;
    use crate::packet::Protocol;
    use crate::tables::hashing;

    fn key(port: u16) -> ConversationKey<Ipv4Addr> {
        let client = Endpoint { address: Ipv4Addr::new(192, 0, 2, 1), port };
        let server = Endpoint { address: Ipv4Addr::new(198, 51, 100, 1), port: 443 };
        ConversationKey::new(client, server, Protocol::TCP).0
    }

    /// Of which only the flow of the way up tells it from another.
    fn conversation(flow: u32) -> Conversation {
        let places = [Place::new(Some(flow), None), Place::UNKNOWN];
        let (request_way, up_direction) = (Way::Up, Direction::Transit);
        let (hints, note) = (Default::default(), ObserverNote::default());
        Conversation { places, request_way, up_direction, seen: [true, false], hints, note }
    }

    fn remembering(ports: std::ops::Range<u16>, limit: usize) -> Conversations<Ipv4Addr> {
        let mut conversations = Conversations::new(limit, hashing::state(1));
        for port in ports {
            let spot = conversations.seek(&key(port), [true; 2]);
            conversations.insert(spot, key(port), conversation(port.into()));
        }
        conversations
    }

    fn flow(conversations: &mut Conversations<Ipv4Addr>, spot: Spot, port: u16) -> Option<u32> {
        conversations.find(spot, &key(port)).and_then(|at| conversations.at_mut(at).places[0].flow())
    }

    #[test]
    fn a_conversation_takes_as_much_memory_as_is_said_in_the_runbooks() {
        assert_eq!((size_of::<Entry<Ipv4Addr>>(), size_of::<Entry<std::net::Ipv6Addr>>()), (56, 80));
    }

    #[test]
    fn what_was_sought_before_the_generations_turned_is_found_afterwards() {
        let mut conversations = remembering(0..8, 8);
        let sought: Vec<(u16, Spot)> = (0..10).map(|port| (port, conversations.seek(&key(port), [true; 2]))).collect();
        // The first one that is new makes a new generation, in whose first place it is.
        conversations.insert(sought[8].1, key(8), conversation(8));
        for &(port, spot) in &sought[..8] {
            assert_eq!(flow(&mut conversations, spot, port), Some(port.into()), "{port}");
        }
        assert_eq!(flow(&mut conversations, sought[9].1, 9), None);
        let spot = conversations.seek(&key(8), [true; 2]);
        assert_eq!(flow(&mut conversations, spot, 8), Some(8));
    }

    #[test]
    fn who_is_seen_again_outlives_the_generation_and_others_do_not() {
        let mut conversations = remembering(0..8, 8);
        for port in 100..107 {
            let spot = conversations.seek(&key(port), [true; 2]);
            conversations.insert(spot, key(port), conversation(port.into()));
        }
        let spot = conversations.seek(&key(3), [true; 2]);
        assert_eq!(flow(&mut conversations, spot, 3), Some(3));
        let spot = conversations.seek(&key(200), [true; 2]);
        conversations.insert(spot, key(200), conversation(200));
        let remembered = |port: &u16| {
            let spot = conversations.seek(&key(*port), [true; 2]);
            flow(&mut conversations, spot, *port).is_some()
        };
        assert_eq!((0..8).filter(remembered).collect::<Vec<u16>>(), [3]);
        assert_eq!(conversations.forgotten(), 7);
    }

    #[test]
    fn places_that_are_stale_are_forgotten_in_both_generations() {
        let mut conversations = remembering(0..12, 8);
        conversations.forget_places(|place| place.flow().is_some_and(|flow| flow % 2 == 0));
        for port in 6..12 {
            let spot = conversations.seek(&key(port), [true; 2]);
            let at = conversations.find(spot, &key(port)).unwrap();
            let places = conversations.at_mut(at).places;
            assert_eq!(places[0] == Place::UNKNOWN, port % 2 == 0, "{port}");
        }
    }
}
