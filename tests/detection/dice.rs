//! Chance that can be repeated: SplitMix64 from a seed that is printed.

/// A generator of random numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

/// Names the seed of a run that is to be repeated.
const SEED: &str = "DETECTION_SEED";

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed that the environment gives, or a fresh one; printed.
    pub fn seed() -> u64 {
        let given = std::env::var(SEED).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{SEED}={text}")));
        let fresh = || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            Self(now.as_nanos() as u64).next()
        };
        let seed = given.unwrap_or_else(fresh);
        println!("{SEED}={seed}");
        seed
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Dice of its own for a part, so that parts do not disturb each other.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// At least `low`, below `high`.
    pub fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` to `high`, both included.
    pub fn from(&mut self, low: u32, high: u32) -> u32 {
        low + (self.next() % u64::from(high - low + 1)) as u32
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.within(0.0, 1.0) < share
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.from(0, of.len() as u32 - 1) as usize]
    }

    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for last in (1..of.len()).rev() {
            of.swap(last, self.from(0, last as u32) as usize);
        }
    }
}
