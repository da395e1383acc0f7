//! Files that a killed process left under temporary names.
//!
//! Takes a directory; gives its unfinished files one by one, cut to their last whole record. Must not know what is written
//! now.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::records::WholeRecords;
use super::{files, quota};
use crate::capture::printable;
use crate::evidence::names;

/// Longest time for which leftovers wait for other work.
const WAIT_AT_MOST: Duration = Duration::from_secs(1);

/// Finds the whole records of a file of so many bytes.
type FindWhole = fn(&File, u64) -> io::Result<WholeRecords>;

/// A file under its temporary name.
#[derive(Debug)]
pub(in crate::evidence) struct Leftover {
    pub(in crate::evidence) part: PathBuf,
    /// The final name.
    pub(in crate::evidence) name: String,
}

/// The files that wait to be finished.
#[derive(Debug)]
pub(in crate::evidence) struct Leftovers {
    directory: PathBuf,
    /// The next one is the last.
    waiting: Vec<Leftover>,
    finished: u64,
    taken: Instant,
}

impl Leftovers {
    /// The unfinished files in a directory. `order` says which ones come first.
    pub(in crate::evidence) fn find<K: Ord>(
        directory: &Path,
        is_ours: fn(&str) -> bool,
        order: impl Fn(&Leftover) -> K,
    ) -> Self {
        let own = quota::own_files(directory, is_ours);
        let mut waiting: Vec<Leftover> = own.filter_map(Leftover::of).collect();
        waiting.sort_by_cached_key(|leftover| std::cmp::Reverse(order(leftover)));
        Self { directory: directory.to_owned(), waiting, finished: 0, taken: Instant::now() }
    }

    pub(in crate::evidence) const fn count(&self) -> usize {
        self.waiting.len()
    }

    /// True if one is to be finished now: there is no other work, or it has waited for long.
    pub(in crate::evidence) fn is_due(&self, is_idle: bool) -> bool {
        !self.waiting.is_empty() && (is_idle || self.taken.elapsed() >= WAIT_AT_MOST)
    }

    /// The next file.
    pub(in crate::evidence) fn next(&mut self) -> Option<Leftover> {
        self.taken = Instant::now();
        self.waiting.pop()
    }

    /// Counts files that have their names. After the last one a line with their number goes to the log.
    pub(in crate::evidence) fn note_finished(&mut self, files: u64) {
        self.finished += files;
        if self.waiting.is_empty() && self.finished > 0 {
            let (files, directory) = (self.finished, printable(&self.directory.display().to_string()));
            tracing::info!(files, %directory, "finished the files that an earlier run left");
            self.finished = 0;
        }
    }
}

impl Leftover {
    fn of(part: PathBuf) -> Option<Self> {
        let name = part.file_name()?.to_str()?.strip_suffix(names::UNFINISHED)?.to_owned();
        Some(Self { part, name })
    }

    /// The file, locked.
    ///
    /// # Errors
    /// When it cannot be opened, or another process writes it.
    pub(in crate::evidence) fn open(&self) -> io::Result<File> {
        let file = files::open_existing(&self.part)?;
        // A living process holds the lock of its files.
        file.try_lock().map_err(io::Error::from)?;
        Ok(file)
    }

    /// The file without a broken last record. One without packets is removed, and gives none.
    pub(in crate::evidence) fn cut(&self, find_whole: FindWhole) -> io::Result<Option<File>> {
        let file = self.open()?;
        let length = file.metadata()?.len();
        let whole = find_whole(&file, length)?;
        if whole.packets == 0 {
            fs::remove_file(&self.part)?;
            return Ok(None);
        }
        if whole.bytes < length {
            file.set_len(whole.bytes)?;
        }
        Ok(Some(file))
    }
}

/// True if a file stays unfinished because of a fault of the disk. Otherwise it is written by another process, is gone, or
/// is no file of this program.
pub(in crate::evidence) fn is_fault(error: &io::Error) -> bool {
    let is_from_system = error.raw_os_error().is_some();
    is_from_system && !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_disk_differ_from_files_of_others() {
        for code in [5, 28, 30, 13] {
            assert!(is_fault(&io::Error::from_raw_os_error(code)), "EIO, ENOSPC, EROFS, EACCES: {code}");
        }
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("a.pcap.part");
        let leftover = |path: &Path| Leftover { part: path.to_owned(), name: "a.pcap".to_owned() };
        assert!(!is_fault(&leftover(&part).open().unwrap_err()), "it is gone");
        let locked = files::create(&part).unwrap();
        assert!(!is_fault(&leftover(&part).open().unwrap_err()), "another process writes it");
        drop(locked);
        let link = folder.path().join("link.pcap.part");
        std::os::unix::fs::symlink(&part, &link).unwrap();
        assert!(!is_fault(&leftover(&link).open().unwrap_err()), "it is a link");
        assert!(!is_fault(&io::Error::other("no error of the system")));
    }

    #[test]
    fn leftovers_wait_for_other_work_but_not_for_long() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.pcap.part", "a.pcap.part", "c.pcap"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let mut left = Leftovers::find(folder.path(), |_| true, |leftover| leftover.name.clone());
        assert!(left.is_due(true) && !left.is_due(false));
        left.taken -= WAIT_AT_MOST;
        assert!(left.is_due(false));
        let names = std::iter::from_fn(|| left.next().map(|leftover| leftover.name));
        assert_eq!(names.collect::<Vec<_>>(), ["a.pcap", "b.pcap"]);
        assert!(!left.is_due(true));
    }
}
