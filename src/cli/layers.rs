//! The layers of settings: configuration file, environment, words and options.
//!
//! Takes them as they were given; merges them into one [`Settings`], in which options override all others. Must not
//! know what a setting does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::options::{self, Occurrence, all};
use super::scope::{ANALYZE, REPLAY, TEST};
use super::words::RemainingWords;
use super::{ANALYSIS_FORMAT, OUTPUT, ReplayOutput, TOP, Top};
use crate::config::kinds::ValueKind as _;
use crate::config::kinds::addresses::FILE_NAME;
use crate::config::kinds::keywords::BOOLEAN;
use crate::config::kinds::numbers::WORKERS;
use crate::config::{Error, Given, Settings, declarations, environment, file};
use crate::events::analysis::LogFormat;

/// Reads what systemd provides, the file that is named, the environment, the words and the options; or gives the first
/// mistake in them. `load` reads the file: [`file::load`], or [`load_again`] while the program runs.
pub(crate) fn read(
    occurrences: &[Occurrence],
    variables: &[(OsString, OsString)],
    words: RemainingWords,
    load: fn(&Path) -> Result<Settings, Error>,
) -> Result<Settings, Error> {
    let of_options = options_layer(occurrences)?;
    let of_environment = environment::read(variables, all())?;
    let of_file = match config_file(occurrences, variables, words.file)? {
        Some(path) => load(&path)?,
        None => Settings::default(),
    };
    let of_environment = of_environment.alerting_on_anomalies();
    let of_manager = environment::of_service_manager(variables, std::process::id())?;
    Ok(of_manager.merge(of_file).merge(of_environment).merge(words.settings).merge(of_options.alerting_on_anomalies()))
}

/// The layer of the options. All that was given for one option is read together.
pub(super) fn options_layer(occurrences: &[Occurrence]) -> Result<Settings, Error> {
    let mut settings = Settings::default();
    for declaration in declarations::options() {
        let same = occurrences.iter().filter(|occurrence| occurrence.declaration.id() == declaration.id());
        settings.give(declaration, same.map(Occurrence::given).collect())?;
    }
    Ok(settings)
}

/// The last value given for the option of that name, unless it is blank.
fn last(occurrences: &[Occurrence], id: &str) -> Option<Given> {
    let occurrence = occurrences.iter().rfind(|occurrence| occurrence.declaration.id() == id)?;
    Some(occurrence.given()).filter(|given| !given.is_blank())
}

/// The configuration file: of an option or a word, else of the environment.
fn config_file(
    occurrences: &[Occurrence],
    variables: &[(OsString, OsString)],
    word: Option<Given>,
) -> Result<Option<PathBuf>, Error> {
    let of_option = last(occurrences, options::CONFIG);
    if let (Some(option), Some(word)) = (&of_option, &word) {
        return Err(Error::invalid(
            word.place(),
            format!("{} also names a configuration file; give only one", option.place()),
        ));
    }
    let of_environment = || environment::value_of(variables, options::by_long(options::CONFIG)?);
    let given = of_option.or(word).or_else(of_environment);
    given.map(|given| FILE_NAME.parse_given(&given)).transpose().map_err(Error::from)
}

/// Reads a configuration file again. Refuses one that cannot be read twice, such as a pipe, and an empty one: it may be half
/// written, and all its settings would get their defaults.
pub(super) fn load_again(path: &Path) -> Result<Settings, Error> {
    let refused = |problem: &str| Err(Error::invalid(path.display().to_string(), problem));
    if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return refused("not a regular file, so it cannot be read again; restart the program");
    }
    let text = file::read(path)?;
    if is_blank(&text) {
        return refused("the file has no setting; restart the program for its defaults");
    }
    file::load_text(&text, path)
}

/// True if a text has nothing but comments and space.
fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

/// True if the configuration is only to be checked.
pub(super) fn only_checks(occurrences: &[Occurrence]) -> Result<bool, Error> {
    boolean(last(occurrences, options::CONFIG_CHECK))
}

fn boolean(given: Option<Given>) -> Result<bool, Error> {
    given.map_or(Ok(false), |given| BOOLEAN.parse_given(&given).map_err(Error::from))
}

/// The output of `replay`.
pub(crate) fn output(occurrences: &[Occurrence], replays: bool) -> Result<ReplayOutput, Error> {
    let problem = "only available with replay and check; add replay FILE or remove the option";
    let given = of_subcommand(occurrences, options::OUTPUT, replays, problem)?;
    given.map_or(Ok(ReplayOutput::default()), |given| Ok(OUTPUT.parse_given(&given)?))
}

/// True if `check` writes its findings as JSON; none without `check`.
pub(super) fn writes_findings_as_json(occurrences: &[Occurrence], checks: bool) -> Result<Option<bool>, Error> {
    if !checks {
        return Ok(None);
    }
    let Some(given) = last(occurrences, options::OUTPUT) else { return Ok(Some(false)) };
    match OUTPUT.parse_given(&given)? {
        ReplayOutput::Table => Ok(Some(false)),
        ReplayOutput::JsonLines => Ok(Some(true)),
        _ => Err(Error::invalid(given.place(), "check writes table or jsonl")),
    }
}

