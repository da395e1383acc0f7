//! The configuration file of TrafficAlerted, and the seven arguments of the older TrafficAlerted.
//!
//! Takes the text of a file, or words; gives one layer of [`Settings`]. Must not know YAML.
//!
//! The file has one `Key: value` in each line, and comments after `#`. Each of the ten keys must be there and sets the
//! option of the same name. Only the list of interfaces may be empty.

use std::path::Path;
use std::sync::Arc;

use super::declaration::Declaration;
use super::declarations::settings;
use super::given::{Given, SettingOrigin};
use super::nearest::nearest;
use super::{Error, Settings};

/// The port that TrafficAlerted serves.
pub(crate) const PORT: u16 = 8698;

/// The extension of such a file's name.
pub const EXTENSION: &str = "conf";

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

/// The keys of the older TrafficAlerted's seven arguments, in their order.
pub(crate) const WORDS: [&str; 7] = [
    "TrafficInterval",
    "ByteLimit",
    "NoDestinations",
    "NumberContactedIPs",
    "AnalyzePorts",
    "NumContactedPorts",
    "PortInterval",
];

/// True if `text` is such a file: a line of it has one of the keys.
pub(super) fn is_file(text: &str) -> bool {
    text.lines().filter_map(|line| line.split_once(':')).any(|(key, _)| KEYS.contains(&key.trim()))
}

/// Reads the text of the file `path`. Refuses a line without a colon, and an unknown, duplicate or missing key.
pub(super) fn parse(text: &str, path: &Path) -> Result<Settings, Error> {
    let mut layer =
        KeyedLayer { path: path.into(), settings: Settings::of_trafficalerted(), lines: [None; KEYS.len()] };
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let read = KeyLine::of(line).and_then(|line| line.map_or(Ok(()), |line| layer.take(&line, number)));
        read.map_err(|problem| Error::invalid(format!("{}:{number}", path.display()), problem))?;
    }
    layer
        .check_complete()
        .map_err(|problem| Error::invalid(format!("{}:{}", path.display(), text.lines().count().max(1)), problem))?;
    Ok(layer.settings)
}

/// A line of the file with a key and a value.
struct KeyLine<'a> {
    key: &'a str,
    value: &'a str,
    /// The column of the value, from 1.
    column: u64,
}

impl<'a> KeyLine<'a> {
    /// None for a line that is empty or a comment.
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

/// The text before a `#` that is not in quotes.
fn without_comment(line: &str) -> &str {
    let mut is_quoted = false;
    let begins = |letter: char| {
        is_quoted ^= letter == '"';
        letter == '#' && !is_quoted
    };
    line.find(begins).map_or(line, |end| &line[..end])
}

/// The keys that were read so far.
struct KeyedLayer {
    path: Arc<Path>,
    settings: Settings,
    /// The lines of the keys, as in [`KEYS`].
    lines: [Option<u64>; KEYS.len()],
}

impl KeyedLayer {
    fn take(&mut self, read: &KeyLine<'_>, line: u64) -> Result<(), String> {
        let KeyLine { key, value, column } = *read;
        let place = KEYS.iter().position(|known| *known == key).ok_or_else(|| unknown(key))?;
        if let Some(first) = self.lines[place].replace(line) {
            return Err(format!("duplicate key {key}, also on line {first}; remove one"));
        }
        if value.is_empty() && key != EXCLUDED_INTERFACES {
            return Err(format!("{key} has no value; write {}", example(key)));
        }
        apply(&mut self.settings, key, value, SettingOrigin::File { path: self.path.clone(), line, column })
            .map_err(|problem| format!("{key}: {value}: {problem}"))
    }

    fn check_complete(&self) -> Result<(), String> {
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
    let default = declaration(key).map_or("", |declaration| declaration.default);
    format!("`{}`", format!("{key}: {default}").trim_end())
}

fn declaration(key: &str) -> Option<&'static Declaration> {
    settings().find(|declaration| declaration.long == Some(key))
}

/// Sets the option with the name of the key. The problem does not contain the place.
fn apply(settings: &mut Settings, key: &str, value: &str, origin: SettingOrigin) -> Result<(), String> {
    let Some(declaration) = declaration(key) else { return Ok(()) };
    settings.give(declaration, vec![Given::argument(value, origin)]).map_err(|refusal| refusal.problem())
}

/// The layer of the seven arguments; none if the arguments are something else, such as a filter. Refuses an argument
/// that is wrong in its place, and arguments too few or too many.
pub fn of_words(words: &[impl AsRef<str>]) -> Result<Option<Settings>, Error> {
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    if !are_meant(&words) {
        return Ok(None);
    }
    if words.len() != WORDS.len() {
        let problem = format!("{} words; the older TrafficAlerted takes seven: {}", words.len(), WORDS.join(" "));
        return Err(Error::invalid(words.join(" "), problem));
    }
    let mut settings = Settings::of_trafficalerted();
    for (key, word) in WORDS.iter().zip(&words) {
        let refused = |problem: String| Error::invalid(format!("{word} ({key})"), problem);
        if word.trim().is_empty() {
            return Err(refused(format!("empty argument; write {}", declaration(key).map_or("", |of| of.default))));
        }
        apply(&mut settings, key, word, SettingOrigin::Words).map_err(refused)?;
    }
    Ok(Some(settings))
}

/// True for about seven words, one of them a boolean, of which at most two are not a number or a boolean in its
/// place. A filter of such words would consist of names of hosts.
fn are_meant(words: &[&str]) -> bool {
    let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
    let is_boolean = |word: &str| matches!(word, "true" | "false");
    let is_right =
        |(place, word): (usize, &&str)| if matches!(place, 2 | 4) { is_boolean(word) } else { is_number(word) };
    let right = words.iter().enumerate().take(WORDS.len()).filter(|word| is_right(*word)).count();
    let has_boolean = words.iter().any(|word| is_boolean(word));
    (5..=9).contains(&words.len()) && has_boolean && right + 2 >= words.len().min(WORDS.len())
}

#[cfg(test)]
mod tests;
