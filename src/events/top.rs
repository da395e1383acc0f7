//! A bounded table of the keys with the largest counts. Takes keys; gives their entries. Must not know what is counted.
//!
//! A table that is not full is exact. A full one forgets the lighter half of its keys. From then on a count may be too
//! low by the weights that were forgotten, never too high.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::hash::Hash;

/// An entry with a weight: the lightest are forgotten first.
pub(super) trait Weighted: Default {
    fn weight(&self) -> u64;

    /// The figure that lists are ordered by, then the figure that decides between equal ones.
    fn rank(&self) -> (u64, u64) {
        (self.weight(), 0)
    }
}

impl Weighted for u64 {
    fn weight(&self) -> u64 {
        *self
    }
}

#[derive(Debug)]
pub(super) struct TopTable<K, V> {
    entries: HashMap<K, V, RandomState>,
    capacity: usize,
    /// Each count may be too low by so much.
    forgotten: u64,
}

impl<K: Hash + Ord + Copy, V: Weighted> TopTable<K, V> {
    /// A table with at most `capacity` keys, at least 2.
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::with_hasher(RandomState::default()), capacity: capacity.max(2), forgotten: 0 }
    }

    /// The entry of a key.
    #[inline]
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.forget_lightest();
        }
        self.entries.entry(key).or_default()
    }

    fn forget_lightest(&mut self) {
        let mut weights: Vec<u64> = self.entries.values().map(V::weight).collect();
        let middle = weights.len() / 2;
        let (_, threshold, _) = weights.select_nth_unstable(middle);
        let threshold = *threshold;
        self.entries.retain(|_, entry| entry.weight() > threshold);
        self.forgotten = self.forgotten.saturating_add(threshold);
    }

    /// The most that a count may be too low by; 0 if all counts are exact.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Number of keys in the table.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// The keys with the highest ranks, at most `most`; of equal ones the lowest keys.
    pub(super) fn top(&self, most: usize) -> Vec<(K, &V)> {
        let mut entries: Vec<(K, &V)> = self.entries.iter().map(|(key, entry)| (*key, entry)).collect();
        entries.sort_unstable_by(|(one, of_one), (other, of_other)| {
            of_other.rank().cmp(&of_one.rank()).then(one.cmp(other))
        });
        entries.truncate(most);
        entries
    }

    /// Removes all keys.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.forgotten = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_table_is_exact() {
        let mut table = TopTable::<u32, u64>::new(10);
        (0..100).for_each(|number| *table.entry(number % 10) += u64::from(number % 10));
        assert_eq!(table.top(2), [(9, &90), (8, &80)]);
        assert_eq!((table.len(), table.forgotten()), (10, 0));
    }

    #[test]
    fn full_table_keeps_the_heavy_keys_and_says_its_error() {
        let mut table = TopTable::<u32, u64>::new(100);
        for number in 0..100_000 {
            *table.entry(number) += 1;
            *table.entry(7) += 1;
        }
        let (key, count) = table.top(1)[0];
        assert_eq!(key, 7);
        assert!(*count <= 100_001 && count + table.forgotten() >= 100_001, "{count} {}", table.forgotten());
        assert!(table.len() <= 100);
    }
}
