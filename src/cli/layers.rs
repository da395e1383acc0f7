//! The options given, the words, the environment and the configuration file → one [`Settings`], laid over each other in this
//! order.

use std::ffi::OsString;
use std::path::PathBuf;

use super::argv::Occurrence;
use super::options::{self, all};
use super::words::Words;
use super::{Output, Top};
use crate::config::options::settings as definitions;
use crate::config::quantities::Workers;
use crate::config::value::Value as _;
use crate::config::{ConfigError, OptionDefinition, Role, Settings, Text, Unavailable, environment, file};

/// Reads the file that is named, the environment, the words and the options.
///
/// # Errors
/// Whatever is wrong in them first.
pub fn read(
    occurrences: &[Occurrence],
    variables: &[(OsString, OsString)],
    words: Words,
) -> Result<Settings, ConfigError> {
    let of_options = given(occurrences)?;
    let of_environment = environment::read(variables, all())?;
    let of_file = match config_file(occurrences, variables, words.file)? {
        Some(path) => file::load(&path)?,
        None => Settings::default(),
    };
    let of_environment = of_environment.alerting_on_anomalies();
    Ok(of_file.merge(of_environment).merge(words.settings).merge(of_options.alerting_on_anomalies()))
}

/// The layer of the options.
fn given(occurrences: &[Occurrence]) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    for definition in definitions() {
        let texts = texts(occurrences, definition);
        if let (Role::Setting(apply), false) = (definition.role, texts.is_empty()) {
            apply(&mut settings, &texts)?;
        }
    }
    Ok(settings)
}

/// All that was given for one option, in order.
fn texts(occurrences: &[Occurrence], definition: &OptionDefinition) -> Vec<Text> {
    let same = |occurrence: &&Occurrence| occurrence.definition.id() == definition.id();
    occurrences.iter().filter(same).map(Occurrence::text).collect()
}

/// The last text given for the option of that name, unless it is blank.
fn last(occurrences: &[Occurrence], id: &str) -> Option<Text> {
    let occurrence = occurrences.iter().rfind(|occurrence| occurrence.definition.id() == id)?;
    Some(occurrence.text()).filter(|text| !text.is_blank())
}

/// The file that an option names or a word is, else the environment's.
fn config_file(
    occurrences: &[Occurrence],
    variables: &[(OsString, OsString)],
    word: Option<Text>,
) -> Result<Option<PathBuf>, ConfigError> {
    let of_option = last(occurrences, options::CONFIG);
    if let (Some(option), Some(word)) = (&of_option, &word) {
        return Err(ConfigError::invalid(
            word.place(),
            format!("{} also names a configuration file; give only one", option.place()),
        ));
    }
    let of_environment = || environment::text_of(variables, options::by_long(options::CONFIG)?);
    of_option.or(word).or_else(of_environment).map(|text| text.read()).transpose()
}

/// Whether the configuration is only to be checked.
///
/// # Errors
/// A value that is no truth value.
pub fn only_checks(occurrences: &[Occurrence]) -> Result<bool, ConfigError> {
    last(occurrences, options::CONFIG_CHECK).map_or(Ok(false), |text| text.read())
}

/// What `replay` shall write.
///
/// # Errors
/// A value that is no output, or the option without `replay`.
pub fn output(occurrences: &[Occurrence], replays: bool) -> Result<Output, ConfigError> {
    let Some(text) = last(occurrences, options::OUTPUT) else { return Ok(Output::default()) };
    if !replays {
        return Err(of_replay(&text, "only available with replay; add replay FILE or remove the option"));
    }
    text.read()
}

