//! `replay`: reads capture files and writes their accounts and alerts. Takes files and a configuration; writes to
//! standard output, then gives an exit status. Must not know the formats' details.

mod reading;
mod sinks;

use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::alerting::finish_events;
use super::output::Blocking;
use super::{DONE, say_error};
use crate::alert::AlertSink;
use crate::cli::{ReplayInvocation, ReplayOutput, Top};
use crate::detect;
use crate::events;
use crate::events::console::Style;
use crate::events::log::{Error as EventLogError, EventLog, EventSender, SendingPace};
use crate::export::{self, Format, Report, table, units::Units};
use crate::pipeline::replay::Progress;
use crate::policy::ViolationSink;
use reading::ReadOutcome;
pub(super) use reading::{ReadOutputs, ReadResult, history_of_files, read, report};
use sinks::{ChangeLines, Episodes, Logged};

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
    let log = start_event_log(&replay)?;
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

/// The event log, if a file is named for it or the console is asked for. The lines on standard output are those of
/// `--output`, so the console is standard error.
fn start_event_log(replay: &ReplayInvocation) -> Result<Option<EventLog>, EventLogError> {
    let config = &replay.config;
    if config.events.file.is_none() && !replay.shows_events {
        return Ok(None);
    }
    let style = Style { form: config.log.format, explain: config.explain };
    let mut err = Blocking(io::stderr());
    let console = Box::new(move |line: String, _| err.write_all(line.as_bytes()).is_ok());
    let events = events::Config { summary_interval: Duration::ZERO, ..config.events.clone() };
    EventLog::start(events, style, console, None).map(Some)
}

fn write_alerts(replay: &ReplayInvocation, events: Option<EventSender>) -> anyhow::Result<ReadOutcome> {
    let out = BufWriter::with_capacity(64 << 10, Blocking(io::stdout()));
    let lines = ChangeLines::new(out, replay.config.explain);
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
