use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::account::delivery::{Deliveries, ScrapeProgress, ScrapeReport};

impl SeriesKey for u32 {
    type Group = u32;

    fn group(&self) -> u32 {
        self % 8
    }

    fn direction(group: u32) -> Direction {
        Direction::ALL[group as usize % Direction::ALL.len()]
    }

    /// Half of them.
    fn groups_from_the_start() -> Vec<u32> {
        (0..4).collect()
    }
}

/// A table with its rows, the totals of its groups, and snapshots.
struct Model {
    table: CounterTable<u32>,
    series: Series<u32>,
    totals: BTreeMap<u32, Counters>,
    snapshots: Vec<Snapshot>,
    /// The highest limit of rows so far.
    most_rows: usize,
}

/// The content of one snapshot, in bytes.
#[derive(Debug, Clone, Default)]
struct Snapshot {
    rows: BTreeMap<u32, u64>,
    /// By group, and 100 + direction for the rarer.
    other: BTreeMap<u32, u64>,
    retired: BTreeMap<u32, u64>,
    pending: BTreeMap<u32, u64>,
    total: u64,
}

impl Snapshot {
    fn pending(&self) -> u64 {
        self.pending.values().sum()
    }
}

impl Model {
    fn new(limit: usize, rows: usize) -> Self {
        let table = CounterTable::new(limit, crate::tables::hashing::state(1));
        let snapshots = vec![Snapshot::default()];
        Self { table, series: Series::new(rows), totals: BTreeMap::new(), snapshots, most_rows: rows }
    }

    fn count(&mut self, key: u32, bytes: u64) {
        let counters = Counters { packets: 1, bytes };
        self.totals.entry(key.group()).or_default().add(counters);
        if let Some(position) = self.table.find_or_insert(key, Timestamp::default()) {
            self.table.add(position, counters, Timestamp::default());
        }
    }

    /// Makes the next snapshot, which is number 1, 2, …; checks what holds for each.
    fn publish(&mut self, delivery: Delivery) -> &Snapshot {
        let next = self.snapshots.len() as u64;
        self.series.advance(&mut self.table, &self.totals, delivery, next, Timestamp::from_nanoseconds(0));
        let bytes = |sums: &OutsideRows<u32>| -> BTreeMap<u32, u64> {
            let rarer = (100..).zip(sums.rarer);
            let sums = sums.by_group.iter().map(|(&group, &counters)| (group, counters));
            sums.chain(rarer).map(|(group, counters)| (group, counters.bytes)).collect()
        };
        let Rest { other, pending } = self.series.rest(&self.table, &self.totals);
        let rows: Vec<_> = self.series.rows(&self.table).map(|row| (row.key, row.value.bytes)).collect();
        let snapshot = Snapshot {
            rows: rows.iter().copied().collect(),
            other: bytes(&other),
            retired: bytes(self.series.retired()),
            pending: bytes(&pending),
            total: self.totals.values().map(|counters| counters.bytes).sum(),
        };
        assert_eq!(snapshot.rows.len(), rows.len(), "a label set twice");
        let open = self.series.rows.iter().filter(|row| !row.is_frozen()).count();
        assert!(open <= self.series.limit() && rows.len() <= self.most_rows);
        assert!(self.series.gone.len() <= 2 * self.most_rows);
        let shown = [&snapshot.rows, &snapshot.other, &snapshot.retired, &snapshot.pending];
        assert_eq!(shown.iter().flat_map(|part| part.values()).sum::<u64>(), snapshot.total);
        self.snapshots.push(snapshot);
        &self.snapshots[next as usize]
    }

    fn shown(&self) -> Vec<(u32, u64)> {
        self.snapshots.last().unwrap().rows.iter().map(|(&key, &bytes)| (key, bytes)).collect()
    }
}

fn to_all(snapshot: u64) -> Delivery {
    Delivery { to_all: Some(snapshot), to_any: snapshot }
}

