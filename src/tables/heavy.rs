//! The heavy ones of many items with weights, in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient
//! computation of frequent and top-k elements in data streams", ICDT 2005), in buckets.
//!
//! Takes hashes and weights; gives the slot of an item, and the item that left it. Must not know what the items are.
//!
//! A new item in a full bucket takes the slot of the item with the least rank, and starts from that rank. So no rank is
//! below the true weight of its item. An item stays while its weight exceeds the weight of the lighter items of its
//! bucket, divided by the slots that these share.

/// Slots of a bucket.
const WAYS: usize = 16;

/// The tag of an empty slot.
const EMPTY: u8 = 0;

/// The tags of a bucket, a byte each.
type Tags = u128;

/// Slots for items. `T::default()` stands in empty ones.
#[derive(Debug)]
pub struct HeavyTable<T> {
    /// A part of each item's hash.
    tags: Vec<Tags>,
    /// An upper bound of each item's weight.
    ranks: Vec<[u64; WAYS]>,
    items: Vec<[T; WAYS]>,
    has_items: bool,
}

/// The slot of an item.
#[derive(Debug)]
pub enum HeavySlot<'a, T> {
    /// The item has been in the table.
    Known(&'a mut T),
    /// The item is new, and must be written here. The slot was empty.
    New(&'a mut T),
    /// The item is new, and must be written in the place of this one, which leaves.
    Evicted(&'a mut T),
}

impl<T: Copy + Default> HeavyTable<T> {
    /// An empty table of about `limit` slots: the next power of two, one bucket at least.
    pub fn new(limit: usize) -> Self {
        let buckets = limit.div_ceil(WAYS).next_power_of_two();
        Self {
            tags: vec![0; buckets],
            ranks: vec![[0; WAYS]; buckets],
            items: vec![[T::default(); WAYS]; buckets],
            has_items: false,
        }
    }

    /// The number of slots.
    pub const fn limit(&self) -> usize {
        self.tags.len() * WAYS
    }

    /// The slot of the item with this hash for which `is_it` is true. Its rank grows by `weight`.
    #[inline]
    pub fn add(&mut self, hash: u64, weight: u64, is_it: impl Fn(&T) -> bool) -> HeavySlot<'_, T> {
        self.has_items = true;
        let bucket = hash as usize & (self.tags.len() - 1);
        let tag = ((hash >> 56) as u8).max(1);
        let (tags, ranks) = (&mut self.tags[bucket], &mut self.ranks[bucket]);
        let items = &mut self.items[bucket];
        let mut likely = likely_equal(*tags, tag);
        while likely != 0 {
            let way = way_of(likely);
            if is_it(&items[way]) && tag_of(*tags, way) == tag {
                ranks[way] = ranks[way].saturating_add(weight);
                return HeavySlot::Known(&mut items[way]);
            }
            likely &= likely - 1;
        }
        // The lowest bit is exact.
        let empty = likely_equal(*tags, EMPTY);
        if empty != 0 {
            let way = way_of(empty);
            *tags |= u128::from(tag) << (8 * way);
            ranks[way] = weight;
            return HeavySlot::New(&mut items[way]);
        }
        let way = least(ranks);
        *tags = *tags & !(0xff << (8 * way)) | u128::from(tag) << (8 * way);
        ranks[way] = ranks[way].saturating_add(weight);
        HeavySlot::Evicted(&mut items[way])
    }

    /// The items in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        let buckets = if self.has_items { self.tags.len() } else { 0 };
        let used = self.tags[..buckets].iter().zip(&self.items).filter(|(tags, _)| **tags != 0);
        used.flat_map(|(tags, items)| (0..WAYS).filter(|&way| tag_of(*tags, way) != EMPTY).map(|way| &items[way]))
    }

    /// Removes all items and keeps the memory.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.has_items) {
            self.tags.fill(0);
        }
    }

    /// Memory in bytes.
    pub const fn memory_bytes(&self) -> usize {
        let slot = size_of::<u8>() + size_of::<u64>() + size_of::<T>();
        self.limit() * slot
    }
}

/// The lowest bit of each byte.
const LOW_BITS: Tags = u128::MAX / 0xff;

