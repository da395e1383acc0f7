//! The alerts that resolved last, for readers.
//!
//! Takes resolved alerts; gives the latest of them, and the number of those that were forgotten. Must not know how an
//! alert resolves.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Alert;
use crate::detect::{Figures, MAXIMUM_TARGETS};

/// The most resolved alerts that are kept. At the limit the oldest is forgotten and counted.
pub const MAXIMUM_RESOLVED: usize = 1_000;
/// The most forgotten alerts that wait until no reader shares them, so that their memory can be used again.
const MOST_FORGOTTEN: usize = 100;

/// The last resolved alerts, in the order in which they resolved. Copies share the alerts.
#[derive(Debug, Clone, Default)]
pub struct ResolvedAlerts {
    latest: VecDeque<Arc<Alert>>,
    forgotten: u64,
}

impl ResolvedAlerts {
    /// The kept alerts, the one that resolved first comes first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Alert>> + ExactSizeIterator {
        self.latest.iter()
    }

    /// Number of alerts that resolved since the start and are not kept any more.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
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

/// The last resolved alerts, and the memory for further ones.
///
/// These alerts are kept for hours. Each on its own, between blocks that are freed after seconds, would keep whole pages of
/// memory in use. So the memory for all of them is taken with the first one, and used again for later ones.
#[derive(Debug, Default)]
pub(super) struct ResolvedStore {
    kept: ResolvedAlerts,
    /// Alerts whose memory is used again as soon as no reader shares it.
    spare: VecDeque<Arc<Alert>>,
}

impl ResolvedStore {
    /// Adds an alert that has just resolved.
    pub(super) fn push(&mut self, alert: Alert) {
        if self.kept.latest.is_empty() {
            self.spare = (0..MAXIMUM_RESOLVED).map(|_| Arc::new(with_space_for_targets(&alert))).collect();
            self.kept.latest.reserve_exact(MAXIMUM_RESOLVED);
        } else if self.kept.latest.len() == MAXIMUM_RESOLVED {
            self.spare.extend(self.kept.latest.pop_front());
            self.spare.truncate(MOST_FORGOTTEN);
            self.kept.forgotten += 1;
        }
        let resolved = match self.spare.front_mut().and_then(Arc::get_mut) {
            Some(memory) => {
                replace(memory, alert);
                self.spare.pop_front()
            }
            None => Some(Arc::new(alert)),
        };
        self.kept.latest.extend(resolved);
    }

    /// The kept alerts, for readers.
    pub(super) fn kept(&self) -> ResolvedAlerts {
        self.kept.clone()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let alerts = self.kept.latest.iter().chain(&self.spare).map(|alert| alert.memory_bytes());
        let places = self.kept.latest.capacity() + self.spare.capacity();
        alerts.sum::<usize>() + places * size_of::<Arc<Alert>>()
    }
}

/// A copy with space for all targets that an alert may have.
fn with_space_for_targets(alert: &Alert) -> Alert {
    let mut copy = alert.clone();
    for targets in [&mut copy.figures.first_targets, &mut copy.figures.last_targets] {
        targets.reserve_exact(MAXIMUM_TARGETS.saturating_sub(targets.len()));
    }
    copy
}

/// Replaces an alert by another one in the same memory.
fn replace(memory: &mut Alert, alert: Alert) {
    let [mut first_targets, mut last_targets] =
        [&mut memory.figures.first_targets, &mut memory.figures.last_targets].map(std::mem::take);
    first_targets.clone_from(&alert.figures.first_targets);
    last_targets.clone_from(&alert.figures.last_targets);
    *memory = Alert { figures: Figures { first_targets, last_targets, ..alert.figures }, ..alert };
}
