//! The targets that sources have used or touched lately: only a first contact counts as evidence.
//!
//! Takes sources with targets that answered; tells if a contact is not the first. Two Bloom filters (Bloom, Communications of
//! the ACM 13 (7), 1970) each hold one period. A false hit hides a target and never makes an alert: one in 300,000 while
//! 50,000 targets are known, one in 30 when half of the bits are set. 430,000 targets set half of them; then a filter takes
//! no more, and further targets are not remembered. Only answers are inserted, so a flood of unanswered contacts cannot
//! fill the filters. Must not know outcomes.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use super::contacts::{Aspect, HostPort, feed};
use super::two_periods::TwoPeriods;
use crate::packet::Timestamp;
use crate::tables::resident::resident;
use crate::tables::sampling::{Sampling, Seeds, mixed};

/// Bits of a filter: 768 KiB.
const BITS: usize = 6 << 20;
/// Bits of a key in each filter.
const BITS_OF_KEY: u32 = 5;
/// Keys that wait for the end of the cell; more are inserted at once.
const MOST_WAITING: usize = 16_384;

/// The filter of one period.
#[derive(Debug, Default)]
struct PeriodFilter {
    words: Vec<u64>,
    bits_set: usize,
}

impl PeriodFilter {
    /// Takes the memory, if the filter has none yet.
    fn open(&mut self) {
        if self.words.is_empty() {
            self.words = resident(0, BITS / 64);
        }
    }

    fn insert(&mut self, key: u64) {
        for bit in bits_of(key) {
            let (word, mask) = (&mut self.words[bit / 64], 1 << (bit % 64));
            self.bits_set += usize::from(*word & mask == 0);
            *word |= mask;
        }
    }

    /// True if the key was inserted, or seems to be.
    fn contains(&self, key: u64) -> bool {
        !self.words.is_empty() && bits_of(key).all(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
    }

    /// True if more than half of the bits are set: with more of them, too many others would seem to be inserted.
    const fn is_full(&self) -> bool {
        self.bits_set > BITS / 2
    }

    fn clear(&mut self) {
        self.words.fill(0);
        self.bits_set = 0;
    }
}

/// The positions of a key (Kirsch and Mitzenmacher, "Less hashing, same performance", 2006).
fn bits_of(key: u64) -> impl Iterator<Item = usize> {
    let (start, step) = (key as u32, (key >> 32) as u32 | 1);
    (0..BITS_OF_KEY).map(move |number| start.wrapping_add(number.wrapping_mul(step)) as usize % BITS)
}

/// The known targets of all sources.
#[derive(Debug)]
pub(super) struct KnownTargets {
    sampling: Sampling,
    filters: TwoPeriods<PeriodFilter>,
    /// Keys of the current cell: what a cell adds is known from the next one on, so that the order in it does not matter.
    waiting: Vec<u64>,
    /// Keys that a full filter did not take.
    not_taken: u64,
}

impl KnownTargets {
    /// Nothing known. Targets are known for one to two times `memory`.
    pub(super) fn new(memory: Duration, seeds: Seeds) -> Self {
        Self {
            sampling: Sampling::new(seeds.sampling),
            filters: TwoPeriods::new(memory.max(Duration::from_secs(1)), PeriodFilter::clear),
            waiting: Vec::new(),
            not_taken: 0,
        }
    }

    /// Notes that a target of a source answered.
    pub(super) fn insert(&mut self, source: IpAddr, target: &HostPort) {
        for aspect in Aspect::BOTH {
            let key = self.key(source, aspect, target);
            self.waiting.push(key);
        }
        if self.waiting.len() >= MOST_WAITING {
            self.take_in();
        }
    }

    /// True if a target of a source answered before the current cell.
    pub(super) fn contains(&self, source: IpAddr, aspect: Aspect, target: &HostPort) -> bool {
        let filters = self.filters.both();
        if filters.iter().all(|filter| filter.bits_set == 0) {
            return false;
        }
        let key = self.key(source, aspect, target);
        filters.iter().any(|filter| filter.contains(key))
    }

    /// Ends a cell that begins at `time`: what it added is known from now on, and is of its period.
    pub(super) fn end_cell(&mut self, time: Timestamp) {
        self.filters.begin(time);
        self.take_in();
    }

    fn take_in(&mut self) {
        let Self { waiting, filters, not_taken, .. } = self;
        if waiting.is_empty() {
            return;
        }
        // The next period needs no more memory than this one.
        filters.both_mut().into_iter().for_each(PeriodFilter::open);
        let filter = filters.now();
        if filter.is_full() {
            *not_taken += waiting.len() as u64;
            waiting.clear();
        }
        waiting.drain(..).for_each(|key| filter.insert(key));
    }

