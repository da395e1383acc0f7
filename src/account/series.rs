//! The rows that Prometheus sees: few of those held, and exact also as `increase()` sees them.
//!
//! `increase()` misses what a series had at its first scrape, and a series that vanishes between two scrapes takes what it
//! gained since the last one along. So a row
//!
//! 1. *enters* with value 0, and counts only from when every scraper has completely received that 0;
//! 2. *counts* what its entry gains from then on;
//! 3. *leaves* by standing still until every scraper has completely received its last value; then it goes, and its value
//!    moves to *retired*, a family outside every sum over rows;
//! 4. may come back, from 0 again, after every scraper has completely received a snapshot without it.
//!
//! All that no row counts is *other*, a sum a group, whose late ones enter likewise ([`others`]). So at every snapshot
//! rows + other + retired = total, and nothing ever falls.

pub mod others;

use std::collections::{BTreeMap, BTreeSet};

use super::flow::{Counters, SeriesKey};
use super::held::{Entry, Held};
use super::scrapes::Delivery;
use crate::locality::Direction;
use crate::packet::Timestamp;
use others::{ByDirection, Others};

/// Completed scrapes for which a row stays at least, once it was shown.
pub const TENURE: u64 = 30;

/// Later than every snapshot.
const NEVER: u64 = u64::MAX;

/// How many times heavier than a row an entry must be to take its place.
const HYSTERESIS: u64 = 2;

/// A row at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesRow<K> {
    /// What it is known by.
    pub key: K,
    /// When its entry was first counted.
    pub first_seen: Timestamp,
    /// When the row entered, with value 0.
    pub shown_since: Timestamp,
    /// What the row shows.
    pub value: Counters,
    /// All that its entry counted, before the row counted too.
    pub lifetime: Counters,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Shown as 0 from this snapshot on.
    Entering { since: u64 },
    /// Counts what was gained since the entry had this much.
    Counting { base: Counters },
    /// Stands still from this snapshot on.
    Leaving { since: u64, value: Counters, lifetime: Counters },
}

#[derive(Debug, Clone, Copy)]
struct Row<K> {
    key: K,
    first_seen: Timestamp,
    shown_since: Timestamp,
    /// Where its entry is held; means nothing once it leaves.
    position: u32,
    entered: u64,
    state: State,
}

impl<K: SeriesKey> Row<K> {
    fn lifetime(&self, held: &Held<K>) -> Counters {
        match self.state {
            State::Leaving { lifetime, .. } => lifetime,
            _ => held.entry(self.position).counters,
        }
    }

    fn leave(&mut self, held: &Held<K>, since: u64) {
        self.state = State::Leaving { since, value: self.value(held), lifetime: self.lifetime(held) };
    }

    fn value(&self, held: &Held<K>) -> Counters {
        match self.state {
            State::Entering { .. } => Counters::default(),
            State::Counting { base } => self.lifetime(held).less(base),
            State::Leaving { value, .. } => value,
        }
    }
}

/// Sums of what is in no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrowed<G> {
    /// By group.
    pub by_group: BTreeMap<G, Counters>,
    /// Of the groups that have no sum of their own, or did not have one yet.
    pub rarer: ByDirection,
}

impl<G> Default for Unrowed<G> {
    fn default() -> Self {
        Self { by_group: BTreeMap::new(), rarer: ByDirection::default() }
    }
}

impl<G: Copy + Ord> Unrowed<G> {
    /// Where `group` is summed up, when it `has_own` or not.
    fn of(&mut self, group: G, has_own: bool, direction: Direction) -> &mut Counters {
        if has_own { self.by_group.entry(group).or_default() } else { &mut self.rarer[direction as usize] }
    }
}

/// The rows of one table, at most a given number.
#[derive(Debug)]
pub struct Series<K: SeriesKey> {
    limit: usize,
    rows: Vec<Row<K>>,
    others: Others<K::Group>,
    retired: Unrowed<K::Group>,
    /// Keys that may not enter: those whose row leaves (never), and whose row went, with the first snapshot without it.
    gone: BTreeMap<K, u64>,
    /// Completed scrapes: how often all scrapers had a later snapshot than before.
    rounds: u64,
    delivered: u64,
    now: Timestamp,
}

