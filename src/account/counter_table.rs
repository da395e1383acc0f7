//! Keyed counters under a hard limit.
//!
//! Takes keys, counters and times; gives positions, entries, and freed positions. Must not know what a key means.
//!
//! Counters are stored apart from keys and other things that rarely change, so that adding touches little memory. A
//! position stays valid until [`CounterTable::sweep`] returns it.

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use super::flow::Counters;
use crate::packet::Timestamp;
use crate::tables::Eviction;
use crate::tables::hashing::State;
use crate::tables::index;
use crate::tables::lookup::Lookup;
use crate::tables::prefetch;
use crate::tables::slab::{Keyed, Slab};

/// When the table is nearly full, an entry may leave after this time without traffic. It is longer than an ordinary
/// pause in a download.
const IDLE: Duration = Duration::from_secs(30);

/// At this part of the limit a sweep evicts entries, down to [`SWEPT_PERCENT`]. So sweeps are rare.
const NEARLY_FULL_PERCENT: usize = 90;
const SWEPT_PERCENT: usize = 80;

/// The part of an entry that rarely changes.
#[derive(Debug, Clone, Copy)]
struct Head<K> {
    key: K,
    first_seen: Timestamp,
    /// The latest time of a packet, if an earlier time followed it; otherwise [`EntryCount::last_seen`] is the latest.
    latest: Timestamp,
}

impl<K: Hash> Keyed for Head<K> {
    fn hash_under<S: BuildHasher>(&self, state: &S) -> u64 {
        state.hash_one(&self.key)
    }
}

/// The part of an entry that changes with every packet. It never lies in two cache lines.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct EntryCount {
    counters: Counters,
    last_seen: Timestamp,
    /// The value of [`CounterTable::refreshes`] when the entry was made.
    made_after: u32,
    is_used: bool,
    is_shown: bool,
}

/// An entry as readers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CounterEntry<K> {
    /// Position in the table.
    pub position: u32,
    /// The key.
    pub key: K,
    /// Time of the first packet.
    pub first_seen: Timestamp,
    /// Time of the last packet.
    pub last_seen: Timestamp,
    /// Counters since the entry was made.
    pub counters: Counters,
    /// True if it has a row in the exposition.
    pub is_shown: bool,
    /// True if it was made since the last refresh: no snapshot has shown any of its counters.
    pub is_new: bool,
}

impl<K> CounterEntry<K> {
    /// The counters that earlier snapshots showed in `other`, for an entry without a row. For an entry that is not new,
    /// what it gained since the last snapshot counts as shown too.
    pub(crate) fn shown_in_other(&self) -> Counters {
        if self.is_new { Counters::default() } else { self.counters }
    }
}

/// Keyed counters, at most a given number.
#[derive(Debug)]
pub(crate) struct CounterTable<K> {
    /// A later row may move the first time of an entry back by at most this; none for any amount.
    overlap: Option<Duration>,
    heads: Slab<Head<K>, true>,
    /// At the same positions as the heads.
    counts: Vec<EntryCount>,
    /// No entry was last seen before this time. Before all time if that is unknown.
    oldest_last_seen: Timestamp,
    evicted: [u64; Eviction::ALL.len()],
    /// The number of refreshes so far, modulo 2^32. An old entry would seem new only after exactly 2^32 refreshes.
    refreshes: u32,
}

impl<K: Copy + Eq + Hash> CounterTable<K> {
    /// An empty table for at most `limit` entries.
    pub(crate) fn new(limit: usize, state: State) -> Self {
        Self {
            overlap: None,
            heads: Slab::new(limit, state),
            counts: Vec::new(),
            oldest_last_seen: Timestamp::BEFORE_ALL,
            evicted: [0; Eviction::ALL.len()],
            refreshes: 0,
        }
    }

    /// Notes that a snapshot was made: no entry is new any more.
    pub(crate) fn end_refresh(&mut self) {
        self.refreshes = self.refreshes.wrapping_add(1);
    }

    /// Limits how far back the first time of an entry may move. A time that is more than `overlap` earlier came from a
    /// clock that was set back meanwhile.
    pub(crate) fn limit_overlap(&mut self, overlap: Duration) {
        self.overlap = Some(overlap);
    }

    /// The most entries.
    pub(crate) fn limit(&self) -> usize {
        self.heads.limit()
    }

