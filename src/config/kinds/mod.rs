//! The kinds of values: each reads a value as it was given, and shows it as the configuration file has it.
//!
//! Takes a value from an option, a variable or the file; gives its meaning, or the problem in words. Must not know which
//! setting the value is for.

pub mod addresses;
pub mod durations;
pub mod keywords;
pub mod numbers;
pub mod rules;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::de::Unexpected;

use super::given::{Content, Given, RefusedSetting};

pub trait ValueKind {
    type Value;

    /// The form of a value, for messages: `a number from 1 to 64`.
    fn form(&self) -> String;

    /// The YAML scalars that it is read from.
    fn scalars(&self) -> Scalars {
        Scalars::Text
    }

    /// The words that it can be; empty if it can be something else.
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Reads a text, which is not blank; or gives the problem and its remedy, without the text itself. A kind that is a
    /// mapping refuses every text.
    fn parse(&self, _text: &str) -> Result<Self::Value, String> {
        Err(self.expected())
    }

    /// The value as the configuration file has it.
    fn show(&self, value: &Self::Value) -> Content;

    /// Reads the text of an option or a variable.
    fn parse_argument(&self, argument: &OsStr) -> Result<Self::Value, String> {
        self.parse(argument.to_str().ok_or(NOT_UTF_8)?.trim())
    }

    /// Reads a value that was given and is not blank; or gives the part of it that is wrong, and the problem.
    fn read(&self, given: &Given) -> Result<Self::Value, RefusedSetting> {
        read_scalar(self, given)
    }

    /// `expected …`.
    fn expected(&self) -> String {
        format!("expected {}", self.form())
    }
}

/// Kinds of YAML scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalars {
    /// A string only.
    Text,
    /// A number only.
    Number,
    /// A number (bytes, seconds) or a string with a unit.
    TextOrNumber,
    Truth,
    /// None: it is a mapping.
    Nothing,
}

impl Scalars {
    fn includes(self, content: &Content) -> bool {
        match content {
            Content::Text(_) => matches!(self, Self::Text | Self::TextOrNumber),
            Content::Truth(_) => self == Self::Truth,
            Content::Unsigned(_) | Content::Signed(_) | Content::Float(_) => {
                matches!(self, Self::Number | Self::TextOrNumber)
            }
            _ => false,
        }
    }
}

/// A kind of value with one notation.
#[derive(Debug, Clone, Copy)]
pub struct Scalar<T> {
    pub form: &'static str,
    pub scalars: Scalars,
    /// None for a text that is not such a value.
    pub parse: fn(&str) -> Option<T>,
    pub show: fn(&T) -> Content,
    /// Reads an argument that may be other than UTF-8.
    pub parse_raw: Option<fn(&OsStr) -> Option<T>>,
}

impl<T> ValueKind for Scalar<T> {
    type Value = T;

    fn form(&self) -> String {
        self.form.to_owned()
    }

    fn scalars(&self) -> Scalars {
        self.scalars
    }

    fn parse(&self, text: &str) -> Result<T, String> {
        (self.parse)(text).ok_or_else(|| self.expected())
    }

    fn show(&self, value: &T) -> Content {
        (self.show)(value)
    }

    fn parse_argument(&self, argument: &OsStr) -> Result<T, String> {
        match self.parse_raw {
            Some(parse) => parse(argument).ok_or_else(|| self.expected()),
            None => self.parse(argument.to_str().ok_or(NOT_UTF_8)?.trim()),
        }
    }
}

/// The problem of an argument that must be a text.
const NOT_UTF_8: &str = "not UTF-8";

fn read_scalar<K: ValueKind + ?Sized>(kind: &K, given: &Given) -> Result<K::Value, RefusedSetting> {
    if let Content::Argument(argument) = &given.content {
        return kind.parse_argument(argument).map_err(|problem| given.refused(problem));
    }
    let text = given.text().filter(|_| kind.scalars().includes(&given.content));
    let text = text.ok_or_else(|| mistyped(kind, given))?;
    kind.parse(&text).map_err(|problem| given.refused(format!("{text}: {problem}")))
}