#[test]
fn rows_past_a_lower_limit_freeze_and_retire_the_lightest_first() {
    let mut model = Model::new(10, 4);
    (1..=4).for_each(|key| model.count(key, u64::from(key) * 100));
    (0..2).for_each(|snapshot| drop(model.publish(to_all(snapshot)).clone()));
    assert_eq!(model.shown(), [(1, 100), (2, 200), (3, 300), (4, 400)]);
    model.series.set_limit(2);
    (1..=5).for_each(|key| model.count(key, 10));
    model.publish(to_all(2));
    assert_eq!(model.shown(), [(1, 110), (2, 210), (3, 310), (4, 410)], "the last values of two");
    model.count(1, 5);
    model.publish(to_all(3));
    assert_eq!(model.shown(), [(3, 310), (4, 410)]);
    assert_eq!(model.snapshots.last().unwrap().retired.values().sum::<u64>(), 110 + 210);
    model.series.set_limit(3);
    model.publish(to_all(4));
    model.publish(to_all(5));
    assert_eq!(model.shown().len(), 3, "the next heaviest has a row again");
}

#[test]
fn row_shows_0_until_that_was_delivered_and_then_all_from_the_first_packet_on() {
    let mut model = Model::new(10, 10);
    model.count(1, 100);
    model.publish(Delivery::default());
    model.count(1, 10);
    model.publish(to_all(0));
    assert_eq!(model.shown(), [(1, 0)]);
    assert_eq!(model.snapshots.last().unwrap().pending[&1], 110);
    model.count(1, 10);
    model.publish(to_all(1));
    assert_eq!(model.shown(), [(1, 120)]);
    model.count(1, 7);
    model.publish(to_all(1));
    assert_eq!(model.shown(), [(1, 127)]);
    let last = model.snapshots.last().unwrap();
    assert_eq!((last.other[&1], last.pending()), (0, 0));
}

#[test]
fn row_that_comes_late_counts_from_then_on() {
    let mut model = Model::new(10, 1);
    model.count(1, 1_000);
    model.count(2, 100);
    model.publish(to_all(0));
    assert_eq!(model.snapshots.last().unwrap().other[&2], 100);
    let position = model.table.find_or_insert(1, Timestamp::default()).unwrap();
    model.series.freeze_evicted(&[position], &model.table, 2);
    model.table.set_shown(position, false);
    model.count(2, 10);
    model.publish(to_all(1));
    model.publish(to_all(2));
    assert_eq!(model.shown(), [(2, 0)]);
    model.count(2, 5);
    model.publish(to_all(2));
    assert_eq!(model.snapshots.last().unwrap().pending[&2], 5);
    model.publish(to_all(3));
    assert_eq!((model.shown(), model.snapshots.last().unwrap().other[&2]), (vec![(2, 5)], 110));
}

#[test]
fn row_that_leaves_before_its_0_was_read_gives_its_bytes_to_other() {
    let mut model = Model::new(10, 10);
    model.count(1, 100);
    model.publish(to_all(0));
    let position = model.table.find_or_insert(1, Timestamp::default()).unwrap();
    model.series.freeze_evicted(&[position], &model.table, 2);
    model.table.set_shown(position, false);
    model.publish(to_all(0));
    let last = model.snapshots.last().unwrap();
    assert_eq!((last.rows[&1], last.other[&1], last.pending()), (0, 100, 0));
}

#[test]
fn row_that_is_displaced_unseen_gives_its_bytes_to_other() {
    let mut model = Model::new(10, 1);
    model.count(1, 10);
    model.publish(Delivery::default());
    assert_eq!(model.snapshots.last().unwrap().pending[&1], 10);
    model.count(2, 1_000);
    model.publish(Delivery::default());
    let last = model.snapshots.last().unwrap();
    assert_eq!((last.other[&1], last.pending[&2], last.pending()), (10, 1_000, 1_000));
}

#[test]
fn without_a_scraper_rows_wait() {
    let mut model = Model::new(10, 10);
    for _ in 0..100 {
        model.count(1, 100);
        model.publish(Delivery::default());
        assert_eq!(model.shown(), [(1, 0)]);
    }
}

