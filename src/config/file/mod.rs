//! The configuration file ↔ one layer of [`Settings`].
//!
//! Takes the text of a file: YAML, TrafficAlerted's, or that of the XDP traffic monitor. Gives the settings, each with
//! its line and column, and writes a configuration as YAML; reads other YAML files that contain settings too. Must not
//! know what a setting does.

mod notation;
mod permitted;
mod yaml;

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use serde_saphyr::Error as YamlError;

use super::declarations::{SECTIONS, options, settings};
use super::given::{Content, Given, RefusedSetting, SettingOrigin};
use super::nearest::nearest;
use super::{Error, Settings, trafficalerted};
use notation::Slip;
use yaml::Mistake;

/// The largest file that is read: 16 MiB, a million lines.
const LARGEST_BYTES: u64 = 16 << 20;

/// Reads a configuration file.
pub fn load(path: &Path) -> Result<Settings, Error> {
    load_text(&read(path)?, path)
}

/// As [`load`], with the text that was read from the file.
pub(crate) fn load_text(text: &str, path: &Path) -> Result<Settings, Error> {
    let mut settings = parse(text, path)?;
    settings.file = Some(path.to_owned());
    Ok(settings)
}

/// The text of a configuration file. A pipe is read too.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let refused = |reason: &str| Error::invalid(path.display().to_string(), reason);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|source| match source.kind() {
        ErrorKind::IsADirectory => refused("it is a directory; name a configuration file"),
        _ => Error::Unreadable { path: path.to_owned(), source },
    })?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(refused("it is larger than 16 MiB; name a configuration file"));
    }
    String::from_utf8(bytes).map_err(|_| refused("not UTF-8; save the file as UTF-8"))
}

/// Reads the text of the configuration file `path`: YAML, or the format of TrafficAlerted or of the XDP traffic monitor,
/// which have keys of their own.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Settings, Error> {
    if permitted::is_file(text) {
        return permitted::parse(text, path);
    }
    if is_of_trafficalerted(text, path) {
        return trafficalerted::parse(text, path);
    }
    Yaml { text, path }.read()
}

/// True if a file has TrafficAlerted's keys and no section of ours. A file with the extension of such files needs no
/// known key, because all may be misspelt.
fn is_of_trafficalerted(text: &str, path: &Path) -> bool {
    let mut keys = text.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key);
    let is_ours = keys.any(|key| SECTIONS.iter().any(|(section, _)| *section == key));
    let is_named = path.extension().is_some_and(|extension| extension == trafficalerted::EXTENSION);
    !is_ours && (is_named || trafficalerted::is_file(text))
}

/// A YAML file: a configuration, or another file that may contain settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yaml<'a> {
    pub(crate) text: &'a str,
    pub(crate) path: &'a Path,
}

