//! The view of readers: accounts, detection and alerts of one moment.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::account::snapshot::Snapshot;
use crate::{alert, detect};

/// Everything at one moment, for readers.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Totals, flows and hosts.
    pub accounts: Snapshot,
    /// State of detection.
    pub detection: detect::View,
    /// State of alerts.
    pub alerts: alert::AlertView,
}

/// Accounts without detection.
impl From<Snapshot> for Report {
    fn from(accounts: Snapshot) -> Self {
        Self { accounts, ..Self::default() }
    }
}

/// The latest report, for readers that must never hold the accountant up.
#[derive(Debug, Default)]
pub struct Published {
    latest: ArcSwap<Report>,
}

impl Published {
    /// Puts `report` in the place of the one before.
    pub fn publish(&self, report: impl Into<Report>) {
        self.latest.store(Arc::new(report.into()));
    }

    /// The report that was published last; an empty one before the first.
    #[must_use]
    pub fn latest(&self) -> Arc<Report> {
        self.latest.load_full()
    }
}
