//! One row: the entry that it shows, and how far it has come.

use crate::account::counter_table::Held;
use crate::account::flow::{Counters, SeriesKey};
use crate::packet::Timestamp;

/// `base` is the part of the entry's counters that `other` showed before the row appeared.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// Shown with value 0 since this snapshot; all above the base is pending.
    Pending { since: u64, base: Counters },
    /// Shows all above the base.
    Counting { base: Counters },
    /// Frozen since this snapshot.
    Frozen { since: u64, value: Counters, lifetime: Counters },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Row<K> {
    pub(super) key: K,
    pub(super) first_seen: Timestamp,
    pub(super) shown_since: Timestamp,
    /// The position of its entry in the table; means nothing once the row is frozen.
    pub(super) position: u32,
    pub(super) entered: u64,
    pub(super) state: State,
}

impl<K: SeriesKey> Row<K> {
    pub(super) fn lifetime(&self, held: &Held<K>) -> Counters {
        match self.state {
            State::Frozen { lifetime, .. } => lifetime,
            _ => held.entry(self.position).counters,
        }
    }

    pub(super) fn freeze(&mut self, held: &Held<K>, since: u64) {
        self.state = State::Frozen { since, value: self.value(held), lifetime: self.lifetime(held) };
    }

    pub(super) fn value(&self, held: &Held<K>) -> Counters {
        match self.state {
            State::Pending { .. } => Counters::default(),
            State::Counting { base } => self.lifetime(held).less(base),
            State::Frozen { value, .. } => value,
        }
    }

    pub(super) fn pending(&self, held: &Held<K>) -> Counters {
        match self.state {
            State::Pending { base, .. } => self.lifetime(held).less(base),
            _ => Counters::default(),
        }
    }

    pub(super) fn is_frozen(&self) -> bool {
        matches!(self.state, State::Frozen { .. })
    }
}
