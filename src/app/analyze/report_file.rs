//! The file of a report. Takes the report; gives it its name once it is whole. Must not know what the report says.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::os::files::explain_not_created;

/// A file that is written. A regular one has a temporary name until the end, so that an earlier report stays if the
/// analysis fails; a pipe or a device is written as it is.
pub(super) struct ReportFile {
    file: File,
    path: PathBuf,
    /// The temporary name; none for what is no regular file.
    part: Option<PathBuf>,
}

impl ReportFile {
    /// Opens a report that is no log of `inputs`.
    ///
    /// # Errors
    /// If it is one of them, or cannot be opened.
    pub(super) fn create(path: &Path, inputs: &[PathBuf]) -> io::Result<Self> {
        let present = fs::metadata(path).ok();
        let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
        let is_present = |input: &PathBuf| fs::metadata(input).ok().as_ref().map(identity);
        if let Some(report) = &present
            && inputs.iter().any(|input| is_present(input) == Some(identity(report)))
        {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is one of the logs; name another file"));
        }
        // A symbolic link stays; the file that it leads to is replaced.
        let path = &if present.is_some() { path.canonicalize()? } else { path.to_owned() };
        let part = present.is_none_or(|metadata| metadata.is_file()).then(|| with_part(path));
        let file = File::create(part.as_deref().unwrap_or(path)).map_err(|error| explain_not_created(path, error))?;
        Ok(Self { file, path: path.to_owned(), part })
    }

    /// Writes with `write`, and gives the file its name.
    ///
    /// # Errors
    /// If that fails. Nothing of the report stays then.
    pub(super) fn finish(self, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        let written = write(&self.file);
        match &self.part {
            None => written,
            Some(part) => written.and_then(|()| fs::rename(part, &self.path)).inspect_err(|_| remove(part)),
        }
    }

    /// Removes what was opened, because there is no report.
    pub(super) fn discard(self) {
        self.part.iter().for_each(|part| remove(part));
    }
}

fn with_part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn remove(part: &Path) {
    if let Err(error) = fs::remove_file(part) {
        tracing::debug!(file = %part.display(), %error, "the unfinished report stays");
    }
}
