//! The two rank tests: are the active values the largest, or the smallest?
//!
//! Takes a series and the sizes of its windows; gives the share of arrangements with a smaller or a greater rank sum of the
//! active values. Must not know what the values are.

use super::arrangements::{Shuffles, share, subsets};
use super::generator::SplitMix64;
use super::ranks::doubled;
use super::windows::Windows;

/// Ranks all values (0 for the smallest, mid-ranks for ties) and gives the share of arrangements of the whole series whose
/// active rank sum is less than the observed one. Gives nothing when the reference is shorter than `active_size`.
pub fn highrank(series: &[f64], active_size: usize, reference_size: usize, shuffles: Shuffles) -> Option<f64> {
    rank_sum_share(series, active_size, reference_size, shuffles, u64::lt)
}

/// As [`highrank`], but the share whose active rank sum is greater than the observed one.
pub fn lowrank(series: &[f64], active_size: usize, reference_size: usize, shuffles: Shuffles) -> Option<f64> {
    rank_sum_share(series, active_size, reference_size, shuffles, u64::gt)
}

/// The share of arrangements whose active rank sum `compares` to the observed one; nothing with a shorter reference.
fn rank_sum_share(
    series: &[f64],
    active_size: usize,
    reference_size: usize,
    shuffles: Shuffles,
    compares: impl Fn(&u64, &u64) -> bool,
) -> Option<f64> {
    if !Windows::of(series, active_size, reference_size).compares(active_size) {
        return None;
    }
    let ranks = doubled(series);
    let observed = ranks[ranks.len() - active_size..].iter().sum();
    let holds = |sum| compares(&sum, &observed);
    Some(match subsets(ranks.len(), active_size) {
        Some(all) => counted(&ranks, active_size, all, holds),
        None => drawn(ranks, active_size, shuffles, holds),
    })
}

/// The share of all subsets of `active_size` ranks whose sum `holds`.
pub(super) fn counted(ranks: &[u64], active_size: usize, all: u64, holds: impl Fn(u64) -> bool) -> f64 {
    share(count_sums(ranks, active_size, 0, &holds), all)
}

fn count_sums(ranks: &[u64], left: usize, sum: u64, holds: &impl Fn(u64) -> bool) -> u64 {
    if left == 0 {
        return u64::from(holds(sum));
    }
    let firsts = 0..=ranks.len() - left;
    firsts.map(|first| count_sums(&ranks[first + 1..], left - 1, sum + ranks[first], holds)).sum()
}

/// The share of drawn subsets whose sum `holds`.
pub(super) fn drawn(mut ranks: Vec<u64>, active_size: usize, shuffles: Shuffles, holds: impl Fn(u64) -> bool) -> f64 {
    shuffles.share(|generator: &mut SplitMix64| {
        generator.shuffle(&mut ranks, active_size);
        holds(ranks[..active_size].iter().sum())
    })
}
