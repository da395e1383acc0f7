//! The random generator that draws permutations.
//!
//! Takes a seed; gives a stream of numbers that is the same on every machine. Must not know its use.
//!
//! SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. Its whole state is
//! one number, so the hash of a pair is enough of a seed.

use crate::tables::sampling::mixed;

/// The increment of the state: 2^64 divided by the golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers that depends on its seed alone.
#[derive(Debug, Clone)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mixed(self.state)
    }

    /// A number below `limit`, which is at most 2^32. The probabilities of two numbers differ by at most `limit` /
    /// 2^32.
    #[inline]
    pub const fn below(&mut self, limit: usize) -> usize {
        (((self.draw() >> 32) * limit as u64) >> 32) as usize
    }

    /// Puts `chosen` of `values` first, each choice and each order with the same probability (Fisher–Yates shuffle).
    #[inline]
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T], chosen: usize) {
        for place in 0..chosen.min(values.len()) {
            let from = place + self.below(values.len() - place);
            values.swap(place, from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_draws_the_published_numbers() {
        // The first outputs of the authors' own program for the seed 1234567.
        let mut generator = SplitMix64::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([(); 3].map(|()| generator.draw()), expected);
    }

    #[test]
    fn every_order_is_drawn_about_as_often() {
        let mut generator = SplitMix64::new(7);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut values = [0, 1, 2, 3];
            generator.shuffle(&mut values, 4);
            *counts.entry(values).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Five standard deviations of a count of 1,000.
        assert!(counts.values().all(|count| count.abs_diff(1_000) < 160), "{counts:?}");
    }

    #[test]
    fn nothing_is_shuffled_without_values() {
        let mut none: [u8; 0] = [];
        SplitMix64::new(1).shuffle(&mut none, 3);
    }
}
