//! The loop of the kernel path: attaches the program to the interfaces of the plan, and hands over what the kernel
//! counted at the end of each time cell. Takes the plan; gives full intervals. Must not know the ledger, nor maps.

mod captured;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use ipnet::IpNet;

use super::Error;
use super::cells::Cells;
use super::control::{CaptureNumber, ControlBlock, Plan};
use super::handover::{Exchange, WorkerMessage};
use super::heartbeat::Heartbeat;
use super::opening::{FirstTry, Opening};
use crate::account::interval::KernelSums;
use crate::account::snapshot::{Coverage, CoverageObstacle};
use crate::capture::Selection;
use crate::capture::live::Statistics;
use crate::decode::{Decoder, UnsupportedLinkType};
use crate::export::vitals::Vitals;
use crate::kernel::{self, Kernel, KernelInterval};
use crate::packet::{LinkType, Timestamp};
use crate::policy::Networks;
use captured::Captured;

/// The name of the thread.
pub(super) const THREAD: &str = "kernel";
/// Interval at which the kernel's rings are read.
const READ_INTERVAL: Duration = Duration::from_millis(20);
/// Pause before an interface that cannot be attached is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Interval at which the loop checks that the program is still attached.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The kernel ends an interval this long after the end of the time cell, so that the last packets of the cell are in.
const AFTER_CELL: Duration = Duration::from_millis(1);

/// The parts of each interface's exchange.
pub(super) struct Exchanges {
    pub full: Sender<WorkerMessage>,
    pub interval_rows: usize,
    pub seed: u64,
    pub vitals: Vitals,
}

/// Captures all interfaces by the kernel path until it is stopped.
pub(super) struct KernelLoop {
    kernel: Kernel,
    control: Arc<ControlBlock>,
    exchanges: Exchanges,
    selection: Selection,
    first_try: Option<Sender<FirstTry>>,
    opening: Option<Opening>,
    decoder: Decoder,
    captured: BTreeMap<CaptureNumber, Captured>,
    plan: Arc<Plan>,
    /// The local networks that the kernel has.
    local: Vec<IpNet>,
    /// The networks by which the kernel judges: those of the plan, unless the kernel has refused them.
    policy: Option<Arc<Networks>>,
    /// The time cells, to know their ends.
    cells: Cells,
    /// The time at which the present interval began.
    since: Timestamp,
    /// The reason why each capture could not be attached, and the time of the next try.
    refused: BTreeMap<CaptureNumber, (String, Instant)>,
    /// The time of the next check of the attachments.
    next_check: Instant,
    heartbeat: Arc<Heartbeat>,
}

impl KernelLoop {
    pub(super) fn new(
        kernel: Kernel,
        control: Arc<ControlBlock>,
        exchanges: Exchanges,
        selection: Selection,
        (first_try, opening): (Sender<FirstTry>, Option<Opening>),
    ) -> Self {
        const ETHERNET: LinkType = LinkType(1);
        Self {
            kernel,
            exchanges,
            selection,
            first_try: Some(first_try),
            opening,
            decoder: Decoder::new(ETHERNET).unwrap_or_else(|unsupported: UnsupportedLinkType| unsupported.decoder()),
            captured: BTreeMap::new(),
            plan: Arc::default(),
            local: Vec::new(),
            policy: None,
            cells: Cells::of(Vec::new()),
            since: now(),
            refused: BTreeMap::new(),
            next_check: Instant::now() + CHECK_INTERVAL,
            heartbeat: control.heartbeats().of_new_thread(THREAD),
            control,
        }
    }

    /// The body of the thread.
    pub(super) fn run(mut self) {
        while !self.control.is_stopping() {
            self.heartbeat.beat();
            self.follow();
            self.first_try = None;
            self.keep_attached();
            self.wait();
            // At the end the last interval is read after the program is detached, and reading takes time.
            if !self.control.is_stopping() {
                self.end_interval();
            }
        }
        self.stop();
    }

    /// Reads the rings until the interval has to end.
    fn wait(&mut self) {
        let until = Instant::now() + self.time_left();
        let plan = Arc::clone(&self.plan);
        while Instant::now() < until && !self.control.is_stopping() && Arc::ptr_eq(&plan, &self.control.plan()) {
            self.heartbeat.beat();
            self.kernel.wait_for_records(READ_INTERVAL.min(until.saturating_duration_since(Instant::now())));
            self.kernel.read_rings();
        }
    }

