//! Which established conversations were heeded of late, as far as a small table tells: most rows are of one that was.

use crate::account::conversation::{Address, ConversationKey};
use crate::account::hashing::{self, State};

/// Conversations, a power of two.
const PLACES: usize = 8_192;

/// Conversations by hash; a later one takes the place of an earlier one. To heed one again must not matter.
#[derive(Debug)]
pub struct Heeded {
    state: State,
    /// Tag and period.
    places: Vec<(u32, u32)>,
}

impl Heeded {
    /// None heeded.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: hashing::state(seed), places: vec![(0, 0); PLACES] }
    }

    /// The hash of a conversation here.
    #[inline]
    pub fn hash<A: Address>(&self, key: &ConversationKey<A>) -> u64 {
        key.hash_under(&self.state)
    }

    /// Whether the conversation with this hash was heeded in `period`.
    #[must_use]
    #[inline]
    pub fn contains(&self, hash: u64, period: i64) -> bool {
        self.places[hash as usize % PLACES] == entry(hash, period)
    }

    /// Notes that it was.
    pub fn insert(&mut self, hash: u64, period: i64) {
        self.places[hash as usize % PLACES] = entry(hash, period);
    }

    /// The memory that the table takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u32, u32)>()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.places.fill((0, 0));
    }
}

fn entry(hash: u64, period: i64) -> (u32, u32) {
    // Period 0 stands for none.
    ((hash >> 32) as u32, (period as u32) | 1 << 31)
}
