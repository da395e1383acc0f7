//! The Kolmogorov–Smirnov test: do active and reference values follow different distributions?
//!
//! Takes a series and the sizes of its windows; gives a probability if the test applies. Must not know their meaning.

use super::arrangements::{RandomPermutations, multinomial, proportion};
use super::windows::Windows;

/// Gives the proportion of arrangements of the whole series whose Kolmogorov–Smirnov distance of active and reference
/// values is less than the observed one. Gives nothing if the reference is shorter than `active_size` or no multiple of
/// it.
pub fn ks(series: &[f64], active_size: usize, reference_size: usize, permutations: RandomPermutations) -> Option<f64> {
    let windows = Windows::of(series, active_size, reference_size);
    let reference = windows.reference.len();
    if !windows.has_full_reference(active_size) || !reference.is_multiple_of(active_size) {
        return None;
    }
    let observed = Observed::new(series, active_size, reference);
    Some(match multinomial(&[active_size, reference, series.len() - active_size - reference]) {
        Some(all) => proportion(observed.count_nearer(), all),
        None => observed.drawn(permutations),
    })
}

/// The part of the series to which a value belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Active,
    Reference,
    Rest,
}

fn sorted(mut values: Vec<(f64, Part)>) -> Vec<(f64, Part)> {
    values.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    values
}

/// The distance times the sizes of both samples: a whole number, which is compared without rounding.
fn scaled_distance(sorted: &[(f64, Part)], active_size: usize, reference_size: usize) -> u64 {
    let (mut active, mut reference, mut largest) = (0, 0, 0);
    for (place, (value, part)) in sorted.iter().enumerate() {
        active += usize::from(*part == Part::Active);
        reference += usize::from(*part == Part::Reference);
        // The distributions step past equal values at once.
        if sorted.get(place + 1).is_none_or(|next| next.0 != *value) {
            largest = largest.max((active * reference_size).abs_diff(reference * active_size));
        }
    }
    largest as u64
}

pub(super) struct Observed {
    sorted: Vec<(f64, Part)>,
    active_size: usize,
    reference_size: usize,
    scaled_distance: u64,
}

impl Observed {
    pub(super) fn new(series: &[f64], active_size: usize, reference_size: usize) -> Self {
        let (reference_from, active_from) = (series.len() - active_size - reference_size, series.len() - active_size);
        let part = |place| match place {
            _ if place < reference_from => Part::Rest,
            _ if place < active_from => Part::Reference,
            _ => Part::Active,
        };
        let sorted = sorted(series.iter().enumerate().map(|(place, &value)| (value, part(place))).collect());
        let scaled_distance = scaled_distance(&sorted, active_size, reference_size);
        Self { sorted, active_size, reference_size, scaled_distance }
    }

    /// The number of arrangements that have a smaller distance.
    ///
    /// Values are put into the parts one by one, the smallest first. The distance depends only on the number of smaller
    /// values in each part. So arrangements are counted by these numbers, as lattice paths that stay within a band.
    pub(super) fn count_nearer(&self) -> u64 {
        let row = self.reference_size + 1;
        let mut ways = vec![0; (self.active_size + 1) * row];
        ways[0] = 1;
        for (place, (value, _)) in self.sorted.iter().enumerate() {
            self.put_one(&mut ways, row, self.sorted.len() - place - 1);
            if self.sorted.get(place + 1).is_none_or(|next| next.0 != *value) {
                self.drop_far(&mut ways, row);
            }
        }
        ways.last().copied().unwrap_or_default()
    }

    /// Puts one value into any part; `remaining` values follow. Drops the paths that these cannot complete, so that no
    /// number exceeds that of all arrangements.
    fn put_one(&self, ways: &mut [u64], row: usize, remaining: usize) {
        for cell in (0..ways.len()).rev() {
            let (active, reference) = (cell / row, cell % row);
            let missing = self.active_size - active + self.reference_size - reference;
            let to_active = if active > 0 { ways[cell - row] } else { 0 };
            let to_reference = if reference > 0 { ways[cell - 1] } else { 0 };
            ways[cell] = if missing <= remaining { ways[cell] + to_active + to_reference } else { 0 };
        }
    }

    fn drop_far(&self, ways: &mut [u64], row: usize) {
        for (cell, ways) in ways.iter_mut().enumerate() {
            let (active, reference) = (cell / row, cell % row);
            let distance = (active * self.reference_size).abs_diff(reference * self.active_size) as u64;
            if distance >= self.scaled_distance {
                *ways = 0;
            }
        }
    }

