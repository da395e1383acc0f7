use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const AMPLE: WindowBounds = WindowBounds { subjects: 1_000, cells: 100_000, newcomer_bytes: 1 };
const SECOND: i64 = 1_000_000_000;

fn at(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanoseconds(nanoseconds)
}

fn window(seconds: u64, limit: u64, bounds: WindowBounds) -> Window<u32> {
    Window::new(Duration::from_secs(seconds), vec![limit], bounds, 7)
}

fn readings(window: &mut Window<u32>, watermark: Timestamp) -> Vec<WindowReading<u32>> {
    let mut readings = Vec::new();
    window.advance(watermark, |reading| readings.push(reading));
    readings.sort_by_key(|reading| (reading.cell, reading.key));
    readings
}

/// The subjects over the limit by cell, with their bytes.
fn over(readings: &[WindowReading<u32>]) -> BTreeMap<(Cell, u32), u64> {
    let over = readings.iter().filter(|reading| reading.level == Level::Over);
    over.map(|reading| ((reading.cell, reading.key), reading.bytes)).collect()
}

#[test]
fn the_limit_and_one_less_are_not_over_and_one_more_is() {
    for (bytes, is_over) in [(999, false), (1_000, false), (1_001, true)] {
        let mut window = window(100, 1_000, AMPLE);
        window.add(1, 0, at(5 * SECOND), bytes - 100);
        window.add(1, 0, at(104 * SECOND), 100);
        assert_eq!(!over(&readings(&mut window, at(1_000 * SECOND))).is_empty(), is_over, "{bytes}");
    }
}

#[test]
fn another_limit_applies_to_bytes_that_were_added_before() {
    let mut window = window(100, 10_000, AMPLE);
    window.add(1, 0, at(5 * SECOND), 2_000);
    assert!(readings(&mut window, at(6 * SECOND)).is_empty());
    window.set_limits(vec![1_000], 1);
    assert_eq!(over(&readings(&mut window, at(7 * SECOND))), BTreeMap::from([((Cell(6), 1), 2_000)]));
    window.set_limits(vec![10_000], 1);
    assert!(over(&readings(&mut window, at(8 * SECOND))).is_empty());
}

#[test]
fn bytes_that_lie_further_apart_than_a_window_are_not_added_up() {
    let mut window = window(100, 1_000, AMPLE);
    window.add(1, 0, at(5 * SECOND), 901);
    window.add(1, 0, at(105 * SECOND), 100);
    assert!(readings(&mut window, at(1_000 * SECOND)).is_empty());
}

#[test]
fn a_cell_is_judged_when_it_has_ended() {
    let mut window = window(100, 1_000, AMPLE);
    window.add(1, 0, at(5 * SECOND), 2_000);
    assert!(readings(&mut window, at(6 * SECOND - 1)).is_empty());
    let over = readings(&mut window, at(6 * SECOND));
    assert_eq!(over.len(), 1);
    assert_eq!((over[0].cell, over[0].since, over[0].bytes), (Cell(5), Cell(5), 2_000));
}

#[test]
fn subject_over_its_limit_is_read_until_once_under() {
    let mut window = window(10, 1_000, AMPLE);
    window.add(1, 0, at(0), 500);
    window.add(1, 0, at(SECOND), 950);
    let read = readings(&mut window, at(60 * SECOND));
    let standings: BTreeSet<_> = read.iter().map(|reading| (reading.cell, reading.level as u8)).collect();
    assert_eq!(standings.len(), read.len());
    let count = |level| read.iter().filter(|reading| reading.level == level).count();
    assert_eq!([Level::Over, Level::Near, Level::Under].map(count), [90, 10, 1]);
    assert!(read.iter().all(|reading| reading.since == Cell(10)));
    assert_eq!(read.last().unwrap().bytes, 0);
    window.add(1, 0, at(70 * SECOND), 1_001);
    assert_eq!(readings(&mut window, at(71 * SECOND))[0].since, Cell(700), "a new episode");
}

