//! The active and the reference window of a series.
//!
//! Takes a series and two sizes; gives the windows and their means. Must not know the tests.

/// The least number of reference values.
const SHORTEST_REFERENCE: usize = 4;

/// The number of reference values: `seasons` times `active_size`, at least 4.
pub(crate) const fn reference_size(active_size: usize, seasons: usize) -> usize {
    let size = active_size.saturating_mul(seasons);
    if size < SHORTEST_REFERENCE { SHORTEST_REFERENCE } else { size }
}

/// The end of a series, as the tests compare it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Windows<'a> {
    /// The values before the active ones.
    pub reference: &'a [f64],
    /// The last values.
    pub active: &'a [f64],
}

impl<'a> Windows<'a> {
    /// The last `active_size` values of `series`, and the up to `reference_size` before them.
    pub(crate) fn of(series: &'a [f64], active_size: usize, reference_size: usize) -> Self {
        let (before, active) = series.split_at(series.len().saturating_sub(active_size));
        Self { reference: &before[before.len().saturating_sub(reference_size)..], active }
    }

    /// True if the reference has `active_size` values at least, as tests of ranks and distributions need.
    pub(crate) const fn has_full_reference(&self, active_size: usize) -> bool {
        active_size > 0 && self.reference.len() >= active_size
    }
}

/// The arithmetic mean; 0 of nothing. Finite for finite values.
pub(crate) fn mean(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let sum: f64 = values.iter().sum();
    // The sum of huge values may be infinite; each value is divided first.
    if sum.is_finite() { sum / count } else { values.iter().map(|value| value / count).sum() }
}

/// The nearest number from 0 to 1; 0 for NaN.
pub(crate) const fn clamped(probability: f64) -> f64 {
    probability.max(0.0).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_ends_where_the_active_window_begins() {
        let series = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let windows = Windows::of(&series, 2, 3);
        assert_eq!((windows.reference, windows.active), (&series[1..4], &series[4..]));
    }

    #[test]
    fn short_series_fill_the_active_window_first() {
        let windows = Windows::of(&[1.0, 2.0], 3, 4);
        assert_eq!((windows.reference, windows.active), (&[][..], &[1.0, 2.0][..]));
        assert!(!windows.has_full_reference(3));
        assert_eq!(Windows::of(&[], 1, 4), Windows { reference: &[], active: &[] });
    }

    #[test]
    fn a_reference_is_at_least_four_long() {
        assert_eq!([reference_size(1, 1), reference_size(1, 4), reference_size(2, 3)], [4, 4, 6]);
        assert_eq!(reference_size(usize::MAX, 2), usize::MAX);
    }

    #[test]
    fn the_mean_of_huge_values_is_a_number() {
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean(&[]), 0.0);
    }
}
