//! The fence test: how near is the active mean to a fixed bound?
//!
//! Takes a series and bounds; gives a probability, or nothing for an empty series. Must not know what the values are.

use super::config::Fence;
use super::windows::{Windows, clamped, mean};

/// (10^d − 1) / 9, where d is the distance of the active mean from the middle of the fence, divided by the distance of
/// a bound from the middle, at most 1. It rises steeply near a bound. With an upper bound alone the middle is 0. Gives
/// nothing for an empty series.
pub fn fence(series: &[f64], active_size: usize, fence: Fence) -> Option<f64> {
    let active = Windows::of(series, active_size, 0).active;
    let distance = clamped(distance(mean(active), fence));
    (!active.is_empty()).then(|| clamped((10_f64.powf(distance) - 1.0) / 9.0))
}

fn distance(mean: f64, fence: Fence) -> f64 {
    match fence.lower() {
        None => mean / fence.upper(),
        Some(lower) => {
            // Halved before they are subtracted: bounds may lie further apart than the largest number.
            let half = fence.upper() / 2.0 - lower / 2.0;
            (mean - (lower + half)).abs() / half
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} is not {expected}");
    }

    #[test]
    fn the_bound_itself_is_certain() {
        let ten = Fence::new(None, 10.0).unwrap();
        for (value, expected) in [(0.0, 0.0), (10.0, 1.0), (11.0, 1.0), (5.0, (10_f64.sqrt() - 1.0) / 9.0)] {
            is_near(fence(&[7.0, value], 1, ten), expected);
        }
    }

    #[test]
    fn the_middle_is_harmless_and_both_bounds_are_certain() {
        let between = Fence::new(Some(2.0), 10.0).unwrap();
        for (value, expected) in [(6.0, 0.0), (2.0, 1.0), (10.0, 1.0), (0.0, 1.0)] {
            is_near(fence(&[value], 1, between), expected);
        }
    }

    #[test]
    fn bounds_as_far_apart_as_numbers_go_give_a_number() {
        let widest = Fence::new(Some(f64::MIN), f64::MAX).unwrap();
        is_near(fence(&[0.0], 1, widest), 0.0);
        is_near(fence(&[f64::MAX], 1, widest), 1.0);
    }

    #[test]
    fn a_series_shorter_than_the_window_is_active_as_a_whole() {
        let ten = Fence::new(None, 10.0).unwrap();
        is_near(fence(&[10.0], 3, ten), 1.0);
        assert_eq!(fence(&[], 1, ten), None);
    }
}