#[test]
fn late_bytes_count_in_the_first_cell_that_is_not_judged() {
    let mut window = window(100, 1_000, AMPLE);
    window.add(1, 0, at(5 * SECOND), 600);
    window.advance(at(10 * SECOND), |_| {});
    window.add(1, 0, at(4 * SECOND), 600);
    assert_eq!(over(&readings(&mut window, at(11 * SECOND))), BTreeMap::from([((Cell(10), 1), 1_200)]));
}

#[test]
fn sums_are_of_64_bits() {
    let limit = 5_000_000_000_000;
    let mut window = window(170, limit, AMPLE);
    for second in 0..100 {
        window.add(1, 0, at(second * SECOND), limit / 100);
    }
    assert!(readings(&mut window, at(100 * SECOND)).is_empty());
    window.add(1, 0, at(100 * SECOND), 1);
    assert_eq!(over(&readings(&mut window, at(101 * SECOND))), BTreeMap::from([((Cell(100), 1), limit + 1)]));
    window.add(1, 0, at(101 * SECOND), u64::MAX);
    window.add(1, 0, at(101 * SECOND), u64::MAX);
    assert_eq!(readings(&mut window, at(102 * SECOND))[0].bytes, u64::MAX);
}

#[test]
fn each_class_has_its_limit() {
    let mut window: Window<u32> = Window::new(Duration::from_secs(170), vec![100, 1_000], AMPLE, 7);
    for key in 0..3 {
        window.add(key, key as u16, at(0), 500);
    }
    let read = readings(&mut window, at(SECOND));
    assert_eq!(read.iter().map(|reading| reading.key).collect::<Vec<_>>(), [0], "2 is of a class without a limit");
}

#[test]
fn any_time_has_its_cells() {
    for time in [i64::MIN, -1, 0, 10 * 365 * 86_400 * SECOND, i64::MAX - SECOND] {
        let mut window = window(10, 1_000, AMPLE);
        window.add(1, 0, at(time), 1_001);
        let read = readings(&mut window, at(time.saturating_add(SECOND)));
        assert!(!over(&read).is_empty(), "{time}");
        window.restart(at(0));
        window.add(1, 0, at(0), 1_001);
        assert!(!over(&readings(&mut window, at(SECOND))).is_empty(), "{time}");
        readings(&mut window, at(i64::MAX));
        assert_eq!(window.occupancy().entries, 0);
    }
}

#[test]
fn after_a_step_nothing_is_under_before_a_window_is_known() {
    let mut window = window(100, 1_000, AMPLE);
    window.add(1, 0, at(5_000 * SECOND), 1_001);
    window.add(2, 0, at(5_000 * SECOND), 999);
    assert_eq!(readings(&mut window, at(5_001 * SECOND)).len(), 1);
    window.restart(at(1_400 * SECOND));
    let read = readings(&mut window, at(9_000 * SECOND));
    assert!(read.iter().all(|reading| reading.key == 1), "only the subject over its limit is read on");
    let (last, before) = read.split_last().unwrap();
    assert!(before.iter().all(|reading| reading.level == Level::Near));
    assert_eq!((before.len(), last.cell, last.level), (99, Cell(1_499), Level::Under));
}

#[test]
fn subject_at_rest_for_a_window_takes_no_room() {
    let mut window = window(10, 1_000, AMPLE);
    for key in 0..500 {
        window.add(key, 0, at(0), 10);
        window.add(key, 0, at(SECOND), 10);
    }
    window.advance(at(2 * SECOND), |_| {});
    assert_eq!((window.occupancy().entries, window.occupancy().cells), (500, 500));
    window.add(1_000, 0, at(11 * SECOND), 10);
    window.advance(at(13 * SECOND), |_| {});
    assert_eq!((window.occupancy().entries, window.occupancy().cells, window.occupancy().evicted), (1, 0, 0));
    assert_eq!(window.sums().collect::<Vec<_>>(), [(1_000, 10)]);
}