#[test]
fn heaviest_are_shown_while_no_scraper_has_looked() {
    let mut model = Model::new(10, 2);
    (1..=3).for_each(|key| model.count(key, u64::from(key)));
    model.publish(Delivery::default());
    assert_eq!(model.shown(), [(2, 0), (3, 0)]);
    model.count(1, 1_000);
    model.publish(Delivery::default());
    assert_eq!(model.shown(), [(1, 0), (3, 0)]);
}

#[test]
fn row_stays_for_its_tenure_and_then_makes_room_for_one_twice_as_heavy() {
    let mut model = Model::new(10, 1);
    model.count(1, 100);
    model.publish(to_all(0));
    model.count(2, 1_000);
    for delivered in 1..MINIMUM_SCRAPES {
        model.publish(to_all(delivered));
        assert_eq!(model.shown(), [(1, 100)], "{delivered}");
    }
    model.count(1, 5);
    model.publish(to_all(MINIMUM_SCRAPES));
    model.count(1, 5);
    model.publish(to_all(MINIMUM_SCRAPES));
    assert_eq!(model.shown(), [(1, 105)], "it is frozen until that was delivered");
    let leaving = MINIMUM_SCRAPES + 1;
    model.publish(to_all(leaving));
    assert_eq!(model.shown(), [(2, 0)]);
    assert_eq!(model.snapshots.last().unwrap().retired[&1], 105);
}

#[test]
fn one_that_waits_for_a_place_takes_no_second() {
    let mut model = Model::new(10, 3);
    (1..=3).for_each(|key| model.count(key, 100));
    for delivered in 0..MINIMUM_SCRAPES + 5 {
        model.publish(to_all(delivered));
    }
    model.count(4, 1_000);
    let delivered = MINIMUM_SCRAPES + 5;
    (0..5).for_each(|_| drop(model.publish(to_all(delivered)).clone()));
    (1..=3).for_each(|key| model.count(key, 7));
    model.publish(to_all(delivered));
    let frozen = model.shown().iter().filter(|&&(_, bytes)| bytes == 100).count();
    assert_eq!(frozen, 1, "{:?}", model.shown());
}

#[test]
fn one_that_is_not_much_heavier_takes_no_place() {
    let mut model = Model::new(10, 1);
    model.count(1, 100);
    for delivered in 0..MINIMUM_SCRAPES + 5 {
        model.publish(to_all(delivered));
    }
    model.count(2, 200);
    model.publish(to_all(MINIMUM_SCRAPES + 5));
    model.publish(to_all(MINIMUM_SCRAPES + 6));
    assert_eq!(model.shown(), [(1, 100)]);
}

#[test]
fn a_label_set_comes_back_from_0_after_a_scrape_without_it() {
    let mut model = Model::new(10, 10);
    model.count(1, 100);
    model.publish(to_all(0));
    model.publish(to_all(1));
    model.count(1, 9);
    let position = model.table.find_or_insert(1, Timestamp::default()).unwrap();
    model.series.freeze_evicted(&[position], &model.table, 3);
    model.table.set_shown(position, false);
    model.publish(to_all(2));
    assert_eq!(model.shown(), [(1, 109)], "it is frozen");
    model.publish(to_all(3));
    assert_eq!(model.shown(), [], "it has gone");
    model.publish(to_all(3));
    assert_eq!(model.shown(), [], "not everybody knows");
    model.publish(to_all(4));
    assert_eq!(model.shown(), [(1, 0)]);
}

