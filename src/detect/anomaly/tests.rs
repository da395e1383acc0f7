//! All tests together: the worked values of their definition, what holds for any series, and drawn against counted.

use proptest::prelude::*;

use super::arrangements::{RandomPermutations, binomial, multinomial};
use super::diff::{ArrangementCounter, Values, relative_differences};
use super::generator::SplitMix64;
use super::ks::Observed;
use super::method::{Method, Methods};
use super::verdict::combine;
use super::{Criteria, Fence, evaluate, rank_sum, ranks};

/// No series here needs it: with fewer than 1,000 draws no sixth or seventh would come out to 1e-12.
const ONE: u32 = 1;

fn criteria(active_size: usize, seasons: usize, lower: Option<f64>) -> Criteria {
    let fence = Some(Fence::new(lower, 10.0).unwrap());
    Criteria {
        methods: Methods::of(&Method::ALL),
        active_size,
        seasons,
        fence,
        permutations: ONE,
        ..Criteria::default()
    }
}

// ---- The worked values
// ---------------------------------------------------------------------------------------------------

/// The columns: magnitude, fence with 10 alone, fence with 2 and 10, highrank, lowrank, diff, cdf, ks.
#[track_caller]
fn gives(series: &[f64], active_size: usize, seasons: usize, expected: [f64; 8]) {
    let alone = evaluate(series, &criteria(active_size, seasons, None), 1);
    let both = evaluate(series, &criteria(active_size, seasons, Some(2.0)), 1);
    let found = [
        alone.of_method(Method::Magnitude),
        alone.of_method(Method::Fence),
        both.of_method(Method::Fence),
        alone.of_method(Method::Highrank),
        alone.of_method(Method::Lowrank),
        alone.of_method(Method::Diff),
        alone.of_method(Method::Cdf),
        alone.of_method(Method::Ks),
    ];
    for (column, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-12, "column {column}: {found} is not {expected}");
    }
}

#[test]
fn a_last_value_above_all_others_is_as_worked_out() {
    let series = [0.1, 2.05, 1.5, 2.5, 2.6, 2.55, 8.0];
    let (diff, upper, between) = (0.671_428_571_428_571_4, 0.589_952_604_977_992_6, 0.240_253_073_352_042_16);
    gives(&series, 1, 4, [1.0, upper, between, 6.0 / 7.0, 0.0, diff, 1.0, 0.6]);
}

#[test]
fn two_active_values_are_as_worked_out() {
    let series = [4.0, 5.0, 5.0, 6.0, 7.0, 9.0];
    let (rank, diff) = (0.933_333_333_333_333_3, 0.580_555_555_555_555_5);
    let (upper, between) = (0.589_952_604_977_992_6, 0.240_253_073_352_042_16);
    gives(&series, 2, 2, [0.6, upper, between, rank, 0.0, diff, 1.0 / 3.0, rank]);
}

