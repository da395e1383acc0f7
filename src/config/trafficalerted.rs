//! TrafficAlerted's configuration file, and the seven words of the older TrafficAlerted → one layer of [`Settings`].
//!
//! The file has a `Key: value` a line; what is behind `#` is a comment. Each key is the option of that name. All ten must be
//! there, as they must for TrafficAlerted, but a list of interfaces may be empty.

use std::ffi::OsString;
use std::path::Path;

use super::nearest::nearest;
use super::option::{OptionDefinition, Origin, Role, Text};
use super::options::settings;
use super::{ConfigError, Settings};

/// The port that TrafficAlerted serves.
pub const PORT: u16 = 8698;

/// What the name of such a file ends in.
pub const EXTENSION: &str = "conf";

/// The keys of the file.
pub const KEYS: &[&str] = &[
    "TrafficInterval",
    "ByteLimit",
    "NoDestinations",
    "ChartMinBytes",
    EXCLUDED_INTERFACES,
    "ContactedIPsAnalyze",
    "NumberContactedIPs",
    "AnalyzePorts",
    "NumContactedPorts",
    "PortInterval",
];

/// The one key that may be without a value.
const EXCLUDED_INTERFACES: &str = "ExcludedInterfaces";

/// What the seven words of the older TrafficAlerted are, in their order.
pub const WORDS: [&str; 7] = [
    "TrafficInterval",
    "ByteLimit",
    "NoDestinations",
    "NumberContactedIPs",
    "AnalyzePorts",
    "NumContactedPorts",
    "PortInterval",
];

/// Whether `text` is such a file: a line of it has one of the keys.
pub(super) fn is_file(text: &str) -> bool {
    text.lines().filter_map(|line| line.split_once(':')).any(|(key, _)| KEYS.contains(&key.trim()))
}

/// Reads the text of the file `path`.
///
/// # Errors
/// [`ConfigError::Invalid`], with file and line, for a line that is none, a key that is unknown, stands twice or is missing,
/// and a value that means nothing.
pub(super) fn parse(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    let mut layer = Layer::default();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let read = Entry::of(line).and_then(|entry| entry.map_or(Ok(()), |entry| layer.take(&entry, number)));
        read.map_err(|problem| ConfigError::invalid(format!("{}:{number}", path.display()), problem))?;
    }
    layer.complete().map_err(|problem| {
        ConfigError::invalid(format!("{}:{}", path.display(), text.lines().count().max(1)), problem)
    })?;
    Ok(Settings { path: Some(path.to_owned()), serves_trafficalerted: true, ..layer.settings })
}

/// A line of the file with a key and a value.
struct Entry<'a> {
    key: &'a str,
    value: &'a str,
    /// Of the value; counts from 1.
    column: u64,
}

impl<'a> Entry<'a> {
    /// Nothing for a line that is empty or a comment.
    fn of(line: &'a str) -> Result<Option<Self>, String> {
        let written = without_comment(line);
        if written.trim().is_empty() {
            return Ok(None);
        }
        let (key, value) = written.split_once(':').ok_or_else(|| {
            format!("{}: no colon; expected a key and a value, such as ByteLimit: 1G", written.trim())
        })?;
        let before = written.len() - value.trim_start().len();
        let column = written[..before].chars().count() as u64 + 1;
        Ok(Some(Self { key: key.trim(), value: value.trim(), column }))
    }
}

/// What stands before a `#` that is not in quotes.
fn without_comment(line: &str) -> &str {
    let mut is_quoted = false;
    let begins = |letter: char| {
        is_quoted ^= letter == '"';
        letter == '#' && !is_quoted
    };
    line.find(begins).map_or(line, |end| &line[..end])
}

/// What was read so far.
#[derive(Default)]
struct Layer {
    settings: Settings,
    /// The lines of the keys, as in [`KEYS`].
    lines: [Option<u64>; KEYS.len()],
}

