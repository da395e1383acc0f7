//! Figures that outlive one answer: when a counter last grew, and the number of hosts of a report. Takes counters and
//! times; gives whether something was lost lately. Must not know what the counters mean.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::packet::Timestamp;

/// The time for which a loss counts as recent.
const RECENT: Duration = Duration::from_secs(3_600);

/// Figures of earlier answers.
#[derive(Debug, Default)]
pub struct ApiMemory {
    losses: Mutex<BTreeMap<&'static str, Loss>>,
    hosts: Mutex<Option<(u64, u64)>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Loss {
    count: u64,
    grew_at: Option<Timestamp>,
}

impl ApiMemory {
    /// True if the counter `name` grew within the last hour. Growth counts from the answer that first showed it.
    pub(super) fn grew_lately(&self, name: &'static str, count: u64, now: Timestamp) -> bool {
        let mut losses = lock(&self.losses);
        let loss = losses.entry(name).or_default();
        if count > loss.count {
            *loss = Loss { count, grew_at: Some(now) };
        }
        loss.grew_at.is_some_and(|grew_at| now.since(grew_at) < RECENT)
    }

    /// The number of hosts of the report `number`, which `count` counts if it is not known.
    pub(super) fn hosts(&self, number: u64, count: impl FnOnce() -> u64) -> u64 {
        let mut hosts = lock(&self.hosts);
        match *hosts {
            Some((of, known)) if of == number => known,
            _ => {
                let counted = count();
                *hosts = Some((number, counted));
                counted
            }
        }
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_recent_for_an_hour() {
        let memory = ApiMemory::default();
        let at = |second: i64| Timestamp::from_nanoseconds(second * 1_000_000_000);
        assert!(!memory.grew_lately("a", 0, at(0)));
        assert!(memory.grew_lately("a", 1, at(10)));
        assert!(memory.grew_lately("a", 1, at(3_609)));
        assert!(!memory.grew_lately("a", 1, at(3_610)));
        assert!(!memory.grew_lately("b", 0, at(3_610)));
        assert!(memory.grew_lately("a", 2, at(3_611)));
    }

    #[test]
    fn hosts_of_a_report_are_counted_once() {
        let memory = ApiMemory::default();
        assert_eq!(memory.hosts(1, || 5), 5);
        assert_eq!(memory.hosts(1, || 6), 5);
        assert_eq!(memory.hosts(2, || 6), 6);
    }
}
