//! The kinds of values of settings. Each kind parses values, and shows them as the configuration file has them.
//!
//! Takes a value from an option, a variable or the file; gives the parsed value, or a message about the mistake. Must
//! not know which setting the value is for.
//!
//! The functions `parse…` differ in their input: [`ValueKind::parse`] takes a text, [`ValueKind::parse_argument`] the
//! bytes of an argument, and [`ValueKind::parse_given`] a value from any source.

pub mod addresses;
pub mod durations;
pub mod keywords;
pub mod numbers;
pub(crate) mod receivers;
pub mod rules;
pub(crate) mod secrets;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::de::Unexpected;

use super::given::{Content, Given, RefusedSetting};
use crate::capture::printable::printable;

/// The keys of the mappings in lists.
pub(crate) const MAPPING_KEYS: [&[&str]; 3] =
    [rules::LimitOfNetwork::KEYS, rules::ExcludedTraffic::KEYS, receivers::ReceiverEntry::KEYS];

/// A kind of values: their forms, how to parse them, and how to show them.
pub trait ValueKind {
    type Value;

    /// The form of a value, for help and messages: `a number from 1 to 64`.
    fn form(&self) -> String;

    /// The YAML scalars that are accepted in the configuration file.
    fn scalars(&self) -> Scalars {
        Scalars::Text
    }

    /// All words that are values; empty if there are other values than words.
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Parses a text that is not blank. The error names the problem and its remedy, without the text. A kind of
    /// mappings refuses every text.
    fn parse(&self, _text: &str) -> Result<Self::Value, String> {
        Err(self.expected())
    }

    /// The value as the configuration file has it.
    fn show(&self, value: &Self::Value) -> Content;

    /// Parses the argument of an option, or the value of a variable.
    fn parse_argument(&self, argument: &OsStr) -> Result<Self::Value, String> {
        self.parse(argument.to_str().ok_or(NOT_UTF_8)?.trim())
    }

    /// Parses a value that is not blank, from any source. The error has the wrong part of the value, and the problem.
    fn parse_given(&self, given: &Given) -> Result<Self::Value, RefusedSetting> {
        parse_scalar(self, given)
    }

    /// The message `expected` with the form.
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
    Bool,
    /// No scalar: the value is a mapping.
    None,
}

impl Scalars {
    fn includes(self, content: &Content) -> bool {
        match content {
            Content::Text(_) => matches!(self, Self::Text | Self::TextOrNumber),
            Content::Bool(_) => self == Self::Bool,
            Content::Unsigned(_) | Content::Signed(_) | Content::Float(_) => {
                matches!(self, Self::Number | Self::TextOrNumber)
            }
            _ => false,
        }
    }
}

/// A kind of values without parts, declared by its functions.
#[derive(Debug, Clone, Copy)]
pub struct Scalar<T> {
    pub form: &'static str,
    pub scalars: Scalars,
    /// Gives none for a text that is no such value.
    pub parse: fn(&str) -> Option<T>,
    pub show: fn(&T) -> Content,
    /// Parses an argument that need not be UTF-8. Without it, an argument must be UTF-8.
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

/// The message for an argument that must be UTF-8.
const NOT_UTF_8: &str = "not UTF-8";

fn parse_scalar<K: ValueKind + ?Sized>(kind: &K, given: &Given) -> Result<K::Value, RefusedSetting> {
    if let Content::Argument(argument) = &given.content {
        return kind.parse_argument(argument).map_err(|problem| given.refused(problem));
    }
    let text = given.text().filter(|_| kind.scalars().includes(&given.content));
    let text = text.ok_or_else(|| mistyped(kind, given))?;
    kind.parse(&text).map_err(|problem| given.refused(format!("{}: {problem}", printable(&text))))
}

/// The refusal of a YAML node of the wrong type.
fn mistyped<K: ValueKind + ?Sized>(kind: &K, given: &Given) -> RefusedSetting {
    let found = match &given.content {
        Content::Bool(boolean) => Unexpected::Bool(*boolean),
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

/// Parses the value of a key. None for a key without a value.
pub(crate) fn parse_optional<K: ValueKind>(kind: &K, given: &Given) -> Result<Option<K::Value>, RefusedSetting> {
    if given.is_blank() { Ok(None) } else { kind.parse_given(given).map(Some) }
}

/// Several values: a comma list or a YAML sequence. In a comma list, a value between double quotes may contain commas.
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
        match entries(argument.as_bytes())[..] {
            [entry] => Ok(vec![parse_entry(&self.0, entry)?]),
            ref entries => entries.iter().map(|entry| parse_entry_of_many(&self.0, entry)).collect(),
        }
    }

    fn show(&self, values: &Self::Value) -> Content {
        Content::List(values.iter().map(|value| self.0.show(value).into()).collect())
    }

    fn parse_given(&self, given: &Given) -> Result<Self::Value, RefusedSetting> {
        let entries = match &given.content {
            Content::List(entries) => entries,
            // One entry without its dash.
            Content::Mapping(_) if self.scalars() == Scalars::None => {
                let problem = format!("expected a list; each entry must be {}", self.form());
                return Err(given.refused(problem));
            }
            _ => return parse_scalar(self, given),
        };
        let mut values = Vec::new();
        for entry in entries {
            match &entry.content {
                Content::Argument(_) => values.extend(self.parse_given(entry)?),
                _ if entry.is_blank() => return Err(given.refused(format!("empty entry; {}", self.expected()))),
                _ => values.push(self.0.parse_given(entry)?),
            }
        }
        Ok(values)
    }
}

/// The entries of a comma list, without blanks around them. Commas between double quotes separate no entries.
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

/// Parses one entry of a comma list.
fn parse_entry<K: ValueKind>(kind: &K, entry: &[u8]) -> Result<K::Value, String> {
    let bare = without_quotes(entry);
    if bare.is_empty() {
        return Err(format!("empty entry between commas; {}", kind.expected()));
    }
    kind.parse_argument(OsStr::from_bytes(bare))
}

/// As [`parse_entry`]. The error names the entry, because the place of the value shows the whole list.
fn parse_entry_of_many<K: ValueKind>(kind: &K, entry: &[u8]) -> Result<K::Value, String> {
    parse_entry(kind, entry).map_err(|problem| match without_quotes(entry) {
        b"" => problem,
        bare => format!("{}: {problem}", String::from_utf8_lossy(bare)),
    })
}

fn without_quotes(entry: &[u8]) -> &[u8] {
    entry.strip_prefix(b"\"").and_then(|entry| entry.strip_suffix(b"\"")).unwrap_or(entry)
}

#[cfg(test)]
mod tests;