#[test]
fn late_group_shows_0_until_that_was_delivered_and_then_all() {
    let mut model = Model::new(0, 1);
    let other = |model: &Model, group| model.snapshots.last().unwrap().other.get(&group).copied();
    model.publish(to_all(0));
    assert_eq!((other(&model, 0), other(&model, 4), other(&model, 100)), (Some(0), None, Some(0)));
    model.count(4, 100);
    model.count(0, 7);
    model.publish(to_all(1));
    assert_eq!((other(&model, 0), other(&model, 4), other(&model, 100)), (Some(7), Some(0), Some(0)));
    model.count(4, 10);
    model.publish(to_all(1));
    assert_eq!((other(&model, 4), model.snapshots.last().unwrap().pending[&4]), (Some(0), 110));
    model.count(4, 1);
    model.publish(to_all(2));
    assert_eq!((other(&model, 4), model.snapshots.last().unwrap().pending()), (Some(111), 0));
}

/// Each its own group, with more late groups than there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Rare(u32);

impl SeriesKey for Rare {
    type Group = u32;

    fn group(&self) -> u32 {
        self.0
    }

    fn direction(_: u32) -> Direction {
        Direction::Transit
    }

    fn groups_from_the_start() -> Vec<u32> {
        Vec::new()
    }
}

#[test]
fn the_groups_are_bounded_and_those_on_top_stay_with_the_rarer() {
    let groups = 2 * others::MAXIMUM_LATE_GROUPS as u64;
    let mut table = CounterTable::new(1_000, crate::tables::hashing::state(1));
    let mut series: Series<Rare> = Series::new(1_000);
    let mut totals = BTreeMap::new();
    for round in 0..100 {
        for group in 0..groups as u32 {
            let counters = Counters { packets: 1, bytes: 1 };
            // As much again found no room in the table.
            totals.entry(group).or_insert_with(Counters::default).add(counters.plus(counters));
            let position = table.find_or_insert(Rare(group), Timestamp::default()).unwrap();
            table.add(position, counters, Timestamp::default());
        }
        series.advance(&mut table, &totals, to_all(round), round + 1, Timestamp::default());
    }
    let positions: Vec<u32> = table.entries().map(|entry| entry.position).collect();
    series.freeze_evicted(&positions, &table, 101);
    series.advance(&mut table, &totals, to_all(101), 102, Timestamp::default());
    let (Rest { other, pending }, retired) = (series.rest(&table, &totals), series.retired());
    assert!(pending.by_group.values().chain(&pending.rarer).all(|sum| sum.is_empty()), "all rows have gone");
    for sums in [&other, retired] {
        assert_eq!(sums.by_group.len(), others::MAXIMUM_LATE_GROUPS);
        assert!(sums.rarer[Direction::Transit as usize].bytes > 0);
    }
    let all = [&other, retired].map(|sums| sums.by_group.values().chain(&sums.rarer).map(|sum| sum.bytes).sum::<u64>());
    assert_eq!(all.iter().sum::<u64>(), 200 * groups);
    assert_eq!(series.rows(&table).count(), 0);
}

/// A scraper: its scrapes under way, what it has completely received of those that rows had to wait for, and whether they
/// do.
#[derive(Debug, Default)]
struct Scraper {
    flights: Vec<Flight>,
    received: BTreeSet<u64>,
    is_known: bool,
    broke_off: bool,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    scrape: u64,
    snapshot: u64,
    is_waited_for: bool,
}

/// Scrapers, and the reports of them.
#[derive(Debug, Default)]
struct Readers {
    deliveries: Deliveries,
    scrapers: [Scraper; 3],
    next: u64,
}

impl Readers {
    fn begin(&mut self, reader: usize, snapshot: u64) {
        self.next += 1;
        let scraper = &mut self.scrapers[reader];
        let is_waited_for = scraper.is_known || !scraper.broke_off;
        scraper.flights.push(Flight { scrape: self.next, snapshot, is_waited_for });
        self.report(reader, self.next, snapshot, ScrapeProgress::Begun);
    }

