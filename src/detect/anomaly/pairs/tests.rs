//! The table of pairs: admission and eviction. Neither ticks nor order nor clocks change the verdicts.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::super::generator::SplitMix64;
use super::super::method::Method;
use super::*;

fn pair(source: u32) -> Pair {
    let source = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + source));
    Pair { source, destination: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)) }
}

fn config(capacity: usize, max_pairs: usize) -> Config {
    let mut config = Config { capacity, max_pairs, ..Config::default() };
    // Drawn often enough for the seeds to show, and quickly.
    config.criteria.permutations = 20;
    config
}

fn no_verdict(verdict: PairVerdict) {
    panic!("nothing is due: {verdict:?}");
}

/// The verdicts of `traffic` (interval, source, bytes), with `ticks` shares evaluated after each observation: the same
/// with bookmarks and without.
fn verdicts_of(config: Config, traffic: &[(i64, u32, u64)], ticks: Option<u32>) -> (Vec<PairVerdict>, Pairs) {
    let with = observed(config, traffic, ticks, true);
    let without = observed(config, traffic, ticks, false);
    let figures = |pairs: &Pairs| (pairs.len(), pairs.left(), pairs.left_out_bytes);
    assert_eq!((&with.0, figures(&with.1)), (&without.0, figures(&without.1)));
    with
}

fn observed(
    config: Config,
    traffic: &[(i64, u32, u64)],
    ticks: Option<u32>,
    keeps_bookmarks: bool,
) -> (Vec<PairVerdict>, Pairs) {
    let mut pairs = Pairs::new(config);
    let mut found = Vec::new();
    let mut hints = HashMap::new();
    for &(interval, source, bytes) in traffic {
        let hint = hints.entry(source).or_insert(NOWHERE);
        if !keeps_bookmarks {
            *hint = NOWHERE;
        }
        pairs.observe(hint, pair(source), bytes, interval, &mut |verdict| found.push(verdict));
        if let Some(ticks) = ticks {
            pairs.evaluate(ticks, &mut |verdict| found.push(verdict));
        }
    }
    pairs.evaluate(1, &mut |verdict| found.push(verdict));
    (found, pairs)
}

// ---- Series
// --------------------------------------------------------------------------------------------------------------

#[test]
fn an_interval_is_judged_when_it_is_over() {
    let mut pairs = Pairs::new(config(10, 100));
    for interval in 3..7 {
        pairs.observe(&mut { NOWHERE }, pair(1), 50, interval, &mut no_verdict);
    }
    for bytes in [100, 200] {
        pairs.observe(&mut { NOWHERE }, pair(1), bytes, 7, &mut no_verdict);
    }
    pairs.evaluate(1, &mut no_verdict);
    pairs.advance(7, &mut no_verdict);
    assert_eq!(pairs.due(), 0);
    pairs.advance(8, &mut no_verdict);
    let mut found = Vec::new();
    pairs.evaluate(1, &mut |verdict| found.push(verdict));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].pair, found[0].interval, found[0].active_bytes), (pair(1), 7, 300));
    pairs.evaluate(1, &mut no_verdict);
}

#[test]
fn intervals_without_bytes_are_judged_as_0_until_the_pair_leaves() {
    let busy = (0..5).map(|interval| (interval, 1, 100));
    let traffic: Vec<_> = busy.chain([(1_000, 2, 1)]).collect();
    let (found, pairs) = verdicts_of(config(5, 100), &traffic, None);
    let bytes: Vec<_> = found.iter().map(|verdict| (verdict.interval, verdict.active_bytes)).collect();
    assert_eq!(bytes, [(4, 100), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0)]);
    assert_eq!((pairs.len(), pairs.left()), (1, [1, 0]));
}

#[test]
fn a_pair_that_comes_back_starts_anew() {
    let (found, pairs) = verdicts_of(config(5, 100), &[(0, 1, 100), (6, 1, 100), (7, 1, 100)], None);
    assert_eq!(pairs.left(), [1, 0]);
    assert_eq!(found.iter().map(|verdict| verdict.interval).collect::<Vec<_>>(), [4, 5]);
    let (found, pairs) = verdicts_of(config(5, 100), &[(0, 1, 100), (5, 1, 100), (6, 1, 100)], None);
    assert_eq!(pairs.left(), [0, 0]);
    assert_eq!(found.last().unwrap().tests.of_method(Method::Magnitude), Some(1.0));
}

#[test]
fn a_pair_alerts_only_after_its_window_filled() {
    let mut traffic: Vec<_> = (0..4).map(|interval| (interval, 1, 100)).collect();
    traffic.extend([(3, 2, 100), (4, 1, 9_000), (4, 2, 9_000), (5, 3, 1)]);
    let (found, _) = verdicts_of(config(10, 100), &traffic, None);
    let anomalies: Vec<_> = found.iter().filter(|verdict| verdict.is_anomaly).map(|verdict| verdict.pair).collect();
    assert_eq!(anomalies, [pair(1)]);
}

