//! The readings of a window at the end of each time cell.
//!
//! Takes the watermark; gives readings of subjects over their limits. Must not know rules.

use std::hash::Hash;

use super::pool::LowCell;
use super::{EntryState, OpenCell, SubjectEntry, WatchedSubject, Window, WindowReading, low};
use crate::detect::Level;
use crate::packet::Timestamp;
use crate::tables::lookup::Lookup;
use crate::time_grid::Cell;

impl<K: Copy + Eq + Hash> Window<K> {
    /// Judges every cell that has ended at `watermark`. Reports a subject at each cell while it is over its limit, and
    /// then until it was [`Level::Under`] once. Cells come in order; the subjects of one cell come in any order.
    pub(crate) fn advance(&mut self, watermark: Timestamp, mut report: impl FnMut(WindowReading<K>)) {
        let target = self.grid.cell(watermark).back(1);
        let Some(judged) = self.judged.filter(|judged| target > *judged) else { return };
        let mut cell = judged.next();
        while cell <= target && !self.watched.is_empty() {
            if self.watched.iter().all(|watched| watched.since.is_none()) {
                // No subject exceeds its limit in a cell without bytes.
                cell = cell.max(self.first_open.unwrap_or(target));
                if cell > target {
                    break;
                }
            }
            self.judge(cell, &mut report);
            cell = cell.next();
            self.first_open = self.first_still_open(cell);
        }
        self.close(target);
    }

    /// The first cell from `from` on that may have bytes.
    fn first_still_open(&self, from: Cell) -> Option<Cell> {
        let first = self.first_open?.max(from);
        (self.newest? >= first).then_some(first)
    }

    /// Notes that all cells up to `target` are judged.
    fn close(&mut self, target: Cell) {
        self.judged = Some(target);
        self.open = OpenCell::NONE;
        self.first_open = self.first_still_open(target.next());
        let all_are_out = self.newest.is_none_or(|newest| newest <= self.last_out());
        if all_are_out && self.watched.is_empty() {
            self.clear();
        } else if target >= *self.next_sweep.get_or_insert(target) {
            self.sweep();
            let cells = if self.is_nearly_full() { (self.cells / 16).max(1) } else { self.cells };
            self.next_sweep = Some(Cell(target.0.saturating_add(i64::from(cells))));
        }
    }

    fn judge(&mut self, cell: Cell, report: &mut impl FnMut(WindowReading<K>)) {
        let is_known = self.known_from.is_none_or(|from| cell >= from);
        let last_out = low(cell.back(self.cells));
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain_mut(|watched| {
            self.expire_up_to(watched.at, last_out);
            let entry = &self.entries[watched.at];
            let bytes = self.sum(entry, low(cell));
            let limit = self.limit(entry.class);
            let level = match Level::of(bytes, limit) {
                Level::Under if !is_known => Level::Near,
                level => level,
            };
            if level == Level::Over {
                watched.since.get_or_insert(cell);
            }
            if let Some(since) = watched.since {
                let [first, last] = self.ends(entry, cell);
                report(WindowReading { key: entry.key, class: entry.class, cell, since, first, last, bytes, level });
            }
            if level == Level::Under {
                watched.since = None;
            }
            let stays = watched.since.is_some() || entry.bound() > limit;
            if !stays {
                self.entries[watched.at].state = EntryState::Kept;
            }
            stays
        });
        self.watched = watched;
    }

    /// The bytes of an entry's cells up to `cell`.
    fn sum(&self, entry: &SubjectEntry<K>, cell: LowCell) -> u64 {
        let latest = if entry.cell.is_after(cell) { 0 } else { entry.bytes };
        let listed = if self.pool.reaches_past(entry.list, cell) {
            self.pool.cells(entry.list).take_while(|(of, _)| !of.is_after(cell)).map(|(_, bytes)| bytes).sum()
        } else {
            entry.listed
        };
        listed.saturating_add(latest)
    }

    /// The first and the last of an entry's cells up to `cell`.
    fn ends(&self, entry: &SubjectEntry<K>, cell: Cell) -> [Cell; 2] {
        let newest = low(cell);
        let own = (entry.cell, entry.bytes);
        let listed =
            || self.pool.cells(entry.list).chain([own]).filter(|(of, bytes)| *bytes > 0 && !of.is_after(newest));
        let whole = |of: Option<(LowCell, u64)>| of.map_or(cell, |(of, _)| cell.back(newest.0.wrapping_sub(of.0)));
        let first = whole(listed().next());
        let is_own_last = entry.bytes > 0 && !entry.cell.is_after(newest);
        [first, if is_own_last { whole(Some(own)) } else { whole(listed().last()) }]
    }

    /// Empties the window, because the clock was set to `to`. Subjects over their limit stay watched, as near it until
    /// a whole window is known.
    pub(crate) fn restart(&mut self, to: Timestamp) {
        let kept: Vec<(K, u16, Cell)> = self
            .watched
            .iter()
            .filter_map(|watched| {
                let entry = &self.entries[watched.at];
                watched.since.map(|since| (entry.key, entry.class, since))
            })
            .collect();
        self.clear();
        let cell = self.grid.cell(to);
        self.judged = Some(cell.back(1));
        self.open = OpenCell::NONE;
        self.known_from = Some(Cell(cell.0.saturating_add(i64::from(self.cells) - 1)));
        for (key, class, since) in kept {
            let at = self.insert(key.hash_under(self.entries.state()), key, class, low(cell));
            self.entries[at].state = EntryState::Watched;
            self.watched.push(WatchedSubject { at, since: Some(since) });
        }
    }
}
