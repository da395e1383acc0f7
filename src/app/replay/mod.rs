//! `replay`: reads capture files and writes their accounts and alerts. Takes files and a configuration; writes to
//! standard output, then gives an exit status. Must not know the formats' details.

use std::collections::HashMap;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::alerting::finish_events;
use super::output::Blocking;
use super::{DONE, random_seed, say_error};
use crate::account::interval::Interval;
use crate::account::ledger::Ledger;
use crate::account::snapshot::Snapshot;
use crate::account::snapshot_builder::plain;
use crate::alert::AlertSink;
use crate::alert::{Alert, Change, Fingerprint};
use crate::cli::{ReplayInvocation, ReplayOutput, Top};
use crate::config::Config;
use crate::detect::{self, Detectors};
use crate::events::console::Style;
use crate::events::json;
use crate::events::log::{Error as EventLogError, EventLog, EventSender, SendingPace};
use crate::export::{self, Format, Report, table, units::Units};
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

/// Alerts that are kept for the table when all are asked for.
const MOST_ALERTS: usize = 10_000;

/// Longest time at the end to write the event log.
const LAST_EVENTS: Duration = Duration::from_secs(10);

/// The default number of conversations and alerts in the table; the help has the same number.
const DEFAULT_TOP: usize = 20;

/// Reads the files in order and writes the accounts or the alerts. If a file is broken, writes the part before the
/// fault first, unless nothing could be read.
pub(super) fn run(replay: ReplayInvocation) -> anyhow::Result<u8> {
    super::log::start(replay.config.log);
    replay.config.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    if let Some(words) = words_of_a_filter(&replay.files) {
        anyhow::bail!(
            "{}: no such file; a filter is given as -filter '{words}'",
            words.split(' ').next().unwrap_or_default()
        );
    }
    let log = start_event_log(&replay.config)?;
    let events = log.as_ref().map(|log| log.sender(SendingPace::File));
    let outcome = write(&replay, events)?;
    log.into_iter().for_each(|log| finish_events(log, Instant::now() + LAST_EVENTS));
    Ok(outcome.err().map_or(DONE, |error| say_error(&error.into())))
}

/// Writes the accounts or the alerts to standard output, and the alerts to the event log if there is one.
fn write(replay: &ReplayInvocation, events: Option<EventSender>) -> anyhow::Result<ReadOutcome> {
    match replay.output {
        ReplayOutput::Alerts => write_alerts(replay, events),
        ReplayOutput::Table => write_table(replay, events),
        // These show accounts alone.
        ReplayOutput::JsonLines | ReplayOutput::Csv if events.is_none() => {
            write_report(replay, &detect::Config::nothing(), None)
        }
        _ => write_report(replay, &replay.config.detect, events),
    }
}

/// The last arguments if they look like a filter: none of them is a file, or looks like the name of one.
fn words_of_a_filter(files: &[PathBuf]) -> Option<String> {
    let first = files.iter().skip(1).position(|file| !file.exists())? + 1;
    let words: Vec<&str> = files[first..].iter().map(|word| word.to_str()).collect::<Option<_>>()?;
    let is_word = |word: &&str| word.chars().all(|letter| letter.is_ascii_alphanumeric());
    is_word(&words[0]).then(|| words.join(" "))
}

/// Sends each change to the event log too, if there is one.
struct Logged<T> {
    sink: T,
    events: Option<EventSender>,
}

impl<T: AlertSink> AlertSink for Logged<T> {
    fn notify(&mut self, change: &Change) {
        self.events.iter_mut().for_each(|events| events.notify(change));
        self.sink.notify(change);
    }
}

/// The event log, if a file is named for it. The lines on standard output are those of `--output`.
fn start_event_log(config: &Config) -> Result<Option<EventLog>, EventLogError> {
    if config.events.file.is_none() {
        return Ok(None);
    }
    let style = Style { form: config.log.format, explain: config.explain };
    EventLog::start(config.events.clone(), style, Box::new(|_| true)).map(Some)
}

/// An error if a file could not be read to its end.
type ReadOutcome = Result<(), pipeline::Error>;

fn write_alerts(replay: &ReplayInvocation, events: Option<EventSender>) -> anyhow::Result<ReadOutcome> {
    let out = BufWriter::with_capacity(64 << 10, Blocking(io::stdout()));
    let lines = ChangeLines { out, explains: replay.config.explain, outcome: Ok(()) };
    let mut read = read_all(replay, &replay.config.detect.for_alerts_alone(), Logged { sink: lines, events });
    super::written(read.resolve().map_or(Ok(()), |logged| logged.sink.finish()))?;
    Ok(read.outcome)
}

