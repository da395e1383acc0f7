//! The start and the end of the deliveries, and the sink for changes of alerts.
//!
//! Takes settings; gives a sink and figures. Must not know how notices are delivered. All deliveries run on one thread,
//! so that none can delay the capture.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::client::{self, HttpClient};
use super::config::{AlertSelection, Config, ReceiverConfig};
use super::delivery::{Lane, Phase, ReceiverDelivery, Settlements, Surroundings, now};
use super::endpoint::{EndpointError, ReceiverEndpoint};
use super::figures::{FailureReason, ReceiverFigures};
use super::inbox::{Arrival, Inbox, Receivers};
use super::intake::Intake;
use super::journal::{Journal, JournalError, JournalState, ReceiverState};
use super::notice::Notice;
use super::queue::NoticeQueue;
use super::receivers::{self, Receiver};
use crate::alert::{AlertSink, Change, EvidenceIndex};

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

/// The running deliveries. They end with [`finish`](Self::finish), or without a last attempt when this is dropped.
#[derive(Debug)]
pub struct Notifier {
    sink: NotificationSink,
    journal_failures: Arc<AtomicU64>,
    stop: oneshot::Sender<Instant>,
    /// Disconnected at the end of the thread.
    ended: mpsc::Receiver<()>,
}

/// Hands changes of alerts over to their receivers. Never waits; what does not fit is counted.
#[derive(Debug, Clone)]
pub struct NotificationSink {
    inbox: Arc<Inbox>,
    receivers: Arc<[Addressee]>,
}

/// A receiver, as the sink knows it.
#[derive(Debug)]
struct Addressee {
    name: String,
    selection: AlertSelection,
    figures: Arc<ReceiverFigures>,
}

impl Notifier {
    /// Starts the deliveries: opens the journal, checks addresses and secrets, starts the thread `notify`. To be called
    /// with the rights that the program keeps, because secret files are read again later.
    ///
    /// # Errors
    /// If a receiver or the state directory cannot be used.
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
        let kinds: Vec<_> = config.receivers.iter().map(of).collect();
        let addresses = addresses(&config.receivers, &kinds)?;
        let names: Vec<String> = config.receivers.iter().map(|receiver| receiver.name.clone()).collect();
        let journal_failures = Arc::<AtomicU64>::default();
        let open = |state_dir| Journal::open(state_dir, &names, Arc::clone(&journal_failures));
        let journal = config.state_dir.as_deref().map(open).transpose()?;
        let lanes = lanes(&names, &kinds, journal.as_ref().map(Journal::state));

        let work = Arc::new(Notify::new());
        let settlements = Settlements::new(Arc::clone(&work));
        let inbox = Arc::new(Inbox::new(Arc::clone(&work)));
        let surroundings = Arc::new(Surroundings { evidence, host, external_url: config.external_url, settlements });
        let (phase, phases) = watch::channel(Phase::Running);
        let deliveries = lanes.iter().zip(kinds).zip(addresses).zip(&config.receivers);
        let deliveries = deliveries.map(|(((lane, receiver), (endpoint, client)), config)| ReceiverDelivery {
            lane: Arc::clone(lane),
            receiver,
            endpoint,
            client,
            timeout: config.timeout,
            surroundings: Arc::clone(&surroundings),
            phase: phases.clone(),
        });
        let deliveries = deliveries.collect();
        let is_kept = journal.is_some();
        let sink = NotificationSink::new(Arc::clone(&inbox), &config.receivers, &lanes);
        let intake = Intake::new(inbox, surroundings, lanes.clone(), journal, config.restart_grace);
        let engine = Engine { intake, deliveries, lanes, phase, work, is_kept };
        let (stop, ended) = engine.start()?;
        Ok(Self { sink, journal_failures, stop, ended })
    }

    /// A sink for the changes of alerts.
    pub fn sink(&self) -> NotificationSink {
        self.sink.clone()
    }

    /// The figures of each receiver, by its name.
    pub fn figures(&self) -> Vec<(String, Arc<ReceiverFigures>)> {
        let pair = |receiver: &Addressee| (receiver.name.clone(), Arc::clone(&receiver.figures));
        self.sink.receivers.iter().map(pair).collect()
    }

    /// Number of writes to the journal that failed since the start.
    pub fn journal_failures(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.journal_failures)
    }

    /// Delivers what can be delivered until the deadline, and ends. The journal keeps the rest; without one it is lost,
    /// counted and logged.
    pub fn finish(self, deadline: Instant) {
        /// Time for the last records.
        const LAST_WRITES: Duration = Duration::from_secs(5);
        if self.stop.send(deadline).is_ok() {
            let patience = deadline.saturating_duration_since(Instant::now()) + LAST_WRITES;
            if self.ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                tracing::warn!("deliveries did not end in time");
            }
        }
    }
}

/// The endpoint and the client of each receiver.
fn addresses(
    configs: &[ReceiverConfig],
    kinds: &[Box<dyn Receiver>],
) -> Result<Vec<(ReceiverEndpoint, HttpClient)>, Error> {
    let mut system = None;
    let address = |(config, kind): (&ReceiverConfig, &dyn Receiver)| {
        let named = |fault| Error::Receiver { receiver: config.name.clone(), fault };
        let endpoint = ReceiverEndpoint::new(config, kind.default_url()).map_err(named)?;
        let tls = match &config.ca_file {
            Some(path) => client::roots_of(path).map_err(|fault| Error::Roots {
                receiver: config.name.clone(),
                path: path.clone(),
                fault,
            })?,
            None if endpoint.may_use_tls() => system_roots(&mut system)?,
            None => client::no_roots()?,
        };
        Ok((endpoint, HttpClient::new(tls)))
    };
    configs.iter().zip(kinds.iter().map(AsRef::as_ref)).map(address).collect()
}

