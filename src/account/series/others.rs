//! What no row counts: a sum a group, which enters at 0 as a row does.
//!
//! Most protocols are seen rarely or never, and all of them would be a thousand rows. So only those of the usual protocols
//! are there from the start. The first bytes of another count in the *rarer* of its direction, which is there from the
//! start too, and stay there; its own sum counts from when every scraper has received its 0.

use std::collections::BTreeMap;

use crate::account::flow::Counters;
use crate::locality::Direction;

/// How many groups may have a sum of their own besides those from the start; what comes on top counts as rarer.
pub const MAXIMUM_LATE_GROUPS: usize = 64;

/// A sum a direction.
pub type ByDirection = [Counters; Direction::ALL.len()];

#[derive(Debug, Clone, Copy)]
enum State {
    /// Counts all.
    FromTheStart,
    /// Shown as 0 from this snapshot on.
    Entering { since: u64 },
    /// Counts what came since there was this much.
    Counting { base: Counters },
}

/// The groups that have a sum of their own.
#[derive(Debug)]
pub(super) struct Others<G> {
    states: BTreeMap<G, State>,
    limit: usize,
}

impl<G: Copy + Ord> Others<G> {
    pub(super) fn new(from_the_start: Vec<G>) -> Self {
        let limit = from_the_start.len() + MAXIMUM_LATE_GROUPS;
        Self { states: from_the_start.into_iter().map(|group| (group, State::FromTheStart)).collect(), limit }
    }

    /// Whether `group` has a sum of its own. Once it was seen, that does not change.
    pub(super) fn has(&self, group: G) -> bool {
        self.states.contains_key(&group)
    }

    /// Lets `groups` enter with the snapshot `next`, as far as there is room.
    pub(super) fn enter<'a>(&mut self, groups: impl Iterator<Item = &'a G>, next: u64)
    where
        G: 'a,
    {
        for &group in groups {
            if self.states.len() < self.limit {
                self.states.entry(group).or_insert(State::Entering { since: next });
            }
        }
    }

    /// Whether a sum may begin to count when `delivered` has reached every scraper.
    pub(super) fn is_due(&self, delivered: u64) -> bool {
        self.states.values().any(|state| matches!(state, State::Entering { since } if *since <= delivered))
    }

    /// Lets those count that are due, from what there is of each.
    pub(super) fn begin_to_count(&mut self, delivered: u64, sums: &BTreeMap<G, Counters>) {
        for (group, state) in &mut self.states {
            if matches!(state, State::Entering { since } if *since <= delivered) {
                *state = State::Counting { base: sums.get(group).copied().unwrap_or_default() };
            }
        }
    }

    /// What is shown of `sums`, and what counts as rarer by direction.
    pub(super) fn show(
        &self,
        sums: &BTreeMap<G, Counters>,
        direction: impl Fn(G) -> Direction,
    ) -> (BTreeMap<G, Counters>, ByDirection) {
        let mut rarer = ByDirection::default();
        let shown = self.states.iter().map(|(&group, &state)| {
            let sum = sums.get(&group).copied().unwrap_or_default();
            let hidden = match state {
                State::FromTheStart => Counters::default(),
                State::Entering { .. } => sum,
                State::Counting { base } => base,
            };
            rarer[direction(group) as usize].add(hidden);
            (group, sum.less(hidden))
        });
        (shown.collect(), rarer)
    }
}