fn write_table(replay: &ReplayInvocation, events: Option<EventSender>) -> anyhow::Result<ReadOutcome> {
    let ReplayInvocation { config, top, exact, .. } = replay;
    let top = match top {
        Some(Top::All) => None,
        Some(Top::Most(most)) => Some(*most),
        None => Some(DEFAULT_TOP),
    };
    let sink = Logged { sink: Episodes::at_most(top.unwrap_or(MOST_ALERTS)), events };
    let mut read = read_all(replay, &config.detect.for_alerts_alone(), sink);
    let Report { accounts, alerts: current, .. } = read.report(config, max_rows(replay));
    if read.is_worth_writing(&accounts) {
        let (alerts, more_alerts) = read.sink().map(|logged| logged.sink.in_order(&current.firing)).unwrap_or_default();
        let filter = config.capture.filter.as_deref();
        let replayed = table::Replayed { accounts: &accounts, span: read.span, filter, alerts: &alerts, more_alerts };
        let units = if *exact { Units::Exact } else { Units::Human };
        super::written(table::write(table::Config { top, units }, &replayed, output()))?;
    }
    // The ends of alerts, for the event log.
    drop(read.resolve());
    Ok(read.outcome)
}

fn write_report(
    replay: &ReplayInvocation,
    detect: &detect::Config,
    events: Option<EventSender>,
) -> anyhow::Result<ReadOutcome> {
    let ReplayInvocation { config, output: form, .. } = replay;
    let mut read = read_all(replay, detect, Logged { sink: (), events });
    let report = read.report(config, max_rows(replay));
    if read.is_worth_writing(&report.accounts) {
        super::written(match form {
            ReplayOutput::JsonLines => export::jsonl::write(&report.accounts, output()),
            ReplayOutput::Csv => export::csv::write(&report.accounts, output()),
            ReplayOutput::Prometheus => export::write(&config.export, Format::Text, &report, None, output()),
            ReplayOutput::None => export::write(&config.export, Format::Text, &report, None, io::sink()),
            ReplayOutput::Table | ReplayOutput::Alerts => Ok(()),
        })?;
    }
    drop(read.resolve());
    Ok(read.outcome)
}

fn output() -> BufWriter<Blocking<io::StdoutLock<'static>>> {
    BufWriter::with_capacity(64 << 10, Blocking(io::stdout().lock()))
}

/// The most flows in the output: `max_series` for Prometheus, as live; all flows for scripts, unless they ask for
/// fewer.
fn max_rows(ReplayInvocation { output, top, config, .. }: &ReplayInvocation) -> usize {
    match (output, top) {
        (ReplayOutput::Prometheus | ReplayOutput::None, _) => config.account.max_series,
        (ReplayOutput::JsonLines | ReplayOutput::Csv, Some(Top::Most(most))) => config.account.max_flows.min(*most),
        _ => config.account.max_flows,
    }
}

/// The latest state of each alert, of as many as were asked for.
#[derive(Debug)]
struct Episodes {
    most: usize,
    began: Vec<Alert>,
    /// Positions of the alerts that still fire.
    firing: HashMap<Fingerprint, usize>,
    /// Alerts past the limit.
    more: u64,
}

impl Episodes {
    fn at_most(most: usize) -> Self {
        Self { most, began: Vec::new(), firing: HashMap::new(), more: 0 }
    }

    /// The alerts in the order in which they began, with the latest figures of those in `firing`, and how many more
    /// there were.
    fn in_order(&self, firing: &[Alert]) -> (Vec<Alert>, u64) {
        let mut alerts = self.began.clone();
        for alert in firing {
            if let Some(&at) = self.firing.get(&alert.fingerprint) {
                alerts[at] = alert.clone();
            }
        }
        (alerts, self.more)
    }
}

impl AlertSink for Episodes {
    fn notify(&mut self, change: &Change) {
        match change {
            Change::Fired(_) if self.began.len() == self.most => self.more += 1,
            Change::Fired(alert) => {
                self.firing.insert(alert.fingerprint, self.began.len());
                self.began.push(alert.clone());
            }
            Change::Resolved(alert) => {
                if let Some(at) = self.firing.remove(&alert.fingerprint) {
                    self.began[at] = alert.clone();
                }
            }
        }
    }
}

