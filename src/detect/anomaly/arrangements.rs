//! Arrangements of a series: their number, and the proportion of them that meets a condition.
//!
//! Takes counts of equal values, or a condition on permutations; gives numbers and proportions. Must not know the
//! tests.
//!
//! A permutation test asks in what proportion of all permutations of a series the statistic is smaller than the
//! observed one. Permutations that the statistic cannot tell apart are one *arrangement*:
//!
//! - for a rank sum, those with the same active values;
//! - for the Kolmogorov–Smirnov distance, those with the same active and the same reference values;
//! - for differences, those that only exchange equal values.
//!
//! Every arrangement of a series has the same number of permutations, so both proportions are equal.

use super::generator::SplitMix64;

/// The most arrangements that are counted one by one: 7!, the permutations of seven different values.
pub(crate) const ENUMERATED: u64 = 5_040;

/// Permutations that are drawn at random if there are too many arrangements to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomPermutations {
    /// Number of permutations, 1 or more.
    pub count: u32,
    /// Seed of the generator.
    pub seed: u64,
}

impl RandomPermutations {
    /// The proportion of draws for which `holds` is true.
    pub(super) fn proportion(self, mut holds: impl FnMut(&mut SplitMix64) -> bool) -> f64 {
        let mut generator = SplitMix64::new(self.seed);
        let count = (0..self.count).filter(|_| holds(&mut generator)).count();
        proportion(count as u64, u64::from(self.count))
    }
}

/// `part` divided by `whole`; 0 if `whole` is 0.
pub(super) fn proportion(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The multinomial coefficient: the arrangements of a series in which the different values occur `counts` times. None
/// if it is above [`ENUMERATED`].
pub(crate) fn multinomial(counts: &[usize]) -> Option<u64> {
    let mut placed = 0;
    counts.iter().try_fold(1_u64, |ways, &count| {
        placed += count;
        Some(ways * binomial(placed, count)?).filter(|&ways| ways <= ENUMERATED)
    })
}

/// The binomial coefficient: the number of subsets of `chosen` of `among` values. None if it is above [`ENUMERATED`].
pub(crate) fn binomial(among: usize, chosen: usize) -> Option<u64> {
    let fewer = chosen.min(among.checked_sub(chosen)?) as u64;
    // Each step is a binomial coefficient itself, and never less than the one before.
    (1..=fewer).try_fold(1_u64, |ways, step| {
        Some(ways * (among as u64 - fewer + step) / step).filter(|&ways| ways <= ENUMERATED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_counted_up_to_the_limit() {
        assert_eq!([binomial(7, 1), binomial(10, 5), binomial(5, 0), binomial(0, 0)], [7, 252, 1, 1].map(Some));
        assert_eq!(binomial(5_040, 1), Some(5_040));
        assert_eq!([binomial(5_041, 1), binomial(1_000_000, 500_000), binomial(2, 3)], [None; 3]);
    }

    #[test]
    fn seven_different_values_are_counted_and_eight_are_not() {
        assert_eq!(multinomial(&[1; 7]), Some(5_040));
        assert_eq!(multinomial(&[1; 8]), None);
        assert_eq!(multinomial(&[7, 1, 1, 1]), Some(720));
        assert_eq!(multinomial(&[1, 4, 2]), Some(105));
        assert_eq!(multinomial(&[]), Some(1));
    }
}
