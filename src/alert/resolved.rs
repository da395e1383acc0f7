//! The alerts that resolved last, for readers.
//!
//! Takes resolved alerts; gives the latest of them, and the number of those that were forgotten. Must not know how an
//! alert resolves.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Alert;

/// The most resolved alerts that are kept. At the limit the oldest is forgotten and counted.
pub const MAXIMUM_RESOLVED: usize = 1_000;

/// The last resolved alerts, in the order in which they resolved. Copies share the alerts.
#[derive(Debug, Clone, Default)]
pub struct ResolvedAlerts {
    latest: VecDeque<Arc<Alert>>,
    forgotten: u64,
}

impl ResolvedAlerts {
    /// Adds an alert that has just resolved.
    pub(super) fn push(&mut self, alert: Alert) {
        if self.latest.len() == MAXIMUM_RESOLVED {
            self.latest.pop_front();
            self.forgotten += 1;
        }
        self.latest.push_back(Arc::new(alert));
    }

    /// The kept alerts, the one that resolved first comes first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Alert>> + ExactSizeIterator {
        self.latest.iter()
    }

    /// Number of alerts that resolved since the start and are not kept any more.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let alerts: usize = self.latest.iter().map(|alert| alert.memory_bytes()).sum();
        alerts + self.latest.capacity() * size_of::<Arc<Alert>>()
    }
}

/// Alerts that are shared are equal without a look at their figures.
impl PartialEq for ResolvedAlerts {
    fn eq(&self, other: &Self) -> bool {
        let is_equal = |(one, other): (&Arc<Alert>, &Arc<Alert>)| Arc::ptr_eq(one, other) || one == other;
        self.forgotten == other.forgotten
            && self.latest.len() == other.latest.len()
            && self.latest.iter().zip(&other.latest).all(is_equal)
    }
}
