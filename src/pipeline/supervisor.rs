//! The supervisor: starts and ends the threads that the plan wants, and reads the network when it changes.
//! [`super::planner`] makes the plan. Takes the settings and changes of the network; gives plans and running threads.
//! Must not know frames.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::accountant::Accountant;
use super::alarms::Alarms;
use super::capture_loop::CaptureLoop;
use super::clock::ClockObserver as _;
use super::control::{CaptureNumber, ControlBlock, Plan};
use super::handover::{Exchange, WorkerMessage};
use super::kernel_loop::{Exchanges, KernelLoop};
use super::notices::{Notices, log_changes};
use super::opening::{FirstTry, Opening, check_first_tries};
use super::planner::Planner;
use super::reading::Readings;
use super::rings::{self, Rings};
use super::threads::{Threads, spawn};
use super::watchdog::{self, Heartbeat};
use super::watermarks::Watermarks;
use super::{Config, Error, check_workers};
use crate::account::delivery::Deliveries;
use crate::account::ledger::Ledger;
use crate::account::snapshot::Snapshot;
use crate::account::snapshot_builder::SnapshotBuilder;
use crate::alert::AlertSink;
use crate::capture::filter::UserFilter;
use crate::capture::masquerade::likely_masquerade;
use crate::capture::network::{Changes, Network};
use crate::capture::{self, Selection, selection};
use crate::detect::Notes;
use crate::evidence::RecorderSettings;
use crate::export::Published;
use crate::export::vitals::Vitals;
use crate::http::ScrapeReports;
use crate::kernel::Kernel;
use crate::locality;
use crate::policy::Networks;
use crate::time_grid::TimeGrid;

/// Interval at which the supervisor checks whether to stop, while the network is quiet.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// The longest tick. A tick is the time between two hand-overs.
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// The most time by which two intervals that are merged in a row may overlap: a tick, and a delay of the accountant.
const LONGEST_OVERLAP: Duration = Duration::from_secs(5);

/// The inputs of the live pipeline.
pub struct Setup<T> {
    /// The interfaces to capture and how.
    pub capture: capture::Config,
    /// The user's filter of the same configuration, compiled.
    pub filter: Option<Arc<UserFilter>>,
    /// The kernel path, where it captures in the place of libpcap.
    pub kernel: Option<Kernel>,
    /// The local networks.
    pub locality: locality::Config,
    /// The permitted networks; none without a policy.
    pub policy: Option<Arc<Networks>>,
    /// Settings of the pipeline.
    pub pipeline: Config,
    /// Empty accounts.
    pub ledger: Ledger<Notes>,
    /// The detectors, and the receiver of alerts.
    pub alarms: Alarms<T>,
    /// Keeps packets as evidence, if that is configured.
    pub recording: Option<RecorderSettings>,
    /// Makes snapshots of the ledger.
    pub snapshot_builder: SnapshotBuilder,
    /// Reports of scrapes from http.
    pub scraped: ScrapeReports,
    /// Snapshots are published here.
    pub published: Arc<Published>,
    /// The figures about threads, network and rings.
    pub vitals: Vitals,
    /// As for [`crate::account::interval::Interval::new`].
    pub seed: u64,
}

/// The running pipeline.
pub struct Running {
    control: Arc<ControlBlock>,
    supervisor: JoinHandle<()>,
    accountant: JoinHandle<Snapshot>,
}

impl Running {
    /// Stops all threads.
    pub fn stop(&self) {
        self.control.stop();
    }

    /// Waits for all threads; gives the final accounts.
    ///
    /// # Errors
    /// When a thread panicked.
    pub fn join(self) -> Result<Snapshot, Error> {
        self.supervisor.join().map_err(|_| Error::Panicked)?;
        self.accountant.join().map_err(|_| Error::Panicked)
    }
}

/// The time between two hand-overs of a capture thread, unless a shorter time cell ends before.
pub fn tick(config: &Config) -> Duration {
    config.refresh.min(LONGEST_TICK)
}

