//! Which established conversations were heeded of late, as far as a small table tells: most rows are of one that was.

use crate::account::conversation::{Address, ConversationKey};
use crate::account::hashing::{self, State};

/// Conversations, a power of two.
const PLACES: usize = 65_536;

/// What was heeded of a conversation in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// That its server answers.
    Answer,
    /// That both sides go on.
    Exchange,
}

/// Conversations by hash; a later one takes the place of an earlier one. To heed one again must not matter.
#[derive(Debug)]
pub struct Heeded {
    state: State,
    /// Tag and period, mixed; 0 for none.
    places: Vec<u32>,
}

impl Heeded {
    /// None heeded.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: hashing::state(seed), places: vec![0; PLACES] }
    }

    /// The hash of a conversation here.
    #[inline]
    pub fn hash<A: Address>(&self, key: &ConversationKey<A>) -> u64 {
        key.hash_under(&self.state)
    }

    /// What was heeded of the conversation with this hash in `period`.
    #[must_use]
    #[inline]
    pub fn heard(&self, hash: u64, period: i64) -> Heard {
        let (place, tag) = (self.places[hash as usize % PLACES], tag(hash, period));
        match place & !EXCHANGE {
            held if held != tag => Heard::Nothing,
            _ if place == tag => Heard::Answer,
            _ => Heard::Exchange,
        }
    }

    /// Notes what was heard.
    #[inline]
    pub fn note(&mut self, hash: u64, period: i64, heard: Heard) {
        let tag = tag(hash, period);
        self.places[hash as usize % PLACES] = match heard {
            Heard::Nothing => 0,
            Heard::Answer => tag,
            Heard::Exchange => tag | EXCHANGE,
        };
    }

    /// The memory that the table takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<u32>()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.places.fill(0);
    }
}

/// The bit of an exchange, and the one that every note has.
const EXCHANGE: u32 = 1;
const IS_NOTE: u32 = 2;

/// What tells a conversation in a period from another, and from itself in another period.
fn tag(hash: u64, period: i64) -> u32 {
    let mixed = ((hash >> 32) as u32).wrapping_add((period as u32).wrapping_mul(0x9e37_79b9));
    mixed & !EXCHANGE | IS_NOTE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes() -> impl Iterator<Item = u64> {
        (0..1_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[test]
    fn what_was_noted_last_is_heard_in_its_period_alone() {
        let mut heeded = Heeded::new(1);
        for (hash, period) in hashes().zip([-3, 0, 1, i64::from(u32::MAX) + 5].into_iter().cycle()) {
            assert_eq!(heeded.heard(hash, period), Heard::Nothing);
            for heard in [Heard::Answer, Heard::Exchange, Heard::Nothing, Heard::Exchange, Heard::Answer] {
                heeded.note(hash, period, heard);
                assert_eq!(heeded.heard(hash, period), heard);
                assert_eq!(heeded.heard(hash, period + 1), Heard::Nothing);
                assert_eq!(heeded.heard(hash ^ 1 << 40, period), Heard::Nothing);
            }
        }
        heeded.clear();
        assert!(hashes().all(|hash| heeded.heard(hash, 0) == Heard::Nothing));
    }
}
