//! The configuration of detection that the files of an alert name. Takes it at the start and at reloads; gives it to the
//! cases that begin. Must not know what it says.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

/// The configuration that decides what is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DetectionFacts {
    /// The configuration as YAML, without secrets.
    pub configuration: String,
    /// The time that anomalies compare with: the values of a pair times their interval.
    pub anomaly_history: Duration,
}

/// The facts that are in force. Clones share them. The files of an alert have those of the moment when it fired.
#[derive(Debug, Clone, Default)]
pub struct RunningDetection(Arc<ArcSwap<DetectionFacts>>);

impl From<DetectionFacts> for RunningDetection {
    fn from(facts: DetectionFacts) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(facts)))
    }
}

impl RunningDetection {
    /// Puts others into force.
    pub fn replace(&self, facts: DetectionFacts) {
        self.0.store(Arc::new(facts));
    }

    pub(super) fn current(&self) -> Arc<DetectionFacts> {
        self.0.load_full()
    }
}
