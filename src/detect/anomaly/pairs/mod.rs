//! The series of each source → destination pair, at most so many of them.
//!
//! Bytes are added up per transfer interval. When packet time leaves an interval its sums become values of the series,
//! and the pairs are due for judgement; [`Pairs::evaluate`] works through them in shares, one a tick. Who is kept is
//! decided when an interval ends and by what was counted alone, never by the order of arrival or the length of a tick, so
//! neither changes what is found.
//!
//! A pair starts with the first interval that it has bytes in; later intervals without bytes count as 0. It leaves when
//! its whole series is 0. At the limit:
//!
//! - of the pairs that are new in an interval those find room whose ranks are below a bound, which is halved each time
//!   that there is no more room: a fair sample, whatever their order; the bytes of the others are counted as left out;
//! - at the end of an interval in which one found no room, a fifth of the table is cleared: those with the fewest bytes
//!   in their series. So a flood of spoofed sources, each seen once, leaves before what lasts.
//!
//! Memory: some 400 bytes a pair with ten values, 150 of them for the copy that is being judged.

mod round;
mod table;

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::config::Config;
use super::verdict::Verdict;
pub use crate::detect::ends::Pair;
use crate::tables::bloom::BloomFilter;
use crate::tables::eviction::Eviction;
use crate::tables::index::NOWHERE;
use crate::tables::lookup::Lookup;
use crate::tables::sampling::Sampling;

use round::Round;
use table::Table;

/// The bit that tells the bookmark of who found no room from a position. Those below it count intervals, so that in a
/// later one room is looked for anew.
const LEFT_OUT: u32 = 1 << 31;

/// How much of the table stays when room is made: enough for what lasts, with some left for what is new.
const ROOMY_PERCENT: usize = 80;

/// What is kept of a pair.
#[derive(Debug, Clone, Default)]
struct Row {
    /// Bytes of the intervals that are over, oldest first; none of a pair that is new.
    values: VecDeque<u64>,
    /// Bytes of the interval that is not over.
    open_bytes: u64,
    /// For how many intervals it had no bytes.
    idle: usize,
}

impl Row {
    /// The open interval is over.
    fn close(&mut self, capacity: usize) {
        self.idle = if self.open_bytes == 0 { self.idle + 1 } else { 0 };
        self.push(self.open_bytes, capacity);
        self.open_bytes = 0;
    }

    /// As many intervals as `count` passed without bytes.
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

/// The pairs, and which of them wait to be judged.
#[derive(Debug)]
pub struct Pairs {
    config: Config,
    /// The interval whose bytes are being added up; none before the first.
    open: Option<i64>,
    rows: Table,
    /// The pairs that are new in the open interval, with their ranks.
    newcomers: Vec<(u64, Pair)>,
    /// What their ranks must be below.
    rank_bound: u64,
    /// What makes ranks in the open interval: the same in every process, others in every interval.
    ranking: Sampling,
    /// The bookmark of who found no room in the open interval, and will find none in it.
    left_out: u32,
    /// By rank: those that were kept when the interval began pass.
    kept: BloomFilter,
    round: Round,
    left: [u64; Eviction::ALL.len()],
    left_out_bytes: u64,
    /// Whether some of them are of the open interval.
    is_short: bool,
}

impl Pairs {
    /// No pair yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            open: None,
            rows: Table::new(config.max_pairs),
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

