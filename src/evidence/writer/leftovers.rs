//! Files that a killed process left under temporary names.
//!
//! Takes a directory; gives the files their final names after a broken last record is cut off. Must not know what is
//! written now.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::records::WholeRecords;
use super::{files, pcapng, quota, savefile};
use crate::evidence::names;

/// Finds the whole records of a file of so many bytes.
type FindWhole = fn(&File, u64) -> io::Result<WholeRecords>;

/// Gives evidence files their final names, with `-cut`. Other unfinished files of the archive are removed: they are copies.
pub(in crate::evidence) fn finish_evidence(archive: &Path) {
    for (part, name) in leftovers(archive, names::is_ours) {
        let stem = name.strip_suffix(names::CAPTURE);
        let path = stem.map(|stem| files::free_path(archive, &format!("{stem}-cut"), names::CAPTURE));
        tell(&part, &finish(&part, path.as_deref(), pcapng::whole_blocks));
    }
}

/// Gives logged files their final names.
pub(in crate::evidence) fn finish_logged(directory: &Path, is_logged: fn(&str) -> bool) {
    for (part, name) in leftovers(directory, is_logged) {
        tell(&part, &finish(&part, Some(&directory.join(name)), savefile::whole_in_file));
    }
}

/// Unfinished files with their final names.
fn leftovers(directory: &Path, is_ours: fn(&str) -> bool) -> impl Iterator<Item = (PathBuf, String)> {
    quota::own_files(directory, is_ours).filter_map(|part| {
        let name = part.file_name()?.to_str()?.strip_suffix(names::UNFINISHED)?.to_owned();
        Some((part, name))
    })
}

/// Renames a file to `path`. One without packets is removed, and so is one without a path.
fn finish(part: &Path, path: Option<&Path>, find_whole: FindWhole) -> io::Result<()> {
    let file = files::open_existing(part)?;
    // A living process holds the lock of its files.
    file.try_lock().map_err(io::Error::from)?;
    let Some(path) = path else { return fs::remove_file(part) };
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let length = file.metadata()?.len();
    let whole = find_whole(&file, length)?;
    if whole.packets == 0 {
        return fs::remove_file(part);
    }
    if whole.bytes < length {
        file.set_len(whole.bytes)?;
    }
    files::publish(&file, part, path)
}

fn tell(part: &Path, finished: &io::Result<()>) {
    match finished {
        Ok(()) => tracing::info!(file = %part.display(), "finished a file that an earlier run left"),
        Err(error) => tracing::debug!(file = %part.display(), %error, "a file of an earlier run stays as it is"),
    }
}