    fn key(&self, source: IpAddr, aspect: Aspect, target: &HostPort) -> u64 {
        let mut hasher = self.sampling.build_hasher();
        feed(source, &mut hasher);
        feed(target.address, &mut hasher);
        if aspect == Aspect::Ports {
            hasher.write_u64(1 << 32 | u64::from(target.protocol.0) << 16 | u64::from(target.port));
        }
        mixed(hasher.finish())
    }

    /// Bits that are set in the fuller filter, the number from which on it takes no more keys, and the keys that it did not
    /// take.
    pub(super) fn figures(&self) -> (usize, usize, u64) {
        (self.filters.both().iter().map(|filter| filter.bits_set).max().unwrap_or_default(), BITS / 2, self.not_taken)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let words: usize = self.filters.both().iter().map(|filter| filter.words.capacity()).sum();
        (words + self.waiting.capacity()) * size_of::<u64>()
    }

    pub(super) fn clear(&mut self) {
        self.filters.clear();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(hours: f64) -> Timestamp {
        Timestamp::from_nanoseconds(1_700_000_400_000_000_000) + HOUR.mul_f64(hours)
    }

    fn target(number: u32, port: u16) -> HostPort {
        HostPort { address: IpAddr::from(number.to_be_bytes()), protocol: Protocol::TCP, port }
    }

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn knows(known: &KnownTargets, number: u32, port: u16) -> [bool; 2] {
        Aspect::BOTH.map(|aspect| known.contains(SOURCE, aspect, &target(number, port)))
    }

    #[test]
    fn target_is_known_from_the_next_cell_on_by_host_and_by_port() {
        let mut known = KnownTargets::new(HOUR, 7.into());
        known.insert(SOURCE, &target(1, 80));
        assert_eq!(knows(&known, 1, 80), [false; 2], "what a cell adds is known after it");
        known.end_cell(at(0.0));
        assert_eq!(knows(&known, 1, 80), [true; 2]);
        assert_eq!(knows(&known, 1, 81), [true, false], "another port of a known host");
        assert_eq!(knows(&known, 2, 80), [false; 2]);
    }

    #[test]
    fn target_is_forgotten_after_one_to_two_periods() {
        let mut known = KnownTargets::new(HOUR, 7.into());
        known.end_cell(at(0.0));
        known.insert(SOURCE, &target(1, 80));
        for (hours, expected) in [(0.1, true), (1.1, true), (2.1, false)] {
            known.end_cell(at(hours));
            assert_eq!(knows(&known, 1, 80), [expected; 2], "{hours} h");
        }
    }

    #[test]
    fn long_silence_forgets_both_periods() {
        let mut known = KnownTargets::new(HOUR, 7.into());
        known.insert(SOURCE, &target(1, 80));
        known.end_cell(at(0.0));
        known.insert(SOURCE, &target(2, 80));
        known.end_cell(at(9.0));
        assert_eq!([1, 2].map(|number| knows(&known, number, 80)), [[false; 2], [true; 2]]);
    }

    #[test]
    fn few_others_seem_known_and_a_full_filter_keeps_what_it_has() {
        let mut known = KnownTargets::new(HOUR, 7.into());
        known.end_cell(at(0.0));
        (0..50_000).for_each(|number| known.insert(SOURCE, &target(number, 80)));
        known.end_cell(at(0.0));
        let false_hits = (1_000_000..1_200_000).filter(|number| knows(&known, *number, 80)[0]).count();
        assert!(false_hits <= 16, "{false_hits} of 200,000");
        (50_000..800_000).for_each(|number| known.insert(SOURCE, &target(number, 80)));
        known.end_cell(at(0.1));
        let (bits, limit, not_taken) = known.figures();
        assert!((limit..limit + limit / 20).contains(&bits), "{bits} of {limit}");
        assert!((600_000..800_000).contains(&not_taken), "{not_taken} of 1,600,000 keys");
        assert_eq!(knows(&known, 5, 80), [true; 2], "it stays known");
        let false_hits = (1_000_000..1_200_000).filter(|number| knows(&known, *number, 80)[0]).count();
        assert!(false_hits <= 200_000 / 25, "{false_hits} of 200,000");
        assert!(
            (700_000..800_000).filter(|number| knows(&known, *number, 80)[0]).count() <= 100_000 / 25,
            "the last ones"
        );
        assert!(known.memory_bytes() < 1_700 << 10, "{} bytes", known.memory_bytes());
    }
}
