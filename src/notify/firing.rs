//! The alerts that fire at a receiver.
//!
//! Takes settled notices; gives the alerts that the receiver has as firing, and those that it knows by name. Must not
//! know queues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::notice::Notice;
use crate::alert::Fingerprint;

/// The most alerts that are remembered as firing at the receiver. Further ones are neither sent again nor resolved
/// after a restart.
pub(super) const MOST_FIRING: usize = 10_000;

/// The form in which a receiver learned that an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// A message named the alert.
    Named,
    /// Messages only counted the alert.
    Counted,
}

/// The alerts that fire at a receiver.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FiringAlerts {
    /// The latest firing notice of each.
    notices: BTreeMap<Fingerprint, Arc<Notice>>,
    /// Alerts that a message counted and never named. Their ends need no name either.
    counted: BTreeSet<Fingerprint>,
}

impl FiringAlerts {
    /// The latest firing notice of each.
    pub(super) fn notices(&self) -> &BTreeMap<Fingerprint, Arc<Notice>> {
        &self.notices
    }

    /// True if the alert fires there and a message named it.
    pub(super) fn knows_by_name(&self, fingerprint: Fingerprint) -> bool {
        self.notices.contains_key(&fingerprint) && !self.counted.contains(&fingerprint)
    }

    /// Notes a notice after its delivery, or because it was given up; false if there was no room for it.
    pub(super) fn note(&mut self, notice: &Arc<Notice>, is_delivered: bool, is_named: bool) -> bool {
        let fingerprint = notice.id();
        if !notice.is_firing {
            self.notices.remove(&fingerprint);
            self.counted.remove(&fingerprint);
        } else if is_delivered {
            let is_new = !self.notices.contains_key(&fingerprint);
            if is_new && self.notices.len() >= MOST_FIRING {
                return false;
            }
            self.insert(notice, !is_named && (is_new || self.counted.contains(&fingerprint)));
        }
        true
    }

    /// Notes an alert as firing.
    pub(super) fn insert(&mut self, notice: &Arc<Notice>, is_counted: bool) {
        let fingerprint = notice.id();
        self.notices.insert(fingerprint, Arc::clone(notice));
        if is_counted {
            self.counted.insert(fingerprint);
        } else {
            self.counted.remove(&fingerprint);
        }
    }

    /// Replaces the notice of an alert; none if the alert does not fire there.
    pub(super) fn replace(&mut self, notice: &Arc<Notice>) -> Option<Naming> {
        let firing = self.notices.get_mut(&notice.id())?;
        *firing = Arc::clone(notice);
        Some(if self.counted.contains(&notice.id()) { Naming::Counted } else { Naming::Named })
    }

    /// All of them, each with true if no message named it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Notice>, bool)> {
        self.notices.iter().map(|(fingerprint, notice)| (notice, self.counted.contains(fingerprint)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notices::{firing, resolved};

    #[test]
    fn alert_is_known_by_name_from_the_first_message_that_names_it_to_its_end() {
        let mut alerts = FiringAlerts::default();
        let mut note = |notice: Notice, is_named| {
            alerts.note(&Arc::new(notice), true, is_named);
            alerts.knows_by_name(Fingerprint(1))
        };
        assert!(!note(firing(1), false), "counted");
        assert!(note(firing(1), true), "named");
        assert!(note(firing(1), false), "it was named before");
        assert!(!note(resolved(1), true), "over");
        assert!(!note(firing(1), false), "a new one");
    }
}