    /// Time until the present cell or the tick ends.
    fn time_left(&mut self) -> Duration {
        if !self.cells.contain(self.since) {
            self.cells.enter(self.since);
        }
        let left = (self.cells.end() + AFTER_CELL).since(now());
        left.min(self.plan.tick)
    }

    /// Attaches and detaches by the plan, and follows renames and the local networks.
    fn follow(&mut self) {
        let plan = self.control.plan();
        if !Arc::ptr_eq(&plan, &self.plan) {
            self.follow_local(&plan);
            self.follow_policy(&plan);
            self.detach_unwanted(&plan);
            if plan.grids != self.plan.grids {
                self.cells = Cells::of(plan.grids.clone());
            }
            self.captured.values_mut().for_each(|captured| {
                captured.exchange.follow_grids(&plan.grids);
                captured.exchange.classify_by(&plan.classifier);
            });
        }
        self.plan = plan;
        self.attach_missing();
    }

    /// Sets the local networks of the kernel. Those that it refuses are tried again with the next plan.
    fn follow_local(&mut self, plan: &Plan) {
        if plan.local == self.local {
            return;
        }
        match self.kernel.set_local(&plan.local) {
            Ok(()) => self.local.clone_from(&plan.local),
            Err(error) => {
                tracing::error!(%error, "packets without a conversation count by the former local networks")
            }
        }
    }

    /// Lets the kernel judge by the plan's networks, from the next interval on. What the kernel refuses changes nothing.
    fn follow_policy(&mut self, plan: &Plan) {
        if plan.policy == self.policy {
            return;
        }
        match self.kernel.set_policy(plan.policy.as_deref()) {
            Ok(()) => {
                // The packets so far were judged by the former networks.
                self.end_interval();
                self.policy.clone_from(&plan.policy);
                self.captured.values_mut().for_each(|captured| captured.exchange.judge_by(self.policy.as_ref()));
            }
            Err(error) => {
                tracing::error!(%error, "the former permitted networks stay in force");
                self.control.note_refusal(Error::RefusedPolicy);
            }
        }
    }

    /// Ends the captures that the plan does not have, or whose name belongs to another interface now.
    fn detach_unwanted(&mut self, plan: &Plan) {
        let is_unwanted = |number: &CaptureNumber, captured: &Captured| match plan.captures.get(number) {
            None => true,
            Some(name) => plan.indexes.get(name).is_some_and(|&index| index != captured.index),
        };
        let unwanted: Vec<CaptureNumber> = self
            .captured
            .iter()
            .filter(|(number, captured)| is_unwanted(number, captured))
            .map(|(&number, _)| number)
            .collect();
        unwanted.iter().filter_map(|number| self.captured.get(number)).for_each(|captured| {
            self.kernel.detach(captured.index);
        });
        if !unwanted.is_empty() {
            self.end_interval();
        }
        for mut captured in unwanted.into_iter().filter_map(|number| self.captured.remove(&number)) {
            self.kernel.forget(captured.index);
            captured.exchange.hand_over_last();
            tracing::info!(interface = captured.interface, "the kernel path has left the interface");
        }
        self.refused.retain(|number, _| plan.captures.contains_key(number));
        for (number, captured) in &mut self.captured {
            if let Some(name) = plan.captures.get(number).filter(|name| **name != captured.interface) {
                tracing::info!(
                    interface = captured.interface,
                    name,
                    "the interface has another name now; capturing goes on"
                );
                captured.exchange.rename(name);
                captured.interface.clone_from(name);
            }
        }
    }

    /// Attaches the program to the interfaces of the plan that lack it.
    fn attach_missing(&mut self) {
        let plan = Arc::clone(&self.plan);
        let now = Instant::now();
        for (&number, name) in &plan.captures {
            if self.control.is_stopping() {
                return;
            }
            let is_due = self.refused.get(&number).is_none_or(|(_, next)| *next <= now);
            if !self.captured.contains_key(&number) && is_due {
                self.attach(number, name, &plan);
            }
        }
    }

