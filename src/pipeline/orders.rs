//! What the supervisor tells the capture threads. They look at it between two polls, never a packet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use crate::capture::once::Origins;
use crate::locality::Classifier;

/// What is captured and how, for one state of the network. A change makes a new one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// The filter of each interface that is to be captured.
    pub filters: BTreeMap<String, Option<String>>,
    /// The kernel's number of each that there is now. Another one under the same name is another interface.
    pub indexes: BTreeMap<String, u32>,
    /// Which of these are up. A change wakes the threads that wait for theirs.
    pub up: BTreeSet<String>,
    /// Where forwarded frames come from; on `any` alone, where copies are left out in user space.
    pub origins: Option<Arc<Origins>>,
    /// Which way packets go.
    pub classifier: Arc<Classifier>,
}

/// The latest plan, and whether to stop.
#[derive(Debug, Default)]
pub(super) struct Orders {
    plan: ArcSwap<Plan>,
    is_stopping: AtomicBool,
}

impl Orders {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan: ArcSwap::from_pointee(plan), is_stopping: AtomicBool::new(false) }
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    pub(super) fn replace_plan(&self, plan: Plan) {
        self.plan.store(Arc::new(plan));
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }
}
