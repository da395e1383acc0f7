//! The words behind the options: a BPF filter, TrafficAlerted's configuration file, or the older TrafficAlerted's
//! arguments.
//!
//! Takes the words; gives a layer of settings or a file. Must not know whether the filter compiles.

use std::ffi::{OsStr, OsString};

use clap::ArgMatches;

use super::command::WORDS;
use super::options::Occurrence;
use crate::config::{Error, Given, SettingOrigin, Settings, trafficalerted};

/// The meaning of the words.
#[derive(Debug, Default)]
pub(crate) struct RemainingWords {
    /// The layer of the filter or of the older arguments.
    pub settings: Settings,
    pub file: Option<Given>,
}

/// Reads the words. Refuses a filter that is given as an option too, a wrong word among the older TrafficAlerted's, and
/// the stray value of a switch.
pub(crate) fn read(matches: &ArgMatches, occurrences: &[Occurrence]) -> Result<RemainingWords, Error> {
    let words: Vec<&OsString> = matches.get_many(WORDS).into_iter().flatten().collect();
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    if let [word] = words.as_slice()
        && is_configuration(word)
    {
        let file = Some(Given::argument(*word, SettingOrigin::Words));
        return Ok(RemainingWords { file, ..RemainingWords::default() });
    }
    if let Some(settings) = trafficalerted::of_words(&texts)? {
        return Ok(RemainingWords { settings, file: None });
    }
    refuse_stray_boolean(&texts)?;
    let joined = words.iter().map(|word| word.as_os_str()).collect::<Vec<&OsStr>>().join(OsStr::new(" "));
    let filter = Given::argument(joined, SettingOrigin::Words);
    let mut words = RemainingWords::default();
    if !filter.is_blank() {
        refuse_two_filters(&filter, occurrences)?;
        words.settings.give_key(("capture", "filter"), filter)?;
    }
    Ok(words)
}

/// True if the only word names a configuration file. No filter has such an end.
fn is_configuration(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    text.ends_with(&format!(".{}", trafficalerted::EXTENSION)) && !text.contains(char::is_whitespace)
}

/// Refuses `-promisc false`, which would mean promiscuous mode with a filter `false`.
fn refuse_stray_boolean(words: &[impl AsRef<str>]) -> Result<(), Error> {
    match words.first().map(AsRef::as_ref) {
        Some(word @ ("true" | "false")) => {
            Err(Error::invalid(word, format!("write the value of a switch after =, as in -promisc={word}")))
        }
        _ => Ok(()),
    }
}

fn refuse_two_filters(words: &Given, occurrences: &[Occurrence]) -> Result<(), Error> {
    let option = occurrences.iter().rfind(|occurrence| occurrence.declaration.long == Some("filter"));
    match option.map(Occurrence::given).filter(|given| !given.is_blank()) {
        Some(option) => Err(Error::invalid(
            option.place(),
            format!(
                "the remaining arguments ({}) are also a filter; give a single filter, joined with and",
                words.place()
            ),
        )),
        None => Ok(()),
    }
}
