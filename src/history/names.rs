//! The names of interfaces in the history, by number, bounded.
//!
//! Takes names and the seconds in which they were used; gives numbers. Must not know rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::row::InterfaceIndex;
use crate::time_grid::Cell;

/// The most names. Hosts with containers keep making new interfaces. At the limit a name takes the number of one that no
/// kept cell has; if there is none, it shares the number of [`OTHER`].
const MAXIMUM_NAMES: usize = 1_024;

/// The name that interfaces without a number share, with number 0.
const OTHER: &str = "other";

#[derive(Debug)]
pub(super) struct InterfaceNames {
    numbers: BTreeMap<Arc<str>, InterfaceIndex>,
    /// By number: the name, and the last second in which it was used.
    used: Vec<(Arc<str>, Cell)>,
    /// The names by number, for views.
    shared: Arc<[Arc<str>]>,
}

impl Default for InterfaceNames {
    fn default() -> Self {
        let mut names = Self { numbers: BTreeMap::new(), used: Vec::new(), shared: Arc::default() };
        names.insert(0, OTHER.into(), Cell(i64::MAX));
        names
    }
}

impl InterfaceNames {
    /// The number of `name`, which is used in the second `now`. No cell before the second `oldest` is kept.
    pub(super) fn number(&mut self, name: &str, now: Cell, oldest: Cell) -> InterfaceIndex {
        if let Some(&number) = self.numbers.get(name) {
            let used = &mut self.used[usize::from(number)].1;
            *used = now.max(*used);
            return number;
        }
        let number = if self.used.len() < MAXIMUM_NAMES {
            self.used.len()
        } else {
            self.used.iter().position(|(_, used)| *used < oldest).unwrap_or(0)
        };
        if number > 0 {
            self.insert(number, name.into(), now);
        }
        number as InterfaceIndex
    }

    fn insert(&mut self, number: usize, name: Arc<str>, now: Cell) {
        if number == self.used.len() {
            self.used.push((Arc::clone(&name), now));
        } else {
            let (before, _) = std::mem::replace(&mut self.used[number], (Arc::clone(&name), now));
            self.numbers.remove(&before);
        }
        self.numbers.insert(name, number as InterfaceIndex);
        self.shared = self.used.iter().map(|(name, _)| Arc::clone(name)).collect();
    }

    /// The names by number.
    pub(super) fn shared(&self) -> &Arc<[Arc<str>]> {
        &self.shared
    }

    /// Memory in bytes, without the nodes of the map.
    pub(super) fn memory_bytes(&self) -> usize {
        let texts: usize = self.used.iter().map(|(name, _)| name.len()).sum();
        texts + self.used.capacity() * size_of::<(Arc<str>, Cell)>() + self.shared.len() * size_of::<Arc<str>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_keeps_its_number_while_a_cell_may_have_it() {
        let mut names = InterfaceNames::default();
        let mut number = |name: &str, now, oldest| names.number(name, Cell(now), Cell(oldest));
        assert_eq!([number("eth0", 1, 0), number("lo", 1, 0), number("eth0", 2, 0), number(OTHER, 2, 0)], [1, 2, 1, 0]);
        let made: Vec<InterfaceIndex> = (3..1_024).map(|at| number(&format!("veth{at}"), at, 0)).collect();
        assert_eq!((made.first(), made.last()), (Some(&3), Some(&1_023)));
        assert_eq!(number("late", 3_000, 1), 0, "no number is free");
        assert_eq!(number("late", 3_000, 2), 2, "no cell has the name lo any more");
        assert_eq!(number("lo", 3_000, 2), 0);
        assert_eq!(names.shared()[2], "late".into());
    }
}
