//! What a window says at the end of each cell.

use std::hash::Hash;

use super::pool::Low;
use super::{Entry, Mark, Reading, Span, Standing, Watched, Window, low};
use crate::packet::Timestamp;
use crate::tables::lookup::Lookup;
use crate::time_grid::Cell;

impl<K: Copy + Eq + Hash> Window<K> {
    /// Judges every cell that has ended at `watermark`: tells `report` of who is over the limit, at each cell, and then
    /// until it was once [`Standing::Under`]. Cells come in order, the subjects of a cell in none.
    pub fn advance(&mut self, watermark: Timestamp, mut report: impl FnMut(Reading<K>)) {
        let target = self.grid.cell(watermark).back(1);
        let Some(judged) = self.judged.filter(|judged| target > *judged) else { return };
        let mut cell = judged.next();
        while cell <= target && !self.watched.is_empty() {
            if self.watched.iter().all(|watched| watched.since.is_none()) {
                // Nobody becomes over the limit where there are no bytes.
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

    /// All cells up to `target` are judged.
    fn close(&mut self, target: Cell) {
        self.judged = Some(target);
        self.span = Span::NONE;
        self.first_open = self.first_still_open(target.next());
        let all_are_out = self.newest.is_none_or(|newest| newest <= self.last_out());
        if all_are_out && self.watched.is_empty() {
            self.clear();
        } else if target >= *self.next_sweep.get_or_insert(target) {
            self.sweep();
            let cells = if self.is_crowded() { (self.cells / 16).max(1) } else { self.cells };
            self.next_sweep = Some(Cell(target.0.saturating_add(i64::from(cells))));
        }
    }

    /// Reads all watched subjects at the end of `cell`.
    fn judge(&mut self, cell: Cell, report: &mut impl FnMut(Reading<K>)) {
        let is_known = self.known_from.is_none_or(|from| cell >= from);
        let last_out = low(cell.back(self.cells));
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain_mut(|watched| {
            self.expire_up_to(watched.at, last_out);
            let entry = &self.entries[watched.at];
            let bytes = self.sum(entry, low(cell));
            let limit = self.limit(entry.class);
            let standing = standing(bytes, limit, is_known);
            if standing == Standing::Over {
                watched.since.get_or_insert(cell);
            }
            if let Some(since) = watched.since {
                let [first, last] = self.ends(entry, cell);
                report(Reading { key: entry.key, class: entry.class, cell, since, first, last, bytes, standing });
            }
            if standing == Standing::Under {
                watched.since = None;
            }
            let stays = watched.since.is_some() || entry.bound() > limit;
            if !stays {
                self.entries[watched.at].mark = Mark::Held;
            }
            stays
        });
        self.watched = watched;
    }

    /// The bytes of the cells that are kept and not after `cell`.
    fn sum(&self, entry: &Entry<K>, cell: Low) -> u64 {
        let latest = if entry.cell.is_after(cell) { 0 } else { entry.bytes };
        let listed = if self.pool.reaches_past(entry.list, cell) {
            self.pool.cells(entry.list).take_while(|(of, _)| !of.is_after(cell)).map(|(_, bytes)| bytes).sum()
        } else {
            entry.listed
        };
        listed.saturating_add(latest)
    }

    /// The first and the last cell with bytes that are kept and not after `cell`.
    fn ends(&self, entry: &Entry<K>, cell: Cell) -> [Cell; 2] {
        let newest = low(cell);
        let own = (entry.cell, entry.bytes);
        let listed =
            || self.pool.cells(entry.list).chain([own]).filter(|(of, bytes)| *bytes > 0 && !of.is_after(newest));
        let whole = |of: Option<(Low, u64)>| of.map_or(cell, |(of, _)| cell.back(newest.0.wrapping_sub(of.0)));
        let first = whole(listed().next());
        let is_own_last = entry.bytes > 0 && !entry.cell.is_after(newest);
        [first, if is_own_last { whole(Some(own)) } else { whole(listed().last()) }]
    }

    /// The clock stepped to `to`: all sums begin anew. Who was over the limit is read on: at most near it, until a whole
    /// window is known again.
    pub fn clock_stepped(&mut self, to: Timestamp) {
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
        self.span = Span::NONE;
        self.known_from = Some(Cell(cell.0.saturating_add(i64::from(self.cells) - 1)));
        for (key, class, since) in kept {
            let at = self.insert(key.hash_under(self.entries.state()), key, class, low(cell));
            self.entries[at].mark = Mark::Watched;
            self.watched.push(Watched { at, since: Some(since) });
        }
    }
}

fn standing(bytes: u64, limit: u64, is_known: bool) -> Standing {
    if bytes > limit {
        Standing::Over
    } else if is_known && (bytes == 0 || u128::from(bytes) * 10 < u128::from(limit) * 9) {
        Standing::Under
    } else {
        Standing::Near
    }
}
