//! The diff test: are the last changes the largest, relative to the values?
//!
//! Takes a series and the sizes of its windows; gives a probability if the test applies. Must not know their meaning.

use super::arrangements::{Shuffles, of_counts, share};
use super::ranks::{doubled_sum_of_last, outranks};
use super::windows::Windows;

/// The relative differences |xᵢ − xᵢ₋₁| / |xᵢ| ranked (0/0 is 0, x/0 is infinite): the share of arrangements of the values,
/// differences taken afterwards, whose active rank sum is less than the observed one. Nothing when the reference, one
/// shorter than for values, is shorter than `active_size`.
pub fn diff(series: &[f64], active_size: usize, reference_size: usize, shuffles: Shuffles) -> Option<f64> {
    let differences = relative_differences(series);
    if !Windows::of(&differences, active_size, reference_size.saturating_sub(1)).compares(active_size) {
        return None;
    }
    let observed = doubled_sum_of_last(&differences, active_size);
    let values = Values::of(series);
    Some(match of_counts(&values.counts) {
        Some(all) => share(OrderCounter::new(values, active_size, observed).count(all), all),
        None => drawn(series, active_size, observed, shuffles),
    })
}

pub(super) fn relative_differences(series: &[f64]) -> Vec<f64> {
    series.windows(2).map(|pair| relative_difference(pair[0], pair[1])).collect()
}

#[inline]
fn relative_difference(from: f64, to: f64) -> f64 {
    let difference = (to - from).abs();
    if difference == 0.0 { 0.0 } else { difference / to.abs() }
}

/// The share of drawn orders whose active rank sum is less than `observed`, which is doubled.
pub(super) fn drawn(series: &[f64], active_size: usize, observed: u64, shuffles: Shuffles) -> f64 {
    let mut series = series.to_vec();
    let mut differences = vec![0.0; series.len() - 1];
    shuffles.share(|generator| {
        generator.shuffle(&mut series, usize::MAX);
        for (difference, pair) in differences.iter_mut().zip(series.windows(2)) {
            *difference = relative_difference(pair[0], pair[1]);
        }
        doubled_sum_of_last(&differences, active_size) < observed
    })
}

/// The different values of a series, and how many there are of each.
pub(super) struct Values {
    different: Vec<f64>,
    counts: Vec<usize>,
}

impl Values {
    pub(super) fn of(series: &[f64]) -> Self {
        let mut sorted = series.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let alike: Vec<&[f64]> = sorted.chunk_by(|left, right| left == right).collect();
        Self {
            different: alike.iter().map(|run| run[0]).collect(),
            counts: alike.iter().map(|run| run.len()).collect(),
        }
    }

    /// Each value for itself, as if none were alike: the same share of many more arrangements.
    #[cfg(test)]
    pub(super) fn alone(series: &[f64]) -> Self {
        Self { different: series.to_vec(), counts: vec![1; series.len()] }
    }
}

/// Counts orders, built from their ends.
///
/// The last values decide the active differences; then each difference further ahead adds to the active rank sum what it
/// weighs against these, whatever the others are. So an order is given up, or counted with all that begin differently, as
/// soon as its sum is decided.
pub(super) struct OrderCounter {
    /// The number of each value that are not placed yet.
    left: Vec<usize>,
    /// The relative difference from one value to another: row by row, a row for each `to`.
    differences: Vec<f64>,
    /// The amount that each of these adds to the doubled active rank sum.
    weights: Vec<u64>,
    /// The active differences placed so far, last first.
    active: Vec<f64>,
    active_size: usize,
    observed: u64,
}

impl OrderCounter {
    pub(super) fn new(values: Values, active_size: usize, observed: u64) -> Self {
        let Values { different, counts } = values;
        let row = |&to: &f64| different.iter().map(move |&from| relative_difference(from, to)).collect::<Vec<_>>();
        let differences: Vec<f64> = different.iter().flat_map(row).collect();
        let weights = vec![0; differences.len()];
        Self { left: counts, differences, weights, active: Vec::with_capacity(active_size), active_size, observed }
    }

    #[cfg(test)]
    pub(super) fn unplaced(&self) -> &[usize] {
        &self.left
    }

    /// The number of `all` arrangements whose active rank sum is below the observed one.
    pub(super) fn count(mut self, all: u64) -> u64 {
        let unplaced = self.left.iter().sum();
        (0..self.left.len())
            .map(|last| self.with(last, unplaced, all, |orders, all| orders.end(last, unplaced - 1, all)))
            .sum()
    }

    /// The result of `count` when the value `index` is placed next, of `unplaced`, in `ways` arrangements.
    #[inline]
    fn with(&mut self, index: usize, unplaced: usize, ways: u64, count: impl FnOnce(&mut Self, u64) -> u64) -> u64 {
        let alike = self.left[index];
        if alike == 0 {
            return 0;
        }
        self.left[index] -= 1;
        let found = count(self, ways * alike as u64 / unplaced as u64);
        self.left[index] += 1;
        found
    }

