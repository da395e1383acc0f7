//! Files that are opened with care. Takes paths; gives open files. Must not know their contents.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The flag of `open` that refuses a symbolic link as the last part of a path (open(2)).
pub const NO_FOLLOW: i32 = libc::O_NOFOLLOW;

/// Opens a file to read; not through a symbolic link in its place.
///
/// # Errors
/// As of [`File::open`]; also if the path is a symbolic link.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path)
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
    fn file_is_opened_and_a_link_to_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "text").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(io::read_to_string(open_to_read(&file).unwrap()).unwrap(), "text");
        assert!(open_to_read(&link).is_err());
    }

    #[test]
    fn file_system_of_a_directory_is_written_to_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "text").unwrap();
        sync_file_system(&File::open(folder.path()).unwrap()).unwrap();
    }
}
