//! Ranks with ties.
//!
//! Takes values; gives their ranks. Must not know the tests.
//!
//! Equal values share the mean of their ranks. Such a mid-rank may end in a half, so ranks are doubled here: whole
//! numbers, whose sums are compared without rounding.

/// Twice the mid-rank of each value among all (0 for the smallest).
pub(crate) fn doubled(values: &[f64]) -> Vec<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    values.iter().map(|value| doubled_rank(&sorted, *value)).collect()
}

/// Equal values take the ranks after the smaller ones. The first and the last of these ranks add up to twice their
/// mean.
fn doubled_rank(sorted: &[f64], value: f64) -> u64 {
    let smaller = sorted.partition_point(|other| *other < value);
    let up_to = sorted.partition_point(|other| *other <= value);
    (smaller + up_to).saturating_sub(1) as u64
}

/// The sum of the doubled mid-ranks of the last `count` of `values` among all.
#[inline]
pub(crate) fn doubled_sum_of_last(values: &[f64], count: usize) -> u64 {
    let last = &values[values.len().saturating_sub(count)..];
    // Counting beats sorting: the series are short and the last are few.
    last.iter().map(|value| values.iter().map(|other| outranks(*value, *other)).sum::<u64>()).sum::<u64>()
        - last.len() as u64
}

/// The amount that `other` adds to the doubled mid-rank of `value`. The value itself adds 1 too many.
#[inline]
pub(crate) fn outranks(value: f64, other: f64) -> u64 {
    u64::from(other < value) + u64::from(other <= value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_mean_rank() {
        assert_eq!(doubled(&[3.0, 1.0, 3.0, 9.0, 3.0]), [4, 0, 4, 8, 4]);
        assert_eq!(doubled(&[0.0, -0.0, 1.0]), [1, 1, 4]);
        assert_eq!(doubled(&[1.0, f64::INFINITY, f64::INFINITY]), [0, 3, 3]);
        assert!(doubled(&[]).is_empty());
    }

    #[test]
    fn the_sum_of_the_last_ranks_is_that_of_all_ranks() {
        let values = [3.0, 1.0, 3.0, f64::INFINITY, 3.0, 0.0];
        for count in 1..=6 {
            let all = doubled(&values);
            assert_eq!(doubled_sum_of_last(&values, count), all[6 - count..].iter().sum::<u64>(), "{count}");
        }
    }
}