#[test]
fn evicted_subject_that_returns_counts_anew() {
    let mut window = window(10, 1_000, AMPLE);
    window.add(7, 0, at(0), 10);
    window.advance(at(20 * SECOND), |_| {});
    assert_eq!(window.occupancy().entries, 0);
    window.add(7, 0, at(20 * SECOND), 5);
    assert_eq!(window.occupancy().entries, 1);
    assert_eq!(window.sums_so_far().collect::<Vec<_>>(), [(7, 5)]);
}

#[test]
fn lightest_make_room_for_new_subjects_of_weight() {
    let bounds = WindowBounds { subjects: 160, cells: 1_000, newcomer_bytes: 1_000 };
    let mut window = window(100, 1_000_000, bounds);
    for key in 0..1_000 {
        window.add(key, 0, at(0), if key < 150 { u64::from(key) + 1 } else { 10 });
    }
    assert_eq!(window.occupancy().entries, 150, "a sixteenth is kept back");
    assert_eq!(window.occupancy().refused, 850);
    for key in 2_000..2_040 {
        assert!(window.add(key, 0, at(SECOND), 1_000), "{key}");
    }
    window.advance(at(2 * SECOND), |_| {});
    let kept: BTreeSet<u32> = window.sums().map(|(key, _)| key).collect();
    assert!((2_000..2_040).all(|key| kept.contains(&key)));
    let lightest = kept.first().unwrap();
    assert!((*lightest..150).all(|key| kept.contains(&key)), "only the lightest left: {kept:?}");
    assert_eq!(window.occupancy().evicted, u64::from(*lightest));
}

#[test]
fn lightest_leave_when_cells_are_short_and_the_heavy_keep_theirs() {
    let bounds = WindowBounds { subjects: 1_000, cells: 320, newcomer_bytes: 1 };
    let mut window = window(100, 20_000, bounds);
    let mut found = Vec::new();
    for second in 0..100 {
        window.add(999, 0, at(second * SECOND), 201);
        for key in 0..20 {
            window.add(key, 0, at(second * SECOND), 10);
        }
        found.extend(readings(&mut window, at((second + 1) * SECOND)));
        assert!(window.occupancy().cells <= 320);
    }
    assert!(window.occupancy().evicted > 0);
    assert_eq!(over(&found), BTreeMap::from([((Cell(99), 999), 20_100)]));
}

#[test]
fn bytes_are_refused_and_counted_when_no_subject_may_leave() {
    let mut window = window(100, 1, WindowBounds { subjects: 4, cells: 2, newcomer_bytes: 1 });
    for key in 0..8 {
        window.add(key, 0, at(0), 10);
    }
    for second in 1..10 {
        for key in 0..4 {
            window.add(key, 0, at(second * SECOND), 10);
        }
        window.advance(at((second + 1) * SECOND), |reading| assert!(reading.bytes <= 10 * (second as u64 + 1)));
    }
    assert_eq!((window.occupancy().entries, window.occupancy().cells), (4, 2));
    assert!(window.occupancy().refused > 4);
}

/// All bytes, by subject and cell.
type Naive = BTreeMap<u32, BTreeMap<i64, u64>>;

/// The subjects over the limit by cell, by adding up all rows.
fn naive_over(naive: &Naive, cells: i64, limit: u64, last: i64) -> BTreeMap<(Cell, u32), u64> {
    let mut over = BTreeMap::new();
    for (key, bytes) in naive {
        for cell in 0..=last {
            let sum = bytes.range(cell - cells + 1..=cell).map(|(_, bytes)| bytes).sum::<u64>();
            if sum > limit {
                over.insert((Cell(cell), *key), sum);
            }
        }
    }
    over
}

/// A key, milliseconds, and bytes.
fn packets() -> impl Strategy<Value = Vec<(u32, i64, u64)>> {
    proptest::collection::vec((0_u32..4, 0_i64..40_000, 0_u64..60), 0..150)
}

