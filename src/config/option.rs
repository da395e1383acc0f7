//! What an option is: its names, its place in the YAML file, its variable, and what it does to [`Settings`].

use std::ffi::OsString;
use std::fmt;

use super::value::Value;
use super::{ConfigError, Settings};

/// How an option takes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value; the last one given counts.
    Value,
    /// One value that is a comma list; the last one given counts.
    List,
    /// A comma list that may be given several times, each adding to it.
    Repeatable,
    /// On by its name alone; a value only after `=`.
    Switch,
    /// A switch that may be given several times, also as one cluster (`-vv`).
    Counting,
}

impl Kind {
    /// Whether the next argument is its value when none is attached by `=`.
    #[must_use]
    pub const fn takes_next(self) -> bool {
        matches!(self, Self::Value | Self::List | Self::Repeatable)
    }
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// It is a setting: all texts given for it in one layer go into the layer.
    Setting(fn(&mut Settings, &[Text]) -> Result<(), ConfigError>),
    /// The command line itself uses it.
    Command,
    /// As `Command`, but for the subcommand `replay` alone.
    Replay,
    /// Its room is not built yet.
    Reserved {
        /// Values that ask for what is done anyway; they pass.
        accepted: &'static [&'static str],
        /// Advice until it is built: an imperative without a full stop.
        meanwhile: &'static str,
    },
}

/// One option: everything that help, man page, README, environment and parser say of it.
#[derive(Debug, Clone, Copy)]
pub struct OptionDefinition {
    /// Its first name; a few options have only a short one.
    pub long: Option<&'static str>,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// Its one-letter name.
    pub short: Option<char>,
    /// What its value is called in the help; empty for switches.
    pub value: &'static str,
    /// How it takes its value.
    pub kind: Kind,
    /// The default as one would type it; empty for none.
    pub default: &'static str,
    /// What it does, in a sentence without a full stop.
    pub help: &'static str,
    /// Section and key in the YAML file; of one that sets several, all of them.
    pub keys: &'static [(&'static str, &'static str)],
    /// Its environment variable.
    pub variable: Option<&'static str>,
    /// What becomes of it.
    pub role: Role,
}

impl OptionDefinition {
    /// A setting as most are: one value, and no name but this.
    pub(super) const fn setting(
        long: &'static str,
        apply: fn(&mut Settings, &[Text]) -> Result<(), ConfigError>,
    ) -> Self {
        Self {
            long: Some(long),
            aliases: &[],
            short: None,
            value: "",
            kind: Kind::Value,
            default: "",
            help: "",
            keys: &[],
            variable: None,
            role: Role::Setting(apply),
        }
    }

    /// Tells options apart: the first name, or the letter.
    #[must_use]
    pub fn id(&self) -> String {
        self.long.map_or_else(|| self.short.map(String::from).unwrap_or_default(), str::to_owned)
    }

    /// All long names, the first one first.
    pub fn long_names(&self) -> impl Iterator<Item = &'static str> {
        self.long.into_iter().chain(self.aliases.iter().copied())
    }

    /// Every name with its dashes, as the help and the README show them.
    #[must_use]
    pub fn spellings(&self) -> Vec<String> {
        let short = self.short.map(|letter| format!("-{letter}"));
        let long = self
            .long_names()
            .map(|name| if name.contains(['.', '-']) { format!("--{name}") } else { format!("-{name}") });
        long.chain(short).collect()
    }

    /// Whether its room is not built yet.
    #[must_use]
    pub const fn is_reserved(&self) -> bool {
        matches!(self.role, Role::Reserved { .. })
    }
}

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the default.
    Default,
    /// In the configuration file; both count from 1.
    File {
        /// The line.
        line: u64,
        /// The column.
        column: u64,
    },
    /// In this environment variable.
    Variable(&'static str),
    /// In an option, as it was typed (`-iface`).
    Option(String),
    /// In an option with its value behind `=`, as it was typed.
    OptionWithValue(String),
    /// In the remaining arguments.
    Words,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("the default"),
            Self::File { line, column } => write!(formatter, "line {line}, column {column}"),
            Self::Variable(name) => formatter.write_str(name),
            Self::Option(typed) | Self::OptionWithValue(typed) => formatter.write_str(typed),
            Self::Words => formatter.write_str("the remaining arguments"),
        }
    }
}

/// The text of a value as it was typed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text; only names of files and interfaces may be other than UTF-8.
    pub value: OsString,
    /// Where it stands.
    pub origin: Origin,
}

impl Text {
    /// Whether there is nothing in it, which means that the setting is not given.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.value.to_str().is_some_and(|text| text.trim().is_empty())
    }

    /// The value that it says.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`], naming the option or the variable together with the text.
    pub fn read<T: Value>(&self) -> Result<T, ConfigError> {
        T::from_argument(&self.value).map_err(|problem| ConfigError::invalid(self.place(), problem))
    }

    /// Origin and text as they stand on the command line or in the environment.
    #[must_use]
    pub fn place(&self) -> String {
        let text = self.value.to_string_lossy();
        match &self.origin {
            Origin::Variable(name) => format!("{name}={text}"),
            Origin::OptionWithValue(typed) => format!("{typed}={text}"),
            Origin::Words => text.into_owned(),
            origin => format!("{origin} {text}"),
        }
    }
}
