//! The supervisor's thread: replaces the plan when the network changes, and starts the threads that it wants. Takes changes
//! of the network; gives plans and capture threads. Must not know frames.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::capture::Selection;
use crate::capture::network::{Changes, Network};
use crate::evidence::RecorderSettings;
use crate::export::vitals::Vitals;
use crate::kernel::{Kernel, leftovers};
use crate::pipeline::Error;
use crate::pipeline::capture_loop::CaptureLoop;
use crate::pipeline::control::{CaptureNumber, ControlBlock, Plan, PlanSettings};
use crate::pipeline::handover::{Exchange, WorkerMessage};
use crate::pipeline::heartbeat::Heartbeat;
use crate::pipeline::kernel_loop::{Exchanges, KernelLoop};
use crate::pipeline::notices::{Notices, log_changes};
use crate::pipeline::opening::{FirstTry, Opening};
use crate::pipeline::planner::Planner;
use crate::pipeline::reading::Readings;
use crate::pipeline::rings::{self, Rings};
use crate::pipeline::threads::{Threads, thread_name};

/// Interval at which the supervisor checks whether to stop, while the network is quiet.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Supervisor {
    pub(super) planner: Planner,
    /// True if the kernel path captures.
    pub(super) takes_kernel_path: bool,
    /// The kernel path, until its thread is started.
    pub(super) kernel: Option<Kernel>,
    pub(super) vitals: Vitals,
    pub(super) notices: Notices,
    pub(super) network: Network,
    /// The interfaces that could not be opened when the plan was made.
    pub(super) unopened: BTreeSet<String>,
    pub(super) changes: Changes,
    pub(super) control: Arc<ControlBlock>,
    /// The most rows of each IP version in an interval.
    pub(super) interval_rows: usize,
    pub(super) full: Sender<WorkerMessage>,
    pub(super) recording: Option<RecorderSettings>,
    pub(super) seed: u64,
    pub(super) next_capture: CaptureNumber,
    pub(super) threads: Threads,
    pub(super) rings: Arc<Rings>,
    pub(super) readings: Readings,
    /// The last error when a capture thread was started.
    pub(super) unstarted: Option<String>,
    pub(super) heartbeat: Arc<Heartbeat>,
}

impl Supervisor {
    /// The body of the thread: replaces the plan when the network changes, until the program stops.
    pub(super) fn run(mut self) {
        let _guard = self.heartbeat.running_guard();
        while !self.control.is_stopping() {
            self.heartbeat.beat();
            self.wait_for_changes();
            if self.readings.is_due(Instant::now()) {
                self.follow();
            }
            self.follow_settings();
            self.follow_openings();
            if self.threads.has_kernel_ended() && !self.control.is_stopping() {
                tracing::error!("the thread of the kernel path has ended; this is a bug in trafficmonitor");
                break;
            }
            // A thread may have ended just before its interface was wanted again.
            self.start_missing_threads();
        }
        if self.threads.join_all().is_err() {
            tracing::error!("a capture thread panicked");
        }
    }

    /// Waits a moment for changes of the network. While there is no listener, every call assumes a change.
    fn wait_for_changes(&mut self) {
        match self.changes.wait(CHECK_INTERVAL) {
            Ok(false) => {}
            Ok(true) => self.readings.note_change(),
            Err(error) => {
                self.notices.log_once("changes", &format!("cannot watch for interface and route changes: {error}"));
                thread::sleep(CHECK_INTERVAL);
                if let Ok(changes) = Changes::open() {
                    self.changes = changes;
                }
                self.readings.note_change();
            }
        }
    }

    /// Makes a new plan if the network has changed.
    fn follow(&mut self) {
        let started = Instant::now();
        match Network::read() {
            Ok(network) => {
                self.readings.note_success(started, Instant::now());
                if network != self.network {
                    self.network = network;
                    self.renew_plan();
                }
            }
            Err(error) => self.readings.note_failure(Instant::now(), &error),
        }
    }

    /// Makes a new plan if other interfaces than before cannot be opened.
    fn follow_openings(&mut self) {
        let unopened = self.control.unopened(self.planner.capture.workers);
        if unopened != self.unopened {
            self.unopened = unopened;
            self.renew_plan();
        }
    }

    /// Makes a new plan if there are new settings.
    fn follow_settings(&mut self) {
        let Some(settings) = self.control.take_plan_settings() else { return };
        let PlanSettings { locality, policy, filter, grids, tick, taken } = settings;
        let planner = &mut self.planner;
        (planner.locality, planner.policy, planner.grids, planner.tick) = (locality, policy, grids, tick);
        // Capture threads find the filter compiled: they have no time to wait for it.
        match filter.as_ref().map_or(Ok(()), |filter| self.control.check_filter(filter)) {
            Ok(()) => planner.user_filter = filter,
            Err(error) => self.control.note_refusal(error.into()),
        }
        self.renew_plan();
        drop(taken);
    }