/// The number of conversations or flows that `replay` lists; none if that is not given.
///
/// # Errors
/// A value that is neither a number nor `all`, the option without `replay`, or with an `output` that lists no flows.
pub fn top(occurrences: &[Occurrence], replays: bool, output: Output) -> Result<Option<Top>, ConfigError> {
    let Some(text) = last(occurrences, options::TOP) else { return Ok(None) };
    if !replays {
        return Err(of_replay(&text, "only available with replay; --max-series limits the flows that are exported"));
    }
    match output {
        Output::Table | Output::JsonLines | Output::Csv => text.read().map(Some),
        Output::Prometheus => {
            Err(of_replay(&text, "not available with --output prometheus; use --max-series to limit the flows"))
        }
        Output::None | Output::Alerts => {
            Err(of_replay(&text, &format!("not available with --output {}, which lists no flows", output.text())))
        }
    }
}

/// True if `replay` writes exact numbers in its table. Its other outputs always have them.
///
/// # Errors
/// A value that is no truth value, or the option without `replay`.
pub fn exact(occurrences: &[Occurrence], replays: bool) -> Result<bool, ConfigError> {
    match last(occurrences, options::BYTES) {
        Some(text) if !replays => Err(of_replay(&text, "only available with replay; metrics are always exact")),
        text => text.map_or(Ok(false), |text| text.read()),
    }
}

/// With how many threads `replay` counts.
///
/// # Errors
/// A value that is no such number, or the option without `replay`.
pub fn workers(occurrences: &[Occurrence], replays: bool) -> Result<usize, ConfigError> {
    let Some(text) = last(occurrences, options::WORKERS) else { return Ok(1) };
    if !replays {
        return Err(of_replay(&text, "only available with replay; for interfaces use --capture.workers"));
    }
    text.read().map(|Workers(workers)| workers)
}

/// `replay` reads its words, nothing else.
///
/// # Errors
/// Another file in an option.
pub fn refuse_source(occurrences: &[Occurrence], replays: bool) -> Result<(), ConfigError> {
    match last(occurrences, options::SOURCE).filter(|_| replays) {
        Some(text) => Err(ConfigError::invalid(text.place(), "replay takes its files as arguments: replay FILE")),
        None => Ok(()),
    }
}

fn of_replay(text: &Text, problem: &str) -> ConfigError {
    ConfigError::invalid(text.origin.to_string(), problem)
}

/// Everything that was given and is not built yet: options, then variables. Values that ask for what is done anyway pass.
///
/// # Errors
/// A value that belongs to another option.
pub fn unavailable(
    occurrences: &[Occurrence],
    variables: &[(OsString, OsString)],
) -> Result<Vec<Unavailable>, ConfigError> {
    let mut given = unavailable_options(occurrences)?;
    given.extend(environment::unavailable(variables, all()));
    Ok(given)
}

/// The reserved options, each as it was typed.
///
/// # Errors
/// A value that belongs to another option.
pub fn unavailable_options(occurrences: &[Occurrence]) -> Result<Vec<Unavailable>, ConfigError> {
    let mut given = Vec::new();
    for (index, occurrence) in occurrences.iter().enumerate() {
        let Role::Reserved { accepted, meanwhile } = occurrence.definition.role else { continue };
        let id = occurrence.definition.id();
        let overridden = occurrences[index + 1..].iter().any(|later| later.definition.id() == id);
        let text = occurrence.text();
        if overridden || text.is_blank() || asks_for_nothing(occurrence, &text, accepted) {
            continue;
        }
        if id == "log-format" && text.value == "logfmt" {
            return Err(ConfigError::invalid(text.place(), "this is a value of --log.format (the program's own log)"));
        }
        given.push(Unavailable { what: occurrence.typed.clone(), meanwhile });
    }
    Ok(given)
}

/// Whether the value is one that is accepted; a truth value in any of its spellings.
fn asks_for_nothing(occurrence: &Occurrence, text: &Text, accepted: &[&str]) -> bool {
    let literal = accepted.iter().any(|accepted| text.value == *accepted);
    let switch = !occurrence.definition.kind.takes_next();
    literal || (switch && accepted.contains(&"false") && text.read::<bool>().is_ok_and(|truth| !truth))
}
