//! The diff test: are the last changes the largest, relative to the values?
//!
//! Takes a series and the sizes of its windows; gives a probability if the test applies. Must not know their meaning.

use super::arrangements::{RandomPermutations, multinomial, proportion};
use super::ranks::{doubled_sum_of_last, outranks};
use super::windows::Windows;

/// Ranks the relative differences |xᵢ − xᵢ₋₁| / |xᵢ| (0/0 is 0, x/0 is infinite). Gives the proportion of arrangements
/// of the values whose differences have a smaller active rank sum than the observed ones. Gives nothing if the
/// reference differences, one fewer than reference values, are fewer than `active_size`.
pub fn diff(
    series: &[f64],
    active_size: usize,
    reference_size: usize,
    permutations: RandomPermutations,
) -> Option<f64> {
    let differences = relative_differences(series);
    if !Windows::of(&differences, active_size, reference_size.saturating_sub(1)).has_full_reference(active_size) {
        return None;
    }
    let observed = doubled_sum_of_last(&differences, active_size);
    let values = Values::of(series);
    Some(match multinomial(&values.counts) {
        Some(all) => proportion(ArrangementCounter::new(values, active_size, observed).count(all), all),
        None => drawn(series, active_size, observed, permutations),
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

/// The proportion of random permutations whose doubled active rank sum is less than `observed`.
pub(super) fn drawn(series: &[f64], active_size: usize, observed: u64, permutations: RandomPermutations) -> f64 {
    let mut series = series.to_vec();
    let mut differences = vec![0.0; series.len() - 1];
    permutations.proportion(|generator| {
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

    /// Takes equal values for different ones: the same proportion of many more arrangements.
    #[cfg(test)]
    pub(super) fn alone(series: &[f64]) -> Self {
        Self { different: series.to_vec(), counts: vec![1; series.len()] }
    }
}

/// Counts arrangements with a small active rank sum, without building each of them.
///
/// An arrangement is built from its last value to its first. Its last values decide the active differences. Each
/// earlier difference then adds a fixed amount to the active rank sum, whatever the others are. So a part of an
/// arrangement may decide whether the sum is below the observed one; then all arrangements that end in this part are
/// counted, or left out, at once.
pub(super) struct ArrangementCounter {
    /// The number of times that each different value is still to be placed.
    left: Vec<usize>,
    /// The relative differences between different values: a matrix with a row for each later value.
    differences: Vec<f64>,
    /// The amount that each relative difference adds to the doubled active rank sum.
    weights: Vec<u64>,
    /// The active differences that are decided so far, the last one first.
    active: Vec<f64>,
    active_size: usize,
    observed: u64,
}

impl ArrangementCounter {
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

    /// The number of arrangements, of `all`, whose active rank sum is below the observed one.
    pub(super) fn count(mut self, all: u64) -> u64 {
        let unplaced = self.left.iter().sum();
        (0..self.left.len())
            .map(|last| self.place(last, unplaced, all, |counter, all| counter.place_active(last, unplaced - 1, all)))
            .sum()
    }

    /// Places the value `index` next and gives the result of `count`. Before that, `unplaced` values are still to be
    /// placed, which can be done in `ways` arrangements.
    #[inline]
    fn place(&mut self, index: usize, unplaced: usize, ways: u64, count: impl FnOnce(&mut Self, u64) -> u64) -> u64 {
        let alike = self.left[index];
        if alike == 0 {
            return 0;
        }
        self.left[index] -= 1;
        let found = count(self, ways * alike as u64 / unplaced as u64);
        self.left[index] += 1;
        found
    }

    /// Places values before `next` until all active differences are decided.
    fn place_active(&mut self, next: usize, unplaced: usize, ways: u64) -> u64 {
        if self.active.len() == self.active_size {
            let among_active = self.compute_weights();
            let budget = self.observed.checked_sub(among_active);
            return budget.map_or(0, |budget| self.place_others(next, unplaced, ways, budget));
        }
        let different = self.left.len();
        let mut found = 0;
        for index in 0..different {
            self.active.push(self.differences[next * different + index]);
            found += self.place(index, unplaced, ways, |counter, ways| counter.place_active(index, unplaced - 1, ways));
            self.active.pop();
        }
        found
    }

    /// Computes `weights` for the active differences; gives the doubled rank sum of these among themselves.
    fn compute_weights(&mut self) -> u64 {
        let Self { active, differences, weights, .. } = self;
        let weigh = |other: f64| active.iter().map(|&value| outranks(value, other)).sum::<u64>();
        weights.iter_mut().zip(differences.iter()).for_each(|(weight, &difference)| *weight = weigh(difference));
        active.iter().map(|&value| weigh(value)).sum::<u64>() - active.len() as u64
    }

    /// Places the remaining values before `next`; gives how many of their `ways` arrangements add less than `budget`.
    fn place_others(&mut self, next: usize, unplaced: usize, ways: u64, budget: u64) -> u64 {
        let at_most = 2 * (self.active_size * unplaced) as u64;
        if budget == 0 || at_most < budget {
            return if budget == 0 { 0 } else { ways };
        }
        let different = self.left.len();
        let mut found = 0;
        for index in 0..different {
            let weight = self.weights[next * different + index];
            let Some(budget) = budget.checked_sub(weight) else { continue };
            found += self
                .place(index, unplaced, ways, |counter, ways| counter.place_others(index, unplaced - 1, ways, budget));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::generator::SplitMix64;
    use super::*;

    const PERMUTATIONS: RandomPermutations = RandomPermutations { count: 500, seed: 1 };

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
        proportion(less, all)
    }

    #[test]
    fn fast_count_equals_the_count_one_by_one() {
        let mut generator = SplitMix64::new(11);
        for round in 0..200 {
            let length = 3 + generator.below(5);
            let different = 1 + generator.below(9);
            let series: Vec<f64> = (0..length).map(|_| generator.below(different) as f64).collect();
            for active_size in 1..=(length - 1) / 2 {
                let found = diff(&series, active_size, 100, PERMUTATIONS).unwrap();
                let expected = by_brute_force(&series, active_size);
                assert!((found - expected).abs() < 1e-12, "{round}: {series:?}, {active_size}: {found} {expected}");
            }
        }
    }

    #[test]
    fn long_series_of_few_values_are_counted_too() {
        let mut series = vec![0.0; 8];
        series[3] = 5.0;
        assert!((diff(&series, 1, 4, PERMUTATIONS).unwrap() - by_brute_force(&series, 1)).abs() < 1e-12);
        let mut long = vec![0.0; 1_000];
        long[999] = 5.0;
        // The one value last gives the largest difference but one: from it to 0 is infinite, from 0 to it is 1.
        assert!((diff(&long, 1, 4, PERMUTATIONS).unwrap() - 0.998).abs() < 1e-12);
    }

    #[test]
    fn a_zero_denominator_ranks_last_and_no_change_first() {
        assert_eq!(relative_differences(&[0.0, 0.0, 2.0, 0.0, 1.0]), [0.0, 1.0, f64::INFINITY, 1.0]);
    }

    #[test]
    fn a_reference_shorter_than_the_active_window_gives_nothing() {
        assert_eq!(diff(&[1.0, 2.0], 1, 4, PERMUTATIONS), None);
        assert!(diff(&[1.0, 2.0, 3.0], 1, 4, PERMUTATIONS).is_some());
        assert_eq!(diff(&[1.0, 2.0, 3.0, 4.0], 2, 4, PERMUTATIONS), None);
        assert_eq!(diff(&[], 1, 4, PERMUTATIONS), None);
    }
}
