//! A bounded memory of keys with a value each, in two generations.
//!
//! Takes keys and values; gives the positions of keys that are remembered. When the younger generation is full the
//! older one is forgotten, and the younger one takes its place; an entry that is found in the older generation moves to
//! the younger one. Must not know what the keys and values mean.

use std::hash::{BuildHasher, Hash};

use super::hashing::State;
use super::index::{self, Index, NOWHERE};

/// A key that is remembered.
#[derive(Debug, Clone, Copy)]
pub struct Remembered<K, V> {
    /// The key.
    pub key: K,
    /// The value that was stored with it.
    pub value: V,
}

/// One generation: entries that were used in the same period.
#[derive(Debug)]
struct Generation<K, V> {
    limit: usize,
    index: Index,
    entries: Vec<Remembered<K, V>>,
}

impl<K: Eq + Hash, V> Generation<K, V> {
    fn new(limit: usize) -> Self {
        Self { limit, index: Index::new(limit), entries: Vec::new() }
    }

    #[inline(always)]
    fn find(&self, hash: u64, key: &K) -> Option<u32> {
        self.index.find(hash, |at| self.entries[at as usize].key == *key)
    }

    fn insert(&mut self, hash: u64, entry: Remembered<K, V>, state: &State) -> u32 {
        let Self { limit, index, entries } = self;
        let at = entries.len() as u32;
        index::push(entries, entry, *limit);
        index.insert(hash, at, |at| state.hash_one(&entries[at as usize].key));
        at
    }

    fn clear(&mut self) {
        self.index.clear();
        self.entries.clear();
    }
}

/// The likely position of a key. It is found without reading an entry.
#[derive(Debug, Clone, Copy)]
pub struct Guess {
    hash: u64,
    /// A position in the younger generation.
    position: u32,
}

impl Guess {
    /// A placeholder.
    pub const NONE: Self = Self { hash: 0, position: NOWHERE };
}

/// The memory. Positions are those of the younger generation, and are valid until [`Generations::number`] changes.
#[derive(Debug)]
pub struct Generations<K, V> {
    state: State,
    limit: usize,
    younger: Generation<K, V>,
    older: Generation<K, V>,
    number: u32,
    /// Number of entries of the older generation that have moved to the younger one.
    taken_over: u64,
    forgotten: u64,
}

