//! The hosts that any source contacted lately: a router asks for the link addresses of those to which it forwards.
//!
//! Takes the targets of contacts while questions for link addresses are seen; tells if a host may be among them. Must not
//! know the sources.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use super::contacts::feed;
use super::two_periods::TwoPeriods;
use crate::packet::Timestamp;
use crate::tables::bloom::BloomFilter;
use crate::tables::sampling::{Sampling, Seeds};

/// Targets of contacts are remembered for one to two such periods, while questions are seen.
const PERIOD: Duration = Duration::from_secs(10);
/// Targets that a filter should hold; of more than a few times as many, many others seem to be in it too.
const TARGETS: usize = 8_192;

/// The hosts that anyone contacted lately, in two filters of one period each.
#[derive(Debug)]
pub(super) struct RecentTargets {
    sampling: Sampling,
    /// The filters have memory once questions are seen.
    filters: TwoPeriods<BloomFilter>,
    is_awake: bool,
}

impl RecentTargets {
    pub(super) fn new(seeds: Seeds) -> Self {
        Self {
            sampling: Sampling::new(seeds.sampling),
            filters: TwoPeriods::new(PERIOD, BloomFilter::clear),
            is_awake: false,
        }
    }

    /// Begins to remember targets.
    pub(super) fn wake(&mut self) {
        if !self.is_awake {
            self.is_awake = true;
            self.filters.both_mut().into_iter().for_each(|filter| filter.clear_for(TARGETS));
        }
    }

    /// Notes that a host is contacted.
    #[inline]
    pub(super) fn note(&mut self, target: IpAddr) {
        if self.is_awake {
            let hash = self.hash(target);
            self.filters.now().insert(hash);
        }
    }

    /// True if a host was contacted lately.
    pub(super) fn contains(&self, target: IpAddr) -> bool {
        let hash = self.hash(target);
        self.filters.both().iter().any(|filter| filter.may_contain(hash))
    }

    /// Begins a cell, at `time`.
    pub(super) fn begin_cell(&mut self, time: Timestamp) {
        self.filters.begin(time);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.filters.both().into_iter().map(BloomFilter::memory_bytes).sum()
    }

    pub(super) fn clear(&mut self) {
        self.filters.clear();
    }

    fn hash(&self, target: IpAddr) -> u64 {
        let mut hasher = self.sampling.build_hasher();
        feed(target, &mut hasher);
        hasher.finish()
    }
}
