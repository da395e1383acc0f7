//! `replay`: files in, what was found out.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::{DONE, random_seed, say_error};
use crate::account::book::plain;
use crate::account::ledger::Ledger;
use crate::account::selection::Seeds;
use crate::alert::Change;
use crate::cli::{Output, Replay};
use crate::config::Config;
use crate::detect::{self, Detectors};
use crate::events::{Tell, json};
use crate::export::{self, format::Format, report::Report};
use crate::locality::Classifier;
use crate::pipeline::replay::Progress;
use crate::pipeline::{self, alarms::Alarms};

/// What decides, past the limits, who finds room and which targets are in a sample. The same each time: the same files give
/// the same bytes.
const SELECTION: u64 = 0x7472_6166_6669_6373;

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// Reads the files in order and writes the accounts, or what alerts; those of what came before a fault, too, if anything
/// did.
pub(super) fn run(replay: Replay) -> anyhow::Result<u8> {
    super::log::start(replay.config.log);
    replay.config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let Replay { files, config, workers, output, .. } = &replay;
    let outcome = match output {
        Output::Alerts => {
            let mut read =
                read(files, config, &config.detect.for_alerts_alone(), *workers, Lines::default(), |_| GO_ON);
            super::written(read.tell().map_or(Ok(()), Lines::finish))?;
            read.outcome
        }
        _ => {
            // What nobody is told is not looked for: here a file's accounts are shown, and not what is found in it.
            let read = read(files, config, &detect::Config::nothing(), *workers, (), |_| GO_ON);
            let report = read.report(config, max_rows(&replay));
            if read.outcome.is_ok() || report.accounts.totals.frames.frames > 0 {
                write(&replay, &report)?;
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
    /// The accounts of all that was read, and what was found; none if nothing could be.
    counted: Option<(Ledger, Alarms<T>)>,
    /// Whether all could be read.
    pub outcome: Result<(), pipeline::Error>,
}

impl<T: Tell> Read<T> {
    /// Plain accounts with at most `max_rows` flows; alerts as they were when the packets ended.
    pub(super) fn report(&self, config: &Config, max_rows: usize) -> Report {
        let counted = self.counted.as_ref();
        counted.map_or_else(Report::default, |(ledger, alarms)| report(ledger, alarms, config, max_rows))
    }

    /// Who was told of alerts, of their ends too; none if nothing was read.
    fn tell(&mut self) -> Option<T> {
        self.counted.take().map(|(_, alarms)| alarms.resolve())
    }
}

/// Plain accounts with at most `max_rows` flows, and alerts as they are.
pub(super) fn report<T: Tell>(ledger: &Ledger, alarms: &Alarms<T>, config: &Config, max_rows: usize) -> Report {
    let (detection, alerts) = alarms.view();
    Report { accounts: plain(ledger, max_rows, config.account.max_host_series), detection, alerts }
}

/// Reads `files`, counted by so many `workers`, and looks for what `detect` says; what becomes of alerts `tell` hears.
/// Breaks off once `on_progress` says so, which is called often.
pub(super) fn read<T: Tell + Send + 'static>(
    files: &[impl AsRef<Path>],
    config: &Config,
    detect: &detect::Config,
    workers: usize,
    tell: T,
    mut on_progress: impl FnMut(&mut Progress<'_, Alarms<T>>) -> ControlFlow<()>,
) -> Read<T> {
    let places = random_seed();
    let classifier = Arc::new(Classifier::new(&config.locality, []));
    let ledger = Ledger::new(&config.account, places);
    let detectors = Detectors::new(detect, Seeds { places, selection: SELECTION }, None);
    let mut alarms = Alarms::new(detectors, &config.alert, tell).in_cells_of(config.detect.grids());
    alarms.set_classifier(&classifier);
    let mut replay = match pipeline::replay::Replay::new(ledger, alarms, &classifier, places, workers) {
        Ok(replay) => replay,
        Err(error) => return Read { counted: None, outcome: Err(error) },
    };
    let bar = progress_bar(files);
    let outcome = files.iter().try_for_each(|file| {
        let filter = config.capture.filter.as_deref();
        replay.read(file.as_ref(), filter, |progress| {
            bar.inc(progress.bytes);
            on_progress(progress)
        })
    });
    bar.finish_and_clear();
    match replay.finish() {
        Ok(counted) => Read { counted: Some(counted), outcome },
        Err(error) => Read { counted: None, outcome: Err(error) },
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
