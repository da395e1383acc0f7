//! The words behind the options: a BPF filter, TrafficAlerted's configuration file, or the older TrafficAlerted's arguments.

use std::ffi::{OsStr, OsString};

use clap::ArgMatches;

use super::argv::Occurrence;
use super::command::WORDS;
use crate::config::{ConfigError, Origin, Settings, Text, trafficalerted};

/// What the words say.
#[derive(Debug, Default)]
pub struct Words {
    /// The layer that they make.
    pub settings: Settings,
    /// The configuration file that they name.
    pub file: Option<Text>,
}

/// Reads the words.
///
/// # Errors
/// A filter that is given as an option too; a wrong word among the older TrafficAlerted's; the stray value of a switch.
pub fn read(matches: &ArgMatches, occurrences: &[Occurrence]) -> Result<Words, ConfigError> {
    let words: Vec<&OsString> = matches.get_many(WORDS).into_iter().flatten().collect();
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    if let [word] = words.as_slice()
        && is_configuration(word)
    {
        let file = Some(Text { value: (*word).clone(), origin: Origin::Words });
        return Ok(Words { file, ..Words::default() });
    }
    if let Some(settings) = trafficalerted::of_words(&texts)? {
        return Ok(Words { settings, file: None });
    }
    refuse_stray_truth(&texts)?;
    let joined = words.iter().map(|word| word.as_os_str()).collect::<Vec<&OsStr>>().join(OsStr::new(" "));
    filter(Text { value: joined, origin: Origin::Words }, occurrences)
}

/// Whether the one word there is names a file rather than a filter: none ends so.
fn is_configuration(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    text.ends_with(&format!(".{}", trafficalerted::EXTENSION)) && !text.contains(char::is_whitespace)
}

fn filter(text: Text, occurrences: &[Occurrence]) -> Result<Words, ConfigError> {
    let mut words = Words::default();
    if !text.is_blank() {
        refuse_two_filters(&text, occurrences)?;
        words.settings.capture.filter.set(&[text])?;
    }
    Ok(words)
}

/// `-promisc false` would capture promiscuously, with a filter `false`.
fn refuse_stray_truth(words: &[impl AsRef<str>]) -> Result<(), ConfigError> {
    match words.first().map(AsRef::as_ref) {
        Some(word @ ("true" | "false")) => {
            Err(ConfigError::invalid(word, format!("write the value of a switch after =, as in -promisc={word}")))
        }
        _ => Ok(()),
    }
}

fn refuse_two_filters(words: &Text, occurrences: &[Occurrence]) -> Result<(), ConfigError> {
    let option = occurrences.iter().rfind(|occurrence| occurrence.definition.long == Some("filter"));
    match option.map(Occurrence::text).filter(|text| !text.is_blank()) {
        Some(option) => Err(ConfigError::invalid(
            option.place(),
            format!(
                "the remaining arguments ({}) are also a filter; give a single filter, joined with and",
                words.place()
            ),
        )),
        None => Ok(()),
    }
}