/// Writes each change of an alert as a line, until that fails. Waits for a reader that is slow.
struct ChangeLines {
    out: BufWriter<Blocking<io::Stdout>>,
    explains: bool,
    outcome: io::Result<()>,
}

impl ChangeLines {
    fn finish(mut self) -> io::Result<()> {
        self.outcome.and_then(|()| self.out.flush())
    }
}

impl AlertSink for ChangeLines {
    fn notify(&mut self, change: &Change) {
        if self.outcome.is_ok() {
            self.outcome = json::write(change, self.explains, &mut self.out);
        }
    }
}

pub(super) struct ReadResult<T> {
    /// The accounts of all that was read, and what was found; none if nothing could be.
    counted: Option<(Ledger<detect::Notes>, Alarms<T>)>,
    /// The times of the earliest and the latest frame; none without frames.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Success if all could be read.
    pub outcome: ReadOutcome,
}

impl<T: AlertSink> ReadResult<T> {
    /// Plain accounts with at most `max_rows` flows; alerts as they were when the packets ended.
    pub(super) fn report(&self, config: &Config, max_rows: usize) -> Report {
        let counted = self.counted.as_ref();
        counted.map_or_else(Report::default, |(ledger, alarms)| report(ledger, alarms, config, max_rows))
    }

    /// The history, where it is served and something was read.
    pub(super) fn history(&self) -> Option<&History> {
        self.counted.as_ref()?.1.history()
    }

    /// False for a file that is broken from its start: there is nothing to write but the message.
    fn is_worth_writing(&self, accounts: &Snapshot) -> bool {
        self.outcome.is_ok() || accounts.totals.frames.frames > 0
    }

    /// The receiver of alerts, which still fire if they did when the packets ended; none if nothing was read.
    fn sink(&self) -> Option<&T> {
        self.counted.as_ref().map(|(_, alarms)| alarms.sink())
    }

    /// The receiver of all changes of alerts, their ends included; none if no frame was read.
    pub(super) fn resolve(&mut self) -> Option<T> {
        self.counted.take().map(|(_, alarms)| alarms.resolve())
    }
}

/// Plain accounts with at most `max_rows` flows, and alerts as they are.
pub(super) fn report<T: AlertSink>(
    ledger: &Ledger<detect::Notes>,
    alarms: &Alarms<T>,
    config: &Config,
    max_rows: usize,
) -> Report {
    let (detection, alerts) = alarms.view();
    let accounts = plain(ledger, max_rows, config.account.max_host_series);
    Report { accounts, detection, alerts, events: alarms.event_counts(), history_bytes: alarms.history_bytes() }
}

fn read_all<T: AlertSink + Send + 'static>(
    replay: &ReplayInvocation,
    detect: &detect::Config,
    sink: Logged<T>,
) -> ReadResult<Logged<T>> {
    let violations: Box<dyn ViolationSink + Send> = match &sink.events {
        Some(events) => Box::new(events.clone()),
        None => Box::new(()),
    };
    let go_on = |_: &mut Progress<'_, _>| ControlFlow::Continue(());
    let outputs = ReadOutputs { sink, violations, history: None };
    read(&replay.files, &replay.config, detect, replay.workers, outputs, go_on)
}

/// The receivers of a reading.
pub(super) struct ReadOutputs<T> {
    /// Receives the changes of alerts.
    pub sink: T,
    /// Receives the violations of the policy.
    pub violations: Box<dyn ViolationSink + Send>,
    /// Where the accounts are served.
    pub history: Option<History>,
}

/// The history of files. Past its limits the same rows stay each time.
pub(super) fn history_of_files(config: &Config) -> History {
    History::new(config.account.flow_keying, SAMPLING)
}

/// Reads `files`, counted by so many `workers`, with the detectors of `detect`. Stops once `on_progress`, which is called often, breaks off.
pub(super) fn read<T: AlertSink + Send + 'static>(
    files: &[impl AsRef<Path>],
    config: &Config,
    detect: &detect::Config,
    workers: usize,
    ReadOutputs { sink, violations, history }: ReadOutputs<T>,
    mut on_progress: impl FnMut(&mut Progress<'_, Alarms<T>>) -> ControlFlow<()>,
) -> ReadResult<T> {
    let seed = random_seed();
    let classifier = Arc::new(Classifier::new(&config.locality, []));
    let policy = config.policy.networks().map(Arc::new);
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
        replay.read(file.as_ref(), filter, |progress| {
            bar.inc(progress.bytes);
            on_progress(progress)
        })
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

#[cfg(test)]
mod tests;
