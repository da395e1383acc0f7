//! One row of a series: a flow or a host that is shown, in its present state.
//!
//! Takes the table of counters; gives the value that the row shows, its pending part, and all that was counted in its
//! lifetime. Must not know other rows.

use crate::account::counter_table::CounterTable;
use crate::account::flow::{Counters, SeriesKey};
use crate::packet::Timestamp;

/// The state of a row. `base` is the part of its entry's counters that `other` showed before the row appeared; it never
/// counts in the row. `since` is the number of a snapshot.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowState {
    /// Shown with value 0 since a snapshot. All above the base is pending.
    Pending { since: u64, base: Counters },
    /// Shows all above the base.
    Counting { base: Counters },
    /// Shown with a fixed value since a snapshot, because its entry has left the table or lost the row.
    Frozen { since: u64, value: Counters, lifetime: Counters },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TrackedRow<K> {
    pub(super) key: K,
    pub(super) first_seen: Timestamp,
    pub(super) shown_since: Timestamp,
    /// The position of its entry in the table; without meaning once the row is frozen.
    pub(super) position: u32,
    /// The number of the snapshot in which the row appeared.
    pub(super) entered: u64,
    pub(super) state: RowState,
}

impl<K: SeriesKey> TrackedRow<K> {
    pub(super) fn lifetime(&self, table: &CounterTable<K>) -> Counters {
        match self.state {
            RowState::Frozen { lifetime, .. } => lifetime,
            _ => table.entry(self.position).counters,
        }
    }

    /// Time of the last packet; none once the row is frozen.
    pub(super) fn last_seen(&self, table: &CounterTable<K>) -> Option<Timestamp> {
        (!self.is_frozen()).then(|| table.entry(self.position).last_seen)
    }

    pub(super) fn freeze(&mut self, table: &CounterTable<K>, since: u64) {
        self.state = RowState::Frozen { since, value: self.value(table), lifetime: self.lifetime(table) };
    }

    pub(super) fn value(&self, table: &CounterTable<K>) -> Counters {
        match self.state {
            RowState::Pending { .. } => Counters::default(),
            RowState::Counting { base } => self.lifetime(table).less(base),
            RowState::Frozen { value, .. } => value,
        }
    }

    pub(super) fn pending(&self, table: &CounterTable<K>) -> Counters {
        match self.state {
            RowState::Pending { base, .. } => self.lifetime(table).less(base),
            _ => Counters::default(),
        }
    }

    pub(super) fn is_frozen(&self) -> bool {
        matches!(self.state, RowState::Frozen { .. })
    }
}
