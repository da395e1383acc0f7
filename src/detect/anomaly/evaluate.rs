//! A series → what each test gives.

use super::arrangements::Shuffles;
use super::config::Criteria;
use super::method::{Method, Probabilities};
use super::{cdf, diff, fence, highrank, ks, lowrank, magnitude};
use crate::tables::sampling::mixed;

/// What the tests of `criteria` give for `series`, oldest value first. The same series, criteria and `seed` give the same.
///
/// The fence takes part only when a bound was given.
#[must_use]
pub fn evaluate(series: &[f64], criteria: &Criteria, seed: u64) -> Probabilities {
    let (active, reference) = (criteria.active_size, criteria.reference_size());
    Probabilities::of(criteria.methods, |method| {
        let shuffles = Shuffles { count: criteria.shuffles, seed: mixed(seed ^ method as u64) };
        match method {
            Method::Cdf => cdf(series, active, reference),
            Method::Diff => diff(series, active, reference, shuffles),
            Method::Fence => criteria.fence.and_then(|bounds| fence(series, active, bounds)),
            Method::Highrank => highrank(series, active, reference, shuffles),
            Method::Ks => ks(series, active, reference, shuffles),
            Method::Lowrank => lowrank(series, active, reference, shuffles),
            Method::Magnitude => magnitude(series, active, reference),
        }
    })
}
