//! The journal: notices that wait and alerts that fire at receivers, kept over restarts.
//!
//! Takes records; gives the state of the run before. Must not know deliveries. Faults of the disk never stop it: the
//! state is kept in memory, and rewritten as soon as the disk takes it.

mod file;
mod record;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::backoff::RareLog;
use file::JournalFile;
pub use file::reread_journal;
pub(super) use record::JournalRecord;
pub(super) use state::{JournalState, ReceiverState};

/// The patience of the program.
const LONGEST_WRITE: Duration = Duration::from_secs(2);

/// Time between two attempts to write after a fault.
const RETRY: Duration = Duration::from_secs(1);

/// A fault that keeps the journal from being opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be made or opened.
    #[error("{path}: {source}; the state directory must be a directory that this user can write to")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The fault.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("{path}: {source}; notices of the last run cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("{0}: another process uses it; give each process a state directory of its own")]
    Busy(PathBuf),
    /// Written by a later version of this program.
    #[error("{0}: written by another version of this program; use that one, or remove the file with its notices")]
    Version(PathBuf),
}

/// The journal. Its calls return in bounded time, whatever the disk does.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    state: JournalState,
    file: FileSlot,
    /// The file lacks records: it has to be rewritten, not before this moment.
    rewrite_at: Option<Instant>,
    failures: Arc<AtomicU64>,
    log: RareLog,
    /// Time that a write may take before deliveries go on without it.
    patience: Duration,
}

/// The file, or the work that has it.
#[derive(Debug)]
enum FileSlot {
    Here(JournalFile),
    Busy(JoinHandle<(JournalFile, io::Result<()>)>),
    /// Its thread ended in an error of this program; there is no journal from then on.
    Gone,
}

impl Journal {
    /// Opens the journal below a state directory. What it says of other receivers is forgotten.
    ///
    /// # Errors
    /// If the directory cannot be used. A disk that cannot be written is no error.
    pub(super) fn open(state_dir: &Path, receivers: &[String], failures: Arc<AtomicU64>) -> Result<Self, JournalError> {
        let (mut file, mut state) = JournalFile::open(state_dir)?;
        state.keep(receivers);
        let written = file.rewrite(&state);
        let path = state_dir.join("notify/journal");
        let (file, log) = (FileSlot::Here(file), RareLog::default());
        let mut journal = Self { path, state, file, rewrite_at: None, failures, log, patience: LONGEST_WRITE };
        journal.note(written);
        Ok(journal)
    }

    /// Checks that the journal below a state directory could be opened now. Gives true if another process uses it.
    ///
    /// # Errors
    /// If the directory or the file cannot be used.
    pub(super) fn inspect(state_dir: &Path) -> Result<bool, JournalError> {
        JournalFile::inspect(state_dir)
    }

    pub(super) fn state(&self) -> &JournalState {
        &self.state
    }

    /// The moment at which [`append`](Self::append) should be called even without records.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.rewrite_at
    }

    /// Writes records. Those that cannot be written are written later, with the whole state.
    pub(super) async fn append(&mut self, records: &[JournalRecord]) {
        records.iter().for_each(|record| self.state.apply(record));
        if self.rewrite_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let is_long = matches!(&self.file, FileSlot::Here(file) if file.is_long());
        if self.rewrite_at.is_some() || is_long {
            let state = self.state.clone();
            self.run(move |file| file.rewrite(&state)).await;
        } else if !records.is_empty() {
            let mut bytes = Vec::new();
            records.iter().for_each(|record| record::encode(record, &mut bytes));
            self.run(move |file| file.append(&bytes)).await;
        }
    }

    /// Waits until the disk has all records.
    pub(super) async fn sync(&mut self) {
        if self.rewrite_at.is_none() {
            self.run(|file| file.sync()).await;
        }
    }

    /// Runs work with the file on another thread, and waits for it for a bounded time.
    async fn run(&mut self, work: impl FnOnce(&mut JournalFile) -> io::Result<()> + Send + 'static) {
        let (mut job, is_earlier) = match std::mem::replace(&mut self.file, FileSlot::Gone) {
            FileSlot::Here(mut file) => {
                let job = tokio::task::spawn_blocking(move || {
                    let result = work(&mut file);
                    (file, result)
                });
                (job, false)
            }
            FileSlot::Busy(earlier) => (earlier, true),
            FileSlot::Gone => return,
        };
        let patience = if is_earlier { Duration::ZERO } else { self.patience };
        match tokio::time::timeout(patience, &mut job).await {
            Ok(Ok((file, result))) => {
                self.file = FileSlot::Here(file);
                // The records of this call are not in the file, whatever the earlier work gave.
                self.note(if is_earlier { Err(io::ErrorKind::TimedOut.into()) } else { result });
            }
            Ok(Err(_)) => tracing::error!("{}: no longer written after an internal error", self.path.display()),
            Err(_) => {
                self.file = FileSlot::Busy(job);
                self.note(Err(io::ErrorKind::TimedOut.into()));
            }
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        let now = Instant::now();
        match result {
            Ok(()) if self.rewrite_at.take().is_some() => {
                tracing::info!("{}: written again", self.path.display());
            }
            Ok(()) => {}
            Err(error) => {
                self.failures.fetch_add(1, Relaxed);
                self.rewrite_at = Some(now + RETRY);
                if self.log.may_log(now) {
                    let path = self.path.display();
                    tracing::warn!("{path}: {error}; alerts are delivered, but would not survive a restart");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
