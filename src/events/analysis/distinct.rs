//! A count of different keys in bounded memory. Takes hashes of keys; gives their number. Must not know the keys.

use std::net::IpAddr;

use crate::tables::sampling::mixed;

/// The smallest hashes that are kept to count different keys. So many keys are counted exactly, more are estimated within
/// about an eighth.
const KEPT_HASHES: usize = 64;

/// A hash that no kept key has: each limit is at most as large.
const NO_KEY: u64 = u64::MAX;

/// A count of different keys.
#[derive(Debug, Clone)]
pub(super) struct Distinct {
    /// The smallest hashes, in order.
    hashes: Vec<u64>,
    /// The hash that was added last: a source often repeats a key.
    recent: u64,
    /// Hashes from here on are not kept.
    limit: u64,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { hashes: Vec::new(), recent: NO_KEY, limit: NO_KEY }
    }
}

impl Distinct {
    /// Adds a key. True if the key is certainly new.
    #[inline]
    pub(super) fn add(&mut self, hash: u64) -> bool {
        if hash >= self.limit || self.recent == hash {
            return false;
        }
        self.recent = hash;
        self.keep(hash)
    }

    fn keep(&mut self, hash: u64) -> bool {
        let Err(at) = self.hashes.binary_search(&hash) else { return false };
        if self.is_estimate() {
            self.hashes.pop();
        }
        self.hashes.insert(at, hash);
        if self.is_estimate() {
            self.limit = self.hashes.last().map_or(NO_KEY, |largest| *largest);
        }
        true
    }

    pub(super) const fn is_estimate(&self) -> bool {
        self.hashes.len() == KEPT_HASHES
    }

    /// The number of different keys.
    pub(super) fn count(&self) -> u64 {
        match self.hashes.last() {
            Some(largest) if self.is_estimate() => {
                let share = *largest as f64 / u64::MAX as f64;
                ((KEPT_HASHES - 1) as f64 / share) as u64
            }
            _ => self.hashes.len() as u64,
        }
    }
}

/// A hash of an address, always the same.
#[inline]
pub(super) fn hash_of(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => mixed(address.to_bits().into()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            mixed((bits >> 64) as u64 ^ mixed(bits as u64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_counted_exactly_and_many_estimated() {
        let mut distinct = Distinct::default();
        for number in 0..63 {
            let new = (0..3).filter(|_| distinct.add(mixed(number))).count();
            assert_eq!(new, 1);
        }
        assert_eq!((distinct.count(), distinct.is_estimate()), (63, false));
        for number in 0..100_000 {
            distinct.add(mixed(number));
        }
        assert!(distinct.is_estimate() && (65_000..150_000).contains(&distinct.count()), "{}", distinct.count());
    }
}
