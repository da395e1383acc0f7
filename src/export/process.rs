//! The metrics of the program itself: its version, its resources and its losses. Takes counts of other rooms; gives
//! samples. Must not know accounts or detection.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{IntGaugeVec, Opts, Registry, process_collector::ProcessCollector};

use super::access::{self, AccessFigures};
use super::connections::ConnectionCounters;
use super::evidence;
use super::family::{self, MetricKind};
use super::naming;
use super::notifications::{self, NotificationFiguresReader};
use super::sandbox::{self, SandboxFigures};
use super::text::TextWriter;
use super::vitals::Vitals;
use crate::events::log::EventLogFigures;
use crate::evidence::FiguresReader;
use crate::names::NamesFigures;
use crate::notify::FailureReason;

/// A queue that may drop entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Alert lines on their way to standard output.
    Alerts,
    /// Violations and alerts on their way to the event log.
    Events,
    /// Log lines on their way to standard error.
    Log,
    /// Reports of scrapes on their way to accounting.
    Scrapes,
}

impl Queue {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Alerts, Self::Events, Self::Log, Self::Scrapes];

    /// The value of the label `queue`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Events => "events",
            Self::Log => "log",
            Self::Scrapes => "scrapes",
        }
    }
}

/// The fixed metrics of the program itself.
pub struct SelfMetrics {
    registry: Registry,
    /// Counters of the server's connections.
    pub connections: ConnectionCounters,
    dropped_reports: Arc<AtomicU64>,
    lost: BTreeMap<Queue, Arc<AtomicU64>>,
    vitals: Option<Vitals>,
    access: Option<Arc<AccessFigures>>,
    evidence: Option<FiguresReader>,
    names: Option<Arc<NamesFigures>>,
    notifications: NotificationFiguresReader,
    events: Option<EventLogFigures>,
    sandbox: Arc<SandboxFigures>,
}