/// The number of conversations or flows that `replay` lists; none if that is not given. Refused with an `output` that
/// lists no flows.
pub(crate) fn top(occurrences: &[Occurrence], replays: bool, output: ReplayOutput) -> Result<Option<Top>, Error> {
    let advice = "--max-series limits the flows that are exported";
    let Some(given) = of_replay(occurrences, options::TOP, replays, advice)? else { return Ok(None) };
    let problem = match output {
        ReplayOutput::Table | ReplayOutput::JsonLines | ReplayOutput::Csv => return Ok(Some(TOP.parse_given(&given)?)),
        ReplayOutput::Prometheus => "not available with --output prometheus; use --max-series to limit the flows",
        ReplayOutput::None | ReplayOutput::Alerts => {
            &format!("not available with --output {}, which lists no flows", OUTPUT.word(output))
        }
    };
    Err(Error::invalid(given.origin.to_string(), problem))
}

/// The number of entries in each list of `analyze`; none if that is not given.
pub(super) fn top_of_analysis(occurrences: &[Occurrence]) -> Result<Option<Top>, Error> {
    last(occurrences, options::TOP).map(|given| Ok(TOP.parse_given(&given)?)).transpose()
}

/// The format of the logs that `analyze` reads; none if their first bytes decide it.
pub(super) fn log_format(occurrences: &[Occurrence], analyzes: bool) -> Result<Option<LogFormat>, Error> {
    let given = of_analyze(occurrences, options::LOG_FORMAT, analyzes)?;
    given.map_or(Ok(None), |given| Ok(ANALYSIS_FORMAT.parse_given(&given)?))
}

/// The file that `analyze` writes its report to.
pub(super) fn report(occurrences: &[Occurrence], analyzes: bool) -> Result<Option<PathBuf>, Error> {
    let given = of_analyze(occurrences, options::EXPORT_REPORT, analyzes)?;
    given.map(|given| FILE_NAME.parse_given(&given)).transpose().map_err(Error::from)
}

/// True if `replay` writes exact numbers in its table. Its other outputs always have them.
pub(crate) fn exact(occurrences: &[Occurrence], replays: bool) -> Result<bool, Error> {
    boolean(of_replay(occurrences, options::BYTES, replays, "metrics are always exact")?)
}

/// The part of their names by which `test` chooses cases; empty for all.
pub(super) fn run(occurrences: &[Occurrence], tests: bool) -> Result<Option<Given>, Error> {
    of_test(occurrences, options::RUN, tests)
}

/// The file that `test` writes its results to as JUnit XML.
pub(super) fn junit(occurrences: &[Occurrence], tests: bool) -> Result<Option<PathBuf>, Error> {
    let given = of_test(occurrences, options::JUNIT, tests)?;
    given.map(|given| FILE_NAME.parse_given(&given)).transpose().map_err(Error::from)
}

/// The number of threads with which `replay` counts.
pub(crate) fn workers(occurrences: &[Occurrence], replays: bool) -> Result<usize, Error> {
    let given = of_replay(occurrences, options::WORKERS, replays, "for interfaces use --capture.workers")?;
    given.map_or(Ok(1), |given| Ok(WORKERS.parse_given(&given)?))
}

/// Refuses an option that names a capture file beside `replay` or `test`.
pub(super) fn refuse_source(occurrences: &[Occurrence], subcommand: Option<&str>) -> Result<(), Error> {
    let advice = match subcommand {
        Some(REPLAY) => "replay takes its files as arguments: replay FILE",
        Some(TEST) => "test takes its captures from the cases",
        Some(ANALYZE) => "analyze reads event logs, which it takes as arguments: analyze FILE",
        _ => return Ok(()),
    };
    last(occurrences, options::SOURCE).map_or(Ok(()), |given| Err(Error::invalid(given.place(), advice)))
}

/// The last value given for an option of `replay`. Without `replay` it is refused with this advice.
fn of_replay(occurrences: &[Occurrence], id: &str, replays: bool, advice: &str) -> Result<Option<Given>, Error> {
    of_subcommand(occurrences, id, replays, &format!("only available with replay; {advice}"))
}

fn of_test(occurrences: &[Occurrence], id: &str, tests: bool) -> Result<Option<Given>, Error> {
    of_subcommand(occurrences, id, tests, "only available with test; add test CASES.yml or remove the option")
}

fn of_analyze(occurrences: &[Occurrence], id: &str, is_there: bool) -> Result<Option<Given>, Error> {
    of_subcommand(occurrences, id, is_there, "only available with analyze; add analyze FILE or remove the option")
}

/// The last value given for an option of a subcommand. Without that subcommand it is refused with this problem.
fn of_subcommand(occurrences: &[Occurrence], id: &str, is_there: bool, problem: &str) -> Result<Option<Given>, Error> {
    match last(occurrences, id) {
        Some(given) if !is_there => Err(Error::invalid(given.origin.to_string(), problem)),
        given => Ok(given),
    }
}
