//! The pipeline: its threads fill intervals with frames, merge intervals into the ledger, and make snapshots of the
//! ledger. Takes sources of frames and a configuration; gives snapshots and changes of alerts. Must not know HTTP.

mod accountant;
pub mod alarms;
pub mod capture_loop;
mod cells;
pub mod clock;
mod control;
mod coverage;
mod dropped_alerts;
mod fanout;
mod handover;
pub mod heartbeat;
mod kernel_loop;
mod notices;
mod opening;
mod planner;
mod reading;
pub mod replay;
mod rings;
pub mod settings;
pub mod supervisor;
mod threads;
pub mod trial;
pub mod violations;
mod watchdog;
mod watermarks;

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use crate::capture::selection::SelectionError;
use crate::capture::{self, printable};
use crate::decode::{UnsupportedLinkType, supported_link_types};
use crate::kernel;

/// An error of the pipeline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An interface or file from which no frames can be read.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// The kernel path cannot be used.
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    /// More threads than make sense.
    #[error("{workers} workers are too many for {cores} cores; use at most {WORKERS_A_CORE} per core")]
    Workers {
        /// Workers that the configuration asks for.
        workers: usize,
        /// Cores of this machine.
        cores: usize,
    },
    /// A thread that cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// All memory for capture rings is taken.
    #[error(
        "no memory is left for its capture ring; name fewer interfaces (-iface) or leave some out (-ExcludedInterfaces)"
    )]
    Rings,
    /// New settings that are not in force in time.
    #[error("a thread of the capture did not take the new configuration in time")]
    Late,
    /// Permitted networks that the kernel path does not take.
    #[error("the kernel did not take the permitted networks; the former ones stay in force")]
    RefusedPolicy,
    /// A thread that panicked, which is a fault of the program.
    #[error("an internal thread panicked; this is a bug in trafficmonitor")]
    Panicked,
    /// Frames of a link type that is not read.
    #[error(
        "{}: link type {}{} is not supported; supported link types: {}",
        printable(origin),
        source.0.0,
        name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default(),
        supported_link_types()
    )]
    LinkType {
        /// The interface or file.
        origin: String,
        /// libpcap's name of the link type.
        name: Option<String>,
        /// Its number.
        source: UnsupportedLinkType,
    },
}

/// The most workers per core; more would only wait for each other.
const WORKERS_A_CORE: usize = 4;

/// Refuses more workers than make sense.
///
/// # Errors
/// When there are more than four for each core.
pub fn check_workers(workers: usize) -> Result<(), Error> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    if workers > cores * WORKERS_A_CORE { Err(Error::Workers { workers, cores }) } else { Ok(()) }
}

impl Error {
    /// True if an interface is named that is not there.
    pub fn is_absent_interface(&self) -> bool {
        let Self::Capture(capture::Error::Selection(error)) = self else { return false };
        matches!(error, SelectionError::UnknownInterface { .. })
    }

    /// Names the place, in a file or an environment variable, of a filter that does not compile.
    pub fn with_filter_place(mut self, known: Option<&str>) -> Self {
        if let Self::Capture(capture::Error::Filter { place, .. }) = &mut self {
            *place = known.map(str::to_owned);
        }
        self
    }

    /// True if the user asked for the impossible; false if an operation failed.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Workers { .. }
                | Self::Capture(capture::Error::Selection(_) | capture::Error::Filter { .. })
                | Self::Kernel(kernel::Error::NotBuilt | kernel::Error::DropsAll | kernel::Error::Lockout { .. })
        )
    }
}

/// Settings of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Time between two published snapshots.
    pub refresh: Duration,
    /// The most rows of each IP version in an interval of a capture thread.
    pub interval_rows: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { refresh: Duration::from_secs(5), interval_rows: 32_768 }
    }
}
