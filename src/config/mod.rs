//! Text → a validated [`Config`], the sum of the rooms' own.
//!
//! Layers of optional [`Settings`] (a YAML file, the environment, options) are laid over each other and validated once.
//! Each setting is declared once, in [`options`]. Knows nothing of what the program then does with it.

mod effective;
pub mod environment;
pub mod file;
pub mod limits;
pub mod nearest;
mod notation;
pub mod option;
pub mod options;
pub mod quantities;
pub mod rules;
mod sections;
pub mod settings;
pub mod trafficalerted;
mod unavailable;
mod validate;
pub mod value;
pub mod values;

use std::path::PathBuf;

pub use option::{Kind, OptionDefinition, Origin, Role, Text};
pub use settings::Settings;
pub use unavailable::Unavailable;

use crate::{account, alert, capture, detect, export, http, locality, pipeline};

/// Everything that the program is told, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The capture file that is read instead of interfaces; `-` is standard input.
    pub source: Option<PathBuf>,
    /// What is captured, and how.
    pub capture: capture::Config,
    /// What is local.
    pub locality: locality::Config,
    /// How flows are told apart, and how many are held.
    pub account: account::Config,
    /// What is looked for.
    pub detect: detect::Config,
    /// How alerts live.
    pub alert: alert::Config,
    /// Whether each alert is explained in a sentence.
    pub explain: bool,
    /// Which families are written.
    pub export: export::Config,
    /// Where the server listens.
    pub http: http::Config,
    /// How often a snapshot is published.
    pub pipeline: pipeline::Config,
    /// The program's own log.
    pub log: Log,
    /// What was taken otherwise than it was written, in words for the log; to be said once.
    pub notices: Vec<String>,
}

impl Config {
    /// The configuration as the YAML file that would give it (without the notices).
    ///
    /// # Errors
    /// [`ConfigError::Unwritable`] if it cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        file::write(&Settings::from(self))
    }
}

/// The program's own log, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// The least grave lines that are written.
    pub level: LogLevel,
    /// How a line is written.
    pub format: LogFormat,
}

/// How grave a log line is, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What the program does.
    #[default]
    Info,
    /// How it does it.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// All of them, gravest first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// As it is written in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `ts=… level=info msg="…" key=value`.
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// As it is written in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logfmt => "logfmt",
            Self::Json => "json",
        }
    }
}

/// Why there is no configuration. Each message says where, what, and what would do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A text or a key means nothing here, or two settings contradict each other.
    #[error("{place}: {problem}")]
    Invalid {
        /// The option and its value as typed, the variable, or the file with line and column.
        place: String,
        /// What is wrong with it and what would do.
        problem: String,
    },
    /// Known, but of rooms that are not built yet: everything of the kind that was given.
    #[error("{}", unavailable::sentence(.0))]
    Unavailable(Vec<Unavailable>),
    /// A configuration that cannot be written as YAML.
    #[error("cannot write the configuration as YAML: {0}")]
    Unwritable(String),
}

impl ConfigError {
    /// An [`ConfigError::Invalid`] of these words.
    #[must_use]
    pub fn invalid(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests;
