//! The way of the packets: sources into intervals, intervals into the ledger, the ledger into snapshots.

mod accountant;
pub mod capture_loop;
mod handover;
mod opening;
mod orders;
pub mod replay;
pub mod supervisor;

use std::time::Duration;

use crate::capture;
use crate::decode::UnsupportedLinkType;

/// What can go wrong on the way of the packets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Frames that cannot be had.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// A thread that cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// A thread that panicked, which is a fault of the program.
    #[error("a thread of the pipeline panicked; this is a fault of the program")]
    Panicked,
    /// Frames of a link type that is not read.
    #[error("{origin}: {source}{}", name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default())]
    LinkType {
        /// The interface or file.
        origin: String,
        /// libpcap's name of the link type.
        name: Option<String>,
        /// Its number.
        source: UnsupportedLinkType,
    },
}

impl Error {
    /// Whether the user asked for what cannot be, rather than that something failed.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Capture(capture::Error::Selection(_) | capture::Error::Filter { .. }))
    }
}

/// How often readers get a new view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How often the published snapshot is renewed.
    pub refresh: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { refresh: Duration::from_secs(5) }
    }
}
