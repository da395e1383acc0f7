//! Arrangements of a series: their number, and shares of them.
//!
//! Takes counts of equal values, or a condition on shuffles; gives numbers and shares. Must not know the tests.
//!
//! A permutation test asks what share of all orders of a series gives a smaller statistic than the observed one. Orders
//! that the statistic cannot tell apart are one *arrangement*: for a rank sum what counts is which values are active; for
//! the Kolmogorov–Smirnov distance which are active and which are reference; for differences the whole order, equal values
//! aside. All arrangements of a series stand for equally many orders, so their shares are the same.

use super::generator::SplitMix64;

/// Up to this number all arrangements are counted: 7!, all orders of seven different values.
pub(crate) const ENUMERATED: u64 = 5_040;

/// The shuffles that are drawn when there are too many orders to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffles {
    /// Number of shuffles, at least 1.
    pub count: u32,
    /// Seed of the generator.
    pub seed: u64,
}

impl Shuffles {
    /// The share of draws for which `holds`.
    pub(super) fn share(self, mut holds: impl FnMut(&mut SplitMix64) -> bool) -> f64 {
        let mut generator = SplitMix64::new(self.seed);
        let count = (0..self.count).filter(|_| holds(&mut generator)).count();
        share(count as u64, u64::from(self.count))
    }
}

/// `part` of `whole`; 0 of nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The number of orders of things of these `counts`, alike within each; none above [`ENUMERATED`].
pub(crate) fn of_counts(counts: &[usize]) -> Option<u64> {
    let mut placed = 0;
    counts.iter().try_fold(1_u64, |ways, &count| {
        placed += count;
        Some(ways * subsets(placed, count)?).filter(|&ways| ways <= ENUMERATED)
    })
}

/// The number of ways to choose `chosen` of `among` values; none above [`ENUMERATED`].
pub(crate) fn subsets(among: usize, chosen: usize) -> Option<u64> {
    let fewer = chosen.min(among.checked_sub(chosen)?) as u64;
    // Each step is a number of subsets itself, and never less than the one before.
    (1..=fewer).try_fold(1_u64, |ways, step| {
        Some(ways * (among as u64 - fewer + step) / step).filter(|&ways| ways <= ENUMERATED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_counted_up_to_the_limit() {
        assert_eq!([subsets(7, 1), subsets(10, 5), subsets(5, 0), subsets(0, 0)], [7, 252, 1, 1].map(Some));
        assert_eq!(subsets(5_040, 1), Some(5_040));
        assert_eq!([subsets(5_041, 1), subsets(1_000_000, 500_000), subsets(2, 3)], [None; 3]);
    }

    #[test]
    fn seven_different_values_are_counted_and_eight_are_not() {
        assert_eq!(of_counts(&[1; 7]), Some(5_040));
        assert_eq!(of_counts(&[1; 8]), None);
        assert_eq!(of_counts(&[7, 1, 1, 1]), Some(720));
        assert_eq!(of_counts(&[1, 4, 2]), Some(105));
        assert_eq!(of_counts(&[]), Some(1));
    }
}
