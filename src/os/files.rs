//! Files that are opened with care. Takes paths; gives open files, and the rights of this user. Must not know their
//! contents.

use std::ffi::{CStr, CString};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
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

/// A use of a path that needs a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathUse {
    /// To read a file.
    Read,
    /// To write a file.
    Write,
    /// To make files in a directory.
    CreateIn,
}

/// Checks that this thread may use a path, by its user, groups and capabilities. Nothing is opened.
///
/// # Errors
/// If it may not, or there is no such path.
pub fn check_access(path: &Path, wanted: PathUse) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mode = match wanted {
        PathUse::Read => libc::R_OK,
        PathUse::Write => libc::W_OK,
        PathUse::CreateIn => libc::W_OK | libc::X_OK,
    };
    // access(2) disregards the capabilities of a user other than root. The C libraries do not pass the flag on everywhere.
    // SAFETY: the path ends in 0 and outlives the call, which only reads it.
    let result = unsafe { libc::syscall(libc::SYS_faccessat2, libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) };
    match io::Error::last_os_error() {
        _ if result == 0 => Ok(()),
        // Linux before 5.8, and filters of system calls that do not know this one.
        error if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => access(&path, mode),
        error => Err(error),
    }
}

fn access(path: &CStr, mode: libc::c_int) -> io::Result<()> {
    // SAFETY: the path ends in 0 and outlives the call, which only reads it.
    let result = unsafe { libc::access(path.as_ptr(), mode) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The error of a file that could not be created, with the remedy if its directory is missing.
pub fn explain_not_created(path: &Path, error: io::Error) -> io::Error {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    match folder {
        Some(folder) if error.kind() == io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), format!("{error}; create the directory {}", folder.display()))
        }
        _ => error,
    }
}

/// Writes all that waits in memory for the file system of an open file to its disk (syncfs(2)).
///
/// # Errors
/// When a write fails.
pub fn sync_file_system(of: &File) -> io::Result<()> {
    // SAFETY: the call takes a descriptor alone, which is open.
    let result = unsafe { libc::syncfs(of.as_raw_fd()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_path_cannot_be_used_and_an_own_one_can() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for access in [PathUse::Write, PathUse::CreateIn] {
            assert_eq!(check_access(&file, access).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        std::fs::write(&file, "text").unwrap();
        assert!(check_access(&file, PathUse::Write).is_ok() && check_access(folder.path(), PathUse::CreateIn).is_ok());
        assert!(check_access(Path::new("a\0b"), PathUse::Write).is_err());
    }

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
        let of = |file: &File| File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        let (first, second) = (of(&file), of(&file));
        assert!(lock(&first) && !lock(&second));
        let holder = std::thread::spawn(move || {
            sleep(Duration::from_millis(100));
            drop(first);
        });
        assert!(lock(&second));
        holder.join().unwrap();
    }

    #[test]
    fn file_system_of_a_directory_is_written_to_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "text").unwrap();
        sync_file_system(&File::open(folder.path()).unwrap()).unwrap();
    }
}
