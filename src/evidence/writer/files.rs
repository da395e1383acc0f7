//! Files and directories of this room.
//!
//! Takes paths; gives files that only their owner can read, under temporary names until they are whole. Symbolic links are
//! not followed, except in the path of the directory itself. Must not know the contents.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::evidence::names::UNFINISHED;
use crate::os::files::sync_file_system;

const OWNER_ONLY: u32 = 0o600;
const OWNER_ONLY_DIRECTORY: u32 = 0o700;

/// Makes a directory, and those above it, unless it is there.
///
/// # Errors
/// When it cannot be made, or is no directory.
pub(in crate::evidence) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNER_ONLY_DIRECTORY).create(path)?;
    if fs::metadata(path)?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// Creates a file that must not be there, nor a symbolic link of its name. It stays locked while it is open.
pub(in crate::evidence) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    // Some file systems know no locks: then a second instance may take this file for a leftover.
    file.try_lock().ok();
    Ok(file)
}

/// Opens a regular file for reading and writing. A symbolic link of its name is refused.
pub(in crate::evidence) fn open_existing(path: &Path) -> io::Result<File> {
    let expected = regular(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let opened = file.metadata()?;
    // Another file may have taken its place since.
    if (opened.dev(), opened.ino()) == (expected.dev(), expected.ino()) { Ok(file) } else { Err(refused()) }
}

/// The metadata of a regular file that belongs to the user of this process.
pub(in crate::evidence) fn regular(path: &Path) -> io::Result<Metadata> {
    let found = fs::symlink_metadata(path)?;
    let user = fs::metadata("/proc/self").map(|process| process.uid());
    if found.is_file() && user.is_ok_and(|user| user == found.uid()) { Ok(found) } else { Err(refused()) }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "it is no regular file of this user")
}

/// The temporary name of a file.
pub(in crate::evidence) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

/// Gives a written file its final name, so that it survives a power cut.
pub(in crate::evidence) fn publish(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(from, to)?;
    sync_directory(to)
}

/// Moves a finished or unfinished file. It is whole under one of both names, whenever the power is cut.
///
/// # Errors
/// When it cannot be moved; then it is still under its old name.
pub(in crate::evidence) fn move_to(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    regular(from)?;
    file.sync_all()?;
    match fs::rename(from, to) {
        Ok(()) => sync_directory(to)?,
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy(file, to)?;
            fs::remove_file(from)?;
        }
        Err(error) => return Err(error),
    }
    sync_directory(from)
}

/// Moves a file like [`move_to`], but writes neither it nor the directories to the disk: [`sync_all`] follows.
pub(in crate::evidence) fn move_unsynced(from: &Path, to: &Path) -> io::Result<()> {
    regular(from)?;
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy(&open_existing(from)?, to)?;
            fs::remove_file(from)
        }
        moved => moved,
    }
}

/// Writes all files of a directory's file system to the disk, with their names.
pub(in crate::evidence) fn sync_all(directory: &Path) -> io::Result<()> {
    sync_file_system(&File::open(directory)?)
}

/// Copies a file to another file system, under a temporary name until it is whole. Memory for one block is enough.
fn copy(mut file: &File, to: &Path) -> io::Result<()> {
    let part = unfinished(to);
    remove_leftover(&part);
    let mut target = create(&part)?;
    let mut copy = || {
        file.rewind()?;
        io::copy(&mut file, &mut target)?;
        publish(&target, &part, to)
    };
    copy().inspect_err(|_| remove(&part))
}

/// The path of a file with this stem and ending, or with a number behind the stem if that is taken.
pub(in crate::evidence) fn free_path(directory: &Path, stem: &str, ending: &str) -> PathBuf {
    let exists = |path: &Path| path.symlink_metadata().is_ok();
    let is_free = |path: &PathBuf| !exists(path) && !exists(&unfinished(path));
    let numbered = (2_u64..).map(|number| format!("{stem}-{number}"));
    let mut paths = std::iter::once(stem.to_owned()).chain(numbered).map(|stem| directory.join(stem + ending));
    paths.find(is_free).unwrap_or_else(|| directory.join(stem))
}

