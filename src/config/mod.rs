//! Text → a validated [`Config`], the sum of the rooms' own.
//!
//! Takes layers of [`Settings`] from a YAML file, the environment and options, lays them over each other and validates the
//! result once. Each setting is declared once, in [`declarations`]. Must not know what the program does with a setting.

mod checks;
pub mod declaration;
pub mod declarations;
pub mod environment;
pub mod file;
pub mod given;
pub mod kinds;
pub mod nearest;
mod settings;
pub mod trafficalerted;
mod unavailable;

use std::path::PathBuf;

pub use declaration::{Access, Arity, Declaration, FileKey, Role};
pub use given::{Given, RefusedSetting, SettingOrigin};
pub use settings::Settings;
pub use unavailable::Unavailable;

use crate::{account, alert, capture, detect, export, http, locality, pipeline};

/// The whole configuration, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The capture file that is read instead of interfaces; `-` is standard input.
    pub source: Option<PathBuf>,
    /// Interfaces and the way of capturing.
    pub capture: capture::Config,
    /// The local networks.
    pub locality: locality::Config,
    /// The identity of flows, and the capacity of their tables.
    pub account: account::Config,
    /// Limits of bandwidth, of scans and of anomalies.
    pub detect: detect::Config,
    /// The life of alerts.
    pub alert: alert::Config,
    /// True if each alert is explained in a sentence.
    pub explain: bool,
    /// The families of metrics that are written.
    pub export: export::Config,
    /// The addresses of the server.
    pub http: http::Config,
    /// The time between two snapshots.
    pub pipeline: pipeline::Config,
    /// The program's own log.
    pub log: Log,
    /// Notices for the log, each to be written once: settings that were changed, or that have no effect.
    pub notices: Vec<String>,
}

/// The program's own log, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// The lowest level that is written.
    pub level: LogLevel,
    /// The form of a line.
    pub format: LogFormat,
}

/// The level of a log line, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// The program did something.
    #[default]
    Info,
    /// Details of what it did.
    Debug,
    /// Every step.
    Trace,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `ts=… level=info msg="…" key=value`.
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// The reason why there is no configuration. Each message has the place, the fault and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason that the system gives.
        source: std::io::Error,
    },
    /// A value or a key is not known, or two settings contradict each other.
    #[error("{place}: {problem}")]
    Invalid {
        /// The option and its value as typed, the variable, or the file with line and column.
        place: String,
        /// The fault and its remedy.
        problem: String,
    },
    /// Options and files that are known but not built yet: all that were given.
    #[error("{}", unavailable::sentence(.0))]
    Unavailable(Vec<Unavailable>),
    /// A configuration that cannot be written as YAML.
    #[error("cannot write the configuration as YAML: {0}")]
    Unwritable(String),
}

impl Error {
    /// An [`Error::Invalid`] of these words.
    pub fn invalid(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests;