/// The highest bit of each byte of `tags` that equals `tag`. The lowest such bit is exact. One above it may be wrong.
/// (All tags are compared at once. See "Bit Twiddling Hacks" by S. E. Anderson, "Determine if a word has a zero byte".)
#[inline(always)]
const fn likely_equal(tags: Tags, tag: u8) -> u128 {
    let differences = tags ^ (LOW_BITS * tag as u128);
    differences.wrapping_sub(LOW_BITS) & !differences & (LOW_BITS << 7)
}

/// The slot of the lowest bit that [`likely_equal`] set.
#[inline(always)]
const fn way_of(likely: u128) -> usize {
    likely.trailing_zeros() as usize / 8
}

#[inline(always)]
const fn tag_of(tags: Tags, way: usize) -> u8 {
    (tags >> (8 * way)) as u8
}

/// The first position of the least rank.
fn least(ranks: &[u64; WAYS]) -> usize {
    let mut least = 0;
    for (way, rank) in ranks.iter().enumerate() {
        if *rank < ranks[least] {
            least = way;
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::sampling::mixed;

    /// A key and its exact weight since it entered the table.
    type Item = (u64, u64);

    /// Adds a weight; gives the weight that left the table.
    fn add(table: &mut HeavyTable<Item>, key: u64, weight: u64) -> u64 {
        match table.add(mixed(key), weight, |item| item.0 == key) {
            HeavySlot::Known(item) => {
                item.1 += weight;
                0
            }
            HeavySlot::New(item) => {
                *item = (key, weight);
                0
            }
            HeavySlot::Evicted(item) => std::mem::replace(item, (key, weight)).1,
        }
    }

    #[test]
    fn few_items_are_all_found_with_their_weights() {
        let mut table = HeavyTable::new(4_096);
        let evicted: u64 = (0..3 * 512).map(|number| add(&mut table, number % 512, 1 + number)).sum();
        let mut items: Vec<Item> = table.iter().copied().collect();
        items.sort_unstable();
        let expected: Vec<Item> = (0..512).map(|key| (key, 3 * (1 + key) + 3 * 512)).collect();
        assert_eq!((items, evicted), (expected, 0));
        table.clear();
        assert_eq!(table.iter().count(), 0);
    }

    #[test]
    fn items_and_evicted_weights_make_up_the_whole() {
        let mut table = HeavyTable::new(64);
        let weights = (0..10_000_u64).map(|number| (mixed(number) % 300, mixed(!number) % 1_500));
        let (mut whole, mut evicted) = (0, 0);
        for (key, weight) in weights {
            whole += weight;
            evicted += add(&mut table, key, weight);
        }
        assert!(evicted > 0);
        assert_eq!(table.iter().map(|item| item.1).sum::<u64>() + evicted, whole);
    }

    #[test]
    fn heavy_items_survive_a_flood_of_light_ones_and_lack_less_than_the_rank_that_they_began_with() {
        let mut table = HeavyTable::new(4_096);
        let heavy = 1_u64 << 40;
        // Each heavy item sends 100 times 1,000 bytes, among 100,000 sources of 60 bytes.
        for number in 0..100_000_u64 {
            add(&mut table, number, 60);
            if number % 1_000 == 999 {
                for key in heavy..heavy + 200 {
                    add(&mut table, key, 1_000);
                }
            }
        }
        let kept: Vec<Item> = table.iter().filter(|item| item.0 >= heavy).copied().collect();
        assert_eq!(kept.len(), 200);
        // The light items of a bucket share its free slots: about 100,000 / 256 × 60 / 15 bytes a slot.
        assert!(kept.iter().all(|item| item.1 >= 100_000 - 4_000), "{kept:?}");
    }

    #[test]
    fn item_that_comes_often_displaces_items_that_came_once() {
        let mut table = HeavyTable::new(16);
        for key in 0..16 {
            add(&mut table, key, 500);
        }
        for number in 100..140 {
            add(&mut table, number, 60);
            add(&mut table, 1_000, 60);
        }
        let often = table.iter().find(|item| item.0 == 1_000);
        assert!(often.is_some_and(|item| item.1 >= 30 * 60), "{often:?}");
    }
}
