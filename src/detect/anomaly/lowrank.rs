//! Whether the active values are the smallest.

use super::arrangements::Shuffles;
use super::rank_sum::rank_sum_share;

/// As [`highrank`](super::highrank()), but the share whose active rank sum is greater than the observed one.
#[must_use]
pub fn lowrank(series: &[f64], active_size: usize, reference_size: usize, shuffles: Shuffles) -> Option<f64> {
    rank_sum_share(series, active_size, reference_size, shuffles, u64::gt)
}