    /// Sets the most entries. If there are more, new keys find no space, and sweeps remove entries without recent traffic.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.heads.set_limit(limit);
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    /// The number of entries that left, in the order of [`Eviction::ALL`].
    pub(crate) fn evicted(&self) -> [u64; Eviction::ALL.len()] {
        self.evicted
    }

    /// Memory in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.heads.memory_bytes() + self.counts.capacity() * size_of::<EntryCount>()
    }

    /// The position of a key. A new key gets an entry if the table has space; none if it has not.
    #[inline(always)]
    pub(crate) fn find_or_insert(&mut self, lookup: impl Lookup<K>, first_seen: Timestamp) -> Option<u32> {
        let hash = lookup.hash_under(self.heads.state());
        if let Some(at) = self.heads.find(hash, |head| lookup.is(&head.key)) {
            // Rows come in the order of their conversations' first packets. These may go in the other direction than
            // this flow, so a later row may have an earlier time.
            let first = &mut self.heads[at].first_seen;
            if self.overlap.is_none_or(|overlap| first.since(first_seen) <= overlap) {
                *first = first_seen.min(*first);
            }
            return Some(at);
        }
        (self.len() < self.limit())
            .then(|| self.insert(hash, Head { key: lookup.key(), first_seen, latest: first_seen }))
    }

    /// Not inlined, because a flood at the limit only does the look-up.
    #[inline(never)]
    fn insert(&mut self, hash: u64, head: Head<K>) -> u32 {
        self.oldest_last_seen =
            if self.heads.is_empty() { head.first_seen } else { self.oldest_last_seen.min(head.first_seen) };
        let Head { first_seen: last_seen, .. } = head;
        let (counters, made_after) = (Counters::default(), self.refreshes);
        let count = EntryCount { counters, last_seen, made_after, is_used: true, is_shown: false };
        let at = self.heads.insert(hash, head);
        match self.counts.get_mut(at as usize) {
            Some(freed) => *freed = count,
            None => index::push(&mut self.counts, count, self.heads.limit()),
        }
        at
    }

    /// Adds to the counters at `position`. Its last packet was at `time`.
    #[inline]
    pub(crate) fn add(&mut self, position: u32, counters: Counters, time: Timestamp) {
        let count = &mut self.counts[position as usize];
        count.counters.add(counters);
        let before = count.last_seen;
        // Not the latest of all times: a clock that jumped ahead and back must not keep the entry for ever.
        count.last_seen = time;
        self.oldest_last_seen = self.oldest_last_seen.min(time);
        if time < before {
            self.note_earlier_time(position, before);
        }
    }

    /// Notes that the times of an entry went back, from `before`, which may be its latest time. Conversations of one
    /// flow end in another order than they began, the clock was set, or an earlier file is read.
    #[cold]
    fn note_earlier_time(&mut self, position: u32, before: Timestamp) {
        let latest = &mut self.heads[position].latest;
        *latest = before.max(*latest);
    }

    /// Reads ahead the memory that [`CounterTable::add`] will write, so that cache misses overlap. Any position is
    /// allowed.
    #[inline(always)]
    pub(crate) fn touch(&self, position: u32) {
        prefetch(self.counts.get(position as usize).map(|count| count.is_used));
    }

    /// The entry at `position`.
    pub(crate) fn entry(&self, position: u32) -> CounterEntry<K> {
        let (head, count) = (&self.heads[position], &self.counts[position as usize]);
        CounterEntry {
            position,
            key: head.key,
            first_seen: head.first_seen,
            last_seen: count.last_seen.max(head.latest),
            counters: count.counters,
            is_shown: count.is_shown,
            is_new: count.made_after == self.refreshes,
        }
    }

    /// All entries, in no particular order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = CounterEntry<K>> + '_ {
        let used = self.counts.iter().enumerate().filter(|(_, count)| count.is_used);
        used.map(|(position, _)| self.entry(position as u32))
    }

    /// The bytes and the position of each entry, in no particular order.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        (0..).zip(&self.counts).filter(|(_, count)| count.is_used).map(|(at, count)| (count.counters.bytes, at))
    }

    pub(crate) fn set_shown(&mut self, position: u32, is_shown: bool) {
        self.counts[position as usize].is_shown = is_shown;
    }

    /// True if the table is so full that a sweep evicts entries.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.len() >= percent(self.limit(), NEARLY_FULL_PERCENT)
    }

    /// The number of entries without traffic for so long that a sweep at `now` could remove them.
    pub(crate) fn idle_count(&self, now: Timestamp, idle_timeout: Option<Duration>) -> usize {
        let Some(least) = self.shortest_idle_time(idle_timeout) else { return 0 };
        self.counts.iter().filter(|count| count.is_used && now.since(count.last_seen) >= least).count()
    }

    /// The time without traffic after which an entry may leave; none if no entry may.
    fn shortest_idle_time(&self, idle_timeout: Option<Duration>) -> Option<Duration> {
        idle_timeout.into_iter().chain(self.is_nearly_full().then_some(IDLE)).min()
    }

    /// Removes entries at `now`, and gives their positions: all entries without traffic for `idle_timeout`; if the
    /// table is nearly full, also the lightest entries without traffic for [`IDLE`]. An entry with a row is removed
    /// only if `may_leave` allows it.
    pub(crate) fn sweep(
        &mut self,
        now: Timestamp,
        idle_timeout: Option<Duration>,
        mut may_leave: impl FnMut(u32) -> bool,
    ) -> Vec<u32> {
        let Some(least) = self.shortest_idle_time(idle_timeout) else { return Vec::new() };
        if self.oldest_last_seen <= now && now.since(self.oldest_last_seen) < least {
            return Vec::new();
        }
        let used = self.counts.iter().filter(|count| count.is_used);
        self.oldest_last_seen = used.map(|count| count.last_seen).min().unwrap_or(now);
        let needed = if self.is_nearly_full() { self.len() - percent(self.limit(), SWEPT_PERCENT) } else { 0 };
        let mut removed = Vec::new();
        let mut evictable = Vec::new();
        for position in 0..self.counts.len() as u32 {
            let count = self.counts[position as usize];
            let idle_time = now.since(count.last_seen);
            if !count.is_used || idle_time < least || count.is_shown && !may_leave(position) {
                continue;
            }
            let is_idle = idle_timeout.is_some_and(|timeout| idle_time >= timeout);
            if is_idle {
                removed.push(position);
            } else {
                evictable.push((count.counters.bytes, position));
            }
        }
        self.evicted[Eviction::Idle as usize] += removed.len() as u64;
        let more = needed.saturating_sub(removed.len()).min(evictable.len());
        if more > 0 {
            evictable.select_nth_unstable(more - 1);
            removed.extend(evictable[..more].iter().map(|&(_, position)| position));
            self.evicted[Eviction::Full as usize] += more as u64;
        }
        removed.iter().for_each(|&position| self.remove(position));
        removed
    }

    /// Removes the entries of these keys, with a row or without, and gives their positions. They are not evicted.
    pub(crate) fn remove_where(&mut self, is_it: impl Fn(&K) -> bool) -> Vec<u32> {
        let removed: Vec<u32> = self.entries().filter(|entry| is_it(&entry.key)).map(|entry| entry.position).collect();
        removed.iter().for_each(|&position| self.remove(position));
        removed
    }

    fn remove(&mut self, position: u32) {
        if self.heads.remove(position) {
            self.counts[position as usize].is_used = false;
        }
    }
}

