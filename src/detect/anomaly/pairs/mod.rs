//! The series of each source → destination pair, bounded.
//!
//! Takes bytes of pairs by interval; gives verdicts. Must not know rows or detections.
//!
//! Bytes are added up per transfer interval. When packet time leaves an interval, its sums become values of the series,
//! and the pairs are due for judgement; [`Pairs::evaluate`] judges a part of them in each tick. The choice of pairs is
//! made at the end of an interval, by counted bytes alone. Neither the order of arrival nor the tick changes it.
//!
//! The series of a pair starts at its first interval with bytes. A later interval without bytes is a 0. The pair leaves
//! when all values of its series are 0. At the limit:
//!
//! - new pairs are sampled by their rank, a hash: a pair is admitted if its rank is below a bound, which is halved each
//!   time that the table is full. So the order of arrival does not change the sample. The bytes of the others count as
//!   left out;
//! - at the end of an interval in which a pair was not admitted, a fifth of the pairs is evicted: those with the fewest
//!   bytes in their series. So the pairs of a flood of spoofed sources, each seen once, leave before long-lived pairs.
//!
//! Memory: some 400 bytes for a pair with ten values, 150 of them for the copy that is being judged.

mod round;
mod table;

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::config::Config;
use super::verdict::PairVerdict;
pub use crate::detect::ends::Pair;
use crate::tables::Eviction;
use crate::tables::bloom::BloomFilter;
use crate::tables::index::NOWHERE;
use crate::tables::lookup::Lookup;
use crate::tables::sampling::Sampling;

use round::Round;
use table::PairTable;

/// The bit of a hint that marks a pair as not admitted. The bits below have the number of the interval, because the
/// pair may be admitted in a later one.
const LEFT_OUT: u32 = 1 << 31;

/// The part of the pairs that stays after an eviction.
const ROOMY_PERCENT: usize = 80;

#[derive(Debug, Clone, Default)]
struct PairSeries {
    /// Bytes of past intervals, oldest first; none for a new pair.
    values: VecDeque<u64>,
    open_bytes: u64,
    /// Number of last intervals without bytes.
    idle: usize,
}

impl PairSeries {
    fn close(&mut self, capacity: usize) {
        self.idle = if self.open_bytes == 0 { self.idle + 1 } else { 0 };
        self.push(self.open_bytes, capacity);
        self.open_bytes = 0;
    }

    /// Adds `count` intervals without bytes.
    fn pass(&mut self, count: usize, capacity: usize) {
        self.idle += count;
        (0..count).for_each(|_| self.push(0, capacity));
    }

    fn push(&mut self, value: u64, capacity: usize) {
        if self.values.len() >= capacity {
            self.values.pop_front();
        } else if self.values.is_empty() {
            self.values.reserve_exact(capacity);
        }
        self.values.push_back(value);
    }

    fn bytes(&self) -> u64 {
        self.values.iter().fold(0, |sum, value| sum.saturating_add(*value))
    }
}

/// The pairs, and those that are due for judgement.
#[derive(Debug)]
pub struct Pairs {
    config: Config,
    /// The interval whose bytes are being added up; none before the first.
    open: Option<i64>,
    rows: PairTable,
    /// The new pairs of the open interval, with their ranks.
    newcomers: Vec<(u64, Pair)>,
    /// The bound below which their ranks must be.
    rank_bound: u64,
    /// The hash that makes ranks: the same in every process, different in every interval.
    ranking: Sampling,
    /// The hint of pairs that are not admitted in the open interval.
    left_out: u32,
    /// The ranks of the pairs that were kept when the interval began.
    kept: BloomFilter,
    round: Round,
    left: [u64; Eviction::ALL.len()],
    left_out_bytes: u64,
    /// True if bytes of the open interval were left out.
    is_short: bool,
}