impl Layer {
    fn take(&mut self, entry: &Entry<'_>, line: u64) -> Result<(), String> {
        let Entry { key, value, column } = *entry;
        let place = KEYS.iter().position(|known| *known == key).ok_or_else(|| unknown(key))?;
        if let Some(first) = self.lines[place].replace(line) {
            return Err(format!("duplicate key {key}, also on line {first}; remove one"));
        }
        if value.is_empty() && key != EXCLUDED_INTERFACES {
            return Err(format!("{key} has no value; write {}", example(key)));
        }
        apply(&mut self.settings, key, value, Origin::File { line, column })
            .map_err(|problem| format!("{key}: {value}: {problem}"))
    }

    fn complete(&self) -> Result<(), String> {
        let missing: Vec<_> =
            KEYS.iter().zip(self.lines).filter(|(_, line)| line.is_none()).map(|(key, _)| *key).collect();
        let examples: Vec<_> = missing.iter().map(|key| example(key)).collect();
        match missing.as_slice() {
            [] => Ok(()),
            [one] => Err(format!("the key {one} is missing; add a line {}", examples.join(", "))),
            several => Err(format!("the keys {} are missing; add lines {}", several.join(", "), examples.join(", "))),
        }
    }
}

fn unknown(key: &str) -> String {
    match nearest(key, KEYS.iter().copied()) {
        Some(near) => format!("unknown key {key}; did you mean {near}?"),
        None => format!("unknown key {key}; the keys are {}", KEYS.join(", ")),
    }
}

/// A line with the default.
fn example(key: &str) -> String {
    let default = definition(key).map_or("", |definition| definition.default);
    format!("`{}`", format!("{key}: {default}").trim_end())
}

fn definition(key: &str) -> Option<&'static OptionDefinition> {
    settings().find(|definition| definition.long == Some(key))
}

/// Sets what the option of that name sets. The problem is told without its place.
fn apply(settings: &mut Settings, key: &str, value: &str, origin: Origin) -> Result<(), String> {
    let Some(Role::Setting(apply)) = definition(key).map(|definition| definition.role) else { return Ok(()) };
    apply(settings, &[Text { value: OsString::from(value), origin }]).map_err(|error| match error {
        ConfigError::Invalid { problem, .. } => problem,
        other => other.to_string(),
    })
}

/// The layer that the seven words make; nothing if the words are something else, such as a filter.
///
/// # Errors
/// [`ConfigError::Invalid`] for a word that is wrong in its place, and for words too few or too many.
pub fn of_words(words: &[impl AsRef<str>]) -> Result<Option<Settings>, ConfigError> {
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    if !are_meant(&words) {
        return Ok(None);
    }
    if words.len() != WORDS.len() {
        let problem = format!("{} words; the older TrafficAlerted takes seven: {}", words.len(), WORDS.join(" "));
        return Err(ConfigError::invalid(words.join(" "), problem));
    }
    let mut settings = Settings { serves_trafficalerted: true, ..Settings::default() };
    for (key, word) in WORDS.iter().zip(&words) {
        let refused = |problem: String| ConfigError::invalid(format!("{word} ({key})"), problem);
        if word.trim().is_empty() {
            return Err(refused(format!("empty argument; write {}", definition(key).map_or("", |of| of.default))));
        }
        apply(&mut settings, key, word, Origin::Words).map_err(refused)?;
    }
    Ok(Some(settings))
}

/// Words about as many, of which all but two at most are a number or a truth value in its place, and one is a truth value.
/// No filter is: these would be names of hosts.
fn are_meant(words: &[&str]) -> bool {
    let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
    let is_truth = |word: &str| matches!(word, "true" | "false");
    let is_right =
        |(place, word): (usize, &&str)| if matches!(place, 2 | 4) { is_truth(word) } else { is_number(word) };
    let right = words.iter().enumerate().take(WORDS.len()).filter(|word| is_right(*word)).count();
    let has_truth = words.iter().any(|word| is_truth(word));
    (5..=9).contains(&words.len()) && has_truth && right + 2 >= words.len().min(WORDS.len())
}

#[cfg(test)]
#[path = "trafficalerted_tests.rs"]
mod tests;