impl<K, V> Generations<K, V> {
    /// The number of the younger generation, modulo 2^32.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Entries that were forgotten since the start because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Remembers `limit` entries in each generation from now on, at least one. A fuller generation is kept until the next
    /// new key.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
        for generation in [&mut self.younger, &mut self.older] {
            generation.limit = self.limit;
            generation.index.set_limit(self.limit);
        }
    }

    /// The values of both generations.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.younger.entries.iter_mut().chain(&mut self.older.entries).map(|entry| &mut entry.value)
    }

    /// The memory that the tables take, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let bytes =
            |of: &Generation<K, V>| of.index.memory_bytes() + of.entries.capacity() * size_of::<Remembered<K, V>>();
        bytes(&self.younger) + bytes(&self.older)
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Generations<K, V> {
    /// An empty memory for `limit` entries in each generation, at least one.
    pub fn new(limit: usize, state: State) -> Self {
        let limit = limit.max(1);
        let [younger, older] = [limit; 2].map(Generation::new);
        Self { state, limit, younger, older, number: 0, taken_over: 0, forgotten: 0 }
    }

    /// The likely position of a key.
    #[inline(always)]
    pub fn guess(&self, key: &K) -> Guess {
        let hash = self.state.hash_one(key);
        Guess { hash, position: self.younger.index.guess(hash) }
    }

    /// The entry at a likely position. It is hardly ever the entry of another key.
    #[inline(always)]
    pub fn peek(&self, guess: Guess) -> Option<&Remembered<K, V>> {
        self.younger.entries.get(guess.position as usize)
    }

    /// The position of a key; none if it is not remembered. `guess` must be from before, and the key not inserted
    /// since. A value that moves to the younger generation is changed by `renewed`.
    #[inline(always)]
    pub fn find(&mut self, guess: Guess, key: &K, renewed: impl FnOnce(V) -> V) -> Option<u32> {
        match self.younger.entries.get(guess.position as usize) {
            Some(entry) if entry.key == *key => Some(guess.position),
            // Most keys of a flood end here, without a call.
            None if guess.position == NOWHERE && self.older.entries.is_empty() => None,
            _ => self.find_elsewhere(guess, key, renewed),
        }
    }

    /// The position of a key that is not at its guess: it is in the older generation, or the generations have changed.
    fn find_elsewhere(&mut self, guess: Guess, key: &K, renewed: impl FnOnce(V) -> V) -> Option<u32> {
        if guess.position != NOWHERE
            && let Some(at) = self.younger.find(guess.hash, key)
        {
            return Some(at);
        }
        if self.older.entries.is_empty() {
            return None;
        }
        let at = self.older.find(guess.hash, key)?;
        let Remembered { key, value } = self.older.entries[at as usize];
        self.taken_over += 1;
        Some(self.insert(guess, key, renewed(value)))
    }

    /// The value at a position.
    #[inline(always)]
    pub fn value_mut(&mut self, position: u32) -> &mut V {
        &mut self.younger.entries[position as usize].value
    }

    /// The value at a position; none for [`NOWHERE`].
    #[inline(always)]
    pub fn get_mut(&mut self, position: u32) -> Option<&mut V> {
        self.younger.entries.get_mut(position as usize).map(|entry| &mut entry.value)
    }

    /// Remembers a key that was not found; gives its position.
    #[inline]
    pub fn insert(&mut self, guess: Guess, key: K, value: V) -> u32 {
        self.make_room();
        self.younger.insert(guess.hash, Remembered { key, value }, &self.state)
    }

    /// If the younger generation is full, it becomes the older one. Its memory is used again, because new memory costs
    /// more than look-ups.
    fn make_room(&mut self) {
        if self.younger.entries.len() >= self.limit {
            self.forgotten += self.older.entries.len() as u64 - std::mem::take(&mut self.taken_over);
            std::mem::swap(&mut self.younger, &mut self.older);
            self.younger.clear();
            self.number = self.number.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::hashing;

    /// A memory of numbers, each with itself as its value.
    fn remembering(keys: std::ops::Range<u32>, limit: usize) -> Generations<u32, u32> {
        let mut memory = Generations::new(limit, hashing::state(1));
        for key in keys {
            let guess = memory.guess(&key);
            memory.insert(guess, key, key);
        }
        memory
    }

    fn value(memory: &mut Generations<u32, u32>, guess: Guess, key: u32) -> Option<u32> {
        let at = memory.find(guess, &key, |value| value)?;
        Some(*memory.value_mut(at))
    }

    #[test]
    fn key_that_was_guessed_before_the_generations_changed_is_found_afterwards() {
        let mut memory = remembering(0..8, 8);
        let guesses: Vec<(u32, Guess)> = (0..10).map(|key| (key, memory.guess(&key))).collect();
        // The first new key begins a new generation, in whose first place it is.
        memory.insert(guesses[8].1, 8, 8);
        for &(key, guess) in &guesses[..8] {
            assert_eq!(value(&mut memory, guess, key), Some(key));
        }
        assert_eq!(value(&mut memory, guesses[9].1, 9), None);
        let guess = memory.guess(&8);
        assert_eq!(value(&mut memory, guess, 8), Some(8));
    }

    #[test]
    fn key_that_is_found_again_outlives_its_generation_and_others_do_not() {
        let mut memory = remembering(0..8, 8);
        for key in 100..107 {
            let guess = memory.guess(&key);
            memory.insert(guess, key, key);
        }
        let guess = memory.guess(&3);
        assert_eq!(value(&mut memory, guess, 3), Some(3));
        let guess = memory.guess(&200);
        memory.insert(guess, 200, 200);
        let is_remembered = |key: &u32| {
            let guess = memory.guess(key);
            value(&mut memory, guess, *key).is_some()
        };
        assert_eq!((0..8).filter(is_remembered).collect::<Vec<u32>>(), [3]);
        assert_eq!(memory.forgotten(), 7);
    }

    #[test]
    fn value_is_renewed_when_it_moves_to_the_younger_generation() {
        let mut memory = remembering(0..12, 8);
        let mut renewed = |key: u32| {
            let guess = memory.guess(&key);
            memory.find(guess, &key, |value| value + 1_000).map(|at| *memory.value_mut(at))
        };
        assert_eq!([3, 3, 9].map(&mut renewed), [Some(1_003), Some(1_003), Some(9)]);
    }

    #[test]
    fn values_of_both_generations_can_be_changed() {
        let mut memory = remembering(0..12, 8);
        memory.values_mut().for_each(|value| *value += 50);
        for key in (8..12).chain(0..4) {
            let guess = memory.guess(&key);
            assert_eq!(value(&mut memory, guess, key), Some(key + 50));
        }
    }
}
