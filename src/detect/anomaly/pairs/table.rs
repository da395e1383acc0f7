//! Pairs by their addresses, in a dense table: all are visited at the end of every interval.
//!
//! Takes pairs; gives positions and series. Must not know intervals.

use foldhash::fast::RandomState;

use super::{Pair, PairSeries};
use crate::tables::index::{Index, NOWHERE};
use crate::tables::lookup::Lookup;

/// The pairs, in no particular order.
#[derive(Debug)]
pub(super) struct PairTable {
    state: RandomState,
    index: Index,
    kept: Vec<(Pair, PairSeries)>,
}

impl PairTable {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: RandomState::default(), index: Index::new(limit), kept: Vec::new() }
    }

    /// The position of a pair; [`NOWHERE`] if it is not there.
    #[inline(always)]
    pub(super) fn find(&self, pair: impl Lookup<Pair>) -> u32 {
        let Self { state, index, kept } = self;
        index.find(pair.hash_under(state), |at| pair.is(&kept[at as usize].0)).unwrap_or(NOWHERE)
    }

    #[inline(always)]
    pub(super) fn is_at(&self, position: u32, pair: impl Lookup<Pair>) -> bool {
        self.kept.get(position as usize).is_some_and(|(kept, _)| pair.is(kept))
    }

    #[inline(always)]
    pub(super) fn at_mut(&mut self, position: u32) -> Option<&mut PairSeries> {
        self.kept.get_mut(position as usize).map(|(_, row)| row)
    }

    /// Adds a pair that is not there.
    pub(super) fn insert(&mut self, pair: Pair, row: PairSeries) {
        let Self { state, index, kept } = self;
        let at = kept.len() as u32;
        kept.push((pair, row));
        index.insert(pair.hash_under(state), at, |at| kept[at as usize].0.hash_under(state));
    }

    /// Removes a pair; the last one takes its position.
    pub(super) fn remove(&mut self, pair: Pair) -> Option<PairSeries> {
        let Self { state, index, kept } = self;
        let hash = pair.hash_under(state);
        let at = index.find(hash, |at| kept[at as usize].0 == pair)?;
        index.remove(hash, at);
        let (_, row) = kept.swap_remove(at as usize);
        if let Some((moved, _)) = kept.get(at as usize) {
            let hash = moved.hash_under(state);
            index.remove(hash, kept.len() as u32);
            index.insert(hash, at, |at| kept[at as usize].0.hash_under(state));
        }
        Some(row)
    }

    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&PairSeries) -> bool) {
        let before = self.kept.len();
        self.kept.retain(|(_, row)| is_kept(row));
        if self.kept.len() < before {
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        let Self { state, index, kept } = self;
        index.clear();
        for (at, (pair, _)) in (0..).zip(kept.iter()) {
            index.insert(pair.hash_under(state), at, |at| kept[at as usize].0.hash_under(state));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Pair, &PairSeries)> {
        self.kept.iter().map(|(pair, row)| (*pair, row))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Pair, &mut PairSeries)> {
        self.kept.iter_mut().map(|(pair, row)| (*pair, row))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.kept.capacity() * size_of::<(Pair, PairSeries)>() + self.index.memory_bytes()
    }
}
