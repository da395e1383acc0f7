//! The packets by verdict of the policy.
//!
//! Takes counters with their verdicts; gives sums. Must not know how a verdict is found.

use crate::account::flow::Counters;
use crate::policy::Verdict;

/// IP packets and bytes by verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerdictCounters([Counters; Verdict::ALL.len()]);

impl VerdictCounters {
    /// The sum of one verdict.
    pub const fn of(&self, verdict: Verdict) -> Counters {
        self.0[verdict as usize]
    }

    /// Adds to the sum of one verdict.
    pub fn add(&mut self, verdict: Verdict, counters: Counters) {
        self.0[verdict as usize].add(counters);
    }

    /// Adds other sums.
    pub fn add_all(&mut self, other: &Self) {
        Verdict::ALL.into_iter().for_each(|verdict| self.add(verdict, other.of(verdict)));
    }
}
