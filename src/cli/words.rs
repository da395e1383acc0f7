//! The words behind the options: a BPF filter, or a form of another program that is known but not read yet.

use std::ffi::{OsStr, OsString};

use clap::ArgMatches;

use super::argv::Occurrence;
use super::command::WORDS;
use crate::config::{ConfigError, Origin, Settings, Text};

/// The layer that the words make.
///
/// # Errors
/// A filter that is given as an option too; a form that is not available yet; the stray value of a switch.
pub fn filter(matches: &ArgMatches, occurrences: &[Occurrence]) -> Result<Settings, ConfigError> {
    let words: Vec<&OsString> = matches.get_many(WORDS).into_iter().flatten().collect();
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let mut settings = Settings::default();
    refuse_foreign(&texts)?;
    refuse_stray_truth(&texts)?;
    let joined = words.iter().map(|word| word.as_os_str()).collect::<Vec<&OsStr>>().join(OsStr::new(" "));
    let text = Text { value: joined, origin: Origin::Words };
    if !text.is_blank() {
        refuse_two_filters(&text, occurrences)?;
        settings.capture.filter.set(&[text])?;
    }
    Ok(settings)
}

/// One word that is a TrafficAlerted file, or the seven arguments of the older TrafficAlerted.
fn refuse_foreign(words: &[impl AsRef<str>]) -> Result<(), ConfigError> {
    let unavailable = |what: String| Err(ConfigError::Unavailable { what });
    match words {
        [one] if one.as_ref().ends_with(".conf") => {
            unavailable(format!("{}: TrafficAlerted's configuration file", one.as_ref()))
        }
        seven if are_older_trafficalerted(seven) => {
            unavailable("the form of the older TrafficAlerted (seven words)".to_owned())
        }
        _ => Ok(()),
    }
}

/// `TrafficInterval ByteLimit NoDestinations NumberContactedIPs AnalyzePorts NumContactedPorts PortInterval`.
fn are_older_trafficalerted(words: &[impl AsRef<str>]) -> bool {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_truth = |word: &str| matches!(word, "true" | "false");
    words.len() == 7
        && words.iter().enumerate().all(|(place, word)| match place {
            2 | 4 => is_truth(word.as_ref()),
            _ => is_number(word.as_ref()),
        })
}

/// `-promisc false` would capture promiscuously, with a filter `false`.
fn refuse_stray_truth(words: &[impl AsRef<str>]) -> Result<(), ConfigError> {
    match words.first().map(AsRef::as_ref) {
        Some(word @ ("true" | "false")) => {
            Err(ConfigError::invalid(word, format!("a switch takes its value after =, as in -promisc={word}")))
        }
        _ => Ok(()),
    }
}

fn refuse_two_filters(words: &Text, occurrences: &[Occurrence]) -> Result<(), ConfigError> {
    let option = occurrences.iter().rfind(|occurrence| occurrence.definition.long == Some("filter"));
    match option.map(Occurrence::text).filter(|text| !text.is_blank()) {
        Some(option) => Err(ConfigError::invalid(
            option.place(),
            format!("the words {} are a filter too; give one, joined by and", words.place()),
        )),
        None => Ok(()),
    }
}
