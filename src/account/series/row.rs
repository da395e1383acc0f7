//! One row: its entry and its stage.
//!
//! Takes the table of counters; gives the row's value, lifetime and pending part. Must not know other rows.

use crate::account::counter_table::CounterTable;
use crate::account::flow::{Counters, SeriesKey};
use crate::packet::Timestamp;

/// The stage of a row. `base` is the part of the entry's counters that `other` showed before the row appeared.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowState {
    /// Shown with value 0 since this snapshot; all above the base is pending.
    Pending { since: u64, base: Counters },
    /// Shows all above the base.
    Counting { base: Counters },
    /// Frozen since this snapshot.
    Frozen { since: u64, value: Counters, lifetime: Counters },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TrackedRow<K> {
    pub(super) key: K,
    pub(super) first_seen: Timestamp,
    pub(super) shown_since: Timestamp,
    /// The position of its entry in the table; means nothing once the row is frozen.
    pub(super) position: u32,
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
