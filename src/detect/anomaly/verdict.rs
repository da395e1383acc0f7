//! The verdict on one pair at the end of one interval.
//!
//! Takes a series and the configuration; gives the probabilities and the verdict. Must not know earlier ones.

use std::net::IpAddr;

use super::arrangements::RandomPermutations;
use super::config::{Config, Criteria};
use super::method::{Method, Probabilities};
use super::windows::Windows;
use super::{cdf, diff, fence, highrank, ks, lowrank, magnitude};
use crate::detect::ends::Pair;
use crate::tables::sampling::mixed;

/// The verdict on the last values of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairVerdict {
    /// The pair.
    pub pair: Pair,
    /// The interval of the last active value.
    pub interval: i64,
    /// The probability of all tests together, from 0 to 1; 0 before the windows are full.
    pub probability: f64,
    /// The results of the tests; none before the windows are full, because little is known of less.
    pub tests: Probabilities,
    /// The sum of the active values, in bytes.
    pub active_bytes: u64,
    /// The mean of the reference values, in bytes per interval; 0 without any.
    pub reference_mean_bytes: f64,
    /// True if the windows are full, and probability and bytes are those of an anomaly.
    pub is_anomaly: bool,
}

impl PairVerdict {
    /// Judges `series`, the bytes of `pair` per interval up to `interval`, oldest first. It depends on nothing else.
    pub(crate) fn of(pair: Pair, interval: i64, series: &[f64], config: &Config) -> Self {
        let criteria = &config.criteria;
        let Windows { reference, active } = Windows::of(series, criteria.active_size, criteria.reference_size());
        let is_full = series.len() >= criteria.full_size();
        let tests = if is_full { evaluate(series, criteria, seed(pair, interval)) } else { Probabilities::default() };
        let probability = combine(&tests, criteria.sensitivity);
        let active_bytes = active.iter().sum::<f64>() as u64;
        Self {
            pair,
            interval,
            probability,
            tests,
            active_bytes,
            reference_mean_bytes: super::windows::mean(reference),
            is_anomaly: is_full && probability > config.threshold && active_bytes >= config.min_bytes,
        }
    }
}

/// The results of the tests of `criteria` for `series`, oldest value first. The same input gives the same results.
///
/// The fence takes part only when a bound was given.
pub fn evaluate(series: &[f64], criteria: &Criteria, seed: u64) -> Probabilities {
    let (active, reference) = (criteria.active_size, criteria.reference_size());
    Probabilities::of(criteria.methods, |method| {
        let permutations = RandomPermutations { count: criteria.permutations, seed: mixed(seed ^ method as u64) };
        match method {
            Method::Cdf => cdf(series, active, reference),
            Method::Diff => diff(series, active, reference, permutations),
            Method::Fence => criteria.fence.and_then(|bounds| fence(series, active, bounds)),
            Method::Highrank => highrank(series, active, reference, permutations),
            Method::Ks => ks(series, active, reference, permutations),
            Method::Lowrank => lowrank(series, active, reference, permutations),
            Method::Magnitude => magnitude(series, active, reference),
        }
    })
}

const WEIGHT: f64 = 0.5;
/// From this result on, magnitude and fence have the weight [`SURE_WEIGHT`].
const SURE: f64 = 0.8;
const SURE_WEIGHT: f64 = 5.0;

/// The weighted mean of the results, from 0 to 1; 0 without any. Highrank and lowrank count as one, the larger.
///
/// The result is 0 when magnitude gave less than `sensitivity`. A sensitivity above 1 vetoes nothing.
pub(crate) fn combine(probabilities: &Probabilities, sensitivity: f64) -> f64 {
    let magnitude = probabilities.of_method(Method::Magnitude);
    if sensitivity <= 1.0 && magnitude.is_some_and(|magnitude| magnitude < sensitivity) {
        return 0.0;
    }
    let of = |method| probabilities.of_method(method);
    let rank = [of(Method::Highrank), of(Method::Lowrank)].into_iter().flatten().reduce(f64::max);
    let equal = [of(Method::Cdf), of(Method::Diff), of(Method::Ks), rank].into_iter().flatten().map(|p| (p, WEIGHT));
    let steep = [of(Method::Fence), magnitude].into_iter().flatten();
    let steep = steep.map(|p| (p, if p > SURE { SURE_WEIGHT } else { WEIGHT }));
    let (sum, weights) =
        equal.chain(steep).fold((0.0, 0.0), |(sum, all), (p, weight)| (sum + p * weight, all + weight));
    if weights == 0.0 { 0.0 } else { sum / weights }
}