    /// The proportion of random permutations that have a smaller distance.
    pub(super) fn drawn(mut self, permutations: RandomPermutations) -> f64 {
        let part = |place| match place {
            _ if place < self.active_size => Part::Active,
            _ if place < self.active_size + self.reference_size => Part::Reference,
            _ => Part::Rest,
        };
        let parts: Vec<Part> = (0..self.sorted.len()).map(part).collect();
        let mut order: Vec<usize> = (0..self.sorted.len()).collect();
        permutations.proportion(|generator| {
            generator.shuffle(&mut order, self.active_size + self.reference_size);
            order.iter().zip(&parts).for_each(|(&place, &part)| self.sorted[place].1 = part);
            scaled_distance(&self.sorted, self.active_size, self.reference_size) < self.scaled_distance
        })
    }
}

#[cfg(test)]
mod tests {
    use statrs::stats_tests::NaNPolicy;
    use statrs::stats_tests::ks_test::{KSTwoSampleAlternativeMethod, ks_twosample};

    use super::super::generator::SplitMix64;
    use super::*;

    const PERMUTATIONS: RandomPermutations = RandomPermutations { count: 500, seed: 1 };

    /// The two-sample Kolmogorov–Smirnov distance: the largest difference of the two empirical distributions over all
    /// values of both. 0 when a sample is empty.
    fn distance(left: &[f64], right: &[f64]) -> f64 {
        let marked = |values: &[f64], part| values.iter().map(|&value| (value, part)).collect::<Vec<_>>();
        let sorted = sorted([marked(left, Part::Active), marked(right, Part::Reference)].concat());
        proportion(scaled_distance(&sorted, left.len(), right.len()), (left.len() * right.len()) as u64)
    }

    fn oracle(left: &[f64], right: &[f64]) -> (f64, f64) {
        let method = KSTwoSampleAlternativeMethod::TwoSidedExact;
        ks_twosample(left.to_vec(), right.to_vec(), method, NaNPolicy::Error).unwrap()
    }

    /// Few different values, so that there are ties.
    fn sample(generator: &mut SplitMix64, count: usize, different: usize) -> Vec<f64> {
        (0..count).map(|_| generator.below(different) as f64 / 3.0).collect()
    }

    #[test]
    fn the_distance_is_that_of_statrs() {
        let mut generator = SplitMix64::new(3);
        for round in 0..2_000 {
            let left = 1 + generator.below(12);
            let right = 1 + generator.below(12);
            let different = 1 + generator.below(20);
            let (left, right) = (sample(&mut generator, left, different), sample(&mut generator, right, different));
            let (expected, _) = oracle(&left, &right);
            assert!((distance(&left, &right) - expected).abs() < 1e-12, "{round}: {left:?} {right:?}");
        }
    }

    #[test]
    fn without_ties_and_older_values_the_share_is_the_exact_p_value_of_statrs() {
        let mut generator = SplitMix64::new(5);
        for (active, reference) in [(1, 4), (2, 4), (3, 6), (2, 8), (4, 4), (1, 30)] {
            for _ in 0..20 {
                let mut series: Vec<f64> = (0..active + reference).map(|value| value as f64).collect();
                generator.shuffle(&mut series, usize::MAX);
                let (_, at_least) = oracle(&series[reference..], &series[..reference]);
                let found = ks(&series, active, reference, PERMUTATIONS).unwrap();
                assert!((found - (1.0 - at_least)).abs() < 1e-9, "{series:?} {active}: {found} {at_least}");
            }
        }
    }

    #[test]
    fn a_reference_that_is_no_multiple_gives_nothing() {
        let series: Vec<f64> = (0..9).map(f64::from).collect();
        assert!(ks(&series, 2, 4, PERMUTATIONS).is_some());
        assert_eq!(ks(&series[..5], 2, 4, PERMUTATIONS), None);
        assert_eq!(ks(&series[..3], 2, 4, PERMUTATIONS), None);
        assert_eq!(ks(&[], 1, 4, PERMUTATIONS), None);
        assert!(ks(&series[..2], 1, 4, PERMUTATIONS).is_some());
    }

    #[test]
    fn a_long_reference_does_not_overflow() {
        let series: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(ks(&series, 1, 999, PERMUTATIONS), Some(0.998));
    }
}
