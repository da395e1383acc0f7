//! The logged files that an earlier run left unfinished.
//!
//! Takes them a few at a time, while there is no other work; gives them their final names. Must not know conversations.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::log_files::LogFiles;
use crate::evidence::writer::leftovers::{Leftover, is_fault};
use crate::evidence::writer::{files, savefile};

/// Files that are finished at once: they share a sync of their file system.
const AT_ONCE: usize = 32;
/// Longest time for which files are cut before those so far are finished.
const LONGEST_CUT: Duration = Duration::from_millis(50);

/// A file that ends with a whole record.
struct CutFile {
    leftover: Leftover,
    /// Its lock tells other processes that it is being finished.
    _file: File,
}

impl LogFiles {
    /// Finishes some of the files that an earlier run left, if it is time.
    pub(super) fn finish_leftovers(&mut self, is_idle: bool) {
        if !self.leftovers.is_due(is_idle) {
            return;
        }
        let cut = self.cut_leftovers();
        let finished = self.publish_leftovers(cut);
        self.leftovers.note_finished(finished);
        self.counters.log.leftovers.set(self.leftovers.count() as u64);
    }

    fn cut_leftovers(&mut self) -> Vec<CutFile> {
        let begun = Instant::now();
        let mut cut = Vec::new();
        while cut.len() < AT_ONCE
            && begun.elapsed() < LONGEST_CUT
            && let Some(leftover) = self.leftovers.next()
        {
            match leftover.cut(savefile::whole_in_file) {
                Ok(Some(file)) => cut.push(CutFile { leftover, _file: file }),
                Ok(None) => {}
                Err(error) => self.leftover_failed(&leftover.part, &error),
            }
        }
        cut
    }

    /// Gives cut files their names, once all of them are on the disk. Gives the number of files with a new name.
    fn publish_leftovers(&mut self, cut: Vec<CutFile>) -> u64 {
        let directory = self.directory().to_owned();
        let synced = if cut.is_empty() { Ok(()) } else { files::sync_all(&directory) };
        if let Err(error) = synced {
            self.leftover_failed(&directory, &error);
            return 0;
        }
        let mut finished = 0;
        for CutFile { leftover, .. } in &cut {
            match publish(leftover, &directory.join(&leftover.name)) {
                Ok(()) => finished += 1,
                Err(error) => self.leftover_failed(&leftover.part, &error),
            }
        }
        if let Err(error) = files::sync_directory(&directory.join("any")) {
            self.leftover_failed(&directory, &error);
        }
        finished
    }

    /// Counts a fault of the disk. Files of others stay as they are.
    fn leftover_failed(&mut self, file: &Path, error: &io::Error) {
        if is_fault(error) {
            self.failed_at("a file of an earlier run could not be finished", file, error);
        } else {
            tracing::debug!(file = %file.display(), %error, "a file of an earlier run stays as it is");
        }
    }
}

fn publish(leftover: &Leftover, path: &PathBuf) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(&leftover.part, path)
}