// ---- Ticks and order
// -----------------------------------------------------------------------------------------------------

/// Traffic of many pairs with pauses of any length, in order of intervals.
fn any_traffic() -> impl Strategy<Value = Vec<(i64, u32, u64)>> {
    let step = prop_oneof![8 => Just(0_i64), 3 => Just(1), 1 => 2..5_i64, 1 => 5..40_i64];
    prop::collection::vec((step, 0..12_u32, 1..2_000_u64), 1..120).prop_map(|steps| {
        let mut interval = 100;
        let at = |(step, source, bytes)| {
            interval += step;
            (interval, source, bytes)
        };
        steps.into_iter().map(at).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_length_of_ticks_changes_a_verdict(traffic in any_traffic(), limit in 1..15_usize, ticks in 1..60_u32) {
        let (at_once, one) = verdicts_of(config(6, limit), &traffic, None);
        let (spread, other) = verdicts_of(config(6, limit), &traffic, Some(ticks));
        prop_assert_eq!(at_once, spread);
        prop_assert_eq!((one.len(), one.left(), one.left_out_bytes), (other.len(), other.left(), other.left_out_bytes));
    }

    #[test]
    fn a_pause_is_as_many_intervals(traffic in any_traffic(), limit in 1..15_usize) {
        let (at_once, one) = verdicts_of(config(6, limit), &traffic, None);
        let mut pairs = Pairs::new(config(6, limit));
        let mut found = Vec::new();
        for &(interval, source, bytes) in &traffic {
            while pairs.open.is_some_and(|open| open < interval) {
                let next = pairs.open.unwrap() + 1;
                pairs.advance(next, &mut |verdict| found.push(verdict));
            }
            pairs.observe(&mut { NOWHERE }, pair(source), bytes, interval, &mut |verdict| found.push(verdict));
        }
        pairs.evaluate(1, &mut |verdict| found.push(verdict));
        prop_assert_eq!(at_once, found);
        prop_assert_eq!((one.len(), one.left()), (pairs.len(), pairs.left()));
    }

    #[test]
    fn no_order_within_an_interval_changes_a_verdict(traffic in any_traffic(), limit in 1..15_usize) {
        let (found, one) = verdicts_of(config(6, limit), &traffic, None);
        let mut turned = traffic;
        turned.reverse();
        turned.sort_by_key(|(interval, ..)| *interval);
        let (others, other) = verdicts_of(config(6, limit), &turned, None);
        prop_assert_eq!(found, others);
        prop_assert_eq!(one.left_out_bytes, other.left_out_bytes);
    }

    #[test]
    fn the_table_keeps_its_limit_whatever_the_clock_does(
        traffic in prop::collection::vec((prop_oneof![any::<i64>(), 0..9_i64], 0..30_u32, any::<u64>()), 1..200),
        limit in 1..10_usize,
    ) {
        let mut pairs = Pairs::new(config(6, limit));
        let mut judged = 0;
        for &(interval, source, bytes) in &traffic {
            pairs.observe(&mut { NOWHERE }, pair(source), bytes, interval, &mut |_| judged += 1);
            prop_assert!(pairs.len() <= limit);
        }
        // Each observation makes one pair due, in its interval and in as many empty ones as a series holds.
        prop_assert!(judged <= traffic.len() * 7, "{judged}");
    }
}

#[test]
fn a_tick_judges_its_share() {
    let traffic: Vec<_> = (0..5).flat_map(|interval| (0..100).map(move |source| (interval, source, 5))).collect();
    let (_, mut pairs) = verdicts_of(config(6, 100), &traffic, None);
    pairs.advance(5, &mut no_verdict);
    let mut shares = Vec::new();
    for ticks_left in (1..=7).rev() {
        let mut judged = 0;
        pairs.evaluate(ticks_left, &mut |_| judged += 1);
        shares.push(judged);
    }
    assert_eq!(shares, [15, 15, 14, 14, 14, 14, 14]);
    pairs.evaluate(0, &mut no_verdict);
}

// ---- The limit
// -----------------------------------------------------------------------------------------------------------

#[test]
fn lasting_pairs_outlive_a_flood() {
    let mut pairs = Pairs::new(config(10, 100));
    let mut source = 1_000;
    for interval in 0..20 {
        for lasting in 0..50 {
            pairs.observe(&mut { NOWHERE }, pair(lasting), 10_000, interval, &mut |_| {});
        }
        for _ in 0..if interval == 0 { 0 } else { 1_000 } {
            source += 1;
            pairs.observe(&mut { NOWHERE }, pair(source), 60, interval, &mut |_| {});
        }
    }
    assert!((0..50).all(|source| pairs.rows.iter().any(|(kept, row)| kept == pair(source) && row.values.len() == 10)));
    // Each halving of the bound leaves about half of the new pairs, for which there are 50 entries.
    assert!((75..=100).contains(&pairs.len()), "{}", pairs.len());
    let [idle, full] = pairs.left();
    assert!(idle == 0 && (1..=18 * 20).contains(&full), "{idle} {full}");
    assert!(pairs.left_out_bytes > 0);
}

#[test]
fn whoever_finds_room_misses_no_byte() {
    let mut pairs = Pairs::new(config(10, 10));
    let mut given = 0;
    let mut generator = SplitMix64::new(3);
    for _ in 0..5_000 {
        let (source, bytes) = (generator.below(200) as u32, generator.below(1_000) as u64);
        pairs.observe(&mut { NOWHERE }, pair(source), bytes, 0, &mut no_verdict);
        given += bytes;
    }
    let kept: u64 = pairs.rows.iter().map(|(_, row)| row.open_bytes).sum();
    assert_eq!(kept + pairs.left_out_bytes, given);
    // Some 25 observations of each: none of those kept came in the middle.
    assert!(pairs.rows.iter().all(|(_, row)| row.open_bytes > 5_000));
}

#[test]
fn a_full_table_that_suffices_stays_as_it_is() {
    let traffic: Vec<_> = (0..30).flat_map(|interval| (0..10).map(move |source| (interval, source, 9))).collect();
    let (_, pairs) = verdicts_of(config(10, 10), &traffic, None);
    assert_eq!((pairs.len(), pairs.left(), pairs.left_out_bytes), (10, [0, 0], 0));
}

#[test]
fn ten_thousand_pairs_take_a_few_megabytes() {
    let traffic: Vec<_> = (0..11).flat_map(|interval| (0..10_000).map(move |source| (interval, source, 9))).collect();
    let mut pairs = Pairs::new(config(10, 10_000));
    for (interval, source, bytes) in traffic {
        pairs.observe(&mut { NOWHERE }, pair(source), bytes, interval, &mut |_| {});
    }
    let bytes_a_pair = pairs.memory_bytes() / 10_000;
    assert!((250..450).contains(&bytes_a_pair), "{bytes_a_pair}");
}

// ---- Clocks
// --------------------------------------------------------------------------------------------------------------

/// An hour and ten years of intervals of 5 s.
const HOUR: i64 = 720;
const TEN_YEARS: i64 = 63_072_000;

#[test]
fn a_late_interval_counts_as_the_open_one() {
    let before = (6..10).map(|interval| (interval, 1, 1));
    let traffic: Vec<_> = before.chain([(10, 1, 100), (9, 1, 50), (11, 1, 1)]).collect();
    let (found, _) = verdicts_of(config(10, 100), &traffic, None);
    assert_eq!((found.len(), found[0].interval, found[0].active_bytes), (1, 10, 150));
}

#[test]
fn a_clock_set_back_goes_on_from_there() {
    let mut traffic: Vec<_> = (0..8).map(|interval| (HOUR + interval, 1, 100)).collect();
    traffic.extend((0..4).map(|interval| (interval, 1, 100)));
    let (found, pairs) = verdicts_of(config(10, 100), &traffic, None);
    let bytes: Vec<_> = found.iter().map(|verdict| (verdict.interval, verdict.active_bytes)).collect();
    let before = (HOUR + 4..HOUR + 7).map(|interval| (interval, 100));
    assert_eq!(bytes, before.chain([(0, 200), (1, 100), (2, 100)]).collect::<Vec<_>>());
    assert_eq!(pairs.left(), [0, 0]);
}

#[test]
fn a_clock_set_ahead_and_to_0_sticks_nowhere() {
    let mut pairs = Pairs::new(config(10, 100));
    let mut judged = 0;
    for start in [1_000, 1_000 + TEN_YEARS, 0, i64::MAX - 2, i64::MIN, 1_000] {
        for interval in start..start.saturating_add(2) {
            for source in 0..50 {
                pairs.observe(&mut { NOWHERE }, pair(source), 100, interval, &mut |_| judged += 1);
            }
        }
        assert_eq!(pairs.open, Some(start + 1));
    }
    assert!(judged <= 6 * 2 * 50 * 11, "{judged}");
    assert_eq!(pairs.len(), 50);
}

#[test]
fn a_clock_that_was_set_leaves_no_bound_behind() {
    let mut pairs = Pairs::new(config(10, 100));
    (0..5_000).for_each(|source| pairs.observe(&mut { NOWHERE }, pair(source), 60, 7, &mut no_verdict));
    let left_out = pairs.left_out_bytes;
    assert!(left_out > 0);
    pairs.clear();
    (0..100).for_each(|source| pairs.observe(&mut { NOWHERE }, pair(source), 60, -7_000, &mut no_verdict));
    assert_eq!((pairs.len(), pairs.left_out_bytes), (100, left_out));
}
