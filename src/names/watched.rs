//! A file that is read again when it has changed. Takes a path; gives the file's bytes, within a bound. Must not know the
//! contents.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::capture::file_name;

/// The part of a file that is read if it is longer than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// The last lines, which are the newest of a file that is appended to.
    KeepTail,
    /// Nothing: a part of the file is of no use.
    Refuse,
}

/// The properties of a file that differ once it was written or replaced: device, inode, bytes and time of the last
/// change.
type Stamp = (u64, u64, u64, i64, i64);

/// A file, as it was when it was last read.
#[derive(Debug)]
pub(super) struct WatchedFile {
    path: PathBuf,
    most_bytes: u64,
    excess: Excess,
    stamp: Option<Stamp>,
    /// The last fault that was logged.
    fault: Option<String>,
    /// True if there are contents in use.
    has_contents: bool,
    /// True if there were before the last reading.
    had_contents: bool,
}

impl WatchedFile {
    /// A file that has not been read yet.
    pub(super) fn new(path: &Path, most_bytes: u64, excess: Excess) -> Self {
        let path = path.to_owned();
        Self { path, most_bytes, excess, stamp: None, fault: None, has_contents: false, had_contents: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the file if it has changed since they were last read. A fault is logged once.
    pub(super) fn read_if_changed(&mut self) -> Option<io::Result<Vec<u8>>> {
        let read = self.read();
        match &read {
            Some(Err(error)) => self.complain(&error.to_string()),
            Some(Ok(_)) => {
                self.fault = None;
                self.had_contents = std::mem::replace(&mut self.has_contents, true);
            }
            None => {}
        }
        read
    }

    /// The bytes that were read last are of no use: logs the fault. The contents before them stay in use.
    pub(super) fn refuse(&mut self, fault: &str) {
        self.has_contents = self.had_contents;
        self.complain(fault);
    }

    /// Logs a fault of the file, unless it was the last one that was logged.
    fn complain(&mut self, fault: &str) {
        if self.fault.as_deref() != Some(fault) {
            tracing::warn!("{}", self.complaint(fault));
            self.fault = Some(fault.to_owned());
        }
    }

    /// The sentence about a fault. It says what is in use instead.
    pub(super) fn complaint(&self, fault: &str) -> String {
        let instead = if self.has_contents {
            "its last contents stay in use"
        } else {
            "names are found without it until it can be used"
        };
        format!("{}: cannot be used for names: {fault}; {instead}", file_name(&self.path))
    }

    /// As [`WatchedFile::read_if_changed`], without a line in the log.
    pub(super) fn read(&mut self) -> Option<io::Result<Vec<u8>>> {
        let metadata = match self.path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Some(Err(error)),
        };
        let stamp = stamp(&metadata);
        if self.stamp == Some(stamp) {
            return None;
        }
        // A pipe or a device would keep the thread waiting.
        if !metadata.is_file() {
            return Some(Err(io::Error::other("not a regular file")));
        }
        let read = self.read_bytes();
        if read.is_ok() {
            self.stamp = Some(stamp);
        }
        Some(read)
    }

    fn read_bytes(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        let excess = length.saturating_sub(self.most_bytes);
        if excess > 0 && self.excess == Excess::Refuse {
            return Err(io::Error::other(format!("{length} bytes; at most {} are read", self.most_bytes)));
        }
        // One byte earlier, so that a line that begins exactly there is whole.
        file.seek(SeekFrom::Start(excess.saturating_sub(1)))?;
        let mut bytes = Vec::new();
        file.take(self.most_bytes + 1).read_to_end(&mut bytes)?;
        if excess > 0 {
            let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
            bytes.drain(..end);
        }
        Ok(bytes)
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.dev(), metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(path: &Path, most_bytes: u64, excess: Excess) -> WatchedFile {
        WatchedFile::new(path, most_bytes, excess)
    }

    #[test]
    fn file_is_read_once_for_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leases");
        let mut file = watched(&path, 100, Excess::Refuse);
        assert!(file.read_if_changed().unwrap().is_err());
        std::fs::write(&path, "one").unwrap();
        assert_eq!(file.read_if_changed().unwrap().unwrap(), b"one");
        assert!(file.read_if_changed().is_none());
        // Replaced by another file of the same size.
        let other = folder.path().join("other");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(file.read_if_changed().unwrap().unwrap(), b"two");
    }

    #[test]
    fn complaint_says_whether_there_are_contents_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asn.mmdb");
        let mut file = watched(&path, 100, Excess::Refuse);
        let instead = |file: &WatchedFile| file.complaint("a fault").rsplit_once("a fault; ").unwrap().1.to_owned();
        let (without, last) = ("names are found without it until it can be used", "its last contents stay in use");
        assert!(file.read_if_changed().unwrap().is_err());
        assert_eq!(instead(&file), without, "missing from the start");
        std::fs::write(&path, "broken").unwrap();
        file.read_if_changed().unwrap().unwrap();
        file.refuse("a fault");
        assert_eq!(instead(&file), without, "broken from the start");
        std::fs::write(&path, "whole").unwrap();
        file.read_if_changed().unwrap().unwrap();
        std::fs::write(&path, "broken again").unwrap();
        file.read_if_changed().unwrap().unwrap();
        file.refuse("a fault");
        assert_eq!(instead(&file), last);
        std::fs::remove_file(&path).unwrap();
        assert!(file.read_if_changed().unwrap().is_err());
        assert_eq!(instead(&file), last);
    }

    #[test]
    fn long_file_is_refused_or_its_last_whole_lines_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "first\nsecond\nthird\n").unwrap();
        assert!(watched(&path, 10, Excess::Refuse).read_if_changed().unwrap().is_err());
        for (most, tail) in [(6, "third\n"), (7, "third\n"), (12, "third\n"), (13, "second\nthird\n"), (3, "")] {
            let read = watched(&path, most, Excess::KeepTail).read_if_changed().unwrap().unwrap();
            assert_eq!(String::from_utf8(read).unwrap(), tail, "{most}");
        }
    }

    #[test]
    fn directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(watched(folder.path(), 10, Excess::KeepTail).read_if_changed().unwrap().is_err());
    }
}
