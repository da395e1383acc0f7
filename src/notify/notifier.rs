//! The start and the end of the deliveries.
//!
//! Takes settings; gives a sink and figures. Must not know how notices are delivered. All deliveries run on one thread,
//! so that none can delay the capture.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::{Notify, oneshot, watch};

use super::client::{self, HttpClient};
use super::config::{Config, ReceiverConfig};
use super::delivery::{Lane, Phase, ReceiverDelivery, Settlements, Surroundings};
use super::endpoint::{EndpointError, ReceiverEndpoint};
use super::engine::{End, EndReason, Engine, IdleThread, report_removed};
use super::figures::ReceiverFigures;
use super::inbox::Inbox;
use super::intake::Intake;
use super::journal::{Journal, JournalError, JournalState, ReceiverState};
use super::queue::NoticeQueue;
use super::receivers::{self, Receiver};
use super::sink::NotificationSink;
use crate::alert::EvidenceIndex;

/// A fault that keeps deliveries from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A receiver's settings cannot be used.
    #[error("receiver {receiver}: {fault}")]
    Receiver {
        /// Its name.
        receiver: String,
        /// The fault.
        fault: EndpointError,
    },
    /// The file with the roots of TLS cannot be used.
    #[error("receiver {receiver}: {path}: {fault}; ca_file must be a PEM file with certificates")]
    Roots {
        /// Its name.
        receiver: String,
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// TLS cannot be used at all.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No thread or no runtime can be started.
    #[error("deliveries cannot start: {0}")]
    Thread(#[from] std::io::Error),
}

/// Longest time in which the receivers of an earlier configuration finish what is under way.
const LONGEST_HANDOVER: Duration = Duration::from_secs(2);

/// The running deliveries. They end with [`finish`](Self::finish), or without a last attempt when this is dropped.
#[derive(Debug)]
pub struct Notifier {
    sink: NotificationSink,
    lanes: Vec<Arc<Lane>>,
    journal_failures: Arc<AtomicU64>,
    stop: oneshot::Sender<End>,
    /// Disconnected at the end of the thread.
    ended: mpsc::Receiver<()>,
}

/// Receivers whose settings and secrets were read, and a thread that waits for them.
pub struct ReadyReceivers {
    config: Config,
    outlets: Vec<Outlet>,
    thread: IdleThread,
}

impl ReadyReceivers {
    /// Checks addresses, reads secrets and certificates, and starts the thread `notify`, which waits. Nothing is sent.
    ///
    /// # Errors
    /// If a receiver cannot be used, or no thread can be started.
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::with(config, receivers::of)
    }

    pub(super) fn with(config: Config, of: impl Fn(&ReceiverConfig) -> Box<dyn Receiver>) -> Result<Self, Error> {
        let outlets = outlets(&config.receivers, of)?;
        Ok(Self { config, outlets, thread: IdleThread::start()? })
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.outlets.is_empty()
    }

    /// Starts to deliver.
    ///
    /// # Errors
    /// If the state directory cannot be used.
    pub fn start(self, (evidence, host): (EvidenceIndex, String)) -> Result<Notifier, Error> {
        Notifier::start_ready(self, (evidence, host))
    }

    fn names(&self) -> Vec<String> {
        self.config.receivers.iter().map(|receiver| receiver.name.clone()).collect()
    }
}

impl Notifier {
    /// Starts the deliveries: checks addresses and secrets, starts the thread `notify`, opens the journal. To be called
    /// with the rights that the program keeps, because secret files are read again later.
    ///
    /// # Errors
    /// If a receiver or the state directory cannot be used, or no thread can be started.
    pub fn start(config: Config, evidence: EvidenceIndex, host: String) -> Result<Self, Error> {
        Self::start_with(config, evidence, host, receivers::of)
    }

    /// The same with other kinds of receivers, for tests.
    pub(super) fn start_with(
        config: Config,
        evidence: EvidenceIndex,
        host: String,
        of: impl Fn(&ReceiverConfig) -> Box<dyn Receiver>,
    ) -> Result<Self, Error> {
        Self::start_ready(ReadyReceivers::with(config, of)?, (evidence, host))
    }

