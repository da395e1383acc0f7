//! The settings of the event log, and the errors of its start. Takes nothing; gives types. Must not know files.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

/// The format of the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventFormat {
    /// Lines for people, in the form of the program's own log.
    #[default]
    Console,
    /// One JSON array, with one event per line.
    Json,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    JsonLines,
}

/// Settings of the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The format of the events.
    pub format: EventFormat,
    /// The file that events are appended to. Without one, they are written to the console.
    pub file: Option<PathBuf>,
    /// Bytes that are gathered before they are written; 0 writes each event at once.
    pub buffer_bytes: usize,
    /// The most bytes of events that wait for the thread that writes.
    pub queue_bytes: usize,
    /// The size at which the file is rotated.
    pub max_bytes: Option<u64>,
    /// The age at which the file is rotated.
    pub max_age: Option<Duration>,
    /// Rotated files that are kept; at least 1.
    pub rotations: u32,
    /// Time between two summaries of the events; zero for none.
    pub summary_interval: Duration,
    /// Write each violation to the program's own log too.
    pub is_verbose: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: EventFormat::Console,
            file: None,
            buffer_bytes: 8_192,
            queue_bytes: 16 << 20,
            max_bytes: None,
            max_age: None,
            rotations: 5,
            summary_interval: Duration::from_secs(60),
            is_verbose: false,
        }
    }
}

/// The reason why the event log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened, or a repair of its end failed.
    #[error("{}: cannot open the event log: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the thread of the event log: {0}")]
    Thread(std::io::Error),
}

impl Error {
    /// True if the disk has no space, or the user's quota none: it may have space later.
    pub fn is_full_disk(&self) -> bool {
        let (Self::Unusable { source, .. } | Self::Thread(source)) = self;
        matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    }
}
