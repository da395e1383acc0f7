//! Options, words, environment and configuration file → one [`Settings`].
//!
//! Takes them as they were given; lays them over each other, the options on top. Must not know what a setting does.

use std::ffi::OsString;
use std::path::PathBuf;

use super::argv::Occurrence;
use super::options::{self, all};
use super::words::RemainingWords;
use super::{OUTPUT, ReplayOutput, Top, TopCount};
use crate::config::kinds::ValueKind as _;
use crate::config::kinds::addresses::FILE_NAME;
use crate::config::kinds::keywords::TRUTH;
use crate::config::kinds::numbers::WORKERS;
use crate::config::{Error, Given, Role, Settings, Unavailable, declarations, environment, file};

/// Reads the file that is named, the environment, the words and the options.
///
/// # Errors
/// The first mistake in them.
pub fn read(
    occurrences: &[Occurrence],
    variables: &[(OsString, OsString)],
    words: RemainingWords,
) -> Result<Settings, Error> {
    let of_options = options_layer(occurrences)?;
    let of_environment = environment::read(variables, all())?;
    let of_file = match config_file(occurrences, variables, words.file)? {
        Some(path) => file::load(&path)?,
        None => Settings::default(),
    };
    let of_environment = of_environment.alerting_on_anomalies();
    Ok(of_file.merge(of_environment).merge(words.settings).merge(of_options.alerting_on_anomalies()))
}

/// The layer of the options. All that was given for one option is read together.
fn options_layer(occurrences: &[Occurrence]) -> Result<Settings, Error> {
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
    given.map(|given| FILE_NAME.read(&given)).transpose().map_err(Error::from)
}

/// True if the configuration is only to be checked.
///
/// # Errors
/// A value that is no truth value.
pub fn only_checks(occurrences: &[Occurrence]) -> Result<bool, Error> {
    truth(last(occurrences, options::CONFIG_CHECK))
}

fn truth(given: Option<Given>) -> Result<bool, Error> {
    given.map_or(Ok(false), |given| TRUTH.read(&given).map_err(Error::from))
}

/// The output of `replay`.
///
/// # Errors
/// A value that is not an output, or the option without `replay`.
pub fn output(occurrences: &[Occurrence], replays: bool) -> Result<ReplayOutput, Error> {
    let Some(given) = last(occurrences, options::OUTPUT) else { return Ok(ReplayOutput::default()) };
    if !replays {
        return Err(of_replay(&given, "only available with replay; add replay FILE or remove the option"));
    }
    Ok(OUTPUT.read(&given)?)
}

/// The number of conversations or flows that `replay` lists; none if that is not given.
///
/// # Errors
/// A value that is neither a number nor `all`, the option without `replay`, or with an `output` that lists no flows.
pub fn top(occurrences: &[Occurrence], replays: bool, output: ReplayOutput) -> Result<Option<Top>, Error> {
    let Some(given) = last(occurrences, options::TOP) else { return Ok(None) };
    if !replays {
        return Err(of_replay(&given, "only available with replay; --max-series limits the flows that are exported"));
    }
    match output {
        ReplayOutput::Table | ReplayOutput::JsonLines | ReplayOutput::Csv => Ok(Some(TopCount.read(&given)?)),
        ReplayOutput::Prometheus => {
            Err(of_replay(&given, "not available with --output prometheus; use --max-series to limit the flows"))
        }
        ReplayOutput::None | ReplayOutput::Alerts => {
            let format = OUTPUT.word(output);
            Err(of_replay(&given, &format!("not available with --output {format}, which lists no flows")))
        }
    }
}

/// True if `replay` writes exact numbers in its table. Its other outputs always have them.
///
/// # Errors
/// A value that is no truth value, or the option without `replay`.
pub fn exact(occurrences: &[Occurrence], replays: bool) -> Result<bool, Error> {
    match last(occurrences, options::BYTES) {
        Some(given) if !replays => Err(of_replay(&given, "only available with replay; metrics are always exact")),
        given => truth(given),
    }
}

/// The number of threads with which `replay` counts.
///
/// # Errors
/// A value that is no such number, or the option without `replay`.
pub fn workers(occurrences: &[Occurrence], replays: bool) -> Result<usize, Error> {
    let Some(given) = last(occurrences, options::WORKERS) else { return Ok(1) };
    if !replays {
        return Err(of_replay(&given, "only available with replay; for interfaces use --capture.workers"));
    }
    Ok(WORKERS.read(&given)?)
}

/// Refuses an option that names a capture file beside `replay`.
///
/// # Errors
/// Another file in an option.
pub fn refuse_source(occurrences: &[Occurrence], replays: bool) -> Result<(), Error> {
    match last(occurrences, options::SOURCE).filter(|_| replays) {
        Some(given) => Err(Error::invalid(given.place(), "replay takes its files as arguments: replay FILE")),
        None => Ok(()),
    }
}

fn of_replay(given: &Given, problem: &str) -> Error {
    Error::invalid(given.origin.to_string(), problem)
}

/// Everything that was given and is not built yet: options, then variables. Values that change nothing are accepted.
///
/// # Errors
/// A value that belongs to another option.
pub fn unavailable(occurrences: &[Occurrence], variables: &[(OsString, OsString)]) -> Result<Vec<Unavailable>, Error> {
    let mut given = unavailable_options(occurrences)?;
    given.extend(environment::unavailable(variables, all()));
    Ok(given)
}

/// The reserved options, each as it was typed.
///
/// # Errors
/// A value that belongs to another option.
pub fn unavailable_options(occurrences: &[Occurrence]) -> Result<Vec<Unavailable>, Error> {
    let mut given = Vec::new();
    for (index, occurrence) in occurrences.iter().enumerate() {
        let Role::Reserved { accepted, meanwhile } = occurrence.declaration.role else { continue };
        let id = occurrence.declaration.id();
        let overridden = occurrences[index + 1..].iter().any(|later| later.declaration.id() == id);
        let value = occurrence.given();
        if overridden || value.is_blank() || asks_for_nothing(occurrence, &value, accepted) {
            continue;
        }
        if id == "log-format" && value.text().is_some_and(|text| text == "logfmt") {
            return Err(Error::invalid(value.place(), "this is a value of --log.format (the program's own log)"));
        }
        given.push(Unavailable { what: occurrence.typed.clone(), meanwhile });
    }
    Ok(given)
}

/// True if the value is one that is accepted; a truth value in any of its spellings.
fn asks_for_nothing(occurrence: &Occurrence, value: &Given, accepted: &[&str]) -> bool {
    let is_literal = value.text().is_some_and(|text| accepted.contains(&&*text));
    let is_switch = !occurrence.declaration.arity.takes_next();
    is_literal || (is_switch && accepted.contains(&"false") && TRUTH.read(value) == Ok(false))
}