/// The final name of a file under its temporary name; other names stay.
pub(in crate::evidence) fn finished(path: &Path) -> PathBuf {
    if is_unfinished(path) { path.with_extension("") } else { path.to_owned() }
}

/// True for temporary names.
pub(in crate::evidence) fn is_unfinished(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
}

/// Locks a directory against other processes of this program; none if one has it. File systems without locks give it
/// always.
pub(in crate::evidence) fn lock_directory(path: &Path) -> Option<File> {
    let directory = File::open(path).ok()?;
    match directory.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        Ok(()) | Err(TryLockError::Error(_)) => Some(directory),
    }
}

/// Writes the entry of a file in its directory to the disk.
pub(in crate::evidence) fn sync_directory(of: &Path) -> io::Result<()> {
    of.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Writes a whole file under a temporary name, then gives it its name.
pub(in crate::evidence) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = unfinished(path);
    remove_leftover(&part);
    let mut file = create(&part)?;
    let mut write = || {
        io::Write::write_all(&mut file, bytes)?;
        publish(&file, &part, path)
    };
    write().inspect_err(|_| remove(&part))
}

/// Writes a file under the temporary name of `path`. A power cut may take it.
pub(in crate::evidence) fn write_unfinished(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = unfinished(path);
    remove_leftover(&part);
    io::Write::write_all(&mut create(&part)?, bytes).inspect_err(|_| remove(&part))
}

/// Removes a file that a killed process left under a temporary name. A living one holds its lock.
fn remove_leftover(part: &Path) {
    if open_existing(part).is_ok_and(|file| file.try_lock().is_ok()) {
        remove(part);
    }
}

/// Removes a file, if it is there and can be removed.
pub(in crate::evidence) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(file = %path.display(), %error, "a file could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_and_directories_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (outer, inner) = (folder.path().join("a"), folder.path().join("a/b"));
        make_directory(&inner).unwrap();
        make_directory(&inner).unwrap();
        let file = inner.join("file");
        write_whole(&file, b"text").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&outer), mode(&inner), mode(&file)], [0o700, 0o700, 0o600]);
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "no temporary file is left");
        assert!(make_directory(&file).is_err());
    }

    /// A file with these bytes, moved to `to` on another file system or on the same one.
    fn moved(from: &Path, to: &Path) -> io::Result<()> {
        fs::write(from, [7; 100_000]).unwrap();
        move_to(&open_existing(from).unwrap(), from, to)
    }

    #[test]
    fn files_move_within_a_file_system_and_to_another_one() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()];
        let from = folders[0].path().join("from");
        let device = |folder: &tempfile::TempDir| fs::metadata(folder.path()).unwrap().dev();
        if device(&folders[0]) == device(&folders[1]) {
            println!("there is no other file system at hand");
        }
        for folder in &folders {
            let to = folder.path().join("to");
            moved(&from, &to).unwrap();
            assert!(!from.exists() && !unfinished(&to).exists());
            assert_eq!(fs::read(&to).unwrap(), [7; 100_000]);
        }
        // A directory that is not there takes no file.
        assert!(moved(&from, &folders[1].path().join("none/to")).is_err());
        assert_eq!(fs::read(&from).unwrap(), [7; 100_000]);
    }

    #[test]
    fn directory_is_locked_for_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_directory(folder.path()).unwrap();
        assert!(lock_directory(folder.path()).is_none());
        drop(lock);
        assert!(lock_directory(folder.path()).is_some());
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [secret, link, fifo] = ["secret", "link", "directory"].map(|name| folder.path().join(name));
        fs::write(&secret, b"untouched").unwrap();
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        fs::create_dir(&fifo).unwrap();
        assert!(create(&link).is_err() && create(&secret).is_err());
        assert!(open_existing(&link).is_err() && open_existing(&fifo).is_err());
        open_existing(&secret).unwrap().write_all(b"touched--").unwrap();
        std::os::unix::fs::symlink(&secret, unfinished(&folder.path().join("new"))).unwrap();
        assert!(write_whole(&folder.path().join("new"), b"x").is_err());
        assert_eq!(fs::read(&secret).unwrap(), b"touched--");
    }
}
