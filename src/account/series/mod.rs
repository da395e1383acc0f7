//! The rows that Prometheus gets: the heaviest flows or hosts, such that `increase()` over them is exact.
//!
//! Takes a table of counters and the delivery of snapshots; gives rows, and sums of all that no row counts. Must not
//! know formats.
//!
//! `increase()` misses the value that a series has at its first scrape. A series that vanishes between two scrapes
//! loses what it gained since the last one. So a row
//!
//! 1. appears with value 0. Its bytes are *pending*: in no row and not in `other`. When every scraper has completely
//!    read a snapshot with the 0, the pending bytes are added to the row;
//! 2. counts directly from then on;
//! 3. freezes when it leaves. Once every scraper has completely read the frozen value, the row goes and its value moves
//!    to *retired*, a family outside every sum over rows. A row that leaves while its bytes are pending gives them to
//!    `other`;
//! 4. may come back, from 0 again, after every scraper has completely read a snapshot without it.
//!
//! A flow that gets its row at the first refresh after its first packet counts from that packet. One that gets a row
//! later counts from then on: what `other` has shown stays in `other`.
//!
//! All that no row counts is `other`, one sum per group; its late groups follow the same rule ([`others`]). At every
//! snapshot rows + other + retired + pending = total, and only pending may fall.

pub mod others;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use super::NEVER;
use super::counter_table::{CounterEntry, CounterTable};
use super::delivery::Delivery;
use super::flow::{Counters, SeriesKey};
use crate::locality::Direction;
use crate::packet::Timestamp;
use crate::tables::top::top_n;
use others::{ByDirection, Others};
use row::{RowState, TrackedRow};

/// The fewest completed scrapes for which a row stays once it was shown.
pub(crate) const MINIMUM_SCRAPES: u64 = 30;

/// An entry takes the place of a row if it is more than this many times heavier.
const HYSTERESIS: u64 = 2;

/// A flow or a host that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownRow<K> {
    /// The key.
    pub key: K,
    /// Time of the first packet.
    pub first_seen: Timestamp,
    /// Time of the last packet; none for a row of a live capture that outlives its flow.
    pub last_seen: Option<Timestamp>,
    /// Time at which the row entered with value 0; the first packet where values are plain.
    pub shown_since: Timestamp,
    /// The value of the row; the lifetime where values are plain.
    pub value: Counters,
    /// All that was counted since its entry was made, also before the row counted.
    pub lifetime: Counters,
}

/// Sums of traffic that no row counts: of `other`, of retired rows, or of pending bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideRows<G> {
    /// Sums by group.
    pub by_group: BTreeMap<G, Counters>,
    /// Sums by direction of the groups past the limit ([`others::MAXIMUM_LATE_GROUPS`]).
    pub rarer: ByDirection,
}

impl<G> Default for OutsideRows<G> {
    fn default() -> Self {
        Self { by_group: BTreeMap::new(), rarer: ByDirection::default() }
    }
}

impl<G: Copy + Ord> OutsideRows<G> {
    /// The sum of `group`: its own, or that of the rarer groups.
    fn of(&mut self, group: G, has_own: bool, direction: Direction) -> &mut Counters {
        if has_own { self.by_group.entry(group).or_default() } else { &mut self.rarer[direction as usize] }
    }
}

/// All traffic that is neither in a row nor retired: `other` and pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest<G> {
    /// Traffic without a row.
    pub other: OutsideRows<G>,
    /// Traffic of rows and of `other` rows that do not count yet.
    pub pending: OutsideRows<G>,
}

/// The rows of one table, at most a given number.
#[derive(Debug)]
pub struct Series<K: SeriesKey> {
    limit: usize,
    rows: Vec<TrackedRow<K>>,
    others: Others<K::Group>,
    retired: OutsideRows<K::Group>,
    /// Keys that may not get a row, each until every scraper has read the snapshot with this number. For a row that has
    /// gone it is the first snapshot without the row; for a row that is leaving it is [`NEVER`].
    gone: BTreeMap<K, u64>,
    /// The fewest completed scrapes for which a row stays once it was shown.
    protected_scrapes: u64,
    delivered: u64,
    now: Timestamp,
}

