//! Bytes of each source → destination pair per transfer interval → how unusual the last of them are.
//!
//! Seven tests, after those of the Lytics anomalyzer (<https://github.com/lytics/anomalyzer>), each a pure function of a
//! series, oldest value first: [`magnitude()`], [`fence()`], [`highrank()`], [`lowrank()`], [`diff()`], [`cdf()`],
//! [`ks()`]. A test gives a probability from 0 to 1, or nothing where it does not apply. Three ways differ from the
//! original on purpose: ties get mid-ranks, a constant series is no anomaly, and the Kolmogorov–Smirnov distance looks at
//! every value. [`evaluate()`] runs those asked for and combines them; [`Pairs`] keeps the series and spreads their
//! evaluation over the ticks of an interval.
//!
//! Where a test asks how a shuffled series would do, all its arrangements are counted as long as there are at most
//! [`arrangements::ENUMERATED`]: that is the answer, not an estimate. Beyond, shuffles are drawn from a generator that is
//! seeded by the pair and the interval, so that the same traffic always gives the same verdict.

pub mod arrangements;
mod cdf;
mod combine;
pub mod config;
mod diff;
mod fence;
pub mod filter;
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
pub use combine::combine;
pub use config::{Config, Criteria, Error, Fence};
pub use diff::diff;
pub use fence::fence;
pub use filter::Filter;
pub use ks::{distance, ks};
pub use magnitude::magnitude;
pub use method::{Method, Methods, Probabilities};
pub use pairs::{Pair, Pairs};
pub use rank_sum::{highrank, lowrank};
pub use verdict::{Verdict, evaluate};
pub use watch::Anomalies;
pub use windows::Windows;

#[cfg(test)]
mod tests;