    /// Attaches the program again where another process has detached it.
    fn keep_attached(&mut self) {
        if Instant::now() < self.next_check {
            return;
        }
        self.next_check = Instant::now() + CHECK_INTERVAL;
        for captured in self.captured.values_mut() {
            let checked = self.kernel.keep_attached(captured.index, &captured.interface);
            if captured.note_attachment(checked) {
                self.exchanges.vitals.count_reattached();
            }
        }
    }

    fn attach(&mut self, number: CaptureNumber, name: &str, plan: &Plan) {
        let Some(&index) = plan.indexes.get(name) else { return };
        let attached = self.kernel.attach(index, name);
        match &attached {
            Ok(hook) => {
                tracing::info!(interface = name, hook, "capturing");
                let Exchanges { full, interval_rows, seed, .. } = &self.exchanges;
                let thread = (name.to_owned(), 0);
                let exchange = Exchange::new(thread, full.clone(), &plan.classifier, plan.grids.clone(), *seed)
                    .bounded(*interval_rows)
                    .judged_by(self.policy.as_ref());
                self.captured.insert(number, Captured::new(name, index, exchange));
                self.control.forget_refused(name, 0);
                let is_counted = self.refused.remove(&number).is_some() && self.selection == Selection::All;
                self.opening.iter().filter(|_| !is_counted).for_each(Opening::count_opened);
            }
            Err(error) => self.refuse(number, name, error),
        }
        if let Some(first_try) = &self.first_try {
            let result = attached.map(drop).map_err(Into::into);
            if first_try.send(FirstTry { interface: name.to_owned(), result }).is_err() {
                tracing::trace!(interface = name, "the result of opening is not needed any more");
            }
        }
    }

    /// Notes that an interface cannot be attached. Each reason is logged once while it lasts.
    fn refuse(&mut self, number: CaptureNumber, name: &str, error: &kernel::Error) {
        let next = Instant::now() + RETRY_INTERVAL;
        let reason = error.to_string();
        let before = self.refused.insert(number, (reason.clone(), next));
        if before.as_ref().is_none_or(|(before, _)| *before != reason) {
            if self.first_try.is_none() {
                tracing::warn!(interface = name, %error, "cannot capture; retrying");
            }
            if self.plan.up.contains(name) {
                self.control.record_refused(name, 0);
            }
        }
        // With `all`, the interfaces that can be attached are captured.
        if before.is_none() && self.selection == Selection::All {
            self.opening.iter().for_each(Opening::count_opened);
        }
    }

    /// Ends the kernel's interval and hands it over.
    fn end_interval(&mut self) {
        let began = std::mem::replace(&mut self.since, now());
        match self.kernel.take_interval() {
            Ok(interval) => self.count(began, interval),
            Err(error) => {
                // The kernel fills the other maps now, and goes back to these at the end of the next interval.
                tracing::error!(%error, "the kernel's counters cannot be read; they are read at the end of the interval after the next")
            }
        }
    }

    /// Counts an interval of the kernel that began at this time.
    fn count(&mut self, began: Timestamp, taken: KernelInterval) {
        let clock = self.since;
        // Lost records have no interface; the first one counts them.
        if let Some(captured) = self.captured.values_mut().next() {
            captured.exchange.reports().suppressed_packets += taken.violations_lost;
            let (messages_lost, events_lost) = (taken.messages_lost, taken.violations_lost);
            let lost = KernelSums { messages_lost, events_lost, ..KernelSums::default() };
            captured.filling(began).add_kernel_sums(&lost);
        }
        for captured in self.captured.values_mut() {
            let part = taken.of(captured.index);
            captured.set_up(self.plan.up.contains(&captured.interface));
            captured.report(&self.decoder, self.policy.as_deref(), &part);
            captured.count(began, &self.decoder, &part);
            let received = std::mem::take(&mut captured.received);
            let coverage = Coverage { obstacle: Some(CoverageObstacle::KernelPath), ..Coverage::default() };
            captured.exchange.record(Statistics { received, ..Statistics::default() }, coverage);
            captured.exchange.hand_over_patiently();
            self.heartbeat.beat();
            captured.exchange.pass(clock, Duration::ZERO);
        }
    }

    /// Detaches everything, and hands over what is left.
    fn stop(mut self) {
        self.captured.values().for_each(|captured| self.kernel.detach(captured.index));
        self.end_interval();
        for (_, mut captured) in std::mem::take(&mut self.captured) {
            self.kernel.forget(captured.index);
            captured.exchange.hand_over_last();
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
