//! Anomalies: how unusual the last bytes of each source → destination pair are.
//!
//! Takes bytes of pairs by transfer interval; gives probabilities and detections. Must not know alerts.
//!
//! Seven tests, after those of the Lytics anomalyzer (<https://github.com/lytics/anomalyzer>), are pure functions of a
//! series, oldest value first: [`magnitude()`], [`fence()`], [`highrank()`], [`lowrank()`], [`diff()`], [`cdf()`],
//! [`ks()`]. A test gives a probability from 0 to 1, or nothing where it does not apply. Three things differ from the
//! original on purpose: ties get mid-ranks, a constant series is no anomaly, and the Kolmogorov–Smirnov distance looks
//! at every value. [`evaluate()`] runs the tests; [`Pairs`] keeps the series and spreads the work over an interval.
//!
//! Some tests compare the series with its permutations. If there are at most [`arrangements::ENUMERATED`] arrangements,
//! all are counted and the result is exact. Otherwise permutations are drawn from a random generator. The pair and the
//! interval seed it, so the same traffic always gives the same verdict.

pub mod arrangements;
mod cdf;
pub mod config;
mod diff;
mod fence;
pub mod generator;
mod ks;
mod magnitude;
pub mod method;
pub mod pairs;
mod rank_sum;
pub mod ranks;
pub mod verdict;
pub mod watch;
pub mod windows;

pub use cdf::cdf;
pub use config::{Config, Criteria, Error, Fence, PairFilter};
pub use diff::diff;
pub use fence::fence;
pub use ks::ks;
pub use magnitude::magnitude;
pub use method::{Method, Methods, Probabilities};
pub use pairs::{Pair, Pairs};
pub use rank_sum::{highrank, lowrank};
pub use verdict::{PairVerdict, evaluate};
pub use watch::Anomalies;
pub use windows::Windows;

#[cfg(test)]
mod tests;
