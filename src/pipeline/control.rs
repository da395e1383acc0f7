//! The exchange between the supervisor and the capture threads, both ways. The threads read it between two polls,
//! never per packet. Takes plans and reports of threads; gives the latest of each. Must not know handles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use super::Error;
use super::heartbeat::Heartbeats;
use crate::capture::filter::UserFilter;
use crate::capture::once::Origins;
use crate::locality::Classifier;
use crate::packet::LinkType;
use crate::policy::Networks;
use crate::time_grid::TimeGrid;
use crate::{account, alert, capture, detect, locality};

/// The number of a capture: one interface with all its workers, whatever its name. Never used again.
pub(super) type CaptureNumber = u64;

/// The interfaces to capture and how, for one state of the network. A change makes a new plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// The filter of each interface that is to be captured.
    pub filters: BTreeMap<String, Option<String>>,
    /// The kernel's number of each existing one. If it changes under the same name, it is another interface.
    pub indexes: BTreeMap<String, u32>,
    /// The interface of each capture. A capture without an entry ends.
    pub captures: BTreeMap<CaptureNumber, String>,
    /// Interfaces that keep their metrics: existing ones that may be captured, and those that the user named.
    pub kept: BTreeSet<String>,
    /// Captured interfaces that are up. A change wakes the threads that wait for their interface.
    pub up: BTreeSet<String>,
    /// Origins of forwarded frames; on `any` alone, where copies are left out in user space.
    pub origins: Option<Arc<Origins>>,
    pub classifier: Arc<Classifier>,
    /// The local networks, as the classifier has them.
    pub local: Vec<IpNet>,
    /// The permitted networks; none without a policy.
    pub policy: Option<Arc<Networks>>,
    /// The size of the kernel's ring of each handle. A larger one is replaced.
    pub ring_bytes: u32,
    /// The user's filter, compiled.
    pub user_filter: Option<Arc<UserFilter>>,
    /// The time grids: an interval lies in one cell of each.
    pub grids: Vec<TimeGrid>,
    /// The time between two hand-overs.
    pub tick: Duration,
}

impl Plan {
    /// The interfaces that are to be captured and have no capture yet.
    pub(super) fn uncaptured(&self) -> Vec<&String> {
        let captured: BTreeSet<&String> = self.captures.values().collect();
        self.filters.keys().filter(|name| !captured.contains(name)).collect()
    }

    /// Continues the captures of the plan `before`: each with the same interface, under its present name, or else with
    /// the interface that has the name now. A capture without either ends.
    pub(super) fn inherit_captures(&mut self, before: &Self) {
        let now = |index: &u32| self.indexes.iter().find(|(_, now)| *now == index).map(|(name, _)| name.clone());
        let index = |name: &String| before.indexes.get(name);
        let (same, others): (Vec<_>, Vec<_>) = before
            .captures
            .iter()
            .map(|(&number, name)| (number, name, index(name).and_then(now)))
            .partition(|(.., renamed)| renamed.is_some());
        let mut captures: BTreeMap<CaptureNumber, String> =
            same.into_iter().filter_map(|(number, _, name)| Some((number, name?))).collect();
        for (number, name, _) in others {
            let is_free = self.filters.contains_key(name) && !captures.values().any(|taken| taken == name);
            if is_free {
                captures.insert(number, name.clone());
            }
        }
        self.captures = captures;
    }
}

/// The part of the supervisor. When it is dropped, it is in the plan.
#[derive(Debug)]
pub(super) struct PlanSettings {
    pub locality: locality::Config,
    pub policy: Option<Arc<Networks>>,
    pub filter: Option<Arc<UserFilter>>,
    pub grids: Vec<TimeGrid>,
    pub tick: Duration,
    pub taken: Sender<()>,
}

/// The part of the accountant. When it is dropped, it is in force.
#[derive(Debug)]
pub(super) struct AccountSettings {
    pub account: account::Config,
    pub detect: detect::Config,
    pub alert: alert::Config,
    pub refresh: Duration,
    pub tick: Duration,
    pub taken: Sender<()>,
}

#[derive(Debug, Default)]
pub(super) struct ControlBlock {
    plan: ArcSwap<Plan>,
    /// The plans before, as long as a thread follows one: as many as there are threads at most.
    earlier: Mutex<Vec<Weak<Plan>>>,
    /// True once all threads have to end. Others may set it, and so end a start that is under way.
    stop: Arc<AtomicBool>,
    /// New settings that the supervisor has not taken yet, and those that the accountant has not.
    next_plan: Mutex<Option<PlanSettings>>,
    next_accounts: Mutex<Option<Box<AccountSettings>>>,
    /// The first refusal of a part of new settings, since the last call that took it.
    refusal: Mutex<Option<Error>>,
    /// The link type of each open handle, by interface and worker: one entry a thread at most.
    open_links: Mutex<BTreeMap<(String, usize), LinkType>>,
    /// Interface and worker of each thread that could not open an interface that is up: one entry a thread at most.
    refused: Mutex<BTreeSet<(String, usize)>>,
    heartbeats: Arc<Heartbeats>,
}