impl Yaml<'_> {
    fn read(&self) -> Result<Settings, Error> {
        self.refuse_silent_slips()?;
        let settings = yaml::read(self.text, self.path).map_err(|mistake| self.mistaken(mistake))?;
        settings.values().try_for_each(|value| self.refuse_odd_numbers(value))?;
        Ok(settings)
    }

    /// The whole file as nodes, each with its line and column.
    pub(crate) fn nodes(&self) -> Result<Given, Error> {
        self.refuse_silent_slips()?;
        let nodes = yaml::nodes(self.text, self.path).map_err(|mistake| self.mistaken(mistake))?;
        self.refuse_odd_numbers(&nodes)?;
        Ok(nodes)
    }

    /// The settings in a node of the file that is a configuration.
    pub(crate) fn settings(&self, node: &Given) -> Result<Settings, Error> {
        yaml::settings(node).map_err(|refusal| self.refused_setting(&refusal))
    }

    fn refuse_silent_slips(&self) -> Result<(), Error> {
        notation::find_silent(self.text).map_or(Ok(()), |slip| Err(self.noted(slip)))
    }

    fn mistaken(&self, mistake: Mistake) -> Error {
        match mistake {
            Mistake::Unreadable(error) => self.unreadable(error.without_snippet()),
            Mistake::Refused(refusal) => self.refused_setting(&refusal),
        }
    }

    /// The refusal of a setting, or the slip of the notation that causes it. A key may belong to another section.
    fn refused_setting(&self, refusal: &RefusedSetting) -> Error {
        self.explained(refusal, elsewhere)
    }

    /// The refusal of a node that is no setting, or the slip of the notation that causes it.
    pub(crate) fn refused(&self, refusal: &RefusedSetting) -> Error {
        self.explained(refusal, |_| None)
    }

    fn explained(&self, refusal: &RefusedSetting, elsewhere: fn(&str) -> Option<String>) -> Error {
        let (node, mut problem) = (refusal.node(), refusal.problem());
        let SettingOrigin::File { line, column, .. } = node.origin else {
            return Error::invalid(node.place(), problem);
        };
        let at = usize::try_from(line).unwrap_or_default();
        let slip = match refusal {
            RefusedSetting::Value { .. } => notation::find_missing_space(self.text, at),
            RefusedSetting::UnknownKey { key, known } => {
                let key = key.text().unwrap_or_else(|| "of this form".into());
                problem = problem_of_key(&key, known, elsewhere);
                let slip = key.contains([':', '\u{a0}']).then(|| notation::find(self.text, at)).flatten();
                // In braces, `level:info` is a key without a value.
                slip.or_else(|| {
                    let (key, value) = key.split_once(':')?;
                    let value = notation::shown(key, value);
                    let problem = format!("a space is missing after the colon; write `{key}: {value}`");
                    Some(Slip { line: at, column: usize::try_from(column).ok()?, problem })
                })
            }
        };
        slip.map_or_else(|| self.at(line, column, problem), |slip| self.noted(slip))
    }

    /// An error of the YAML crate in our words, with file, line and column.
    fn unreadable(&self, error: &YamlError) -> Error {
        let problem = match error {
            YamlError::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate key {key}; remove one"),
            YamlError::MultipleDocuments { .. } => "a second YAML document starts here; keep only one".to_owned(),
            YamlError::Unexpected { expected: "mapping start", .. } => {
                "expected keys with values, such as level: info".to_owned()
            }
            other => without_location(&other.to_string()),
        };
        let Some(location) = error.location() else { return Error::invalid(self.path.display().to_string(), problem) };
        let line = usize::try_from(location.line()).unwrap_or_default();
        let slip = match error {
            YamlError::DuplicateMappingKey { .. } | YamlError::MultipleDocuments { .. } => None,
            YamlError::Message { .. } => notation::find_missing_space(self.text, line),
            _ => notation::find(self.text, line),
        };
        slip.map_or_else(|| self.at(location.line(), location.column(), problem), |slip| self.noted(slip))
    }

    /// Refuses YAML numbers that people read otherwise: 0x10, 0o17, 0b1, 1_000, and 010, which was 8 in older YAML. In
    /// the file, as in an option, a number consists of decimal digits.
    fn refuse_odd_numbers(&self, node: &Given) -> Result<(), Error> {
        match (&node.content, &node.origin) {
            (
                Content::Unsigned(_) | Content::Signed(_) | Content::Float(_),
                SettingOrigin::File { line, column, .. },
            ) => {
                let written = scalar_at(self.text, *line as usize, *column as usize);
                let problem = format!("{written}: write the number in decimal digits, such as 4096");
                if is_odd_number(written) { Err(self.at(*line, *column, problem)) } else { Ok(()) }
            }
            (Content::List(nodes), _) => nodes.iter().try_for_each(|node| self.refuse_odd_numbers(node)),
            (Content::Mapping(entries), _) => entries.iter().try_for_each(|(_, node)| self.refuse_odd_numbers(node)),
            _ => Ok(()),
        }
    }

    fn noted(&self, Slip { line, column, problem }: Slip) -> Error {
        self.at(line as u64, column as u64, problem)
    }

    fn at(&self, line: u64, column: u64, problem: String) -> Error {
        Error::invalid(format!("{}:{line}:{column}", self.path.display()), problem)
    }
}

/// The plain scalar that begins in this line and column; both count from 1.
fn scalar_at(text: &str, line: usize, column: usize) -> &str {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let start = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let scalar = &line[start..];
    let end = scalar.find([',', '}']).into_iter().chain(scalar.find(" #")).min().unwrap_or(scalar.len());
    scalar[..end].trim()
}

/// True if a number has another base, or digits that are not necessary.
fn is_odd_number(written: &str) -> bool {
    let digits = written.trim_start_matches(['+', '-']);
    let leads =
        digits.strip_prefix('0').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_alphanumeric()));
    leads || digits.contains('_')
}

/// The message without the location at its end. Our messages begin with the location.
fn without_location(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message).to_owned()
}

/// Offers the nearest of the known keys, else the place of the key elsewhere, else lists the known keys.
fn problem_of_key(key: &str, known: &[&'static str], elsewhere: fn(&str) -> Option<String>) -> String {
    match nearest(key, known.iter().copied()).map(str::to_owned).or_else(|| elsewhere(key)) {
        Some(offer) => format!("unknown key {key}; did you mean {offer}?"),
        None => format!("unknown key {key}; the keys here are {}", known.join(", ")),
    }
}

/// The place of a key that was written into the wrong section, or as the option is called.
fn elsewhere(key: &str) -> Option<String> {
    let of_option = options().find(|declaration| declaration.long_names().any(|name| name == key));
    let of_key = || {
        let mut keys = settings().flat_map(|declaration| declaration.keys).filter(|(_, name)| *name == key);
        // A key of several sections says nothing about the one that was meant.
        keys.next().filter(|_| keys.next().is_none())
    };
    let (section, key) = of_option.and_then(|declaration| declaration.keys.first()).or_else(of_key)?;
    Some(format!("{key} in section {section}"))
}

#[cfg(test)]
mod tests;
