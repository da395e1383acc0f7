//! The cdf test: the place of the last change among the earlier ones.
//!
//! Takes a series and the sizes of its windows; gives a probability if the test applies. Must not know their meaning.

use super::windows::{Windows, clamped, mean};

/// With the differences |xᵢ − xᵢ₋₁|, windows taken on them (the reference one shorter than for values), F the empirical
/// distribution of the reference differences and p = F(mean of the active ones − mean of the reference ones):
/// 2·|0.5 − p|. It is 0 when all differences of the windows are equal. Nothing when the reference is shorter than
/// `active_size`.
pub fn cdf(series: &[f64], active_size: usize, reference_size: usize) -> Option<f64> {
    let differences: Vec<f64> = series.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let windows = Windows::of(&differences, active_size, reference_size.saturating_sub(1));
    if !windows.has_full_reference(active_size) {
        return None;
    }
    let Windows { reference, active } = windows;
    let is_steady = reference.iter().chain(active).all(|&difference| difference == active[0]);
    let p = distribution(reference, mean(active) - mean(reference));
    Some(if is_steady { 0.0 } else { clamped(2.0 * (0.5 - p).abs()) })
}

/// F(q): the proportion of `values` that are at most `quantile`; 0 for no values.
fn distribution(values: &[f64], quantile: f64) -> f64 {
    let within = values.iter().filter(|&&value| value <= quantile).count();
    within as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_growth_is_usual() {
        assert_eq!(cdf(&[1.0, 2.0, 3.0, 4.0, 5.0], 1, 4), Some(0.0));
    }

    #[test]
    fn values_before_the_windows_do_not_count() {
        assert_eq!(cdf(&[900.0, 5.0, 5.0, 5.0, 5.0, 5.0], 1, 4), Some(0.0));
    }

    #[test]
    fn a_reference_shorter_than_the_active_window_gives_nothing() {
        assert_eq!(cdf(&[1.0, 2.0], 1, 4), None);
        assert!(cdf(&[1.0, 2.0, 3.0], 1, 4).is_some());
        assert_eq!(cdf(&[1.0, 2.0, 3.0, 4.0], 2, 4), None);
        assert_eq!(cdf(&[], 1, 4), None);
    }

    #[test]
    fn distribution_counts_equal_values() {
        let values = [1.0, 0.0, 1.0, 3.0];
        for (quantile, share) in [(-1.0, 0.0), (0.0, 0.25), (1.0, 0.75), (2.9, 0.75), (3.0, 1.0)] {
            assert_eq!(distribution(&values, quantile), share, "{quantile}");
        }
        assert_eq!(distribution(&[], 1.0), 0.0);
    }
}