impl Pairs {
    /// An empty table.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            open: None,
            rows: PairTable::new(config.max_pairs),
            newcomers: Vec::new(),
            rank_bound: u64::MAX,
            ranking: Sampling::new(0),
            left_out: LEFT_OUT,
            kept: BloomFilter::new(),
            round: Round::default(),
            left: [0; Eviction::ALL.len()],
            left_out_bytes: 0,
            is_short: false,
        }
    }

    /// Judges by this configuration from now on. The sizes of series and table stay the same.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// Adds `bytes` of `pair` in `interval`. If packet time leaves an interval, this acts as [`Pairs::advance`].
    ///
    /// `hint` is the last position of the pair, or marks it as left out. It is set to the present position.
    #[inline(always)]
    pub fn observe(
        &mut self,
        hint: &mut u32,
        pair: impl Lookup<Pair>,
        bytes: u64,
        interval: i64,
        verdicts: &mut impl FnMut(PairVerdict),
    ) {
        if self.open != Some(interval) {
            self.advance(interval, verdicts);
        }
        if *hint == self.left_out {
            return self.leave_out(bytes);
        }
        if !self.rows.is_at(*hint, pair) {
            let rank = pair.hash_under(&self.ranking);
            let finds_room = rank < self.rank_bound;
            *hint = if finds_room || self.kept.may_contain(rank) { self.rows.find(pair) } else { NOWHERE };
            if *hint == NOWHERE && finds_room {
                return self.admit(rank, pair.key(), bytes);
            }
        }
        match self.rows.at_mut(*hint) {
            Some(row) => row.open_bytes = row.open_bytes.saturating_add(bytes),
            None => {
                *hint = self.left_out;
                self.leave_out(bytes);
            }
        }
    }

    /// Moves packet time to `interval`. The pairs of earlier intervals are due; those due before are judged now.
    ///
    /// An interval that is one too early is late and counts as the open one. One that is earlier still means that the
    /// clock was set back: it becomes the open one, with the sums so far. If the clock jumps ahead, no more intervals
    /// without bytes are judged than a series holds: after these all pairs have left.
    pub fn advance(&mut self, interval: i64, verdicts: &mut impl FnMut(PairVerdict)) {
        let Some(open) = self.open else { return self.enter(interval) };
        if interval > open {
            let empty = interval.abs_diff(open) - 1;
            self.close(open, usize::try_from(empty).unwrap_or(usize::MAX), verdicts);
        }
        if interval > open {
            self.enter(interval);
        } else if interval < open.saturating_sub(1) {
            // The sums go on, and so does the sample of pairs.
            self.open = Some(interval);
        }
    }

    /// Judges this tick's part of the pairs that are due, when `ticks` are left of the interval, this one included;
    /// with 1 all of them. At the end of a file this is all that is left to do: the open interval is not over.
    pub fn evaluate(&mut self, ticks: u32, verdicts: &mut impl FnMut(PairVerdict)) {
        let share = self.round.due().div_ceil(ticks.max(1) as usize);
        (0..share).for_each(|_| self.round.judge_next(&self.config, verdicts));
    }

    /// Forgets all pairs and all judgements that are due.
    pub(crate) fn clear(&mut self) {
        self.open = None;
        self.rows = PairTable::new(self.config.max_pairs);
        self.newcomers.clear();
        self.round = Round::default();
        self.is_short = false;
    }

    /// The number of judgements that are due.
    pub fn due(&self) -> usize {
        self.round.due()
    }

    /// The number of pairs.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number of pairs that left, in the order of [`Eviction::ALL`].
    pub(crate) const fn left(&self) -> [u64; Eviction::ALL.len()] {
        self.left
    }

    /// Memory in bytes, without that of the allocator.
    pub fn memory_bytes(&self) -> usize {
        let values: usize = self.rows.iter().map(|(_, row)| row.values.capacity() * size_of::<u64>()).sum();
        let newcomers = self.newcomers.capacity() * size_of::<(u64, Pair)>();
        let kept = self.kept.memory_bytes();
        self.rows.memory_bytes() + values + newcomers + kept + self.round.memory_bytes()
    }

    fn enter(&mut self, interval: i64) {
        self.open = Some(interval);
        self.rank_bound = u64::MAX;
        self.ranking = Sampling::new(interval as u64);
        self.kept.clear_for(self.config.max_pairs);
        self.rows.iter().for_each(|(pair, _)| self.kept.insert(pair.hash_under(&self.ranking)));
        let next = LEFT_OUT | self.left_out.wrapping_add(1);
        self.left_out = if next == NOWHERE { LEFT_OUT } else { next };
    }

    /// Adds a new pair. If the table is full, the bound is lowered, and new pairs with ranks above it are removed. A
    /// rank below the final bound was below all earlier bounds, so no byte of an admitted pair is missing.
    #[inline(never)]
    fn admit(&mut self, rank: u64, pair: Pair, bytes: u64) {
        self.newcomers.push((rank, pair));
        self.rows.insert(pair, PairSeries { open_bytes: bytes, ..PairSeries::default() });
        while self.rows.len() > self.config.max_pairs {
            self.rank_bound /= 2;
            for (_, pair) in self.newcomers.extract_if(.., |(rank, _)| *rank >= self.rank_bound) {
                let bytes = self.rows.remove(pair).map_or(0, |row| row.open_bytes);
                self.left_out_bytes = self.left_out_bytes.saturating_add(bytes);
                self.is_short = true;
            }
        }
    }

    #[inline]
    fn leave_out(&mut self, bytes: u64) {
        self.left_out_bytes = self.left_out_bytes.saturating_add(bytes);
        self.is_short = true;
    }

    /// Ends the interval `open`, and `empty` ones after it.
    fn close(&mut self, open: i64, empty: usize, verdicts: &mut impl FnMut(PairVerdict)) {
        self.evaluate(1, verdicts);
        // Frees the memory: only a flood has as many new pairs again.
        self.newcomers = Vec::new();
        let capacity = self.config.capacity;
        self.rows.iter_mut().for_each(|(_, row)| row.close(capacity));
        // A series that does not fill the windows is not judged. Later intervals without bytes may fill them.
        let full = self.config.criteria.full_size();
        let due = self.rows.iter().filter(|(_, row)| empty > 0 || row.values.len() >= full);
        self.round.start(open, due.map(|(pair, row)| (pair, &row.values)));
        self.remove_idle();
        self.evict_lightest();
        // A series is 0 after as many intervals as it holds.
        let empty = empty.min(capacity);
        for (pair, row) in self.rows.iter_mut().filter(|_| empty > 0) {
            self.round.follow_up(&pair, empty.min(capacity - row.idle));
            row.pass(empty, capacity);
        }
        self.remove_idle();
    }

    fn remove_idle(&mut self) {
        let before = self.rows.len();
        self.rows.retain(|row| row.idle < self.config.capacity);
        self.count_left(Eviction::Idle, before - self.rows.len());
    }

    /// Evicts the lightest pairs after an interval in which pairs were left out.
    fn evict_lightest(&mut self) {
        let roomy = self.config.max_pairs * ROOMY_PERCENT / 100;
        let leaving = if std::mem::take(&mut self.is_short) { self.rows.len().saturating_sub(roomy) } else { 0 };
        if leaving == 0 {
            return;
        }
        let mut order: Vec<_> = self.rows.iter().map(|(pair, row)| (row.bytes(), Reverse(row.idle), pair)).collect();
        order.select_nth_unstable(leaving - 1);
        for (.., pair) in &order[..leaving] {
            self.rows.remove(*pair);
        }
        self.count_left(Eviction::Full, leaving);
    }

    fn count_left(&mut self, why: Eviction, count: usize) {
        self.left[why as usize] += count as u64;
    }
}

#[cfg(test)]
mod tests;
