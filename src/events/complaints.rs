//! Log lines about failures, at most one in a while.
//!
//! Takes failures; writes some of them to the log, with the number of the others. Must not know their causes.

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

/// Failures of one kind, such as writes to a file, and those of them that were not logged.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Option<Instant>,
    silent: u64,
    /// True since a failure that was logged, until the next success.
    is_failing: bool,
}

impl Complaints {
    /// Logs a failure to do `what` with a file, unless another one was logged within ten seconds.
    pub(crate) fn add(&mut self, what: &str, file: &Path, error: &impl Display) {
        if self.last.is_some_and(|last| last.elapsed() < SHORTEST_PAUSE) {
            self.silent += 1;
            return;
        }
        let (file, silent) = (crate::capture::printable(&file.display().to_string()), std::mem::take(&mut self.silent));
        tracing::warn!(%file, %error, failures_not_logged = silent, "{what}");
        self.last = Some(Instant::now());
        self.is_failing = true;
    }

    /// Logs the end of failures, if their beginning was logged.
    pub(crate) fn end(&mut self, what: &str) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(failures_not_logged = std::mem::take(&mut self.silent), "{what}");
        }
    }
}
