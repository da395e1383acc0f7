//! Files that are opened with care. Takes paths; gives open files. Must not know their contents.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait for a lock. A process that has just ended, or is starting a child, may hold one for a moment: until its
/// exec a child has the descriptors of its parent (flock(2)).
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The flag of `open` that refuses a symbolic link as the last part of a path (open(2)).
pub const NO_FOLLOW: i32 = libc::O_NOFOLLOW;

/// Opens a file to read; not through a symbolic link in its place.
///
/// # Errors
/// As of [`File::open`]; also if the path is a symbolic link.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path)
}

/// Locks a file or a directory for as long as it is open (flock(2)); false if another process keeps it locked for a second.
/// A file system without locks counts as free.
pub fn lock(file: &File) -> bool {
    let deadline = Instant::now() + LOCK_PATIENCE;
    while let Err(TryLockError::WouldBlock) = file.try_lock() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOCK_PAUSE);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_opened_and_a_link_to_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "text").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(io::read_to_string(open_to_read(&file).unwrap()).unwrap(), "text");
        assert!(open_to_read(&link).is_err());
    }

    #[test]
    fn lock_is_waited_for_and_given_up() {
        let file = tempfile::tempfile().unwrap();
        let of = |file: &File| File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file))).unwrap();
        let (first, second) = (of(&file), of(&file));
        assert!(lock(&first) && !lock(&second));
        let holder = std::thread::spawn(move || {
            sleep(Duration::from_millis(100));
            drop(first);
        });
        assert!(lock(&second));
        holder.join().unwrap();
    }
}