impl<K: SeriesKey> Series<K> {
    /// No rows yet, and never more than `limit`.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            rows: Vec::new(),
            others: Others::new(K::groups_from_the_start()),
            retired: Unrowed::default(),
            gone: BTreeMap::new(),
            rounds: 0,
            delivered: 0,
            now: Timestamp::from_nanoseconds(0),
        }
    }

    /// How many rows there may be.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The memory that the rows take, in bytes; about, for the trees.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row<K>>() + self.gone.len() * 2 * size_of::<(K, u64)>()
    }

    /// The rows as they stand.
    pub fn rows<'a>(&'a self, held: &'a Held<K>) -> impl Iterator<Item = SeriesRow<K>> + 'a {
        self.rows.iter().map(|row| SeriesRow {
            key: row.key,
            first_seen: row.first_seen,
            shown_since: row.shown_since,
            value: row.value(held),
            lifetime: row.lifetime(held),
        })
    }

    /// What rows that went had counted.
    #[must_use]
    pub fn retired(&self) -> &Unrowed<K::Group> {
        &self.retired
    }

    /// All of `totals` that no row counts and none that went had counted.
    #[must_use]
    pub fn other(&self, held: &Held<K>, totals: &BTreeMap<K::Group, Counters>) -> Unrowed<K::Group> {
        let sums = self.uncounted(held, totals);
        let (by_group, mut rarer) = self.others.show(&sums.by_group, K::direction);
        rarer.iter_mut().zip(sums.rarer).for_each(|(rarer, sum)| rarer.add(sum));
        Unrowed { by_group, rarer }
    }

    /// All of `totals` that no row counts and none that went had counted, wherever it is shown.
    fn uncounted(&self, held: &Held<K>, totals: &BTreeMap<K::Group, Counters>) -> Unrowed<K::Group> {
        let mut counted = self.retired.by_group.clone();
        for row in &self.rows {
            counted.entry(row.key.group()).or_default().add(row.value(held));
        }
        let mut sums = Unrowed::default();
        for (&group, &total) in totals {
            let rest = total.less(counted.get(&group).copied().unwrap_or_default());
            sums.of(group, self.others.has(group), K::direction(group)).add(rest);
        }
        sums.rarer.iter_mut().zip(self.retired.rarer).for_each(|(sum, went)| *sum = sum.less(went));
        sums
    }

    /// The positions of rows that have not been there for long enough to leave.
    #[must_use]
    pub fn untenured(&self) -> BTreeSet<u32> {
        self.rows.iter().filter(|row| !self.is_tenured(row)).map(|row| row.position).collect()
    }

    /// Lets the rows go whose entries were given up at `positions`, from the snapshot `next` on.
    pub fn let_go(&mut self, positions: &[u32], held: &Held<K>, next: u64) {
        let given_up: BTreeSet<u32> = positions.iter().copied().collect();
        for row in &mut self.rows {
            if !matches!(row.state, State::Leaving { .. }) && given_up.contains(&row.position) {
                row.leave(held, next);
                self.gone.insert(row.key, NEVER);
            }
        }
    }

    /// Moves every row on, for the snapshot `next` at `now`, after snapshots have come as far as `delivery` says; then
    /// chooses who is shown.
    pub fn advance(
        &mut self,
        held: &mut Held<K>,
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
                self.rounds += 1;
            }
            self.begin_to_count(held, delivered);
            if self.others.is_due(delivered) {
                let sums = self.uncounted(held, totals);
                self.others.begin_to_count(delivered, &sums.by_group);
            }
            self.gone.retain(|_, &mut since| since > delivered);
            self.retire(delivered, next);
        }
        self.choose(held, delivery, next);
    }

    fn begin_to_count(&mut self, held: &Held<K>, delivered: u64) {
        for row in &mut self.rows {
            if matches!(row.state, State::Entering { since } if since <= delivered) {
                row.state = State::Counting { base: held.entry(row.position).counters };
            }
        }
    }

    fn retire(&mut self, delivered: u64, next: u64) {
        let Self { rows, others, retired, gone, .. } = self;
        rows.retain(|row| match row.state {
            State::Leaving { since, value, .. } if since <= delivered => {
                let group = row.key.group();
                retired.of(group, others.has(group), K::direction(group)).add(value);
                gone.insert(row.key, next);
                false
            }
            _ => true,
        });
    }

    fn is_tenured(&self, row: &Row<K>) -> bool {
        self.rounds >= row.entered + TENURE
    }

    /// The heaviest entries enter, as far as there is room; rows that are much lighter than one that has none leave.
    fn choose(&mut self, held: &mut Held<K>, delivery: Delivery, next: u64) {
        let mut lightest = self.displaceable(held, delivery);
        // Rows that leave already make room for as many, or one entry that waits would drive row after row out.
        let mut promised = self.rows.iter().filter(|row| matches!(row.state, State::Leaving { .. })).count();
        let wanted = self.limit - self.rows.len() + promised + lightest.len();
        for candidate in self.heaviest_hidden(held, wanted) {
            if self.rows.len() < self.limit {
                self.enter(held, &candidate, next);
                continue;
            }
            let Some((bytes, at)) = lightest.pop() else { break };
            if candidate.counters.bytes / HYSTERESIS <= bytes {
                break;
            }
            let row = self.rows[at];
            if let State::Entering { .. } = row.state {
                held.set_shown(row.position, false);
                self.rows[at] = self.entering(&candidate, next);
                held.set_shown(candidate.position, true);
            } else if promised > 0 {
                promised -= 1;
                lightest.push((bytes, at));
            } else {
                held.set_shown(row.position, false);
                self.rows[at].leave(held, next);
                self.gone.insert(row.key, NEVER);
            }
        }
    }

    fn enter(&mut self, held: &mut Held<K>, candidate: &Entry<K>, next: u64) {
        self.rows.push(self.entering(candidate, next));
        held.set_shown(candidate.position, true);
    }

    fn entering(&self, candidate: &Entry<K>, next: u64) -> Row<K> {
        Row {
            key: candidate.key,
            first_seen: candidate.first_seen,
            shown_since: self.now,
            position: candidate.position,
            entered: self.rounds,
            state: State::Entering { since: next },
        }
    }

    /// The rows that may make room, with their entries' bytes, the lightest last: those that were there for long enough,
    /// and those that nobody has seen yet.
    fn displaceable(&self, held: &Held<K>, delivery: Delivery) -> Vec<(u64, usize)> {
        let may_go = |row: &Row<K>| match row.state {
            State::Entering { since } => since > delivery.to_any,
            State::Counting { .. } => self.is_tenured(row),
            State::Leaving { .. } => false,
        };
        let rows = self.rows.iter().enumerate().filter(|(_, row)| may_go(row));
        let mut rows: Vec<(u64, usize)> = rows.map(|(at, row)| (row.lifetime(held).bytes, at)).collect();
        rows.sort_unstable_by(|one, other| other.cmp(one));
        rows
    }

    /// Up to `wanted` entries without a row, the heaviest first.
    fn heaviest_hidden(&self, held: &Held<K>, wanted: usize) -> Vec<Entry<K>> {
        let hidden = held.entries().filter(|entry| !entry.is_shown && !self.gone.contains_key(&entry.key));
        let weight = |entry: &Entry<K>| (std::cmp::Reverse(entry.counters.bytes), entry.key);
        let mut hidden: Vec<Entry<K>> = hidden.collect();
        if wanted == 0 {
            hidden.clear();
        } else if hidden.len() > wanted {
            hidden.select_nth_unstable_by_key(wanted - 1, weight);
            hidden.truncate(wanted);
        }
        hidden.sort_unstable_by_key(weight);
        hidden
    }
}

#[cfg(test)]
mod tests;
