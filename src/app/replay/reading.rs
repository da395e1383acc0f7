//! Reads capture files into accounts and alerts. Takes files and a configuration; gives a ledger and the receiver of
//! alerts. Must not know what is written of them.

use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::account::snapshot::Snapshot;
use crate::account::snapshot_builder::plain;
use crate::alert::AlertSink;
use crate::app::random_seed;
use crate::config::Config;
use crate::detect::{self, Detectors};
use crate::export::Report;
use crate::history::History;
use crate::locality::Classifier;
use crate::packet::Timestamp;
use crate::pipeline::replay::Progress;
use crate::pipeline::{self, alarms::Alarms, violations::Violations};
use crate::policy::ViolationSink;
use crate::tables::sampling::Seeds;

/// Seed of the hash that decides, past the limits, which keys are admitted and which targets are sampled. Fixed, so
/// the same files give the same bytes.
const SAMPLING: u64 = 0x7472_6166_6669_6373;

/// An error if a file could not be read to its end.
pub(in crate::app) type ReadOutcome = Result<(), pipeline::Error>;

/// The accounts of files, and the outcome of reading them.
pub(in crate::app) struct ReadResult<T> {
    /// The accounts of all that was read, and what was found; none if nothing could be.
    counted: Option<(Ledger<detect::Notes>, Alarms<T>)>,
    /// The times of the earliest and the latest frame; none without frames.
    pub(in crate::app) span: Option<(Timestamp, Timestamp)>,
    /// Success if all could be read.
    pub(in crate::app) outcome: ReadOutcome,
}

impl<T: AlertSink> ReadResult<T> {
    /// Plain accounts with at most `max_rows` flows; alerts as they were when the packets ended.
    pub(in crate::app) fn report(&self, config: &Config, max_rows: usize) -> Report {
        let counted = self.counted.as_ref();
        counted.map_or_else(Report::default, |(ledger, alarms)| report(ledger, alarms, config, max_rows))
    }

    /// The history, where it is served and something was read.
    pub(in crate::app) fn history(&self) -> Option<&History> {
        self.counted.as_ref()?.1.history()
    }

    /// False for a file that is broken from its start: there is nothing to write but the message.
    pub(super) fn is_worth_writing(&self, accounts: &Snapshot) -> bool {
        self.outcome.is_ok() || accounts.totals.frames.frames > 0
    }

    /// The receiver of alerts, which still fire if they did when the packets ended; none if nothing was read.
    pub(super) fn sink(&self) -> Option<&T> {
        self.counted.as_ref().map(|(_, alarms)| alarms.sink())
    }

    /// The receiver of all changes of alerts, their ends included; none if no frame was read.
    pub(in crate::app) fn resolve(&mut self) -> Option<T> {
        self.counted.take().map(|(_, alarms)| alarms.resolve())
    }
}

/// Plain accounts with at most `max_rows` flows, and alerts as they are.
pub(in crate::app) fn report<T: AlertSink>(
    ledger: &Ledger<detect::Notes>,
    alarms: &Alarms<T>,
    config: &Config,
    max_rows: usize,
) -> Report {
    let (detection, alerts) = alarms.view();
    let accounts = plain(ledger, max_rows, config.account.max_host_series);
    Report { accounts, detection, alerts, events: alarms.event_counts(), history_bytes: alarms.history_bytes() }
}

/// The receivers of a reading.
pub(in crate::app) struct ReadOutputs<T> {
    /// Receives the changes of alerts.
    pub(in crate::app) sink: T,
    /// Receives the violations of the policy.
    pub(in crate::app) violations: Box<dyn ViolationSink + Send>,
    /// Present if the accounts are served.
    pub(in crate::app) history: Option<History>,
}

/// The history of files. Past its limits the same rows stay each time.
pub(in crate::app) fn history_of_files(config: &Config) -> History {
    History::sized(config.account.flow_keying, SAMPLING, &config.history)
}

/// Reads `files`, counted by so many `workers`, with the detectors of `detect`. Stops once `on_progress`, which is
/// called often, breaks off.
pub(in crate::app) fn read<T: AlertSink + Send + 'static>(
    files: &[impl AsRef<Path>],
    config: &Config,
    detect: &detect::Config,
    workers: usize,
    ReadOutputs { sink, violations, history }: ReadOutputs<T>,
    mut on_progress: impl FnMut(&mut Progress<'_, Alarms<T>>) -> ControlFlow<()>,
) -> ReadResult<T> {
    let seed = random_seed();
    let classifier = Arc::new(Classifier::new(&config.locality, []));
    let own = || config.locality.own_networks();
    let policy = config.policy.networks().map(|networks| Arc::new(networks.permitting_own(own())));
    let mut ledger = Ledger::new(&config.account, seed);
    if policy.is_some() {
        ledger.count_verdicts();
    }
    let violations = policy.as_ref().map(|_| Violations::new(config.policy.events, seed, violations));
    let detectors = Detectors::new(detect, Seeds { tables: seed, sampling: SAMPLING }, None);
    let mut alarms = Alarms::new(detectors, &config.alert, sink).in_cells_of(config.detect.grids());
    alarms = alarms.with_violations(violations).with_history(history);
    alarms.set_classifier(&classifier);
    let interval = || {
        let mut interval = Interval::new(Arc::clone(&classifier), seed);
        interval.judge_by(policy.clone());
        interval
    };
    let mut replay = match pipeline::replay::Replay::new(ledger, alarms, interval, workers) {
        Ok(replay) => replay,
        Err(error) => return ReadResult { counted: None, span: None, outcome: Err(error) },
    };
    let bar = progress_bar(files);
    let outcome = files.iter().try_for_each(|file| {
        let filter = config.capture.filter.as_deref();
        let read = replay.read(file.as_ref(), filter, |progress| {
            bar.inc(progress.bytes);
            on_progress(progress)
        });
        read.map_err(|error| error.with_filter_place(config.filter_place.as_deref()))
    });
    bar.finish_and_clear();
    let span = replay.span();
    match replay.finish() {
        Ok(counted) => ReadResult { counted: Some(counted), span, outcome },
        Err(error) => ReadResult { counted: None, span, outcome: Err(error) },
    }
}

/// Captured bytes over the size of the files, which is a little more; hidden where standard error is not a terminal.
fn progress_bar(files: &[impl AsRef<Path>]) -> ProgressBar {
    let size = files.iter().map(|file| file.as_ref().metadata().map_or(0, |metadata| metadata.len())).sum();
    if !io::stderr().is_terminal() || size == 0 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    style.map_or_else(|_| ProgressBar::hidden(), |style| ProgressBar::new(size).with_style(style))
}
