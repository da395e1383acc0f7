//! Report → metric families in Prometheus' text format or OpenMetrics, JSON lines, comma-separated values, a table.
//!
//! Every family is declared once in [`family`]; what is collected for it stands beside its kind: [`seed`], [`traffic`],
//! [`detection`], [`process`], [`vitals`].

pub mod chart;
pub mod csv;
mod detection;
pub mod family;
pub mod format;
pub mod jsonl;
pub mod process;
pub mod report;
mod rows;
mod seed;
pub mod table;
pub mod text;
mod traffic;
pub mod units;
pub mod vitals;
mod words;

use std::io::{self, Write};

use crate::packet::Timestamp;
use format::Format;
use process::SelfMetrics;
use report::Report;
use text::TextWriter;

/// Settings of export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// True to export the families of the older trafficmonitor: `hosts_src_dst`, `total_incoming`, `total_outgoing`.
    pub seed_families: bool,
    /// True to show flows in packets too, beside bytes.
    pub flow_packets: bool,
    /// True to write in OpenMetrics when each counter began at 0. Prometheus 2 stores these lines as series of their
    /// own.
    pub created: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { seed_families: true, flow_packets: false, created: false }
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

/// Writes `report` to `out`, and the metrics of the program itself where there are any.
///
/// # Errors
/// When `out` cannot be written.
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
    write_memory(report, &mut writer)?;
    detection::write(report, &mut writer)?;
    if let Some(program) = program {
        program.metrics.write(&mut writer)?;
    }
    writer.finish()
}

/// Memory of the tables of accounts and of detection, where it is measured: in a live capture.
fn write_memory<W: Write>(report: &Report, writer: &mut TextWriter<W>) -> io::Result<()> {
    let Report { accounts, detection, .. } = report;
    let of_detection = (!accounts.memory.is_empty()).then_some(("detection", detection.memory_bytes));
    writer.family(&family::MEMORY)?;
    for &(part, bytes) in accounts.memory.iter().chain(&of_detection) {
        writer.sample(family::MEMORY.name).label("part", part).value(bytes)?;
    }
    Ok(())
}
