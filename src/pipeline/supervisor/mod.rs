//! The live pipeline: its threads are started here, and the supervisor's thread starts and ends those that the plan
//! wants. [`super::planner`] makes the plan. Takes the settings; gives running threads. Must not know frames.

mod thread;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::accountant::Accountant;
use super::alarms::Alarms;
use super::clock::ClockObserver as _;
use super::control::ControlBlock;
use super::handover::WorkerMessage;
use super::heartbeat::{Heartbeat, PipelineProgress};
use super::notices::Notices;
use super::opening::check_first_tries;
use super::planner::Planner;
use super::reading::Readings;
use super::rings::Rings;
use super::settings::{SettingsInput, tick};
use super::threads::{Threads, spawn};
use super::watchdog;
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
use crate::capture::{self, selection};
use crate::detect::Notes;
use crate::evidence::RecorderSettings;
use crate::export::Published;
use crate::export::vitals::Vitals;
use crate::http::ScrapeReports;
use crate::kernel::Kernel;
use crate::locality;
use crate::os::threads::Needs;
use crate::policy::Networks;
use thread::Supervisor;

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
    /// Set once all threads have to end, even while the start is under way.
    pub stop: Arc<AtomicBool>,
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
    /// The input for new settings.
    pub fn settings_input(&self) -> SettingsInput {
        SettingsInput(Arc::clone(&self.control))
    }

    /// The progress of the threads, to be checked regularly.
    pub fn thread_progress(&self) -> PipelineProgress {
        PipelineProgress::new(Arc::clone(self.control.heartbeats()))
    }

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

/// Starts all threads; returns when each interface was opened or refused once. `on_open` is called when all are open; a
/// named interface that is down has to come up first. `on_failure` is called when the accountant or the supervisor has
/// panicked or is stuck; it should end the program.
///
/// # Errors
/// When an interface is unknown or named twice over, or nothing can be captured.
pub fn start<T: AlertSink + Send + 'static>(
    mut setup: Setup<T>,
    on_open: impl Fn() + Send + Sync + 'static,
    on_failure: impl FnOnce() + Send + 'static,
) -> Result<Running, Error> {
    check_workers(setup.capture.workers)?;
    let changes = Changes::open().map_err(capture::Error::from)?;
    let network = Network::read().map_err(capture::Error::from)?;
    let capture = selection::as_they_stand(&network, &setup.capture);
    selection::check_names(&network, &capture).map_err(capture::Error::from)?;
    let planner = Planner {
        capture,
        locality: setup.locality.clone(),
        policy: setup.policy.clone(),
        user_filter: setup.filter.clone(),
        grids: setup.alarms.grids(),
        tick: tick(&setup.pipeline),
    };
    let mut notices = Notices::default();
    let control = first_control(&planner, &network, &mut notices, Arc::clone(&setup.stop));
    let (full, messages) = channel();
    let heartbeats = ["accountant", "supervisor"].map(|thread| control.heartbeats().of_new_thread(thread));
    let vitals = setup.vitals.clone();
    let planning = (planner, notices, Arc::clone(&control));
    let supervisor = new_supervisor(&mut setup, planning, (network, changes), full, &heartbeats[1]);
    let accountant = new_accountant(setup, &control, messages, &heartbeats[0]);
    let accountant = spawn("accountant", Needs::Nothing, move || accountant.run())?;
    let supervisor = start_capturing(supervisor, Box::new(on_open))?;
    watchdog::start(heartbeats, &control, vitals, on_failure)?;
    Ok(Running { control, supervisor, accountant })
}

/// The accountant with empty accounts.
fn new_accountant<T>(
    setup: Setup<T>,
    control: &Arc<ControlBlock>,
    messages: Receiver<WorkerMessage>,
    heartbeat: &Arc<Heartbeat>,
) -> Accountant<T> {
    let mut ledger = setup.ledger;
    ledger.limit_overlap(LONGEST_OVERLAP);
    Accountant {
        heartbeat: Arc::clone(heartbeat),
        ledger,
        alarms: setup.alarms,
        evidence: setup.recording.as_ref().map(RecorderSettings::sender),
        watermarks: Watermarks::default(),
        snapshot_builder: setup.snapshot_builder,
        deliveries: Deliveries::default(),
        scraped: setup.scraped,
        counted_to: None,
        history: 0,
        reclassifies_until: None,
        plan: control.plan(),
        has_new_plan: false,
        messages,
        reporting: BTreeSet::new(),
        control: Arc::clone(control),
        published: setup.published,
        refresh: setup.pipeline.refresh,
    }
}

/// The supervisor without threads. It takes the kernel path out of the inputs.
fn new_supervisor<T: AlertSink>(
    setup: &mut Setup<T>,
    (planner, notices, control): (Planner, Notices, Arc<ControlBlock>),
    (network, changes): (Network, Changes),
    full: Sender<WorkerMessage>,
    heartbeat: &Arc<Heartbeat>,
) -> Supervisor {
    Supervisor {
        threads: Threads::new(planner.capture.workers),
        rings: Rings::new(&planner.capture, setup.vitals.clone()),
        planner,
        takes_kernel_path: setup.kernel.is_some(),
        kernel: setup.kernel.take(),
        vitals: setup.vitals.clone(),
        notices,
        network,
        unopened: BTreeSet::new(),
        changes,
        control,
        interval_rows: setup.pipeline.interval_rows,
        full,
        recording: setup.recording.clone(),
        seed: setup.seed,
        next_capture: 0,
        readings: Readings::new(Instant::now(), setup.vitals.clone()),
        unstarted: None,
        heartbeat: Arc::clone(heartbeat),
    }
}

/// Starts the capture threads, and the supervisor's own once each interface was opened or refused.
fn start_capturing(mut supervisor: Supervisor, on_open: Box<dyn Fn() + Send + Sync>) -> Result<JoinHandle<()>, Error> {
    let first = supervisor.start_threads(Some(on_open))?;
    if let Err(error) = check_first_tries(&first, &supervisor.network, &supervisor.planner.capture.selection) {
        supervisor.control.stop();
        supervisor.threads.join_all()?;
        return Err(error);
    }
    // It starts the threads of new interfaces, which inherit its rights.
    let needs = if supervisor.takes_kernel_path { Needs::Nothing } else { Needs::PacketSockets };
    spawn("supervisor", needs, move || supervisor.run())
}

fn first_control(
    planner: &Planner,
    network: &Network,
    notices: &mut Notices,
    stop: Arc<AtomicBool>,
) -> Arc<ControlBlock> {
    let planned = planner.plan(network, &BTreeSet::new());
    let masquerade = likely_masquerade(network, &selection::captured(network, &planner.capture));
    planned.notices.into_iter().chain(masquerade).for_each(|notice| notices.log(notice));
    if planned.plan.filters.is_empty() {
        tracing::warn!("no interface to capture is up; waiting for one (see `trafficmonitor interfaces`)");
    }
    Arc::new(ControlBlock::new(planned.plan, stop))
}