    fn renew_plan(&mut self) {
        let planned = self.planner.plan(&self.network, &self.unopened);
        planned.notices.into_iter().for_each(|notice| self.notices.log(notice));
        let (before, mut plan) = (self.control.plan(), planned.plan);
        plan.inherit_captures(&before);
        if let Selection::Named(names) = &self.planner.capture.selection {
            log_changes(names, &before, &plan, |name| self.network.named(name).is_some());
        }
        self.replace_plan(plan);
    }

    fn replace_plan(&mut self, plan: Plan) {
        self.threads.follow_names(&plan);
        if plan != *self.control.plan() {
            self.control.replace_plan(plan);
        }
    }

    /// Gives a capture number to each interface without a capture. An interface whose last capture is still ending
    /// waits: otherwise two captures would report about it.
    fn number_captures(&mut self) {
        let plan = self.control.plan();
        let missing = plan.uncaptured().into_iter().filter(|name| !self.threads.is_ending(name, &plan));
        let numbered: Vec<(CaptureNumber, String)> = (self.next_capture..).zip(missing.cloned()).collect();
        if let Some(&(last, _)) = numbered.last() {
            self.next_capture = last + 1;
            let mut plan = Plan::clone(&plan);
            plan.captures.extend(numbered);
            self.replace_plan(plan);
        }
    }

    fn start_missing_threads(&mut self) {
        let unstarted = self.start_threads(None).err().map(|error| error.to_string());
        if unstarted != self.unstarted
            && let Some(error) = &unstarted
        {
            tracing::error!(error, "cannot start a capture thread; retrying");
        }
        self.unstarted = unstarted;
    }

    /// Starts the threads that the plan lacks. With `on_open`, at the start, gives the results of their first tries.
    pub(super) fn start_threads(
        &mut self,
        on_open: Option<Box<dyn Fn() + Send + Sync>>,
    ) -> Result<Receiver<FirstTry>, Error> {
        let (first_try, first_tries) = channel();
        self.threads.join_finished();
        self.number_captures();
        if self.takes_kernel_path {
            self.start_kernel(first_try, on_open)?;
            return Ok(first_tries);
        }
        let plan = self.control.plan();
        let handles = plan.filters.len() * self.planner.capture.workers;
        let notice = rings::notice(&self.planner.capture, handles);
        notice.iter().for_each(|notice| self.notices.log_once("rings", notice));
        let opening = on_open.map(|on_open| Arc::new(Opening::new(handles, on_open)));
        let missing = self.threads.missing(&plan);
        self.remove_leftovers(missing.iter().map(|(_, interface, _)| interface.as_str()).collect());
        for (number, interface, worker) in missing {
            let thread = (interface.clone(), worker);
            let name = thread_name(&interface, worker, self.planner.capture.workers);
            let capture_loop = CaptureLoop {
                number,
                worker,
                heartbeat: self.control.heartbeats().of_new_thread(&name),
                name,
                fanout: self.threads.fanout(number),
                config: self.planner.capture.clone(),
                rings: Arc::clone(&self.rings),
                control: Arc::clone(&self.control),
                exchange: Exchange::new(thread, self.full.clone(), &plan.classifier, plan.grids.clone(), self.seed)
                    .bounded(self.interval_rows)
                    .judged_by(plan.policy.as_ref()),
                recording: self.recording.clone(),
                interface,
                first_try: opening.is_some().then(|| first_try.clone()),
                opening: opening.clone(),
                refused: None,
            };
            self.threads.start(capture_loop)?;
        }
        Ok(first_tries)
    }

    /// Removes what the kernel path of a killed process left on interfaces that libpcap is about to capture.
    fn remove_leftovers(&self, interfaces: BTreeSet<&str>) {
        let is_any = self.planner.capture.selection == Selection::Any && !interfaces.is_empty();
        let links = self.network.links.iter().filter(|link| is_any || interfaces.contains(link.name.as_str()));
        links.for_each(|link| leftovers::remove(link.index, &link.name));
    }

    /// Starts the thread that captures all interfaces by the kernel path, once.
    fn start_kernel(
        &mut self,
        first_try: Sender<FirstTry>,
        on_open: Option<Box<dyn Fn() + Send + Sync>>,
    ) -> Result<(), Error> {
        let Some(kernel) = self.kernel.take() else { return Ok(()) };
        let interfaces = self.control.plan().captures.len();
        let opening = on_open.map(|on_open| Opening::new(interfaces, on_open));
        let exchanges = Exchanges {
            full: self.full.clone(),
            interval_rows: self.interval_rows,
            seed: self.seed,
            vitals: self.vitals.clone(),
        };
        let selection = self.planner.capture.selection.clone();
        let control = Arc::clone(&self.control);
        self.threads.start_kernel(KernelLoop::new(kernel, control, exchanges, selection, (first_try, opening)))
    }
}
