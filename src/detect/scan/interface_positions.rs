//! The positions of interfaces in a table, by their numbers.
//!
//! Takes the numbers of interfaces; gives positions. Contacts remember for a window the position of the interface that showed
//! them, so one that is given back rests for a while. Must not know what stands there.

use std::collections::{HashMap, VecDeque};

use crate::account::InterfaceId;

/// More positions than interfaces with an entry in the ledger. At the limit the one given back first is used at once.
const MAXIMUM_POSITIONS: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct InterfacePositions {
    taken: HashMap<InterfaceId, u16>,
    /// The last one that was looked up: rows come interface by interface.
    latest: Option<(InterfaceId, u16)>,
    /// Positions that were given back, with the block of time in which each was, the oldest first.
    given_back: VecDeque<(i64, u16)>,
}

impl InterfacePositions {
    #[inline(always)]
    pub(super) fn of(&mut self, id: InterfaceId) -> Option<u16> {
        match self.latest {
            Some((latest, position)) if latest == id => Some(position),
            _ => self.look_up(id),
        }
    }

    #[cold]
    fn look_up(&mut self, id: InterfaceId) -> Option<u16> {
        let position = *self.taken.get(&id)?;
        self.latest = Some((id, position));
        Some(position)
    }

    /// Gives an interface a position: one that was given back by the block `until`, else the next one.
    pub(super) fn take(&mut self, id: InterfaceId, until: i64) -> u16 {
        let used = self.taken.len() + self.given_back.len();
        let may_reuse = |&(block, _): &(i64, u16)| block <= until || used >= MAXIMUM_POSITIONS;
        let position = match self.given_back.front().copied().filter(may_reuse) {
            Some((_, position)) => {
                self.given_back.pop_front();
                position
            }
            None => u16::try_from(used).unwrap_or(u16::MAX),
        };
        self.taken.insert(id, position);
        self.latest = Some((id, position));
        position
    }

    /// Takes the position of an interface back in `block`.
    pub(super) fn give_back(&mut self, id: InterfaceId, block: i64) -> Option<u16> {
        self.latest = None;
        let position = self.taken.remove(&id)?;
        self.given_back.push_back((block, position));
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Config;
    use crate::account::ledger::Ledger;

    /// The numbers of so many interfaces.
    fn interfaces(count: usize) -> Vec<InterfaceId> {
        let mut ledger: Ledger = Ledger::new(&Config::default(), 1);
        (0..count)
            .map(|number| {
                let id = ledger.interface(&format!("veth{number}"));
                ledger.end_interfaces(|_| false, 1);
                ledger.retire_interfaces(|_| true);
                id
            })
            .collect()
    }

    #[test]
    fn a_position_is_given_again_only_after_a_while() {
        let ids = interfaces(4);
        let mut positions = InterfacePositions::default();
        assert_eq!([positions.take(ids[0], -1), positions.take(ids[1], -1)], [0, 1]);
        assert_eq!(positions.give_back(ids[0], 10), Some(0));
        assert_eq!((positions.of(ids[0]), positions.of(ids[1])), (None, Some(1)));
        assert_eq!(positions.take(ids[2], 9), 2);
        assert_eq!(positions.take(ids[3], 10), 0);
        assert_eq!(positions.give_back(ids[0], 11), None);
    }

    #[test]
    fn interfaces_without_end_have_positions_within_the_bound() {
        let mut positions = InterfacePositions::default();
        for id in interfaces(10_000) {
            assert!(usize::from(positions.take(id, -1)) < MAXIMUM_POSITIONS);
            positions.give_back(id, 0);
        }
    }
}
