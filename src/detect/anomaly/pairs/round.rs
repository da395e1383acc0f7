//! The pairs that are due for judgement at the end of an interval, with copies of their series.
//!
//! Takes pairs and series; gives verdicts, a part in each tick. Must not know the table: later changes of it change no
//! verdict.

use std::collections::VecDeque;

use super::super::config::Config;
use super::super::verdict::PairVerdict;
use super::Pair;

#[derive(Debug)]
struct Due {
    pair: Pair,
    series: Vec<f64>,
    /// Number of intervals without bytes to judge after this one.
    empty_after: usize,
}

/// The judgements that are due, in the order of intervals and, within one, of pairs.
#[derive(Debug, Default)]
pub(super) struct Round {
    interval: i64,
    pairs: Vec<Due>,
    /// Number of pairs that were judged for the interval.
    judged: usize,
    /// Number of judgements that are due, those of later intervals included.
    due: usize,
}

impl Round {
    /// Makes all `pairs` due at the end of `interval`. Earlier judgements that were due are forgotten.
    pub(super) fn start<'a>(&mut self, interval: i64, pairs: impl Iterator<Item = (Pair, &'a VecDeque<u64>)>) {
        self.pairs.clear();
        let series = |values: &VecDeque<u64>| values.iter().map(|&bytes| bytes as f64).collect();
        self.pairs.extend(pairs.map(|(pair, values)| Due { pair, series: series(values), empty_after: 0 }));
        self.pairs.sort_unstable_by_key(|due| due.pair);
        self.interval = interval;
        self.judged = 0;
        self.due = self.pairs.len();
    }

    /// Makes `pair` due also at the ends of the `count` intervals that follow, without bytes in them.
    pub(super) fn follow_up(&mut self, pair: &Pair, count: usize) {
        if let Ok(place) = self.pairs.binary_search_by_key(pair, |due| due.pair) {
            self.pairs[place].empty_after = count;
            self.due += count;
        }
    }

    pub(super) fn due(&self) -> usize {
        self.due
    }

    /// Judges the next pair that is due, if there is one.
    pub(super) fn judge_next(&mut self, config: &Config, verdicts: &mut impl FnMut(PairVerdict)) {
        if self.judged == self.pairs.len() {
            self.go_on(config.capacity);
        }
        let Some(Due { pair, series, .. }) = self.pairs.get(self.judged) else { return };
        if series.len() >= config.criteria.full_size() {
            verdicts(PairVerdict::of(*pair, self.interval, series, config));
        }
        self.judged += 1;
        self.due -= 1;
    }

    /// Goes on to the next interval, which had no bytes.
    fn go_on(&mut self, capacity: usize) {
        self.interval = self.interval.saturating_add(1);
        self.judged = 0;
        self.pairs.retain(|due| due.empty_after > 0);
        for Due { series, empty_after, .. } in &mut self.pairs {
            *empty_after -= 1;
            if series.len() >= capacity {
                series.remove(0);
            }
            series.push(0.0);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let series: usize = self.pairs.iter().map(|due| due.series.capacity() * size_of::<f64>()).sum();
        self.pairs.capacity() * size_of::<Due>() + series
    }
}