/// The roots of the system, which are read once.
fn system_roots(read: &mut Option<ClientConfig>) -> Result<ClientConfig, rustls::Error> {
    match read {
        Some(roots) => Ok(roots.clone()),
        None => client::system_roots().map(|roots| read.insert(roots).clone()),
    }
}

fn lanes(names: &[String], kinds: &[Box<dyn Receiver>], state: Option<&JournalState>) -> Vec<Arc<Lane>> {
    let lane = |(name, kind): (&String, &dyn Receiver)| {
        let state = state.and_then(|state| state.receivers.get(name)).cloned();
        let ReceiverState { waiting, firing } = state.unwrap_or_default();
        let queue = NoticeQueue::restored(waiting.into_values(), firing);
        Arc::new(Lane::new(name.clone(), kind.batching(), queue))
    };
    names.iter().zip(kinds.iter().map(AsRef::as_ref)).map(lane).collect()
}

impl NotificationSink {
    fn new(inbox: Arc<Inbox>, configs: &[ReceiverConfig], lanes: &[Arc<Lane>]) -> Self {
        let addressee = |(config, lane): (&ReceiverConfig, &Arc<Lane>)| Addressee {
            name: config.name.clone(),
            selection: config.selection.clone(),
            figures: Arc::clone(&lane.figures),
        };
        Self { inbox, receivers: configs.iter().zip(lanes).map(addressee).collect() }
    }

    /// Hands a notice over.
    pub(super) fn put(&self, notice: Notice) {
        let accepts = |(position, receiver): (u16, &Addressee)| receiver.selection.accepts(&notice).then_some(position);
        let receivers: Receivers = (0..).zip(self.receivers.iter()).filter_map(accepts).collect();
        if receivers.is_empty() {
            return;
        }
        for lost in self.inbox.put(Arrival { notice: Arc::new(notice), receivers, changed_at: now() }) {
            lost.iter().for_each(|at| self.receivers[usize::from(*at)].figures.count_lost(FailureReason::QueueFull, 1));
        }
    }
}

impl AlertSink for NotificationSink {
    fn notify(&mut self, change: &Change) {
        if !self.receivers.is_empty() {
            self.put(Notice::of(change));
        }
    }
}

/// The work of the thread.
struct Engine {
    intake: Intake,
    deliveries: Vec<ReceiverDelivery>,
    lanes: Vec<Arc<Lane>>,
    phase: watch::Sender<Phase>,
    work: Arc<Notify>,
    is_kept: bool,
}

impl Engine {
    /// Starts the thread.
    fn start(self) -> std::io::Result<(oneshot::Sender<Instant>, mpsc::Receiver<()>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = mpsc::sync_channel(0);
        let work = move || self.work_on(runtime, stopped, end);
        std::thread::Builder::new().name("notify".to_owned()).spawn(work)?;
        Ok((stop, ended))
    }

    fn work_on(self, runtime: Runtime, stopped: oneshot::Receiver<Instant>, end: mpsc::SyncSender<()>) {
        runtime.block_on(self.run(stopped));
        // A name server or a disk that does not answer must not hold the end of the program.
        runtime.shutdown_background();
        drop(end);
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<Instant>) {
        let mut running = JoinSet::new();
        self.deliveries.drain(..).for_each(|delivery| drop(running.spawn(delivery.run())));
        self.intake.step().await;
        let deadline = loop {
            tokio::select! {
                deadline = &mut stopped => break deadline.unwrap_or_else(|_| Instant::now()),
                () = self.work.notified() => {}
                () = self.intake.wait() => {}
                Some(Err(_)) = running.join_next() => tracing::error!("a receiver stopped after an internal error"),
            }
            self.intake.step().await;
        };
        self.drain(running, deadline).await;
    }

    async fn drain(mut self, mut running: JoinSet<()>, deadline: Instant) {
        self.intake.step().await;
        self.phase.send_replace(Phase::Draining { is_kept: self.is_kept });
        let drained = async {
            loop {
                tokio::select! {
                    ended = running.join_next() => if ended.is_none() { break },
                    () = self.work.notified() => self.intake.step().await,
                }
            }
        };
        drop(timeout_at(deadline.into(), drained).await);
        running.shutdown().await;
        self.intake.step().await;
        self.lanes.iter().for_each(|lane| report_rest(lane, self.is_kept));
    }
}

/// Logs and counts the notices that were not delivered at the end.
fn report_rest(lane: &Lane, is_kept: bool) {
    let (name, rest) = (&lane.name, lane.figures.waiting());
    match rest {
        0 => {}
        _ if is_kept => tracing::info!("receiver {name}: {rest} alerts are left for the next start"),
        _ => {
            lane.figures.count_lost(FailureReason::Stopped, rest);
            tracing::warn!("receiver {name}: {rest} alerts were not delivered; give state.dir to keep them");
        }
    }
}