fn percent(of: usize, percent: usize) -> usize {
    (of * percent).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::hashing;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanoseconds(seconds * 1_000_000_000)
    }

    fn table(limit: usize, bytes: impl IntoIterator<Item = u64>) -> CounterTable<u64> {
        let mut table = CounterTable::new(limit, hashing::state(1));
        for (key, bytes) in bytes.into_iter().enumerate() {
            let position = table.find_or_insert(key as u64, at(0)).unwrap();
            table.add(position, Counters { packets: 1, bytes }, at(0));
        }
        table
    }

    fn keys(table: &CounterTable<u64>) -> Vec<u64> {
        let mut keys: Vec<u64> = table.entries().map(|entry| entry.key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_change_when_an_entry_was_first_seen() {
        let mut table = table(1, [1]);
        let first_seen = |table: &mut CounterTable<u64>, seconds| {
            table.find_or_insert(0, at(seconds)).unwrap();
            table.entries().next().unwrap().first_seen
        };
        let start = table.entries().next().unwrap().first_seen;
        let (key, hour) = (keys(&table)[0], 3_600);
        assert_eq!((key, start), (0, at(0)));
        table.limit_overlap(Duration::from_secs(5));
        assert_eq!(first_seen(&mut table, -5), at(-5), "another thread's interval");
        assert_eq!(first_seen(&mut table, -hour), at(-5), "a step of the clock");
        assert_eq!(first_seen(&mut table, hour), at(-5));
    }

    #[test]
    fn an_entry_was_last_seen_at_its_latest_time_and_rests_since_its_last() {
        let mut table = table(1, [1]);
        for (seconds, latest) in [(100, 100), (90, 100), (-3_600, 100), (95, 100), (101, 101)] {
            table.add(0, Counters::default(), at(seconds));
            assert_eq!(table.entry(0).last_seen, at(latest), "after {seconds}");
        }
        table.add(0, Counters::default(), at(0));
        assert_eq!(table.sweep(at(60), Some(Duration::from_secs(60)), |_| true), [0]);
    }

    #[test]
    fn table_never_exceeds_its_limit() {
        let mut table = table(10, 0..10);
        assert_eq!(table.find_or_insert(99, at(1)), None);
        assert!(table.find_or_insert(3, at(1)).is_some());
        assert_eq!(table.len(), 10);
    }

    #[test]
    fn lightest_resting_entries_make_room() {
        let mut table = table(10, [5, 1, 9, 2, 8, 3, 7, 4, 6, 0]);
        let busy = table.find_or_insert(9, at(0)).unwrap();
        table.add(busy, Counters { packets: 1, bytes: 0 }, at(40));
        assert_eq!(table.sweep(at(45), None, |_| true).len(), 2);
        assert_eq!(keys(&table), [0, 2, 4, 5, 6, 7, 8, 9]);
        assert_eq!(table.evicted(), [0, 2]);
    }

    #[test]
    fn entry_at_rest_is_found_whatever_the_clock_does() {
        let idle = Some(Duration::from_secs(60));
        let mut table = table(10, 0..4);
        assert!(table.sweep(at(50), idle, |_| true).is_empty());
        (0..3).for_each(|position| table.add(position, Counters::default(), at(30)));
        assert_eq!(table.sweep(at(60), idle, |_| true), [3]);
        assert!(table.sweep(at(89), idle, |_| true).is_empty());
        // The clock is set back by an hour, and one of them is seen then.
        assert!(table.sweep(at(-3_600), idle, |_| true).is_empty());
        table.add(0, Counters::default(), at(-3_600));
        assert!(table.sweep(at(-3_590), idle, |_| true).is_empty());
        assert_eq!(table.sweep(at(-3_540), idle, |_| true), [0]);
        assert_eq!(table.sweep(at(90), idle, |_| true).len(), 2);
    }

    #[test]
    fn entry_seen_earlier_than_others_leaves_in_time() {
        let idle = Some(Duration::from_secs(60));
        let mut table = table(10, 0..2);
        (0..2).for_each(|position| table.add(position, Counters::default(), at(100)));
        assert!(table.sweep(at(100), idle, |_| true).is_empty());
        table.add(0, Counters::default(), at(95));
        assert_eq!(table.sweep(at(155), idle, |_| true), [0], "late, as another thread's rows are");
        let first = table.find_or_insert(7, at(150)).unwrap();
        table.add(first, Counters::default(), at(150));
        assert_eq!(table.sweep(at(160), idle, |_| true), [1]);
        assert_eq!(table.sweep(at(210), idle, |_| true), [first]);
        assert!(table.sweep(at(300), idle, |_| true).is_empty());
        let later = table.find_or_insert(8, at(310)).unwrap();
        table.add(later, Counters::default(), at(310));
        assert_eq!(table.sweep(at(370), idle, |_| true), [later]);
    }

    #[test]
    fn nothing_leaves_early_while_there_is_room() {
        let mut table = table(10, 0..8);
        assert!(table.sweep(at(600), None, |_| true).is_empty());
        assert!(table.sweep(at(600), Some(Duration::from_secs(601)), |_| true).is_empty());
    }

    #[test]
    fn entry_at_rest_for_the_idle_timeout_leaves_unless_its_row_must_stay() {
        let mut table = table(100, 0..3);
        table.set_shown(1, true);
        assert_eq!(table.sweep(at(600), Some(Duration::from_secs(600)), |_| false), [0, 2]);
        assert_eq!(keys(&table), [1]);
        assert_eq!(table.evicted(), [2, 0]);
    }

    #[test]
    fn position_of_a_removed_entry_is_used_again() {
        let mut table = table(10, 0..3);
        table.sweep(at(600), Some(Duration::from_secs(1)), |_| true);
        let position = table.find_or_insert(77, at(601)).unwrap();
        assert!(position < 3);
        assert_eq!(table.entry(position).counters, Counters::default());
        assert_eq!(keys(&table), [77]);
    }
}
