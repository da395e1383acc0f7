//! Alerts that fired at a receiver when the program ended.
//!
//! Takes the alerts of the run before and the changes of this one; gives those to resolve. Must not know receivers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::notice::Notice;
use crate::alert::Fingerprint;

/// The alerts of the run before that have not changed in this one.
#[derive(Debug)]
pub(super) struct Inherited {
    alerts: BTreeSet<Fingerprint>,
    /// The end of the grace.
    until: Instant,
}

impl Inherited {
    pub(super) fn new(alerts: impl IntoIterator<Item = Fingerprint>, now: Instant, grace: Duration) -> Self {
        Self { alerts: alerts.into_iter().collect(), until: now + grace }
    }

    /// Notes a change in this run. True if the receiver has the alert as firing, and it fires again.
    pub(super) fn goes_on(&mut self, notice: &Notice) -> bool {
        self.alerts.remove(&notice.id()) && notice.is_firing
    }

    /// The end of the grace, if an alert waits for it.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        (!self.alerts.is_empty()).then_some(self.until)
    }

    /// The alerts that did not fire again, once the grace is over.
    pub(super) fn orphans(&mut self, now: Instant) -> BTreeSet<Fingerprint> {
        if now < self.until { BTreeSet::new() } else { std::mem::take(&mut self.alerts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notices::{firing, resolved};

    #[test]
    fn alert_that_does_not_fire_again_is_an_orphan_after_the_grace() {
        let (start, grace) = (Instant::now(), Duration::from_secs(300));
        let mut inherited = Inherited::new([1, 2, 3].map(Fingerprint), start, grace);
        assert!(inherited.goes_on(&firing(1)));
        assert!(!inherited.goes_on(&firing(1)), "a new episode");
        assert!(!inherited.goes_on(&resolved(2)));
        assert!(!inherited.goes_on(&firing(4)), "a new alert");
        assert!(inherited.orphans(start + grace / 2).is_empty());
        assert_eq!(inherited.ends_at(), Some(start + grace));
        assert_eq!(inherited.orphans(start + grace), [Fingerprint(3)].into());
        assert_eq!(inherited.ends_at(), None);
    }
}