/// The seed of the generator for `pair` at the end of `interval`: the same in every process.
fn seed(pair: Pair, interval: i64) -> u64 {
    let bits = |address| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let halves = [pair.source, pair.destination].map(bits).map(|bits| [bits as u64, (bits >> 64) as u64]);
    halves.as_flattened().iter().fold(mixed(interval as u64), |seed, half| mixed(seed ^ half))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use Method::{Diff, Fence, Highrank, Ks, Lowrank, Magnitude};

    use super::super::method::Methods;
    use super::*;

    fn verdict(series: &[f64], config: &Config) -> PairVerdict {
        let host = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        PairVerdict::of(Pair { source: host(1), destination: host(2) }, 7, series, config)
    }

    #[test]
    fn a_burst_after_a_full_window_is_an_anomaly() {
        let found = verdict(&[100.0, 100.0, 100.0, 100.0, 9_000.0], &Config::default());
        assert!(found.is_anomaly && found.probability > 0.6, "{found:?}");
        assert_eq!((found.active_bytes, found.reference_mean_bytes, found.interval), (9_000, 100.0, 7));
    }

    #[test]
    fn no_verdict_before_the_window_is_full() {
        let found = verdict(&[100.0, 100.0, 100.0, 9_000.0], &Config::default());
        assert!(!found.is_anomaly && found.probability == 0.0, "{found:?}");
        assert_eq!(found.active_bytes, 9_000);
    }

    #[test]
    fn a_trickle_is_none() {
        let series = [100.0, 100.0, 100.0, 100.0, 9_000.0];
        assert!(verdict(&series, &Config { min_bytes: 9_000, ..Config::default() }).is_anomaly);
        assert!(!verdict(&series, &Config { min_bytes: 9_001, ..Config::default() }).is_anomaly);
    }

    #[test]
    fn the_threshold_itself_is_none() {
        let series = [100.0, 100.0, 100.0, 100.0, 9_000.0];
        let probability = verdict(&series, &Config::default()).probability;
        assert!(!verdict(&series, &Config { threshold: probability, ..Config::default() }).is_anomaly);
    }

    #[test]
    fn pairs_and_intervals_have_seeds_of_their_own() {
        let pair = |source: u32| Pair {
            source: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + source)),
            destination: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        };
        let back = |pair: Pair| Pair { source: pair.destination, destination: pair.source };
        let pairs = (0..500).map(pair).flat_map(|pair| [pair, back(pair)]);
        let seeds: std::collections::BTreeSet<u64> =
            pairs.flat_map(|pair| (0..10).map(move |interval| seed(pair, interval))).collect();
        assert_eq!(seeds.len(), 10_000);
        // What a later version finds in the same capture should be the same.
        assert_eq!(seed(pair(1), 7), 10_140_053_413_959_782_122);
    }

    #[track_caller]
    fn combines(given: &[(Method, f64)], sensitivity: f64, expected: f64) {
        let methods: Methods = given.iter().map(|(method, _)| *method).collect();
        let of = |method| given.iter().find(|(other, _)| *other == method).map(|(_, p)| *p);
        let found = combine(&Probabilities::of(methods, of), sensitivity);
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn nothing_gives_nothing() {
        combines(&[], 0.1, 0.0);
    }

    #[test]
    fn the_two_rank_tests_count_as_one() {
        combines(&[(Highrank, 0.2), (Lowrank, 0.6), (Diff, 0.0)], 2.0, 0.3);
        combines(&[(Lowrank, 0.6), (Diff, 0.0)], 2.0, 0.3);
        combines(&[(Highrank, 0.2)], 2.0, 0.2);
    }

    #[test]
    fn a_sure_magnitude_or_fence_weighs_ten_times_as_much() {
        combines(&[(Magnitude, 0.8), (Diff, 0.0)], 0.1, 0.4);
        combines(&[(Magnitude, 0.9), (Diff, 0.0)], 0.1, 4.5 / 5.5);
        combines(&[(Fence, 1.0), (Diff, 0.0)], 0.1, 5.0 / 5.5);
        combines(&[(Fence, 1.0), (Magnitude, 0.9), (Ks, 0.0), (Diff, 0.9)], 0.1, 9.95 / 11.0);
        combines(&[(Diff, 0.9), (Ks, 0.0)], 0.1, 0.45);
    }

    #[test]
    fn a_small_magnitude_vetoes() {
        combines(&[(Magnitude, 0.09), (Diff, 1.0)], 0.1, 0.0);
        combines(&[(Magnitude, 0.1), (Diff, 1.0)], 0.1, 0.55);
        combines(&[(Magnitude, 0.99), (Diff, 1.0)], 1.0, 0.0);
        combines(&[(Diff, 1.0)], 0.1, 1.0);
    }

    #[test]
    fn a_sensitivity_above_one_vetoes_nothing() {
        combines(&[(Magnitude, 0.0), (Diff, 1.0)], 2.0, 0.5);
    }
}
