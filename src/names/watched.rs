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
}

impl WatchedFile {
    /// A file that has not been read yet.
    pub(super) fn new(path: &Path, most_bytes: u64, excess: Excess) -> Self {
        Self { path: path.to_owned(), most_bytes, excess, stamp: None, fault: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the file if it has changed since they were last read. A fault is logged once.
    pub(super) fn read_if_changed(&mut self) -> Option<io::Result<Vec<u8>>> {
        let read = self.read();
        match &read {
            Some(Err(error)) => self.complain(&error.to_string()),
            Some(Ok(_)) => self.fault = None,
            None => {}
        }
        read
    }

    /// Logs a fault of the file, unless it was the last one that was logged.
    pub(super) fn complain(&mut self, fault: &str) {
        if self.fault.as_deref() != Some(fault) {
            tracing::warn!("{}: cannot be used for names: {fault}; its last contents stay", file_name(&self.path));
            self.fault = Some(fault.to_owned());
        }
    }

    fn read(&mut self) -> Option<io::Result<Vec<u8>>> {
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
