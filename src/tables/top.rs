//! The largest of many items.
//!
//! Takes items, a count and an order; gives the first of them, sorted. Must not know what the items are.

use std::cmp::Ordering;

/// The fewest items that [`top_n`] looks through at once.
const MINIMUM_ITEMS: usize = 64;

/// The first `count` of `items` by `order`, sorted. It holds at most twice as many, however many items come: a table of
/// a million entries is not copied for its first ten.
pub fn top_n<T>(items: impl Iterator<Item = T>, count: usize, mut order: impl FnMut(&T, &T) -> Ordering) -> Vec<T> {
    if count == 0 {
        return Vec::new();
    }
    let most = count.saturating_mul(2).max(MINIMUM_ITEMS);
    let (mut kept, mut has_last) = (Vec::new(), false);
    for item in items {
        if has_last && order(&item, &kept[count - 1]).is_ge() {
            continue;
        }
        kept.push(item);
        if kept.len() == most {
            // Afterwards the last of the kept items is at `count - 1`.
            keep_top(&mut kept, count, &mut order);
            has_last = true;
        }
    }
    keep_top(&mut kept, count, &mut order);
    kept.sort_unstable_by(order);
    kept
}

/// Keeps the first `count` of `items` by `order`, in no particular order but for the last of them, which is at the end.
pub fn keep_top<T>(items: &mut Vec<T>, count: usize, order: impl FnMut(&T, &T) -> Ordering) {
    if count == 0 {
        items.clear();
    } else if items.len() > count {
        items.select_nth_unstable_by(count - 1, order);
        items.truncate(count);
    }
}

/// Orders pairs of a key and a weight by weight, the heaviest first, and equal weights by key.
pub fn heaviest_first<K: Ord>(one: &(K, u64), other: &(K, u64)) -> Ordering {
    other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn top_is_sorted_and_no_longer_than_asked_for() {
        let items = || [("b", 1), ("a", 1), ("c", 9), ("d", 4)].into_iter();
        assert_eq!(top_n(items(), 3, heaviest_first), [("c", 9), ("d", 4), ("a", 1)]);
        assert_eq!(top_n(items(), 9, heaviest_first).len(), 4);
        assert!(top_n(items(), 0, heaviest_first).is_empty());
    }

    #[test]
    fn top_of_many_items_is_that_of_all_of_them_sorted() {
        for count in [1, 2, 10, 31, 32, 33, 500, 999, 1_000, usize::MAX] {
            // 7,919 is prime: each number comes once, in no order.
            for numbers in [(0..1_000).map(|number| number * 7_919 % 1_000).collect(), vec![5; 1_000]] {
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                sorted.truncate(count);
                assert_eq!(top_n(numbers.into_iter(), count, u32::cmp), sorted, "{count}");
            }
        }
    }

    #[test]
    fn few_of_many_items_are_held_at_once() {
        let (held, most) = (Cell::new(0_u32), Cell::new(0));
        let items = (0..10_000).rev().map(|number| Counted::new(number, &held, &most));
        let top = top_n(items, 100, |one, other| one.number.cmp(&other.number));
        assert_eq!((top.first().unwrap().number, top.len()), (0, 100));
        assert!(most.get() <= 201, "{}", most.get());
    }

    /// An item that counts how many of them there are.
    struct Counted<'a> {
        number: u32,
        held: &'a Cell<u32>,
    }

    impl<'a> Counted<'a> {
        fn new(number: u32, held: &'a Cell<u32>, most: &Cell<u32>) -> Self {
            held.set(held.get() + 1);
            most.set(most.get().max(held.get()));
            Self { number, held }
        }
    }

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.held.set(self.held.get() - 1);
        }
    }
}
