//! The command line. Takes arguments and the environment; gives an [`Invocation`], which is a task with its validated
//! configuration, or a text to print. Must not print or start anything.
//!
//! [`argv`] reads the options; clap reads the words and subcommands.

mod argv;
pub(crate) mod cases;
pub mod command;
mod complete;
pub(crate) mod hints;
mod layers;
mod man;
pub mod options;
pub mod reference;
mod scope;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap_complete::Shell;

use crate::config::given::{Content, Given};
use crate::config::kinds::keywords::Keywords;
use crate::config::kinds::{Scalar, Scalars};
use crate::config::{Config, Error, Log, Settings, file};
use crate::events::analysis::LogFormat;
use crate::events::log::EventFormat;
use argv::Arguments;
use cases::CaseFile;
use options::Occurrence;

/// The task that the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Invocation {
    /// Capture (or read `config.source`) and serve.
    Run(Config),
    /// Read capture files, write the results, and end.
    Replay(ReplayInvocation),
    /// Run test cases, write their results, and end.
    Test(TestInvocation),
    /// Read event logs, write what is found, and end.
    Analyze(AnalyzeInvocation),
    /// Say what of a run will not work, and why.
    Check(CheckInvocation),
    /// List the interfaces, and which of them this configuration captures.
    Interfaces(Config),
    /// Print that the configuration is valid.
    CheckConfig(Config),
    /// Print [`Config::to_yaml`].
    PrintConfig(Config),
    /// Print this text: a completion script or the man page.
    Print(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReplayInvocation {
    /// The files, in the order given; `-` is standard input.
    pub files: Vec<PathBuf>,
    pub output: ReplayOutput,
    /// The number of rows to list; none if that was not given.
    pub top: Option<Top>,
    /// Exact numbers in the table.
    pub exact: bool,
    /// Counting threads.
    pub workers: usize,
    /// True if events without a file are lines on standard error: the format of the console was asked for.
    pub shows_events: bool,
    /// All other settings. The `source` is none.
    pub config: Config,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckInvocation {
    /// The configuration of the run.
    pub config: Config,
    /// True for one JSON object a line.
    pub is_json: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TestInvocation {
    /// The cases to run, by their files, in the order given. There is at least one.
    pub files: Vec<CaseFile>,
    /// The file for the results as JUnit XML.
    pub junit: Option<PathBuf>,
    pub log: Log,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnalyzeInvocation {
    /// The event logs, in the order given; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// The format of the logs; none if their first bytes decide it.
    pub format: Option<LogFormat>,
    /// The file for the report as JSON.
    pub report: Option<PathBuf>,
    /// The number of entries in each list; none if that was not given.
    pub top: Option<Top>,
    pub log: Log,
}

/// The format of event logs; none means that their first bytes decide it.
const ANALYSIS_FORMAT: Keywords<Option<LogFormat>> = Keywords::of(&[
    ("auto", None),
    ("json", Some(LogFormat::Json)),
    ("jsonl", Some(LogFormat::JsonLines)),
    ("csv", Some(LogFormat::Csv)),
]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReplayOutput {
    /// A table for people.
    #[default]
    Table,
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values, one line per flow.
    Csv,
    /// The exposition, as `/metrics` would give it at the end.
    Prometheus,
    /// Nothing, after all the work of `Prometheus`.
    None,
    /// The changes of alerts, one JSON object a line.
    Alerts,
}

const OUTPUT: Keywords<ReplayOutput> = Keywords::of(&[
    ("table", ReplayOutput::Table),
    ("jsonl", ReplayOutput::JsonLines),
    ("csv", ReplayOutput::Csv),
    ("alerts", ReplayOutput::Alerts),
    ("prometheus", ReplayOutput::Prometheus),
    ("none", ReplayOutput::None),
]);

/// The number of conversations, flows or alerts that `replay` lists, or of entries in each list of `analyze`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Top {
    /// At least one.
    Most(usize),
    All,
}

const TOP: Scalar<Top> = Scalar {
    form: "a number from 1, or all",
    scalars: Scalars::TextOrNumber,
    parse: |text| match text.parse() {
        _ if text == "all" => Some(Top::All),
        Ok(most @ 1..) => Some(Top::Most(most)),
        _ => None,
    },
    // It is in no configuration.
    show: |_| Content::Null,
    parse_raw: None,
};

/// The reason why there is no [`Invocation`]: help or version was asked for, or the command line or configuration is
/// wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    /// The text to print: to standard output when `exit_code` is 0, else to standard error. It has no line break at the
    /// end.
    pub message: String,
    /// The status to exit with: 0 or 2.
    pub exit_code: u8,
}

/// The exit status for wrong usage or configuration.
const WRONG: u8 = 2;

impl From<Error> for Usage {
    fn from(error: Error) -> Self {
        Self { message: error.to_string(), exit_code: WRONG }
    }
}

/// Reads the command line (the program's name first) and the environment. `libpcap` is the version that the library
/// reports. Gives [`Usage`] for `--help` and `--version` too.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    libpcap: &str,
) -> Result<Invocation, Usage> {
    let (arguments, matches) = read_line(arguments, libpcap)?;
    match matches.subcommand() {
        Some((command::COMPLETIONS, matches)) => completions(matches, libpcap),
        Some((command::MAN, _)) => Ok(Invocation::Print(man::page())),
        subcommand => {
            let environment: Vec<_> = environment.into_iter().collect();
            configured(&matches, subcommand, &arguments, &environment).map_err(Usage::from)
        }
    }
}

/// The configuration with which the exporter would start now, and the layers that it is made of: for a program that was
/// started by the same arguments and environment. Only a regular file is read, because others are read once.
pub(crate) fn reread(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    libpcap: &str,
) -> Result<(Config, Settings), Usage> {
    let (arguments, matches) = read_line(arguments, libpcap)?;
    let environment: Vec<_> = environment.into_iter().collect();
    let words = words::read(&matches, &arguments.occurrences)?;
    let settings = layers::read(&arguments.occurrences, &environment, words, layers::load_again)?;
    Ok((settings.clone().validate()?, settings))
}

/// The arguments as they were typed, and as clap reads them.
fn read_line(arguments: impl IntoIterator<Item = OsString>, libpcap: &str) -> Result<(Arguments, ArgMatches), Usage> {
    let arguments = argv::rewrite(arguments.into_iter().skip(1))?;
    let line = std::iter::once(OsString::from(command::PROGRAM)).chain(arguments.rewritten.iter().cloned());
    let matches = command::reading(libpcap)
        .try_get_matches_from(line)
        .map_err(|error| explain(&error, &arguments.occurrences))?;
    Ok((arguments, matches))
}

fn configured(
    matches: &ArgMatches,
    subcommand: Option<(&str, &ArgMatches)>,
    Arguments { occurrences, .. }: &Arguments,
    environment: &[(OsString, OsString)],
) -> Result<Invocation, Error> {
    let name = subcommand.map(|(name, _)| name);
    // The words of `check` are those of the run.
    let of_words = subcommand.filter(|(name, _)| *name == command::CHECK).map_or(matches, |(_, matches)| matches);
    let settings = settings(of_words, occurrences, environment)?;
    let (replays, tests) = (name == Some(command::REPLAY), name == Some(command::TEST));
    let analyzes = name == Some(command::ANALYZE);
    layers::refuse_source(occurrences, name)?;
    let is_json = layers::writes_findings_as_json(occurrences, name == Some(command::CHECK))?;
    let output = if is_json.is_some() { ReplayOutput::Table } else { layers::output(occurrences, replays)? };
    let top = match analyzes {
        true => layers::top_of_analysis(occurrences)?,
        false => layers::top(occurrences, replays, output)?,
    };
    let (format, report) = (layers::log_format(occurrences, analyzes)?, layers::report(occurrences, analyzes)?);
    let exact = layers::exact(occurrences, replays)?;
    let workers = layers::workers(occurrences, replays)?;
    let (run, junit) = (layers::run(occurrences, tests)?, layers::junit(occurrences, tests)?);
    let only_checks = layers::only_checks(occurrences)?;
    match subcommand {
        Some((command::TEST, matches)) => {
            let files = cases(&words_of(matches, command::CASES), &settings, run)?;
            let config = settings.validate()?;
            let test = |log| Invocation::Test(TestInvocation { files, junit, log });
            Ok(if only_checks { Invocation::CheckConfig(config) } else { test(config.log) })
        }
        _ if only_checks && replays => settings.validate_for_files().map(Invocation::CheckConfig),
        _ if only_checks => settings.validate().map(Invocation::CheckConfig),
        Some((command::REPLAY, matches)) => {
            let gives_event_format = settings.gives_event_format();
            let config = Config { source: None, ..settings.validate_for_files()? };
            let shows_events = gives_event_format && config.events.format == EventFormat::Console;
            let files = words_of(matches, command::FILES);
            Ok(Invocation::Replay(ReplayInvocation { files, output, top, exact, workers, shows_events, config }))
        }
        Some((command::ANALYZE, matches)) => {
            let files = words_of(matches, command::LOGS);
            let log = settings.validate()?.log;
            Ok(Invocation::Analyze(AnalyzeInvocation { files, format, report, top, log }))
        }
        Some((command::CHECK, _)) => {
            let config = settings.validate()?;
            Ok(Invocation::Check(CheckInvocation { config, is_json: is_json.unwrap_or_default() }))
        }
        Some((command::INTERFACES, _)) => settings.validate().map(Invocation::Interfaces),
        Some((command::CONFIG, _)) => settings.validate().map(Invocation::PrintConfig),
        _ => settings.validate().map(Invocation::Run),
    }
}

/// All layers together.
fn settings(
    matches: &ArgMatches,
    occurrences: &[Occurrence],
    environment: &[(OsString, OsString)],
) -> Result<Settings, Error> {
    words::read(matches, occurrences).and_then(|words| layers::read(occurrences, environment, words, file::load))
}

/// The test cases whose names contain the text of `run`.
fn cases(paths: &[PathBuf], base: &Settings, run: Option<Given>) -> Result<Vec<CaseFile>, Error> {
    let files = cases::read(paths, base)?;
    let Some(run) = run else { return Ok(files) };
    let selected = cases::select(files, &run.text().unwrap_or_default());
    if selected.is_empty() { Err(Error::invalid(run.place(), "no case has this in its name")) } else { Ok(selected) }
}

/// The arguments of a subcommand that are names of files.
fn words_of(matches: &ArgMatches, id: &str) -> Vec<PathBuf> {
    matches.get_many::<OsString>(id).into_iter().flatten().map(PathBuf::from).collect()
}

fn completions(matches: &ArgMatches, libpcap: &str) -> Result<Invocation, Usage> {
    match matches.get_one::<Shell>(command::SHELL) {
        Some(shell) => Ok(Invocation::Print(reference::completions(*shell, libpcap))),
        None => Err(Usage { message: "no shell is named".to_owned(), exit_code: WRONG }),
    }
}

/// The error of clap in one line, with the options as they were typed; help and version unchanged.
fn explain(error: &clap::Error, occurrences: &[Occurrence]) -> Usage {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Usage { message: error.to_string().trim_end().to_owned(), exit_code: 0 };
    }
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let message = lines.join(" ").trim_start_matches("error: ").to_owned();
    let message = occurrences.iter().fold(message, |message, occurrence| {
        message.replace(&format!("'--{}", occurrence.typed.trim_start_matches('-')), &format!("'{}", occurrence.typed))
    });
    Usage { message, exit_code: WRONG }
}

#[cfg(test)]
mod tests;