impl ControlBlock {
    pub(super) fn new(plan: Plan, stop: Arc<AtomicBool>) -> Self {
        Self { plan: ArcSwap::from_pointee(plan), stop, ..Self::default() }
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    pub(super) fn replace_plan(&self, plan: Plan) {
        let before = self.plan.swap(Arc::new(plan));
        let mut earlier = locked(&self.earlier);
        earlier.retain(|plan| plan.strong_count() > 0);
        earlier.push(Arc::downgrade(&before));
    }

    /// True if no thread follows an earlier plan any more.
    pub(super) fn is_settled(&self) -> bool {
        let mut earlier = locked(&self.earlier);
        earlier.retain(|plan| plan.strong_count() > 0);
        earlier.is_empty()
    }

    /// Asks the supervisor for a plan with these settings, and the accountant to go on with those.
    pub(super) fn offer(&self, plan: PlanSettings, accounts: Box<AccountSettings>) {
        *locked(&self.next_accounts) = Some(accounts);
        *locked(&self.next_plan) = Some(plan);
    }

    /// The settings of the plan that were offered since the last call.
    pub(super) fn take_plan_settings(&self) -> Option<PlanSettings> {
        locked(&self.next_plan).take()
    }

    /// The settings of the accounts that were offered since the last call.
    pub(super) fn take_account_settings(&self) -> Option<Box<AccountSettings>> {
        locked(&self.next_accounts).take()
    }

    /// A part of new settings is refused by libpcap or the kernel; the former one stays. The first refusal is kept.
    pub(super) fn note_refusal(&self, error: Error) {
        locked(&self.refusal).get_or_insert(error);
    }

    /// The first refusal since the last call.
    pub(super) fn take_refusal(&self) -> Option<Error> {
        locked(&self.refusal).take()
    }

    /// A worker has a handle of this link type.
    pub(super) fn record_open(&self, interface: &str, worker: usize, link_type: LinkType) {
        locked(&self.open_links).insert((interface.to_owned(), worker), link_type);
    }

    /// The handle of a worker is closed.
    pub(super) fn forget_open(&self, interface: &str, worker: usize) {
        locked(&self.open_links).remove(&(interface.to_owned(), worker));
    }

    /// The link types of all open handles, with the interfaces.
    fn open_links(&self) -> BTreeMap<String, LinkType> {
        locked(&self.open_links).iter().map(|((interface, _), link)| (interface.clone(), *link)).collect()
    }

    /// Checks that the filter compiles for the handles that are open now. On a thread that may open handles, or for a filter
    /// that does not depend on one.
    pub(super) fn check_filter(&self, filter: &UserFilter) -> Result<(), capture::Error> {
        let links = self.open_links();
        links.iter().try_for_each(|(interface, link_type)| filter.check(interface, *link_type))
    }

    /// A worker could not open its interface.
    pub(super) fn record_refused(&self, interface: &str, worker: usize) {
        self.refused().insert((interface.to_owned(), worker));
    }

    /// A worker has opened its interface, or no longer should.
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

    /// The heartbeats of all threads.
    pub(super) fn heartbeats(&self) -> &Arc<Heartbeats> {
        &self.heartbeats
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan that captures these interfaces, by their names and the kernel's numbers.
    fn plan<const N: usize>(interfaces: [(&str, u32); N]) -> Plan {
        let owned = interfaces.map(|(name, index)| (name.to_owned(), index));
        Plan {
            filters: owned.iter().map(|(name, _)| (name.clone(), None)).collect(),
            indexes: owned.into(),
            ..Plan::default()
        }
    }

    /// The names of the captures 0, 1, … after `before`, where they were in the order of the interfaces, in `after`.
    fn taken_over<const N: usize, const M: usize>(
        before: [(&str, u32); N],
        after: [(&str, u32); M],
    ) -> Vec<(u64, String)> {
        let captures = before.iter().zip(0..).map(|((name, _), number)| (number, (*name).to_owned())).collect();
        let before = Plan { captures, ..plan(before) };
        let mut after = plan(after);
        after.inherit_captures(&before);
        after.captures.into_iter().collect()
    }

    #[test]
    fn a_capture_follows_its_interface_to_another_name() {
        let captures = |names: &[(u64, &str)]| -> Vec<(u64, String)> {
            names.iter().map(|&(number, name)| (number, name.to_owned())).collect()
        };
        assert_eq!(
            taken_over([("eth0", 2), ("eth1", 3)], [("eth0", 2), ("wan0", 3)]),
            captures(&[(0, "eth0"), (1, "wan0")])
        );
        assert_eq!(
            taken_over([("eth0", 2), ("eth1", 3)], [("eth1", 2), ("eth0", 3)]),
            captures(&[(0, "eth1"), (1, "eth0")])
        );
        // A new interface with the same name.
        assert_eq!(taken_over([("eth0", 2)], [("eth0", 4)]), captures(&[(0, "eth0")]));
        // The name is another's now, and its own interface is not wanted.
        assert_eq!(taken_over([("eth0", 2)], [("eth0", 3)]), captures(&[(0, "eth0")]));
        // One goes, and another takes its name: of two captures for one interface one ends.
        assert_eq!(taken_over([("eth0", 2), ("eth1", 3)], [("eth0", 3)]), captures(&[(1, "eth0")]));
        assert_eq!(taken_over([("eth0", 2)], []), captures(&[]));
        let plan = Plan { captures: [(7, "eth1".to_owned())].into(), ..plan([("eth0", 2), ("eth1", 3)]) };
        assert_eq!(plan.uncaptured(), ["eth0"]);
    }

    #[test]
    fn an_interface_is_unopened_while_none_of_its_workers_has_it() {
        let control = ControlBlock::default();
        let unopened = |workers| control.unopened(workers).into_iter().collect::<Vec<_>>();
        control.record_refused("eth0", 0);
        control.record_refused("eth0", 0);
        assert_eq!((unopened(1), unopened(2)), (vec!["eth0".to_owned()], vec![]));
        control.record_refused("eth0", 1);
        assert_eq!(unopened(2), ["eth0"]);
        control.forget_refused("eth0", 1);
        assert!(unopened(2).is_empty());
    }
}
