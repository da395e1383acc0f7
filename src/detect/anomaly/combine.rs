//! The results of all tests → one probability.
//!
//! Takes the probabilities of the tests; gives their weighted mean. Must not know the series.

use super::method::{Method, Probabilities};

const WEIGHT: f64 = 0.5;
/// Magnitude and fence weigh more once they are this sure.
const SURE: f64 = 0.8;
const SURE_WEIGHT: f64 = 5.0;

/// The weighted mean of the results, from 0 to 1; 0 without any. Highrank and lowrank count as one test, with the
/// larger of both.
///
/// The result is 0 when magnitude gave less than `sensitivity`. No magnitude reaches a sensitivity above 1: it vetoes
/// nothing.
#[must_use]
pub fn combine(probabilities: &Probabilities, sensitivity: f64) -> f64 {
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

#[cfg(test)]
mod tests {
    use Method::{Diff, Fence, Highrank, Ks, Lowrank, Magnitude};

    use super::super::method::Methods;
    use super::*;

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