    /// Adds `bytes` that `pair` transferred in `interval`.
    ///
    /// When packet time thereby leaves an interval, this does what [`Pairs::advance`] does.
    ///
    /// `hint` is where the pair was found last time, or that it was left out; then, where it is now.
    #[inline(always)]
    pub fn observe(
        &mut self,
        hint: &mut u32,
        pair: impl Lookup<Pair>,
        bytes: u64,
        interval: i64,
        verdicts: &mut impl FnMut(Verdict),
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

    /// Packet time is in `interval`: those before it are over, and their pairs are due for judgement. What was due still
    /// is judged now.
    ///
    /// An interval that is one too early is late and counts as the open one. One that is earlier still means that the
    /// clock was set back: it becomes the open one, with what was added up so far. However far the clock goes ahead, no
    /// more intervals without bytes are looked at than a series holds: after these all pairs have left.
    pub fn advance(&mut self, interval: i64, verdicts: &mut impl FnMut(Verdict)) {
        let Some(open) = self.open else { return self.enter(interval) };
        if interval > open {
            let empty = interval.abs_diff(open) - 1;
            self.close(open, usize::try_from(empty).unwrap_or(usize::MAX), verdicts);
        }
        if interval > open {
            self.enter(interval);
        } else if interval < open.saturating_sub(1) {
            // The same sums go on, and with them who found room for what reason.
            self.open = Some(interval);
        }
    }

    /// Judges this tick's share of the pairs that are due, when `ticks` are left of the interval, this one included;
    /// with 1 all of them. At the end of a file this is what is left to do: the open interval is not over.
    pub fn evaluate(&mut self, ticks: u32, verdicts: &mut impl FnMut(Verdict)) {
        let share = self.round.due().div_ceil(ticks.max(1) as usize);
        (0..share).for_each(|_| self.round.judge_next(&self.config, verdicts));
    }

    /// Forgets all pairs and what is due.
    pub fn clear(&mut self) {
        self.open = None;
        self.rows = Table::new(self.config.max_pairs);
        self.newcomers.clear();
        self.round = Round::default();
        self.is_short = false;
    }

    /// How many judgements are due.
    #[must_use]
    pub fn due(&self) -> usize {
        self.round.due()
    }

    /// How many pairs are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no pair is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many pairs left, in the order of [`Eviction::ALL`].
    #[must_use]
    pub const fn left(&self) -> [u64; Eviction::ALL.len()] {
        self.left
    }

    /// The bytes of new pairs that found no room.
    #[must_use]
    pub const fn left_out_bytes(&self) -> u64 {
        self.left_out_bytes
    }

    /// The memory that the pairs and what is due take, in bytes, that of the allocator aside.
    #[must_use]
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

    /// Gives room to a newcomer, and takes it from those whose ranks are above the bound that is lowered for that. Whose
    /// rank is below it in the end was so from the beginning, so no byte of theirs is missing.
    #[inline(never)]
    fn admit(&mut self, rank: u64, pair: Pair, bytes: u64) {
        self.newcomers.push((rank, pair));
        self.rows.insert(pair, Row { open_bytes: bytes, ..Row::default() });
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

    /// The interval `open` is over, and `empty` ones after it.
    fn close(&mut self, open: i64, empty: usize, verdicts: &mut impl FnMut(Verdict)) {
        self.evaluate(1, verdicts);
        // Its memory goes back: there are as many again only in a flood.
        self.newcomers = Vec::new();
        let capacity = self.config.capacity;
        self.rows.iter_mut().for_each(|(_, row)| row.close(capacity));
        // Of half a window nothing is said; where intervals without bytes follow, it may become whole.
        let full = self.config.criteria.full_size();
        let due = self.rows.iter().filter(|(_, row)| empty > 0 || row.values.len() >= full);
        self.round.start(open, due.map(|(pair, row)| (pair, &row.values)));
        self.let_idle_leave();
        self.make_room();
        // A series is 0 after as many intervals as it holds.
        let empty = empty.min(capacity);
        for (pair, row) in self.rows.iter_mut().filter(|_| empty > 0) {
            self.round.follow_up(&pair, empty.min(capacity - row.idle));
            row.pass(empty, capacity);
        }
        self.let_idle_leave();
    }

    fn let_idle_leave(&mut self) {
        let before = self.rows.len();
        self.rows.retain(|row| row.idle < self.config.capacity);
        self.count_left(Eviction::Idle, before - self.rows.len());
    }

    /// After an interval that was short of it.
    fn make_room(&mut self) {
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
