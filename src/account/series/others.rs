//! The `other` rows: traffic without a row of its own, one sum per group.
//!
//! Takes groups and the delivery of snapshots; gives each group's own sum or share of the rarer. Must not know rows.
//!
//! Most protocols are seen rarely or never, and rows for all of them would be a thousand. So only the usual protocols
//! have an `other` row from the start. Another protocol gets one at the first refresh after its first packet. Like
//! every row it appears with value 0, and its bytes are pending until every scraper has read that 0. Groups past the
//! limit share one sum per direction, the *rarer*, which exists from the start.

use std::collections::BTreeMap;

use super::OutsideRows;
use crate::account::flow::Counters;
use crate::locality::Direction;

/// The most groups that get an `other` row later than the start. Further groups count as rarer.
pub(crate) const MAXIMUM_LATE_GROUPS: usize = 64;

/// One sum per direction, in the order of [`Direction::ALL`].
pub type ByDirection = [Counters; Direction::ALL.len()];

#[derive(Debug, Clone, Copy)]
enum OtherState {
    /// Shown with value 0 since this snapshot.
    Pending { since: u64 },
    /// Shows all traffic of its group outside rows.
    Counting,
}

#[derive(Debug)]
pub(super) struct Others<G> {
    states: BTreeMap<G, OtherState>,
    limit: usize,
}

impl<G: Copy + Ord> Others<G> {
    pub(super) fn new(from_the_start: Vec<G>) -> Self {
        let limit = from_the_start.len() + MAXIMUM_LATE_GROUPS;
        Self { states: from_the_start.into_iter().map(|group| (group, OtherState::Counting)).collect(), limit }
    }

    /// True if `group` has an `other` row. The answer for a group that has had traffic never changes.
    pub(super) fn has(&self, group: G) -> bool {
        self.states.contains_key(&group)
    }

    /// Gives `groups` their rows in the snapshot `next`, up to the limit.
    pub(super) fn enter<'a>(&mut self, groups: impl Iterator<Item = &'a G>, next: u64)
    where
        G: 'a,
    {
        for &group in groups {
            if self.states.len() < self.limit {
                self.states.entry(group).or_insert(OtherState::Pending { since: next });
            }
        }
    }

    /// True if a row would begin to count if every scraper had read the snapshot `delivered`.
    pub(super) fn would_count(&self, delivered: u64) -> bool {
        self.states.values().any(|state| matches!(state, OtherState::Pending { since } if *since <= delivered))
    }

    /// Lets the rows count whose 0 every scraper has read.
    pub(super) fn begin_to_count(&mut self, delivered: u64) {
        for state in self.states.values_mut() {
            if matches!(state, OtherState::Pending { since } if *since <= delivered) {
                *state = OtherState::Counting;
            }
        }
    }

    /// Adds the `sums` of the groups to `other` where the row counts, and to `pending` where it does not count yet.
    pub(super) fn split(&self, sums: &BTreeMap<G, Counters>, other: &mut OutsideRows<G>, pending: &mut OutsideRows<G>) {
        for (&group, &state) in &self.states {
            let sum = sums.get(&group).copied().unwrap_or_default();
            let (shown, unshown) = match state {
                OtherState::Counting => (sum, Counters::default()),
                OtherState::Pending { .. } => (Counters::default(), sum),
            };
            other.by_group.entry(group).or_default().add(shown);
            pending.by_group.entry(group).or_default().add(unshown);
        }
    }
}
