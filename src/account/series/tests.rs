use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

impl SeriesKey for u32 {
    type Group = u32;

    fn group(&self) -> u32 {
        self % 2
    }
}

/// A table with its rows, the totals of its groups, and snapshots.
struct Model {
    held: Held<u32>,
    series: Series<u32>,
    totals: BTreeMap<u32, Counters>,
    snapshots: Vec<Snapshot>,
}

/// What one snapshot shows, in bytes.
#[derive(Debug, Clone, Default)]
struct Snapshot {
    rows: BTreeMap<u32, u64>,
    other: BTreeMap<u32, u64>,
    retired: BTreeMap<u32, u64>,
    total: u64,
}

impl Model {
    fn new(held: usize, rows: usize) -> Self {
        let held = Held::new(held, crate::account::hashing::state(1));
        Self { held, series: Series::new(rows), totals: BTreeMap::new(), snapshots: vec![Snapshot::default()] }
    }

    fn count(&mut self, key: u32, bytes: u64) {
        let counters = Counters { packets: 1, bytes };
        self.totals.entry(key.group()).or_default().add(counters);
        if let Some(position) = self.held.find_or_insert(key, Timestamp::default()) {
            self.held.add(position, counters, Timestamp::default());
        }
    }

    /// Makes the next snapshot, which is number 1, 2, …; checks what holds for each.
    fn publish(&mut self, delivery: Delivery) -> &Snapshot {
        let next = self.snapshots.len() as u64;
        self.series.advance(&mut self.held, delivery, next, Timestamp::from_nanoseconds(0));
        let bytes = |counters: &BTreeMap<u32, Counters>| -> BTreeMap<u32, u64> {
            counters.iter().map(|(&group, counters)| (group, counters.bytes)).collect()
        };
        let rows: Vec<_> = self.series.rows(&self.held).map(|row| (row.key, row.value.bytes)).collect();
        let snapshot = Snapshot {
            rows: rows.iter().copied().collect(),
            other: bytes(&self.series.other(&self.held, &self.totals)),
            retired: bytes(self.series.retired()),
            total: self.totals.values().map(|counters| counters.bytes).sum(),
        };
        assert_eq!(snapshot.rows.len(), rows.len(), "a label set twice");
        assert!(rows.len() <= self.series.limit());
        let shown = [&snapshot.rows, &snapshot.other, &snapshot.retired];
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
fn a_row_enters_with_0_and_counts_once_its_0_was_delivered() {
    let mut model = Model::new(10, 10);
    model.count(1, 100);
    model.publish(Delivery::default());
    model.count(1, 10);
    model.publish(to_all(0));
    assert_eq!(model.shown(), [(1, 0)]);
    model.count(1, 10);
    model.publish(to_all(1));
    model.count(1, 7);
    model.publish(to_all(1));
    assert_eq!(model.shown(), [(1, 7)]);
    assert_eq!(model.snapshots.last().unwrap().other[&1], 120);
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
fn the_heaviest_are_shown_while_nobody_has_looked() {
    let mut model = Model::new(10, 2);
    (1..=3).for_each(|key| model.count(key, u64::from(key)));
    model.publish(Delivery::default());
    assert_eq!(model.shown(), [(2, 0), (3, 0)]);
    model.count(1, 1_000);
    model.publish(Delivery::default());
    assert_eq!(model.shown(), [(1, 0), (3, 0)]);
}

#[test]
fn a_row_stays_for_its_tenure_and_then_makes_room_for_one_twice_as_heavy() {
    let mut model = Model::new(10, 1);
    model.count(1, 100);
    model.publish(to_all(0));
    model.count(2, 1_000);
    for delivered in 1..TENURE {
        model.publish(to_all(delivered));
        assert_eq!(model.shown(), [(1, 0)], "{delivered}");
    }
    model.count(1, 5);
    model.publish(to_all(TENURE));
    model.count(1, 5);
    model.publish(to_all(TENURE));
    assert_eq!(model.shown(), [(1, 5)], "it stands still until that was delivered");
    let leaving = TENURE + 1;
    model.publish(to_all(leaving));
    assert_eq!(model.shown(), [(2, 0)]);
    assert_eq!(model.snapshots.last().unwrap().retired[&1], 5);
}

#[test]
fn one_that_is_not_much_heavier_takes_no_place() {
    let mut model = Model::new(10, 1);
    model.count(1, 100);
    for delivered in 0..TENURE + 5 {
        model.publish(to_all(delivered));
    }
    model.count(2, 200);
    model.publish(to_all(TENURE + 5));
    model.publish(to_all(TENURE + 6));
    assert_eq!(model.shown(), [(1, 0)]);
}

#[test]
fn a_label_set_comes_back_from_0_after_a_scrape_without_it() {
    let mut model = Model::new(10, 10);
    model.count(1, 100);
    model.publish(to_all(0));
    model.publish(to_all(1));
    model.count(1, 9);
    let position = model.held.find_or_insert(1, Timestamp::default()).unwrap();
    model.series.let_go(&[position], &model.held, 3);
    model.held.set_shown(position, false);
    model.publish(to_all(2));
    assert_eq!(model.shown(), [(1, 9)], "it stands still");
    model.publish(to_all(3));
    assert_eq!(model.shown(), [], "it has gone");
    model.publish(to_all(3));
    assert_eq!(model.shown(), [], "not everybody knows");
    model.publish(to_all(4));
    assert_eq!(model.shown(), [(1, 0)]);
}

/// A scraper and what it has received: the number of a snapshot each time.
#[derive(Debug, Default)]
struct Received(Vec<u64>);

/// The traffic that Prometheus would tell from what a scraper received: per series and reset-aware, last minus first.
fn told(model: &Model, received: &Received) -> u64 {
    let mut told = 0;
    for pair in received.0.windows(2) {
        let (before, after) = (&model.snapshots[pair[0] as usize], &model.snapshots[pair[1] as usize]);
        for (part_before, part_after) in [(&before.rows, &after.rows), (&before.other, &after.other)] {
            for (key, &value) in part_after {
                match part_before.get(key) {
                    Some(&earlier) => told += value.checked_sub(earlier).expect("a series fell"),
                    None => assert!(std::ptr::eq(part_after, &after.other) || value == 0, "a row began at {value}"),
                }
            }
        }
        for (group, &value) in &after.other {
            if !before.other.contains_key(group) {
                told += value;
            }
        }
    }
    told
}

#[derive(Debug, Clone)]
enum Step {
    Count(u32, u64),
    Publish,
    /// A scraper receives the latest snapshot, completely or not.
    Scrape(usize, bool),
    /// Everything that may leave does.
    GiveUp,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u32..40, 1_u64..5_000).prop_map(|(key, bytes)| Step::Count(key, bytes)),
        3 => Just(Step::Publish),
        4 => (0_usize..2, prop::bool::weighted(0.8)).prop_map(|(scraper, complete)| Step::Scrape(scraper, complete)),
        1 => Just(Step::GiveUp),
    ]
}

proptest! {
    #[test]
    fn what_every_scraper_is_told_adds_up_to_the_traffic(steps in prop::collection::vec(step(), 1..800), rows in 1_usize..12) {
        let mut model = Model::new(24, rows);
        model.publish(Delivery::default());
        let mut received = [Received(vec![1]), Received(vec![1])];
        let mut to_any = 1;
        for step in steps {
            match step {
                Step::Count(key, bytes) => model.count(key, bytes),
                Step::Publish => {
                    let to_all = received.iter().filter_map(|received| received.0.last().copied()).min();
                    model.publish(Delivery { to_all, to_any });
                }
                Step::Scrape(scraper, is_complete) => {
                    to_any = model.snapshots.len() as u64 - 1;
                    if is_complete {
                        received[scraper].0.push(to_any);
                    }
                }
                Step::GiveUp => {
                    let untenured = model.series.untenured();
                    let next = model.snapshots.len() as u64;
                    let idle = Some(std::time::Duration::ZERO);
                    let left = model.held.sweep(Timestamp::default(), idle, |position| !untenured.contains(&position));
                    model.series.let_go(&left, &model.held, next);
                }
            }
        }
        for received in &received {
            let (first, last) = (received.0[0], *received.0.last().unwrap());
            let traffic = model.snapshots[last as usize].total - model.snapshots[first as usize].total;
            prop_assert_eq!(told(&model, received), traffic);
        }
    }
}
