//! The magnitude test: how far is the active mean from the reference mean?
//!
//! Takes a series and the sizes of its windows; gives a probability if the test applies. Must not know their meaning.

use super::windows::{Windows, clamped, mean};

/// |mean(active) − mean(reference)| / mean(reference), at most 1. After a reference mean of 0 it is 0 if the active mean
/// is 0 too, else 1. Nothing without a reference value.
pub fn magnitude(series: &[f64], active_size: usize, reference_size: usize) -> Option<f64> {
    let Windows { reference, active } = Windows::of(series, active_size, reference_size);
    if reference.is_empty() || active.is_empty() {
        return None;
    }
    let (reference, active) = (mean(reference), mean(active));
    let nothing_before = reference == 0.0;
    Some(if nothing_before { f64::from(active != 0.0) } else { clamped((active - reference).abs() / reference) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_mean_is_certain() {
        assert_eq!(magnitude(&[4.0, 4.0, 4.0, 4.0, 8.0], 1, 4), Some(1.0));
        assert_eq!(magnitude(&[4.0, 4.0, 4.0, 4.0, 5.0], 1, 4), Some(0.25));
        assert_eq!(magnitude(&[4.0, 4.0, 4.0, 4.0, 3.0], 1, 4), Some(0.25));
    }

    #[test]
    fn after_silence_only_silence_is_usual() {
        assert_eq!(magnitude(&[0.0, 0.0, 0.0], 1, 4), Some(0.0));
        assert_eq!(magnitude(&[0.0, 0.0, 1.0], 1, 4), Some(1.0));
    }

    #[test]
    fn without_a_reference_value_it_does_not_apply() {
        assert_eq!(magnitude(&[5.0], 1, 4), None);
        assert_eq!(magnitude(&[], 1, 4), None);
        assert_eq!(magnitude(&[5.0, 6.0], 2, 4), None);
    }
}
