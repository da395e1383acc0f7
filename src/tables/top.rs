//! The largest of many items.
//!
//! Takes items, a count and an order; gives the first of them, sorted. Must not know what the items are.

use std::cmp::Ordering;

/// The first `count` of `items` by `order`, sorted.
pub fn top_n<T>(items: impl Iterator<Item = T>, count: usize, mut order: impl FnMut(&T, &T) -> Ordering) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    keep_top(&mut items, count, &mut order);
    items.sort_unstable_by(order);
    items
}

/// Keeps the first `count` of `items` by `order`, in no particular order.
pub fn keep_top<T>(items: &mut Vec<T>, count: usize, order: impl FnMut(&T, &T) -> Ordering) {
    if items.len() > count {
        items.select_nth_unstable_by(count, order);
        items.truncate(count);
    }
}

/// Orders pairs of a key and a weight by weight, the heaviest first, and equal weights by key.
pub fn heaviest_first<K: Ord>(one: &(K, u64), other: &(K, u64)) -> Ordering {
    other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_is_sorted_and_no_longer_than_asked_for() {
        let items = || [("b", 1), ("a", 1), ("c", 9), ("d", 4)].into_iter();
        assert_eq!(top_n(items(), 3, heaviest_first), [("c", 9), ("d", 4), ("a", 1)]);
        assert_eq!(top_n(items(), 9, heaviest_first).len(), 4);
        assert!(top_n(items(), 0, heaviest_first).is_empty());
    }
}