impl<K: SeriesKey> Series<K> {
    /// No row yet; at most `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            rows: Vec::new(),
            others: Others::new(K::groups_from_the_start()),
            retired: OutsideRows::default(),
            gone: BTreeMap::new(),
            protected_scrapes: 0,
            delivered: 0,
            now: Timestamp::from_nanoseconds(0),
        }
    }

    /// The most rows.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Sets the most rows. Rows past it freeze when the next snapshot is made.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Memory of the rows in bytes, an estimate for the trees.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<TrackedRow<K>>() + self.gone.len() * 2 * size_of::<(K, u64)>()
    }

    /// The rows with their values.
    pub(crate) fn rows<'a>(&'a self, table: &'a CounterTable<K>) -> impl Iterator<Item = ShownRow<K>> + 'a {
        self.rows.iter().map(|row| ShownRow {
            key: row.key,
            first_seen: row.first_seen,
            last_seen: row.last_seen(table),
            shown_since: row.shown_since,
            value: row.value(table),
            lifetime: row.lifetime(table),
        })
    }

    /// The sums of rows that have gone.
    pub(crate) fn retired(&self) -> &OutsideRows<K::Group> {
        &self.retired
    }

    /// The part of `totals` that is neither in a row nor retired.
    pub(crate) fn rest(&self, table: &CounterTable<K>, totals: &BTreeMap<K::Group, Counters>) -> Rest<K::Group> {
        let mut counted = self.retired.by_group.clone();
        let mut pending = OutsideRows::default();
        for row in &self.rows {
            let (group, unshown) = (row.key.group(), row.pending(table));
            counted.entry(group).or_default().add(row.value(table).plus(unshown));
            pending.of(group, self.others.has(group), K::direction(group)).add(unshown);
        }
        let mut sums = OutsideRows::default();
        for (&group, &total) in totals {
            let rest = total.less(counted.get(&group).copied().unwrap_or_default());
            sums.of(group, self.others.has(group), K::direction(group)).add(rest);
        }
        sums.rarer.iter_mut().zip(self.retired.rarer).for_each(|(sum, went)| *sum = sum.less(went));
        let mut other = OutsideRows { by_group: BTreeMap::new(), rarer: sums.rarer };
        self.others.split(&sums.by_group, &mut other, &mut pending);
        Rest { other, pending }
    }

    /// The entries whose rows have not stayed for [`MINIMUM_SCRAPES`] yet.
    pub(crate) fn protected(&self) -> BTreeSet<u32> {
        self.rows.iter().filter(|row| !self.has_stayed(row)).map(|row| row.position).collect()
    }

    /// Freezes the rows whose entries left from `positions`, from the snapshot `next` on.
    pub(crate) fn freeze_evicted(&mut self, positions: &[u32], table: &CounterTable<K>, next: u64) {
        let evicted: BTreeSet<u32> = positions.iter().copied().collect();
        for row in &mut self.rows {
            if !row.is_frozen() && evicted.contains(&row.position) {
                row.freeze(table, next);
                self.gone.insert(row.key, NEVER);
            }
        }
    }

    /// Makes the rows of the snapshot `next` at `now`, by the `delivery` of earlier snapshots: rows begin to count or
    /// retire, and then entries are chosen for free rows.
    pub(crate) fn advance(
        &mut self,
        table: &mut CounterTable<K>,
        totals: &BTreeMap<K::Group, Counters>,
        delivery: Delivery,
        next: u64,
        now: Timestamp,
    ) {
        self.now = now;
        self.others.enter(totals.keys(), next);
        if let Some(delivered) = delivery.to_all {
            if delivered > self.delivered {
                self.delivered = delivered;
                self.protected_scrapes += 1;
            }
            self.begin_to_count(delivered);
            self.gone.retain(|_, &mut since| since > delivered);
            self.retire(delivered, next);
        }
        self.freeze_surplus(table, next);
        self.choose(table, delivery, next);
        table.end_refresh();
    }

    /// True if a row, or an `other` row, would begin to count if every scraper had read the snapshot `delivered`.
    pub(crate) fn would_count(&self, delivered: u64) -> bool {
        let is_due = |row: &TrackedRow<K>| matches!(row.state, RowState::Pending { since, .. } if since <= delivered);
        self.rows.iter().any(is_due) || self.others.would_count(delivered)
    }

    fn begin_to_count(&mut self, delivered: u64) {
        for row in &mut self.rows {
            if let RowState::Pending { since, base } = row.state
                && since <= delivered
            {
                row.state = RowState::Counting { base };
            }
        }
        self.others.begin_to_count(delivered);
    }

    fn retire(&mut self, delivered: u64, next: u64) {
        let Self { rows, others, retired, gone, .. } = self;
        rows.retain(|row| match row.state {
            RowState::Frozen { since, value, .. } if since <= delivered => {
                let group = row.key.group();
                retired.of(group, others.has(group), K::direction(group)).add(value);
                gone.insert(row.key, next);
                false
            }
            _ => true,
        });
    }

    fn has_stayed(&self, row: &TrackedRow<K>) -> bool {
        self.protected_scrapes >= row.entered + MINIMUM_SCRAPES
    }

    /// Freezes the lightest rows past a limit that was lowered.
    fn freeze_surplus(&mut self, table: &mut CounterTable<K>, next: u64) {
        if self.rows.len() <= self.limit {
            return;
        }
        let open = self.rows.iter().enumerate().filter(|(_, row)| !row.is_frozen());
        let mut open: Vec<(u64, usize)> = open.map(|(at, row)| (row.lifetime(table).bytes, at)).collect();
        let surplus = open.len().saturating_sub(self.limit);
        open.sort_unstable();
        for (_, at) in open.into_iter().take(surplus) {
            table.set_shown(self.rows[at].position, false);
            self.rows[at].freeze(table, next);
            self.gone.insert(self.rows[at].key, NEVER);
        }
    }

    /// Gives free rows to the heaviest entries; then freezes rows that are much lighter than an entry without a row.
    fn choose(&mut self, table: &mut CounterTable<K>, delivery: Delivery, next: u64) {
        let mut lightest = self.displaceable(table, delivery);
        // Each frozen row will free a place. Without counting these, one heavy entry would push out row after row.
        // Those past a limit that was lowered free none.
        let frozen = self.rows.iter().filter(|row| row.is_frozen()).count();
        let mut promised = frozen.saturating_sub(self.rows.len().saturating_sub(self.limit));
        let wanted = self.limit.saturating_sub(self.rows.len()) + promised + lightest.len();
        for candidate in self.heaviest_hidden(table, wanted) {
            if self.rows.len() < self.limit {
                self.enter(table, &candidate, next);
                continue;
            }
            let Some((bytes, at)) = lightest.pop() else { break };
            if candidate.counters.bytes / HYSTERESIS <= bytes {
                break;
            }
            let row = self.rows[at];
            if let RowState::Pending { .. } = row.state {
                table.set_shown(row.position, false);
                self.rows[at] = self.row_of(&candidate, next);
                table.set_shown(candidate.position, true);
            } else if promised > 0 {
                promised -= 1;
                lightest.push((bytes, at));
            } else {
                table.set_shown(row.position, false);
                self.rows[at].freeze(table, next);
                self.gone.insert(row.key, NEVER);
            }
        }
    }

    fn enter(&mut self, table: &mut CounterTable<K>, candidate: &CounterEntry<K>, next: u64) {
        self.rows.push(self.row_of(candidate, next));
        table.set_shown(candidate.position, true);
    }

    fn row_of(&self, candidate: &CounterEntry<K>, next: u64) -> TrackedRow<K> {
        TrackedRow {
            key: candidate.key,
            first_seen: candidate.first_seen,
            shown_since: self.now,
            position: candidate.position,
            entered: self.protected_scrapes,
            state: RowState::Pending { since: next, base: candidate.shown_in_other() },
        }
    }

    /// The rows that may be frozen for a heavier entry, with the bytes of their entries, the lightest last: rows that
    /// have stayed long enough, and rows that no scraper has seen yet.
    fn displaceable(&self, table: &CounterTable<K>, delivery: Delivery) -> Vec<(u64, usize)> {
        let may_go = |row: &TrackedRow<K>| match row.state {
            RowState::Pending { since, .. } => since > delivery.to_any,
            RowState::Counting { .. } => self.has_stayed(row),
            RowState::Frozen { .. } => false,
        };
        let rows = self.rows.iter().enumerate().filter(|(_, row)| may_go(row));
        let mut rows: Vec<(u64, usize)> = rows.map(|(at, row)| (row.lifetime(table).bytes, at)).collect();
        rows.sort_unstable_by(|one, other| other.cmp(one));
        rows
    }

    /// The `wanted` heaviest entries without a row, the heaviest first.
    fn heaviest_hidden(&self, table: &CounterTable<K>, wanted: usize) -> Vec<CounterEntry<K>> {
        let hidden = table.entries().filter(|entry| !entry.is_shown && !self.gone.contains_key(&entry.key));
        top_n(hidden, wanted, |one, other| {
            other.counters.bytes.cmp(&one.counters.bytes).then_with(|| one.key.cmp(&other.key))
        })
    }
}

#[cfg(test)]
mod tests;
