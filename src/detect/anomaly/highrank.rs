//! Whether the active values are the largest.

use super::arrangements::Shuffles;
use super::rank_sum::rank_sum_share;

/// All values ranked (0 for the smallest, mid-ranks for ties): the share of arrangements of the whole series whose active
/// rank sum is less than the observed one. Nothing when the reference is shorter than `active_size`.
#[must_use]
pub fn highrank(series: &[f64], active_size: usize, reference_size: usize, shuffles: Shuffles) -> Option<f64> {
    rank_sum_share(series, active_size, reference_size, shuffles, u64::lt)
}
