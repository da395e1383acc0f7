//! The quota of the archive.
//!
//! Takes a directory and its limit; removes the oldest files of this program until new bytes fit. Must not know what is in
//! the files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::files;

/// One in so many bytes of the quota is made free at once: a look at all files takes a while.
const SPARE: u64 = 20;

/// The most bytes of a directory, which may change. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::evidence) struct ByteLimit(Arc<AtomicU64>);

/// The bytes in a directory, and their limit.
#[derive(Debug)]
pub(in crate::evidence) struct Quota {
    directory: PathBuf,
    limit: ByteLimit,
    /// True for the names of files that count.
    is_ours: fn(&str) -> bool,
    /// True if files that are being written may be removed too.
    removes_unfinished: bool,
    /// Bytes at the last look, with all that was added since.
    bytes: u64,
}

/// A file of this program.
#[derive(Debug)]
struct OwnFile {
    modified: SystemTime,
    path: PathBuf,
    bytes: u64,
}

impl ByteLimit {
    pub(in crate::evidence) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    pub(in crate::evidence) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Quota {
    pub(in crate::evidence) fn new(directory: PathBuf, limit: ByteLimit, is_ours: fn(&str) -> bool) -> Self {
        let mut quota = Self { directory, limit, is_ours, removes_unfinished: false, bytes: 0 };
        quota.bytes = quota.look().iter().map(|file| file.bytes).sum();
        quota
    }

    /// The same quota; files that are being written may be removed too.
    pub(in crate::evidence) fn removing_unfinished(self) -> Self {
        Self { removes_unfinished: true, ..self }
    }

    pub(in crate::evidence) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Notes that a file was removed or moved away.
    pub(in crate::evidence) const fn give_back(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Makes space for new bytes. Gives the files that were removed for it, and an error when the files that stay leave no
    /// space.
    pub(in crate::evidence) fn take(&mut self, bytes: u64) -> (Vec<PathBuf>, io::Result<()>) {
        let mut removed = Vec::new();
        let limit_bytes = self.limit.bytes();
        if !self.fits(bytes, limit_bytes) {
            let files = self.look();
            self.bytes = files.iter().map(|file| file.bytes).sum();
            if !self.fits(bytes, limit_bytes) {
                removed = self.remove_oldest(files, bytes, limit_bytes - limit_bytes / SPARE);
            }
        }
        if !self.fits(bytes, limit_bytes) {
            let full = io::Error::new(io::ErrorKind::QuotaExceeded, "the files being written fill the quota");
            return (removed, Err(full));
        }
        self.bytes += bytes;
        (removed, Ok(()))
    }

    const fn fits(&self, bytes: u64, limit_bytes: u64) -> bool {
        self.bytes + bytes <= limit_bytes
    }

    /// Removes files until the new bytes fit below `goal`, in bytes.
    fn remove_oldest(&mut self, mut files: Vec<OwnFile>, bytes: u64, goal: u64) -> Vec<PathBuf> {
        files.retain(|file| self.removes_unfinished || !files::is_unfinished(&file.path));
        files.sort_unstable_by(|one, other| (one.modified, &one.path).cmp(&(other.modified, &other.path)));
        let mut removed = Vec::new();
        for file in files {
            if self.fits(bytes, goal) {
                break;
            }
            if fs::remove_file(&file.path).is_ok() {
                self.bytes = self.bytes.saturating_sub(file.bytes);
                removed.push(file.path);
            }
        }
        removed
    }

    /// Regular files of this user with a name of this program. Others never count, and are never removed.
    fn look(&self) -> Vec<OwnFile> {
        own_files(&self.directory, self.is_ours).filter_map(|path| OwnFile::of(path).ok()).collect()
    }
}

impl OwnFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        let found = files::regular(&path)?;
        Ok(Self { modified: found.modified()?, bytes: found.len(), path })
    }
}

/// The files with a name that `is_ours` knows.
pub(in crate::evidence) fn own_files(
    directory: &Path,
    is_ours: fn(&str) -> bool,
) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_own = move |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(is_ours);
    entries.filter(is_own).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::evidence::names;

    fn name(number: u32) -> String {
        format!("20231114T22132{number}.250Z-host_scan-10.0.0.1-00000000000000ab.pcapng")
    }

    fn archive(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in (0..).zip(files.iter().rev()) {
            let path = folder.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let time = SystemTime::now() - Duration::from_secs(1_000 + age);
            fs::File::open(&path).unwrap().set_modified(time).unwrap();
        }
        folder
    }

    fn left(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn oldest_own_files_are_removed_and_others_stay() {
        let (first, second, third) = (name(1), name(2), name(3));
        let folder = archive(&["0-notes.pcapng", &second, &first, &third, "configuration-0000000000000000.yml"]);
        let mut quota = Quota::new(folder.path().into(), ByteLimit::new(300), names::is_ours);
        assert_eq!(quota.bytes(), 300);
        assert_eq!(quota.take(50).0, [folder.path().join(&second)], "the oldest by its time");
        assert_eq!((quota.bytes(), left(&folder).len()), (250, 4));
        quota.take(300).1.unwrap();
        assert_eq!(left(&folder), ["0-notes.pcapng", "configuration-0000000000000000.yml"]);
        assert!(quota.take(1_000).1.is_err());
    }

    #[test]
    fn unfinished_files_count_and_stay() {
        let unfinished = format!("{}.part", name(1));
        let folder = archive(&[&unfinished, &name(2)]);
        let mut quota = Quota::new(folder.path().into(), ByteLimit::new(250), names::is_ours);
        let (removed, taken) = quota.take(200);
        assert!(taken.is_err());
        assert_eq!(removed, [folder.path().join(name(2))], "what was removed is known all the same");
        assert_eq!(left(&folder), [unfinished]);
    }
}
