//! Files that are opened with care. Takes paths; gives open files. Must not know their contents.

use std::fs::{File, OpenOptions};
use std::io;
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
}