    /// Places values ahead of `next` until all active differences stand.
    fn end(&mut self, next: usize, unplaced: usize, ways: u64) -> u64 {
        if self.active.len() == self.active_size {
            let among_active = self.weigh();
            let budget = self.observed.checked_sub(among_active);
            return budget.map_or(0, |budget| self.begin(next, unplaced, ways, budget));
        }
        let different = self.left.len();
        let mut found = 0;
        for index in 0..different {
            self.active.push(self.differences[next * different + index]);
            found += self.with(index, unplaced, ways, |orders, ways| orders.end(index, unplaced - 1, ways));
            self.active.pop();
        }
        found
    }

    /// Weighs every difference against the active ones; gives their own doubled rank sum among themselves.
    fn weigh(&mut self) -> u64 {
        let Self { active, differences, weights, .. } = self;
        let weigh = |other: f64| active.iter().map(|&value| outranks(value, other)).sum::<u64>();
        weights.iter_mut().zip(differences.iter()).for_each(|(weight, &difference)| *weight = weigh(difference));
        active.iter().map(|&value| weigh(value)).sum::<u64>() - active.len() as u64
    }

    /// Places the other values ahead of `next`: how many of `ways` arrangements of them weigh less than `budget`.
    fn begin(&mut self, next: usize, unplaced: usize, ways: u64, budget: u64) -> u64 {
        let at_most = 2 * (self.active_size * unplaced) as u64;
        if budget == 0 || at_most < budget {
            return if budget == 0 { 0 } else { ways };
        }
        let different = self.left.len();
        let mut found = 0;
        for index in 0..different {
            let weight = self.weights[next * different + index];
            let Some(budget) = budget.checked_sub(weight) else { continue };
            found += self.with(index, unplaced, ways, |orders, ways| orders.begin(index, unplaced - 1, ways, budget));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::generator::SplitMix64;
    use super::*;

    const SHUFFLES: Shuffles = Shuffles { count: 500, seed: 1 };

    /// All orders of the places, one after another (Heap's algorithm).
    fn orders(series: &mut Vec<f64>, unplaced: usize, visit: &mut impl FnMut(&[f64])) {
        if unplaced <= 1 {
            return visit(series);
        }
        for place in 0..unplaced {
            orders(series, unplaced - 1, visit);
            series.swap(if unplaced.is_multiple_of(2) { place } else { 0 }, unplaced - 1);
        }
    }

    fn by_brute_force(series: &[f64], active_size: usize) -> f64 {
        let sum = |series: &[f64]| doubled_sum_of_last(&relative_differences(series), active_size);
        let (mut less, mut all) = (0, 0);
        let observed = sum(series);
        orders(&mut series.to_vec(), series.len(), &mut |order| {
            less += u64::from(sum(order) < observed);
            all += 1;
        });
        share(less, all)
    }

    #[test]
    fn fast_count_equals_the_count_one_by_one() {
        let mut generator = SplitMix64::new(11);
        for round in 0..200 {
            let length = 3 + generator.below(5);
            let different = 1 + generator.below(9);
            let series: Vec<f64> = (0..length).map(|_| generator.below(different) as f64).collect();
            for active_size in 1..=(length - 1) / 2 {
                let found = diff(&series, active_size, 100, SHUFFLES).unwrap();
                let expected = by_brute_force(&series, active_size);
                assert!((found - expected).abs() < 1e-12, "{round}: {series:?}, {active_size}: {found} {expected}");
            }
        }
    }

    #[test]
    fn long_series_of_few_values_are_counted_too() {
        let mut series = vec![0.0; 8];
        series[3] = 5.0;
        assert!((diff(&series, 1, 4, SHUFFLES).unwrap() - by_brute_force(&series, 1)).abs() < 1e-12);
        let mut long = vec![0.0; 1_000];
        long[999] = 5.0;
        // The one value last gives the largest difference but one: from it to 0 is infinite, from 0 to it is 1.
        assert!((diff(&long, 1, 4, SHUFFLES).unwrap() - 0.998).abs() < 1e-12);
    }

    #[test]
    fn a_zero_denominator_ranks_last_and_no_change_first() {
        assert_eq!(relative_differences(&[0.0, 0.0, 2.0, 0.0, 1.0]), [0.0, 1.0, f64::INFINITY, 1.0]);
    }

    #[test]
    fn a_reference_shorter_than_the_active_window_gives_nothing() {
        assert_eq!(diff(&[1.0, 2.0], 1, 4, SHUFFLES), None);
        assert!(diff(&[1.0, 2.0, 3.0], 1, 4, SHUFFLES).is_some());
        assert_eq!(diff(&[1.0, 2.0, 3.0, 4.0], 2, 4, SHUFFLES), None);
        assert_eq!(diff(&[], 1, 4, SHUFFLES), None);
    }
}
