//! Writes reports: as metric families in Prometheus' text format or OpenMetrics, as JSON lines, comma-separated values
//! or a table. Takes a report; gives bytes. Every family is declared once in [`family`] and collected in the file of
//! its kind: [`seed`], [`traffic`], [`policy`], [`detection`], [`evidence`], [`naming`], [`notifications`],
//! [`process`], [`sandbox`], [`vitals`]. Must not know HTTP.

pub mod access;
pub mod api;
pub mod chart;
pub mod connections;
pub mod csv;
mod detection;
mod evidence;
pub mod family;
pub mod jsonl;
mod naming;
mod notifications;
mod policy;
pub mod process;
mod rows;
pub mod sandbox;
mod seed;
pub mod table;
pub mod text;
mod traffic;
pub mod units;
pub mod vitals;
mod words;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::account::snapshot::Snapshot;
use crate::history::HistoryView;
use crate::packet::Timestamp;
use crate::policy::EventCounts;
use crate::{alert, detect};
pub use notifications::{NotificationFigures, NotificationFiguresReader};
use process::SelfMetrics;
use text::TextWriter;

/// Settings of export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// True to export the families of the older trafficmonitor: `hosts_src_dst`, `total_incoming`, `total_outgoing`.
    pub seed_families: bool,
    /// True to show flows in packets too, beside bytes.
    pub flow_packets: bool,
    /// True to write in OpenMetrics when each counter began at 0. Prometheus 2 stores these lines as separate series.
    pub created: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { seed_families: true, flow_packets: false, created: false }
    }
}

/// The format of an exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Prometheus' text format 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    #[default]
    Text,
    /// OpenMetrics 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
    OpenMetrics,
}

impl Format {
    /// The media type that names it, without its parameters.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text",
        }
    }

    /// Its version.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Text => "0.0.4",
            Self::OpenMetrics => "1.0.0",
        }
    }

    /// The content type as Prometheus expects it: version 3 refuses any other.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The view of readers: accounts, detection and alerts of one moment.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Totals, flows and hosts.
    pub accounts: Snapshot,
    /// State of detection.
    pub detection: detect::View,
    /// State of alerts.
    pub alerts: alert::AlertView,
    /// Events of violations; none without a policy.
    pub events: Option<EventCounts>,
    /// Memory of the history in bytes; none without a history.
    pub history_bytes: Option<u64>,
}

/// Accounts without detection.
impl From<Snapshot> for Report {
    fn from(accounts: Snapshot) -> Self {
        Self { accounts, ..Self::default() }
    }
}

/// The latest report and history, for readers that must never delay the accountant.
#[derive(Debug, Default)]
pub struct Published {
    latest: ArcSwap<Report>,
    number: AtomicU64,
    history: ArcSwap<HistoryView>,
}

impl Published {
    /// Puts `report` in the place of the one before.
    pub fn publish(&self, report: impl Into<Report>) {
        self.latest.store(Arc::new(report.into()));
        self.number.fetch_add(1, Ordering::Release);
    }

    /// The number of reports that were published. The latest report is that one or, for a moment, a later one.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The report that was published last; an empty one before the first.
    pub fn latest(&self) -> Arc<Report> {
        self.latest.load_full()
    }

    /// Puts `history` in the place of the one before.
    pub fn publish_history(&self, history: HistoryView) {
        self.history.store(Arc::new(history));
    }

    /// The history that was published last, at most once a second; an empty one with number 0 before the first.
    pub fn history(&self) -> Arc<HistoryView> {
        self.history.load_full()
    }
}

/// The metrics of the program itself, and when it started: when all counters began that do not say otherwise.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// The program's counters of itself.
    pub metrics: &'a SelfMetrics,
    /// Start of the program.
    pub started: Timestamp,
}

/// Writes `report` to `out`, and the metrics of the program itself if there are any.
pub fn write<W: Write>(
    config: &Config,
    format: Format,
    report: &Report,
    program: Option<Program<'_>>,
    out: W,
) -> io::Result<()> {
    let accounts = &report.accounts;
    let created = program.map(|program| program.started).filter(|_| config.created);
    let absent = if accounts.flows.is_plain { family::LIVE_ONLY } else { &[] };
    let mut writer = TextWriter::new(format, created, out).without(absent);
    if config.seed_families {
        seed::write(accounts, &mut writer)?;
    }
    rows::write(config, accounts, &mut writer)?;
    traffic::write(accounts, &mut writer)?;
    policy::write(report, &mut writer)?;
    write_memory(report, &mut writer)?;
    detection::write(report, &mut writer)?;
    if let Some(program) = program {
        program.metrics.write(&mut writer)?;
    }
    writer.finish()
}

/// Memory of the tables of accounts, detection, alerts and history, where it is measured: in a live capture.
fn write_memory<W: Write>(report: &Report, writer: &mut TextWriter<W>) -> io::Result<()> {
    let Report { accounts, detection, alerts, history_bytes, .. } = report;
    let is_measured = !accounts.memory.is_empty();
    let of_detection = is_measured.then_some([("detection", detection.memory_bytes), ("alerts", alerts.memory_bytes)]);
    let of_history = history_bytes.filter(|_| is_measured).map(|bytes| ("history", bytes));
    writer.family(&family::MEMORY)?;
    for &(part, bytes) in accounts.memory.iter().chain(of_detection.iter().flatten()).chain(&of_history) {
        writer.sample(family::MEMORY.name).label("part", part).value(bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
