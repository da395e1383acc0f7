//! The outputs of alerts: lines on standard output, evidence files, and receivers. Takes the configuration; gives the
//! receiver of changes. Must not know the detectors, nor how files are written.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use super::output::{AlertLines, AlertPace};
use super::receivers::{LAST_DELIVERIES, ReceiverSink, RunningReceivers};
use super::signals;
use crate::alert::{AlertNames, AlertSink, Change, EvidenceIndex};
use crate::capture::network::Network;
use crate::config::{Config, SlackHook};
use crate::events::console::{self, Style};
use crate::events::json;
use crate::events::log::{EventLog, EventSender, SendingPace, TrafficByVerdict, TrafficSums};
use crate::evidence::{
    DetectionFacts, Evidence, EvidenceSender, EvidenceSetup, RecorderSettings, RunningDetection, RunningQuota,
};
use crate::export::Published;
use crate::export::process::{Queue, SelfMetrics};
use crate::names::NamesReader;
use crate::packet::Timestamp;
use crate::policy::{SuppressedPackets, Violation, ViolationSink};
use crate::{events, evidence, names, notify};

/// The part of the time at the end that each output leaves to those after it.
const FOR_THE_NEXT: Duration = Duration::from_millis(150);
/// Longest time at the end to write the queued alert lines.
const LAST_ALERTS: Duration = Duration::from_millis(300);
/// Longest time at the end to finish evidence files.
const LAST_FILES: Duration = Duration::from_millis(500);

/// The receiver of changes. Clones share the queues behind it.
#[derive(Debug, Clone)]
pub(super) struct AlertOutputs {
    lines: AlertLines,
    /// True if events are logged to a file. Else the event log writes the lines of alerts too, in the order of violations.
    logs_to_file: bool,
    evidence: Option<EvidenceSender>,
    receivers: ReceiverSink,
    events: EventSender,
    names: NamesReader,
}

impl AlertOutputs {
    /// The change with names; none if no name is known.
    fn named(&self, change: &Change) -> Option<Change> {
        let names = AlertNames::of(change.alert(), &self.names.current());
        (names != AlertNames::default()).then(|| change.with_names(names))
    }
}

impl AlertSink for AlertOutputs {
    fn notify(&mut self, change: &Change) {
        let named = self.named(change);
        let change = named.as_ref().unwrap_or(change);
        self.events.notify(change);
        if let Some(evidence) = &mut self.evidence {
            evidence.notify(change);
        }
        self.receivers.notify(change);
        if self.logs_to_file {
            self.lines.notify(change);
        }
    }
}

impl ViolationSink for AlertOutputs {
    fn report(&mut self, violation: &Violation) {
        self.events.report(violation);
    }

    fn report_suppressed(&mut self, suppressed: &SuppressedPackets) {
        self.events.report_suppressed(suppressed);
    }
}

/// The outputs of alerts, running.
pub(super) struct Alerting {
    outputs: AlertOutputs,
    evidence: Option<Evidence>,
    receivers: RunningReceivers,
    event_log: EventLog,
    files: EvidenceIndex,
    detection: RunningDetection,
    packet_bytes: u32,
}

impl Alerting {
    /// Starts the threads that write. No packets of a capture file are kept. Summaries have the sums of what is
    /// `published`.
    pub(super) fn start(
        config: &Config,
        version: &str,
        names: NamesReader,
        published: &Arc<Published>,
    ) -> anyhow::Result<Self> {
        let is_file = config.source.is_some();
        let (pace, of_events) =
            if is_file { (AlertPace::File, SendingPace::File) } else { (AlertPace::Live, SendingPace::Live) };
        let style = Style { form: config.log.format, explain: config.explain };
        let lines = AlertLines::start(style, pace)?;
        let console = lines.clone();
        let console = Box::new(move |line, urgency| console.offer(line, urgency));
        let traffic = config.policy.permitted.as_ref().map(|_| traffic_sums(published));
        let event_log = EventLog::start(config.events.clone(), style, console, traffic)?;
        let reopener = event_log.reopener();
        signals::on_hangup(move || reopener.reopen());
        let files = announced(&lines, style);
        let detection = RunningDetection::from(detection_facts(config)?);
        let evidence = start_evidence(config, version, &files, &detection)?;
        let receivers = RunningReceivers::start(config.notify.clone(), &files, host_name())?;
        let outputs = AlertOutputs {
            lines,
            logs_to_file: config.events.file.is_some(),
            evidence: evidence.as_ref().map(Evidence::sender),
            receivers: receivers.sink(),
            events: event_log.sender(of_events),
            names,
        };
        Ok(Self { outputs, evidence, receivers, event_log, files, detection, packet_bytes: kept_bytes(config) })
    }

    /// The receiver of changes.
    pub(super) fn outputs(&self) -> AlertOutputs {
        self.outputs.clone()
    }

    /// The facts about detection, to be replaced.
    pub(super) fn detection(&self) -> RunningDetection {
        self.detection.clone()
    }

    /// The receivers, to be replaced.
    pub(super) fn receivers(&self) -> RunningReceivers {
        self.receivers.clone()
    }