proptest! {
    #[test]
    fn over_exactly_when_whole_cells_in_a_row_hold_more(
        mut packets in packets(),
        seconds in 1_u64..8,
        limit in 1_u64..200,
        ticks in proptest::collection::vec(1_i64..5_000, 1..40),
        ahead in 0_i64..3_000,
        shuffle in any::<u64>(),
    ) {
        let millisecond = SECOND / 1_000;
        packets.sort_by_key(|packet| packet.1);
        let mut window = window(seconds, limit, AMPLE);
        let cell_nanoseconds = window.grid().length().as_nanos() as i64;
        let cells = window.length().as_nanos() as i64 / cell_nanoseconds;
        let mut naive = Naive::new();
        for (key, time, bytes) in &packets {
            *naive.entry(*key).or_default().entry(time * millisecond / cell_nanoseconds).or_default() += bytes;
        }
        // What is before a watermark comes before it, in any order; what is a little after it may, too.
        let (mut read, mut watermark, mut random) = (Vec::new(), 0, shuffle | 1);
        let mut rest = packets;
        let mut ticks = ticks.into_iter().cycle();
        let mut hints = [NOWHERE; 4];
        while watermark < 60_000 {
            watermark += ticks.next().unwrap();
            let due = rest.partition_point(|packet| packet.1 < watermark + ahead);
            let mut batch: Vec<_> = rest.drain(..due).collect();
            while !batch.is_empty() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (key, time, bytes) = batch.swap_remove((random >> 33) as usize % batch.len());
                prop_assert!(window.add_at(&mut hints[key as usize], key, 0, at(time * millisecond), bytes));
            }
            read.extend(readings(&mut window, at(watermark * millisecond)));
            let judged = watermark * millisecond / cell_nanoseconds - 1;
            let sums: BTreeMap<u32, u64> = window.sums().collect();
            for (key, bytes) in &naive {
                let sum = bytes.range(judged - cells + 1..=judged).map(|(_, bytes)| bytes).sum::<u64>();
                prop_assert_eq!(sums.get(key).copied().unwrap_or(0), sum);
            }
        }
        prop_assert_eq!(over(&read), naive_over(&naive, cells, limit, 60_000 * millisecond / cell_nanoseconds - 1));
        prop_assert!(read.windows(2).all(|pair| (pair[0].cell, pair[0].key) != (pair[1].cell, pair[1].key)));
    }

    #[test]
    fn within_tight_bounds_a_sum_is_never_too_high(
        packets in proptest::collection::vec((0_u32..40, 0_i64..20_000, 0_u64..60), 0..400),
        subjects in 1_usize..30,
        cells in 1_usize..60,
        newcomer_bytes in 0_u64..100,
    ) {
        let new = || window(2, 100, WindowBounds { subjects, cells, newcomer_bytes });
        let (mut window, mut hinted, mut hints) = (new(), new(), [NOWHERE; 40]);
        let mut packets = packets;
        packets.sort_by_key(|packet| packet.1);
        let mut naive = Naive::new();
        for (key, time, bytes) in packets {
            *naive.entry(key).or_default().entry(time / 100).or_default() += bytes;
            let time = at(time * SECOND / 1_000);
            let is_in = window.add(key, 0, time, bytes);
            // A hint may lead to a position of another subject, or of none.
            prop_assert_eq!(hinted.add_at(&mut hints[key as usize], key, 0, time, bytes), is_in);
            let read = readings(&mut window, time);
            prop_assert_eq!(format!("{read:?}"), format!("{:?}", readings(&mut hinted, time)));
            prop_assert_eq!(window.occupancy(), hinted.occupancy());
            for reading in read {
                let range = reading.cell.0 - 19..=reading.cell.0;
                let sum = naive[&reading.key].range(range).map(|(_, bytes)| bytes).sum::<u64>();
                prop_assert!(reading.bytes <= sum);
            }
            let occupancy = window.occupancy();
            prop_assert!(occupancy.entries <= subjects && occupancy.cells <= cells);
        }
    }
}
