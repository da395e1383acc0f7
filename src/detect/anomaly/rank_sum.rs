//! The two rank tests: are the active values the largest, or the smallest?
//!
//! Takes a series and the sizes of its windows; gives the proportion of arrangements with a smaller or a greater rank
//! sum of the active values. Must not know what the values are.

use super::arrangements::{RandomPermutations, binomial, proportion};
use super::generator::SplitMix64;
use super::ranks::doubled;
use super::windows::Windows;

/// Ranks all values (0 for the smallest, mid-ranks for ties). Gives the proportion of arrangements of the whole series
/// whose active rank sum is less than the observed one; nothing if the reference is shorter than `active_size`.
pub fn highrank(
    series: &[f64],
    active_size: usize,
    reference_size: usize,
    permutations: RandomPermutations,
) -> Option<f64> {
    rank_sum_share(series, active_size, reference_size, permutations, u64::lt)
}

/// As [`highrank`], but the proportion whose active rank sum is greater than the observed one.
pub fn lowrank(
    series: &[f64],
    active_size: usize,
    reference_size: usize,
    permutations: RandomPermutations,
) -> Option<f64> {
    rank_sum_share(series, active_size, reference_size, permutations, u64::gt)
}

/// The proportion of arrangements for which `compares` is true of their active rank sum and the observed one.
fn rank_sum_share(
    series: &[f64],
    active_size: usize,
    reference_size: usize,
    permutations: RandomPermutations,
    compares: impl Fn(&u64, &u64) -> bool,
) -> Option<f64> {
    if !Windows::of(series, active_size, reference_size).has_full_reference(active_size) {
        return None;
    }
    let ranks = doubled(series);
    let observed = ranks[ranks.len() - active_size..].iter().sum();
    let holds = |sum| compares(&sum, &observed);
    Some(match binomial(ranks.len(), active_size) {
        Some(all) => counted(&ranks, active_size, all, holds),
        None => drawn(ranks, active_size, permutations, holds),
    })
}

/// The proportion of all subsets of `active_size` ranks whose sum meets the condition `holds`.
pub(super) fn counted(ranks: &[u64], active_size: usize, all: u64, holds: impl Fn(u64) -> bool) -> f64 {
    proportion(count_sums(ranks, active_size, 0, &holds), all)
}

fn count_sums(ranks: &[u64], left: usize, sum: u64, holds: &impl Fn(u64) -> bool) -> u64 {
    if left == 0 {
        return u64::from(holds(sum));
    }
    let firsts = 0..=ranks.len() - left;
    firsts.map(|first| count_sums(&ranks[first + 1..], left - 1, sum + ranks[first], holds)).sum()
}

/// The proportion of subsets drawn at random whose sum meets the condition `holds`.
pub(super) fn drawn(
    mut ranks: Vec<u64>,
    active_size: usize,
    permutations: RandomPermutations,
    holds: impl Fn(u64) -> bool,
) -> f64 {
    permutations.proportion(|generator: &mut SplitMix64| {
        generator.shuffle(&mut ranks, active_size);
        holds(ranks[..active_size].iter().sum())
    })
}