    fn start_ready(ready: ReadyReceivers, surroundings: (EvidenceIndex, String)) -> Result<Self, Error> {
        let names = ready.names();
        let journal_failures = Arc::<AtomicU64>::default();
        let open = |state_dir| Journal::open(state_dir, &names, Arc::clone(&journal_failures));
        let journal = ready.config.state_dir.as_deref().map(open).transpose()?;
        let lanes = lanes(&names, &ready.outlets, journal.as_ref().map(Journal::state));
        let grace = ready.config.restart_grace;
        let parts = Parts::new(ready, surroundings, lanes);
        let (inbox, surroundings) = (Arc::clone(&parts.inbox), Arc::clone(&parts.surroundings));
        let intake = Intake::new(inbox, surroundings, parts.lanes.clone(), journal, grace);
        Ok(parts.start(intake, journal_failures))
    }

    /// Goes on with other receivers. A receiver of the same name keeps its figures, the notices that wait for it and the
    /// alerts that fire there. The deliveries of this end first; changes of alerts meanwhile go to the new sink, which
    /// `install` gets at once.
    pub fn hand_over(
        self,
        to: ReadyReceivers,
        (evidence, host): (EvidenceIndex, String),
        install: impl FnOnce(NotificationSink),
    ) -> Self {
        let (before, journal_failures) = (self.lanes.clone(), Arc::clone(&self.journal_failures));
        let of_name = |name: &str| before.iter().find(|lane| lane.name == name);
        let lanes = to.names().into_iter().zip(&to.outlets).map(|(name, outlet)| {
            let figures = of_name(&name).map(|lane| Arc::clone(&lane.figures)).unwrap_or_default();
            Arc::new(Lane::continuing(name, outlet.receiver.batching(), NoticeQueue::default(), figures))
        });
        let lanes: Vec<Arc<Lane>> = lanes.collect();
        let (names, state_dir) = (to.names(), to.config.state_dir.clone());
        let selections: Vec<_> = to.config.receivers.iter().map(|receiver| receiver.selection.clone()).collect();
        let parts = Parts::new(to, (evidence, host), lanes);
        install(parts.sink.clone());
        self.end(End { deadline: Instant::now() + LONGEST_HANDOVER, reason: EndReason::HandedOver });
        for lane in &before {
            match parts.lanes.iter().find(|next| next.name == lane.name) {
                Some(next) => {
                    let queue = lane.with_queue(NoticeQueue::hand_over);
                    next.with_queue(|empty| *empty = queue);
                }
                None => report_removed(lane),
            }
        }
        let open = |state_dir: PathBuf| Journal::open(&state_dir, &names, Arc::clone(&journal_failures));
        let journal = state_dir.map(open).transpose().unwrap_or_else(|error| {
            tracing::error!(%error, "alerts are delivered, but would not survive a restart");
            None
        });
        let (inbox, surroundings) = (Arc::clone(&parts.inbox), Arc::clone(&parts.surroundings));
        let intake = Intake::continuing(inbox, surroundings, parts.lanes.clone(), journal, &selections);
        parts.start(intake, journal_failures)
    }

    /// Checks that the journal could be opened now. Gives the state directory if another process uses it, so that a start
    /// would be refused. Nothing is created or changed.
    ///
    /// # Errors
    /// If the journal cannot be used.
    pub fn used_elsewhere(config: &Config) -> Result<Option<&Path>, JournalError> {
        let Some(directory) = config.state_dir.as_deref().filter(|_| !config.receivers.is_empty()) else {
            return Ok(None);
        };
        Ok(Journal::inspect(directory)?.then_some(directory))
    }

    /// A sink for the changes of alerts.
    pub fn sink(&self) -> NotificationSink {
        self.sink.clone()
    }

    /// The figures of each receiver, by its name.
    pub fn figures(&self) -> Vec<(String, Arc<ReceiverFigures>)> {
        self.sink.figures()
    }

    /// Number of writes to the journal that failed since the start.
    pub fn journal_failures(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.journal_failures)
    }

    /// Delivers what can be delivered until the deadline, and ends. The journal keeps the rest; without one it is lost,
    /// counted and logged.
    pub fn finish(self, deadline: Instant) {
        self.end(End { deadline, reason: EndReason::Stop });
    }

    /// The same where a reload has removed all receivers.
    pub fn remove(self, deadline: Instant) {
        self.end(End { deadline, reason: EndReason::Removed });
    }

    fn end(self, end: End) {
        /// Time for the last records.
        const LAST_WRITES: Duration = Duration::from_secs(5);
        if self.stop.send(end).is_ok() {
            let patience = end.deadline.saturating_duration_since(Instant::now()) + LAST_WRITES;
            if self.ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                tracing::warn!("deliveries did not end in time");
            }
        }
    }
}

