//! Snapshot → metric families in Prometheus' text format, JSON lines, a table.
//!
//! Every family is declared once in [`family`]; what is collected for it stands beside its kind: [`seed`], [`traffic`],
//! [`process`].

pub mod family;
pub mod jsonl;
pub mod process;
mod rows;
mod seed;
pub mod table;
pub mod text;
mod traffic;
mod words;

use std::io::{self, Write};

use crate::account::snapshot::Snapshot;
use process::SelfMetrics;
use text::TextWriter;

/// What is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whether the families of the older trafficmonitor are exported: `hosts_src_dst`, `total_incoming`,
    /// `total_outgoing`.
    pub seed_families: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { seed_families: true }
    }
}

/// Writes `snapshot` to `out` in the text format 0.0.4, and the metrics of the program itself where there are any.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text<W: Write>(
    config: &Config,
    snapshot: &Snapshot,
    program: Option<&SelfMetrics>,
    out: W,
) -> io::Result<()> {
    let mut writer = TextWriter::new(out);
    if config.seed_families {
        seed::write(snapshot, &mut writer)?;
    }
    rows::write(snapshot, &mut writer)?;
    traffic::write(snapshot, &mut writer)?;
    if let Some(program) = program {
        program.write(&mut writer)?;
    }
    writer.finish()
}