#[test]
fn a_constant_series_is_as_worked_out() {
    let (upper, between) = (0.110_584_701_663_208_83, 0.513_712_583_544_832_4);
    gives(&[3.0; 5], 1, 4, [0.0, upper, between, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn zeros_are_as_worked_out() {
    let series = [1.0, 0.0, 0.0, 2.0, 2.0];
    gives(&series, 1, 4, [1.0, 0.064_988_132_495_679_3, 1.0, 0.6, 0.0, 0.1, 1.0, 0.2]);
}

// ---- Where a test does not apply
// -----------------------------------------------------------------------------------------

fn applying(series: &[f64], active_size: usize, seasons: usize) -> String {
    let found = evaluate(series, &criteria(active_size, seasons, None), 1);
    let names = Method::ALL.into_iter().filter(|&method| found.of_method(method).is_some()).map(Method::name);
    names.collect::<Vec<_>>().join(",")
}

#[test]
fn tests_apply_once_their_windows_hold_enough() {
    assert_eq!(applying(&[], 1, 4), "");
    assert_eq!(applying(&[1.0], 1, 4), "fence");
    assert_eq!(applying(&[1.0, 2.0], 1, 4), "fence,highrank,ks,lowrank,magnitude");
    assert_eq!(applying(&[1.0, 2.0, 3.0], 1, 4), "cdf,diff,fence,highrank,ks,lowrank,magnitude");
}

#[test]
fn with_several_active_values_the_reference_must_be_as_long() {
    let series: Vec<f64> = (0..20).map(f64::from).collect();
    assert_eq!(applying(&series[..2], 3, 2), "fence");
    assert_eq!(applying(&series[..5], 3, 2), "fence,magnitude");
    assert_eq!(applying(&series[..6], 3, 2), "fence,highrank,ks,lowrank,magnitude");
    assert_eq!(applying(&series[..7], 3, 2), "cdf,diff,fence,highrank,lowrank,magnitude");
    assert_eq!(applying(&series, 3, 2), "cdf,diff,fence,highrank,ks,lowrank,magnitude");
    // At least four reference values are no multiple of three, and four differences less one are not four.
    assert_eq!(applying(&series, 3, 1), "cdf,diff,fence,highrank,lowrank,magnitude");
    assert_eq!(applying(&series, 4, 1), "fence,highrank,ks,lowrank,magnitude");
}

#[test]
fn tests_that_were_not_requested_give_nothing() {
    let methods = Methods::of(&[Method::Fence, Method::Ks]);
    let found = evaluate(&[1.0; 5], &Criteria { methods, ..Criteria::default() }, 1);
    let given: Vec<_> = Method::ALL.into_iter().filter(|&method| found.of_method(method).is_some()).collect();
    assert_eq!(given, [Method::Ks], "fence has no bound");
}

// ---- Drawn against counted
// -----------------------------------------------------------------------------------------------

/// The error of a share among `count` draws is within five of its standard deviations: one in a million draws is not.
#[track_caller]
fn is_estimate(drawn: f64, counted: f64, count: u32, what: &str) {
    let deviation = (counted * (1.0 - counted) / f64::from(count)).sqrt();
    assert!((drawn - counted).abs() <= 5.0 * deviation + 1e-12, "{what}: {drawn} for {counted}");
}

/// Series with ties and without, of which all arrangements can be counted.
fn small_series() -> impl Iterator<Item = (u64, Vec<f64>, usize)> {
    (0..60).map(|seed| {
        let mut generator = SplitMix64::new(seed);
        let different = 2 + generator.below(30);
        let length = 5 + generator.below(3);
        let series = (0..length).map(|_| generator.below(different) as f64).collect();
        (seed, series, 1 + generator.below(2))
    })
}

#[test]
fn drawn_rank_sums_estimate_the_counted_ones() {
    for (seed, series, active_size) in small_series() {
        let permutations = RandomPermutations { count: 2_000, seed };
        let ranks = ranks::doubled(&series);
        let observed: u64 = ranks[ranks.len() - active_size..].iter().sum();
        let all = binomial(ranks.len(), active_size).unwrap();
        let counted = rank_sum::counted(&ranks, active_size, all, |sum| sum < observed);
        let drawn = rank_sum::drawn(ranks, active_size, permutations, |sum| sum < observed);
        is_estimate(drawn, counted, permutations.count, &format!("{series:?}, {active_size}"));
    }
}

#[test]
fn drawn_differences_estimate_the_counted_ones() {
    for (seed, series, active_size) in small_series() {
        let permutations = RandomPermutations { count: 2_000, seed };
        let observed = ranks::doubled_sum_of_last(&relative_differences(&series), active_size);
        let all = (1..=series.len() as u64).product();
        let ones = Values::alone(&series);
        let counted = ArrangementCounter::new(ones, active_size, observed).count(all) as f64 / all as f64;
        let drawn = super::diff::drawn(&series, active_size, observed, permutations);
        is_estimate(drawn, counted, permutations.count, &format!("{series:?}, {active_size}"));
        let alike = ArrangementCounter::new(Values::of(&series), active_size, observed);
        let all = multinomial(alike.unplaced()).unwrap();
        assert!((alike.count(all) as f64 / all as f64 - counted).abs() < 1e-12, "{series:?}, {active_size}");
    }
}

#[test]
fn drawn_distances_estimate_the_counted_ones() {
    for (seed, series, active_size) in small_series() {
        let permutations = RandomPermutations { count: 2_000, seed };
        let reference = if active_size == 1 { 4 } else { 2 };
        let observed = || Observed::new(&series, active_size, reference);
        let all = multinomial(&[active_size, reference, series.len() - active_size - reference]).unwrap();
        let counted = observed().count_nearer() as f64 / all as f64;
        is_estimate(observed().drawn(permutations), counted, permutations.count, &format!("{series:?}, {active_size}"));
    }
}

#[test]
fn long_series_are_drawn_with_their_seed() {
    let series: Vec<f64> = (0..10).map(|value| f64::from(value * value % 23)).collect();
    let criteria = Criteria { methods: Methods::of(&[Method::Diff]), permutations: 500, ..Criteria::default() };
    let of = |seed| evaluate(&series, &criteria, seed).of_method(Method::Diff).unwrap();
    assert_eq!(of(1), of(1));
    assert!((2..50).any(|seed| of(seed) != of(1)));
}

// ---- For any series
// ------------------------------------------------------------------------------------------------------

fn value() -> impl Strategy<Value = f64> {
    let extremes = vec![0.0, -0.0, 5e-324, 1e-300, 1.0, 1e300, f64::MAX, f64::MIN, -1.0];
    prop_oneof![
        prop::sample::select(extremes),
        (0..5_u8).prop_map(f64::from),
        any::<u64>().prop_map(|bytes| bytes as f64)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_result_is_a_probability(
        series in prop::collection::vec(value(), 0..14),
        active_size in 1..5_usize,
        seasons in 1..5_usize,
        lower in prop::option::of(-5.0..9.0),
        sensitivity in 0.0..2.0,
        seed in any::<u64>(),
    ) {
        let criteria = Criteria { permutations: 20, ..criteria(active_size, seasons, lower) };
        let found = evaluate(&series, &criteria, seed);
        for probability in Method::ALL.into_iter().filter_map(|method| found.of_method(method)) {
            prop_assert!((0.0..=1.0).contains(&probability), "{found:?}");
        }
        prop_assert!((0.0..=1.0).contains(&combine(&found, sensitivity)));
        prop_assert_eq!(found, evaluate(&series, &criteria, seed));
    }

    #[test]
    fn high_and_low_ranks_leave_room_for_ties_only(series in prop::collection::vec(value(), 4..10), active_size in 1..3_usize) {
        let found = evaluate(&series, &criteria(active_size, 4, None), 1);
        let [high, low] = [Method::Highrank, Method::Lowrank].map(|method| found.of_method(method).unwrap());
        prop_assert!(high + low < 1.0, "{high} {low}: the observed order is neither");
    }

    #[test]
    fn no_unit_changes_a_test_but_the_fence(series in prop::collection::vec(0..1_000_u32, 3..7)) {
        let [small, large] = [1.0, 1_024.0].map(|unit| {
            let series: Vec<f64> = series.iter().map(|&value| f64::from(value) * unit).collect();
            evaluate(&series, &Criteria { fence: None, ..criteria(1, 4, None) }, 1)
        });
        prop_assert_eq!(small, large);
    }
}
