//! What the supervisor tells the capture threads, and what they tell it. They look at it between two polls, never a
//! packet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// By interface and worker: who could not open an interface that is up. As many as there are capture threads at most.
    refused: Mutex<BTreeSet<(String, usize)>>,
}

impl Orders {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan: ArcSwap::from_pointee(plan), ..Self::default() }
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    pub(super) fn replace_plan(&self, plan: Plan) {
        self.plan.store(Arc::new(plan));
    }

    /// A worker could not open its interface.
    pub(super) fn record_refused(&self, interface: &str, worker: usize) {
        self.refused().insert((interface.to_owned(), worker));
    }

    /// A worker has opened its interface, or is not to open it any more.
    pub(super) fn forget_refused(&self, interface: &str, worker: usize) {
        self.refused().remove(&(interface.to_owned(), worker));
    }

    /// The interfaces that none of their `workers` could open.
    pub(super) fn unopened(&self, workers: usize) -> BTreeSet<String> {
        let refused = self.refused();
        let is_refused = |(interface, _): &&(String, usize)| {
            (0..workers).all(|worker| refused.contains(&(interface.clone(), worker)))
        };
        refused.iter().filter(is_refused).map(|(interface, _)| interface.clone()).collect()
    }

    fn refused(&self) -> MutexGuard<'_, BTreeSet<(String, usize)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_unopened_while_none_of_its_workers_has_it() {
        let orders = Orders::default();
        let unopened = |workers| orders.unopened(workers).into_iter().collect::<Vec<_>>();
        orders.record_refused("eth0", 0);
        orders.record_refused("eth0", 0);
        assert_eq!((unopened(1), unopened(2)), (vec!["eth0".to_owned()], vec![]));
        orders.record_refused("eth0", 1);
        assert_eq!(unopened(2), ["eth0"]);
        orders.forget_refused("eth0", 1);
        assert!(unopened(2).is_empty());
    }
}
