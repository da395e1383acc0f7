//! A value of a setting before it is parsed, with the place where it was given.
//!
//! Takes texts of options and variables, and YAML nodes; gives one type for all of them. Must not know what a value
//! means.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::Error;

/// The place where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingOrigin {
    /// Nowhere: the default.
    Default,
    /// The configuration file. Line and column count from 1.
    File {
        path: Arc<Path>,
        line: u64,
        /// The column, in characters.
        column: u64,
    },
    Variable(&'static str),
    /// An option, as it was typed (`-iface`).
    Option(String),
    /// An option with its value behind `=`, as it was typed.
    OptionWithValue(String),
    /// The remaining arguments.
    Words,
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("the default"),
            Self::File { path, line, column } => write!(formatter, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Option(typed) | Self::OptionWithValue(typed) => formatter.write_str(typed),
            Self::Words => formatter.write_str("the remaining arguments"),
        }
    }
}

/// A value before it is parsed, or as `config` prints it: an argument, or a YAML node.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A text from the command line, a variable or TrafficAlerted's file, for a value of any kind. It need not be
    /// UTF-8, because of the names of files and interfaces.
    Argument(OsString),
    Null,
    Bool(bool),
    Unsigned(u64),
    /// A whole number below 0.
    Signed(i64),
    Float(f64),
    Text(String),
    /// A sequence; or the arguments of an option that was given several times.
    List(Vec<Given>),
    Mapping(Vec<(Given, Given)>),
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    pub content: Content,
    pub origin: SettingOrigin,
}

impl From<Content> for Given {
    fn from(content: Content) -> Self {
        Self { content, origin: SettingOrigin::Default }
    }
}

impl Given {
    pub fn argument(text: impl Into<OsString>, origin: SettingOrigin) -> Self {
        Self { content: Content::Argument(text.into()), origin }
    }

    /// True if there is no value, or a text of blanks: the setting is not given.
    pub fn is_blank(&self) -> bool {
        match &self.content {
            Content::Null => true,
            Content::Argument(text) => text.to_str().is_some_and(|text| text.trim().is_empty()),
            Content::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// The text of a scalar; none for lists and mappings.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match &self.content {
            Content::Argument(text) => Some(text.to_string_lossy()),
            Content::Text(text) => Some(text.into()),
            Content::Bool(boolean) => Some(boolean.to_string().into()),
            Content::Unsigned(number) => Some(number.to_string().into()),
            Content::Signed(number) => Some(number.to_string().into()),
            Content::Float(number) => Some(number.to_string().into()),
            Content::Null | Content::List(_) | Content::Mapping(_) => None,
        }
    }

    /// The place for messages. For options and variables it includes the text.
    pub fn place(&self) -> String {
        let (Content::Argument(text), origin) = (&self.content, &self.origin) else { return self.origin.to_string() };
        let text = text.to_string_lossy();
        match origin {
            SettingOrigin::Variable(name) => format!("{name}={text}"),
            SettingOrigin::OptionWithValue(typed) => format!("{typed}={text}"),
            SettingOrigin::Words => text.into_owned(),
            origin => format!("{origin} {text}"),
        }
    }

    pub(crate) fn refused(&self, problem: impl Into<String>) -> RefusedSetting {
        RefusedSetting::Value { given: self.clone(), problem: problem.into() }
    }
}

/// The reason why a value is refused.
#[derive(Debug, Clone, PartialEq)]
pub enum RefusedSetting {
    /// A value, or a part of it, is wrong.
    Value {
        given: Given,
        /// The fault and its remedy, in words.
        problem: String,
    },
    UnknownKey {
        key: Given,
        known: Vec<&'static str>,
    },
}

impl RefusedSetting {
    /// The fault and its remedy, without the place.
    pub(crate) fn problem(&self) -> String {
        match self {
            Self::Value { problem, .. } => problem.clone(),
            Self::UnknownKey { key, known } => {
                format!("unknown key {}; the keys here are {}", key.text().unwrap_or_default(), known.join(", "))
            }
        }
    }

    /// The refused value or key.
    pub(crate) const fn node(&self) -> &Given {
        match self {
            Self::Value { given, .. } => given,
            Self::UnknownKey { key, .. } => key,
        }
    }
}

impl From<RefusedSetting> for Error {
    fn from(refusal: RefusedSetting) -> Self {
        Self::invalid(refusal.node().place(), refusal.problem())
    }
}