/// Starts all threads; returns when each interface was opened or refused once. `on_open` is called when all are open; a
/// named interface that is down has to come up first. `on_failure` is called when the accountant or the supervisor has
/// panicked or is stuck; it should end the program.
///
/// # Errors
/// When an interface is unknown or named twice over, or nothing can be captured.
pub fn start<T: AlertSink + Send + 'static>(
    setup: Setup<T>,
    on_open: impl Fn() + Send + Sync + 'static,
    on_failure: impl FnOnce() + Send + 'static,
) -> Result<Running, Error> {
    check_workers(setup.capture.workers)?;
    let changes = Changes::open().map_err(capture::Error::from)?;
    let network = Network::read().map_err(capture::Error::from)?;
    let capture = selection::as_they_stand(&network, &setup.capture);
    selection::check_names(&network, &capture).map_err(capture::Error::from)?;
    let (full, messages) = channel();
    let planner = Planner { capture, locality: setup.locality, policy: setup.policy };
    let mut notices = Notices::default();
    let control = first_control(&planner, &network, &mut notices);
    let mut ledger = setup.ledger;
    ledger.limit_overlap(LONGEST_OVERLAP);
    let grids = setup.alarms.grids();
    let heartbeats = [(); 2].map(|()| Arc::new(Heartbeat::default()));
    let accountant = Accountant {
        heartbeat: Arc::clone(&heartbeats[0]),
        ledger,
        alarms: setup.alarms,
        evidence: setup.recording.as_ref().map(RecorderSettings::sender),
        watermarks: Watermarks::default(),
        snapshot_builder: setup.snapshot_builder,
        deliveries: Deliveries::default(),
        scraped: setup.scraped,
        counted_to: None,
        plan: control.plan(),
        messages,
        reporting: BTreeSet::new(),
        control: Arc::clone(&control),
        published: setup.published,
        refresh: setup.pipeline.refresh,
    };
    let accountant = spawn("accountant", move || accountant.run())?;
    let tick = tick(&setup.pipeline);
    let supervisor = Supervisor {
        threads: Threads::new(planner.capture.workers),
        rings: Rings::new(&planner.capture.selection, setup.vitals.clone()),
        planner,
        filter: setup.filter,
        takes_kernel_path: setup.kernel.is_some(),
        kernel: setup.kernel,
        notices,
        network,
        unopened: BTreeSet::new(),
        changes,
        control: Arc::clone(&control),
        tick,
        grids,
        full,
        recording: setup.recording,
        seed: setup.seed,
        next_capture: 0,
        readings: Readings::new(Instant::now(), setup.vitals.clone()),
        unstarted: None,
        heartbeat: Arc::clone(&heartbeats[1]),
    };
    let supervisor = start_capturing(supervisor, Box::new(on_open))?;
    watchdog::start(heartbeats, &control, setup.vitals, on_failure)?;
    Ok(Running { control, supervisor, accountant })
}

/// Starts the capture threads, and the supervisor's own once each interface was opened or refused.
fn start_capturing(mut supervisor: Supervisor, on_open: Box<dyn Fn() + Send + Sync>) -> Result<JoinHandle<()>, Error> {
    let first = supervisor.start_threads(Some(on_open))?;
    if let Err(error) = check_first_tries(&first, &supervisor.network, &supervisor.planner.capture.selection) {
        supervisor.control.stop();
        supervisor.threads.join_all()?;
        return Err(error);
    }
    spawn("supervisor", move || supervisor.run())
}

fn first_control(planner: &Planner, network: &Network, notices: &mut Notices) -> Arc<ControlBlock> {
    let planned = planner.plan(network, &BTreeSet::new());
    let masquerade = likely_masquerade(network, &selection::captured(network, &planner.capture));
    planned.notices.into_iter().chain(masquerade).for_each(|notice| notices.log(notice));
    if planned.plan.filters.is_empty() {
        tracing::warn!("no interface to capture is up; waiting for one (see `trafficmonitor interfaces`)");
    }
    Arc::new(ControlBlock::new(planned.plan))
}

struct Supervisor {
    planner: Planner,
    filter: Option<Arc<UserFilter>>,
    /// True if the kernel path captures.
    takes_kernel_path: bool,
    /// The kernel path, until its thread is started.
    kernel: Option<Kernel>,
    notices: Notices,
    network: Network,
    /// The interfaces that could not be opened when the plan was made.
    unopened: BTreeSet<String>,
    changes: Changes,
    control: Arc<ControlBlock>,
    tick: Duration,
    grids: Vec<TimeGrid>,
    full: Sender<WorkerMessage>,
    recording: Option<RecorderSettings>,
    seed: u64,
    next_capture: CaptureNumber,
    threads: Threads,
    rings: Arc<Rings>,
    readings: Readings,
    /// The last error when a capture thread was started.
    unstarted: Option<String>,
    heartbeat: Arc<Heartbeat>,
}

impl Supervisor {
    /// The body of the thread: replaces the plan when the network changes, until the program stops.
    fn run(mut self) {
        let _guard = self.heartbeat.running_guard();
        while !self.control.is_stopping() {
            self.heartbeat.beat();
            self.wait_for_changes();
            if self.readings.is_due(Instant::now()) {
                self.follow();
            }
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
    fn start_threads(&mut self, on_open: Option<Box<dyn Fn() + Send + Sync>>) -> Result<Receiver<FirstTry>, Error> {
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
        for (number, interface, worker) in self.threads.missing(&plan) {
            let thread = (interface.clone(), worker);
            let capture_loop = CaptureLoop {
                number,
                worker,
                fanout: self.threads.fanout(number),
                config: self.planner.capture.clone(),
                rings: Arc::clone(&self.rings),
                user_filter: self.filter.clone(),
                tick: self.tick,
                control: Arc::clone(&self.control),
                exchange: Exchange::new(thread, self.full.clone(), &plan.classifier, self.grids.clone(), self.seed)
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

    /// Starts the thread that captures all interfaces by the kernel path, once.
    fn start_kernel(
        &mut self,
        first_try: Sender<FirstTry>,
        on_open: Option<Box<dyn Fn() + Send + Sync>>,
    ) -> Result<(), Error> {
        let Some(kernel) = self.kernel.take() else { return Ok(()) };
        let interfaces = self.control.plan().captures.len();
        let opening = on_open.map(|on_open| Opening::new(interfaces, on_open));
        let exchanges = Exchanges { full: self.full.clone(), grids: self.grids.clone(), seed: self.seed };
        let settings = (self.tick, self.planner.capture.selection.clone());
        let control = Arc::clone(&self.control);
        self.threads.start_kernel(KernelLoop::new(kernel, control, exchanges, settings, (first_try, opening)))
    }
}
