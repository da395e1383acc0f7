//! Two stores, one for this period of packet time and one for the one before: a note lives for one to two periods.
//!
//! Takes times; turns from one period to the next. Must not know what the stores hold.

use std::time::Duration;

use crate::packet::Timestamp;
use crate::time_grid::{Cell, TimeGrid};

/// Two stores of what was noted, by the period.
#[derive(Debug)]
pub(super) struct TwoPeriods<S> {
    grid: TimeGrid,
    period: Cell,
    now: S,
    before: S,
    /// Empties a store.
    clear: fn(&mut S),
}

impl<S: Default> TwoPeriods<S> {
    /// Empty stores; a period has this `length`.
    pub(super) fn new(length: Duration, clear: fn(&mut S)) -> Self {
        Self { grid: TimeGrid::of(length), period: Cell(0), now: S::default(), before: S::default(), clear }
    }
}

impl<S> TwoPeriods<S> {
    /// Begins the period in which `time` lies, if it is a later one.
    pub(super) fn begin(&mut self, time: Timestamp) {
        let period = self.grid.cell(time);
        if period > self.period {
            if period > self.period.next() {
                (self.clear)(&mut self.now);
            }
            std::mem::swap(&mut self.now, &mut self.before);
            (self.clear)(&mut self.now);
            self.period = period;
        }
    }

    /// The store of this period.
    #[inline]
    pub(super) const fn now(&mut self) -> &mut S {
        &mut self.now
    }

    /// Both stores.
    #[inline]
    pub(super) const fn both(&self) -> [&S; 2] {
        [&self.now, &self.before]
    }

    pub(super) const fn both_mut(&mut self) -> [&mut S; 2] {
        [&mut self.now, &mut self.before]
    }

    /// Empties both stores, and begins with the first period.
    pub(super) fn clear(&mut self) {
        let clear = self.clear;
        self.both_mut().into_iter().for_each(clear);
        self.period = Cell(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanoseconds(seconds * 1_000_000_000)
    }

    #[test]
    fn notes_live_for_one_to_two_periods() {
        let mut notes = TwoPeriods::new(Duration::from_secs(10), Vec::clear);
        notes.begin(at(25));
        notes.now().push('a');
        notes.begin(at(29));
        notes.now().push('b');
        notes.begin(at(30));
        notes.now().push('c');
        assert_eq!(notes.both(), [&vec!['c'], &vec!['a', 'b']]);
        notes.begin(at(5));
        assert_eq!(notes.both(), [&vec!['c'], &vec!['a', 'b']], "an earlier time changes nothing");
        notes.begin(at(40));
        assert_eq!(notes.both(), [&vec![], &vec!['c']]);
        notes.now().push('d');
        notes.begin(at(60));
        assert_eq!(notes.both(), [&Vec::<char>::new(); 2], "a period was left out");
    }

    #[test]
    fn cleared_notes_begin_anew() {
        let mut notes = TwoPeriods::new(Duration::from_secs(10), Vec::clear);
        notes.begin(at(100));
        notes.now().push(1);
        notes.clear();
        notes.begin(at(10));
        assert_eq!(notes.both(), [&Vec::<i32>::new(); 2]);
        notes.now().push(2);
        notes.begin(at(20));
        assert_eq!(notes.both(), [&vec![], &vec![2]]);
    }
}