    fn end(&mut self, reader: usize, which: usize, is_complete: bool) {
        let scraper = &mut self.scrapers[reader];
        if scraper.flights.is_empty() {
            return;
        }
        let flight = scraper.flights.remove(which % scraper.flights.len());
        if is_complete {
            scraper.is_known = true;
            if flight.is_waited_for {
                scraper.received.insert(flight.snapshot);
            }
        } else if !scraper.is_known {
            let is_under_way = scraper.flights.iter().any(|flight| flight.is_waited_for);
            scraper.broke_off |= !is_under_way;
        }
        let progress = if is_complete { ScrapeProgress::Complete } else { ScrapeProgress::Broken };
        self.report(reader, flight.scrape, flight.snapshot, progress);
    }

    fn report(&mut self, reader: usize, scrape: u64, snapshot: u64, progress: ScrapeProgress) {
        let client = std::net::Ipv4Addr::from_bits(reader as u32).into();
        self.deliveries.record(ScrapeReport { client, snapshot, scrape, progress }, Timestamp::default());
    }
}

/// The traffic that Prometheus would compute from the responses of a scraper: per series and reset-aware, last minus first.
fn visible_increase(model: &Model, received: &BTreeSet<u64>) -> u64 {
    let mut visible_increase = 0;
    for (&before, &after) in received.iter().zip(received.iter().skip(1)) {
        let (before, after) = (&model.snapshots[before as usize], &model.snapshots[after as usize]);
        for (part_before, part_after) in [(&before.rows, &after.rows), (&before.other, &after.other)] {
            for (key, &value) in part_after {
                match part_before.get(key) {
                    Some(&earlier) => visible_increase += value.checked_sub(earlier).expect("a series fell"),
                    None => assert_eq!(value, 0, "a series began with it"),
                }
            }
        }
    }
    visible_increase
}

#[derive(Debug, Clone)]
enum Step {
    Count(u32, u64),
    Publish,
    /// A scraper asks for the latest snapshot.
    Begin(usize),
    /// One of its scrapes ends, completely or not.
    End(usize, usize, bool),
    /// Everything that may leave does.
    GiveUp,
}

fn step() -> impl Strategy<Value = Step> {
    let end = (0_usize..3, 0_usize..3, prop::bool::weighted(0.7));
    prop_oneof![
        6 => (0_u32..40, 1_u64..5_000).prop_map(|(key, bytes)| Step::Count(key, bytes)),
        3 => Just(Step::Publish),
        // The last of them comes late, and seldom.
        4 => (0_usize..10).prop_map(|reader| Step::Begin([0, 0, 0, 0, 0, 1, 1, 1, 1, 2][reader])),
        5 => end.prop_map(|(reader, which, is_complete)| Step::End(reader, which, is_complete)),
        1 => Just(Step::GiveUp),
    ]
}

proptest! {
    #[test]
    fn increases_that_every_scraper_sees_add_up_to_the_traffic(steps in prop::collection::vec(step(), 1..800), rows in 1_usize..12) {
        let mut model = Model::new(24, rows);
        model.publish(Delivery::default());
        let mut readers = Readers::default();
        for step in steps {
            match step {
                Step::Count(key, bytes) => model.count(key, bytes),
                Step::Publish => {
                    model.publish(readers.deliveries.delivery(Timestamp::default()));
                }
                Step::Begin(reader) => readers.begin(reader, model.snapshots.len() as u64 - 1),
                Step::End(reader, which, is_complete) => readers.end(reader, which, is_complete),
                Step::GiveUp => {
                    let protected = model.series.protected();
                    let next = model.snapshots.len() as u64;
                    let idle = Some(std::time::Duration::ZERO);
                    let left = model.table.sweep(Timestamp::default(), idle, |position| !protected.contains(&position));
                    model.series.freeze_evicted(&left, &model.table, next);
                }
            }
        }
        for Scraper { received, .. } in &readers.scrapers {
            let (Some(&first), Some(&last)) = (received.first(), received.last()) else { continue };
            let (first, last) = (&model.snapshots[first as usize], &model.snapshots[last as usize]);
            let (had, has) = (first.total - first.pending(), last.total - last.pending());
            prop_assert_eq!(visible_increase(&model, received), has - had);
        }
    }
}
