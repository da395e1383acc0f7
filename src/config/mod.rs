//! The configuration: a validated [`Config`] with that of every room.
//!
//! Takes layers of [`Settings`] from a YAML file, the environment and options; merges them, and validates the result
//! once. Must not know what the program does with a setting. Each setting is declared once, in [`declarations`].

mod checks;
pub(crate) mod declaration;
pub mod declarations;
mod delivery;
pub(crate) mod environment;
pub(crate) mod file;
pub(crate) mod given;
mod kernel_path;
pub(crate) mod kinds;
pub(crate) mod memory;
pub(crate) mod nearest;
mod policy;
mod reload;
mod settings;
mod slack;
pub(crate) mod trafficalerted;
pub mod web_file;

use std::path::PathBuf;

pub(crate) use declaration::{Arity, Declaration, Reload, Role};
pub(crate) use given::{Given, SettingOrigin};
pub(crate) use settings::Settings;
pub use slack::SlackHook;

use tracing::Level;

use crate::events::line::LineForm;
use crate::os::confinement::sandbox_hint;
use crate::{
    account, alert, capture, detect, events, evidence, export, history, http, kernel, locality, names, notify, pipeline,
};

/// Each value once, in the order of its first appearance.
pub(crate) fn without_repeats<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    values.into_iter().fold(Vec::new(), |mut kept, value| {
        if !kept.contains(&value) {
            kept.push(value);
        }
        kept
    })
}

/// The whole configuration, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The file that it was read from, if there was one.
    pub file: Option<PathBuf>,
    /// The capture file that is read instead of interfaces; `-` is standard input.
    pub source: Option<PathBuf>,
    /// Interfaces and the way of capturing.
    pub capture: capture::Config,
    /// The kernel path.
    pub kernel: kernel::Config,
    /// The limit on memory.
    pub memory: memory::Config,
    /// The local networks.
    pub locality: locality::Config,
    /// The permitted networks.
    pub policy: crate::policy::Config,
    /// The identity of flows, and the capacity of their tables.
    pub account: account::Config,
    /// Limits of bandwidth, of scans and of anomalies.
    pub detect: detect::Config,
    /// The life of alerts.
    pub alert: alert::Config,
    /// True if each alert is explained in a sentence.
    pub explain: bool,
    /// The receivers of alerts, with the one of the Slack options.
    pub notify: notify::Config,
    /// The hook of the Slack options, which is a receiver too if its URL is given.
    pub slack: SlackHook,
    /// Packets that are kept and written.
    pub evidence: evidence::Config,
    /// The log of violations and alerts.
    pub events: events::Config,
    /// The size of the history.
    pub history: history::Config,
    /// The families of metrics that are written.
    pub export: export::Config,
    /// The sources of names.
    pub names: names::Config,
    /// The addresses of the server.
    pub http: http::Config,
    /// The time between two snapshots.
    pub pipeline: pipeline::Config,
    /// The program's own log.
    pub log: Log,
    /// The rights that the program gives up.
    pub sandbox: SandboxMode,
    /// The place of the filter in a file or an environment variable. libpcap finds its mistakes after all settings are read.
    pub filter_place: Option<String>,
    /// Notices for the log, each to be written once: settings that were changed, or that have no effect.
    pub notices: Vec<String>,
}

/// The way in which the exporter gives up rights that it does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SandboxMode {
    /// It keeps all.
    Off,
    /// It gives up what the kernel and the configuration allow, and logs what it must keep.
    #[default]
    Auto,
    /// It does not start if it must keep any.
    Strict,
}

/// The program's own log, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The lowest level that is written.
    pub level: Level,
    /// The form of a line.
    pub format: LineForm,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::INFO, format: LineForm::default() }
    }
}

/// The reason why there is no configuration. Each message has the place, the fault and the remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: cannot read the configuration: {source}{}", path.display(), sandbox_hint(source))]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// A value or a key is not known, or two settings contradict each other.
    #[error("{place}: {problem}")]
    Invalid {
        /// The option and its value as typed, the variable, or the file with line and column.
        place: String,
        problem: String,
    },
    #[error("cannot write the configuration as YAML: {0}")]
    Unwritable(String),
}

impl Error {
    pub(crate) fn invalid(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), problem: problem.into() }
    }
}

#[cfg(test)]
pub(crate) mod tests;
