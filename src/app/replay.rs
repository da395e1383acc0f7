//! `replay`: files in, what was found out.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::{DONE, random_seed, say_error};
use crate::account::book::plain;
use crate::account::ledger::Ledger;
use crate::alert::Change;
use crate::cli::{Output, Replay};
use crate::config::Config;
use crate::detect::{self, Detectors};
use crate::events::{Tell, json};
use crate::export::{self, format::Format, report::Report};
use crate::locality::Classifier;
use crate::pipeline::{self, alarms::Alarms};

/// Reads the files in order and writes the accounts, or what alerts; those of what came before a fault, too, if anything
/// did.
pub(super) fn run(replay: Replay) -> anyhow::Result<u8> {
    super::log::start(replay.config.log);
    replay.config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let outcome = match replay.output {
        Output::Alerts => {
            let read = read(&replay.files, &replay.config, 0, replay.workers, Lines::default(), || false);
            super::written(read.tell.map_or(Ok(()), Lines::finish))?;
            read.outcome
        }
        _ => {
            // What nobody is told is not looked for: here a file's accounts are shown, and not what is found in it.
            let nothing = Detectors::new(&detect::Config::nothing(), 0, None);
            let max_rows = max_rows(&replay);
            let read = read_with(nothing, &replay.files, &replay.config, max_rows, replay.workers, (), || false);
            if read.outcome.is_ok() || read.report.accounts.totals.frames.frames > 0 {
                write(&replay, &read.report)?;
            }
            read.outcome
        }
    };
    Ok(outcome.err().map_or(DONE, |error| say_error(&error.into())))
}

/// Prometheus is shown a part of the flows that are held, people and scripts all.
fn max_rows(replay: &Replay) -> usize {
    match replay.output {
        Output::Table | Output::JsonLines => replay.config.account.max_flows,
        Output::Prometheus | Output::None | Output::Alerts => replay.config.account.max_series,
    }
}

/// Writes what becomes of alerts to standard output, until that fails.
struct Lines {
    out: BufWriter<io::Stdout>,
    outcome: io::Result<()>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, io::stdout()), outcome: Ok(()) }
    }
}

impl Lines {
    fn finish(mut self) -> io::Result<()> {
        self.outcome.and_then(|()| self.out.flush())
    }
}

impl Tell for Lines {
    fn tell(&mut self, change: &Change) {
        if self.outcome.is_ok() {
            self.outcome = json::write(change, &mut self.out);
        }
    }
}

/// What came of reading.
pub(super) struct Read<T> {
    /// Of all that was read; alerts as they were when it ended.
    pub report: Report,
    /// Who was told of alerts; none if nothing was read.
    pub tell: Option<T>,
    /// Whether all could be read.
    pub outcome: Result<(), pipeline::Error>,
}

/// The accounts of `files` with at most `max_rows` flows, counted by so many `workers`, and whether all could be read; what
/// becomes of alerts `tell` hears. Breaks off once `is_stopping` says so.
pub(super) fn read<T: Tell + Send + 'static>(
    files: &[impl AsRef<Path>],
    config: &Config,
    max_rows: usize,
    workers: usize,
    tell: T,
    is_stopping: impl Fn() -> bool,
) -> Read<T> {
    let detectors = Detectors::new(&config.detect, random_seed(), None);
    read_with(detectors, files, config, max_rows, workers, tell, is_stopping)
}

/// The same with other detectors than those of the configuration.
fn read_with<T: Tell + Send + 'static>(
    detectors: Detectors,
    files: &[impl AsRef<Path>],
    config: &Config,
    max_rows: usize,
    workers: usize,
    tell: T,
    is_stopping: impl Fn() -> bool,
) -> Read<T> {
    let nothing = |error| Read { report: Report::default(), tell: None, outcome: Err(error) };
    let seed = random_seed();
    let classifier = Arc::new(Classifier::new(&config.locality, []));
    let ledger = Ledger::new(&config.account, seed);
    let alarms = Alarms::new(detectors, &config.alert, tell).in_cells_of(config.detect.grids());
    let mut replay = match pipeline::replay::Replay::new(ledger, alarms, &classifier, seed, workers) {
        Ok(replay) => replay,
        Err(error) => return nothing(error),
    };
    let bar = progress_bar(files);
    let outcome = files.iter().try_for_each(|file| {
        let filter = config.capture.filter.as_deref();
        replay.read(file.as_ref(), filter, |bytes| {
            bar.inc(bytes);
            if is_stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    bar.finish_and_clear();
    match replay.finish() {
        Ok((ledger, alarms)) => {
            let (detection, alerts) = alarms.view();
            let report =
                Report { accounts: plain(&ledger, max_rows, config.account.max_host_series), detection, alerts };
            Read { report, tell: Some(alarms.resolve()), outcome }
        }
        Err(error) => nothing(error),
    }
}

/// Captured bytes over the size of the files, which is a little more; hidden where nobody looks.
fn progress_bar(files: &[impl AsRef<Path>]) -> ProgressBar {
    let size = files.iter().map(|file| file.as_ref().metadata().map_or(0, |metadata| metadata.len())).sum();
    if !io::stderr().is_terminal() || size == 0 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    style.map_or_else(|_| ProgressBar::hidden(), |style| ProgressBar::new(size).with_style(style))
}

fn write(replay: &Replay, report: &Report) -> anyhow::Result<()> {
    let Report { accounts, .. } = report;
    let out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let written = match replay.output {
        Output::Table => export::table::write(accounts, out),
        Output::JsonLines => export::jsonl::write(accounts, out),
        Output::Prometheus => export::write(&replay.config.export, Format::Text, report, None, out),
        Output::None => export::write(&replay.config.export, Format::Text, report, None, io::sink()),
        Output::Alerts => Ok(()),
    };
    super::written(written)
}