impl SelfMetrics {
    /// Registers the program's own metrics. `libpcap` is the library's version.
    ///
    /// # Errors
    /// When the registry refuses a metric.
    pub fn new(version: &str, commit: &str, libpcap: &str) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build =
            IntGaugeVec::new(Opts::new(family::BUILD_INFO.name, family::BUILD_INFO.help), family::BUILD_INFO.labels)?;
        build.with_label_values(&[version, commit, libpcap]).set(1);
        registry.register(Box::new(build))?;
        let connections = ConnectionCounters::new(&registry)?;
        let dropped_reports = Arc::new(AtomicU64::default());
        let lost = BTreeMap::from([(Queue::Scrapes, Arc::clone(&dropped_reports))]);
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self {
            registry,
            connections,
            dropped_reports,
            lost,
            vitals: None,
            access: None,
            evidence: None,
            names: None,
            notifications: NotificationFiguresReader::default(),
            events: None,
            sandbox: Arc::default(),
        })
    }

    /// The same with the figures of a live capture.
    ///
    /// # Errors
    /// When the registry refuses a metric.
    pub fn with_vitals(mut self, vitals: Vitals) -> Result<Self, prometheus::Error> {
        vitals.register(&self.registry)?;
        self.vitals = Some(vitals);
        Ok(self)
    }

    /// Exports the figures of web access.
    pub fn show_access(&mut self, figures: Arc<AccessFigures>) {
        self.access = Some(figures);
    }

    /// Exports the figures of kept packets.
    pub fn show_evidence(&mut self, figures: FiguresReader) {
        self.evidence = Some(figures);
    }

    /// Exports the figures of names.
    pub fn show_names(&mut self, figures: Arc<NamesFigures>) {
        self.names = Some(figures);
    }

    /// Exports the figures of receivers.
    pub fn show_notifications(&mut self, figures: NotificationFiguresReader) {
        self.notifications = figures;
    }

    /// Exports the figures of the event log.
    pub fn show_events(&mut self, figures: EventLogFigures) {
        self.events = Some(figures);
    }

    /// Exports the parts of the sandbox that are in force.
    pub fn show_sandbox(&mut self, figures: Arc<SandboxFigures>) {
        self.sandbox = figures;
    }

    /// A thread of the live capture that does not work any more, if there is one.
    pub fn dead_thread(&self) -> Option<String> {
        self.vitals.as_ref()?.dead_thread()
    }

    /// The reason why the last reload was refused; none if it was accepted, or no interface is captured.
    pub(super) fn refused_reload(&self) -> Option<String> {
        self.vitals.as_ref()?.refused_reload()
    }

    /// The queues that lost entries since the start, with the numbers of these.
    pub(super) fn lost_entries(&self) -> impl Iterator<Item = (Queue, u64)> {
        self.lost.iter().map(|(queue, lost)| (*queue, lost.load(Ordering::Relaxed))).filter(|(_, lost)| *lost > 0)
    }

    /// Notices that were given up since the start; none without receivers.
    pub(super) fn lost_notices(&self) -> Option<u64> {
        let figures = self.notifications.current()?;
        let receivers = &figures.receivers;
        let of_each =
            receivers.iter().flat_map(|(_, figures)| FailureReason::OF_LOSS.map(|reason| figures.lost(reason)));
        Some(of_each.sum())
    }

    /// Failed writes of the event log since the start; none without a file.
    pub(super) fn event_log_errors(&self) -> Option<u64> {
        let figures = self.events.as_ref().filter(|figures| figures.has_file)?;
        Some(figures.write_errors.load(Ordering::Relaxed))
    }

    /// Packets, alerts and files that evidence lacks since the start; none where no packets are kept.
    pub(super) fn lost_evidence(&self) -> Option<u64> {
        let figures = self.evidence.as_ref()?.read();
        Some(figures.lost_packets + figures.lost_changes + figures.refused_files + figures.write_errors)
    }

    /// Counts a report of a scrape that did not fit in its queue.
    pub fn count_dropped_report(&self) {
        self.dropped_reports.fetch_add(1, Ordering::Relaxed);
    }

    /// Exports `lost`, which the owner of the queue counts.
    pub fn count_lost_of(&mut self, queue: Queue, lost: Arc<AtomicU64>) {
        self.lost.insert(queue, lost);
    }

    /// Writes them with the writer that writes all others.
    pub fn write<W: Write>(&self, writer: &mut TextWriter<W>) -> io::Result<()> {
        self.registry.gather().iter().try_for_each(|family| write_family(family, writer))?;
        self.access.iter().try_for_each(|figures| access::write(figures, writer))?;
        sandbox::write(&self.sandbox, writer)?;
        self.write_queues(writer)?;
        self.write_events(writer)?;
        self.evidence.iter().try_for_each(|figures| evidence::write(&figures.read(), writer))?;
        self.names.iter().try_for_each(|figures| naming::write(figures, writer))?;
        self.notifications.current().iter().try_for_each(|figures| notifications::write(figures, writer))
    }

    fn write_queues<W: Write>(&self, writer: &mut TextWriter<W>) -> io::Result<()> {
        writer.family(&family::QUEUE_DROPPED)?;
        for queue in Queue::ALL {
            let lost = self.lost.get(&queue).map_or(0, |lost| lost.load(Ordering::Relaxed));
            writer.sample(family::QUEUE_DROPPED.name).label("queue", queue.label()).value(lost)?;
        }
        Ok(())
    }

    fn write_events<W: Write>(&self, writer: &mut TextWriter<W>) -> io::Result<()> {
        let Some(figures) = &self.events else { return Ok(()) };
        writer.single(&family::EVENTS_WRITTEN, figures.written.load(Ordering::Relaxed))?;
        writer.single(&family::EVENT_LOG_WRITE_ERRORS, figures.write_errors.load(Ordering::Relaxed))
    }

    /// The names of all families that are written, in order.
    pub fn names() -> Vec<String> {
        let process = ProcessCollector::for_self();
        process.desc().iter().map(|description| description.fq_name.clone()).collect()
    }
}

fn write_family<W: Write>(family: &MetricFamily, writer: &mut TextWriter<W>) -> io::Result<()> {
    let is_counter = family.get_field_type() == MetricType::COUNTER;
    writer.introduce(family.name(), family.help(), if is_counter { MetricKind::Counter } else { MetricKind::Gauge })?;
    for metric in family.get_metric() {
        let mut sample = writer.sample(family.name());
        for label in metric.get_label() {
            sample = sample.label(label.name(), label.value());
        }
        sample.value_f64(if is_counter { metric.get_counter().get_value() } else { metric.get_gauge().get_value() })?;
    }
    Ok(())
}