/// The refusal of a YAML node of the wrong type.
fn mistyped<K: ValueKind + ?Sized>(kind: &K, given: &Given) -> RefusedSetting {
    let found = match &given.content {
        Content::Truth(truth) => Unexpected::Bool(*truth),
        Content::Unsigned(number) => Unexpected::Unsigned(*number),
        Content::Signed(number) => Unexpected::Signed(*number),
        Content::Float(number) => Unexpected::Float(*number),
        Content::Text(text) => Unexpected::Str(text),
        Content::List(_) => Unexpected::Seq,
        Content::Mapping(_) => Unexpected::Map,
        Content::Argument(_) | Content::Null => Unexpected::Unit,
    };
    given.refused(format!("{}, found {found}", kind.expected()))
}

/// Reads the value of a key; a key without a value is allowed.
pub(crate) fn read_some<K: ValueKind>(kind: &K, given: &Given) -> Result<Option<K::Value>, RefusedSetting> {
    if given.is_blank() { Ok(None) } else { kind.read(given).map(Some) }
}

/// Several values: a comma list or a YAML sequence. In a comma list each may stand in double quotes, and may then
/// contain commas.
#[derive(Debug, Clone, Copy)]
pub struct ListOf<K>(pub K);

impl<K: ValueKind> ValueKind for ListOf<K> {
    type Value = Vec<K::Value>;

    fn form(&self) -> String {
        self.0.form()
    }

    fn scalars(&self) -> Scalars {
        self.0.scalars()
    }

    fn words(&self) -> Vec<&'static str> {
        self.0.words()
    }

    fn parse(&self, text: &str) -> Result<Self::Value, String> {
        self.parse_argument(OsStr::new(text))
    }

    fn parse_argument(&self, argument: &OsStr) -> Result<Self::Value, String> {
        entries(argument.as_bytes()).into_iter().map(|entry| parse_entry(&self.0, entry)).collect()
    }

    fn show(&self, values: &Self::Value) -> Content {
        Content::List(values.iter().map(|value| self.0.show(value).into()).collect())
    }

    fn read(&self, given: &Given) -> Result<Self::Value, RefusedSetting> {
        let entries = match &given.content {
            Content::List(entries) => entries,
            // One entry without its dash.
            Content::Mapping(_) if self.scalars() == Scalars::Nothing => {
                let problem = format!("expected a list; each entry must be {}", self.form());
                return Err(given.refused(problem));
            }
            _ => return read_scalar(self, given),
        };
        let mut values = Vec::new();
        for entry in entries {
            match &entry.content {
                Content::Argument(_) => values.extend(self.read(entry)?),
                _ if entry.is_blank() => return Err(given.refused(format!("empty entry; {}", self.expected()))),
                _ => values.push(self.0.read(entry)?),
            }
        }
        Ok(values)
    }
}

/// The entries of a comma list, without blanks around them. Commas between double quotes belong to their entry.
fn entries(list: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    let mut rest = Some(list);
    while let Some(list) = rest {
        let quoted = list.trim_ascii_start().strip_prefix(b"\"").and_then(|inside| {
            let end = inside.iter().position(|&byte| byte == b'"')?;
            let behind = inside[end + 1..].trim_ascii_start();
            (behind.is_empty() || behind.starts_with(b",")).then_some(list.len() - behind.len())
        });
        let end = quoted.or_else(|| list.iter().position(|&byte| byte == b',')).unwrap_or(list.len());
        entries.push(list[..end].trim_ascii());
        rest = list.get(end + 1..);
    }
    entries
}

/// Reads one entry of a comma list. The problem names the entry, because its place has the whole list.
fn parse_entry<K: ValueKind>(kind: &K, entry: &[u8]) -> Result<K::Value, String> {
    let bare = entry.strip_prefix(b"\"").and_then(|entry| entry.strip_suffix(b"\"")).unwrap_or(entry);
    if bare.is_empty() {
        return Err(format!("empty entry between commas; {}", kind.expected()));
    }
    let entry = OsStr::from_bytes(bare);
    kind.parse_argument(entry).map_err(|problem| format!("{}: {problem}", entry.to_string_lossy()))
}

#[cfg(test)]
mod tests;