/// The parts of the work, before it starts. All lists are in the order of the receivers.
struct Parts {
    inbox: Arc<Inbox>,
    surroundings: Arc<Surroundings>,
    lanes: Vec<Arc<Lane>>,
    deliveries: Vec<ReceiverDelivery>,
    phase: watch::Sender<Phase>,
    work: Arc<Notify>,
    sink: NotificationSink,
    is_kept: bool,
    thread: IdleThread,
}

impl Parts {
    fn new(ready: ReadyReceivers, (evidence, host): (EvidenceIndex, String), lanes: Vec<Arc<Lane>>) -> Self {
        let ReadyReceivers { config, outlets, thread } = ready;
        let work = Arc::new(Notify::new());
        let settlements = Settlements::new(Arc::clone(&work));
        let inbox = Arc::new(Inbox::new(Arc::clone(&work)));
        let surroundings = Arc::new(Surroundings {
            evidence,
            host,
            external_url: config.external_url,
            runbook_url: config.runbook_url,
            settlements,
        });
        let (phase, phases) = watch::channel(Phase::Running);
        let deliveries =
            lanes.iter().zip(outlets).zip(&config.receivers).map(|((lane, outlet), config)| ReceiverDelivery {
                lane: Arc::clone(lane),
                receiver: outlet.receiver,
                endpoint: outlet.endpoint,
                client: outlet.client,
                timeout: config.timeout,
                surroundings: Arc::clone(&surroundings),
                phase: phases.clone(),
            });
        let deliveries = deliveries.collect();
        let sink = NotificationSink::new(Arc::clone(&inbox), &config.receivers, &lanes);
        Self { inbox, surroundings, lanes, deliveries, phase, work, sink, is_kept: config.state_dir.is_some(), thread }
    }

    fn start(self, intake: Intake, journal_failures: Arc<AtomicU64>) -> Notifier {
        let Self { lanes, deliveries, phase, work, sink, is_kept, thread, .. } = self;
        let (stop, ended) = thread.work(Engine { intake, deliveries, lanes: lanes.clone(), phase, work, is_kept });
        Notifier { sink, lanes, journal_failures, stop, ended }
    }
}

/// The way out to a receiver.
struct Outlet {
    receiver: Box<dyn Receiver>,
    endpoint: ReceiverEndpoint,
    client: HttpClient,
}

fn outlets(
    configs: &[ReceiverConfig],
    of: impl Fn(&ReceiverConfig) -> Box<dyn Receiver>,
) -> Result<Vec<Outlet>, Error> {
    let mut system = None;
    let outlet = |config: &ReceiverConfig| {
        let name = || config.name.clone();
        let receiver = of(config);
        let endpoint = ReceiverEndpoint::new(config, receiver.default_url())
            .map_err(|fault| Error::Receiver { receiver: name(), fault })?;
        let tls = match &config.ca_file {
            Some(path) => {
                client::roots_of(path).map_err(|fault| Error::Roots { receiver: name(), path: path.clone(), fault })?
            }
            None if endpoint.may_use_tls() => system_roots(&mut system)?,
            None => client::no_roots()?,
        };
        Ok(Outlet { receiver, endpoint, client: HttpClient::new(tls) })
    };
    configs.iter().map(outlet).collect()
}

/// The roots of the system, which are read once.
fn system_roots(read: &mut Option<ClientConfig>) -> Result<ClientConfig, rustls::Error> {
    match read {
        Some(roots) => Ok(roots.clone()),
        None => client::system_roots().map(|roots| read.insert(roots).clone()),
    }
}

fn lanes(names: &[String], outlets: &[Outlet], state: Option<&JournalState>) -> Vec<Arc<Lane>> {
    let lane = |(name, outlet): (&String, &Outlet)| {
        let state = state.and_then(|state| state.receivers.get(name)).cloned();
        let ReceiverState { waiting, firing } = state.unwrap_or_default();
        let queue = NoticeQueue::restored(waiting.into_values(), firing);
        Arc::new(Lane::new(name.clone(), outlet.receiver.batching(), queue))
    };
    names.iter().zip(outlets).map(lane).collect()
}