    /// The quota of evidence files, to be replaced, if there are such files.
    pub(super) fn quota(&self) -> Option<RunningQuota> {
        self.evidence.as_ref().map(Evidence::quota)
    }

    /// The evidence files that are known.
    pub(super) fn files(&self) -> EvidenceIndex {
        self.files.clone()
    }

    /// Makes the recorders of capture threads, if packets are kept.
    pub(super) fn recording(&self) -> Option<RecorderSettings> {
        Some(RecorderSettings::new(self.evidence.as_ref()?.sender(), self.packet_bytes))
    }

    /// Adds what the threads count to the program's metrics.
    pub(super) fn show_figures(&self, program: &mut SelfMetrics) {
        program.count_lost_of(Queue::Alerts, self.outputs.lines.lost());
        program.count_lost_of(Queue::Events, self.outputs.events.lost());
        program.show_events(self.event_log.figures());
        if let Some(evidence) = &self.evidence {
            program.show_evidence(evidence.figures());
        }
        program.show_notifications(self.receivers.figures());
    }

    /// Finishes the files, delivers and writes the queued lines, each within its time and all until `end`. The event log may
    /// have a hundred thousand events to write, so it has all the time that is left.
    pub(super) fn finish(self, end: Instant) {
        let within =
            |longest: Duration, outputs_after: u32| (Instant::now() + longest).min(end - FOR_THE_NEXT * outputs_after);
        if let Some(evidence) = self.evidence {
            evidence.finish(within(LAST_FILES, 3));
        }
        self.receivers.finish(within(LAST_DELIVERIES, 2));
        finish_events(self.event_log, end - FOR_THE_NEXT);
        self.outputs.lines.finish(within(LAST_ALERTS, 0));
    }
}

/// The sums of the traffic that was published last.
fn traffic_sums(published: &Arc<Published>) -> TrafficSums {
    let published = Arc::clone(published);
    Box::new(move || TrafficByVerdict::of(&published.latest().accounts.totals))
}

/// Writes the queued events, until the deadline.
pub(super) fn finish_events(log: EventLog, deadline: Instant) {
    let lost = log.sender(SendingPace::Live).lost();
    let events = log.finish(deadline);
    if events > 0 {
        tracing::warn!(events, "events were lost at the end: the event log was not written in time");
    }
    let events = lost.load(Ordering::Relaxed);
    if events > 0 {
        tracing::warn!(events, "events were lost since the start, because the event log or its queue had no space");
    }
}

/// An index that writes a line for each finished file.
fn announced(lines: &AlertLines, style: Style) -> EvidenceIndex {
    let lines = lines.clone();
    EvidenceIndex::announcing(move |alert, file| {
        lines.send(console::evidence_line(alert, file, Timestamp::from(SystemTime::now()), style.form));
    })
}

/// The most bytes that are kept of a packet: all that are captured, if packets are logged.
fn kept_bytes(config: &Config) -> u32 {
    let captured = config.capture.snap_length;
    if config.evidence.packet_log.is_on { captured } else { captured.min(config.evidence.packet_bytes) }
}

/// The facts about detection that evidence files name.
pub(super) fn detection_facts(config: &Config) -> anyhow::Result<DetectionFacts> {
    let anomaly = config.detect.anomaly.unwrap_or_default();
    let values = u32::try_from(anomaly.capacity).unwrap_or(u32::MAX);
    let anomaly_history = anomaly.transfer_interval.saturating_mul(values);
    Ok(DetectionFacts { configuration: of_detection(config).to_yaml()?, anomaly_history })
}

fn start_evidence(
    config: &Config,
    version: &str,
    files: &EvidenceIndex,
    detection: &RunningDetection,
) -> anyhow::Result<Option<Evidence>> {
    let settings = &config.evidence;
    let keeps = settings.ring_bytes.is_some() || settings.packet_log.is_on;
    if keeps && config.source.is_some() {
        tracing::warn!("packets of a capture file are not kept as evidence: the file has them already");
    }
    if !keeps || config.source.is_some() {
        return Ok(None);
    }
    let setup = EvidenceSetup {
        host: host_name(),
        version: version.to_owned(),
        detection: detection.clone(),
        kept_bytes: kept_bytes(config),
        index: files.clone(),
        describe_alert: json::text,
    };
    Ok(Some(Evidence::start(settings.clone(), setup)?))
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The configuration that decides what is found in packets: without receivers, names and directories, which `replay` has no
/// use for, and with the addresses of this host, which `replay` cannot ask for.
fn of_detection(config: &Config) -> Config {
    let network = Network::read().unwrap_or_default();
    let (mut detect, mut locality) = (config.detect.clone(), config.locality.clone());
    if let Some(scan) = &mut detect.scan {
        scan.routers.extend(network.router_addresses());
    }
    locality.own_addresses.extend(network.addresses());
    Config {
        detect,
        locality,
        notify: notify::Config::default(),
        slack: SlackHook::default(),
        evidence: evidence::Config::default(),
        events: events::Config::default(),
        names: names::Config::default(),
        ..config.clone()
    }
}
