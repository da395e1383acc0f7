//! Log lines about failures, at most one in a while.
//!
//! Takes failures; writes some of them to the log, with the number of the others. Must not know their causes.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::os::confinement::sandbox_hint;

const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

/// Failures of work with files, by what was to be done, and the number of those that were not logged.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Option<Instant>,
    silent: u64,
    /// The failures that were logged, each until the next success of its work.
    failing: BTreeSet<&'static str>,
}

impl Complaints {
    /// Logs a failure to do `what` with a file, unless another one was logged within ten seconds.
    pub(crate) fn add(&mut self, what: &'static str, file: &Path, error: &io::Error) {
        if self.last.is_some_and(|last| last.elapsed() < SHORTEST_PAUSE) {
            self.silent += 1;
            return;
        }
        let (file, silent) = (crate::capture::printable(&file.display().to_string()), std::mem::take(&mut self.silent));
        tracing::warn!(%file, error = format!("{error}{}", sandbox_hint(error)), failures_not_logged = silent, "{what}");
        self.last = Some(Instant::now());
        self.failing.insert(what);
    }

    /// Logs that work which had failed, as `failure` says, succeeds again; nothing if no failure was logged.
    pub(crate) fn end(&mut self, failure: &'static str, success: &str) {
        if self.failing.remove(failure) {
            tracing::info!(failures_not_logged = std::mem::take(&mut self.silent), "{success}");
        }
    }
}
